"""A run killed at any moment leaves no half output, and goes on to the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from postings_fake import load

from cxjobs.errors import FormatError
from cxjobs.postings import classify, outlets

HERE = Path(__file__).parent
RUN = """
import sys
from postings_fake import load
from cxjobs.postings import classify, writers
writers.PART_ROWS = 60
classify(sys.argv[1:-1], sys.argv[-1], load, resume=True, every=0.0, batch_rows=20)
"""


def start(given, out, pause="0.004"):
    path = os.pathsep.join([str(HERE), str(HERE.parent)])
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *map(str, given), str(out)],
        env={**os.environ, "PYTHONPATH": path, "CXJOBS_TEST_PAUSE": pause},
        stderr=subprocess.PIPE,
    )


@pytest.fixture
def given(tmp_path):
    draw = random.Random(5)
    csv_rows = [
        draw.choice([f'{i},"Head of CX {i % 40}","Own\nit {i}."', f"{i},broken", f'{i},"Ü",'])
        for i in range(500)
    ]
    (tmp_path / "1.csv").write_text("id,title,description\n" + "\n".join(csv_rows), "utf-8")
    rows = [{"id": i, "title": f"CX {i % 9}", "company": "A"} for i in range(500, 800)]
    (tmp_path / "2.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{]\n")
    return [tmp_path / "1.csv", tmp_path / "2.jsonl"]


def everything(folder):
    """All outputs in a folder: names and bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.parquet", "out/"])
def test_killed_runs_go_on_to_the_same_bytes(tmp_path, given, name):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    begun = time.monotonic()
    assert start(given, f"{whole}/{name}").wait() == 0
    lasted = time.monotonic() - begun
    draw = random.Random(name)
    kills = 0
    while True:
        process = start(given, f"{cut}/{name}")
        try:
            process.wait(draw.uniform(0.3, 0.95) * lasted)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
        found = everything(cut)
        finished = {key for key in found if ".partial" not in key}
        assert not finished or finished == set(everything(whole))
    assert process.returncode == 0, process.stderr.read()
    assert kills
    assert everything(cut) == everything(whole)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet", "out/"])
def test_a_run_stopped_at_each_step_goes_on_to_the_same_bytes(tmp_path, given, name, monkeypatch):
    """Every write, checkpoint and rename is once the last thing that happens."""
    monkeypatch.setattr("cxjobs.postings.writers.PART_ROWS", 150)
    options = {"every": 0.0, "batch_rows": 100}
    whole = tmp_path / "whole"
    whole.mkdir()
    wanted = classify(given, f"{whole}/{name}", load, **options)
    places = [
        (os, "replace"),
        (os, "fsync"),
        (outlets.Place, "save"),
        (outlets.Duplicates, "of"),
        (outlets.Place, "report"),
    ]
    for number, (owner, method) in enumerate(places):
        folder = tmp_path / f"cut{number}"
        folder.mkdir()
        target, steps = f"{folder}/{name}", 0
        while True:
            steps += 1
            with monkeypatch.context() as patch:
                left = [steps]
                real = getattr(owner, method)

                def stop(*args, real=real, left=left, **kwargs):
                    left[0] -= 1
                    if not left[0]:
                        raise KeyboardInterrupt
                    return real(*args, **kwargs)

                patch.setattr(owner, method, stop)
                try:
                    classify(given, target, load, resume=True, **options)
                    break
                except KeyboardInterrupt:
                    pass
            summary = classify(given, target, load, resume=True, **options)
            assert everything(folder) == everything(whole), f"{method} {steps}"
            assert {**summary.as_dict(), "seconds": 0} == {**wanted.as_dict(), "seconds": 0}
            for path in everything(folder):
                (folder / path).unlink()
        assert steps > 1


def test_a_run_is_not_resumed_with_other_options_or_inputs(tmp_path, given):
    out = tmp_path / "out.csv"

    def interrupted(**options):
        calls = []

        def stop(rows, _):
            calls.append(rows)
            if len(calls) == 5:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            classify(given, out, load, every=0.0, batch_rows=50, progress=stop, **options)

    interrupted()
    for options in (
        {"only": ["review"]},
        {"columns": ["label"]},
        {"batch_rows": 60},
        {"model": "other"},
        {"settings": {"precision": 0.5}},
    ):
        with pytest.raises(FormatError, match="--resume"):
            classify(given, out, load, resume=True, **{"batch_rows": 50, **options})
    given[0].write_text(given[0].read_text() + "\n900,x,y")
    with pytest.raises(FormatError, match="other inputs"):
        classify(given, out, load, resume=True, batch_rows=50)
    assert not out.exists()
    classify(given, out, load, batch_rows=50)
    assert not (tmp_path / "out.csv.partial").exists()


def test_only_what_is_left_is_answered(tmp_path, given):
    out = tmp_path / "out.csv"
    seen = []

    def counting():
        answer = load()

        def count(title, description):
            seen.append(len(title))
            if len(seen) == 8:
                raise KeyboardInterrupt
            return answer(title, description)

        return count

    with pytest.raises(KeyboardInterrupt):
        classify(given, out, counting, every=0.0, batch_rows=50)
    before = len(seen)
    summary = classify(given, out, counting, every=0.0, batch_rows=50, resume=True)
    # All but the batch that was interrupted had been answered, and are not again.
    assert sum(seen[: before - 1]) + sum(seen[before:]) == summary.rows_out


def test_a_failure_before_the_first_checkpoint_leaves_nothing(tmp_path, given):
    def broken(title, description):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        classify(given, tmp_path / "out.csv", lambda: broken)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["1.csv", "2.jsonl"]


def test_standard_streams_cannot_be_resumed(tmp_path, given):
    for inputs, out in (([*given], "-"), (["-"], tmp_path / "out.csv")):
        with pytest.raises(FormatError, match="--resume needs files"):
            classify(inputs, out, load, resume=True)
