"""The review sheet: postings for a person to code, as CSV or XLSX, and back.

A cell that a spreadsheet would run as a formula gets an apostrophe in front when it is written
and loses it when it is read, so that any text makes the round trip.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxjobs.errors import CxjobsError, FormatError
from cxjobs.files import replace
from cxjobs.postings import Reading
from cxjobs.taxonomy import PRACTICES, ROLES, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from openpyxl.worksheet.worksheet import Worksheet

GIVEN = (
    "id", "title", "company", "description",
    "model_role", "model_probability", "evidence", "why",
)  # fmt: skip
"""Columns that are filled in: the posting, what the model says of it, and why it was picked."""

ASKED = ("role", *PRACTICES, "confidence", "note")
"""Columns for a person's answer."""

COLUMNS = (*GIVEN, *ASKED)
"""All columns of a sheet, in order."""

CHOICES = {
    "role": ROLES,
    **dict.fromkeys(PRACTICES, ("0", "1")),
    "confidence": ("high", "low"),
}
"""What may stand in a column of an answer; empty is not coded, or for confidence ``high``."""

LONGEST = 32_000
"""Characters of a cell at most; a spreadsheet allows 32,767."""

_RISKY = "=+\\-@\t\r\n＝＋－＠"
_guard = re.compile(f"(?='*[{_RISKY}])").match
_guarded = re.compile(f"'+[{_RISKY}]").match
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_WIDTHS = {"id": 14, "title": 32, "company": 18, "description": 80, "evidence": 36, "note": 40}


def guard(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula.

    Examples
    --------
    >>> guard("=1+1"), guard("Head of CX"), unguard(guard("=1+1"))
    ("'=1+1", 'Head of CX', '=1+1')
    """
    return f"'{cell}" if _guard(cell) else cell


def unguard(cell: str) -> str:
    """Undo `guard`."""
    return cell[1:] if _guarded(cell) else cell


def write(path: str | Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Write a sheet beside its place, then rename it.

    Parameters
    ----------
    path : str or Path
        Ends in ``.xlsx``, or is written as CSV.
    rows : iterable of mapping
        Text by column; what is missing is empty.

    Raises
    ------
    FormatError
        If the file cannot be written.
    CxjobsError
        If it is XLSX and openpyxl is not installed.
    """
    path = Path(path)
    cells = table(rows)
    data = _xlsx(cells) if path.suffix.lower() == ".xlsx" else to_csv(cells)
    try:
        replace(path, data)
    except OSError as error:
        raise FormatError(f"{path}: cannot be written: {error.strerror or error}.") from None


def table(rows: Iterable[Mapping[str, str]]) -> list[list[str]]:
    """Guarded cells, the header first; columns that a person has added come last."""
    rows = list(rows)
    columns = list(dict.fromkeys([*COLUMNS, *(column for row in rows for column in row)]))
    body = [[guard(row.get(column, "")[:LONGEST]) for column in columns] for row in rows]
    return [[guard(column) for column in columns], *body]


def to_csv(cells: Iterable[Iterable[str]]) -> bytes:
    """Rows as CSV: UTF-8 with the mark that spreadsheets look for."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(cells)
    return text.getvalue().encode("utf-8-sig", "replace")


def read(
    path: str | Path, needed: tuple[str, ...] = ("id", "title", "description", *ASKED)
) -> list[dict[str, str]]:
    """Read a sheet, whichever program has saved it.

    Parameters
    ----------
    path : str or Path
        CSV of any delimiter and encoding, or XLSX, of which the first worksheet is read.
    needed : tuple of str
        Columns that must be there.

    Returns
    -------
    list of dict of str to str
        Text by column, without guards; answers without space around them. Columns that a person
        has added come last.

    Raises
    ------
    FormatError
        If the file cannot be read, a row is broken, or a column is missing.
    CxjobsError
        If it is XLSX and openpyxl is not installed.
    """
    path = Path(path)
    header, rows = _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_csv(path)
    if missing := [c for c in needed if c not in header]:
        raise FormatError(
            f"{path}: is no review sheet, it lacks the column {missing[0]!r}. "
            "Try: a sheet of cxjobs review pick."
        )
    found = []
    for cells in rows:
        there = dict(zip(map(unguard, header), map(unguard, cells), strict=True))
        row = dict.fromkeys(COLUMNS, "") | there
        found.append(row | {c: row[c].strip() for c in ASKED})
    return found


def _read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    reading = Reading([path])
    header: list[str] = reading.files[0].schema.names
    rows: list[list[str]] = []
    for batch in reading.batches():
        if batch.rejects:
            raise FormatError(
                f"{path}, line {batch.rejects[0].line}: {batch.rejects[0].reason}. "
                "Try: save the sheet again as CSV, or as XLSX."
            )
        columns = [column.to_pylist() for column in batch.table.columns]
        rows += [[_text(v) for v in row] for row in zip(*columns, strict=True)]
    return header, rows


def _read_xlsx(path: Path) -> tuple[list[str], list[list[str]]]:
    workbook = _openpyxl(path).load_workbook
    try:
        sheet = workbook(path, read_only=True, data_only=True).worksheets[0]
        rows = [[_text(v) for v in row] for row in sheet.iter_rows(values_only=True)]
    except FileNotFoundError:
        raise FormatError(f"{path}: no such file.") from None
    except Exception as error:  # openpyxl lets through whatever its parsers raise
        raise FormatError(f"{path}: is not an XLSX workbook ({error}).") from None
    header = rows[0] if rows else []
    full = [(row + [""] * len(header))[: len(header)] for row in rows[1:]]
    return header, [row for row in full if any(row)]


def _text(value: Any) -> str:
    """A cell as text: numbers that a spreadsheet has made of 0 and 1 without decimals."""
    if value is None:
        return ""
    if isinstance(value, bool | float) and value == int(value):
        value = int(value)
    return str(value)


def _xlsx(cells: list[list[str]]) -> bytes:
    """The sheet with lists to choose from, and the codebook on a second one."""
    from tempfile import SpooledTemporaryFile

    openpyxl = _openpyxl("The sheet")
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "review"
    for row in cells:
        sheet.append([_ILLEGAL.sub("", cell) for cell in row])
    for line in sheet.iter_rows(min_row=2):
        for cell in line:
            cell.number_format = "@"
            cell.alignment = Alignment(vertical="top", wrap_text=True)
    for k, column in enumerate(cells[0], start=1):
        letter = get_column_letter(k)
        sheet.column_dimensions[letter].width = _WIDTHS.get(column, 14)
        if column in CHOICES and len(cells) > 1:
            choice = DataValidation("list", formula1=f'"{",".join(CHOICES[column])}"')
            choice.error = f"One of: {', '.join(CHOICES[column])}"
            choice.showErrorMessage = True
            choice.add(f"{letter}2:{letter}{len(cells)}")
            sheet.add_data_validation(choice)
    sheet.freeze_panes = "C2"
    _codebook(book.create_sheet("codebook"))
    for one in book.worksheets:
        for cell in one[1]:
            cell.font = Font(bold=True)
    with SpooledTemporaryFile() as file:
        book.save(file)
        file.seek(0)
        return file.read()


def _codebook(sheet: Worksheet) -> None:
    sheet.append(["code", "name", "definition", "belongs here", "doesn't"])
    names = load()
    for one in names.roles + names.practices:
        cells = [one.code, one.name, one.definition, "; ".join(one.include), "; ".join(one.exclude)]
        sheet.append(cells)
    for letter, width in zip("ABCDE", (22, 22, 100, 50, 50), strict=True):
        sheet.column_dimensions[letter].width = width


def _openpyxl(what: object) -> Any:
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise CxjobsError(
            f"{what}: XLSX needs openpyxl. Try: pip install 'cxjobs[xlsx]', or use a .csv."
        ) from None
    return openpyxl
