"""Honest scores: grouped cross-validation, so that every figure is of a posting not trained on.

Folds are stratified by role and never part a group (the rows of one employer); they are drawn
anew for each repeat. Composed rows train but don't count in figures. Both bases are scored on the
same postings: *posting* by title and description, *title* by the title alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cxjobs import metrics
from cxjobs.dataset import COMPOSED, splits
from cxjobs.errors import DataError
from cxjobs.model import JobClassifier, sigmoid, softmax
from cxjobs.taxonomy import CX, PRACTICES, ROLES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

BASES = ("posting", "title")
"""What an answer can rest on."""


COMPOSED_TITLES = 0.25
"""Weight of a composed posting's title in the title basis."""


@dataclass(frozen=True)
class OutOfFold:
    """Scores of every posting by models that have not seen its group.

    Attributes
    ----------
    frame : DataFrame
        The labelled rows that have a description, in order.
    scores : dict of str to ndarray, shape (repeats, n, 18)
        Per basis, before temperature, softmax and sigmoid.
    """

    frame: pd.DataFrame
    scores: dict[str, Array]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Rows that count in figures: the composed ones don't. Shape (n,)."""
        return np.asarray(self.frame["source"] != COMPOSED)

    def probabilities(self, basis: str, temperature: float = 1.0) -> Array:
        """Role probabilities of each repeat: shape (repeats, n, 13)."""
        return np.stack([softmax(s[:, : len(ROLES)] / temperature) for s in self.scores[basis]])

    def practice(self, basis: str, temperature: float = 1.0) -> Array:
        """Probabilities of the practice elements of each repeat: shape (repeats, n, 5)."""
        return np.stack([sigmoid(s[:, len(ROLES) :] / temperature) for s in self.scores[basis]])


def out_of_fold(
    frame: pd.DataFrame,
    estimator: JobClassifier | None = None,
    *,
    n_splits: int = 5,
    repeats: int = 3,
    seed: int = 0,
) -> OutOfFold:
    """Score every posting by models that have not seen its group.

    Parameters
    ----------
    frame : DataFrame
        The labelled table, as `cxjobs.dataset.load` returns it.
    estimator : JobClassifier, optional
        Unfitted; its temperatures are ignored.
    n_splits, repeats : int
        Folds, and how often they are drawn anew.
    seed : int
        Of the first draw; the next ones count up.

    Raises
    ------
    DataError
        If there are fewer groups than folds.
    """
    estimator = estimator or JobClassifier()
    if frame["group"].nunique() < n_splits:
        raise DataError(
            f"{n_splits} folds need as many groups; there are {frame['group'].nunique()}."
        )
    fresh = {**estimator.get_params(), "posting_temperature": 1.0, "title_temperature": 1.0}
    scores = {basis: np.full((repeats, len(frame), 18), np.nan) for basis in BASES}
    for repeat in range(repeats):
        for train, held in splits(frame, n_splits=n_splits, seed=seed + repeat):
            model = fit(JobClassifier(**fresh), frame.iloc[train])
            told = held[(frame["basis"].iloc[held] == "posting").to_numpy()]
            for basis in BASES:
                scores[basis][repeat, told] = model.scores(frame.iloc[told], basis)
    postings = (frame["basis"] == "posting").to_numpy()
    return OutOfFold(
        frame[postings].reset_index(drop=True), {b: s[:, postings] for b, s in scores.items()}
    )


def fit(estimator: JobClassifier, frame: pd.DataFrame) -> JobClassifier:
    """Fit on labelled rows as the shipped model is fitted.

    Composed postings were written to be hard, often by a misleading title; a bare title is to be
    judged by what real titles mean, so theirs count for `COMPOSED_TITLES` there.
    """
    written = (frame["source"] == COMPOSED) & (frame["basis"] == "posting")
    return estimator.fit(
        frame,
        frame[["role", *PRACTICES]],
        bare_title_weight=np.where(written, COMPOSED_TITLES, 1.0),
    )


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


def figures(
    result: OutOfFold, basis: str, temperature: float, *, replicates: int = 1000
) -> dict[str, Any]:
    """All figures of one basis, with intervals over groups.

    They are of the first draw of the folds, because repeats are not more data; the headline
    figures of every draw stand under ``draws``, to show what the drawing alone moves.

    Parameters
    ----------
    result : OutOfFold
        Of `out_of_fold`.
    basis : {"posting", "title"}
        What the answers rest on.
    temperature : float
        Of the basis.
    replicates : int
        Bootstrap samples behind each interval.

    Returns
    -------
    dict
        As `cxjobs.metrics.summary`, and ``draws``.
    """
    keep = result.scored
    frame = result.frame[keep]
    roles = frame["role"].to_numpy(str)
    p = result.probabilities(basis, temperature)[:, keep]
    summary = metrics.summary(
        roles,
        p[0],
        practice=frame[list(PRACTICES)].to_numpy(float),
        practice_probability=result.practice(basis, temperature)[0, keep],
        groups=frame["group"].to_numpy(str),
        replicates=replicates,
    )
    summary["draws"] = {
        "accuracy": [float((np.array(ROLES)[q.argmax(axis=1)] == roles).mean()) for q in p],
        "average_precision": [metrics.average_precision(roles == CX, q[:, 0]) for q in p],
    }
    return summary


def is_cx(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each labelled row is true CX management."""
    return np.asarray(frame["role"] == CX)
