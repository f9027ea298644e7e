"""Where results may go, and what stays of a run that was interrupted, failed, or is whole."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from cxjobs.errors import FormatError
from cxjobs.postings.batch import Batch, Reject
from cxjobs.postings.layout import Layout
from cxjobs.postings.outlets import Outlet, Place, outlet
from cxjobs.postings.summary import UNPARSED, Summary

ANSWER = pa.table({"label": ["review"]})
LAYOUT = Layout(pa.schema([("a", pa.string())]), ANSWER.schema)
REJECT = Reject("jobs.csv", 3, "raw", "why")


def batch(value):
    empty = pa.array([""])
    names = ("title", "description", "id", "company", "location")
    return Batch(
        "jobs.csv", **dict.fromkeys(names, empty), numbered=pa.array([True]),
        arrow=pa.table({"a": [value]}),
    )  # fmt: skip


def add(place, value):
    place.sink.write(LAYOUT, batch(value), ANSWER, None)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def summary(**values):
    return Summary(**values)


@pytest.mark.parametrize(
    ("kind", "target", "says"),
    [
        ("csv", "no/out.csv", "there is no folder"),
        ("csv", "folder", "this is a folder; end it in /"),
        ("csv", "file/", "this is a file, not a folder"),
        ("parquet", "full/", r"holds other files \(x.txt\)"),
        ("csv", "new/", "only Parquet is written as a folder of parts, not csv"),
        ("csv", "given.csv", "this is also an input"),
        ("csv", "same.csv", "this is also an input"),
    ],
)
def test_outputs_that_cannot_be(tmp_path, kind, target, says):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x.txt").write_text("x")
    (tmp_path / "given.csv").write_text("x")
    (tmp_path / "same.csv").symlink_to(tmp_path / "given.csv")
    reading = SimpleNamespace(
        files=[SimpleNamespace(path="-"), SimpleNamespace(path=str(tmp_path / "given.csv"))]
    )
    with pytest.raises(FormatError, match=says):
        outlet(f"{tmp_path}/{target}", kind, reading, {}, resume=False)
    assert not [name for name in names(tmp_path) if name.endswith(".partial")]


@pytest.mark.parametrize(
    ("kind", "target"), [("csv", "out.csv"), ("parquet", "parts/"), ("parquet", "new/")]
)
def test_outputs_that_can_be(tmp_path, kind, target):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-000000.parquet").write_text("old")
    reading = SimpleNamespace(files=[SimpleNamespace(path="-")])
    place = outlet(f"{tmp_path}/{target}", kind, reading, {}, resume=False)
    assert isinstance(place, Place)
    place.close(failed=True)
    assert not [name for name in names(tmp_path) if name.endswith(".partial")]


def test_standard_output_keeps_nothing(monkeypatch):
    out, err = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=out))
    monkeypatch.setattr("sys.stderr", SimpleNamespace(buffer=err))
    place = outlet("-", "jsonl", SimpleNamespace(files=[]), {}, resume=False)
    assert type(place) is Outlet
    assert place.state == {}
    add(place, "x")
    place.report([REJECT])
    place.save(1, summary())
    place.finish(LAYOUT, 1, summary())
    place.deliver(summary())
    place.close(failed=False)
    assert out.getvalue() == b'{"a": "x", "label": "review"}\n'
    Outlet("csv").finish(LAYOUT, 0, summary())
    assert out.getvalue().endswith(b'\n"a","label"\n')
    assert json.loads(err.getvalue())["line"] == 3


@pytest.mark.parametrize(
    ("kind", "target"), [("csv", "out.csv"), ("parquet", "out.parquet"), ("parquet", "out/")]
)
def test_a_run_goes_on_where_it_was_saved(tmp_path, kind, target):
    path = f"{tmp_path}/{target}"
    place = Place(path, kind, {}, resume=False)
    add(place, "a")
    place.report([REJECT])
    if kind == "csv":
        place.save(1, summary(rows_in=2))
        add(place, "lost")
        place.report([REJECT, REJECT])
        place.close(failed=True)
        place = Place(path, kind, {}, resume=True)
        assert place.state["batches"] == 1
        assert place.state["summary"]["rows_in"] == 2
        assert place.state["whole"] is False
    add(place, "b")
    told = summary()
    told.rejected[UNPARSED] = 1
    place.finish(LAYOUT, 2, told)
    place.close(failed=False)
    # Whole, but its names are missing: nothing is opened or written again.
    place = Place(path, kind, {}, resume=True)
    assert place.state["whole"] is True
    assert not hasattr(place, "sink")
    place.close(failed=False)
    place.deliver(told)
    name = target.rstrip("/")
    assert names(tmp_path) == [name, f"{name}.rejects.jsonl"]
    rejects = (tmp_path / f"{name}.rejects.jsonl").read_text().splitlines()
    assert [json.loads(one)["raw"] for one in rejects] == ["raw"]
    assert Path(path).is_dir() is target.endswith("/")
    if kind == "csv":
        assert Path(path).read_text().replace('"', "") == "a,label\na,review\nb,review\n"


def test_rejects_of_an_earlier_run_go_where_there_are_none(tmp_path):
    (tmp_path / "out.csv.rejects.jsonl").write_text("old")
    place = Place(str(tmp_path / "out.csv"), "csv", {}, resume=False)
    place.finish(LAYOUT, 0, summary())
    place.close(failed=False)
    place.deliver(summary())
    assert names(tmp_path) == ["out.csv"]


@pytest.mark.parametrize("saved", [True, False])
def test_a_run_that_failed_leaves_what_can_be_gone_back_to(tmp_path, saved):
    place = Place(str(tmp_path / "out.csv"), "csv", {}, resume=False)
    if saved:
        place.save(0, summary())
    place.close(failed=True)
    assert names(tmp_path) == (["out.csv.partial"] if saved else [])
