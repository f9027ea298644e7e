"""The learning curve of a labelled table: what more postings, and their review, have brought."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from cxjobs import evaluate, metrics
from cxjobs.dataset import COMPOSED, REVIEWED, splits
from cxjobs.errors import DataError
from cxjobs.intervals import bootstrap_all
from cxjobs.model import JobClassifier
from cxjobs.taxonomy import CX, ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def curve(
    table: pd.DataFrame,
    estimator: JobClassifier | None = None,
    *,
    shares: Sequence[float] = (0.25, 0.5, 0.75, 1.0),
    n_splits: int = 5,
    seed: int = 0,
    replicates: int = 500,
    tell: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Learning curve by grouped cross-validation, without and with the reviewed rows.

    Every point is scored on the same held-out postings: those that were neither composed nor
    picked for review, which are harder than a fair sample. So the two lines tell what the review
    has brought.

    Parameters
    ----------
    table : DataFrame
        As `cxjobs.dataset.load` returns it.
    estimator : JobClassifier, optional
        Unfitted.
    shares : sequence of float
        Parts of the training groups, in (0, 1]; a smaller part lies within a larger one.
    n_splits, seed : int
        Number of folds, and of the draws.
    replicates : int
        Bootstrap samples behind each interval, drawn by group.
    tell : callable
        Gets a line of progress now and then.

    Returns
    -------
    DataFrame
        A row a point: ``training`` (``all``; or ``before`` and ``after`` where there are reviewed
        rows), ``share``, ``rows`` (mean number trained on), and ``accuracy`` of roles and
        ``average_precision`` of CX management, each with ``_low`` and ``_high`` (95 %).

    Raises
    ------
    DataError
        If there are fewer groups than folds, or nothing to score.
    """
    estimator = estimator or JobClassifier()
    if table["group"].nunique() < n_splits:
        raise DataError(f"{n_splits} folds need as many groups; try fewer folds.")
    reviewed = (table["source"] == REVIEWED).to_numpy()
    fair = (table["basis"] == "posting").to_numpy() & ~reviewed
    fair &= (table["source"] != COMPOSED).to_numpy()
    if not fair.any():
        raise DataError("No posting is left to score: all are composed, reviewed, or bare titles.")
    group = table["group"].to_numpy(str)
    draw = np.random.default_rng(seed)
    place = {g: i for i, g in enumerate(draw.permutation(np.unique(group)).tolist())}
    rank = np.array([place[g] for g in group])
    folds = [
        (train, held[fair[held]])
        for train, held in splits(table, n_splits=n_splits, seed=seed)
        if fair[held].any()
    ]
    points = []
    for name in ("before", "after") if reviewed.any() else ("all",):
        for share in shares:
            tell(f"{name}, {share:.0%} of the training groups")
            p, sizes = np.full((len(table), len(ROLES)), np.nan), []
            for train, held in folds:
                known = train[~reviewed[train]] if name == "before" else train
                last = np.quantile(np.unique(rank[known]), share)
                known = known[rank[known] <= last]
                p[held] = evaluate.answers_held(estimator, table.iloc[known], table.iloc[held])
                sizes.append(len(known))
            points.append(
                {
                    "training": name,
                    "share": share,
                    "rows": round(float(np.mean(sizes))),
                    **_figures(table[fair], p[fair], replicates),
                }
            )
    return pd.DataFrame(points)


def _figures(table: pd.DataFrame, p: Array, replicates: int) -> dict[str, float]:
    right = np.array(ROLES)[p.argmax(axis=1)] == table["role"].to_numpy(str)
    found = bootstrap_all(
        {
            "accuracy": lambda right, truth, p: right.mean(),  # noqa: ARG005
            "average_precision": lambda right, truth, p: metrics.average_precision(truth, p),  # noqa: ARG005
        },
        right,
        evaluate.is_cx(table),
        p[:, ROLES.index(CX)],
        groups=table["group"].to_numpy(str),
        replicates=replicates,
    )
    return {
        f"{name}{end}": value
        for name, interval in found.items()
        for end, value in (
            ("", interval.estimate),
            ("_low", interval.low),
            ("_high", interval.high),
        )
    }
