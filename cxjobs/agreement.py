"""How far coders agree: Krippendorff's alpha, Cohen's kappa, agreement on each value.

A coding is a value that one coder gave to one unit (posting). Values are nominal: two codings
agree or they don't. Units coded by fewer than two coders say nothing about agreement; they are
counted and left out.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxjobs.errors import DataError
from cxjobs.intervals import Interval, bootstrap_all
from cxjobs.metrics import confusion, kappa

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[Any]


@dataclass(frozen=True)
class Value:
    """Agreement on one value (role).

    Attributes
    ----------
    value : str
        The role, or any other coded value.
    codings : int
        How often it was given to a unit with at least two codings.
    agreement : Interval
        Specific agreement: given that one coder chose the value, the chance that another coder
        of the same unit did too, 0 to 1 (Cicchetti & Feinstein 1990; Uebersax 2003).
    alpha : Interval
        Krippendorff's alpha of "this value or any other".
    """

    value: str
    codings: int
    agreement: Interval
    alpha: Interval


@dataclass(frozen=True)
class Pair:
    """Cohen's kappa of two coders over the ``units`` that both coded."""

    first: str
    second: str
    units: int
    agreement: Interval
    kappa: Interval


@dataclass(frozen=True)
class Agreement:
    """What :func:`agreement` found. Intervals are nan where the data define none.

    Attributes
    ----------
    units, compared : int
        All units, and those with at least two codings, which everything below is about.
    alpha : Interval
        Krippendorff's alpha: 1 perfect, 0 as by chance, below 0 worse than chance.
    agreement : Interval
        Chance that two codings of one unit agree, 0 to 1, pairs of codings weighing equally
        within a unit and units by their codings.
    pairs : tuple of Pair
        Every two coders.
    values : tuple of Value
        Every value, in the order of the values given, else sorted.
    disagreements : tuple of int
        Row numbers of the units whose codings differ, the most divided first.
    confidence : float
        Of the intervals.
    """

    units: int
    compared: int
    alpha: Interval
    agreement: Interval
    pairs: tuple[Pair, ...]
    values: tuple[Value, ...]
    disagreements: tuple[int, ...]
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; nan becomes None."""

        def plain(thing: Any) -> Any:
            if isinstance(thing, dict):
                return {k: plain(v) for k, v in thing.items()}
            if isinstance(thing, (list, tuple)):
                return [plain(v) for v in thing]
            return None if isinstance(thing, float) and math.isnan(thing) else thing

        found: dict[str, Any] = plain(asdict(self))
        return found


def agreement(
    ratings: ArrayLike,
    *,
    coders: Sequence[str] | None = None,
    values: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    replicates: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Agreement:
    """Measure the agreement of a wide table: a row a unit, a column a coder.

    Parameters
    ----------
    ratings : array of shape (units, coders)
        Values; None, nan and "" mean not coded. See :func:`wide` for a long table.
    coders : sequence of str, optional
        Names of the columns; 1, 2, ... by default.
    values : sequence of str, optional
        All values in the order wanted; by default those that occur, sorted. Values that never
        occur are left out of the result.
    groups : array of shape (units,), optional
        Units to be resampled together, such as the postings of one employer.
    replicates, seed, confidence
        See :func:`cxjobs.intervals.bootstrap`; units are resampled, coders are not.

    Returns
    -------
    Agreement

    Raises
    ------
    DataError
        If there are fewer than two coders, or a value is not among ``values``.

    Examples
    --------
    >>> table = [["sales", "sales"], ["other", "other"], ["sales", "other"], ["sales", None]]
    >>> found = agreement(table, coders=["ann", "bob"], replicates=50)
    >>> found.compared, round(found.alpha.estimate, 3), found.disagreements
    (3, 0.444, (2,))
    """
    cells = _cells(ratings)
    names = [str(i + 1) for i in range(cells.shape[1])] if coders is None else list(coders)
    if cells.shape[1] < 2 or len(names) != cells.shape[1]:
        raise DataError(
            f"Agreement needs two or more coders, each with a name: {cells.shape[1]} columns of "
            f"codings, {len(names)} names."
        )
    given = np.unique(cells[cells != ""])
    known = list(given) if values is None else [value for value in values if value in given]
    if strange := sorted(set(given) - set(known)):
        raise DataError(f"{str(strange[0])!r} is not one of the values {', '.join(values or ())}.")
    counts = (cells[:, :, None] == np.array(known, dtype=cells.dtype)).sum(axis=1)
    compared = counts.sum(axis=1) > 1
    group = np.arange(len(cells)) if groups is None else np.asarray(groups)
    resample = partial(bootstrap_all, replicates=replicates, seed=seed, confidence=confidence)
    whole = resample(
        {"alpha": alpha, "agreement": shared}
        | {("agreement", i): partial(specific, value=i) for i in range(len(known))}
        | {("alpha", i): partial(alpha, value=i) for i in range(len(known))},
        counts[compared],
        groups=group[compared],
    )
    pairs = []
    for a, b in combinations(range(len(names)), 2):
        both = (cells[:, a] != "") & (cells[:, b] != "")
        codes = np.searchsorted(given, cells[both][:, [a, b]])
        found = resample(
            {"kappa": partial(_pair_kappa, k=given.size), "agreement": _same},
            codes,
            groups=group[both],
        )
        pairs.append(Pair(names[a], names[b], int(both.sum()), found["agreement"], found["kappa"]))
    return Agreement(
        units=len(cells),
        compared=int(compared.sum()),
        alpha=whole["alpha"],
        agreement=whole["agreement"],
        pairs=tuple(pairs),
        values=tuple(
            Value(
                str(value),
                int(counts[compared, i].sum()),
                whole["agreement", i],
                whole["alpha", i],
            )
            for i, value in enumerate(known)
        ),
        disagreements=_divided(counts),
        confidence=confidence,
    )


def alpha(counts: Array, value: int | None = None) -> float:
    """Krippendorff's nominal alpha from how often each unit was given each value.

    Krippendorff (2019), Content Analysis, 4th ed., ch. 12. Missing codings are those not
    counted; units with fewer than two are left out.

    Parameters
    ----------
    counts : array of int, shape (units, values)
    value : int, optional
        Column to hold against all others together.

    Returns
    -------
    float
        At most 1; nan if no two codings can be compared or all are the same value.

    Examples
    --------
    >>> round(alpha(np.array([[2, 0], [0, 2], [1, 1]])), 3)
    0.444
    """
    if value is not None:
        counts = np.stack([counts[:, value], counts.sum(axis=1) - counts[:, value]], axis=1)
    counts, same = _pairable(counts)
    total = counts.sum(axis=0)
    n = total.sum()
    different = n * n - (total * total).sum()
    return float(1 - (n - 1) * (n - same.sum()) / different) if different else math.nan


def shared(counts: Array) -> float:
    """Chance that two codings of one unit agree, 0 to 1; nan if none can be compared."""
    counts, same = _pairable(counts)
    return float(same.sum() / counts.sum()) if counts.any() else math.nan


def specific(counts: Array, value: int) -> float:
    """Chance that another coder of the unit chose the value too, given that one did; or nan."""
    counts, same = _pairable(counts)
    given = counts[:, value].sum()
    return float(same[value] / given) if given else math.nan


def _pairable(counts: Array) -> tuple[Array, Array]:
    """Units with two codings or more, and agreeing codings of each value (coincidences)."""
    coded = counts.sum(axis=1)
    counts, coded = counts[coded > 1], coded[coded > 1]
    return counts, (counts * (counts - 1) / (coded[:, None] - 1)).sum(axis=0)


def wide(
    units: ArrayLike, coders: ArrayLike, ratings: ArrayLike
) -> tuple[list[str], list[str], Array]:
    """Turn a long table (one coding a row) into units, coders, and codings of both.

    Returns
    -------
    units, coders : list of str
        In the order of first appearance.
    ratings : array of str, shape (units, coders)
        "" where not coded.

    Raises
    ------
    DataError
        If lengths differ, or one coder gave one unit two different values.

    Examples
    --------
    >>> wide(["p1", "p1", "p2"], ["ann", "bob", "ann"], ["sales", "other", "sales"])[2].tolist()
    [['sales', 'other'], ['sales', '']]
    """
    found: dict[tuple[str, str], str] = {}
    columns = [_cells(column) for column in (units, coders, ratings)]
    if len({column.shape for column in columns}) > 1:
        raise DataError("A long table needs a unit, a coder and a value in each row.")
    for unit, coder, value in zip(*(column.tolist() for column in columns), strict=True):
        if value and found.setdefault((unit, coder), value) != value:
            raise DataError(f"Coder {coder} gave unit {unit} two values: keep one of them.")
    rows, names = list(dict.fromkeys(columns[0].tolist())), list(dict.fromkeys(columns[1].tolist()))
    table = [[found.get((row, name), "") for name in names] for row in rows]
    return rows, names, np.array(table, dtype=str).reshape(len(rows), len(names))


def _cells(ratings: ArrayLike) -> Array:
    """Ratings as stripped strings, "" where not coded."""
    raw = np.asarray(ratings, dtype=object)
    cells: Array = np.array([_text(value) for value in raw.flat], dtype=str).reshape(raw.shape)
    return cells


def _text(value: Any) -> str:
    if value is None or type(value).__name__ in {"NAType", "NaTType"} or value != value:
        return ""
    return str(value).strip()


def _pair_kappa(codes: Array, k: int) -> float:
    return kappa(confusion(codes[:, 0], codes[:, 1], range(k)))


def _same(codes: Array) -> float:
    return float((codes[:, 0] == codes[:, 1]).mean())


def _divided(counts: Array) -> tuple[int, ...]:
    """Units whose codings differ: least agreement first, then in the order of rows."""
    coded = np.maximum(counts.sum(axis=1), 1)
    top = counts.max(axis=1, initial=0) / coded
    order = np.argsort(top, kind="stable")
    return tuple(int(i) for i in order if 0 < top[i] < 1)
