"""The folder of an unfinished run: kept for the same run, refused to another, gone at the end."""

from __future__ import annotations

import errno
import json

import pytest

from cxjobs.errors import FormatError
from cxjobs.postings.workspace import Workspace, explained

SETTINGS = {"inputs": [["a.csv", 1]], "model": ["m", {}]}


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_a_run_is_gone_on_with_by_the_same_settings_only(tmp_path):
    output = tmp_path / "out.csv"
    first = Workspace(output, SETTINGS, resume=False)
    assert (first.state, first.folder) == ({}, tmp_path / "out.csv.partial")
    first.save({"batches": 3})
    assert first.state == {"batches": 3}
    (first.folder / "output").write_text("x")
    assert names(first.folder) == ["checkpoint.json", "output"]

    again = Workspace(output, {**SETTINGS, "model": ("m", {})}, resume=True)
    assert again.state == {"batches": 3}
    assert names(again.folder) == ["checkpoint.json", "output"]
    with pytest.raises(FormatError, match=r"had other model\. Run it with the same"):
        Workspace(output, {**SETTINGS, "model": ["n", {}]}, resume=True)
    with pytest.raises(FormatError, match="had other inputs, more"):
        Workspace(output, {"inputs": [], "model": ["m", {}], "more": 1}, resume=True)
    assert names(again.folder) == ["checkpoint.json", "output"]

    anew = Workspace(output, SETTINGS, resume=False)
    assert anew.state == {}
    assert names(anew.folder) == []


@pytest.mark.parametrize("content", [None, "{", "\xff"])
def test_without_a_checkpoint_it_begins_anew(tmp_path, content):
    folder = tmp_path / "out.partial"
    folder.mkdir()
    (folder / "output").write_text("half")
    if content:
        (folder / "checkpoint.json").write_text(content, "latin-1")
    space = Workspace(tmp_path / "out", SETTINGS, resume=True)
    assert space.state == {}
    assert names(folder) == []


def test_finished_files_get_their_names_and_the_folder_goes(tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "old").write_text("old")
    (tmp_path / "rejects").write_text("old")
    space = Workspace(output, SETTINGS, resume=False)
    (space.folder / "output").mkdir()
    (space.folder / "output" / "new").write_text("new")
    (space.folder / "rejects.jsonl").write_text("new")
    space.deliver([
        ("rejects.jsonl", tmp_path / "rejects"), ("gone", tmp_path / "gone"), ("output", output),
    ])  # fmt: skip
    assert names(tmp_path) == ["out", "rejects"]
    again = Workspace(tmp_path / "fresh", SETTINGS, resume=False)
    (again.folder / "output").mkdir()
    again.deliver([("output", tmp_path / "fresh")])
    assert names(tmp_path) == ["fresh", "out", "rejects"]
    assert names(output) == ["new"]
    assert (tmp_path / "rejects").read_text() == "new"


def test_dropping_leaves_nothing(tmp_path):
    space = Workspace(tmp_path / "out", SETTINGS, resume=False)
    space.save({"x": 1})
    told = json.loads((space.folder / "checkpoint.json").read_text())
    assert told == {"settings": SETTINGS, "x": 1}
    space.drop()
    space.drop()
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_explained(tmp_path):
    with pytest.raises(FormatError, match="The folder does not exist: make it first"):
        Workspace(tmp_path / "no" / "out", SETTINGS, resume=False)


@pytest.mark.parametrize(
    ("number", "mend"),
    [
        (errno.ENOSPC, "The disk is full: make room, then run again with --resume."),
        (errno.EDQUOT, "The quota is used up: make room, then run again with --resume."),
        (errno.EACCES, "No permission: choose another folder with -o."),
        (errno.EROFS, "The disk is read-only: choose another folder with -o."),
        (errno.EFBIG, "Larger than a file may be here: try a folder of parts, -o OUT/."),
        (errno.EIO, ""),
    ],
)
def test_errors_of_the_disk_have_a_mend(number, mend):
    with pytest.raises(FormatError) as error, explained("out"):
        raise OSError(number, "Reason")
    assert str(error.value) == f"out: cannot be written: Reason. {mend}".rstrip()


def test_an_error_without_number_keeps_its_text():
    with (
        pytest.raises(FormatError, match=r"^out: cannot be written: something\.$"),
        explained("out"),
    ):
        raise OSError("something")
    with pytest.raises(BrokenPipeError), explained("out"):
        raise BrokenPipeError
