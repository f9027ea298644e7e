"""How good answers are: numbers from truths and answers, each with an interval.

Statistics of a confusion matrix take the matrix, so that a bootstrap pays for counting once;
statistics of the label take truths (0/1) and probabilities. Nothing here draws, reads a file,
or depends on the order of rows. A statistic that the data do not define (no true posting, one
class only) is nan, never 0.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxjobs.binomial import wilson
from cxjobs.errors import DataError
from cxjobs.intervals import bootstrap_all
from cxjobs.taxonomy import CX, PRACTICES, ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = NDArray[Any]

MIN_SUPPORT = 5
"""Roles with fewer true postings are left out of the macro-F1."""


def confusion(truth: ArrayLike, answer: ArrayLike, classes: Sequence[Any] = ROLES) -> Array:
    """Count answers by truth.

    Parameters
    ----------
    truth, answer : array of shape (n,)
        Members of ``classes``.
    classes : sequence
        Order of rows (truth) and columns (answer).

    Returns
    -------
    array of int, shape (classes, classes)

    Raises
    ------
    DataError
        If lengths differ or a value is no class.

    Examples
    --------
    >>> confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    names = np.asarray(classes)
    order = np.argsort(names)
    codes = []
    for values in (np.asarray(truth), np.asarray(answer)):
        spot = np.searchsorted(names, values, sorter=order).clip(max=names.size - 1)
        code = order[spot]
        if (strange := names[code] != values).any():
            raise DataError(f"{values[strange][0]!r} is not one of the classes {list(classes)}.")
        codes.append(code)
    if codes[0].shape != codes[1].shape:
        raise DataError(f"Truths and answers differ in number: {codes[0].size}, {codes[1].size}.")
    k = names.size
    counts: Array = np.bincount(codes[0] * k + codes[1], minlength=k * k).reshape(k, k)
    return counts


def accuracy(matrix: Array) -> float:
    """Share of answers that are right, 0 to 1."""
    return _ratio(np.trace(matrix), matrix.sum())


def kappa(matrix: Array) -> float:
    """Cohen's kappa: agreement beyond chance, 1 at most (Cohen 1960, Educ. Psych. Meas. 20).

    Examples
    --------
    >>> round(kappa(np.array([[20, 5], [10, 15]])), 10)
    0.4
    """
    n = matrix.sum()
    chance = _ratio(matrix.sum(axis=0) @ matrix.sum(axis=1), n**2)
    return _ratio(accuracy(matrix) - chance, 1 - chance) if n else math.nan


def f1_scores(matrix: Array) -> Array:
    """F1 of each class, 0 to 1; nan for a class neither true nor answered."""
    shares = matrix.sum(axis=0) + matrix.sum(axis=1)
    scores: Array = 2 * np.diag(matrix) / np.where(shares > 0, shares, math.nan)
    return scores


def macro_f1(matrix: Array, kept: Array | None = None) -> float:
    """Mean F1 over the classes that occur, or over the ``kept`` ones (mask of the classes).

    Keep the same classes in every replicate of a bootstrap: those with support in the full data.
    """
    scores = f1_scores(matrix)[matrix.sum(axis=1) > 0 if kept is None else kept]
    return float(np.nanmean(scores)) if not np.isnan(scores).all() else math.nan


def average_precision(truth: ArrayLike, probability: ArrayLike) -> float:
    """Area under the precision-recall steps, 0 to 1; ties count as one step."""
    precision, recall = _precision_recall(truth, probability)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision)) if recall.size else math.nan


def precision_at_recall(truth: ArrayLike, probability: ArrayLike, recall: float = 0.95) -> float:
    """Best precision, 0 to 1, among thresholds that find at least ``recall`` of the true ones.

    Examples
    --------
    >>> precision_at_recall([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    0.6666666666666666
    """
    precision, found = _precision_recall(truth, probability)
    return float(precision[found >= recall - 1e-12].max()) if found.size else math.nan


def _precision_recall(truth: ArrayLike, probability: ArrayLike) -> tuple[Array, Array]:
    """Precision and recall at every distinct probability, from the highest down."""
    y, p = _pair(truth, probability)
    order = np.argsort(-p, kind="stable")
    last = np.flatnonzero(np.diff(p[order], append=-math.inf))
    hits = np.cumsum(y[order])[last]
    if not y.any():
        return np.empty(0), np.empty(0)
    return hits / (last + 1), hits / hits[-1]


def f1(truth: ArrayLike, called: ArrayLike) -> float:
    """F1 of the true ones, 0 to 1; ``called`` is the decision, 0/1."""
    y, c = _pair(truth, called)
    return _ratio(2 * (y * c).sum(), y.sum() + c.sum())


def brier(truth: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared error of the probability, 0 (best) to 1."""
    y, p = _pair(truth, probability)
    return _ratio(((p - y) ** 2).sum(), y.size)


def log_loss(truth: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative log likelihood in nats, 0 best; probabilities are kept 1e-15 off 0 and 1."""
    y, p = _pair(truth, probability)
    p = p.clip(1e-15, 1 - 1e-15)
    return _ratio(-(y * np.log(p) + (1 - y) * np.log1p(-p)).sum(), y.size)


def calibration_error(truth: ArrayLike, probability: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error over equal-mass bins, 0 (best) to 1.

    Mean over postings of the distance between a bin's mean probability and its share of true
    ones (Naeini et al. 2015, AAAI). Equal probabilities share a bin. Never below 0, so in small
    data even a perfectly calibrated model scores above 0, by ``0.4 / sqrt(n / bins)`` or less;
    its bootstrap interval shares that bias, and lies above the truth where that is near 0.
    """
    y, p = _pair(truth, probability)
    which = _bin_of(p, bins)
    gap = np.bincount(which, p - y) if y.size else np.empty(0)
    return _ratio(np.abs(gap).sum(), y.size)


def reliability_table(
    truth: ArrayLike, probability: ArrayLike, bins: int = 10
) -> list[dict[str, float | int]]:
    """Stated against observed share of true ones, a row for each equal-mass bin.

    Columns: ``n``, ``probability`` (mean), ``observed`` (share of true ones), and ``low`` and
    ``high``, the 95 % Wilson interval of the observed share.
    """
    y, p = _pair(truth, probability)
    which = _bin_of(p, bins)
    rows: list[dict[str, float | int]] = []
    for b in np.unique(which):
        inside = which == b
        low, high = wilson(int(y[inside].sum()), int(inside.sum()))
        rows.append(
            {
                "n": int(inside.sum()),
                "probability": float(p[inside].mean()),
                "observed": float(y[inside].mean()),
                "low": low,
                "high": high,
            }
        )
    return rows


def _bin_of(p: Array, bins: int) -> Array:
    """Equal-mass bin of each value; equal values fall into the same one."""
    first = np.searchsorted(np.sort(p), p, side="left")
    return first * bins // max(p.size, 1)


def coverage_risk(wrong: ArrayLike, confidence: ArrayLike) -> tuple[Array, Array]:
    """Share of errors among the surest answers, for every number of them.

    Parameters
    ----------
    wrong : array of shape (n,)
        1 where the answer is wrong, else 0.
    confidence : array of shape (n,)
        Higher is surer. Equal ones are taken in random order, in expectation.

    Returns
    -------
    coverage, risk : arrays of shape (n,)
        Share of postings answered, rising to 1, and share of errors among these. The mean risk
        is the area under the curve (Geifman & El-Yaniv 2017, NeurIPS).
    """
    error, sure = _pair(wrong, confidence)
    _, tie, size = np.unique(-sure, return_inverse=True, return_counts=True)
    shared = np.bincount(tie, error, minlength=size.size) / size
    taken = np.arange(1, error.size + 1)
    return taken / max(error.size, 1), np.cumsum(np.repeat(shared, size)) / taken


def risk_area(wrong: ArrayLike, confidence: ArrayLike) -> float:
    """Area under the coverage-risk curve, 0 (best) to 1."""
    risk = coverage_risk(wrong, confidence)[1]
    return float(risk.mean()) if risk.size else math.nan


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Array, Array]:
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if a.ndim != 1 or a.shape != b.shape:
        raise DataError(f"Two columns of equal length are needed; got shapes {a.shape}, {b.shape}.")
    if np.isnan(a).any() or np.isnan(b).any():
        raise DataError("A truth or probability is missing (nan); leave such rows out, and say so.")
    return a, b


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def summary(
    truth: ArrayLike,
    probability: ArrayLike,
    *,
    practice: ArrayLike | None = None,
    practice_probability: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    replicates: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """All figures of one evaluation as one plain dict, ready for JSON.

    Parameters
    ----------
    truth : array of str, shape (n,)
        True roles.
    probability : array of shape (n, 13)
        Role probabilities in the order of ``ROLES``; the answer is the highest one.
    practice, practice_probability : arrays of shape (n, 5), optional
        True practice elements, 0/1 or nan where not coded, and their probabilities.
    groups : array of shape (n,), optional
        Rows to be resampled together, such as those of one employer.
    replicates, seed, confidence
        See :func:`cxjobs.intervals.bootstrap`.

    Returns
    -------
    dict
        ``n``, ``groups``, ``confidence``; ``role``, ``label`` and ``practice`` with
        ``{name: {estimate, low, high}}``; ``per_role`` (a record each); ``confusion`` (rows
        truth, columns answer, order of ``ROLES``); ``reliability`` (see
        :func:`reliability_table`); ``coverage_risk`` of roles and label at 5, 10, ... 100 %.
        What the data don't define is None.
    """
    roles = np.asarray(truth)
    p = np.asarray(probability, dtype=float)
    if p.shape != (roles.size, len(ROLES)):
        raise DataError(
            f"Role probabilities must have shape {(roles.size, len(ROLES))}: {p.shape}."
        )
    cx = p[:, ROLES.index(CX)]
    answer = np.asarray(ROLES)[p.argmax(axis=1)]
    matrix = confusion(roles, answer)
    support = matrix.sum(axis=1)
    kept = support >= MIN_SUPPORT
    y = (roles == CX).astype(float)
    codes = np.array([ROLES.index(role) for role in roles], dtype=int)

    def counted(statistic: Callable[..., float], *more: Any) -> Callable[..., float]:
        return lambda t, a: statistic(confusion(t, a, range(len(ROLES))), *more)

    resample = partial(
        bootstrap_all, groups=groups, replicates=replicates, seed=seed, confidence=confidence
    )

    def intervals(statistics: dict[Any, Any], *arrays: Array) -> dict[Any, Any]:
        return {name: found.to_dict() for name, found in resample(statistics, *arrays).items()}

    role = intervals(
        {
            "accuracy": counted(accuracy),
            "macro_f1": counted(macro_f1, kept),
            "kappa": counted(kappa),
        }
        | {i: counted(lambda m, i: float(f1_scores(m)[i]), i) for i in range(len(ROLES))},
        codes,
        p.argmax(axis=1),
    )
    label = intervals(
        {
            "average_precision": average_precision,
            "f1": lambda t, q: f1(t, q >= 0.5),
            "precision_at_95_recall": precision_at_recall,
            "brier": brier,
            "log_loss": log_loss,
            "calibration_error": calibration_error,
            "risk_area": lambda t, q: risk_area((q >= 0.5) != t, np.abs(q - 0.5)),
        },
        y,
        cx,
    )
    elements = {}
    if practice is not None and practice_probability is not None:
        coded = np.asarray(practice, float), np.asarray(practice_probability, float)
        columns = {name: partial(_coded_precision, i) for i, name in enumerate(PRACTICES)}
        elements = intervals(columns, *coded)
    return {
        "n": int(roles.size),
        "groups": None if groups is None else int(np.unique(np.asarray(groups)).size),
        "confidence": confidence,
        "role": {name: role[name] for name in ("accuracy", "macro_f1", "kappa")},
        "label": label,
        "practice": elements,
        "per_role": [
            {
                "role": name,
                "support": int(support[i]),
                "answered": int(matrix[:, i].sum()),
                "precision": _none(_ratio(matrix[i, i], matrix[:, i].sum())),
                "recall": _none(_ratio(matrix[i, i], support[i])),
                "f1": role[i],
            }
            for i, name in enumerate(ROLES)
        ],
        "confusion": matrix.tolist(),
        "reliability": reliability_table(y, cx),
        "coverage_risk": {
            "role": _points(answer != roles, p.max(axis=1, initial=0)),
            "label": _points((cx >= 0.5) != y, np.abs(cx - 0.5)),
        },
    }


def table(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows ``subject, metric, estimate, low, high`` of what :func:`summary` gave.

    ``pandas.DataFrame(table(figures))`` makes a frame of it.
    """
    rows = [
        {"subject": subject, "metric": name, **interval}
        for subject in ("role", "label")
        for name, interval in figures[subject].items()
    ]
    rows += [
        {"subject": name, "metric": "average_precision", **interval}
        for name, interval in figures["practice"].items()
    ]
    return rows + [
        {"subject": row["role"], "metric": "f1", **row["f1"]} for row in figures["per_role"]
    ]


def _coded_precision(column: int, truth: Array, probability: Array) -> float:
    coded = ~np.isnan(truth[:, column])
    return average_precision(truth[coded, column], probability[coded, column])


def _points(wrong: Array, confidence: Array) -> list[dict[str, float]]:
    """Twenty points of the coverage-risk curve: the surest 5 %, 10 %, ... 100 % of the answers."""
    coverage, risk = coverage_risk(wrong, confidence)
    spots = np.unique(np.ceil(np.arange(1, 21) / 20 * risk.size).astype(int))
    return [{"coverage": float(coverage[i - 1]), "risk": float(risk[i - 1])} for i in spots if i]


def _none(value: float) -> float | None:
    return None if math.isnan(value) else value
