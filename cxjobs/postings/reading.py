"""Reads any source by batches: what each file is, and then its postings, nothing dropped."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from cxjobs.errors import FormatError
from cxjobs.postings import delimited, jsonrows, pages, parquet
from cxjobs.postings.batch import BATCH_BYTES, Batch, Reject
from cxjobs.postings.fields import texts_of_rows, texts_of_table
from cxjobs.postings.formats import format_of
from cxjobs.postings.inputs import Input, Stream, find
from cxjobs.postings.jsonrows import Row
from cxjobs.postings.sources import Fields, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cxjobs.postings.delimited import Dialect

_CHANGED = (
    "the file changed while it was read: rows may be missing, cut, or of two kinds; run again"
    " when it is whole"
)

BATCH_ROWS = 1 << 14
"""Most postings in a batch unless said otherwise; whole postings are fewer, see ``BATCH_BYTES``."""

_TAKEN = 2000
"""Most postings that are parsed at a time where their size is not known before."""


@dataclass
class File:
    """One input, looked at but not yet read through.

    Attributes
    ----------
    path, format, encoding : str
        As named; one of ``FORMATS``; what its text is decoded from.
    packed : str or None
        Compression.
    schema : pyarrow.Schema
        The source's own columns; for JSON one string column a key.
    fields : Fields or None
        None for a file that is no table of postings, found in a directory.
    problem : str
        Why ``fields`` is None.
    dialect : Dialect or None
        For CSV and TSV.
    size : int or None
        Bytes on disk.
    state : tuple of int
        What tells whether the file has changed since it was looked at.
    """

    path: str
    format: str = ""
    encoding: str = ""
    packed: str | None = None
    schema: pa.Schema = field(default_factory=lambda: pa.schema([]))
    fields: Fields | None = None
    problem: str = ""
    dialect: Dialect | None = None
    size: int | None = None
    state: tuple[int, ...] = ()
    _stream: Stream | None = None
    _spool: object = None
    _encoding: str | None = None

    @property
    def is_json(self) -> bool:
        """Whether rows are JSON objects."""
        return self.format in ("json", "jsonl", "html")

    def stream(self) -> Stream:
        """The file from its beginning; standard input, which has only one, as it was left."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            return stream
        return Stream(self.path, self._encoding)


class Reading:
    """All inputs of a run, in order.

    Parameters
    ----------
    inputs : iterable of path
        Files, directories, globs, ``-``.
    format, encoding : str, optional
        Instead of what the files seem to be.
    mapping : mapping, optional
        Part to field, see ``sources.fields_of``.

    Raises
    ------
    FormatError
        Where an input cannot be read, or has no column for the title.
    """

    def __init__(
        self,
        inputs: Iterable[str | os.PathLike[str]],
        *,
        format: str | None = None,  # noqa: A002
        encoding: str | None = None,
        mapping: Mapping[str, str] | None = None,
    ) -> None:
        self._format, self._encoding, self._mapping = format, encoding, mapping
        self.files = [self._looked_at(one) for one in find(inputs)]
        if not any(file.fields for file in self.files):
            raise FormatError(self.files[0].problem)
        self.consumed = 0
        """Bytes of the files that have been read, for the progress."""

    def _looked_at(self, one: Input) -> File:
        file = File(one.path, _encoding=self._encoding)
        try:
            self._look(file)
        except FormatError as error:
            if one.explicit:
                raise
            file.problem = str(error)
        return file

    def _look(self, file: File) -> None:
        stream = Stream(file.path, self._encoding)
        file.format = format_of(stream, self._format)
        file.encoding, file.packed = stream.encoding, stream.packed
        if file.path != "-":
            file.size, file.state = os.path.getsize(file.path), _state(file.path)
        if file.path == "-" and file.format != "csv" and file.format != "tsv":
            stream = _spooled(stream, file)
        if file.format == "parquet":
            with stream.file() as opened:
                file.schema = parquet.opened(opened, file.path).schema_arrow
        elif file.is_json:
            names, postings, rejects = jsonrows.names_of(_rows(file, stream))
            if not postings and not rejects:
                raise FormatError(f"{file.path}: no posting in this file.")
            file.schema = pa.schema([(name, pa.string()) for name in names])
            if not postings:
                file.fields = Fields("none")
                stream.close()
                return
        else:
            file.dialect = delimited.sniff(stream.head(), tabs=file.format == "tsv")
            opening = delimited.opening(stream, file.dialect)
            names, _ = delimited.header(opening, file.dialect, file.path)
            file.schema = pa.schema([(name, pa.string()) for name in names])
        file.fields = fields_of(file.schema.names, self._mapping, where=file.path)
        if file.path == "-" and not file.is_json and file.format != "parquet":
            file._stream = stream
        else:
            stream.close()

    @property
    def notes(self) -> list[str]:
        """What was guessed."""
        return [
            f"{file.path}: read as {file.encoding}, a guess; give --encoding if it is another."
            for file in self.files
            if not self._encoding and file.encoding not in ("", "binary", "utf-8")
        ]

    @property
    def size(self) -> int | None:
        """Bytes of all files, or None where one is a stream."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[Batch]:
        """All postings, at most ``rows`` a batch, and not many more than ``BATCH_BYTES``."""
        first = 1
        for file in self.files:
            for batch in self._of_file(file, rows, first):
                first += len(batch)
                yield batch

    def _of_file(self, file: File, rows: int, first: int) -> Iterator[Batch]:
        if file.fields is None:
            yield _only_rejects(file, (Reject(file.path, 0, "", file.problem),))
            return
        stream = file.stream()
        before = self.consumed
        try:
            for batch in _batches(file, stream, rows, first):
                self.consumed = before + stream.consumed
                yield batch
        finally:
            stream.close()
        self.consumed = before + (file.size or stream.consumed)
        changed = _CHANGED if file.state != _state(file.path) else None
        for problem in filter(None, (stream.damage, changed)):
            yield _only_rejects(file, (Reject(file.path, 0, "", problem),))


def _state(path: str) -> tuple[int, ...]:
    """What changes with a file's bytes; nothing for standard input and pipes."""
    if not os.path.isfile(path):
        return ()
    told = os.stat(path)
    return (told.st_ino, told.st_size, told.st_mtime_ns)


def read(
    inputs: Iterable[str | os.PathLike[str]],
    *,
    format: str | None = None,  # noqa: A002
    encoding: str | None = None,
    mapping: Mapping[str, str] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> Iterator[Batch]:
    """Postings of any source, in batches, in order, nothing dropped.

    Parameters
    ----------
    inputs : iterable of path
        Files, directories (read through), quoted globs, ``-`` for standard input.
    format : str, optional
        One of ``formats.FORMATS``, instead of what the file seems to be.
    encoding : str, optional
        Instead of what the text seems to be.
    mapping : mapping, optional
        Part (title, description, id, company, location) to field: ``{"title": "text"}``.
    batch_rows : int
        Most postings in a batch.

    Yields
    ------
    Batch
        With the source's own columns, the raw texts, and what could not be parsed.

    Raises
    ------
    FormatError
        Where a file cannot be read as what it claims to be, or has no title column.
    """
    reading = Reading(inputs, format=format, encoding=encoding, mapping=mapping)
    return reading.batches(batch_rows)


def _spooled(stream: Stream, file: File) -> Stream:
    """Standard input on disk, for formats that are read twice."""
    import tempfile

    # JSON has to be gone through for its names before the first row can be written.
    spool = tempfile.NamedTemporaryFile(prefix="cxjobs-")  # noqa: SIM115
    while data := stream.read(1 << 20):
        spool.write(data)
    spool.flush()
    file._spool, file._encoding = spool, None
    fresh: Callable[[], Stream] = lambda: _renamed(Stream(spool.name), stream.path)  # noqa: E731
    file.stream = fresh  # type: ignore[method-assign]
    return fresh()


def _renamed(stream: Stream, path: str) -> Stream:
    stream.path = path
    return stream


def _rows(file: File, stream: Stream) -> Iterator[Row | Reject]:
    if file.format == "html":
        return pages.read(stream)
    return jsonrows.read(stream, lines=file.format == "jsonl")


def _batches(file: File, stream: Stream, rows: int, first: int) -> Iterator[Batch]:
    if file.is_json:
        yield from _json_batches(file, stream, rows, first)
    elif file.format == "parquet":
        with stream.file() as opened:
            whole = parquet.opened(opened, file.path)
            for table in parquet.read(whole, file.path, min(rows, _TAKEN)):
                yield _of_table(file, table, (), first)
                first += table.num_rows
    elif file.dialect is not None:
        _, pieces = delimited.read(stream, file.dialect)
        for piece in pieces:
            rejects, table = piece.rejects, piece.table
            fit = BATCH_BYTES * table.num_rows // max(table.nbytes, 1)
            step = max(1, min(rows, fit))
            for start in range(0, max(table.num_rows, 1), step):
                yield _of_table(file, table.slice(start, step), rejects, first)
                rejects = ()
                first += min(step, table.num_rows - start)


def _of_table(file: File, table: pa.Table, rejects: tuple[Reject, ...], first: int) -> Batch:
    fields = file.fields or Fields("none")
    return Batch(
        file=file.path, arrow=table, rejects=rejects, **texts_of_table(table, fields, first)
    )


def _json_batches(file: File, stream: Stream, rows: int, first: int) -> Iterator[Batch]:
    names, fields = tuple(file.schema.names), file.fields or Fields("none")
    found = _rows(file, stream)
    while taken := list(islice(found, min(rows, _TAKEN))):
        postings = [row for row in taken if isinstance(row, Row)]
        values = [row.value for row in postings]
        yield Batch(
            file=file.path,
            rows=values,
            raw=[row.raw for row in postings],
            names=names,
            rejects=tuple(row for row in taken if isinstance(row, Reject)),
            **texts_of_rows(values, fields, first),
        )
        first += len(postings)


def _only_rejects(file: File, rejects: tuple[Reject, ...]) -> Batch:
    return Batch(
        file=file.path,
        arrow=pa.Table.from_arrays([], names=[]),
        rejects=rejects,
        **texts_of_table(pa.Table.from_arrays([], names=[]), Fields("none"), 1),
    )
