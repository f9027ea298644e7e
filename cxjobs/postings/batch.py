"""What readers hand on: a batch of postings, and the rejects met on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True)
class Reject:
    r"""One piece of input that could not be parsed.

    Attributes
    ----------
    file : str
        The input as it was named; ``-`` for standard input.
    line : int
        First line of the piece, counted from 1; 0 where the format has no lines.
    raw : str
        The text as it stood; bytes that are not text are written as ``\xNN``.
    reason : str
        What is wrong and, where there is one, the mend.
    """

    file: str
    line: int
    raw: str
    reason: str

    def to_line(self) -> bytes:
        """The line of the rejects file."""
        text = json.dumps(self.__dict__, ensure_ascii=False)
        return f"{text}\n".encode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Batch:
    """Some postings of one file, in the order of the file.

    Attributes
    ----------
    file : str
        The input as it was named.
    title, description, id, company, location : pyarrow.Array of string
        Raw text, joined from several fields where the source says so; "" where missing, never
        null.
    numbered : pyarrow.Array of bool
        Where the number of the row stands in for a missing id.
    rejects : tuple of Reject
        What could not be parsed since the batch before.
    arrow : pyarrow.Table or None
        The source's own columns; None for JSON, which has ``rows`` and ``raw`` instead.
    rows, raw : sequence of dict, sequence of str, or None
        The JSON objects and, one line each, their text.
    names : tuple of str
        Names of the JSON columns that ``table`` has.
    """

    file: str
    title: pa.Array
    description: pa.Array
    id: pa.Array
    company: pa.Array
    location: pa.Array
    numbered: pa.Array
    rejects: tuple[Reject, ...] = ()
    arrow: pa.Table | None = None
    rows: Sequence[dict[str, Any]] | None = None
    raw: Sequence[str] | None = None
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.title)

    @property
    def size(self) -> int:
        """Bytes of title and description."""
        return int(self.title.nbytes + self.description.nbytes)

    @cached_property
    def table(self) -> pa.Table:
        """The source's own columns, in order, one row a posting.

        JSON has one string column a key: text as it is, any other value as JSON text, null where
        the key is missing or null.
        """
        if self.arrow is not None:
            return self.arrow
        rows = self.rows or ()
        arrays = [
            pa.array([json_cell(row.get(name)) for row in rows], pa.string()) for name in self.names
        ]
        return pa.Table.from_arrays(arrays, names=list(self.names))


BATCH_BYTES = 1 << 22
"""Bytes of title and description from which a batch is full, however few its postings are."""

ARRAYS = ("title", "description", "id", "company", "location", "numbered")
"""The arrays of a batch."""


def together(batches: Iterable[Batch], rows: int) -> Iterator[Batch]:
    """Small batches of a like kind as one, so that few things are done for many postings.

    Parameters
    ----------
    batches : iterable of Batch
    rows : int
        Most postings in a batch that has been put together.

    Yields
    ------
    Batch
        The same postings and rejects, in order; ``file`` is that of the first. None that has
        been put together has more than ``BATCH_BYTES``.
    """
    waiting: list[Batch] = []
    for batch in batches:
        if waiting and not _fits(waiting, batch, rows):
            yield _joined(waiting)
            waiting = []
        waiting.append(batch)
    if waiting:
        yield _joined(waiting)


def _fits(waiting: Sequence[Batch], batch: Batch, rows: int) -> bool:
    first = waiting[0]
    if sum(map(len, waiting)) + len(batch) > rows:
        return False
    if sum(one.size for one in waiting) + batch.size > BATCH_BYTES:
        return False
    if first.arrow is None or batch.arrow is None:
        return first.arrow is batch.arrow
    return bool(first.arrow.schema.equals(batch.arrow.schema))


def _joined(batches: Sequence[Batch]) -> Batch:
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    arrays = {name: pa.concat_arrays([getattr(one, name) for one in batches]) for name in ARRAYS}
    rejects = tuple(one for batch in batches for one in batch.rejects)
    if first.arrow is not None:
        arrow = pa.concat_tables([batch.arrow for batch in batches])
        return Batch(first.file, **arrays, rejects=rejects, arrow=arrow)
    return Batch(
        first.file,
        **arrays,
        rejects=rejects,
        rows=[row for batch in batches for row in batch.rows or ()],
        raw=[text for batch in batches for text in batch.raw or ()],
        names=tuple(dict.fromkeys(name for batch in batches for name in batch.names)),
    )


def json_cell(value: Any) -> str | None:
    """Text of a JSON value for a table's cell: strings as they are, others as JSON.

    >>> json_cell("a"), json_cell(None), json_cell([1, "b"])
    ('a', None, '[1, "b"]')
    """
    if value is None or isinstance(value, str):
        return value if value is None else valid(value)
    return valid(json.dumps(value, ensure_ascii=False))


def valid(text: str) -> str:
    r"""Text that can be stored as UTF-8: half a surrogate pair becomes U+FFFD.

    >>> valid("a\ud83d")
    'a\ufffd'
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def overlong(most: int) -> str:
    """Reason of a reject that does not hold all of its line."""
    return f"a line of over {most} bytes; only its beginning stands here"


def shown(data: bytes) -> str:
    r"""Bytes as text for a reject; what is not UTF-8 is written as ``\xNN``.

    >>> shown(b"caf\xe9")
    'caf\\xe9'
    """
    return data.decode("utf-8", "backslashreplace")
