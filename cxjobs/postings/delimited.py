"""CSV and TSV: dialect, a fast reader for clean stretches, an exact one for the rest.

A stretch is clean when every quote either opens a field, closes one, or is doubled inside one:
then every CSV parser agrees, and Arrow's, which is fast, is used. Anything else is read by
Python's strict parser, line by line, so that a broken record costs itself only.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.csv

from cxjobs.errors import FormatError
from cxjobs.postings.batch import Reject, overlong, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cxjobs.postings.inputs import Stream

CHUNK = 1 << 21
"""Bytes parsed at a time."""

LONGEST = 1 << 23
"""Bytes a quoted field may take; one that does not end before is bad quoting."""


@dataclass(frozen=True)
class Dialect:
    r"""How a table's text is cut into fields.

    Attributes
    ----------
    delimiter : str
        One character.
    escape : str or None
        ``\\`` where the writer escaped quotes and backslashes with it (JobSpy's old recipe).
    newline : str
        ``\\n`` (``\\r\\n`` included) or, in files of old Macs, ``\\r``.
    """

    delimiter: str = ","
    escape: str | None = None
    newline: str = "\n"


@dataclass(frozen=True)
class Piece:
    """Some rows of a table, with the rejects met among them."""

    table: pa.Table
    rejects: tuple[Reject, ...]


def sniff(head: bytes, *, tabs: bool = False) -> Dialect:
    r"""Dialect of a table by its first bytes.

    >>> sniff(b"id;title\n1;Manager, Customer Experience\n").delimiter
    ';'
    """
    newline = "\n" if b"\n" in head or b"\r" not in head else "\r"
    sample = head.replace(b"\r", b"\n") if newline == "\r" else head
    escape = "\\" if _escaped(sample) else None
    text = sample[: 1 << 18].decode("utf-8", "replace")
    if tabs:
        return Dialect("\t", escape, newline)
    best, delimiter = (0.0, 0), ","
    for candidate in ",\t;|":
        counts = _field_counts(text, Dialect(candidate, escape))
        if counts and counts[0] > 1:
            even = sum(n == counts[0] for n in counts) / len(counts)
            # Many rows of the header's width first, then the wider header.
            best, delimiter = max((best, delimiter), ((round(even, 1), counts[0]), candidate))
    return Dialect(delimiter, escape, newline)


def _field_counts(text: str, dialect: Dialect) -> list[int]:
    counts: list[int] = []
    try:
        for row in csv.reader(
            io.StringIO(text, newline="\n"),
            delimiter=dialect.delimiter,
            escapechar=dialect.escape,
        ):
            if row:
                counts.append(len(row))
            if len(counts) > 100:
                break
    except csv.Error:
        pass
    return counts


def _escaped(sample: bytes) -> bool:
    """Whether backslash escapes: all text quoted, each backslash before a quote or another."""
    header = sample.split(b"\n", 1)[0].rstrip(b"\r")
    if b"\\" not in sample or not (header.startswith(b'"') and header.endswith(b'"')):
        return False
    body = sample[: sample.rfind(b"\n")] if b"\n" in sample else sample
    rest = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    # A Windows path or a stray backslash stands alone before a letter.
    return b"\\" not in rest


def read(
    stream: Stream, dialect: Dialect, *, chunk: int = CHUNK
) -> tuple[list[str], Iterator[Piece]]:
    """Header of a table, and its rows in pieces of about ``chunk`` bytes; every cell a string.

    Raises
    ------
    FormatError
        Where the header cannot be read.
    """
    names, offset = header(opening(stream, dialect), dialect, stream.path)
    skipped = stream.read(offset)
    line = 1 + skipped.count(dialect.newline.encode())
    return names, _pieces(stream, dialect, names, line, chunk)


def opening(stream: Stream, dialect: Dialect) -> bytes:
    """First bytes of a table, not taken: with its whole first line, however many columns it has.

    Raises
    ------
    FormatError
        Where the first line is longer than any header.
    """
    separator = dialect.newline.encode()
    head, more = stream.head(), True
    while separator not in head and more:
        if len(head) > LONGEST:
            raise FormatError(
                f"{stream.path}: line 1 has over {LONGEST} bytes; is this a table?"
                " Give --format or --encoding."
            )
        longer = stream.head(2 * len(head))
        head, more = longer, len(longer) > len(head)
    return head


def header(head: bytes, dialect: Dialect, path: str) -> tuple[list[str], int]:
    """Names of a table's columns, made unique, and where its rows begin.

    Raises
    ------
    FormatError
        Where the first record is not closed within the look ahead.
    """
    separator = dialect.newline.encode()
    lines = head.split(separator)
    lines = [line + separator for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    feed = _Feed(lines, dialect, 0)
    try:
        for row in _reader(feed, dialect):
            if row:
                break
        else:
            raise FormatError(f"{path}: the file has no header line.")
    except csv.Error as error:
        raise FormatError(
            f"{path}: line 1: the header cannot be read as CSV: {error}. Mend its quotes."
        ) from error
    return _unique(row), sum(map(len, lines[: feed.next]))


def _unique(row: Sequence[str]) -> list[str]:
    """Names as valid text, each once: what comes again gets a number."""
    names: dict[str, None] = {}
    again: dict[str, int] = {}
    for cell in row:
        text = cell.replace(_RETURN, "\r")
        name = unique = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        while unique in names:
            again[name] = again.get(name, 1) + 1
            unique = f"{name}_{again[name]}"
        names[unique] = None
    return list(names)


def _pieces(
    stream: Stream, dialect: Dialect, names: list[str], line: int, chunk: int
) -> Iterator[Piece]:
    rest, separator = b"", dialect.newline.encode()
    fast = dialect.escape is None and dialect.newline == "\n"
    while True:
        more = stream.read(max(chunk - len(rest), len(rest) // 2, 1))
        final = not more
        data = rest + more
        used = 0
        if not final and len(data) >= LONGEST and separator not in data:
            # A line that does not end, however long it gets, must not fill the memory.
            reject = Reject(stream.path, line, shown(data), overlong(LONGEST))
            yield Piece(_strings([[] for _ in names], names), (reject,))
            stream.skip_past(separator)
            rest, line = b"", line + 1
            continue
        if not data:
            return
        if fast and (clean := clean_prefix(data, dialect.delimiter, final=final)):
            table = fast_rows(pa.py_buffer(data).slice(0, clean), names, dialect)
            if table is not None:
                yield Piece(table, ())
                used = clean
                line += int(np.count_nonzero(np.frombuffer(data, np.uint8, clean) == 10))
        if not used:
            piece, used, passed = exact_rows(data, names, dialect, stream.path, line, final=final)
            line += passed
            yield piece
        rest = data[used:]
        if final and not rest:
            return


def clean_prefix(data: bytes, delimiter: str, *, final: bool) -> int:
    """Length of the whole records at the start of ``data``, or 0 unless all are clean."""
    end = len(data) if final else data.rfind(b"\n") + 1
    view = np.frombuffer(data, np.uint8)
    returns = np.flatnonzero(view[:end] == 13)
    if len(returns) and (returns[-1] + 1 == len(data) or (view[returns + 1] != 10).any()):
        return 0
    quotes = np.flatnonzero(view == 34)
    while not final and end:
        # A line end with an odd number of quotes before it stands inside a field.
        before = int(np.searchsorted(quotes, end))
        if before % 2 == 0:
            break
        end = data.rfind(b"\n", 0, int(quotes[before - 1])) + 1
    quotes = quotes[: int(np.searchsorted(quotes, end))]
    if len(quotes) % 2:
        return 0
    marks = np.zeros(256, bool)
    marks[[10, 13, 34, ord(delimiter)]] = True
    opens, closes = quotes[::2], quotes[1::2]
    before_open = view[opens[opens > 0] - 1]
    after_close = view[closes[closes < len(data) - 1] + 1]
    return end if marks[before_open].all() and marks[after_close].all() else 0


_MARK = pa.py_buffer(b"\xef\xbb\xbf")


def fast_rows(data: pa.Buffer, names: Sequence[str], dialect: Dialect) -> pa.Table | None:
    """Rows of clean text by Arrow; None where a row is not as wide as the header, or not UTF-8."""
    csv_ = pyarrow.csv
    if data.size >= 3 and data.slice(0, 3).equals(_MARK):
        return None  # Arrow would drop it, as if a file began here
    try:
        return csv_.read_csv(
            data,
            csv_.ReadOptions(column_names=names, block_size=data.size + 1),
            csv_.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            csv_.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None


class _Feed:
    """Lines for the csv module, with the number of those taken."""

    def __init__(self, lines: Sequence[bytes], dialect: Dialect, start: int) -> None:
        self._lines, self._dialect = lines, dialect
        self.next = start

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.next >= len(self._lines):
            raise StopIteration
        self.next += 1
        return _text(self._lines[self.next - 1], self._dialect)


def _reader(feed: _Feed, dialect: Dialect) -> Iterator[list[str]]:
    return csv.reader(feed, delimiter=dialect.delimiter, escapechar=dialect.escape, strict=True)


_RETURN = "\udc0d"
"""Stands for a carriage return inside a line, which the csv module would end the line at."""


def _text(line: bytes, dialect: Dialect) -> str:
    text = line.decode("utf-8", "surrogateescape")
    if "\r" not in text:
        return text
    if dialect.newline == "\r":
        return text.replace("\r", "\n")
    body = text.removesuffix("\n").removesuffix("\r")
    return body.replace("\r", _RETURN) + text[len(body) :]


def exact_rows(
    data: bytes, names: Sequence[str], dialect: Dialect, path: str, line: int, *, final: bool
) -> tuple[Piece, int, int]:
    """Rows of any text, by Python's strict parser.

    A record whose quotes go wrong loses its first line only, and reading goes on with the next;
    one that is well quoted but not as wide as the header is lost whole.

    Returns
    -------
    Piece, int, int
        The rows, and how many bytes and lines have been used; without ``final``, a record that
        does not end is left for next time.
    """
    separator = dialect.newline.encode()
    cut = len(data) if final else data.rfind(separator) + 1
    lines = [part + separator for part in data[:cut].split(separator)]
    last = lines.pop()[: -len(separator)]
    if last:
        lines.append(last)
    columns: list[list[str]] = [[] for _ in names]
    rejects: list[Reject] = []

    def reject(start: int, stop: int, reason: str) -> None:
        raw = b"".join(lines[start:stop])
        rejects.append(Reject(path, line + start, shown(raw).rstrip("\r\n"), reason))

    start, limit = 0, csv.field_size_limit(LONGEST)
    try:
        while start < len(lines):
            feed = _Feed(lines, dialect, start)
            try:
                for row in _reader(feed, dialect):
                    if len(row) == len(names):
                        if (problem := _not_text(row)) is None:
                            for column, cell in zip(columns, row, strict=True):
                                column.append(cell.replace(_RETURN, "\r"))
                        else:
                            reject(start, feed.next, problem)
                    elif row:
                        reject(start, feed.next, _width(len(row), len(names)))
                    start = feed.next
            except csv.Error as error:
                open_end = "unexpected end of data" in str(error)
                if open_end and not final and sum(map(len, lines[start:])) < LONGEST:
                    break
                reject(start, start + 1, _quoting(error))
                start += 1
    finally:
        csv.field_size_limit(limit)
    used = sum(map(len, lines[:start]))
    return Piece(_strings(columns, names), tuple(rejects)), used, start


def _strings(columns: list[list[str]], names: Sequence[str]) -> pa.Table:
    arrays = [pa.array(column, pa.string()) for column in columns]
    return pa.Table.from_arrays(arrays, names=list(names))


def _not_text(row: list[str]) -> str | None:
    for number, cell in enumerate(row, 1):
        if not cell.isascii():
            try:
                cell.replace(_RETURN, "").encode()
            except UnicodeEncodeError:
                return (
                    f"field {number} is not valid UTF-8; if the whole file is in another"
                    " encoding, give it, as in --encoding cp1252"
                )
    return None


def _width(found: int, wanted: int) -> str:
    return f"{found} fields where the header has {wanted}; is a quote missing round a comma?"


def _quoting(error: csv.Error) -> str:
    text = str(error)
    if "unexpected end of data" in text or "field larger" in text:
        return "a quoted field that does not end; a quote is missing or not doubled"
    return f"bad quoting ({text}); a quote inside a field must be doubled"
