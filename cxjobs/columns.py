"""Columns of text in Arrow: made, taken in, cut, and read as the bytes they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from cxjobs.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    Array = np.ndarray[Any, Any]

_TEXT = (pa.string(), pa.large_string(), pa.string_view(), pa.null())


def column(texts: list[str]) -> pa.LargeStringArray:
    """Arrow column of texts; other than by ``pa.array``, pandas is not imported for it."""
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    buffers = pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))
    return pa.LargeStringArray.from_buffers(len(texts), *buffers)


def text_column(values: pa.Array | pa.ChunkedArray, name: str) -> pa.LargeStringArray:
    """Any Arrow text as one array without nulls; missing values are empty text.

    Raises
    ------
    DataError
        If it holds something else than text.
    """
    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if kind not in _TEXT:
        raise DataError(f"Column {name} has type {values.type}, which is not text.")
    values = values.cast(pa.large_string())
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.fill_null(column([""])[0]) if values.null_count else values


def bytes_of(texts: pa.LargeStringArray) -> tuple[Array, Array]:
    """Where each text begins, and all end; and the bytes of all."""
    if not len(texts):
        return np.zeros(1, np.int64), np.zeros(0, np.uint8)
    _, offsets, data = texts.buffers()
    offsets = np.frombuffer(offsets, np.int64)[texts.offset :][: len(texts) + 1]
    raw = np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]
    return offsets - offsets[0], raw


def pieces(texts: pa.LargeStringArray, rows: int, size: int) -> Iterator[slice]:
    """Cut a column where `rows` texts or about `size` bytes are full."""
    offsets, _ = bytes_of(texts)
    start = 0
    while start < len(texts):
        full = int(np.searchsorted(offsets, offsets[start] + size, side="right")) - 1
        stop = min(max(full, start + 1), start + rows, len(texts))
        yield slice(start, stop)
        start = stop
