"""Files become batches: looked at first, then read, with all that went wrong told."""

from __future__ import annotations

import io
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cxjobs.errors import FormatError
from cxjobs.postings import Reading, inputs, read, reading

ROWS = [{"title": f"Lead {n}", "description": "x" * 50, "id": f"i{n}"} for n in range(7)]


@pytest.fixture(params=["csv", "jsonl", "json", "parquet"])
def path(request, tmp_path):
    path = tmp_path / f"jobs.{request.param}"
    if request.param == "csv":
        rows = [",".join(row.values()) for row in ROWS]
        path.write_text("\n".join(["title,description,id", *rows]) + "\n")
    elif request.param == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif request.param == "json":
        path.write_text(json.dumps(ROWS))
    else:
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


def test_what_is_known_before_it_is_read(path):
    given = Reading([path])
    (file,) = given.files
    assert file.path == str(path)
    assert file.format == path.suffix[1:]
    assert file.encoding == ("binary" if file.format == "parquet" else "utf-8")
    assert file.packed is None
    assert file.schema.names == ["title", "description", "id"]
    assert file.is_json is (file.format in ("json", "jsonl"))
    assert given.size == file.size == os.path.getsize(path)
    assert given.consumed == 0
    assert given.notes == []


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_batches_have_so_many_rows_and_run_on(path, rows):
    given = Reading([path, path])
    batches = list(given.batches(rows))
    assert max(map(len, batches)) == min(rows, 7)
    assert [t for one in batches for t in one.title.to_pylist()] == [
        row["title"] for row in ROWS * 2
    ]
    assert [t for one in batches for t in one.id.to_pylist()] == [row["id"] for row in ROWS * 2]
    assert [row for one in batches for row in one.table.to_pylist()] == ROWS * 2
    assert given.consumed == given.size == 2 * os.path.getsize(path)
    again = Reading([path, path])
    told = [again.consumed for _ in again.batches(rows)]
    assert told == sorted(told)
    assert 0 < told[0] <= again.size // 2 < told[-1] <= again.size
    assert not any(one.rejects for one in batches)


def test_rows_without_id_are_numbered_through_all_files(path):
    given = list(read([path, path], mapping={"id": "title"}, batch_rows=3))
    assert [t for one in given for t in one.id.to_pylist()] == [row["title"] for row in ROWS * 2]
    bare = path.with_name("bare" + path.suffix)
    if path.suffix == ".csv":
        bare.write_text("title\na\nb\n")
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"title": ["a", "b"]}), bare)
    else:
        bare.write_text(json.dumps([{"title": "a"}, {"title": "b"}]))
    for rows in (1, 2, 9):
        batches = list(read([bare, path, bare], batch_rows=rows))
        found = [t for one in batches for t in one.id.to_pylist()]
        assert found == ["1", "2", *(row["id"] for row in ROWS), "10", "11"]
        assert [t for one in batches for t in one.numbered.to_pylist()] == [
            True, True, *[False] * 7, True, True,
        ]  # fmt: skip


def test_a_file_that_changes_is_told(path):
    given = Reading([path])
    batches = given.batches(3)
    next(batches)
    with open(path, "ab") as file:
        file.write(b" ")
    *_, last = batches
    assert len(last) == 0
    assert [(one.file, one.line) for one in last.rejects] == [(str(path), 0)]
    assert "changed while it was read" in last.rejects[0].reason


def test_the_size_of_a_stream_is_not_known(monkeypatch, path):
    class Stdin:
        buffer = io.BytesIO(path.read_bytes())

    monkeypatch.setattr(inputs.sys, "stdin", Stdin)
    given = Reading(["-"], format=path.suffix[1:])
    assert given.size is None
    assert given.files[0].state == ()
    batches = list(given.batches(3))
    assert [t for one in batches for t in one.title.to_pylist()] == [row["title"] for row in ROWS]
    assert {one.file for one in batches} == {"-"}


def test_large_postings_make_small_batches(tmp_path, monkeypatch):
    path = tmp_path / "jobs.csv"
    path.write_text("title,description\n" + "".join(f"t{n},{'x' * 1000}\n" for n in range(20)))
    monkeypatch.setattr(reading, "BATCH_BYTES", 5000)
    batches = list(Reading([path]).batches())
    assert sum(map(len, batches)) == 20
    assert {len(one) for one in batches[:-1]} <= {4, 5}
    monkeypatch.setattr(reading, "BATCH_BYTES", 1)
    assert [len(one) for one in Reading([path]).batches()] == [1] * 20


def test_rejects_come_with_the_first_rows_of_their_piece(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("title,n\na,1\nbroken\nb,2\nc,3\n")
    batches = list(Reading([path]).batches(1))
    assert [(len(one), len(one.rejects)) for one in batches] == [(1, 1), (1, 0), (1, 0)]
    path.write_text("title,n\nbroken\n")
    batches = list(Reading([path]).batches(1))
    assert [(len(one), len(one.rejects)) for one in batches] == [(0, 1)]


def test_only_a_guess_is_noted(tmp_path):
    text = "title\nFür Gäste größer\n"
    for name, encoding in (("a.csv", "utf-8"), ("b.csv", "cp1252")):
        (tmp_path / name).write_text(text, encoding)
    pq.write_table(pa.table({"title": ["x"]}), tmp_path / "c.parquet")
    (note,) = Reading([tmp_path]).notes
    assert note.startswith(f"{tmp_path / 'b.csv'}: read as cp1252, a guess")
    assert Reading([tmp_path / "b.csv"], encoding="cp1252").notes == []


def test_files_of_a_directory_that_hold_none(tmp_path):
    (tmp_path / "a.json").write_text("[7, 8]")
    (tmp_path / "b.csv").write_text("title\nx\n")
    (tmp_path / "c.json").write_text("[]")
    given = Reading([tmp_path])
    assert [file.problem.split(": ")[-1] for file in given.files] == [
        "", "", "no posting in this file.",
    ]  # fmt: skip
    batches = list(given.batches())
    assert [(len(one), len(one.rejects)) for one in batches] == [(0, 2), (1, 0), (0, 1)]
    assert batches[2].rejects[0].line == 0
    with pytest.raises(FormatError, match="no posting"):
        Reading([tmp_path / "c.json"])
    (tmp_path / "b.csv").unlink()
    (tmp_path / "a.json").unlink()
    with pytest.raises(FormatError, match="no posting"):
        Reading([tmp_path])
