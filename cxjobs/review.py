"""Which postings are worth a person's time.

Picks postings that the model doubts and that differ from each other, after those whose given
label looks wrong; or draws them at random, for an audit. What the time has brought is told by
`cxjobs.learning`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxjobs import evaluate, prevalence
from cxjobs.dataset import splits
from cxjobs.errors import DataError
from cxjobs.features import Block
from cxjobs.flags import distrusted, repeated
from cxjobs.model import JobClassifier
from cxjobs.taxonomy import REVIEW, ROLES, label_of
from cxjobs.text import clean, tidy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

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


def draw(frame: pd.DataFrame, n: int, *, seed: int = 0) -> pd.DataFrame:
    """Draw postings at random, for an audit of a survey or of labels.

    Parameters
    ----------
    frame : DataFrame
        With ``status`` and ``flags`` of an answer. Postings that a survey doesn't count, the
        rejected and the distrusted, are left out; repeated ones are drawn as often as they stand.
    n : int
        How many at most.
    seed : int
        The same seed and frame give the same postings.

    Returns
    -------
    DataFrame
        The drawn rows, in an order that tells nothing.

    Examples
    --------
    >>> answers = pd.DataFrame({"status": ["ok", "rejected", "ok"], "flags": ["", "", "no_title"]})
    >>> draw(answers, 5).index.tolist()
    [0]
    """
    counted = frame[(frame["status"] == "ok") & ~frame["flags"].map(distrusted)]
    return counted.sample(min(n, len(counted)), random_state=seed)


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
        p[held] = evaluate.answers_held(estimator, table.iloc[train], table.iloc[held])
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
