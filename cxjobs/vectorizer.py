"""TF-IDF whose rows keep something of their length: pivoted normalisation.

Scaled to length one, the two words of a short title weigh as much as ten of a long one, though
they say less. A pivoted norm lies between the row's own length and the mean of the training
texts, so that a short text is left shorter and answered with less certainty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class PivotedVectorizer(TfidfVectorizer):  # type: ignore[misc]
    """TF-IDF rows divided by ``(1 - slope) * mean + slope * length``.

    Parameters
    ----------
    slope : float
        How much a row's own length counts in its norm: 1 gives rows of length one, 0 divides all
        by the same number.
    analyzer : callable
        From a text to its terms.
    min_df : int
        Least number of texts that hold a term.

    Attributes
    ----------
    norm_ : tuple of float
        ``(1 - slope) * mean``, mean over the texts of the fit that hold a known term; and `slope`.
        A row is divided by the first plus the second times its length.

    References
    ----------
    Singhal, Buckley, Mitra: Pivoted document length normalization. SIGIR 1996.

    Examples
    --------
    >>> texts = ["lead", "lead of the customer journey team"]
    >>> rows = PivotedVectorizer(slope=0.3, analyzer=str.split, min_df=1).fit_transform(texts)
    >>> [round(float(n), 2) for n in sp.linalg.norm(rows, axis=1)]
    [0.55, 1.32]
    """

    def __init__(self, *, slope: float, analyzer: Callable[[str], list[str]], min_df: int) -> None:
        super().__init__(analyzer=analyzer, min_df=min_df, sublinear_tf=True, norm=None)
        self.slope = slope

    def fit(self, raw_documents: Iterable[str], y: Any = None) -> PivotedVectorizer:
        """Learn terms, idf and the mean length."""
        texts = list(raw_documents)
        super().fit(texts, y)
        return self.settle(texts)

    def settle(self, texts: Iterable[str]) -> PivotedVectorizer:
        """Learn the mean length anew, where the idf has changed since."""
        mean = 0.0
        if self.slope < 1:
            lengths = sp.linalg.norm(super().transform(texts), axis=1)
            mean = float(lengths[lengths > 0].mean())
        self.norm_ = ((1 - self.slope) * mean, self.slope)
        return self

    def transform(self, raw_documents: Iterable[str]) -> sp.csr_matrix:
        """Weighted terms of each text: shape (n_texts, n_terms), zero where none is known."""
        rows = super().transform(raw_documents)
        lengths = sp.linalg.norm(rows, axis=1)
        norms = self.norm_[0] + self.norm_[1] * lengths
        norms[lengths == 0] = 1.0
        return sp.csr_matrix(rows.multiply(1 / norms[:, None]))

    def fit_transform(self, raw_documents: Iterable[str], y: Any = None) -> sp.csr_matrix:
        """Fit, and transform the same texts."""
        texts = list(raw_documents)
        return self.fit(texts, y).transform(texts)
