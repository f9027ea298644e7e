"""Shares of postings where counting is not enough: resembling rows, an audit, small groups.

References
----------
Kish (1965), Survey Sampling. Angelopoulos, Bates, Fannjiang, Jordan, Zrnic (2023), Science 382.
Angelopoulos, Duchi, Zrnic (2023), PPI++, arXiv:2311.01453. Gelman et al. (2013), Bayesian
Data Analysis, ch. 5.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxjobs.errors import DataError
from cxjobs.intervals import Interval

Array = NDArray[Any]


def effective_size(values: ArrayLike, groups: ArrayLike) -> float:
    """How many independent rows a mean of grouped rows is worth: at least 1, at most all.

    Rows divided by the design effect, the ratio of the variance of the mean by groups to that by
    rows (Kish 1965, Survey Sampling).

    Examples
    --------
    >>> effective_size([0, 0, 1, 1, 0, 0, 1, 1], [1, 1, 2, 2, 3, 3, 4, 4])
    3.4285714285714284
    """
    x = np.asarray(values, dtype=float)
    _, code = np.unique(np.asarray(groups), return_inverse=True)
    if not code.any():
        return 1.0
    off = x - x.mean()
    sums = np.bincount(code, off)
    by_row = (off**2).sum() / (x.size - 1) * x.size
    by_group = (sums**2).sum() * sums.size / (sums.size - 1)
    return float(x.size / max(by_group / by_row, 1.0)) if by_row else float(sums.size)


def combine(parts: list[Interval], weights: list[float]) -> Interval:
    """Interval of a weighted sum of independent estimates (MOVER; Zou & Donner 2008, Stat. Med.).

    Examples
    --------
    >>> combine([Interval(0.2, 0.1, 0.4), Interval(0.4, 0.3, 0.5)], [0.5, 0.5]).estimate
    0.30000000000000004
    """
    pairs = list(zip(parts, weights, strict=True))
    centre = sum(w * p.estimate for p, w in pairs)
    low = centre - math.sqrt(sum((w * (p.estimate - p.low)) ** 2 for p, w in pairs))
    high = centre + math.sqrt(sum((w * (p.high - p.estimate)) ** 2 for p, w in pairs))
    return Interval(centre, max(low, 0.0), min(high, 1.0))


def audited_share(
    truth: ArrayLike, guess: ArrayLike, others: ArrayLike, *, confidence: float = 0.95
) -> Interval:
    """Prediction-powered share of true ones, with power tuning (PPI++).

    Parameters
    ----------
    truth : array of shape (n,)
        What people coded, 0/1, for a random part of the batch; at least two rows.
    guess : array of shape (n,)
        What the model had guessed there, 0 to 1.
    others : array of shape (m,)
        The model's guesses for the rest of the batch; may be empty.
    confidence : float
        In (0, 1).

    Returns
    -------
    Interval
        In 0 to 1. Valid however wrong the guesses are; the better they are, the narrower. The
        estimate is that of PPI++. Its normal interval covers far too seldom in audits of a few
        dozen, so the ends are those of the audit with two true and two false rows added (the
        device of Agresti & Coull 1998, Am. Stat. 52), with Student's quantile.

    Raises
    ------
    DataError
        If fewer than two rows were coded.

    Examples
    --------
    >>> print(audited_share([1, 0, 0, 1, 0] * 20, [0.9, 0.2, 0.1, 0.7, 0.3] * 20, [0.5] * 500))
    0.460 [0.419, 0.507]
    """
    from scipy.special import stdtrit

    y, f, rest = (np.asarray(a, dtype=float) for a in (truth, guess, others))
    if y.size < 2:
        raise DataError("An audit needs two or more coded postings.")
    estimate, _ = _powered(y, f, rest)
    there = np.array([f[y == v].mean() if (y == v).any() else f.mean() for v in (1, 0)])
    more = np.append(f, [f.mean(), there[0], f.mean(), there[1]])
    centre, error = _powered(np.append(y, [1, 1, 0, 0]), more, rest)
    half = float(stdtrit(y.size - 1, (1 + confidence) / 2)) * error
    estimate = min(max(estimate, 0.0), 1.0)
    return Interval(
        estimate,
        min(max(centre - half, 0.0), estimate),
        max(min(centre + half, 1.0), estimate),
    )


def _powered(y: Array, f: Array, rest: Array) -> tuple[float, float]:
    """Power-tuned estimate and its standard error."""
    n, m = y.size, rest.size
    if not m:
        return float(y.mean()), float(y.std(ddof=1) / math.sqrt(n))
    noise = np.append(f, rest).var(ddof=1)
    shared = ((y - y.mean()) * (f - f.mean())).mean()
    lam = min(max(float(shared / ((1 + n / m) * noise)), 0.0), 1.0) if noise else 0.0
    off = y - lam * f
    variance = off.var(ddof=1) / n + lam**2 * rest.var() / m
    return float(lam * rest.mean() + off.mean()), math.sqrt(variance)


def shifted(probability: ArrayLike, before: float, after: float) -> Array:
    """Probabilities of a class whose share is ``after``, from those for a share of ``before``.

    Bayes' rule on the odds (Saerens, Latinne & Decaestecker 2002, Neural Comput. 14).

    Examples
    --------
    >>> shifted([0.5], 0.5, 0.2).round(3).tolist()
    [0.2]
    """
    p = np.asarray(probability, dtype=float)
    up, down = p * after / before, (1 - p) * (1 - after) / (1 - before)
    shares: Array = up / (up + down)
    return shares


def shrink(
    probability: ArrayLike, groups: ArrayLike, overall: float, *, confidence: float = 0.95
) -> list[Interval]:
    """Shares of many groups, drawn towards the overall one the more, the less a group can tell.

    Hierarchical Bayes on a grid: the groups' shares follow a beta distribution around the overall
    share, its strength unknown (1 to 1,000 postings' worth, flat on the log scale). A posting
    tells of its group's share what its probability says and no more, so doubt about single
    answers widens the interval as few postings do.

    Parameters
    ----------
    probability : array of shape (n,)
        That a posting is true, given the overall share; see :func:`shifted`.
    groups : array of int, shape (n,)
        Group of each posting, 0 to g - 1, none of them empty.
    overall : float
        Share that the probabilities take for granted, inside (0, 1).
    confidence : float
        In (0, 1).

    Returns
    -------
    list of Interval
        One a group, each in 0 to 1. The uncertainty of the overall share is not in them.

    Examples
    --------
    >>> many, few = [0.99] * 30 + [0.01] * 10, [0.99] * 3 + [0.01]
    >>> [round(i.estimate, 2) for i in shrink(many + few, [0] * 40 + [1] * 4, 0.5)]
    [0.7, 0.6]
    """
    p = np.asarray(probability, dtype=float).clip(1e-7, 1 - 1e-7)
    code = np.asarray(groups)
    ratio = p / (1 - p) / (overall / (1 - overall))
    share = (np.arange(_STEPS) + 0.5) / _STEPS
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    told = np.empty((starts.size, _STEPS))
    for i, t in enumerate(share):
        told[:, i] = np.add.reduceat(np.log1p(t * (ratio[order] - 1)), starts)
    told = np.exp(told - told.max(axis=1, keepdims=True))
    beliefs, weights = [], []
    for strength in np.logspace(0, 3, 25):
        log_prior = (overall * strength - 1) * np.log(share)
        log_prior += ((1 - overall) * strength - 1) * np.log1p(-share)
        prior = np.exp(log_prior - log_prior.max())
        joint = told * (prior / prior.sum())
        total = joint.sum(axis=1, keepdims=True)
        beliefs.append(joint / np.maximum(total, 1e-300))
        weights.append(float(np.log(np.maximum(total, 1e-300)).sum()))
    weight = np.exp(np.array(weights) - max(weights))
    belief = np.tensordot(weight / weight.sum(), np.array(beliefs), axes=1)
    below = np.cumsum(belief, axis=1)
    edges = np.arange(_STEPS + 1) / _STEPS
    tails = ((1 - confidence) / 2, (1 + confidence) / 2)
    return [
        Interval(float(row @ share), *(float(np.interp(t, [0.0, *sums], edges)) for t in tails))
        for row, sums in zip(belief, below, strict=True)
    ]


_STEPS = 400
