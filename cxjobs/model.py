"""JobClassifier: the reference implementation, a scikit-learn estimator.

A posting with a description (*posting* basis) is answered by the sum of two regressions, one over
the title's terms and one over the description's, so that neither drowns the other. A bare title
(*title* basis) has a regression of its own, without class weights: where words don't settle the
role, how common a role is should. Each basis has its own temperature. All of it folds into one
coefficient matrix per basis, 13 roles and 5 practice elements wide, which is what is stored,
explained and compiled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from cxjobs.errors import DataError
from cxjobs.features import Background, Block, fit_block, transform
from cxjobs.frame import texts, titles_and_descriptions
from cxjobs.taxonomy import PRACTICES, ROLES
from cxjobs.text import clean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

ABSENT = -20.0
"""Logit of a role that the training data does not hold: about one in half a billion."""


class JobClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Role of a job posting by TF-IDF and logistic regression.

    Parameters
    ----------
    background : Background, optional
        Real postings that count for the description's idf besides those of the fit.
    title_min_df, description_min_df : int
        Least number of training texts that hold a term.
    title_slope : float
        How much a title's own length counts in the norm of its row (`cxjobs.vectorizer`): below
        1, a short title is answered with less certainty.
    title_C, description_C : float
        Inverse strength of the L2 penalty of the two regressions of the posting basis.
    bare_title_C : float
        The same of the title basis.
    practice_C : float
        The same of the practice elements' regressions.
    balance : float
        How far the roles are evened out in the posting basis: a row of a role with `n` rows
        weighs ``n ** -balance``, so 0 leaves the roles as common as they are and 1 makes them
        equally common.
    title_only_weight : float
        Weight of a row without description against one with, wherever titles are learnt from.
    title_weight : float
        How much the title's scores count beside the description's, in the posting basis.
    posting_temperature, title_temperature : float
        Divide the scores of a basis before they become probabilities; found on out-of-fold
        predictions (`cxjobs.training`).
    posting_practice, title_practice : list of 5 pairs of float, optional
        Per basis, slope and shift of each practice element's score before it becomes a
        probability, found likewise; without, the basis' temperature divides them as well.
    max_iter : int
        Of each regression's solver.

    Attributes
    ----------
    classes_ : ndarray of str, shape (13,)
        All roles, in the order of `cxjobs.taxonomy.ROLES`.
    vectorizers_ : dict of str to PivotedVectorizer
        Of the blocks ``title`` and ``description``.
    coef_ : dict of str to ndarray
        Per basis, shape (n_terms, 18): 13 roles, then 5 practice elements. The posting basis has
        the title's terms first, then the description's.
    intercept_ : dict of str to ndarray, shape (18,)
        Per basis.

    Examples
    --------
    >>> X = ["Call Center Agent", "UX Designer", "Contact Center Agent", "UX Researcher"]
    >>> model = JobClassifier().fit(X, ["call_center", "usability", "call_center", "usability"])
    >>> str(model.predict(["Center Agent"])[0])
    'call_center'
    """

    def __init__(
        self,
        *,
        background: Background | None = None,
        title_min_df: int = 1,
        description_min_df: int = 2,
        title_slope: float = 0.3,
        title_C: float = 5.0,
        description_C: float = 10.0,
        bare_title_C: float = 10.0,
        practice_C: float = 10.0,
        balance: float = 0.75,
        title_only_weight: float = 0.5,
        title_weight: float = 0.5,
        posting_temperature: float = 1.0,
        title_temperature: float = 1.0,
        posting_practice: list[list[float]] | None = None,
        title_practice: list[list[float]] | None = None,
        max_iter: int = 2000,
    ) -> None:
        self.background = background
        self.title_min_df = title_min_df
        self.description_min_df = description_min_df
        self.title_slope = title_slope
        self.title_C = title_C
        self.description_C = description_C
        self.bare_title_C = bare_title_C
        self.practice_C = practice_C
        self.balance = balance
        self.title_only_weight = title_only_weight
        self.title_weight = title_weight
        self.posting_temperature = posting_temperature
        self.title_temperature = title_temperature
        self.posting_practice = posting_practice
        self.title_practice = title_practice
        self.max_iter = max_iter

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        bare_title_weight: ArrayLike | None = None,
    ) -> JobClassifier:
        """Learn from labelled postings.

        Parameters
        ----------
        X : DataFrame or sequence of str
            With columns ``title`` and, optionally, ``description``; or titles alone.
        y : sequence of str, or DataFrame
            Roles; or a frame with ``role`` and any of the five practice elements as 0, 1 or
            missing (not coded).
        sample_weight : array-like of shape (n_rows,), optional
            Multiplies the weight of each row.
        bare_title_weight : array-like of shape (n_rows,), optional
            Multiplies it once more in the title basis: rows whose titles are no fair sample of
            real ones should count less there.

        Returns
        -------
        JobClassifier
            Itself.

        Raises
        ------
        DataError
            If a role is unknown, lengths differ, there is no row, or no title holds a word.
        """
        titles, descriptions = texts_of(X)
        roles, practice = _targets(y)
        if len(roles) != len(titles):
            raise DataError(f"X has {len(titles)} rows but y has {len(roles)}.")
        if not titles:
            raise DataError("There is no row to learn from.")
        weight = np.ones(len(titles)) if sample_weight is None else np.asarray(sample_weight, float)
        whole = np.array([bool(d.strip()) for d in descriptions])
        self.classes_ = np.array(ROLES)
        self.n_features_in_ = 2
        try:
            title_block = fit_block(Block("title", self.title_min_df, self.title_slope), titles)
        except ValueError:
            raise DataError("No title holds a word of two letters or more.") from None
        self.vectorizers_ = {"title": title_block}
        rows = transform(title_block, titles)
        weight_of_titles = weight * np.where(whole, 1.0, self.title_only_weight)
        fair = 1.0 if bare_title_weight is None else np.asarray(bare_title_weight, float)
        coef, intercept = self._heads(
            rows, roles, practice, weight_of_titles * fair, self.bare_title_C, balance=0.0
        )
        slope, shift = _levels(self.title_temperature, self.title_practice)
        self.coef_ = {"title": coef * slope}
        self.intercept_ = {"title": intercept * slope + shift}
        if whole.any():
            in_title = self._heads(
                rows, roles, practice, weight_of_titles, self.title_C, self.balance
            )
            told = [d for d, w in zip(descriptions, whole, strict=True) if w]
            self.vectorizers_["description"] = fit_block(
                Block("description", self.description_min_df), told, self.background
            )
            rows = transform(self.vectorizers_["description"], told)
            in_description = self._heads(
                rows,
                roles[whole],
                practice[whole],
                weight[whole],
                self.description_C,
                self.balance,
            )
            slope, shift = _levels(self.posting_temperature, self.posting_practice)
            coef = np.vstack([self.title_weight * in_title[0], in_description[0]])
            intercept = self.title_weight * in_title[1] + in_description[1]
            self.coef_["posting"] = coef * slope
            self.intercept_["posting"] = intercept * slope + shift
        # Stored as float32: rounded here, so that what is stored is exactly what was fitted.
        self.coef_ = {b: c.astype(np.float32).astype(np.float64) for b, c in self.coef_.items()}
        return self

    def _heads(
        self,
        rows: Any,
        roles: NDArray[np.str_],
        practice: Array,
        weight: Array,
        C: float,
        balance: float,
    ) -> tuple[Array, Array]:
        """Coefficients (n_terms, 18) and intercepts (18,) of one block's regressions."""
        coef = np.zeros((rows.shape[1], len(ROLES) + len(PRACTICES)))
        intercept = np.full(coef.shape[1], 0.0)
        present, number = np.unique(roles, return_counts=True)
        intercept[: len(ROLES)] = np.where(np.isin(ROLES, present), 0.0, ABSENT)
        if len(present) > 1:
            even = (len(roles) / (len(present) * number)) ** balance
            head = LogisticRegression(
                C=C, class_weight=dict(zip(present, even, strict=True)), max_iter=self.max_iter
            )
            head.fit(rows, roles, sample_weight=weight)
            # Two classes come as one difference; as a pair of halves they give the same softmax.
            pair = len(present) == 2
            scores = np.vstack([-head.coef_ / 2, head.coef_ / 2]) if pair else head.coef_
            levels = (
                np.hstack([-head.intercept_ / 2, head.intercept_ / 2]) if pair else head.intercept_
            )
            for role, score, level in zip(head.classes_, scores, levels, strict=True):
                coef[:, ROLES.index(role)] = score
                intercept[ROLES.index(role)] = level
        for k in range(len(PRACTICES)):
            coded = ~np.isnan(practice[:, k])
            column = len(ROLES) + k
            if len(np.unique(practice[coded, k])) < 2:
                intercept[column] = 0.0 if not coded.any() else 20.0 * practice[coded, k][0] - 10.0
                continue
            head = LogisticRegression(C=self.practice_C, max_iter=self.max_iter)
            head.fit(rows[coded], practice[coded, k].astype(int), sample_weight=weight[coded])
            coef[:, column] = head.coef_[0]
            intercept[column] = head.intercept_[0]
        return coef, intercept

    def scores(self, X: Any, basis: str | None = None) -> Array:
        """Scores before softmax and sigmoid: shape (n_rows, 18).

        Parameters
        ----------
        X : DataFrame or sequence of str
            As for `fit`.
        basis : {"posting", "title"}, optional
            Forces one basis; by default each row's own.
        """
        check_is_fitted(self, "coef_")
        titles, descriptions = texts_of(X)
        title_rows = transform(self.vectorizers_["title"], titles) if titles else None
        out = np.empty((len(titles), len(ROLES) + len(PRACTICES)))
        if title_rows is None:
            return out
        whole = self.has_posting_basis(descriptions) if basis is None else basis == "posting"
        whole = np.broadcast_to(whole, len(titles))
        if (~whole).any():
            out[~whole] = title_rows[~whole] @ self.coef_["title"] + self.intercept_["title"]
        if whole.any():
            if "posting" not in self.coef_:
                raise DataError("This model was fitted on titles alone; it has no posting basis.")
            told = [d for d, w in zip(descriptions, whole, strict=True) if w]
            split = title_rows.shape[1]
            coef = self.coef_["posting"]
            rows = transform(self.vectorizers_["description"], told)
            out[whole] = title_rows[whole] @ coef[:split] + rows @ coef[split:]
            out[whole] += self.intercept_["posting"]
        return out

    def has_posting_basis(self, descriptions: Sequence[str]) -> NDArray[np.bool_]:
        """Which rows are answered by title and description together."""
        known = "posting" in self.coef_
        return np.array([known and bool(d.strip()) for d in descriptions], dtype=bool)

    def predict_proba(self, X: Any) -> Array:
        """Probability of each role: shape (n_rows, 13), rows sum to 1, order of `classes_`."""
        return softmax(self.scores(X)[:, : len(ROLES)])

    def practice_proba(self, X: Any) -> Array:
        """Probability of each practice element: shape (n_rows, 5), order of `PRACTICES`."""
        return sigmoid(self.scores(X)[:, len(ROLES) :])

    def predict(self, X: Any) -> NDArray[np.str_]:
        """Most probable role of each row."""
        best = np.argmax(self.predict_proba(X), axis=1)
        chosen: NDArray[np.str_] = self.classes_[best]
        return chosen

    def __sklearn_tags__(self) -> Any:
        """Say that the input is text in a frame, not numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def _levels(temperature: float, practice: list[list[float]] | None) -> tuple[Array, Array]:
    """Slope and shift of each of the 18 scores of a basis."""
    slope = np.full(len(ROLES) + len(PRACTICES), 1 / temperature)
    shift = np.zeros_like(slope)
    if practice is not None:
        slope[len(ROLES) :], shift[len(ROLES) :] = np.transpose(practice)
    return slope, shift


def softmax(scores: Array) -> Array:
    """Probabilities of rows of scores; safe for large scores."""
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def sigmoid(scores: Array) -> Array:
    """Probability of each score by itself; safe for large scores."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scores)))


def texts_of(X: Any) -> tuple[list[str], list[str]]:
    """Cleaned titles and descriptions of a frame, or of titles alone.

    Missing values are empty text. A dict of columns or a sequence of pairs is not accepted.

    Raises
    ------
    DataError
        If a frame has no column ``title``, a value is not text, or `X` is a string or a dict.
    """
    if isinstance(X, str):
        raise DataError("X is one string. Try: a list with it, or model.predict for one title.")
    if isinstance(X, Mapping):
        raise DataError("X is a dict, whose rows are unclear. Try: pandas.DataFrame(X).")
    if isinstance(X, pd.DataFrame):
        titles, descriptions = titles_and_descriptions(X)
    else:
        titles = texts(list(X), "title")
        descriptions = [""] * len(titles)
    return [clean(t) for t in titles], [clean(d) for d in descriptions]


def _targets(y: Any) -> tuple[NDArray[np.str_], Array]:
    if isinstance(y, pd.DataFrame):
        if "role" not in y.columns:
            raise DataError("y has no column 'role'.")
        roles = y["role"].to_numpy()
        practice = np.column_stack(
            [
                pd.to_numeric(y[e]).to_numpy(float) if e in y.columns else np.full(len(y), np.nan)
                for e in PRACTICES
            ]
        )
    else:
        roles = np.asarray(list(y), dtype=object)
        practice = np.full((len(roles), len(PRACTICES)), np.nan)
    unknown = sorted({str(r) for r in roles} - set(ROLES))
    if unknown:
        raise DataError(f"Unknown roles: {', '.join(unknown[:5])}. Known: {', '.join(ROLES)}.")
    return roles.astype(str), practice
