"""Answered postings as one frame, whatever their source called its columns.

Reads what ``classify`` has written (or any postings, if no answer is needed of them) and puts the
posting's parts and the answer's columns under the names of this package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa

from cxjobs.answer import COLUMNS, NUMBERS
from cxjobs.errors import DataError, FormatError
from cxjobs.naming import own_name
from cxjobs.postings import Reading

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

PARTS = ("id", "title", "description", "company")
"""Parts of a posting that the frame begins with: text, never missing."""

OWN = (*COLUMNS, "evidence")
"""Columns of an answer that the frame has where the file has them."""


def read(
    path: str | os.PathLike[str],
    *,
    needed: tuple[str, ...] = (),
    extra: Mapping[str, str] | None = None,
    mapping: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    r"""Read a file of postings, with answers where it has them.

    Parameters
    ----------
    path : path
        CSV, TSV, JSON, JSON lines or Parquet; ``-`` is standard input.
    needed : tuple of str
        Columns of the answer that must be there.
    extra : mapping, optional
        Further columns to take along, as text: their name in the frame, and in the file.
    mapping : mapping, optional
        Where title, description, id and company stand, if that can't be told.

    Returns
    -------
    DataFrame
        A row a posting, in order: `PARTS`, the columns of `OWN` that are there, then ``extra``.
        ``frame.attrs["ids"]`` tells whether ids are the file's own; otherwise they are row numbers.

    Raises
    ------
    FormatError
        If the file or a row of it cannot be read.
    DataError
        If a needed column is missing, or a probability is none.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.csv")
    ...     _ = file.write_text("Job Title,label\nHead of CX,review\n")
    ...     read(file).iloc[0].to_dict()
    {'id': '1', 'title': 'Head of CX', 'description': '', 'company': '', 'label': 'review'}
    """
    reading = Reading([path], mapping=mapping)
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    tables = []
    for batch in reading.batches():
        if batch.rejects:
            first = batch.rejects[0]
            raise FormatError(
                f"{path}, line {first.line}: {first.reason}. "
                "Try: write the file again, or take the line out."
            )
        for part in PARTS:
            parts[part] += getattr(batch, part).to_pylist()
        tables.append(batch.table)
    table = pa.concat_tables(tables, promote_options="permissive") if tables else pa.table({})
    names = {name: own_name(name, table.column_names) for name in OWN}
    there = {name: own for name, own in names.items() if own is not None}
    known = ", ".join(table.column_names) or "none"
    for name in needed:
        if name not in there:
            raise DataError(
                f"{path}: has no column {name!r}. Its columns: {known}. "
                f"Try: cxjobs classify {path} -o answered.csv, and that file."
            )
    for column in (extra or {}).values():
        if column not in table.column_names:
            raise DataError(f"{path}: has no column {column!r}. Its columns: {known}.")
    frame = pd.DataFrame(parts, dtype=object)
    for name, own in there.items():
        values = table.column(own).to_pylist()
        if name in NUMBERS:
            frame[name] = [_number(v, name, i, path) for i, v in enumerate(values)]
        else:
            frame[name] = _texts(values)
    for name, column in (extra or {}).items():
        frame[name] = _texts(table.column(column).to_pylist())
    fields = reading.files[0].fields
    frame.attrs["ids"] = bool(fields and fields.id)
    return frame


def _texts(values: list[Any]) -> list[str]:
    return ["" if v is None else str(v) for v in values]


def _number(value: Any, name: str, row: int, path: Any) -> float:
    if value is None or value == "":
        return np.nan
    try:
        number = float(value)
    except ValueError:
        number = np.inf
    if not 0 <= number <= (5 if name == "practice_score" else 1):
        raise DataError(f"{path}, row {row + 1}, column {name}: {value!r} is out of range.")
    return number
