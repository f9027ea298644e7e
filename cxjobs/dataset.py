"""The labelled table: load it, check every rule of it, split it without leaks.

The table is small and trusted, so it is loaded whole and errors are refused; its columns are
described in ``data/README.md``, its labels in ``data/codebook.md``.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxjobs.errors import DataError
from cxjobs.features import Background
from cxjobs.taxonomy import PRACTICES, ROLES, label_of
from cxjobs.text import TOKEN, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = (
    "id", "title", "description", "role", "label", *PRACTICES,
    "confidence", "basis", "coders", "source", "year", "group",
)  # fmt: skip
"""Columns of the labelled table, in order."""

COMPOSED = "composed"
"""The ``source`` of rows that were written to fill thin cells: trained on, never scored."""

REVIEWED = "review"
"""The ``source`` of rows that came from a review sheet: picked for being hard."""

NEAR = 0.8
"""Share of common words (Jaccard) from which two descriptions count as the same posting."""

_ALLOWED = {
    "role": set(ROLES),
    "confidence": {"high", "low"},
    "basis": {"posting", "title"},
    "coders": {"1", "2", "3"},
    **{element: {"0", "1", ""} for element in PRACTICES},
}


@dataclass(frozen=True)
class Problem:
    """One broken rule of the table.

    Attributes
    ----------
    row : int
        As a spreadsheet counts: the header is row 1.
    column : str
        Column at fault, empty for a whole row or table.
    value : str
        What stands there, cut to 80 characters.
    rule : str
        What should stand there.
    """

    row: int
    column: str
    value: str
    rule: str

    def to_dict(self) -> dict[str, object]:
        """Fields as a plain dictionary."""
        return asdict(self)

    def __str__(self) -> str:
        where = f"row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{where}: {self.rule}" + (f" (found {self.value!r})" if self.value else "")


def load(path: str | Path) -> pd.DataFrame:
    """Read a labelled table and refuse it if a rule is broken.

    Parameters
    ----------
    path : str or Path
        CSV in UTF-8 with the columns of `COLUMNS`.

    Returns
    -------
    DataFrame
        All columns as text, except the practice elements: float, 0, 1 or NaN (not coded).

    Raises
    ------
    DataError
        If the file cannot be read or a rule is broken; the message lists the first problems.
    """
    frame = read(path)
    problems = check(frame)
    if problems:
        shown = "\n".join(f"  {p}" for p in problems[:10])
        raise DataError(
            f"{path}: {len(problems)} broken rules:\n{shown}\n"
            f"Try: cxjobs check {path} lists all of them."
        )
    for element in PRACTICES:
        frame[element] = pd.to_numeric(frame[element])
    return frame


def read(path: str | Path) -> pd.DataFrame:
    """Read a labelled table as text, without judging it.

    Raises
    ------
    DataError
        If there is no such file, or it is not a CSV in UTF-8.
    """
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file. Try: the path of labeled_jobs.csv.") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} is not UTF-8. Try: save it as UTF-8."
        ) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise DataError(f"{path}: is not a CSV table: {error}") from None


def load_background(path: str | Path) -> Background:
    """Read how many real postings hold each term.

    Parameters
    ----------
    path : str or Path
        CSV with ``term`` and ``postings``; the row of the empty term tells how many were counted.

    Raises
    ------
    DataError
        If the file cannot be read, or a count is missing or not a number.
    """
    table = read(path)
    try:
        counts = dict(zip(table["term"], table["postings"].astype(int), strict=True))
        return Background(counts.pop(""), counts)
    except (KeyError, ValueError) as error:
        raise DataError(
            f"{path}: is not a table of term,postings with a row for the empty term ({error})."
        ) from None


def background_beside(table: str | Path) -> Path | None:
    """Path of the counts of terms that belong to a labelled table; None where there are none.

    Examples
    --------
    >>> background_beside("nowhere/labeled_jobs.csv") is None
    True
    """
    path = Path(table).with_name("background.csv")
    return path if path.is_file() else None


def check(frame: pd.DataFrame) -> list[Problem]:
    """Check every rule of the labelled table.

    Parameters
    ----------
    frame : DataFrame
        As `read` returns it: all text.

    Returns
    -------
    list of Problem
        All broken rules in the order of rows; empty if there are none.

    Examples
    --------
    >>> import pandas as pd
    >>> print(check(pd.DataFrame({"id": ["x"], "title": ["Head of CX"]}))[0])
    row 1: column description is missing
    """
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        return [Problem(1, "", "", f"column {column} is missing") for column in missing]
    problems = [
        *_unknown_columns(frame),
        *_broken_values(frame),
        *_broken_rows(frame),
        *_repeated(frame),
    ]
    return sorted(problems, key=lambda p: (p.row, p.column, p.rule))


def _unknown_columns(frame: pd.DataFrame) -> Iterator[Problem]:
    for column in frame.columns:
        if column not in COLUMNS:
            yield Problem(1, str(column), "", "is not a column of the labelled table")


def _broken_values(frame: pd.DataFrame) -> Iterator[Problem]:
    patterns = {
        "id": "[0-9a-f]{12}",
        "year": "((19|20)[0-9]{2})?",
        "group": r"\S+",
        "source": r".*\S.*",
    }
    for column, allowed in _ALLOWED.items():
        for i in _where(~frame[column].isin(allowed)):
            rule = "must be one of " + ", ".join(sorted(a or "empty" for a in allowed))
            yield Problem(i + 2, column, str(frame[column].iloc[i])[:80], rule)
    for column, pattern in patterns.items():
        for i in _where(~frame[column].str.fullmatch(pattern)):
            yield Problem(i + 2, column, frame[column].iloc[i][:80], f"must match {pattern}")
    for i in _where(~frame["title"].str.contains(r"[^\W_]")):
        yield Problem(i + 2, "title", frame["title"].iloc[i][:80], "must hold a word")


def _broken_rows(frame: pd.DataFrame) -> Iterator[Problem]:
    for i, row in enumerate(frame.to_dict("records")):
        number = i + 2
        if row["role"] in ROLES and row["label"] != label_of(row["role"]):
            rule = f"must be {label_of(row['role'])}, which follows from role {row['role']}"
            yield Problem(number, "label", row["label"], rule)
        coded = [row[element] for element in PRACTICES]
        if row["basis"] == "title":
            if row["description"].strip():
                yield Problem(number, "description", "", "must be empty where basis is title")
            if any(coded):
                yield Problem(
                    number, "understand", "", "elements must be empty where basis is title"
                )
        elif row["basis"] == "posting":
            if len(row["description"].split()) < 10:
                yield Problem(
                    number, "description", row["description"][:80], "needs 10 words or more"
                )
            central = [row[e] for e in ("understand", "design", "manage")]
            if row["role"] == "cx_management" and (row["whole"] == "0" or central.count("0") > 1):
                rule = "cx_management needs whole = 1 and two of understand, design, manage"
                yield Problem(number, "role", row["role"], rule)


def _repeated(frame: pd.DataFrame) -> Iterator[Problem]:
    for i in _where(frame["id"] < frame["id"].shift()):
        yield Problem(i + 2, "id", frame["id"].iloc[i], "rows must be sorted by id")
    first: dict[str, int] = {}
    for i, value in enumerate(frame["id"]):
        if value in first:
            yield Problem(i + 2, "id", value, f"is already on row {first[value]}")
        first.setdefault(value, i + 2)
    titles: dict[str, int] = {}
    for i in _where(frame["basis"] == "title"):
        title = frame["title"].iloc[i]
        key = " ".join(re.findall(TOKEN, clean(title).lower()))
        if key in titles:
            yield Problem(
                int(i) + 2, "title", title, f"is already coded alone on row {titles[key]}"
            )
        titles.setdefault(key, i + 2)
    for a, b, share in near_duplicates(frame["description"].tolist()):
        if frame["group"].iloc[a] != frame["group"].iloc[b]:
            rule = f"shares {share:.0%} of its words with row {a + 2} but not its group"
            yield Problem(b + 2, "group", frame["group"].iloc[b], rule)


def _where(broken: pd.Series[bool]) -> list[int]:
    return [int(i) for i in np.flatnonzero(broken)]


def near_duplicates(texts: list[str], share: float = NEAR) -> list[tuple[int, int, float]]:
    """Pairs of texts that have most of their different words in common.

    Parameters
    ----------
    texts : list of str
        Empty ones never match.
    share : float
        Least Jaccard index of the two sets of words, 0 to 1.

    Returns
    -------
    list of (int, int, float)
        Positions, the smaller first, and the index.

    Examples
    --------
    >>> near_duplicates(["a lead of surveys", "a lead of the surveys", ""], 0.7)
    [(0, 1, 0.75)]
    """
    from sklearn.feature_extraction.text import CountVectorizer

    if not any(re.search(TOKEN, t) for t in texts):
        return []
    words = CountVectorizer(token_pattern=TOKEN, binary=True, dtype=np.int32).fit_transform(texts)
    size = np.asarray(words.sum(axis=1)).ravel()
    common = (words @ words.T).tocoo()
    index = common.data / (size[common.row] + size[common.col] - common.data)
    keep = (index >= share) & (common.row < common.col)
    pairs = zip(common.row[keep], common.col[keep], index[keep], strict=True)
    return sorted((int(i), int(j), float(s)) for i, j, s in pairs)


def splits(
    frame: pd.DataFrame, *, n_splits: int = 5, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Folds for honest scores: stratified by role, no group on both sides.

    Real and composed rows are folded apart: while rows of one kind are held back, those of the
    other all train, as they do in the final model.

    Parameters
    ----------
    frame : DataFrame
        The labelled table.
    n_splits : int
        Number of folds of each kind, 2 or more.
    seed : int
        Of the shuffle.

    Yields
    ------
    train, held : ndarray of int
        Row positions. Each row is held once.
    """
    group = frame["group"].to_numpy()
    role = frame["role"].to_numpy()
    composed = (frame["source"] == COMPOSED).to_numpy()
    for kind in (~composed, composed):
        rows = np.flatnonzero(kind)
        for held in _folds(rows, role, group, n_splits, seed):
            yield np.flatnonzero(~np.isin(group, group[held])), held


def _folds(
    rows: np.ndarray, role: np.ndarray, group: np.ndarray, n_splits: int, seed: int
) -> Iterator[np.ndarray]:
    """Parts of some rows; fewer of them where rows are too few, and one part at the least."""
    from sklearn.model_selection import StratifiedGroupKFold

    if not len(rows):
        return
    commonest = max(np.unique(role[rows], return_counts=True)[1])
    possible = min(n_splits, commonest, len(np.unique(group[rows])))
    if possible < 2:
        yield rows
        return
    folds = StratifiedGroupKFold(n_splits=possible, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A role with fewer rows than folds is absent from some; the figures show its few rows.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        parts = [held for _, held in folds.split(rows, role[rows], group[rows])]
    for held in parts:
        yield rows[held]


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file, in hex: what a manifest stores of the data it was trained on."""
    return sha256(Path(path).read_bytes()).hexdigest()
