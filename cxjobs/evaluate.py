"""Honest scores: grouped cross-validation, so that every figure is of a posting not trained on.

Folds are stratified by role and never part a group (the rows of one employer); they are drawn
anew for each repeat. Composed rows train but don't count in figures. Both bases are scored on the
same postings: *posting* by title and description, *title* by the title alone. A finished model is
scored as it is, on postings from elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from cxjobs import calibrate, metrics
from cxjobs.binomial import wilson
from cxjobs.dataset import COMPOSED, read, splits
from cxjobs.decision import Table, threshold_table
from cxjobs.errors import DataError
from cxjobs.model import JobClassifier, sigmoid, softmax
from cxjobs.taxonomy import CONFLATED, CX, PRACTICES, REVIEW, ROLES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

BASES = ("posting", "title")
"""What an answer can rest on."""


COMPOSED_TITLES = 0.25
"""Weight of a composed posting's title in the title basis."""


@dataclass(frozen=True)
class OutOfFold:
    """Scores of postings by models that have not seen them, nor others of their group.

    Attributes
    ----------
    frame : DataFrame
        The labelled postings, in order.
    scores : dict of str to ndarray, shape (repeats, n, 18)
        Per basis, before temperature, softmax and sigmoid.
    """

    frame: pd.DataFrame
    scores: dict[str, Array]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Rows that count in figures: the composed ones don't. Shape (n,)."""
        return np.asarray(self.frame["source"] != COMPOSED)

    def temperature(self, basis: str) -> float:
        """Temperature of a basis, found on the rows that count in figures."""
        kept = self.scored
        roles = self.frame["role"][kept].to_numpy(str)
        return calibrate.temperature(self.scores[basis][:, kept, : len(ROLES)], roles)

    def practice_levels(self, basis: str) -> list[list[float]]:
        """Slope and shift of each practice element's scores, found on the rows that count."""
        kept = self.scored
        truth = self.frame.loc[kept, list(PRACTICES)].to_numpy(float)
        return calibrate.practice_levels(self.scores[basis][0, kept, len(ROLES) :], truth)

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
        Unfitted; its temperatures and its levels of practice elements are ignored.
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
    fresh = estimator.get_params()
    for basis in BASES:
        fresh |= {f"{basis}_temperature": 1.0, f"{basis}_practice": None}
    width = len(ROLES) + len(PRACTICES)
    scores = {basis: np.full((repeats, len(frame), width), np.nan) for basis in BASES}
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


def answers_held(estimator: JobClassifier, train: pd.DataFrame, held: pd.DataFrame) -> Array:
    """Role probabilities of held-out rows; one thread, so that a run can be repeated exactly."""
    with threadpool_limits(1):
        model = fit(JobClassifier(**estimator.get_params()), train)
        return model.predict_proba(held)


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


def thresholds(result: OutOfFold, basis: str, temperature: float, *, confidence: float) -> Table:
    """Counts at every threshold of one basis, from which its decision is chosen.

    They are of the first draw of the folds: more would count each posting more than once.

    Parameters
    ----------
    result : OutOfFold
        Of `out_of_fold`.
    basis : {"posting", "title"}
        What the answers rest on.
    temperature : float
        Of the basis.
    confidence : float
        Of the promise, in (0, 1).
    """
    kept = result.scored
    chances = result.probabilities(basis, temperature)[0, kept, 0]
    return threshold_table(chances, is_cx(result.frame)[kept], confidence=confidence)


def is_cx(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each labelled row is true CX management."""
    return np.asarray(frame["role"] == CX)


def load(path: str | Path) -> pd.DataFrame:
    """Read labelled postings from anywhere, to score a finished model on.

    Parameters
    ----------
    path : str or Path
        CSV in UTF-8, or JSON lines (``.jsonl``, ``.ndjson``), with ``title`` and ``role`` and,
        optionally, ``description``, the practice elements (0, 1, or empty: not coded), and
        ``group``, whose rows are resampled together.

    Returns
    -------
    DataFrame
        All columns of the file; those named above always, ``source`` too. A row without a
        ``group`` is one of its own.

    Raises
    ------
    DataError
        If the file cannot be read, has no rows, or a row can't be scored; says which.
    """
    path = Path(path)
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    frame, first, row = (_read_lines(path), 1, "line") if lines else (read(path), 2, "row")
    if missing := [c for c in ("title", "role") if c not in frame.columns]:
        raise DataError(
            f"{path}: has no column {missing[0]!r}. Its columns: {', '.join(map(str, frame))}. "
            "Try: a table with title, description and role."
        )
    if frame.empty:
        raise DataError(f"{path}: has no rows.")
    frame = frame.reset_index(drop=True)
    for column in ("title", "description", "role", "source"):
        values = frame[column] if column in frame else [""] * len(frame)
        frame[column] = ["" if _missing(value) else value for value in values]
    given = frame["group"] if "group" in frame else [""] * len(frame)
    frame["group"] = [
        f"{row} {i + first}" if _missing(name) else str(name) for i, name in enumerate(given)
    ]
    for column in ("title", "description", "role"):
        strange = ~frame[column].map(lambda value: isinstance(value, str))
        _refuse(path, f"{row} {{}}, column {column}: is not text", strange, first)
    for element in PRACTICES:
        values = frame[element] if element in frame else [""] * len(frame)
        codes = [np.nan if _missing(value) else _CODES.get(str(value), 2.0) for value in values]
        frame[element] = np.array(codes)
        _refuse(
            path,
            f"{row} {{}}, column {element}: must be 0, 1 or empty",
            frame[element] == 2,
            first,
        )
    unknown = ~frame["role"].isin(ROLES)
    _refuse(path, f"{row} {{}}, column role: must be one of {', '.join(ROLES)}", unknown, first)
    silent = ~(frame["title"] + frame["description"]).str.contains(r"[^\W_]")
    _refuse(path, f"{row} {{}}: neither title nor description holds a word", silent, first)
    return frame


def _read_lines(path: Path) -> pd.DataFrame:
    """Objects of a file of JSON lines; empty lines are empty rows' places, and refused later."""
    rows = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}.") from None
    for number, line in enumerate(text.rstrip().split("\n") if text.strip() else [], 1):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: is not JSON ({error}).") from None
        if not isinstance(rows[-1], dict):
            raise DataError(f"{path}, line {number}: is not an object with title and role.")
    return pd.DataFrame(rows, columns=None if rows else ["title", "role"])


_CODES = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "False": 0.0, "True": 1.0}


def _missing(value: Any) -> bool:
    return value is None or value == "" or value != value


def _refuse(path: Path, said: str, wrong: pd.Series[bool], first: int) -> None:
    if wrong.any():
        spots = np.flatnonzero(wrong)
        more = f" ({len(spots)} such rows)" if len(spots) > 1 else ""
        raise DataError(f"{path}, {said.format(spots[0] + first)}{more}.")


def apply(model: JobClassifier, frame: pd.DataFrame, basis: str) -> OutOfFold:
    """Score a finished model, as it is, on postings that it was not trained on.

    Parameters
    ----------
    model : JobClassifier
        Fitted. Its own temperatures are in its scores already: score the result with 1.
    frame : DataFrame
        As `load` returns it.
    basis : {"posting", "title"}
        Rows without the text that it rests on are left out.
    """
    text = frame["description" if basis == "posting" else "title"]
    told = frame[text.str.contains(r"[^\W_]")].reset_index(drop=True)
    return OutOfFold(told, {basis: model.scores(told, basis)[None]})


def decided(is_cx: ArrayLike, label: ArrayLike) -> dict[str, Any]:
    """What the three-way decision gave on postings of known label.

    Parameters
    ----------
    is_cx : array of bool, shape (n,)
        Truth.
    label : array of str, shape (n,)
        ``cx_management``, ``conflated`` or ``review``.

    Returns
    -------
    dict
        ``called``, ``called_true``, ``positives``, ``lost``, ``review`` (numbers of postings), and
        ``precision``, ``lost_share``, ``review_share`` with Wilson's 95 % interval; None where no
        posting defines it.

    Examples
    --------
    >>> decided([True, False], ["cx_management", "review"])["review_share"]["estimate"]
    0.5
    """
    truth, answer = np.asarray(is_cx, bool), np.asarray(label, str)
    called, review = answer == CX, answer == REVIEW
    lost = truth & (answer == CONFLATED)

    def share(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> dict[str, float | None]:
        k, n = int((part & whole).sum()), int(whole.sum())
        low, high = wilson(k, n)
        return {"estimate": k / n, "low": low, "high": high} if n else dict.fromkeys(_ENDS)

    return {
        "called": int(called.sum()),
        "called_true": int((called & truth).sum()),
        "positives": int(truth.sum()),
        "lost": int(lost.sum()),
        "review": int(review.sum()),
        "precision": share(truth, called),
        "lost_share": share(lost, truth),
        "review_share": share(review, np.ones_like(truth)),
    }


_ENDS = ("estimate", "low", "high")
