"""Tells by its first bytes what a file is: its encoding, its format, or nothing of ours."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import TYPE_CHECKING

from cxjobs.errors import FormatError

if TYPE_CHECKING:
    from cxjobs.postings.inputs import Stream

FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "html")
"""Names of the formats that are read."""


_EXTENSIONS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jl": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
_PACKED = {".gz": "gzip", ".bz2": "bzip2", ".zst": "zstd", ".xz": "xz"}
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\n\v\f\r\x1e")
_ENCODINGS = [
    *("utf_8", "utf_16_le", "utf_16_be", "cp1252", "cp1250", "cp1251", "cp1253"),
    *("cp1254", "iso8859_15", "iso8859_2", "shift_jis", "cp932", "gb18030", "big5", "euc_kr"),
]
_NOT_OURS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV"),
    (b"%PDF", "a PDF: its text has to be taken out first"),
    (b"SQLite format 3", "an SQLite database: export the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Office file: save it as CSV"),
    (b"\x80\x04", "a pickle, which can run code: save it as Parquet or CSV"),
    (b"\x80\x05", "a pickle, which can run code: save it as Parquet or CSV"),
    (b"ARROW1", "an Arrow file: save it as Parquet"),
    (b"\x89PNG", "a picture"),
)


def by_extension(name: str) -> str | None:
    """Format that a file's name promises, or None.

    >>> by_extension("jobs.csv.gz"), by_extension("Jobs.JL"), by_extension("notes.md")
    ('csv', 'jsonl', None)
    """
    path = Path(name.lower())
    if path.suffix in _PACKED:
        path = path.with_suffix("")
    return _EXTENSIONS.get(path.suffix)


def packing(name: str) -> str | None:
    """Compression that a file's name promises, or None."""
    return _PACKED.get(Path(name.lower()).suffix)


def refuse(head: bytes, path: str) -> None:
    """Raise a FormatError where a file begins like one of another kind."""
    for magic, what in _NOT_OURS:
        if head.startswith(magic):
            raise FormatError(f"{path}: this is {what}.")


def encoding_of(head: bytes, *, ended: bool = True) -> str:
    """Name of the encoding of the first bytes of a text.

    UTF-8 with a few broken rows stays UTF-8: its own many-byte characters outnumber what does
    not fit. Otherwise charset-normalizer guesses.

    >>> encoding_of("Müller".encode())
    'utf-8'
    """
    for start, wide in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[start::2].count(0) * 4 > len(head):
            return wide  # every other byte of most letters is nought
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, ended)
        return "utf-8"
    except UnicodeDecodeError:
        text = head.decode("utf-8", "surrogateescape")
        strange = sum("\udc80" <= c <= "\udcff" for c in text)
        if sum(c > "\x7f" for c in text) >= 2 * strange:
            return "utf-8"
    from charset_normalizer import from_bytes

    strange_lines = b"\n".join(line for line in head.split(b"\n") if not line.isascii())
    guesses = from_bytes((strange_lines or head)[: 1 << 16], cp_isolation=_ENCODINGS)
    best = guesses.best()
    if best is None:
        return "cp1252"
    western = [g for g in guesses if "cp1252" in (g.encoding, *g.could_be_from_charset)]
    if western and western[0].chaos <= best.chaos:
        return "cp1252"  # by far the commonest of those that read equally well
    return best.encoding


def format_of(stream: Stream, wanted: str | None) -> str:
    """Format of a stream: the one asked for, or by its first bytes and its name.

    Raises
    ------
    FormatError
        For an empty file, or bytes that are no text.
    """
    name = by_extension(stream.path)
    if stream.binary:
        if wanted not in (None, "parquet"):
            raise FormatError(f"{stream.path}: this is Parquet, not {wanted}.")
        return "parquet"
    if "parquet" in (wanted, name if wanted is None else None):
        raise FormatError(f"{stream.path}: not a Parquet file, or a damaged one.")
    head = stream.head()
    text = head.lstrip()
    if not text:
        raise FormatError(f"{stream.path}: the file is empty.")
    if wanted is not None:
        return wanted
    if name == "html" or text[:1] == b"<":
        return "html"
    if text[:1] in b"[{" and (name in ("json", "jsonl") or _opens_json(text)):
        return _json_or_lines(text, name)
    if name in ("json", "jsonl"):
        # A broken first line must not turn a file of JSON lines into a table.
        return name
    if 20 * len(head.translate(None, _CONTROLS)) < 19 * len(head):
        raise FormatError(f"{stream.path}: this is no text; give --format or --encoding.")
    return name or "csv"


def _opens_json(text: bytes) -> bool:
    rest = text[1:64].lstrip()
    return rest[:1] in b'"{[]}' or not rest


def _json_or_lines(text: bytes, name: str | None) -> str:
    if text[:1] == b"[":
        return "json"
    lines = [line for line in text.split(b"\n", 12)[:12] if line.strip()]
    if len(lines) == 1:
        return "json"  # one value, whatever it holds; or lines too long to tell
    if name == "jsonl" or _is_object(lines[0]):
        return "jsonl"
    return "jsonl" if 2 * sum(map(_is_object, lines)) > len(lines) else "json"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
