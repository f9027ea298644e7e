"""Nothing is fetched, and nothing that is read can run code."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, labelled

import cxjobs

PACKAGE = Path(cxjobs.__file__).parent
EXAMPLES = ROOT / "data" / "examples.jsonl"

WATCHED = """
import json, sys
from collections import Counter
seen = Counter()
def watch(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname",
                 "urllib.Request", "ftplib.connect", "http.client.connect", "smtplib.connect",
                 "socket.sendto", "socket.sendmsg"}:
        raise SystemExit(f"network: {event} {arguments}")
    if event in {"pickle.find_class", "marshal.loads", "os.system", "os.exec"}:
        seen[event] += 1
    if event == "open" and str(arguments[0]).endswith((".pkl", ".pickle", ".joblib")):
        seen["open " + str(arguments[0])] += 1
sys.addaudithook(watch)
from cxjobs.cli import main
try:
    code = main()
except SystemExit as end:
    code = end.code
print(json.dumps({"code": code, "seen": seen, "pickle": "pickle" in sys.modules,
                  "modules": sorted(sys.modules)}), file=sys.stderr)
"""
"""The command under an audit hook of Python's: it ends at the first touch of the network."""


def watched(*arguments, cwd) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *map(str, arguments)],
        capture_output=True, text=True, timeout=300, cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(cwd), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["code"] in (0, None), done.stderr
    return told


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trust")
    labelled().to_csv(folder / "labelled.csv", index=False)
    return folder


RUNS = {
    "predict": ["predict", "Head of CX", "--explain"],
    "classify": ["classify", EXAMPLES, "-o", "out.csv", "--evidence"],
    "classify parquet": ["classify", EXAMPLES, "-o", "out.parquet"],
    "inspect": ["inspect", EXAMPLES],
    "survey": ["survey", EXAMPLES, "--html", "report.html"],
    "verify": ["model", "verify"],
    "train": ["train", "labelled.csv", "-o", "model", "--quiet"],
}


@pytest.mark.parametrize("name", RUNS)
def test_no_command_touches_the_network(place, name):
    told = watched(*RUNS[name], cwd=place)
    assert not [event for event in told["seen"] if event.startswith("open ")]


@pytest.mark.parametrize("name", ["predict", "classify", "classify parquet", "inspect", "verify"])
def test_no_answer_unpickles_anything(place, name):
    seen = watched(*RUNS[name], cwd=place)["seen"]
    # Python itself unmarshals the modules that it imports.
    assert set(seen) <= {"marshal.loads"}


def test_one_answer_does_not_even_import_pickle(place):
    modules = watched(*RUNS["predict"][:2], cwd=place)["modules"]
    assert not {"pickle", "_pickle", "joblib", "socket", "ssl", "http.client"} & set(modules)


def test_the_hook_would_see_it():
    for act, event in (
        ("import pickle; pickle.loads(pickle.dumps(ValueError))", "pickle.find_class"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "network"),
    ):
        code = WATCHED.replace("    code = main()", f"    code = None; {act}")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert event in done.stderr


CALLS = {"eval", "exec", "compile", "__import__"}
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "socket", "ssl"}
MODULES |= {"urllib", "http", "requests", "httpx", "ftplib", "xmlrpc", "xml", "ctypes", "pty"}


def dangers(path: Path) -> list[str]:
    """What in a file could run data, or fetch it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            found += [n for n in names if n and n.split(".")[0] in MODULES]
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function in CALLS or function.split(".")[-1] in {"read_pickle", "system", "popen"}:
                found.append(function)
            if function in {"joblib.load", "np.load", "numpy.load", "yaml.load", "pickle.loads"}:
                found.append(function)
            found += [k.arg for k in node.keywords if k.arg in {"allow_pickle", "shell"}]
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_no_module_can_run_or_fetch_data(path):
    assert dangers(path) == []


def test_the_scan_would_see_it(tmp_path):
    path = tmp_path / "bad.py"
    path.write_text("import pickle\nfrom urllib.request import urlopen\njoblib.load(x)\neval(y)")
    assert dangers(path) == ["pickle", "urllib.request", "joblib.load", "eval"]
