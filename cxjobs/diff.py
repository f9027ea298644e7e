"""What changed between two runs: which postings got another answer, and why.

An answer is its label, role, practice elements, basis and status. A probability that moves without
changing any of these is counted, not listed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjobs.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

ANSWER = ("label", "role", "practice", "basis", "status")
"""Columns that make up an answer."""

NEEDED = ("label", "cx_probability")
"""Columns without which nothing can be compared."""

SAME = 5e-6
"""Probabilities are written with six digits; closer ones are the same."""

REASONS = ("text", "model", "threshold", "flags", "unknown")
"""Why an answer can change: the posting's text differs; another model gave another probability;
the same probability was judged by another threshold, or by other doubts about the text; or the
files don't tell."""


@dataclass(frozen=True)
class Change:
    """One posting whose answer changed.

    Attributes
    ----------
    key : str
        What it was matched by.
    title : str
        As the new file has it.
    reasons : tuple of str
        Of `REASONS`.
    old, new : dict of str to str
        The columns of the answer that changed.
    old_probability, new_probability : float or None
        Of true CX management; None where rejected.
    """

    key: str
    title: str
    reasons: tuple[str, ...]
    old: dict[str, str]
    new: dict[str, str]
    old_probability: float | None
    new_probability: float | None


@dataclass(frozen=True)
class Diff:
    """All differences between two answered files.

    Attributes
    ----------
    matched : int
        Postings that are in both.
    changed : tuple of Change
        In the order of the old file.
    only_old, only_new : tuple of str
        Keys of postings that are in one file only.
    moved : int
        Postings whose probability moved while the answer stayed.
    largest_move : float
        The largest of these moves, 0 to 1.
    """

    matched: int
    changed: tuple[Change, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    moved: int
    largest_move: float

    def __bool__(self) -> bool:
        """Whether there is any difference in answers or postings."""
        return bool(self.changed or self.only_old or self.only_new)

    @property
    def reasons(self) -> dict[str, int]:
        """How many changes each reason had a part in."""
        count = Counter(reason for change in self.changed for reason in change.reasons)
        return {reason: count[reason] for reason in REASONS if count[reason]}

    @property
    def labels(self) -> dict[str, int]:
        """How many postings went from one label to another, the most first."""
        count = Counter(
            f"{c.old['label'] or 'rejected'} -> {c.new['label'] or 'rejected'}"
            for c in self.changed
            if "label" in c.old
        )
        return dict(count.most_common())

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that ``json`` can write."""
        return asdict(self) | {"reasons": self.reasons, "labels": self.labels}


def diff(old: pd.DataFrame, new: pd.DataFrame, *, key: str | None = None) -> Diff:
    """Compare two frames of answers.

    Parameters
    ----------
    old, new : DataFrame
        As `cxjobs.answered.read` returns them.
    key : str, optional
        Column that names a posting. By default ``id`` where both files have ids of their own;
        otherwise postings with the same text are matched in order, then those at the same place.

    Returns
    -------
    Diff
        False where nothing differs.

    Raises
    ------
    DataError
        If the key or a needed column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> def run(label):
    ...     return pd.DataFrame({"id": ["7"], "title": ["Head of CX"], "label": [label],
    ...                          "cx_probability": [0.61], "text_hash": ["a"], "model": ["m"]})
    >>> diff(run("review"), run("cx_management"), key="id").reasons
    {'threshold': 1}
    """
    for frame, name in ((old, "first"), (new, "second")):
        for column in (*NEEDED, *([key] if key else [])):
            if column not in frame.columns:
                listed = ", ".join(map(str, frame.columns))
                raise DataError(f"The {name} file has no column {column!r}. It has: {listed}.")
    if key is None and old.attrs.get("ids") and new.attrs.get("ids"):
        key = "id"
    if key is not None:
        pairs = _by_name(_numbered(old[key]), _numbered(new[key]))
        names = old[key].astype(str).tolist(), new[key].astype(str).tolist()
    else:
        pairs = _by_text(old, new)
        names = [f"row {i + 1}" for i in range(len(old))], [f"row {i + 1}" for i in range(len(new))]
    used = (*ANSWER, "cx_probability", "flags", "text_hash", "model", "title")
    rows = {
        name: (old[name].tolist(), new[name].tolist())
        for name in used
        if name in old and name in new
    }
    changed, moves = [], []
    for i, j in pairs:
        before = {name: values[0][i] for name, values in rows.items()}
        after = {name: values[1][j] for name, values in rows.items()}
        differing = [c for c in ANSWER if c in rows and before[c] != after[c]]
        if not differing:
            moves.append(_move(before, after))
            continue
        changed.append(
            Change(
                key=names[0][i],
                title=str(after.get("title", "")),
                reasons=_reasons(before, after),
                old={c: str(before[c]) for c in differing},
                new={c: str(after[c]) for c in differing},
                old_probability=_plain(before["cx_probability"]),
                new_probability=_plain(after["cx_probability"]),
            )
        )
    seen = {i for i, _ in pairs}, {j for _, j in pairs}
    moves = [move for move in moves if move > SAME]
    return Diff(
        matched=len(pairs),
        changed=tuple(changed),
        only_old=tuple(name for i, name in enumerate(names[0]) if i not in seen[0]),
        only_new=tuple(name for j, name in enumerate(names[1]) if j not in seen[1]),
        moved=len(moves),
        largest_move=round(max(moves, default=0.0), 6),
    )


def _numbered(values: pd.Series[Any]) -> list[Hashable]:
    """Each value with how often it has been there before, so that repeated ones match in order."""
    seen: Counter[str] = Counter()
    out: list[Hashable] = []
    for value in values.astype(str):
        out.append((value, seen[value]))
        seen[value] += 1
    return out


def _by_name(old: list[Hashable], new: list[Hashable]) -> list[tuple[int, int]]:
    place = {name: j for j, name in enumerate(new)}
    return [(i, place[name]) for i, name in enumerate(old) if name in place]


def _by_text(old: pd.DataFrame, new: pd.DataFrame) -> list[tuple[int, int]]:
    """Rows of the same text, in order; what is left, where it stands at the same place."""
    if "text_hash" not in old or "text_hash" not in new:
        return [(i, i) for i in range(min(len(old), len(new)))]
    pairs = _by_name(_numbered(old["text_hash"]), _numbered(new["text_hash"]))
    left = set(range(len(old))) - {i for i, _ in pairs}
    right = set(range(len(new))) - {j for _, j in pairs}
    return sorted([*pairs, *((i, i) for i in left & right)])


def _reasons(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    def differ(column: str) -> bool:
        return column in old and old[column] != new[column]

    moved = _move(old, new) > SAME or differ("role") or differ("practice")
    reasons = []
    if differ("text_hash"):
        reasons.append("text")
    if differ("model") and moved:
        reasons.append("model")
    if not reasons and not moved and differ("label"):
        reasons.append("flags" if differ("flags") else "threshold")
    return tuple(reasons) or ("unknown",)


def _move(old: dict[str, Any], new: dict[str, Any]) -> float:
    """How far the probability moved; to or from a rejected posting it is 1."""
    a, b = _plain(old["cx_probability"]), _plain(new["cx_probability"])
    return float(a is not b) if a is None or b is None else abs(a - b)


def _plain(value: Any) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
