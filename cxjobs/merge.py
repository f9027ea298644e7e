"""Coded sheets into the labelled table: new rows, second opinions, conflicts, and who said what.

The table's columns are fixed, so who coded a row, when, and by which codebook stands in a log
beside it, one JSON object a line.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cxjobs import dataset, files, taxonomy
from cxjobs.errors import DataError
from cxjobs.sheet import CHOICES
from cxjobs.taxonomy import PRACTICES, label_of
from cxjobs.text import TOKEN, clean, fingerprint, tidy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Row = dict[str, str]

KINDS = {
    "added": "new in the table",
    "agreed": "coded as the table has it",
    "replaced": "the table's coding was replaced",
    "kept": "coded otherwise than the table, which was kept",
    "known": "merged before",
    "refused": "can't be merged",
}
"""What can become of a coded row."""

MOST_CODERS = 3
"""The table counts no further."""


@dataclass(frozen=True)
class Outcome:
    """What became of one coded row.

    Attributes
    ----------
    sheet : str
        File it came from.
    row : int
        As a spreadsheet counts: the header is row 1.
    id : str
        In the labelled table; where refused, that of the sheet.
    kind : str
        One of `KINDS`.
    reason : str
        Why it was refused, or what differs.
    """

    sheet: str
    row: int
    id: str
    kind: str
    reason: str = ""

    def __str__(self) -> str:
        told = f"{self.sheet}, row {self.row} ({self.id}): {KINDS[self.kind]}"
        return f"{told}: {self.reason}" if self.reason else told


@dataclass(frozen=True)
class Merged:
    """A labelled table with coded rows in it.

    Attributes
    ----------
    table : DataFrame
        All text, obeying every rule of `cxjobs.dataset.check`.
    outcomes : tuple of Outcome
        One for each coded row of the sheets, in order.
    log : tuple of dict
        One record for each that was added, agreed, replaced or kept.
    """

    table: pd.DataFrame
    outcomes: tuple[Outcome, ...]
    log: tuple[dict[str, str], ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows of each kind."""
        return dict(Counter(outcome.kind for outcome in self.outcomes))


def merge(
    table: pd.DataFrame,
    sheets: Mapping[str, Sequence[Mapping[str, str]]],
    *,
    coder: str,
    date: str,
    log: Iterable[Mapping[str, str]] = (),
    overwrite: bool = False,
) -> Merged:
    """Merge coded sheets into a labelled table.

    A posting is in the table already if its id is, or its text, or, for a bare title, its words.
    New rows get the employer's group where the sheet names one, and that of any row whose words
    they share.

    Parameters
    ----------
    table : DataFrame
        As `cxjobs.dataset.read` returns it, with no rule broken.
    sheets : mapping of str to rows
        Rows of each sheet, as `cxjobs.sheet.read` returns them. Those without a role are left out.
    coder : str
        Who coded them.
    date : str
        When, for the log.
    log : iterable of mapping
        Earlier records: a coder's same answer counts once.
    overwrite : bool
        Take the sheet's coding where it differs from the table's.

    Returns
    -------
    Merged
        Conflicts and broken rules are told in its outcomes; every other row is merged.

    Raises
    ------
    DataError
        If the table breaks a rule.
    """
    if problems := dataset.check(table):
        raise DataError(f"The labelled table breaks {len(problems)} rules, first: {problems[0]}.")
    union = _Union(table, coder, date, log, overwrite)
    outcomes = [
        union.take(name, number, line)
        for name, lines in sheets.items()
        for number, line in enumerate(lines, start=2)
        if line["role"]
    ]
    refused = _group(union.rows, union.new)
    for key in refused:
        del union.rows[key]
    outcomes = [
        replace(one, kind="refused", reason=refused[one.id]) if one.id in refused else one
        for one in outcomes
    ]
    rows = [union.rows[key] for key in sorted(union.rows)]
    merged = pd.DataFrame(rows, columns=list(dataset.COLUMNS))
    if problems := dataset.check(merged):
        raise DataError(f"The merged table breaks a rule: {problems[0]}. Nothing was written.")
    return Merged(
        merged, tuple(outcomes), tuple(one for one in union.records if one["id"] not in refused)
    )


class _Union:
    """The table's rows while sheets are taken in.

    ``rows`` are all by id, ``new`` those that came from a sheet, with their company, and
    ``records`` what is to be logged.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        coder: str,
        date: str,
        log: Iterable[Mapping[str, str]],
        overwrite: bool,
    ) -> None:
        listed = [{str(c): v for c, v in row.items()} for row in table.to_dict("records")]
        self.rows: dict[str, Row] = {row["id"]: row for row in listed}
        self.new: dict[str, Row] = {}
        self.records: list[dict[str, str]] = []
        self._titles = {_title_key(r["title"]): r["id"] for r in listed if r["basis"] == "title"}
        self._said = {(one["id"], one["coder"]): one for one in log}
        self._coder, self._date, self._overwrite = coder, date, overwrite

    def take(self, sheet: str, number: int, line: Mapping[str, str]) -> Outcome:
        """Take in one coded row."""
        if wrong := _wrong(line):
            return Outcome(sheet, number, line["id"], "refused", wrong)
        row = _row(line, self.rows, self._titles)
        key, old = row["id"], self.rows.get(row["id"])
        said = self._said.get((key, self._coder))
        again = said is not None and all(said.get(c, "") == row[c] for c in ("role", *PRACTICES))
        kind, differs = "added", ""
        if old is not None:
            differs = _differences(old, row)
            if again and not differs:
                return Outcome(sheet, number, key, "known")
            kind = "agreed" if not differs else "replaced" if self._overwrite else "kept"
            counted = said is not None and said.get("merged") != "kept"
            row = _recoded(old, row, kind, counted=counted)
        if broken := _broken(row):
            return Outcome(sheet, number, line["id"], "refused", broken)
        self.rows[key] = row
        if old is None:
            self.new[key] = row | {"company": line["company"]}
            if row["basis"] == "title":
                self._titles[_title_key(row["title"])] = key
        if not (again and kind == "kept"):
            answers = {c: line[c] for c in ("role", *PRACTICES, "confidence", "note")}
            about = {"id": key, "coder": self._coder, "date": self._date, "sheet": sheet}
            codebook = {"codebook": taxonomy.load().version, "merged": kind, "differs": differs}
            self.records.append(about | codebook | answers)
            self._said[key, self._coder] = self.records[-1]
        return Outcome(sheet, number, key, kind, differs)


def log_path(table: str | Path) -> Path:
    """Where the log of a labelled table lies.

    Examples
    --------
    >>> log_path("data/labeled_jobs.csv").as_posix()
    'data/labeled_jobs.reviews.jsonl'
    """
    return Path(table).with_suffix(".reviews.jsonl")


def read_log(table: str | Path) -> list[dict[str, str]]:
    """Records of a labelled table's log; none where there is no log.

    Raises
    ------
    DataError
        If a line is no record.
    """
    path = log_path(table)
    if not path.exists():
        return []
    records = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            record = json.loads(line)
            _ = record["id"], record["coder"]
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path}, line {number}: is no record of a coding.") from None
        records.append(record)
    return records


def write(table: str | Path, merged: Merged, log: Sequence[Mapping[str, str]]) -> None:
    """Write a merged table and its whole log, each beside its place, then renamed.

    Raises
    ------
    DataError
        If they cannot be written.
    """
    lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in (*log, *merged.log)]
    text = merged.table.to_csv(index=False, lineterminator="\n")
    try:
        for path, content in ((Path(table), text), (log_path(table), "".join(lines))):
            files.replace(path, content.encode())
    except OSError as error:
        raise DataError(f"{table}: cannot be written: {error.strerror or error}.") from None


def _wrong(line: Mapping[str, str]) -> str:
    """What in a row's answers is none of the choices."""
    for column, allowed in CHOICES.items():
        if line[column] and line[column] not in allowed:
            return f"{column} is {line[column]!r}, not one of {', '.join(allowed)}"
    return ""


def _row(line: Mapping[str, str], rows: Mapping[str, Row], titles: Mapping[str, str]) -> Row:
    """A sheet's row as the table would have it, under the id that it has there."""
    title, description = tidy(clean(line["title"])), tidy(clean(line["description"]))
    key = line["id"]
    if key not in rows:
        key = fingerprint(title, description)[:12]
        if not description:
            key = titles.get(_title_key(title), key)
    basis = "posting" if (rows[key]["description"] if key in rows else description) else "title"
    return {
        "id": key,
        "title": title,
        "description": description,
        "role": line["role"],
        "label": label_of(line["role"]),
        **{e: line[e] if basis == "posting" else "" for e in PRACTICES},
        "confidence": line["confidence"] or "high",
        "basis": basis,
        "coders": "1",
        "source": dataset.REVIEWED,
        "year": "",
        "group": key[:8],
    }


def _coding(row: Row) -> Row:
    """The columns that a coder decides."""
    return {c: row[c] for c in ("role", "label", *PRACTICES, "confidence")}


def _differences(old: Row, new: Row) -> str:
    """Where two codings differ; an element that one of them leaves out is no difference."""
    told = [
        f"{c} {old[c]} in the table, {new[c]} in the sheet"
        for c in ("role", *PRACTICES)
        if old[c] and new[c] and old[c] != new[c]
    ]
    return "; ".join(told)


def _recoded(old: Row, new: Row, kind: str, *, counted: bool) -> Row:
    """The table's row after another coding of it."""
    if kind == "kept":
        return old
    coders = str(min(int(old["coders"]) + (not counted), MOST_CODERS))
    coding = _coding(new)
    if kind == "agreed":
        coding = {e: old[e] or new[e] for e in PRACTICES}
    return {**old, **coding, "coders": coders}


def _broken(row: Row) -> str:
    """The first rule of the table that a row breaks by itself."""
    problems = dataset.check(pd.DataFrame([row], columns=list(dataset.COLUMNS)))
    return f"{problems[0].column}: {problems[0].rule}" if problems else ""


def _title_key(title: str) -> str:
    return " ".join(re.findall(TOKEN, clean(title).lower()))


def _group(rows: dict[str, Row], new: Mapping[str, Row]) -> dict[str, str]:
    """Give new rows the group of their employer and of rows that share their words.

    Returns the ids of rows that would tie several groups of the table together, with the reason.
    """
    keys = sorted(rows)
    near = dataset.near_duplicates([rows[key]["description"] for key in keys])
    pairs = [(keys[a], keys[b]) for a, b, _ in near]
    ties = [(a, b) for a, b in pairs if a in new and b in new]
    ties += [(key, f"company {name}") for key, row in new.items() if (name := _company(row))]
    part: dict[str, set[str]] = {key: {key} for key in new}
    for one, other in ties:  # what is tied shares one set
        joined = part[one] | part.get(other, {other})
        part.update(dict.fromkeys(joined, joined))
    older: dict[str, set[str]] = {key: set() for key in new}
    for a, b in pairs:
        for one, other in ((a, b), (b, a)):
            if one in new and other not in new:
                older[one].add(rows[other]["group"])
    refused = {}
    for key in new:
        groups = set().union(*(older[one] for one in part[key] if one in new))
        if len(groups) > 1:
            told = ", ".join(sorted(groups))
            refused[key] = f"it, or a posting of its employer, shares words with groups {told}"
            continue
        first = blake2b(min(part[key]).encode(), digest_size=4).hexdigest()
        rows[key] = rows[key] | {"group": groups.pop() if groups else first}
    return refused


def _company(row: Mapping[str, str]) -> str:
    return " ".join(re.findall(TOKEN, clean(row["company"]).lower()))
