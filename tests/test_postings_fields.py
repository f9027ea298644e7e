"""From rows and tables to texts: of alternatives the first that is not empty, joined in order."""

from __future__ import annotations

import pyarrow as pa
import pytest

from cxjobs.postings.fields import blank, flat, texts_of_rows, texts_of_table, walk
from cxjobs.postings.sources import Fields

FIELDS = Fields(
    "x",
    title=("title", "a.b", "c"),
    description=(("text",), ("more", "a.b")),
    id=("id",),
    location=("place.city",),
)
ROWS = [
    {"title": "T", "text": "one", "more": "two", "id": 7, "place": {"city": "Ulm"}},
    {"title": "  ", "a": {"b": "inner"}, "text": None, "id": "  "},
    {"title": "", "a": {"b": ["", "first", "second"]}, "c": "last", "place": [{"city": "Kiel"}]},
    {"a": None, "c": True, "text": ["x", {"@id": "hidden", "y": "z"}], "place": "Bonn"},
    {"a.b": "dotted", "place.city": "Rom", "id": 0, "text": " t \n"},
    {"title": "half \ud83d", "text": float("nan"), "id": 1.5},
]
WANTED = {
    "title": ["T", "inner", "first", "", "dotted", "half \ufffd"],
    "description": ["one\n\ntwo", "inner", "first\nsecond", "x\nz", "t \n\n\ndotted", ""],
    "id": ["7", "11", "12", "13", "0", "1.5"],
    "numbered": [False, True, True, True, False, False],
    "company": [""] * 6,
    "location": ["Ulm", "", "Kiel", "", "Rom", ""],
}


def test_parts_of_json_objects():
    texts = texts_of_rows(ROWS, FIELDS, 10)
    assert {part: array.to_pylist() for part, array in texts.items()} == WANTED


def test_parts_of_a_table():
    table = pa.table(
        {
            "title": pa.chunked_array([["T", "  "], ["", None]]),
            "a": [None, {"b": "inner"}, {"b": "second"}, None],
            "c": pa.array(["x", "y", "z", "last"], pa.large_string()),
            "text": pa.array(["one", None, "two", None]).dictionary_encode(),
            "more": pa.array([b"b", None, b"\xff", b""], pa.binary()),
            "id": pa.array([1, None, 3, 4], pa.int16()),
            "place.city": pa.array([b"Ulm", b"", None, b"Rom"], pa.large_binary()),
        }
    )
    texts = texts_of_table(table, FIELDS, 5)
    assert {part: array.to_pylist() for part, array in texts.items()} == {
        "title": ["T", "inner", "second", "last"],
        "description": ["one\n\nb", "inner", "two\n\n\ufffd", ""],
        "id": ["1", "6", "3", "4"],
        "numbered": [False, True, False, False],
        "company": [""] * 4,
        "location": ["Ulm", "", "", "Rom"],
    }
    assert all(array.type in (pa.string(), pa.bool_()) for array in texts.values())


@pytest.mark.parametrize(
    "column",
    [
        pa.array([["a", "b"], None]),
        pa.array([{"x": "a", "y": "b"}, None]),
        pa.chunked_array([[["a", "b"]], [None]]),
    ],
)
def test_nested_columns_are_texts(column):
    texts = texts_of_table(pa.table({"t": column}), Fields("x", title=("t",)), 1)
    assert texts["title"].to_pylist() == ["a\nb", ""]


def test_one_part_of_a_description_is_left_as_it_is():
    table = pa.table({"t": ["x"], "d": [" as it is \n"]})
    fields = Fields("x", title=("t",), description=(("d",),))
    assert texts_of_table(table, fields, 1)["description"].to_pylist() == [" as it is \n"]
    assert texts_of_rows(table.to_pylist(), fields, 1)["description"].to_pylist() == [
        " as it is \n"
    ]


def test_no_rows_and_no_columns():
    empty = texts_of_table(pa.table({}), Fields("none"), 1)
    assert {len(array) for array in empty.values()} == {0}
    assert {len(array) for array in texts_of_rows([], FIELDS, 1).values()} == {0}


def test_blank():
    assert blank(pa.array(["", " \n", "x"])).to_pylist() == [True, True, False]


@pytest.mark.parametrize(
    ("value", "path", "found"),
    [
        ({"a": {"b": 1}}, "a.b", 1),
        ({"a.b": 2, "a": {"b": 1}}, "a.b", 2),
        ({"a": [{"b": 1}, {"c": 2}, {"b": 3}]}, "a.b", [1, 3]),
        ({"a": {"b": {"c": 5}}}, "a.b.c", 5),
        ({"a": 1}, "a.b", None),
        ({"b": 1}, "a", None),
        ("text", "a", None),
        ([], "a", []),
    ],
)
def test_walk(value, path, found):
    assert walk(value, path) == found


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (None, ""),
        (True, ""),
        (False, ""),
        (float("nan"), ""),
        (0, "0"),
        (1.5, "1.5"),
        (["a", None, "", ["b", 2]], "a\nb\n2"),
        (("a", "b"), "a\nb"),
        ({"@type": "X", "a": "1", "b": {"@id": "y", "c": "2"}}, "1\n2"),
        ({}, ""),
    ],
)
def test_flat(value, text):
    assert flat(value) == text
