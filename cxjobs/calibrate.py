"""What turns scores into probabilities that can be believed, found on out-of-fold scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cxjobs.model import softmax
from cxjobs.taxonomy import ROLES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def temperature(scores: Array, roles: NDArray[np.str_]) -> float:
    """Temperature under which role probabilities are most likely (Guo et al. 2017, ICML).

    Parameters
    ----------
    scores : ndarray of shape (repeats, n, 13) or (n, 13)
        Before softmax.
    roles : ndarray of str, shape (n,)
        True roles.

    Returns
    -------
    float
        Greater than 1 where the scores are too sure of themselves.
    """
    from scipy.optimize import minimize_scalar

    flat = scores.reshape(-1, scores.shape[-1])
    codes = np.array([ROLES.index(r) for r in roles])
    codes = np.tile(codes, len(flat) // len(codes))
    rows = np.arange(len(flat))

    def loss(log_temperature: float) -> float:
        p = softmax(flat / np.exp(log_temperature))
        return float(-np.log(p[rows, codes].clip(1e-300)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def practice_levels(scores: Array, truth: Array) -> list[list[float]]:
    """Slope and shift that make the score of each practice element its log-odds (Platt 1999).

    Parameters
    ----------
    scores : ndarray of shape (n, 5)
        Before the sigmoid, in the order of `cxjobs.taxonomy.PRACTICES`.
    truth : ndarray of shape (n, 5)
        0 or 1; missing where it was not coded.

    Returns
    -------
    list of [slope, shift]
        One pair an element, to four digits; [1.0, 0.0] where the scores do not part the coded.

    Examples
    --------
    >>> practice_levels(np.array([[-2.0], [2.0]]), np.array([[1.0], [np.nan]]))
    [[1.0, 0.0]]
    """
    from sklearn.linear_model import LogisticRegression

    found = []
    for score, coded in zip(scores.T, truth.T, strict=True):
        slope, shift = 1.0, 0.0
        kept = ~np.isnan(coded)
        if len(np.unique(coded[kept])) == 2:
            head = LogisticRegression(C=1e4).fit(score[kept, None], coded[kept])
            if head.coef_[0, 0] > 0:
                slope, shift = float(head.coef_[0, 0]), float(head.intercept_[0])
        found.append([round(slope, 4), round(shift, 4)])
    return found
