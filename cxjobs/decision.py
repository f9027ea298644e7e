"""The three-way decision and its promise: ``cx_management``, ``conflated``, or ``review``.

A :class:`Table` is counted once, from out-of-fold probabilities, and stored in a model's
manifest. :meth:`Table.choose` turns it into a :class:`Band` for any asked error, at prediction
time and without training. From there on nothing but the standard library is needed.

What is promised
----------------
*Precision*: of the postings called ``cx_management``, at least the asked share truly are.
*Lost*: of the postings that truly are ``cx_management``, at most the asked share is called
``conflated``. Each is a statement about the whole population of postings, and each holds with
the stated confidence: had the calibration postings been drawn anew many times, and the band
been chosen anew each time, at most ``1 - confidence`` of the bands would break it.

Under which assumption
----------------------
The postings to come and the calibration postings are exchangeable: same mix of employers,
roles, sources, years and text lengths, drawn one by one. Out-of-fold probabilities stand in
for those of the final model. Postings of one employer that resemble each other make the true
confidence somewhat lower than the stated one, and a batch with fewer true ones than the
calibration data has a lower precision than promised.

How
---
Learn then test (Angelopoulos et al. 2021): every threshold of a fixed grid is a hypothesis
"the promise is broken here" with an exact binomial p-value, the same tail that inverts to the
Clopper-Pearson bound. Thresholds are tested in a fixed order until the first one fails, so that
choosing the best among many costs no error: upwards from 0 for the lost, downwards for the
precision. The precision can't be tested where too few postings score, so its order starts at the
highest threshold with ``START`` postings; where these are too few to promise it even without a
false one, it goes on for as long as there is none. The start depends on the probabilities but
not on the truths; it costs no error either, as long as a higher probability is at least as often
true.

References
----------
Angelopoulos, Bates, Candès, Jordan, Lei (2021), Learn then Test: calibrating predictive
algorithms to achieve risk control, arXiv:2110.01052. Clopper & Pearson (1934), Biometrika 26.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cxjobs.binomial import binomial_cdf, clopper_pearson
from cxjobs.errors import CxjobsError, DataError, ModelError
from cxjobs.taxonomy import CONFLATED, CX, REVIEW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

GRID = tuple(
    i / 1000 for i in [*range(1, 50), *range(50, 100, 5), *range(100, 1000, 10), *range(991, 1000)]
)
"""Candidate thresholds: fine where few true ones are lost and where few false ones are called."""

LABELS = (CX, CONFLATED, REVIEW)
"""The three answers."""

MOST_ROWS, MOST_POSTINGS = 1000, 10**7
"""A table with more thresholds or postings is refused: to choose from it would take minutes."""

START = 20
"""Postings above the threshold where testing of the precision starts, at the least: one false
one among fewer would often stop it."""


@dataclass(frozen=True)
class Band:
    """Two thresholds, what they promise, and what they gave on the calibration postings.

    Attributes
    ----------
    lower, upper : float
        ``conflated`` below ``lower``, ``cx_management`` from ``upper`` on, ``review`` between.
        ``lower`` 0 and ``upper`` infinity mean that nothing is called so without a person.
    precision, max_lost, confidence : float
        What was asked, each in (0, 1).
    precision_met, lost_met : bool
        Whether the data allow that promise to be made. If not, nothing is called that way.
    called, called_true : int
        Calibration postings from ``upper`` on, and the true ones among them.
    positives, lost : int
        All true calibration postings, and those among them below ``lower``.
    review_share : float
        Share of the calibration postings between the thresholds, 0 to 1; nan without postings.
    """

    lower: float
    upper: float
    precision: float
    max_lost: float
    confidence: float
    precision_met: bool
    lost_met: bool
    called: int
    called_true: int
    positives: int
    lost: int
    review_share: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; an ``upper`` of infinity and a nan become None."""
        return {
            k: None if isinstance(v, float) and not math.isfinite(v) else v
            for k, v in asdict(self).items()
        }

    def __str__(self) -> str:
        sure = f"with {self.confidence:.0%} confidence"
        called = (
            f"Called {CX} from {self.upper:g} on: at least {self.precision:.4g} of these are, "
            f"{sure} (calibration: {self.called_true} of {self.called})."
            if self.precision_met
            else f"Nothing is called {CX}: a precision of {self.precision:.4g} can't be promised "
            f"{sure}. Ask for less, or calibrate on more postings."
        )
        lost = (
            f"Called {CONFLATED} below {self.lower:g}: at most {self.max_lost:.4g} of the true "
            f"ones are lost, {sure} (calibration: {self.lost} of {self.positives})."
            if self.lost_met
            else f"Nothing is called {CONFLATED}: a loss of at most {self.max_lost:.4g} can't be "
            f"promised {sure}. Ask for less, or calibrate on more postings."
        )
        return f"{called} {lost}"


@dataclass(frozen=True)
class Table:
    """Counts at every candidate threshold, from which any band can be chosen.

    Attributes
    ----------
    n, positives : int
        Calibration postings, and the true ones among them.
    confidence : float
        Of the bounds below, one-sided, each for one threshold by itself.
    threshold : tuple of float
        Rising, 0 to 1.
    above, true_above : tuple of int
        Postings with a probability of at least the threshold, and the true ones among them.
    precision_low : tuple of float
        Clopper-Pearson lower bound of the precision there; 0 where no posting is above.
    lost_high : tuple of float
        Clopper-Pearson upper bound of the lost share; 1 where there is no true posting.
    """

    n: int
    positives: int
    confidence: float
    threshold: tuple[float, ...]
    above: tuple[int, ...]
    true_above: tuple[int, ...]
    precision_low: tuple[float, ...]
    lost_high: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, one list a column."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> Table:
        """Read back what :meth:`to_dict` gave.

        Raises
        ------
        ModelError
            If a column is missing, too long or of another length, or contradicts another.
        """
        try:
            columns: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
            table = cls(**columns)
            above, true, rows = table.above, table.true_above, len(table.threshold)
            false, counted = table.n - table.positives, tuple(zip(true, above, strict=True))
            sound = (
                rows == len(above) == len(table.precision_low) == len(table.lost_high) <= MOST_ROWS
                and all(type(k) is int for k in (table.n, table.positives, *above, *true))
                and 0 <= table.positives <= table.n <= MOST_POSTINGS
                and list(table.threshold) == sorted(table.threshold)
                and all(0 <= t <= 1 for t in table.threshold)
                and all(list(c) == sorted(c, reverse=True) for c in (above, true))
                and all(0 <= k <= table.positives and 0 <= n - k <= false for k, n in counted)
                and 0 < table.confidence < 1
            )
        except (TypeError, ValueError, AttributeError) as error:
            raise ModelError(f"The table of thresholds is unreadable: {error}.") from None
        if not sound:
            raise ModelError("The table of thresholds contradicts itself; train the model again.")
        return table

    def choose(
        self, precision: float = 0.90, max_lost: float = 0.05, confidence: float | None = None
    ) -> Band:
        """Choose the band with the smallest review share that keeps both promises.

        Parameters
        ----------
        precision : float
            Least share of true ones among the postings called ``cx_management``, in (0, 1).
        max_lost : float
            Greatest share of the true ones that may be called ``conflated``, in (0, 1).
        confidence : float, optional
            With which each promise holds, in (0, 1); the table's own by default.

        Returns
        -------
        Band
            A promise that the data do not allow is not made; see ``Band.precision_met``.

        Raises
        ------
        CxjobsError
            If an asked number is not inside (0, 1).

        Examples
        --------
        >>> table = threshold_table([0.99] * 200 + [0.01] * 800, [1] * 200 + [0] * 800)
        >>> band = table.choose(precision=0.9, max_lost=0.05)
        >>> band.lower, band.upper, band.review_share
        (0.5, 0.5, 0.0)
        >>> table.choose(precision=0.999).precision_met
        False
        """
        confidence = self.confidence if confidence is None else confidence
        asked = {"precision": precision, "max_lost": max_lost, "confidence": confidence}
        for name, value in asked.items():
            if not 0 < value < 1:
                raise CxjobsError(f"{name} must lie between 0 and 1, without the ends: {value}.")
        error = 1 - confidence
        uppers = self._precise(precision, error)
        lower = self._keeping(max_lost, error)
        upper = min(uppers, default=math.inf)
        if not uppers:
            # More likely true than not is never called conflated for want of a precision.
            lower = min(lower, 0.5)
        elif upper <= lower:
            # Both promises hold anywhere in between: one threshold, as near 0.5 as may be.
            upper = lower = min(max(upper, 0.5), lower, uppers[0])
        called, called_true = self._counts(upper)
        kept, kept_true = self._counts(lower)
        return Band(
            lower=lower,
            upper=upper,
            precision=precision,
            max_lost=max_lost,
            confidence=confidence,
            precision_met=bool(uppers),
            lost_met=lower > 0,
            called=called,
            called_true=called_true,
            positives=self.positives,
            lost=self.positives - kept_true,
            review_share=(kept - called) / self.n if self.n else math.nan,
        )

    def _counts(self, threshold: float) -> tuple[int, int]:
        if threshold == 0:
            return self.n, self.positives
        if threshold == math.inf:
            return 0, 0
        row = self.threshold.index(threshold)
        return self.above[row], self.true_above[row]

    def _precise(self, asked: float, error: float) -> list[float]:
        """Thresholds at which the precision can be promised, from the highest down."""
        passed: list[float] = []
        # Fewer could not promise it even if none of them were false.
        fewest = math.ceil(math.log(error) / math.log(asked))
        counted = tuple(zip(self.threshold, self.above, self.true_above, strict=True))
        for t, n, k in reversed(counted):
            if n < START or (n < fewest and n == k):
                continue
            # If just the asked share were true, would so few false ones be a rare sight?
            if binomial_cdf(n - k, n, 1 - asked) > error:
                break
            passed.append(t)
        return passed

    def _keeping(self, asked: float, error: float) -> float:
        """Greatest threshold at which the lost share can be promised; 0 if none."""
        best = 0.0
        for t, k in zip(self.threshold, self.true_above, strict=True):
            if binomial_cdf(self.positives - k, self.positives, asked) > error:
                break
            best = t
        return best


def threshold_table(probability: ArrayLike, truth: ArrayLike, *, confidence: float = 0.95) -> Table:
    """Count the calibration postings at every candidate threshold.

    Parameters
    ----------
    probability : array of shape (n,)
        Out-of-fold probabilities of ``cx_management``, 0 to 1, none missing.
    truth : array of shape (n,)
        True where the posting is ``cx_management``.
    confidence : float
        Of the bounds in the table, and of later promises unless asked otherwise.

    Returns
    -------
    Table
        See the module's docstring for what can be promised from it.

    Raises
    ------
    DataError
        If shapes differ, a probability is outside 0 to 1, or a truth is neither 0 nor 1.

    Examples
    --------
    >>> table = threshold_table([0.9, 0.8, 0.2], [True, False, False])
    >>> row = table.threshold.index(0.5)
    >>> table.above[row], table.true_above[row]
    (2, 1)
    """
    import numpy as np

    p = np.asarray(probability, dtype=float)
    y = np.asarray(truth)
    if p.ndim != 1 or p.shape != y.shape:
        raise DataError(
            f"One probability and one truth a posting are needed; got shapes {p.shape}, {y.shape}."
        )
    if not np.all((p >= 0) & (p <= 1)):
        raise DataError("Every probability must be between 0 and 1, and none missing.")
    if not np.isin(y, (0, 1)).all():
        raise DataError("Every truth must be 0 or 1 (or False or True).")
    if not 0 < confidence < 1:
        raise CxjobsError(f"confidence must lie between 0 and 1, without the ends: {confidence}.")
    true = np.sort(p[y.astype(bool)])
    grid = np.array(GRID)
    above = p.size - np.searchsorted(np.sort(p), grid, side="left")
    true_above = true.size - np.searchsorted(true, grid, side="left")
    low, _ = clopper_pearson(true_above, above, confidence)
    _, high = clopper_pearson(true.size - true_above, true.size, confidence)
    return Table(
        n=int(p.size),
        positives=int(true.size),
        confidence=confidence,
        threshold=GRID,
        above=tuple(above.tolist()),
        true_above=tuple(true_above.tolist()),
        precision_low=tuple(low.round(4).tolist()),
        lost_high=tuple(high.round(4).tolist()),
    )


def decide(probability: float, band: Band) -> str:
    """Answer for one probability of ``cx_management``; a missing one (nan) is for review.

    Examples
    --------
    >>> band = threshold_table([0.9] * 99 + [0.1] * 99, [1] * 99 + [0] * 99).choose()
    >>> decide(0.95, band), decide(0.05, band), decide(float("nan"), band)
    ('cx_management', 'conflated', 'review')
    """
    if probability >= band.upper:
        return CX
    return CONFLATED if probability < band.lower else REVIEW


def decide_all(probability: ArrayLike, band: Band) -> NDArray[np.str_]:
    """Answers for an array of probabilities, each as :func:`decide` gives it."""
    import numpy as np

    return np.array(LABELS)[codes(probability, band.lower, band.upper)]


def codes(probability: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> NDArray[np.int_]:
    """Positions in `LABELS` of the same answers; each may have thresholds of its own.

    Examples
    --------
    >>> codes([0.9, 0.1, 0.5], 0.3, [0.8, 0.8, 0.4]).tolist()
    [0, 1, 0]
    """
    import numpy as np

    p = np.asarray(probability, dtype=float)
    return np.where(p >= upper, 0, np.where(p < lower, 1, 2))
