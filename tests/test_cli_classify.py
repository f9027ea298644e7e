"""``cxjobs classify`` and ``cxjobs inspect`` from outside: exit codes, streams, options."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from postings_fake import Model

import cxjobs
from cxjobs.cli import group
from cxjobs.cli.options import FORMATS
from cxjobs.postings import formats

FILES = Path(__file__).parent / "files" / "postings"
HERE = Path(__file__).parent
CALL = """
import sys, types, postings_fake
fake = types.ModuleType("cxjobs.answer")
fake.load_model = postings_fake.Model
sys.modules["cxjobs.answer"] = fake
from cxjobs.cli import main
main()
"""


@pytest.fixture
def run(monkeypatch):
    fake = type(sys)("cxjobs.answer")
    fake.load_model = Model
    monkeypatch.setitem(sys.modules, "cxjobs.answer", fake)
    runner = CliRunner()
    return lambda *arguments, **options: runner.invoke(group, [*map(str, arguments)], **options)


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("id,title,description\n1,Head of CX,Own it.\n2,CX Agent,\n")
    return path


def start(*arguments, **options):
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    environment = {**os.environ, "PYTHONPATH": path, **options.pop("env", {})}
    return subprocess.Popen(
        [sys.executable, "-c", CALL, *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def test_all_good_is_0_and_rejects_are_1(run, given, tmp_path):
    done = run("classify", given, "-o", tmp_path / "out.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "2 postings in, 2 out, 2 ok" in done.stderr
    given.write_text(given.read_text() + "3,too few\n")
    done = run("classify", given, "-o", tmp_path / "out.csv")
    assert done.exit_code == 1
    assert "rejected: 1 could not be parsed" in done.stderr


def test_wrong_use_is_2_and_says_the_mend(run, given, tmp_path):
    for arguments, says in (
        (["classify"], "Missing argument"),
        (["classify", tmp_path / "nothere.csv"], "no such file"),
        (["classify", given, "--map", "title"], "PART=FIELD"),
        (["classify", given, "--map", "title=nme"], "no column 'nme'"),
        (["classify", given, "--only", "cx"], "'cx' is not one of"),
        (["classify", given, "-o", given], "also an input"),
        (["inspect", given, "--format", "xml"], "xml"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert says in done.stderr
        assert "Traceback" not in done.stderr


def test_stdin_to_stdout_in_the_formats_asked_for(run):
    done = run(
        "classify", "-", "--output-format", "jsonl", "--quiet", input='[{"text": "Head of CX"}]',
    )  # fmt: skip
    assert done.exit_code == 2
    assert "--map title=COLUMN" in done.stderr
    done = run(
        *("classify", "-", "--quiet", "--map", "title=text", "--columns", "text,status"),
        input='[{"text": "Head of CX", "more": 1}]',
    )
    assert done.stderr == ""
    assert json.loads(done.stdout) == {"text": "Head of CX", "status": "ok"}
    done = run("classify", "-", "-o", "-", input="title\nHead of CX\n")
    assert done.stdout.splitlines()[0].startswith('"title","label"')


def test_the_summary_is_written_as_json(run, given, tmp_path):
    run("classify", given, "-o", tmp_path / "out.csv", "--summary", tmp_path / "sum.json")
    summary = json.loads((tmp_path / "sum.json").read_text())
    assert (summary["rows_in"], summary["ok"], summary["model"]) == (2, 2, Model.name)


def test_options_reach_the_model(run, given, tmp_path, monkeypatch):
    made = []

    class Noting(Model):
        def __init__(self, folder=None, **options):
            super().__init__(folder, **options)
            made.append((folder, options))

    monkeypatch.setattr(sys.modules["cxjobs.answer"], "load_model", Noting)
    out = tmp_path / "out.csv"
    options = ["--model", "m", "--precision", "0.8", "--max-lost", "0.1", "--evidence"]
    assert run("classify", given, "-o", out, *options).exit_code == 0
    assert made[0] == ("m", {"precision": 0.8, "max_lost": 0.1})
    with open(out, newline="") as file:
        assert next(csv.DictReader(file))["evidence"] == "because"


def test_a_guessed_encoding_is_told(run, tmp_path):
    done = run("classify", FILES / "semicolon_cp1252.csv", "-o", tmp_path / "out.csv")
    assert "read as cp1252" in done.stderr


def test_the_formats_of_the_command_are_those_that_are_read():
    assert FORMATS == formats.FORMATS


def test_inspect_tells_what_would_be_read(run):
    done = run("inspect", FILES / "lever.json", FILES / "pages")
    assert done.exit_code == 1
    for text in ("lever", "title        text: Head of Customer", "rows         3", "no JobPosting"):
        assert text in done.stdout
    done = run("inspect", "--json", FILES / "greenhouse.json")
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["fields"]["description"] == "content"
    assert len(found["samples"]["title"]) == 3
    assert (found["rows"], found["source"], found["encoding"]) == (3, "greenhouse", "utf-8")


def test_inspect_counts_what_is_missing(run, tmp_path):
    long = "Wir suchen eine Leitung für unser Haus am Hafen mit Freude am Beruf und am Gast. " * 3
    rows = [("CX", "Own it…"), ("CX", "Own it…"), ("", "x y"), ("Leitung", long), ("Lead", "")]
    text = io.StringIO()
    csv.writer(text).writerows([("title", "description"), *rows])
    (tmp_path / "jobs.csv").write_text(text.getvalue(), encoding="utf-8")
    found = json.loads(run("inspect", "--json", tmp_path / "jobs.csv").stdout)
    counts = ("without_title", "without_description", "truncated", "duplicates", "not_english")
    assert {name: found[name] for name in counts} == {
        "without_title": 1,
        "without_description": 1,
        "truncated": 2,
        "duplicates": 1,
        "not_english": 1,
    }


def test_nothing_heavy_is_loaded_to_answer_help():
    code = (
        "import sys; from cxjobs.cli import group\n"
        "for name in ('classify', 'inspect'):\n"
        "    try: group([name, '--help'])\n"
        "    except SystemExit: pass\n"
        "assert not {'pyarrow', 'numpy', 'joblib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=HERE.parent, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_reading_and_writing_need_neither_pandas_nor_scikit_learn(given, tmp_path):
    code = CALL.replace("main()\n", "group(sys.argv[1:], standalone_mode=False)\n").replace(
        "import main", "import group"
    )
    code += "assert not {'pandas', 'sklearn', 'scipy', 'joblib'} & set(sys.modules)\n"
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    done = subprocess.run(
        [sys.executable, "-c", code, "classify", str(given), "-o", str(tmp_path / "out.parquet")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals and pipes")
def test_a_pipe_that_closes_is_silent_and_ctrl_c_is_130(tmp_path):
    big = tmp_path / "jobs.csv"
    big.write_text("id,title\n" + "".join(f"{i},Head of CX {i}\n" for i in range(60000)))
    process = start("classify", big, "--quiet")
    process.stdout.read(100)
    process.stdout.close()
    assert process.wait() == 0
    assert process.stderr.read() == b""
    for jobs in ("1", "2"):
        out = tmp_path / "out.csv"
        process = start("classify", big, "-o", out, "--jobs", jobs, env={"CXJOBS_TEST_PAUSE": "1"})
        while not (tmp_path / "out.csv.partial" / "output").exists():
            time.sleep(0.01)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        assert process.returncode == 130
        assert errors.decode().strip() == "Interrupted."
        assert not out.exists()


def test_the_version_is_that_of_the_package(run):
    assert cxjobs.__version__ in run("--version").stdout
