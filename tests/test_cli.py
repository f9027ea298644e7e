"""The installed command, end to end: right answers, and clear errors for wrong input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

COMMAND = [sys.executable, "-m", "cxjobs"]
EXAMPLES = ROOT / "data" / "examples.jsonl"


def run(*arguments, stdin=None, cwd=None, env=None):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=not isinstance(stdin, bytes),
        cwd=cwd,
        env={**os.environ, "NO_COLOR": "1", **(env or {})},
        timeout=120,
    )


def test_predict_answers_in_words(tmp_path):
    done = run("predict", "Call Center Agent", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "role: Call center" in done.stdout
    assert done.stdout.startswith("conflated: ")


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("VP, Customer Experience Strategy", "cx_management"),
        ("Store Customer Experience Lead", "retail_service"),
        ("Customer Experience Representative", "call_center"),
        ("UX Designer", "usability"),
        ("Senior Software Engineer, CX Platform", "other"),
    ],
)
def test_predict_json(title, role):
    answer = json.loads(run("predict", title, "--json").stdout)
    assert answer["role"] == role
    assert answer["basis"] == "title"


def test_predict_reads_a_description_from_text_file_and_stdin(tmp_path):
    posting = json.loads(EXAMPLES.read_text().splitlines()[0])
    path = tmp_path / "posting.txt"
    path.write_text(posting["description"])
    direct = run("predict", "CX Manager", "--description", posting["description"], "--json")
    file = run("predict", "CX Manager", "--description", f"@{path}", "--json")
    pipe = run("predict", "CX Manager", "--description", "-", "--json", stdin=path.read_text())
    assert direct.stdout == file.stdout == pipe.stdout
    assert json.loads(direct.stdout)["label"] == "cx_management"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", ""], "title is empty"),
        (["predict", "x", "--description", "@nowhere.txt"], "No such file"),
        (["predict", "CX", "--model", "nowhere"], "not a model folder"),
        (["predict", "CX", "--precision", "2"], "2"),
        (["predict"], "Missing argument"),
        (["nonsense"], "No such command"),
        (["check", "nowhere.csv"], "no such file"),
        (["classify", "nowhere.csv"], "nowhere.csv"),
        (["train", "nowhere.csv", "-o", "m"], "no such file"),
        (["model", "verify", "--model", "nowhere"], "not a model folder"),
    ],
)
def test_wrong_use_is_told_without_traceback(tmp_path, arguments, message):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_description_that_is_not_utf8(tmp_path):
    (tmp_path / "d").write_bytes(b"caf\xe9")
    done = run("predict", "x", "--description", f"@{tmp_path / 'd'}")
    assert done.returncode == 2
    assert "byte 3 is not UTF-8" in done.stderr


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_classify_answers_every_example_in_order(tmp_path, kind):
    out = tmp_path / f"out.{kind}"
    done = run("classify", EXAMPLES, "-o", out)
    assert done.returncode == 0, done.stderr
    import pandas as pd

    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}.get(kind)
    frame = read(out) if read else pd.read_json(out, lines=True)
    assert frame["id"].tolist() == [f"example-{i}" for i in range(1, 9)]
    assert frame["role"].tolist() == [
        "cx_management",
        "call_center",
        "retail_service",
        "other",
        "satisfaction_research",
        "account_management",
        "usability",
        "cx_management",
    ]
    assert [p.name for p in tmp_path.iterdir()] == [out.name]


def test_readme_shows_what_the_command_prints():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = next(line for line in readme.splitlines() if "cxjobs classify data/examples" in line)
    arguments = command.split("bin/cxjobs ")[1].split()
    assert run(*arguments, cwd=ROOT).stdout.strip() in readme


def test_check_lists_every_problem_and_exits_1(tmp_path, table):
    table.loc[0, "role"] = "boss"
    table.loc[1, "basis"] = "both"
    path = tmp_path / "t.csv"
    table.to_csv(path, index=False)
    done = run("check", path)
    assert done.returncode == 1
    assert "row 2, column role" in done.stdout
    assert "row 3, column basis" in done.stdout
    records = [json.loads(line) for line in run("check", path, "--json").stdout.splitlines()]
    assert {r["column"] for r in records} >= {"role", "basis"}


def test_model_path_card_and_verify():
    assert Path(run("model", "path").stdout.strip()).name == "default"
    assert run("model", "card").stdout.startswith("# cxjobs-")
    assert "complete and unaltered" in run("model", "verify").stdout


def test_export_is_a_plain_estimator_that_answers_the_same(tmp_path):
    import joblib
    import numpy as np

    from cxjobs import store

    done = run("model", "export", "-o", tmp_path / "m.joblib")
    assert done.returncode == 0, done.stderr
    assert "trust" in done.stderr
    theirs = joblib.load(tmp_path / "m.joblib")
    ours = store.to_classifier(store.read(store.shipped()))
    titles = ["Head of CX", "Call Center Agent"]
    np.testing.assert_array_equal(theirs.predict_proba(titles), ours.predict_proba(titles))


def test_help_of_every_command_names_what_it_does():
    from cxjobs.cli import COMMANDS

    listed = run("--help").stdout
    for name, line in COMMANDS.items():
        assert name in listed
        done = run(name, "--help")
        assert done.returncode == 0, done.stderr
        assert line.rstrip(".")


def test_version():
    from cxjobs import __version__

    assert __version__ in run("--version").stdout


def test_broken_pipe_is_silent():
    shell = f"{' '.join(COMMAND)} classify {EXAMPLES} --quiet | head -n 1"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, timeout=120)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
