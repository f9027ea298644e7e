"""Which postings are worth a person's time, and what the time has brought.

Picks postings that the model doubts and that differ from each other, after those whose given
label looks wrong; draws the learning curve with and without what has been reviewed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from cxjobs import evaluate, metrics, prevalence
from cxjobs.dataset import COMPOSED, splits
from cxjobs.errors import DataError
from cxjobs.features import Block
from cxjobs.flags import distrusted, repeated
from cxjobs.intervals import bootstrap_all
from cxjobs.model import JobClassifier
from cxjobs.taxonomy import CX, REVIEW, ROLES, label_of
from cxjobs.text import clean, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

REVIEWED = "review"
"""The ``source`` of rows that came from a sheet."""

NEEDED = (
    "label", "cx_probability", "role", "role_probability",
    "runner_up", "runner_up_probability", "status", "flags",
)  # fmt: skip
"""Columns of the answer without which nothing can be picked."""

USELESS = frozenset({"no_title", "not_english"})
"""Flags of postings that the codebook has no answer for."""

POOL = 10
"""Doubtful postings among which one is picked for its difference from the others."""

SHOWN = 6000
"""Characters of a description on a sheet; the coder answers for what is shown."""


def pick(frame: pd.DataFrame, n: int) -> pd.DataFrame:
    """Pick postings for a person to code.

    Where there are labels, the suspected errors come first (`suspects`). The rest is taken from
    the `POOL` x n most doubtful ones (`doubt`), each time the one whose doubt times its distance
    from all picked ones is greatest: farthest-first traversal (Gonzalez 1985, Theor. Comput. Sci.
    38), weighted. Rejected and repeated postings and those of `USELESS` flags are left out.

    Parameters
    ----------
    frame : DataFrame
        As `cxjobs.answered.read` returns it; a column ``coded`` may hold roles that were given to
        the postings, empty where none was.
    n : int
        How many at most.

    Returns
    -------
    DataFrame
        The picked rows in order of their use, and a column ``why``.

    Raises
    ------
    DataError
        If a value of ``coded`` is no role, or one of ``role`` and ``runner_up``.

    Examples
    --------
    >>> answers = pd.DataFrame({
    ...     "title": ["Head of CX", "CX Lead", "Sales Rep"], "description": "", "status": "ok",
    ...     "label": ["cx_management", "review", "conflated"], "flags": "",
    ...     "cx_probability": [0.97, 0.5, 0.01],
    ...     "role": ["cx_management", "cx_management", "sales"],
    ...     "role_probability": [0.97, 0.5, 0.9], "runner_up": "call_center",
    ...     "runner_up_probability": [0.02, 0.4, 0.05]})
    >>> pick(answers, 1)["why"].tolist()
    ['review: cx_management 50%, call_center 40%']
    """
    useless = frame["flags"].map(lambda f: repeated(f) or not USELESS.isdisjoint(f.split(",")))
    frame = frame[(frame["status"] == "ok") & ~useless].reset_index(drop=True)
    first: list[int] = []
    if "coded" in frame:
        coded = np.flatnonzero(frame["coded"] != "")
        wrong = suspects(frame["coded"].to_numpy(str)[coded], prevalence.looks(frame)[coded])
        first = coded[wrong][:n].tolist()
    doubts = doubt(frame)
    doubts[first] = -1.0
    pool = np.argsort(-doubts, kind="stable")[: max(POOL * n, 0)]
    pool = pool[doubts[pool] >= 0]
    rest = pool[spread(_texts(frame.iloc[pool]), doubts[pool], n - len(first))]
    picked = frame.iloc[[*first, *rest.tolist()]].copy()
    picked["why"] = [_why(row, i < len(first)) for i, row in enumerate(picked.to_dict("records"))]
    return picked


def doubt(frame: pd.DataFrame) -> Array:
    """Doubt about each answer, 0 to 1: the mean of three signs of it.

    They are the label ``review`` (where it isn't for a text that can't be trusted), the entropy of
    the probability of CX management in bits, and how near the runner-up's probability is to the
    role's.
    """
    trusted = ~frame["flags"].map(distrusted)
    p = frame["cx_probability"].to_numpy(float).clip(1e-12, 1 - 1e-12)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    lead = (frame["role_probability"] - frame["runner_up_probability"]).to_numpy(float)
    undecided = ((frame["label"] == REVIEW) & trusted).to_numpy(float)
    return np.asarray((undecided + entropy + 1 - lead) / 3)


def spread(texts: Sequence[str], weight: Array, n: int) -> NDArray[np.intp]:
    """Positions of at most n texts, picked in turn by weight times distance from the picked ones.

    Distance is 1 - cosine of the TF-IDF vectors.

    Examples
    --------
    >>> weight = np.array([0.9, 0.8, 0.7])
    >>> spread(["calls chats", "calls chats", "journey maps"], weight, 2).tolist()
    [0, 2]
    """
    n = min(n, len(texts))
    if n < 1:
        return np.empty(0, np.intp)
    try:
        rows = Block("description", 1).vectorizer().fit_transform(texts)
    except ValueError:  # no text holds a word
        return np.argsort(-weight, kind="stable")[:n]
    distance = np.ones(len(texts))
    left = weight.astype(float) + 1e-9
    chosen = []
    for _ in range(n):
        best = int(np.argmax(left * (distance + 1e-9)))
        chosen.append(best)
        left[best] = -1.0
        distance = np.minimum(distance, 1 - (rows @ rows[best].T).toarray().ravel()).clip(0)
    return np.array(chosen)


def suspects(coded: NDArray[np.str_], probability: Array) -> NDArray[np.intp]:
    """Rows whose given role looks wrong, the most suspicious first.

    Confident learning (Northcutt, Jiang and Chuang 2021, J. Artif. Intell. Res. 70): a row counts
    as another role's if its probability of it reaches the mean that rows given that role have,
    and if its given role is not the most probable. They are ordered by how far the given role's
    probability falls behind.

    Parameters
    ----------
    coded : ndarray of str, shape (n,)
        Given roles.
    probability : ndarray, shape (n, 13)
        By models that have not seen the row, order of `cxjobs.taxonomy.ROLES`.

    Returns
    -------
    ndarray of int
        Positions.

    Raises
    ------
    DataError
        If a given role is none.
    """
    if strange := sorted(set(map(str, coded)) - set(ROLES)):
        raise DataError(f"{strange[0]!r} is no role. Known: {', '.join(ROLES)}.")
    given = np.array([ROLES.index(role) for role in coded], dtype=int)
    rows = np.arange(len(given))
    own = probability[rows, given]
    usual = np.array(
        [own[given == k].mean() if (given == k).any() else np.inf for k in range(len(ROLES))]
    )
    reached = probability >= usual - 1e-12
    counted = np.where(reached, probability, -1.0).argmax(axis=1)
    wrong = reached.any(axis=1) & (counted != given) & (probability.argmax(axis=1) != given)
    behind = probability.max(axis=1, initial=0.0) - own
    found = np.flatnonzero(wrong)
    return np.asarray(found[np.argsort(-behind[found], kind="stable")])


def answer_out_of_fold(
    table: pd.DataFrame,
    estimator: JobClassifier | None = None,
    *,
    n_splits: int = 5,
    seed: int = 0,
    tell: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Answers for a labelled table by models that have not seen the row's employer.

    Parameters
    ----------
    table : DataFrame
        As `cxjobs.dataset.load` returns it.
    estimator : JobClassifier, optional
        Unfitted.
    n_splits, seed : int
        Number of folds, and of their draw.
    tell : callable
        Gets a line of progress now and then.

    Returns
    -------
    DataFrame
        As `pick` takes it, with the given roles as ``coded``.
    """
    estimator = estimator or JobClassifier()
    p = np.zeros((len(table), len(ROLES)))
    for k, (train, held) in enumerate(splits(table, n_splits=n_splits, seed=seed), start=1):
        tell(f"answering out of fold, part {k}")
        p[held] = _answers_of(estimator, table.iloc[train], table.iloc[held])
    answers = prevalence.told(p)
    return pd.DataFrame(
        {
            "id": table["id"].to_numpy(),
            "title": table["title"].to_numpy(),
            "description": table["description"].to_numpy(),
            "company": "",
            "label": [label_of(role) for role in answers["role"]],
            **answers,
            "status": "ok",
            "flags": "",
            "coded": table["role"].to_numpy(),
        }
    )


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
                p[held] = _answers_of(estimator, table.iloc[known], table.iloc[held])
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


def _answers_of(estimator: JobClassifier, train: pd.DataFrame, held: pd.DataFrame) -> Array:
    """Role probabilities of held-out rows; one thread, so that a run can be repeated exactly."""
    with threadpool_limits(1):
        model = evaluate.fit(JobClassifier(**estimator.get_params()), train)
        return model.predict_proba(held)


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


def shown(text: str, length: int = SHOWN) -> str:
    """A cleaned text as a sheet has it: narrowed, cut after a word."""
    text = tidy(clean(text))
    if len(text) <= length:
        return text
    return text[:length].rsplit(None, 1)[0] + " …"


def _texts(frame: pd.DataFrame) -> list[str]:
    parts = zip(frame["title"], frame["description"], strict=True)
    return [clean(f"{title}\n{description[:SHOWN]}") for title, description in parts]


def _why(row: dict[Any, Any], suspect: bool) -> str:
    """Reason for a pick, in a few words."""
    said = ", ".join(
        f"{row[name]} {row[f'{name}_probability']:.0%}" for name in ("role", "runner_up")
    )
    if suspect:
        return f"coded {row['coded']}, but: {said}"
    return f"{row['label']}: {said}"
