"""Batches and rejects: put together in order, nothing lost, text that can always be stored."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from cxjobs.postings import batch as module
from cxjobs.postings.batch import Batch, Reject, json_cell, shown, together, valid

NAMES = ("title", "description", "id", "company", "location")


def batch(file, *titles, rejects=(), json_names=None, column="t"):
    text = pa.array(titles, pa.string())
    parts = {name: pa.array([f"{name} {one}" for one in titles], pa.string()) for name in NAMES}
    parts["title"] = text
    kind = {"arrow": pa.table({column: text})}
    if json_names:
        rows = [{json_names[0]: one} for one in titles]
        kind = {"rows": rows, "raw": list(map(json.dumps, rows)), "names": json_names}
    return Batch(
        file, **parts, numbered=pa.array([False] * len(titles), pa.bool_()),
        rejects=tuple(Reject(file, n, "", "") for n in rejects), **kind,
    )  # fmt: skip


def test_a_reject_is_a_line_that_can_be_stored():
    line = Reject("é", 3, "half \ud83d", "ü").to_line()
    assert line == '{"file": "é", "line": 3, "raw": "half \\ud83d", "reason": "ü"}\n'.encode()


def test_columns_of_json_are_texts():
    rows = [{"a": "x", "b": [1, "ä"]}, {"b": None}]
    one = Batch(
        "f", *[pa.array(["", ""])] * 6, rows=rows, raw=["", ""], names=("b", "a", "c")
    )  # fmt: skip
    assert one.table.to_pylist() == [
        {"b": '[1, "ä"]', "a": "x", "c": None},
        {"b": None, "a": None, "c": None},
    ]
    assert one.table.schema == pa.schema([(name, pa.string()) for name in "bac"])
    assert len(one) == 2


def test_the_size_is_that_of_the_two_texts():
    one = batch("f", "a" * 100)
    assert one.size == one.title.nbytes + one.description.nbytes
    assert one.size > 200


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1] * 5), (3, [3, 2]), (4, [4, 1]), (9, [5])])
def test_small_batches_come_together(rows, sizes):
    given = [batch(f"f{n}", f"t{n}", rejects=[n]) for n in range(5)]
    found = list(together(iter(given), rows))
    assert [len(one) for one in found] == sizes
    assert [t for one in found for t in one.title.to_pylist()] == [f"t{n}" for n in range(5)]
    assert [r.line for one in found for r in one.rejects] == [0, 1, 2, 3, 4]
    assert found[0].file == "f0"
    assert [t for one in found for t in one.table["t"].to_pylist()] == [f"t{n}" for n in range(5)]


def test_a_batch_alone_is_passed_on_as_it_is():
    given = [batch("a", *"123"), batch("b", *"1234")]
    assert [id(one) for one in together(given, 3)] == [id(one) for one in given]
    assert list(together([], 3)) == []


def test_batches_of_another_kind_stay_apart():
    given = [
        batch("a", "1"), batch("b", "2", column="u"), batch("c", "3", json_names=("t",)),
        batch("d", "4", json_names=("u", "t")), batch("e", "5"),
    ]  # fmt: skip
    found = list(together(given, 99))
    assert [one.file for one in found] == ["a", "b", "c", "e"]
    joined = found[2]
    assert joined.names == ("t", "u")
    assert joined.rows == [{"t": "3"}, {"u": "4"}]
    assert joined.raw == ['{"t": "3"}', '{"u": "4"}']
    assert joined.arrow is None
    assert joined.id.to_pylist() == ["id 3", "id 4"]


def test_batches_come_together_up_to_so_many_bytes(monkeypatch):
    given = [batch("f", str(n) * 100) for n in range(4)]
    monkeypatch.setattr(module, "BATCH_BYTES", given[0].size * 2)
    assert [len(one) for one in together(given, 99)] == [2, 2]
    monkeypatch.setattr(module, "BATCH_BYTES", given[0].size * 2 - 1)
    assert [len(one) for one in together(given, 99)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "stored"),
    [("plain", "plain"), ("ä😀", "ä😀"), ("a\ud83d", "a\ufffd"), ("\ud83d\ude00", "😀")],
)
def test_half_a_surrogate_pair_cannot_be_stored(text, stored):
    assert valid(text) == stored
    assert json_cell(text) == stored


@pytest.mark.parametrize(
    ("value", "cell"),
    [(None, None), ("", ""), (1.5, "1.5"), (True, "true"), ({"ä": None}, '{"ä": null}')],
)
def test_cells_of_json(value, cell):
    assert json_cell(value) == cell


def test_bytes_that_are_no_text_are_shown():
    assert shown("é\n".encode() + b"\xff") == "é\n\\xff"
