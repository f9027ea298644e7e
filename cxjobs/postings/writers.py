"""Writes the answer: CSV, TSV, JSON lines, Parquet as one file or as a folder of parts.

Each sink writes beside the output and can say, and later return to, a position up to which
everything is on the disk. Its bytes depend on the batches only, never on when it was stopped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from cxjobs.errors import FormatError
from cxjobs.postings.formats import by_extension, packing
from cxjobs.postings.layout import Layout, json_texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from cxjobs.postings.batch import Batch

OUTPUT_FORMATS = ("csv", "tsv", "jsonl", "parquet")
"""Formats that are written."""

PART_ROWS = 1 << 15
"""Rows of a part, and of a row group, of Parquet; or fewer when ``PART_BYTES`` come first."""

PART_BYTES = 1 << 26


class Sink(Protocol):
    """Where answered batches go."""

    @property
    def settled(self) -> bool:
        """Whether a position can be taken now."""

    def write(self, layout: Layout, batch: Batch, answer: pa.Table, rows: pa.Array | None) -> None:
        """Add a batch, or those of its rows."""

    def settle(self) -> dict[str, int]:
        """Put everything on the disk and say the position."""

    def finish(self, layout: Layout) -> None:
        """End the output; it is whole after that."""


def output_format(path: str, wanted: str | None, like: str) -> str:
    """Format of the output: as asked, by its name, or like the input's.

    Raises
    ------
    FormatError
        Where the name promises a format that is not written.
    """
    found = wanted or by_extension(path.rstrip("/")) or (None if path != "-" else like)
    if found is None and path.endswith("/"):
        found = "parquet"
    if found == "json":
        found = "jsonl"
    if found is None and not Path(path).suffix:
        found = like
    if found not in OUTPUT_FORMATS:
        raise FormatError(
            f"{path}: the name tells no format that can be written; give --output-format"
            f" {'|'.join(OUTPUT_FORMATS)}."
        )
    if found == "parquet" and packing(path):
        raise FormatError(f"{path}: Parquet is packed inside; name it .parquet.")
    return found


def packer(path: str) -> Callable[[bytes], bytes]:
    """Compression of an output by its name, a member of its own for each piece."""
    kind = packing(path)
    if kind == "gzip":
        import gzip

        return lambda data: gzip.compress(data, 6, mtime=0)
    if kind == "bzip2":
        import bz2

        return bz2.compress
    if kind == "xz":
        import lzma

        return lzma.compress
    if kind == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=3).compress
    return bytes


class TextSink:
    """CSV, TSV or JSON lines into an open file."""

    def __init__(self, file: IO[bytes], kind: str, pack: Callable[[bytes], bytes], at: int) -> None:
        self._file, self._kind, self._pack = file, kind, pack
        self._position = at
        self.settled = True

    def write(self, layout: Layout, batch: Batch, answer: pa.Table, rows: pa.Array | None) -> None:
        """Add a batch, after the header if it is the first."""
        header = self._position == 0
        if self._kind == "jsonl":
            data = layout.lines(batch, answer, rows)
        else:
            data = delimited(layout.table(batch, answer, rows), self._kind, header=header)
        self.append(data)

    def append(self, data: bytes | pa.Buffer) -> None:
        """Add bytes as they are."""
        if len(data):
            packed = data if self._pack is bytes else self._pack(bytes(data))
            self._file.write(packed)
            self._position += len(packed)

    def settle(self) -> dict[str, int]:
        """Put everything on the disk and say the position."""
        sync(self._file)
        return {"bytes": self._position}

    def finish(self, layout: Layout) -> None:
        """Write the header even where there was no row."""
        if self._position == 0 and self._kind != "jsonl":
            empty = pa.Table.from_batches([], layout.schema)
            self.append(delimited(empty, self._kind, header=True))
        self._file.flush()


class PartsSink:
    """Parquet by way of parts: kept as they are in a folder, or joined into one file."""

    def __init__(self, folder: Path, parts: int, *, joined: bool) -> None:
        self._folder, self._parts, self._joined = folder, parts, joined
        self._pending: list[pa.Table] = []
        self._rows = self._bytes = 0
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            if not path.name.startswith("part-") or int(path.name[5:11]) >= parts:
                path.unlink()

    @property
    def settled(self) -> bool:
        """Whether every row so far is in a part."""
        return not self._pending

    def write(self, layout: Layout, batch: Batch, answer: pa.Table, rows: pa.Array | None) -> None:
        """Add a batch to the part that is being filled."""
        table = layout.table(batch, answer, rows)
        if not table.num_rows:
            return
        self._pending.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= PART_ROWS or self._bytes >= PART_BYTES:
            self._close_part(layout)

    def _close_part(self, layout: Layout) -> None:
        table = pa.concat_tables(self._pending)
        path = self._path(self._parts)
        with open(path, "wb") as file:
            if self._joined:
                with pa.ipc.new_stream(file, layout.schema) as writer:
                    writer.write_table(table.combine_chunks())
            else:
                _parquet(file, layout.schema, [table])
            sync(file)
        self._parts += 1
        self._pending, self._rows, self._bytes = [], 0, 0

    def _path(self, number: int) -> Path:
        return self._folder / f"part-{number:06d}.{'arrow' if self._joined else 'parquet'}"

    def settle(self) -> dict[str, int]:
        """Number of whole parts; each has been put on the disk."""
        return {"parts": self._parts}

    def finish(self, layout: Layout) -> None:
        """Close the last part and join the parts into ``output`` beside them."""
        if self._pending or (not self._parts and not self._joined):
            self._pending = self._pending or [pa.Table.from_batches([], layout.schema)]
            self._close_part(layout)
        if not self._joined:
            return
        with open(self._folder.parent / "output", "wb") as file:
            tables = (_stored(self._path(number)) for number in range(self._parts))
            _parquet(file, layout.schema, tables)
            sync(file)


class StreamSink:
    """Parquet straight into a pipe."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._writer: Any = None
        self.settled = False

    def write(self, layout: Layout, batch: Batch, answer: pa.Table, rows: pa.Array | None) -> None:
        """Add a batch as a row group."""
        import pyarrow.parquet as pq

        self._writer = self._writer or pq.ParquetWriter(self._file, layout.schema)
        table = layout.table(batch, answer, rows)
        if table.num_rows:
            self._writer.write_table(table)

    def settle(self) -> dict[str, int]:
        """Nothing to go back to in a pipe."""
        return {}

    def finish(self, layout: Layout) -> None:
        """Write the footer."""
        import pyarrow.parquet as pq

        self._writer = self._writer or pq.ParquetWriter(self._file, layout.schema)
        self._writer.close()
        self._file.flush()


def _stored(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as reader:
        return reader.read_all()


def _parquet(file: IO[bytes], schema: pa.Schema, tables: Any) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table, row_group_size=max(table.num_rows, 1))


def sync(file: IO[bytes]) -> None:
    """Put a file's bytes on the disk."""
    file.flush()
    os.fsync(file.fileno())


def delimited(table: pa.Table, kind: str, *, header: bool) -> pa.Buffer:
    """A table as CSV or TSV; what is not a plain value as JSON text."""
    import pyarrow.csv as pacsv

    columns = [_cell_column(column) for column in table.columns]
    plain = pa.Table.from_arrays(columns, names=table.column_names)
    sink = pa.BufferOutputStream()
    options = pacsv.WriteOptions(
        include_header=header,
        delimiter="\t" if kind == "tsv" else ",",
        # Arrow sets aside memory for as many rows, times the columns.
        batch_size=max(1, min(plain.num_rows, 1 << 16)),
    )
    pacsv.write_csv(plain, sink, options)
    return sink.getvalue()


def _cell_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_nested(kind):
        return pa.chunked_array([json_texts(column)])
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        texts = [
            v if v is None else v.decode("utf-8", "backslashreplace") for v in column.to_pylist()
        ]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_decimal(kind) or pa.types.is_duration(kind):
        return pc.cast(column, pa.string())
    return column
