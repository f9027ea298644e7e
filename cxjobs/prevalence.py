"""How often each role truly occurs in a batch, given how often and how the model errs.

Counting answers is biased wherever the model errs in one direction more often than in the other.
The correction is an adjusted count. Out-of-fold answers tell how postings of each role look to
the model; a batch is a mixture of these looks, and the mixture is solved for. With one-hot
answers as looks this is ACC (Forman 2008; for one class the estimator of Rogan & Gladen 1978),
with probabilities PACC (Bella et al. 2010). It assumes that postings of one role look alike in
the batch and in the labelled data, whatever the mix of roles.

References
----------
Forman (2008), Data Min. Knowl. Discov. 17. Rogan & Gladen (1978), Am. J. Epidemiol. 107.
Bella, Ferri, Hernández-Orallo, Ramírez-Quintana (2010), ICDM. Lang & Reiczigel (2014), Prev. Vet.
Med. 113. Wilson (1927), JASA 22.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cxjobs.errors import DataError, ModelError
from cxjobs.intervals import Interval
from cxjobs.shares import effective_size
from cxjobs.taxonomy import CX, ROLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Array = NDArray[Any]

MIN_LABELLED = 10
"""Labelled postings of a role from which its look is known well enough to be told apart."""

OTHER = "other"
_CODE = {role: i for i, role in enumerate(ROLES)}


def looks(frame: Any) -> Array:
    """What an answer keeps of the role probabilities, as rows that sum to 1.

    The probabilities of ``cx_management``, of the answered role and of the runner-up stand in
    their columns; what is left is spread evenly over the other roles.

    Parameters
    ----------
    frame : DataFrame or dict of arrays
        Columns ``cx_probability``, ``role``, ``role_probability``, ``runner_up`` and
        ``runner_up_probability`` of an answer, none missing.

    Returns
    -------
    array of shape (n, 13)
        In the order of ``ROLES``.

    Raises
    ------
    DataError
        If a role is unknown.

    Examples
    --------
    >>> row = {"cx_probability": [0.2], "role": ["sales"], "role_probability": [0.5],
    ...        "runner_up": ["cx_management"], "runner_up_probability": [0.2]}
    >>> looks(row).round(3).tolist()[0][:3], looks(row).sum().round(9)
    ([0.2, 0.027, 0.027], np.float64(1.0))
    """
    codes = []
    for column in ("role", "runner_up"):
        roles = np.asarray(frame[column], dtype=object)
        code = np.array([_CODE.get(role, -1) for role in roles], dtype=int)
        if (strange := code < 0).any():
            raise DataError(f"{roles[strange][0]!r} in column {column!r} is no role.")
        codes.append(code)
    names = ("cx_probability", "role_probability", "runner_up_probability")
    cx, first, second = (np.asarray(frame[name], dtype=float) for name in names)
    rows = np.arange(cx.size)
    shares = np.full((cx.size, len(ROLES)), math.nan)
    shares[rows, codes[1]] = second
    shares[rows, codes[0]] = first
    shares[:, _CODE[CX]] = cx
    unknown = np.isnan(shares)
    left = np.clip(1 - np.nansum(shares, axis=1), 0, 1) / unknown.sum(axis=1)
    shares = np.where(unknown, left[:, None], shares)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def told(probabilities: ArrayLike) -> dict[str, Array]:
    """What an answer tells of the role probabilities; `looks` makes the most of it.

    Parameters
    ----------
    probabilities : array of shape (n, 13)
        In the order of ``ROLES``.

    Returns
    -------
    dict of str to array of shape (n,)
        ``cx_probability``, ``role``, ``role_probability``, ``runner_up`` and
        ``runner_up_probability``.

    Examples
    --------
    >>> told([[0.6, 0.3, *[0.01] * 10, 0.0]])["runner_up"].tolist()
    ['call_center']
    """
    p = np.asarray(probabilities, dtype=float)
    rows, order = np.arange(len(p)), np.argsort(-p, axis=1, kind="stable")
    names = np.array(ROLES, dtype=object)
    return {
        "cx_probability": p[:, _CODE[CX]],
        "role": names[order[:, 0]],
        "role_probability": p[rows, order[:, 0]],
        "runner_up": names[order[:, 1]],
        "runner_up_probability": p[rows, order[:, 1]],
    }


def calibration(
    probabilities: Mapping[str, ArrayLike], truth: ArrayLike, *, groups: ArrayLike | None = None
) -> dict[str, Any]:
    """What a survey needs to know of the model's errors, for the manifest.

    Parameters
    ----------
    probabilities : mapping of str to array of shape (n, 13)
        For each basis the out-of-fold role probabilities of the same labelled postings.
    truth : array of str, shape (n,)
        True roles.
    groups : array of shape (n,), optional
        Rows that resemble each other: those of one employer, and copies by repeated folds.

    Returns
    -------
    dict
        ``{basis: {"roles": [...], **Calibration.to_dict()}}``, about 6 kB a basis. Roles with
        fewer than ``MIN_LABELLED`` postings are told as ``other`` and left out of ``roles``.
    """
    codes = np.array([ROLES.index(role) for role in np.asarray(truth)], dtype=int)
    many = np.bincount(codes, minlength=len(ROLES)) >= MIN_LABELLED
    kept = [role for role, enough in zip(ROLES, many, strict=True) if enough or role in (CX, OTHER)]
    seats = np.array([kept.index(role if role in kept else OTHER) for role in ROLES])
    found = {}
    for basis, given in probabilities.items():
        fitted = Calibration.fit(folded(looks(told(given)), kept), seats[codes], groups=groups)
        found[basis] = {"roles": kept, **fitted.to_dict()}
    return found


def folded(look: Array, roles: Sequence[str]) -> Array:
    """Looks over some of the roles; what belongs to the rest is added to ``other``."""
    kept: Array = look[:, [_CODE[role] for role in roles]]
    kept[:, list(roles).index(OTHER)] += look.sum(axis=1) - kept.sum(axis=1)
    return kept


@dataclass(frozen=True)
class Calibration:
    """How postings of each true class look, from answers of models that had not seen them.

    Attributes
    ----------
    n : array of int, shape (k,)
        Labelled postings of each class.
    means : array of shape (k, k)
        Mean look of each true class (row).
    spread : array of shape (k, k)
        Variance, among postings of each true class (row), of the weight that a posting adds to
        the count of each class (column).
    error : array of shape (k, k)
        Squared standard error of the mean of that weight.
    """

    n: Array
    means: Array
    spread: Array
    error: Array

    @classmethod
    def fit(
        cls, look: ArrayLike, truth: ArrayLike, *, groups: ArrayLike | None = None
    ) -> Calibration:
        """Learn the looks of each class.

        Parameters
        ----------
        look : array of shape (n, k)
            Out-of-fold rows that sum to 1: probabilities, one-hot answers, or :func:`looks`.
        truth : array of int, shape (n,)
            True class, 0 to k - 1.
        groups : array of shape (n,), optional
            Rows that resemble each other (one employer, copies by repeated cross-validation);
            standard errors then go by groups.

        Raises
        ------
        DataError
            If a class has fewer than 5 rows, or two classes look the same.
        """
        s = np.asarray(look, dtype=float)
        y = np.asarray(truth)
        k = s.shape[1]
        n = np.bincount(y, minlength=k)
        if n.size != k or n.min() < 5:
            raise DataError("An adjusted count needs five or more labelled postings of each class.")
        means = np.array([s[y == i].mean(axis=0) for i in range(k)])
        if np.linalg.cond(means) > 1e6:
            raise DataError("Two classes look the same to the model; their counts can't be told.")
        weights = s @ np.linalg.inv(means)
        unit = np.arange(y.size) if groups is None else np.asarray(groups)
        spread, error = np.empty((k, k)), np.empty((k, k))
        for i in range(k):
            inside = weights[y == i]
            off = inside - inside.mean(axis=0)
            _, code = np.unique(unit[y == i], return_inverse=True)
            sums = np.zeros((code.max() + 1, k))
            np.add.at(sums, code, off)
            spread[i] = (off**2).sum(axis=0) / (n[i] - 1)
            error[i] = (sums**2).sum(axis=0) / n[i] ** 2 * len(sums) / max(len(sums) - 1, 1)
        return cls(n, means, spread, error)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, to six significant digits."""
        return {
            "n": self.n.tolist(),
            **{
                name: [[float(f"{v:.6g}") for v in row] for row in getattr(self, name)]
                for name in ("means", "spread", "error")
            },
        }

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Calibration:
        """Read back what :meth:`to_dict` gave.

        Raises
        ------
        ModelError
            If a part is missing, of another shape, or makes two classes look the same.
        """
        try:
            n = np.array(raw["n"], dtype=int)
            parts = [np.array(raw[name], dtype=float) for name in ("means", "spread", "error")]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"The calibration of shares is unreadable: {error}.") from error
        if any(part.shape != (n.size, n.size) or not np.isfinite(part).all() for part in parts):
            raise ModelError("The calibration of shares has parts of unequal shape.")
        if not n.size or np.linalg.cond(parts[0]) > 1e6:
            raise ModelError("The calibration of shares makes two classes look the same.")
        return cls(n, *parts)

    def shares(
        self, look: ArrayLike, *, groups: ArrayLike | None = None, confidence: float = 0.95
    ) -> list[Interval]:
        """True share of each class in the population that a batch was drawn from.

        The estimate is the mixture of looks nearest to the batch's mean look (least squares on
        the simplex). The interval inverts a score test, as Wilson's does for a plain share: a
        share belongs to it if the batch's count is not too far from what that share would give,
        measured by the sampling error of the batch and the estimation error of the looks.

        Parameters
        ----------
        look : array of shape (m, k)
            The batch, in the kind of look that was calibrated; at least one row.
        groups : array of shape (m,), optional
            Postings that resemble each other, such as those of one employer.
        confidence : float
            In (0, 1).

        Returns
        -------
        list of Interval
            One a class, each in 0 to 1; the estimates sum to 1.
        """
        from scipy.optimize import nnls

        s = np.asarray(look, dtype=float)
        m, k = s.shape
        q = s.mean(axis=0)
        # A heavy last equation holds the sum at 1.
        mix = nnls(np.vstack([self.means.T, np.full(k, 1e3)]), np.append(q, 1e3))[0]
        mix = mix / mix.sum()
        weights = s @ np.linalg.inv(self.means)
        z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
        found = []
        for r in range(k):
            rest = np.delete(mix, r)
            rest = rest / rest.sum() if rest.sum() > 0 else np.full(k - 1, 1 / (k - 1))
            low, high = _score_ends(
                float(weights[:, r].mean()),
                m if groups is None else effective_size(weights[:, r], groups),
                (self.spread[r, r], self.error[r, r]),
                (
                    rest @ np.delete(self.spread[:, r], r),
                    rest**2 @ np.delete(self.error[:, r], r),
                ),
                z2,
            )
            found.append(Interval(float(mix[r]), min(low, mix[r]), max(high, mix[r])))
        return found


def _score_ends(
    count: float, n: float, inside: tuple[float, float], rest: tuple[float, float], z2: float
) -> tuple[float, float]:
    """Shares t for which ``(count - t)**2`` is at most z2 times its variance, cut to 0..1.

    The variance is that of a batch of ``n`` from a mixture of the class (t) and the rest (1 - t),
    whose weights have means 1 and 0, plus that of the two estimated means.
    """
    (v1, e1), (v0, e0) = inside, rest
    a = 1 + z2 / n - z2 * (e1 + e0)
    b = -2 * count - z2 * ((v1 - v0 + 1) / n - 2 * e0)
    c = count**2 - z2 * (v0 / n + e0)
    inner = b * b - 4 * a * c
    if a <= 0:  # The looks are too uncertain to say anything.
        return 0.0, 1.0
    root = math.sqrt(max(inner, 0.0))
    low, high = ((-b - root) / (2 * a), (-b + root) / (2 * a))
    return min(max(low, 0.0), 1.0), min(max(high, 0.0), 1.0)
