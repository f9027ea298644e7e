"""What a file is, told by its bytes before its name."""

from __future__ import annotations

import json

import pytest

from cxjobs.errors import FormatError
from cxjobs.postings.formats import by_extension, encoding_of, format_of, packing
from cxjobs.postings.inputs import Stream

POSTING = {"title": "Head of CX", "description": "x"}
LINES = "".join(json.dumps({**POSTING, "n": n}) + "\n" for n in range(3))
INDENTED = json.dumps({"jobs": [POSTING], "page": 1}, indent=1)


@pytest.mark.parametrize(
    ("name", "kind", "packed"),
    [
        ("jobs.csv", "csv", None),
        ("Jobs.TSV.GZ", "tsv", "gzip"),
        ("a/b.json.zst", "json", "zstd"),
        ("b.jsonl.bz2", "jsonl", "bzip2"),
        ("b.parquet.xz", "parquet", "xz"),
        ("page.htm", "html", None),
        ("notes.md", None, None),
        ("csv", None, None),
        ("jobs.zst.csv", "csv", None),
    ],
)
def test_what_a_name_promises(name, kind, packed):
    assert (by_extension(name), packing(name)) == (kind, packed)


def told(tmp_path, name, data, wanted=None):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return format_of(Stream(str(path)), wanted)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("jobs", "title\nHead of CX\n", "csv"),
        ("jobs.tsv", "title\tx\nHead of CX\ty\n", "tsv"),
        ("jobs.txt", "title\nHead of CX\n", "csv"),
        ("page", "<html></html>", "html"),
        ("page.csv", " \n<p>x</p>", "html"),
        ("page.html", "no tag at all", "html"),
        ("jobs", LINES, "jsonl"),
        ("jobs.csv", LINES, "jsonl"),
        ("jobs.json", LINES, "jsonl"),
        ("jobs.json", json.dumps([POSTING]), "json"),
        ("jobs.jsonl", json.dumps([POSTING]), "json"),
        ("jobs.jsonl", json.dumps(POSTING), "json"),
        ("jobs.jsonl", LINES, "jsonl"),
        ("jobs.json", INDENTED, "json"),
        ("jobs", INDENTED, "json"),
        ("jobs", "[\n" + json.dumps(POSTING) + "]", "json"),
        ("jobs.json", "{\n\n" + '"title": 1}', "json"),
        # A first line that is broken, or of another kind: most of the lines decide.
        ("jobs.json", '{"title": "cut\n' + LINES, "jsonl"),
        ("jobs.jsonl", '{"title": "cut\n{"title": \n', "jsonl"),
        ("jobs.json", '{"title":\n"x",\n"n":\n{}\n}', "json"),
        ("jobs.jsonl", "cut}\n" + LINES, "jsonl"),
        ("jobs.json", "cut}\n" + LINES, "json"),
        # A bracket opens a column's name as well.
        ("jobs.csv", "[id],title\n1,Head of CX\n", "csv"),
        ("jobs", "{id},title\n1,Head of CX\n", "csv"),
        ("jobs.csv", '{"id"},title\n', "json"),
        ("jobs", "[" + " " * 80 + "x", "json"),
    ],
)
def test_the_first_bytes_tell(tmp_path, name, data, kind):
    assert told(tmp_path, name, data) == kind


@pytest.mark.parametrize("wanted", ["csv", "tsv", "json", "jsonl", "html"])
def test_what_is_asked_for_is_what_it_is(tmp_path, wanted):
    assert told(tmp_path, "jobs.json", LINES, wanted) == wanted
    assert told(tmp_path, "jobs.parquet", "title\nx\n", wanted) == wanted
    with pytest.raises(FormatError, match=f"this is Parquet, not {wanted}"):
        told(tmp_path, "jobs.csv", b"PAR1....", wanted)


@pytest.mark.parametrize(
    ("name", "data", "wanted", "says"),
    [
        ("jobs.csv", "title\nx\n", "parquet", "not a Parquet file"),
        ("jobs.parquet", "title\nx\n", None, "not a Parquet file"),
        ("jobs.csv", " \n", "csv", "the file is empty"),
        ("jobs.csv", b"ab\x01\x02" * 30, None, "no text"),
        ("jobs", b"\x01" + b"a" * 18, None, "no text"),
    ],
)
def test_what_is_none_says_so(tmp_path, name, data, wanted, says):
    with pytest.raises(FormatError, match=says):
        told(tmp_path, name, data, wanted)


def test_parquet_is_parquet_by_any_name(tmp_path):
    assert told(tmp_path, "jobs.csv", b"PAR1....") == "parquet"
    assert told(tmp_path, "jobs", b"PAR1....", "parquet") == "parquet"


def test_a_few_controls_are_text(tmp_path):
    assert told(tmp_path, "jobs", b"\x01" + b"a" * 19) == "csv"
    assert told(tmp_path, "jobs", b"\x0b\x0c\x1e\t" * 9) == "csv"


@pytest.mark.parametrize(
    ("text", "encoding", "wanted"),
    [
        ("Leitung für Gäste", "utf-8", "utf-8"),
        ("plain", "ascii", "utf-8"),
        ("Kunden und Gäste", "utf-16-le", "utf-16-le"),
        ("Kunden und Gäste", "utf-16-be", "utf-16-be"),
        ("Für Gäste und Häuser, größer\n" * 9, "cp1252", "cp1252"),
        ("Менеджер по работе с клиентами и другими людьми\n" * 9, "cp1251", "cp1251"),
    ],
)
def test_encodings_are_told_by_bytes(text, encoding, wanted):
    assert encoding_of(text.encode(encoding)) == wanted


def test_a_character_cut_in_two_is_no_doubt_before_the_end():
    data = "title\nGä".encode()[:-1]
    assert data.endswith(b"\xc3")
    assert encoding_of(data, ended=False) == "utf-8"
    assert encoding_of(data, ended=True) != "utf-8"


@pytest.mark.parametrize(("strange", "wanted"), [(1, True), (2, True), (3, False)])
def test_utf8_with_broken_bytes_is_utf8_where_more_is_right(strange, wanted):
    # Twice as many characters that fit as bytes that do not; the broken bytes count as characters.
    data = "ää".encode() + b"\xff" * strange
    assert (encoding_of(data) == "utf-8") is wanted
