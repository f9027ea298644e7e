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


def start(given, out, pause="0.02"):
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
        for i in range(300)
    ]
    (tmp_path / "1.csv").write_text("id,title,description\n" + "\n".join(csv_rows), "utf-8")
    rows = [{"id": i, "title": f"CX {i % 9}", "company": "A"} for i in range(500, 700)]
    (tmp_path / "2.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "{]\n")
    return [tmp_path / "1.csv", tmp_path / "2.jsonl"]


def everything(folder):
    """All outputs in a folder: names and bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def batches_done(folder):
    """Batches that the checkpoint in a folder tells of."""
    for path in folder.glob("*.partial/checkpoint.json"):
        return json.loads(path.read_text())["batches"]
    return 0


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_killed_runs_go_on_to_the_same_bytes(tmp_path, given, name, monkeypatch):
    monkeypatch.setattr("cxjobs.postings.writers.PART_ROWS", 60)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    classify(given, whole / name, load, batch_rows=20)
    draw = random.Random(name)
    for _ in range(3):
        process, before = start(given, cut / name), batches_done(cut)
        while process.poll() is None and batches_done(cut) <= before:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (cut / name).exists() or (cut / name).read_bytes() == (whole / name).read_bytes()
    process = start(given, cut / name, pause="0")
    assert process.wait() == 0, process.stderr.read()
    assert everything(cut) == everything(whole)


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl.gz", "out.parquet", "out/"])
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (os, "replace"),
        (os, "fsync"),
        (outlets.Duplicates, "of"),
        (outlets.Place, "report"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_run_stopped_at_any_step_goes_on_to_the_same_bytes(
    tmp_path, given, name, owner, method, monkeypatch
):
    monkeypatch.setattr("cxjobs.postings.writers.PART_ROWS", 150)
    options = {"every": 0.0, "batch_rows": 100}
    whole = tmp_path / "whole"
    whole.mkdir()
    wanted = classify(given, f"{whole}/{name}", load, **options).to_dict()
    real, steps, finished = getattr(owner, method), 0, False
    draw = random.Random(f"{name}{method}")
    while not finished:
        steps += draw.randint(1, 6)
        folder = tmp_path / f"cut{steps}"
        folder.mkdir()
        left = [steps]

        def stop(*args, left=left, **kwargs):
            left[0] -= 1
            if not left[0]:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(owner, method, stop)
            try:
                classify(given, f"{folder}/{name}", load, resume=True, **options)
                finished = True
            except KeyboardInterrupt:
                pass
        summary = classify(given, f"{folder}/{name}", load, resume=True, **options).to_dict()
        assert everything(folder) == everything(whole), f"{method} {steps}"
        assert {**summary, "seconds": 0} == {**wanted, "seconds": 0}


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
