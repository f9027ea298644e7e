"""What a count out of ``n`` says of a share: the exact tail, exact bounds, Wilson's interval.

Light enough for the answering path: what a function needs of libraries it loads itself.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Probability of at most ``k`` successes among ``n`` with chance ``p`` each, exactly.

    Sums the smaller tail from its largest term, so a call costs about ``sqrt(n)`` steps.

    Examples
    --------
    >>> round(binomial_cdf(1, 3, 0.5), 12)
    0.5
    """
    if k < 0:
        return 0.0
    if k >= n or p <= 0:
        return 1.0
    if p >= 1:
        return 0.0
    if k > n * p:
        return 1 - binomial_cdf(n - k - 1, n, 1 - p)
    odds = (1 - p) / p
    choices = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    term = total = math.exp(choices + k * math.log(p) + (n - k) * math.log1p(-p))
    for i in range(k, 0, -1):
        term *= odds * i / (n - i + 1)
        total += term
        if term < total * 1e-17:
            break
    return min(total, 1.0)


def wilson(count: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share (Wilson 1927, JASA 22); (nan, nan) without rows.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(3, 10)]
    [0.108, 0.603]
    """
    from statistics import NormalDist

    if not n:
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, grown = count / n, 1 + z**2 / n
    centre = (share + z**2 / (2 * n)) / grown
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / grown
    # Rounding must not push an end past the share itself.
    return min(max(0.0, centre - half), share), max(min(1.0, centre + half), share)


def clopper_pearson(
    count: ArrayLike, n: ArrayLike, confidence: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Exact lower and upper bound of a share, each one-sided (Clopper & Pearson 1934).

    Parameters
    ----------
    count, n : int or array of int
        So many of ``n``, 0 to ``n``; of none, nothing is known.
    confidence : float
        Of each bound by itself, in (0, 1).

    Examples
    --------
    >>> low, high = clopper_pearson([0, 29, 30], 30, 0.95)
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.851, 0.905], [0.095, 0.998, 1.0])
    """
    import numpy as np
    from scipy.special import betaincinv

    k, n = np.asarray(count), np.asarray(n)
    # betaincinv needs positive parameters; the bounds at the ends are known without it.
    low = betaincinv(np.maximum(k, 1), n - k + 1, 1 - confidence)
    high = betaincinv(k + 1, np.maximum(n - k, 1), confidence)
    return np.where(k > 0, low, 0.0), np.where(k < n, high, 1.0)
