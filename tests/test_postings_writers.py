"""Sinks: what they write, how far they are, and what they leave of a run before."""

from __future__ import annotations

import bz2
import datetime
import decimal
import gzip
import io
import lzma

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from cxjobs.errors import FormatError
from cxjobs.postings import writers
from cxjobs.postings.batch import Batch
from cxjobs.postings.layout import Layout
from cxjobs.postings.writers import (
    PartsSink,
    StreamSink,
    TextSink,
    delimited,
    output_format,
    packer,
)

ANSWER = pa.table({"label": ["review", "conflated"]})
LAYOUT = Layout(pa.schema([("a", pa.string())]), ANSWER.schema)


def batch(*values):
    empty = pa.array([""] * len(values), pa.string())
    names = ("title", "description", "id", "company", "location", "numbered")
    return Batch("jobs", **dict.fromkeys(names, empty), arrow=pa.table({"a": list(values)}))


def answer(rows):
    return pa.table({"label": ["review"] * rows})


@pytest.mark.parametrize(
    ("path", "wanted", "like", "found"),
    [
        ("out.csv", None, "jsonl", "csv"),
        ("out.csv.gz", None, "jsonl", "csv"),
        ("out.csv", "tsv", "jsonl", "tsv"),
        ("out.json", None, "csv", "jsonl"),
        ("out.csv", "json", "csv", "jsonl"),
        ("-", None, "tsv", "tsv"),
        ("-", "parquet", "tsv", "parquet"),
        ("out", None, "tsv", "tsv"),
        ("out/", None, "csv", "parquet"),
        ("out.parquet/", None, "csv", "parquet"),
        ("out.d/", None, "csv", "parquet"),
    ],
)
def test_the_format_of_an_output(path, wanted, like, found):
    assert output_format(path, wanted, like) == found


@pytest.mark.parametrize(
    ("path", "wanted", "says"),
    [
        ("out.md", None, "tells no format"),
        ("out.html", None, "tells no format"),
        ("out.xlsx", None, r"give --output-format csv\|tsv\|jsonl\|parquet"),
        ("out.parquet.gz", None, "packed inside"),
        ("out.gz", "parquet", "packed inside"),
    ],
)
def test_formats_that_are_not_written(path, wanted, says):
    with pytest.raises(FormatError, match=says):
        output_format(path, wanted, "csv")


@pytest.mark.parametrize(
    ("path", "unpack"),
    [
        ("x.csv", bytes),
        ("x.csv.gz", gzip.decompress),
        ("x.csv.bz2", bz2.decompress),
        ("x.csv.xz", lzma.decompress),
        ("x.csv.zst", zstandard.ZstdDecompressor().decompress),
    ],
)
def test_packing_by_name(path, unpack):
    data = b"a" * 1000
    packed = packer(path)(data)
    assert unpack(packed) == data
    assert (packed == data) is (path == "x.csv")


def test_packed_bytes_do_not_tell_the_time():
    assert packer("x.gz")(b"x")[4:8] == bytes(4)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("csv", '"a","label"\n"x","review"\n"y, z","conflated"\n'),
        ("tsv", '"a"\t"label"\n"x"\t"review"\n"y, z"\t"conflated"\n'),
        ("jsonl", '{"a": "x", "label": "review"}\n{"a": "y, z", "label": "conflated"}\n'),
    ],
)
def test_a_text_says_its_position_and_has_one_header(tmp_path, kind, text):
    with open(tmp_path / "out", "wb") as file:
        sink = TextSink(file, kind, bytes, 0)
        assert sink.settled
        assert sink.settle() == {"bytes": 0}
        sink.write(LAYOUT, batch("x", "y, z"), ANSWER, None)
        assert sink.settle() == {"bytes": len(text)}
        sink.append(b"")
        sink.write(LAYOUT, batch("x", "y, z"), ANSWER, pa.array([0]))
        sink.finish(LAYOUT)
        told = sink.settle()["bytes"]
    written = (tmp_path / "out").read_text().replace('"', "")
    header, first = (text.replace('"', "").splitlines(keepends=True) * 2)[:2]
    again = header if kind == "jsonl" else first
    assert written == text.replace('"', "") + again
    assert told == (tmp_path / "out").stat().st_size


@pytest.mark.parametrize(("kind", "text"), [("csv", "a,label\n"), ("jsonl", "")])
def test_no_rows_leave_a_header(kind, text):
    file = io.BytesIO()
    TextSink(file, kind, bytes, 0).finish(LAYOUT)
    assert file.getvalue().decode().replace('"', "") == text
    # Not where something was written before.
    TextSink(file, kind, bytes, 7).finish(LAYOUT)
    assert file.getvalue().decode().replace('"', "") == text


def test_a_position_counts_packed_bytes():
    file = io.BytesIO()
    sink = TextSink(file, "csv", packer("x.gz"), 0)
    sink.append(b"x" * 500)
    sink.append(b"y" * 500)
    assert sink._position == len(file.getvalue()) < 200
    assert gzip.decompress(file.getvalue()) == b"x" * 500 + b"y" * 500


@pytest.mark.parametrize("joined", [True, False])
def test_parts_are_closed_when_full(tmp_path, monkeypatch, joined):
    monkeypatch.setattr(writers, "PART_ROWS", 3)
    folder = tmp_path / "parts"
    sink = PartsSink(folder, 0, joined=joined)
    assert (sink.settled, sink.settle()) == (True, {"parts": 0})
    sink.write(LAYOUT, batch("a", "b"), answer(2), None)
    assert (sink.settled, sink.settle()) == (False, {"parts": 0})
    sink.write(LAYOUT, batch(), answer(0), None)
    sink.write(LAYOUT, batch("c"), answer(1), None)
    assert (sink.settled, sink.settle()) == (True, {"parts": 1})
    sink.write(LAYOUT, batch("d", "e"), answer(2), pa.array([1]))
    sink.write(LAYOUT, batch("f"), answer(1), None)
    assert (sink.settled, sink.settle()) == (False, {"parts": 1})
    sink.finish(LAYOUT)
    ending = "arrow" if joined else "parquet"
    assert sorted(p.name for p in folder.iterdir()) == [
        f"part-00000{number}.{ending}" for number in range(2)
    ]
    found = pq.read_table(tmp_path / "output" if joined else folder)
    assert found["a"].to_pylist() == ["a", "b", "c", "e", "f"]
    if joined:
        assert pq.ParquetFile(tmp_path / "output").num_row_groups == 2
    else:
        assert not (tmp_path / "output").exists()


def test_parts_are_closed_by_bytes_as_well(tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "PART_BYTES", 100)
    sink = PartsSink(tmp_path / "parts", 0, joined=False)
    sink.write(LAYOUT, batch("x"), answer(1), None)
    assert not sink.settled
    sink.write(LAYOUT, batch("x" * 99), answer(1), None)
    assert sink.settled
    sink.write(LAYOUT, batch("x"), answer(1), None)
    assert not sink.settled
    size = LAYOUT.table(batch("x"), answer(1)).nbytes
    monkeypatch.setattr(writers, "PART_BYTES", 2 * size)
    sink.write(LAYOUT, batch("x"), answer(1), None)
    assert sink.settled


@pytest.mark.parametrize("joined", [True, False])
def test_without_rows_there_is_one_empty_table(tmp_path, joined):
    sink = PartsSink(tmp_path / "parts", 0, joined=joined)
    sink.finish(LAYOUT)
    found = pq.read_table(tmp_path / ("output" if joined else "parts"))
    assert found.schema.names == ["a", "label"]
    assert found.num_rows == 0
    assert len(list((tmp_path / "parts").iterdir())) == (0 if joined else 1)


def test_what_was_not_settled_is_taken_away(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    stale = ("part-000002.parquet", "part-100000.parquet", "other")
    for name in ("part-000000.parquet", "part-000001.parquet", *stale):
        (folder / name).write_text("x")
    sink = PartsSink(folder, 2, joined=False)
    assert sorted(p.name for p in folder.iterdir()) == [
        "part-000000.parquet", "part-000001.parquet",
    ]  # fmt: skip
    assert sink.settle() == {"parts": 2}
    sink.finish(LAYOUT)
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("batches", [[], [("a", "b"), (), ("c",)]])
def test_parquet_into_a_pipe(batches):
    file = io.BytesIO()
    sink = StreamSink(file)
    assert (sink.settled, sink.settle()) == (False, {})
    for values in batches:
        sink.write(LAYOUT, batch(*values), answer(len(values)), None)
    sink.finish(LAYOUT)
    found = pq.ParquetFile(io.BytesIO(file.getvalue()))
    assert found.num_row_groups == (2 if batches else 0)
    assert found.schema_arrow.names == ["a", "label"]
    assert found.metadata.num_rows == 3 * bool(batches)


def test_cells_of_any_kind():
    table = pa.table(
        {
            "s": pa.array(['a"b', None]).dictionary_encode(),
            "l": pa.array([["x", "ö"], None]),
            "b": pa.array([b"k\xff", None]),
            "B": pa.array([b"k", None], pa.large_binary()),
            "d": pa.array([decimal.Decimal("1.50"), None]),
            "t": pa.array([datetime.timedelta(seconds=5), None], pa.duration("s")),
            "n": [1, None],
        }
    )
    text = delimited(table, "csv", header=False).to_pybytes().decode()
    assert text.splitlines() == [
        '"a""b","[""x"", ""ö""]","k\\xff","k","1.50","5",1',
        ",,,,,,",
    ]
    assert delimited(table.slice(0, 0), "tsv", header=True).to_pybytes().decode() == (
        '"s"\t"l"\t"b"\t"B"\t"d"\t"t"\t"n"\n'
    )
