"""Postings to survey, from files of any format, answered on the way where they are not.

Files that hold the columns of an answer are taken as they stand; of all others every posting is
answered and marked where it repeats another, as by ``classify``.
"""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cxjobs import sheet
from cxjobs.answer import NUMBERS
from cxjobs.answered import OWN
from cxjobs.errors import DataError, FormatError
from cxjobs.naming import own_name
from cxjobs.postings import Reading
from cxjobs.postings.batch import together
from cxjobs.postings.duplicates import Duplicates, flagged
from cxjobs.postings.reading import BATCH_ROWS
from cxjobs.tables import NEEDED

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from cxjobs.answer import Model
    from cxjobs.postings import Batch

PARTS = ("id", "title", "description", "company", "location")
"""Parts of a posting that the frame begins with: text, never missing."""

MONTH = "month"
"""Group that is made from a column of dates."""

_DATED = re.compile(r"date|posted|created|published|updated|time", re.IGNORECASE)


@dataclass(frozen=True)
class Intake:
    """What was read.

    Attributes
    ----------
    frame : DataFrame
        `PARTS`, the columns of an answer, and the group's, a row a posting.
    groups : dict of str to str
        Column of the frame for each group that was asked for.
    answered : bool
        Whether the answers were in the files.
    unparsed : int
        Pieces that are no posting.
    notes : tuple of str
        What was guessed or left out.
    """

    frame: pd.DataFrame
    groups: dict[str, str]
    answered: bool
    unparsed: int
    notes: tuple[str, ...]


def read(
    inputs: Iterable[str | os.PathLike[str]],
    load: Callable[[], Model],
    *,
    groups: Iterable[str] = (),
    format: str | None = None,  # noqa: A002
    encoding: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Intake:
    """Read postings of any source, and answer those that have no answer.

    Parameters
    ----------
    inputs, format, encoding, mapping
        See `cxjobs.postings.read`.
    load : callable
        Gives the model; called only if there is something to answer.
    groups : iterable of str
        Columns of groups: any of the source, ``company``, ``location``, or ``month`` (of the
        source's one column of dates; ``month:COLUMN`` says which). Where it is empty, the frame
        has None.

    Returns
    -------
    Intake

    Raises
    ------
    FormatError
        If an input cannot be read.
    DataError
        If some inputs hold answers and others none, an answer lacks a column, or there is no
        such group.
    """
    reading = Reading(inputs, format=format, encoding=encoding, mapping=mapping)
    there = {f.path: _is_answered(f.schema.names, f.path) for f in reading.files if f.fields}
    done = any(there.values())
    if done and not all(there.values()):
        lacking = next(path for path, answered in there.items() if not answered)
        raise DataError(
            f"{lacking}: holds no answers, the other inputs do. Try: survey them apart, "
            "or classify it first."
        )
    names = list(dict.fromkeys(n for f in reading.files for n in f.schema.names))
    asked = {one: _grouping(one, names) for one in groups}
    answer = None if done else load().answer_batch
    seen = Duplicates(None)
    frames, unparsed = [], 0
    try:
        for batch in together(reading.batches(), BATCH_ROWS):
            unparsed += len(batch.rejects)
            if not len(batch):
                continue
            if answer is None:
                own = _own(batch.table)
            else:
                told = answer(batch.title, batch.description)
                own = flagged(told, seen.of(batch)).to_pandas()
            frames.append(pd.concat([_parts(batch, asked.values()), own], axis=1))
    finally:
        seen.close()
    if not frames:
        raise FormatError(f"{reading.files[0].path}: no posting could be read.")
    frame = pd.concat(frames, ignore_index=True)
    notes = reading.notes
    for group in asked.values():
        values = [None if value == "" else value for value in frame[group.name].tolist()]
        if group.monthly:
            values, undated = months(values)
            if undated:
                notes.append(f"{undated:,} postings have no date in {group.column!r}.")
        frame[group.name] = pd.Series(values, dtype=object)
    named = {one: group.name for one, group in asked.items()}
    return Intake(frame, named, done, unparsed, tuple(notes))


def _is_answered(names: Sequence[str], path: str) -> bool:
    if not any(own_name(name, names) for name in ("cx_probability", "role_probability")):
        return False
    if lacking := [name for name in NEEDED if own_name(name, names) is None]:
        raise DataError(
            f"{path}: holds answers without the column {lacking[0]!r}. "
            "Try: classify without --columns, or survey the postings themselves."
        )
    return True


def _own(table: pa.Table) -> pd.DataFrame:
    """The answer's columns under their own names."""
    found = {}
    for name in OWN:
        if at := own_name(name, table.column_names):
            values = table.column(at).to_pylist()
            if name in NUMBERS:
                found[name] = pd.Series([None if v == "" else v for v in values], dtype=object)
            else:
                found[name] = pd.Series(["" if v is None else str(v) for v in values], dtype=object)
    return pd.DataFrame(found)


@dataclass(frozen=True)
class _Group:
    """A column of the frame, and where in the source its values stand."""

    name: str
    column: str | None
    monthly: bool = False


def _grouping(by: str, names: Sequence[str]) -> _Group:
    if by in PARTS:
        return _Group(by, None)
    if by in names:
        return _Group(f"{by} (source)" if by in OWN else by, by)
    head, _, told = by.partition(":")
    if head != MONTH:
        raise DataError(f"There is no column {by!r} to group by. Columns: {', '.join(names)}.")
    dated = [name for name in names if (name == told if told else _DATED.search(name))]
    if len(dated) != 1:
        many = f"several columns could hold the date ({', '.join(dated)})"
        raise DataError(
            f"{by}: {many if dated else 'no column seems to hold a date'}. "
            f"Try: {MONTH}:COLUMN. Columns: {', '.join(names)}."
        )
    return _Group(MONTH, dated[0], monthly=True)


def _parts(batch: Batch, groups: Iterable[_Group]) -> pd.DataFrame:
    found: dict[str, Any] = {part: getattr(batch, part).to_pylist() for part in PARTS}
    for group in groups:
        if group.column is not None:
            there = group.column in batch.table.column_names
            values = batch.table.column(group.column).to_pylist() if there else [None] * len(batch)
            found[group.name] = values
    return pd.DataFrame(found, dtype=object)


def months(values: Sequence[Any]) -> tuple[list[str | None], int]:
    """Year and month of each date, and how many are none.

    Takes dates, ISO and written ones, and seconds or milliseconds since 1970.

    Examples
    --------
    >>> months(["2026-05-03T10:00:00Z", "3 June 2026", 1767225600000, "soon"])
    (['2026-05', '2026-06', '2026-01', None], 1)
    """
    found: list[str | None] = []
    for value in values:
        text = "" if value is None else str(value).strip()
        try:
            number = float(text)
            seconds = number / 1000 if abs(number) >= 1e11 else number
            when = pd.Timestamp(seconds, unit="s") if 1e8 <= abs(seconds) < 1e11 else pd.NaT
        except ValueError:
            when = pd.to_datetime(text, errors="coerce", utc=True)
        found.append(None if pd.isna(when) else f"{when:%Y-%m}")
    return found, found.count(None)


def read_audit(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a coded sample: a sheet of ``cxjobs review pick --random``, or a table.

    Parameters
    ----------
    path : path
        CSV, TSV or JSON lines in UTF-8, or XLSX, with ``id`` and ``role`` (or ``label``).

    Returns
    -------
    DataFrame
        A row a posting, coded or not; all columns.

    Raises
    ------
    FormatError
        If it cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() == ".xlsx":
        return pd.DataFrame(sheet.read(path, needed=("id",)), dtype=object)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise FormatError(f"{path}: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise FormatError(f"{path}: is not UTF-8. Try: save it as CSV UTF-8.") from None
    if text.lstrip()[:1] != "{":
        head = text.split("\n", 1)[0]
        delimiter = max("\t;,", key=head.count)
        rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(text), delimiter=delimiter))
        if rows and set(sheet.COLUMNS) <= rows[0].keys():
            rows = [row | {"id": sheet.unguard(row["id"])} for row in rows]
    else:
        rows = []
        for number, line in enumerate(text.splitlines(), 1):
            try:
                rows += [json.loads(line)] if line.strip() else []
            except ValueError as error:
                raise FormatError(f"{path}, line {number}: is not JSON ({error}).") from None
    return pd.DataFrame(rows, dtype=object)
