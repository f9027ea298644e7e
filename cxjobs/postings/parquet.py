"""Parquet: the source's own columns and types, a batch at a time."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pyarrow as pa

from cxjobs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow.parquet as pq


def opened(file: IO[bytes], path: str) -> pq.ParquetFile:
    """A Parquet file, its footer read.

    Raises
    ------
    FormatError
        Where it is no Parquet, or has been cut.
    """
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(file)
        _ = parquet.schema_arrow.names  # not valid UTF-8 in some damaged ones
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(f"{path}: not a Parquet file, or a damaged one: {error}.") from error
    return parquet


def read(parquet: pq.ParquetFile, path: str, rows: int) -> Iterator[pa.Table]:
    """Tables of up to ``rows`` rows.

    Raises
    ------
    FormatError
        Where a part of the file is damaged: which one, and how many rows came before.
    """
    done = 0
    try:
        for batch in parquet.iter_batches(batch_size=rows):
            batch.validate(full=True)  # text is not looked at before, and fails far from here
            done += batch.num_rows
            yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError, ValueError) as error:
        raise FormatError(
            f"{path}: damaged after row {done} of {parquet.metadata.num_rows}: {error}."
        ) from error
