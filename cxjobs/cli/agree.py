"""``cxjobs agree``: how far coders agree, from one table of codings."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import click

from cxjobs.cli import options
from cxjobs.errors import DataError, FormatError
from cxjobs.taxonomy import CONFLATED, CX, ROLES

if TYPE_CHECKING:
    from cxjobs.agreement import Agreement
    from cxjobs.intervals import Interval

LABELS = (CX, CONFLATED)


@click.command("agree")
@click.argument("file", type=click.File("rb"))
@click.option("--id", "key", default="id", show_default=True, help="Column that names the posting.")
@click.option(
    "--coders",
    help="Columns of codings, with commas between. "
    "Default: all columns that hold roles and nothing else.",
)
@click.option("--group", help="Column whose equal values are resampled together, say the employer.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@options.replicates
@click.option("--seed", default=0, show_default=True, help="Of the bootstrap.")
def command(
    file: Any,
    key: str,
    coders: str | None,
    group: str | None,
    as_json: bool,
    replicates: int,
    seed: int,
) -> None:
    """Measure how far coders agree.

    FILE is a CSV with a row for each posting, a column that names it, and a column of role codes
    (or of the labels cx_management and conflated) for each coder; an empty cell means not
    coded. Prints Krippendorff's alpha, Cohen's kappa of every two coders, the agreement on each
    role, all with 95 % intervals, and the postings on which the coders disagree.

    \b
    cxjobs agree codings.csv
    cxjobs agree codings.csv --coders ann,bob --json > agreement.json
    """  # noqa: D301
    name = getattr(file, "name", "<stdin>")
    header, rows = _read(file, name)
    names, values = _coders(name, header, rows, key, coders)
    if group and group not in header:
        raise DataError(f"{name}: has no column {group!r}. Its columns: {', '.join(header)}.")
    at = {c: header.index(c) for c in [*names, key, *([group] if group else [])]}
    ids = _ids(name, rows, at[key], key)

    from cxjobs.agreement import agreement

    ratings = [[cells[at[c]] for c in names] for _, cells in rows]
    found = agreement(
        ratings,
        coders=names,
        values=values,
        groups=[cells[at[group]] or f"row {line}" for line, cells in rows] if group else None,
        replicates=replicates,
        seed=seed,
    )
    divided = [
        {"id": ids[i], **dict(zip(names, ratings[i], strict=True))} for i in found.disagreements
    ]
    if as_json:
        plain = found.to_dict() | {"coders": names, "disagreements": divided}
        click.echo(json.dumps(plain, indent=2, ensure_ascii=False))
    else:
        click.echo(_report(found, names, divided))


def _read(file: Any, name: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header, and rows with the line that each one ends on; cells stripped."""
    try:
        text = file.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"{name}: byte {error.start} is not UTF-8. Try: save it as CSV UTF-8."
        ) from error
    first = text.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        rows.extend((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
    except csv.Error as error:
        raise FormatError(f"{name}, line {reader.line_num}: {error}. Is a quote open?") from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if len(rows) < 2:
        raise FormatError(f"{name}: has no rows under its header.")
    header = rows.pop(0)[1]
    if repeated := sorted({c for c in header if c and header.count(c) > 1}):
        raise FormatError(f"{name}: has two columns named {repeated[0]!r}; rename one.")
    for line, cells in rows:
        if len(cells) != len(header):
            raise FormatError(
                f"{name}, line {line}: {len(cells)} cells under {len(header)} columns."
            )
    return header, rows


def _coders(
    name: str, header: list[str], rows: list[tuple[int, list[str]]], key: str, asked: str | None
) -> tuple[list[str], tuple[str, ...]]:
    """Columns of the coders, and the values that may stand there."""
    there = f"Its columns: {', '.join(header)}."
    if key not in header:
        raise DataError(f"{name}: has no column {key!r}. {there} Try: --id COLUMN.")
    columns = {c: {cells[i] for _, cells in rows} - {""} for i, c in enumerate(header) if c != key}
    if asked is None:
        for values in (ROLES, LABELS):
            found = [c for c, held in columns.items() if held and held <= set(values)]
            if len(found) > 1:
                return found, values
        raise DataError(
            f"{name}: has fewer than two columns that hold roles and nothing else. {there} "
            "Name the coders' columns with --coders to see what is wrong in them."
        )
    names = list(dict.fromkeys(part.strip() for part in asked.split(",") if part.strip()))
    if len(names) < 2:
        raise click.UsageError("--coders needs two or more columns, with commas between.")
    for c in names:
        if c not in columns:
            raise DataError(f"{name}: has no column of codings {c!r}. {there}")
    values = LABELS if CONFLATED in set().union(*(columns[c] for c in names)) else ROLES
    for line, cells in rows:
        for c in names:
            if (cell := cells[header.index(c)]) and cell not in values:
                raise DataError(
                    f"{name}, line {line}, column {c!r}: {cell!r} is not a "
                    f"{'label' if values is LABELS else 'role'}. Use one of: {', '.join(values)}."
                )
    return names, values


def _ids(name: str, rows: list[tuple[int, list[str]]], at: int, key: str) -> list[str]:
    """Names of the postings, each one given and given once."""
    seen: dict[str, int] = {}
    for line, cells in rows:
        if not cells[at]:
            raise DataError(f"{name}, line {line}: the column {key!r} is empty.")
        if (before := seen.setdefault(cells[at], line)) != line:
            raise DataError(
                f"{name}, line {line}: posting {cells[at]!r} stood in line {before} already. "
                "Give each posting one row, with a column for each coder."
            )
    return list(seen)


def _report(found: Agreement, names: list[str], divided: list[dict[str, str]]) -> str:
    left_out = found.units - found.compared
    lines = [
        f"{found.compared} postings coded by two or more of {len(names)} coders"
        + (f"; {left_out} coded by fewer, left out" if left_out else ""),
        "",
        f"Krippendorff's alpha  {_show(found.alpha)}",
        f"Agreement             {_show(found.agreement)}",
        "",
        *_table(
            [["Coders", "Postings", "Agreement", "Cohen's kappa"]]
            + [
                [f"{p.first} / {p.second}", str(p.units), _show(p.agreement), _show(p.kappa)]
                for p in found.pairs
            ]
        ),
        "",
        *_table(
            [["Value", "Codings", "Agreement on it", "Alpha against the rest"]]
            + [[v.value, str(v.codings), _show(v.agreement), _show(v.alpha)] for v in found.values]
        ),
        "",
        f"Disagreements: {len(divided)}" + (", the most divided first" if len(names) > 2 else ""),
    ]
    if divided:
        lines += ["", *_table([["id", *names]] + [list(row.values()) for row in divided])]
    return "\n".join(lines)


def _show(interval: Interval) -> str:
    """Estimate and interval, or why there is none."""
    if interval.estimate != interval.estimate:
        return "undefined (nothing to compare)"
    if interval.low != interval.low:
        return f"{interval.estimate:.3f}"
    return f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _table(rows: list[list[str]]) -> list[str]:
    """Columns side by side, under their heads."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    shown = [
        "  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return [shown[0], "  ".join("-" * w for w in widths), *shown[1:]]
