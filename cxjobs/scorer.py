"""A fitted classifier in compiled form: text in, probabilities out, without scikit-learn.

`Scorer` has two faces with one definition, the arrays of the model folder. `score_one` is plain
Python over mapped memory and imports neither numpy nor pyarrow, so that a single answer is there
at once; `score_batch` (`cxjobs.batch_scorer`) works on whole Arrow columns. Both give the
probabilities of `cxjobs.model.JobClassifier` within 1e-9 for any text.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from itertools import pairwise
from math import exp, log, sqrt, tanh
from typing import TYPE_CHECKING, NamedTuple

from cxjobs.lexicon import FUNCTION, UNKNOWN, Lexicon, find, pair_key
from cxjobs.taxonomy import CX, PRACTICES, ROLES
from cxjobs.text import TOKEN, clean, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

    from cxjobs.batch_scorer import BatchScorer, Scores
    from cxjobs.store import Folder

WIDTH = len(ROLES) + len(PRACTICES)
"""Scores per basis: one for each role, then one for each practice element."""

_find_tokens = re.compile(TOKEN).findall


class Score(NamedTuple):
    """What the model makes of one posting.

    Attributes
    ----------
    roles : tuple of float
        Probability of each role, order of `cxjobs.taxonomy.ROLES`; they sum to 1.
    practice : tuple of float
        Probability of each practice element, order of `cxjobs.taxonomy.PRACTICES`.
    title_cx : float
        Probability of ``cx_management`` by the title alone.
    has_title : bool
        Whether the cleaned title is more than white space.
    posting_basis : bool
        Whether the description was read; otherwise all is by the title alone.
    n_tokens : int
        Words of two or more characters in the cleaned title and description.
    n_function : int
        How many of them are function words.
    n_known : int
        How many of the others are words of the model's terms.
    description_length : int
        Characters of the cleaned description.
    text_hash : str
        `cxjobs.text.fingerprint` of the cleaned title and description.
    """

    roles: tuple[float, ...]
    practice: tuple[float, ...]
    title_cx: float
    has_title: bool
    posting_basis: bool
    n_tokens: int
    n_function: int
    n_known: int
    description_length: int
    text_hash: str


class Contribution(NamedTuple):
    """What one term adds to a posting's scores.

    Attributes
    ----------
    block : str
        ``title`` or ``description``.
    term : str
        One or two words, as the features write them.
    scores : tuple of float
        Added to each role's score, then to each practice element's: 18 numbers.
    """

    block: str
    term: str
    scores: tuple[float, ...]


class Scorer:
    """The compiled form of a fitted classifier.

    Parameters
    ----------
    folder : Folder
        An opened model folder (`cxjobs.store.read`).

    Raises
    ------
    ModelError
        If the folder lacks an array.

    Examples
    --------
    >>> from cxjobs import store
    >>> scorer = Scorer(store.read(store.shipped()))
    >>> scorer.score_one("Head of Customer Experience").title_cx > 0.5
    True
    """

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        index = folder.manifest["arrays"]["index"]
        self._intercept = {
            basis: folder.view(f"{basis}.intercept").tolist()
            for basis in ("title", "posting")
            if f"{basis}.intercept" in index
        }
        lexicon = Lexicon(folder)
        self._blocks = {"title": _Block(folder, "title")}
        if "posting" in self._intercept:
            self._blocks["description"] = _Block(folder, "description")
        # Words come again and again where one answer after the other is explained.
        self._number = lru_cache(1 << 15)(lexicon.number)
        self._batch: BatchScorer | None = None

    def score_one(self, title: str, description: str = "") -> Score:
        """Score one posting.

        Parameters
        ----------
        title, description : str
            As a source stores them. A blank description is none.

        Returns
        -------
        Score
            Equal to what `score_batch` gives for the same posting, within 1e-9.
        """
        title, description = clean(title), clean(description)
        title_tokens, told_tokens = _Tokens(title, self._number), _Tokens(description, self._number)
        posting = "posting" in self._intercept and bool(description.strip())
        in_title = self._blocks["title"].terms(title_tokens)
        by_title = self._scores("title", [in_title])
        scores = by_title
        if posting:
            in_description = self._blocks["description"].terms(told_tokens)
            scores = self._scores("posting", [in_title, in_description])
        both = (title_tokens, told_tokens)
        return Score(
            roles=_softmax(scores[: len(ROLES)]),
            practice=tuple(0.5 * (1.0 + tanh(0.5 * s)) for s in scores[len(ROLES) :]),
            title_cx=_softmax(by_title[: len(ROLES)])[ROLES.index(CX)],
            has_title=bool(title.strip()),
            posting_basis=posting,
            n_tokens=sum(t.n_tokens for t in both),
            n_function=sum(t.n_tokens - len(t.numbers) for t in both),
            n_known=sum(len(t.numbers) - t.numbers.count(UNKNOWN) for t in both),
            description_length=len(description),
            text_hash=fingerprint(title, description),
        )

    def score_batch(
        self, title: pa.Array | pa.ChunkedArray, description: pa.Array | pa.ChunkedArray
    ) -> Scores:
        """Score columns of postings.

        Parameters
        ----------
        title, description : pyarrow Array or ChunkedArray
            Text of any string type, as a source stores it; of one length. Missing values are
            empty text.

        Returns
        -------
        Scores
            One row per posting, in order.

        Raises
        ------
        DataError
            If the lengths differ or a column is not text.
        """
        from cxjobs.batch_scorer import BatchScorer

        if self._batch is None:
            self._batch = BatchScorer(self._folder)
        return self._batch.score(title, description)

    def contributions(self, title: str, description: str = "") -> list[Contribution]:
        """Exact share of each term in a posting's scores.

        Parameters
        ----------
        title, description : str
            As for `score_one`.

        Returns
        -------
        list of Contribution
            Title's terms, then the description's. Their sum and `intercept` are the scores.
        """
        title, description = clean(title), clean(description)
        return [
            Contribution(name, block.names[row], tuple(weight * c for c in coefficients))
            for name, block, row, weight, coefficients in self._weighed(title, description)
        ]

    def margins(
        self, title: str, description: str, first: int, second: int
    ) -> list[tuple[str, str, float]]:
        """Block and term of each contribution, and what it adds to one score beyond another.

        Parameters
        ----------
        title, description : str
            Cleaned.
        first, second : int
            Positions among the scores of a `Contribution`.
        """
        return [
            (name, block.names[row], weight * coefficients[first] - weight * coefficients[second])
            for name, block, row, weight, coefficients in self._weighed(title, description)
        ]

    def _weighed(
        self, title: str, description: str
    ) -> Iterator[tuple[str, _Block, int, float, Sequence[float]]]:
        """Terms of cleaned texts that count: block, row, weight and coefficients."""
        posting = "posting" in self._intercept and bool(description.strip())
        basis = "posting" if posting else "title"
        texts = {"title": title} | ({"description": description} if posting else {})
        for name, text in texts.items():
            block = self._blocks[name]
            for row, weight in block.terms(_Tokens(text, self._number)).items():
                yield name, block, row, weight, block.coefficients(basis, row)

    def intercept(self, posting_basis: bool) -> tuple[float, ...]:
        """Scores of a posting without any known term: 18 numbers."""
        return tuple(self._intercept["posting" if posting_basis else "title"])

    def _scores(self, basis: str, blocks: list[dict[int, float]]) -> list[float]:
        scores = list(self._intercept[basis])
        for block, terms in zip(self._blocks.values(), blocks, strict=False):
            for row, weight in terms.items():
                for j, c in enumerate(block.coefficients(basis, row)):
                    scores[j] += weight * c
        return scores


class _Tokens:
    """Numbers of a cleaned text's words, function words left out."""

    def __init__(self, text: str, number: Callable[[str], int]) -> None:
        tokens = _find_tokens(text.lower())
        numbers = {token: number(token) for token in set(tokens)}
        self.n_tokens = len(tokens)
        self.numbers = [n for t in tokens if (n := numbers[t]) != FUNCTION]


class _Block:
    """One TF-IDF block of a folder: from word numbers to weighted terms."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._unigrams = folder.view(f"{name}.unigrams")
        self._pair_keys = folder.view(f"{name}.pair_keys")
        self._pair_rows = folder.view(f"{name}.pair_rows")
        self._idf = folder.view(f"{name}.idf")
        self._norm = folder.norm(name)
        self._terms = folder.view(f"{name}.terms")
        index = folder.manifest["arrays"]["index"]
        coef = {
            basis: folder.view(f"{basis}.coef")
            for basis in ("title", "posting")
            if f"{basis}.coef" in index
        }
        # The posting basis holds the title's terms first, then the description's.
        skipped = 0 if name == "title" else len(coef["title"])
        self._coef = {basis: view[skipped:] for basis, view in coef.items()}

    def terms(self, tokens: _Tokens) -> dict[int, float]:
        """Weight of each known term of a text, by row: TF-IDF, normed."""
        numbers = tokens.numbers
        counts: dict[int, int] = {}
        for row in map(self._unigrams.__getitem__, numbers):
            if row >= 0:
                counts[row] = counts.get(row, 0) + 1
        for first, second in pairwise(numbers) if len(self._pair_keys) > 1 else ():
            if first and second:
                slot = find(self._pair_keys, pair_key(first, second))
                if slot >= 0:
                    row = self._pair_rows[slot]
                    counts[row] = counts.get(row, 0) + 1
        weights = {row: (1.0 + log(n)) * self._idf[row] for row, n in counts.items()}
        offset, slope = self._norm
        norm = offset + slope * sqrt(sum(w * w for w in weights.values()))
        return {row: w / norm for row, w in weights.items()}

    def coefficients(self, basis: str, row: int) -> Sequence[float]:
        """The 18 numbers of a term."""
        row_coef: Sequence[float] = self._coef[basis][row * WIDTH : (row + 1) * WIDTH]
        return row_coef

    @cached_property
    def names(self) -> list[str]:
        """Every term, by row."""
        names: list[str] = self._terms.tobytes().decode().split("\n")
        return names


def _softmax(scores: list[float]) -> tuple[float, ...]:
    top = max(scores)
    shifted = [exp(s - top) for s in scores]
    total = sum(shifted)
    return tuple(s / total for s in shifted)
