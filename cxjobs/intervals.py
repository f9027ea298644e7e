"""Confidence intervals by resampling whole groups.

Rows of one employer resemble each other. Resampling them one by one would make every interval
too narrow, so they are drawn together or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxjobs.errors import DataError

Array = NDArray[Any]
Statistic = Callable[..., float]
Name = TypeVar("Name", bound=Hashable)

_NORMAL = NormalDist()


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval; nan where the data define none."""

    estimate: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Plain values for JSON; nan becomes None."""
        return {k: None if math.isnan(v) else v for k, v in asdict(self).items()}

    def __str__(self) -> str:
        return f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}]"


def shown(interval: Mapping[str, float | None]) -> str:
    """What :meth:`Interval.to_dict` gave, as text.

    Examples
    --------
    >>> shown({"estimate": 0.5, "low": 0.25, "high": 0.75})
    '0.500 [0.250, 0.750]'
    """
    bounds = f" [{number(interval['low'])}, {number(interval['high'])}]"
    return number(interval["estimate"]) + ("" if interval["low"] is None else bounds)


def number(value: float | None) -> str:
    """Three digits; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def bootstrap(
    statistic: Statistic,
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    replicates: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Interval of one statistic by resampling rows, or whole groups of rows.

    Bias-corrected and accelerated percentiles (BCa; Efron 1987, JASA 82), the acceleration from
    a jackknife over at most 200 blocks of groups.

    Parameters
    ----------
    statistic : callable
        Takes the arrays, returns a number. Replicates where it is nan are left out.
    *arrays : arrays of shape (n, ...)
        Rows that belong together stand at the same place.
    groups : array of shape (n,), optional
        Rows with equal values are drawn together; None draws single rows. With fewer than some
        30 groups the interval is too narrow.
    replicates : int
        At least 1.
    seed : int
        The same seed and arrays give the same interval.
    confidence : float
        Of the two-sided interval, in (0, 1).

    Returns
    -------
    Interval
        Its ends are nan if half of the replicates or more are nan.

    Raises
    ------
    DataError
        If the arrays differ in length.

    Examples
    --------
    >>> found = bootstrap(np.mean, np.arange(100.0))
    >>> bool(found.low < 49.5 < found.high)
    True
    """
    return bootstrap_all(
        {"": statistic},
        *arrays,
        groups=groups,
        replicates=replicates,
        seed=seed,
        confidence=confidence,
    )[""]


def bootstrap_all(
    statistics: Mapping[Name, Statistic],
    *arrays: ArrayLike,
    groups: ArrayLike | None = None,
    replicates: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[Name, Interval]:
    """As :func:`bootstrap`, for several statistics of the same resampled arrays."""
    columns = [np.asarray(a) for a in arrays]
    n = len(columns[0])
    if any(len(c) != n for c in columns) or (groups is not None and len(np.asarray(groups)) != n):
        raise DataError("Arrays and groups must have the same number of rows.")

    def values(rows: Array | slice) -> list[float]:
        taken = [c[rows] for c in columns]
        return [float(s(*taken)) for s in statistics.values()]

    if not n:
        return {name: Interval(math.nan, math.nan, math.nan) for name in statistics}
    estimates = values(slice(None))
    members = None if groups is None else group_rows(groups)
    units = np.arange(n if members is None else len(members))

    def rows_of(chosen: Array) -> Array:
        return chosen if members is None else np.concatenate([members[unit] for unit in chosen])

    rng = np.random.default_rng(seed)
    drawn = np.array([values(rows_of(rng.choice(units, units.size))) for _ in range(replicates)])
    blocks = np.array_split(rng.permutation(units), min(units.size, 200))
    left = np.array([values(rows_of(np.delete(units, b))) for b in blocks if len(units) > 1])
    left = left.reshape(-1, len(statistics))
    return {
        name: Interval(estimate, *bca_ends(estimate, drawn[:, i], left[:, i], confidence))
        for i, (name, estimate) in enumerate(zip(statistics, estimates, strict=True))
    }


def bca_ends(estimate: float, drawn: Array, left: Array, confidence: float) -> tuple[float, float]:
    """BCa ends from bootstrap replicates and the jackknife's leave-block-out values."""
    defined = ~np.isnan(drawn)
    if math.isnan(estimate) or defined.mean() <= 0.5:
        return math.nan, math.nan
    drawn = drawn[defined]
    # Equal values count half, else a statistic with few values would be pushed to one side.
    below = float((drawn < estimate).mean() + (drawn == estimate).mean() / 2)
    edge = 0.5 / drawn.size
    shift = _NORMAL.inv_cdf(min(max(below, edge), 1 - edge))
    left = left[~np.isnan(left)]
    gap = left.mean() - left if left.size else left
    scale = float((gap**2).sum()) ** 1.5
    skew = float((gap**3).sum()) / (6 * scale) if scale else 0.0
    ends = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = shift + _NORMAL.inv_cdf(tail)
        ends.append(_NORMAL.cdf(shift + z / max(1 - skew * z, 0.1)))
    low, high = np.quantile(drawn, ends)
    return float(low), float(high)


def group_rows(groups: ArrayLike) -> list[Array]:
    """Row numbers of each group, the groups in sorted order."""
    _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return np.split(np.argsort(code, kind="stable"), np.cumsum(size)[:-1])
