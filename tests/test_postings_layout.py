"""Which columns come out, and as what: names kept, types kept where they can be."""

from __future__ import annotations

import datetime
import json

import pyarrow as pa
import pytest

from cxjobs.errors import FormatError
from cxjobs.postings.batch import Batch
from cxjobs.postings.layout import Layout, json_lines, json_texts, united

ANSWER = pa.table({"label": ["review", "conflated"], "p": [0.5, float("nan")]})


def batch(**parts):
    empty = pa.array(["", ""])
    names = ("title", "description", "id", "company", "location", "numbered")
    return Batch("jobs", **dict.fromkeys(names, empty), **parts)


def schema(**types):
    return pa.schema(list(types.items()))


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (pa.int32(), pa.int32(), pa.int32()),
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int64(), pa.float64(), pa.float64()),
        (pa.string(), pa.int64(), pa.string()),
        (pa.string(), pa.large_string(), pa.large_string()),
        (pa.list_(pa.string()), pa.int64(), pa.string()),
        (pa.null(), pa.int64(), pa.int64()),
    ],
)
def test_types_of_two_files_become_one(first, second, both):
    found = united([schema(a=first, b=pa.int8()), schema(c=pa.int8(), a=second)])
    assert found == schema(a=both, b=pa.int8(), c=pa.int8())


def test_one_file_keeps_its_schema():
    only = schema(a=pa.int32()).with_metadata({"k": "v"})
    assert united([only]) is only
    assert united([only]).metadata == {b"k": b"v"}


def test_missing_columns_are_null_and_others_are_cast():
    layout = Layout(
        schema(a=pa.int64(), b=pa.string(), c=pa.string(), label=pa.string()), ANSWER.schema
    )
    source = pa.table({"b": [1, 2], "a": pa.array([3, 4], pa.int8()), "c": [["x"], None]})
    table = layout.table(batch(arrow=source), ANSWER)
    assert table.schema == layout.schema
    assert table.schema.names == ["a", "b", "c", "label", "cxjobs_label", "p"]
    assert table.to_pylist()[0] == {
        "a": 3, "b": "1", "c": '["x"]', "label": None, "cxjobs_label": "review", "p": 0.5,
    }  # fmt: skip
    assert table["c"].to_pylist() == ['["x"]', None]
    assert layout.table(batch(arrow=source), ANSWER, pa.array([1])).to_pylist()[0]["a"] == 4


def test_a_nested_column_of_the_wanted_type_stays_nested():
    kind = pa.list_(pa.string())
    layout = Layout(schema(extra=pa.int8(), c=kind), ANSWER.schema)
    source = pa.table({"c": pa.array([["x"], None], kind)})
    assert layout.table(batch(arrow=source), ANSWER)["c"].to_pylist() == [["x"], None]


def test_wanted_columns_in_their_order():
    layout = Layout(schema(a=pa.int64()), ANSWER.schema, ["p", "a"])
    source = pa.table({"a": [1, 2]})
    assert layout.schema.names == ["p", "a"]
    assert layout.table(batch(arrow=source), ANSWER).to_pylist()[0] == {"p": 0.5, "a": 1}
    with pytest.raises(FormatError, match=r"no column 'z'\. There are: a, label, p"):
        Layout(schema(a=pa.int64()), ANSWER.schema, ["a", "z"])


RAW = ['{"title": "Größe"}', "{ }"]
VALUES = [{"title": "Größe"}, {}]


def test_a_posting_in_json_keeps_its_text():
    layout = Layout(schema(title=pa.string()), ANSWER.schema)
    given = batch(raw=RAW, rows=VALUES, names=("title",))
    lines = layout.lines(given, ANSWER).decode().splitlines()
    assert lines == [
        '{"title": "Größe", "label": "review", "p": 0.5}',
        '{"label": "conflated", "p": null}',
    ]
    assert layout.lines(given, ANSWER, pa.array([1])).decode().splitlines() == lines[1:]
    picked = Layout(schema(title=pa.string()), ANSWER.schema, ["label", "title"])
    lines = picked.lines(given, ANSWER).decode().splitlines()
    assert lines == [
        '{"label": "review", "title": "Größe"}',
        '{"label": "conflated", "title": null}',
    ]
    assert picked.lines(given, ANSWER, pa.array([1])).decode().splitlines() == lines[1:]


def test_a_table_comes_out_as_json_lines():
    layout = Layout(schema(t=pa.string()), ANSWER.schema, ["t", "label"])
    given = batch(arrow=pa.table({"t": ["Größe", None]}))
    assert layout.lines(given, ANSWER).decode().splitlines() == [
        '{"t": "Größe", "label": "review"}',
        '{"t": null, "label": "conflated"}',
    ]
    whole = Layout(schema(t=pa.string()), ANSWER.schema)
    assert json.loads(whole.lines(given, ANSWER, pa.array([0]))) == {
        "t": "Größe", "label": "review", "p": 0.5,
    }  # fmt: skip


def test_any_value_has_a_json_text():
    values = {
        "s": pa.array(['a"ö', None]),
        "l": pa.array(["b", None], pa.large_string()),
        "n": pa.array([1.5, float("inf")]),
        "d": pa.array([datetime.date(2025, 1, 2), None]),
        "b": pa.array([b"x\xff", None]),
        "t": pa.array([datetime.timedelta(seconds=5), None]),
        "z": pa.array([{"k": [float("nan")], "m": "ä"}, None]),
    }
    lines = json_lines(pa.table(values)).decode().splitlines()
    assert lines[0] == (
        '{"s": "a\\"ö", "l": "b", "n": 1.5, "d": "2025-01-02", "b": "x\\\\xff",'
        ' "t": "0:00:05", "z": {"k": [null], "m": "ä"}}'
    )
    assert set(json.loads(lines[1]).values()) == {None}
    texts = json_texts(pa.chunked_array([values["z"]]))
    assert texts.to_pylist() == ['{"k": [null], "m": "ä"}', None]
