"""From cleaned text to terms, and from terms to two TF-IDF blocks: title and description.

A term of the title is a token or two tokens side by side; one of the description is a token.
Tokens are lower-cased, plurals are folded, function words dropped. `ANALYZERS` is the definition;
the compiled scorer must agree with it on any input.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from cxjobs.text import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import scipy.sparse as sp

    from cxjobs.vectorizer import PivotedVectorizer

FUNCTION_WORDS = frozenset(
    "an and are as at be by for from has have in is it its of on or our that the their they this"
    " to us we who will with you your".split(" ")
)
"""Words that carry grammar, not content; dropped before terms are formed."""

_find_tokens = re.compile(TOKEN).findall


def fold(token: str) -> str:
    """Singular form of an English plural, by its ending; other tokens as they are.

    Only ASCII tokens are folded, so that the rule can be applied to bytes.

    Examples
    --------
    >>> [fold(t) for t in ["customers", "queries", "business", "analysis", "ties", "cx"]]
    ['customer', 'query', 'business', 'analysis', 'tie', 'cx']
    """
    if len(token) > 3 and token[-1] == "s" and token.isascii():
        if len(token) > 4 and token.endswith("ies"):
            return token[:-3] + "y"
        if token[-2] not in "sui":
            return token[:-1]
    return token


def tokens(text: str) -> list[str]:
    """Tokens of a cleaned text, in order: lower case, folded, without function words.

    Examples
    --------
    >>> tokens("Head of the Customers' Experience")
    ['head', 'customer', 'experience']
    """
    return [fold(t) for t in _find_tokens(text.lower()) if t not in FUNCTION_WORDS]


def terms(text: str) -> list[str]:
    """Single tokens of a cleaned text, then pairs of neighbours.

    Examples
    --------
    >>> terms("Head of CX")
    ['head', 'cx', 'head cx']
    """
    words = tokens(text)
    return words + [f"{a} {b}" for a, b in pairwise(words)]


ANALYZERS = {"title": terms, "description": tokens}
"""How each block cuts a cleaned text into terms. Pairs add nothing to long texts."""


@dataclass(frozen=True)
class Block:
    """One TF-IDF block: a field of the posting, how rare its terms may be, and how rows are scaled.

    Attributes
    ----------
    name : str
        Also the name of the field that the block reads: ``title`` or ``description``.
    min_df : int
        Least number of training texts that hold a term.
    slope : float
        How much a row's own length counts in its norm (`cxjobs.vectorizer`).
    """

    name: str
    min_df: int
    slope: float = 1.0

    def vectorizer(self) -> PivotedVectorizer:
        """Unfitted vectorizer: sublinear counts, smooth idf, pivoted norm."""
        from cxjobs.vectorizer import PivotedVectorizer

        return PivotedVectorizer(
            slope=self.slope, analyzer=ANALYZERS[self.name], min_df=self.min_df
        )


@dataclass(frozen=True)
class Background:
    """How many real, unlabelled postings hold each term.

    Labelled descriptions are short retellings; real postings also praise the employer, list
    benefits and quote the law. Counted with them, such words weigh less.

    Attributes
    ----------
    postings : int
        Number of postings counted.
    counts : mapping of str to int
        Of each term the number of postings that hold it; terms left out count as 0.
    """

    postings: int
    counts: Mapping[str, int] = field(repr=False)


def fit_block(
    block: Block, texts: Iterable[str], background: Background | None = None
) -> PivotedVectorizer:
    """Fit a block's vectorizer; where no term is common enough, all terms are kept.

    Parameters
    ----------
    block : Block
        What to fit.
    texts : iterable of str
        Cleaned texts. At least one must hold a token.
    background : Background, optional
        Postings that count for the idf besides `texts`.

    Returns
    -------
    PivotedVectorizer
        Its ``transform`` gives weighted rows, zero where no term is known.

    Raises
    ------
    ValueError
        If no text holds a token.
    """
    import numpy as np

    kept = list(texts)
    try:
        vectorizer = block.vectorizer().fit(kept)
    except ValueError:
        vectorizer = replace(block, min_df=1).vectorizer().fit(kept)
    if background is not None:
        seen = (1 + len(kept)) / np.exp(vectorizer.idf_ - 1) - 1
        terms = vectorizer.get_feature_names_out()
        seen = np.rint(seen) + [background.counts.get(term, 0) for term in terms]
        vectorizer.idf_ = np.log((1 + len(kept) + background.postings) / (1 + seen)) + 1
        vectorizer.settle(kept)
    return vectorizer


def transform(vectorizer: PivotedVectorizer, texts: Iterable[str]) -> sp.csr_matrix:
    """Rows of a fitted block for cleaned texts: shape (n_texts, n_terms), float64."""
    return vectorizer.transform(texts)
