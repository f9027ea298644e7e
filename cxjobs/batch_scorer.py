"""The scorer's batch face: numpy on Arrow buffers, no Python object per token.

Columns go through in pieces that fit the processor's cache: `cxjobs.spans` finds the tokens, the
tables of `cxjobs.lexicon` their words and pairs, and sums of coefficients become probabilities.
"""

from __future__ import annotations

from binascii import hexlify
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxjobs import lexicon, spans
from cxjobs.columns import bytes_of, column, pieces, text_column
from cxjobs.errors import DataError
from cxjobs.taxonomy import CX, PRACTICES, ROLES
from cxjobs.text import FINGERPRINT, PARTED, fingerprint_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cxjobs.store import Folder

    Array = NDArray[Any]

ROWS, BYTES = 16384, 800_000
"""Most texts of a piece, and about how many bytes it holds."""

_WIDTH = len(ROLES) + len(PRACTICES)
_29, _32 = np.uint64(29), np.uint64(32)
_SPREAD, _MIX_HEAD, _MIX_LANE, _LONG = (
    np.uint64(n) for n in (lexicon.SPREAD, lexicon.MIX_HEAD, lexicon.MIX_LANE, lexicon.LONG)
)
_FILTER = 18
"""Bits of the table that tells at once of most pairs that they are no term."""

_HEADS = np.array([(1 << 8 * n) - 1 for n in range(lexicon.LANE + 1)], np.uint64)
"""Mask of the first n bytes of a lane."""


class Scores:
    """What the model makes of a column of postings.

    Attributes
    ----------
    roles : ndarray of float64, shape (n, 13)
        Probability of each role, order of `cxjobs.taxonomy.ROLES`; rows sum to 1.
    practice : ndarray of float64, shape (n, 5)
        Probability of each practice element, order of `cxjobs.taxonomy.PRACTICES`.
    title_cx : ndarray of float64, shape (n,)
        Probability of ``cx_management`` by the title alone.
    has_title : ndarray of bool, shape (n,)
        Whether the cleaned title is more than white space.
    posting_basis : ndarray of bool, shape (n,)
        Whether the description was read; otherwise all is by the title alone.
    n_tokens, n_function, n_known : ndarray of int64, shape (n,)
        Words of two or more characters; how many of them are function words; how many of the
        others are words of the model's terms. Title and description together.
    description_length : ndarray of int64, shape (n,)
        Characters of the cleaned description.
    text_hash : pyarrow StringArray
        `cxjobs.text.fingerprint` of each cleaned posting; computed when first asked for.
    """

    def __init__(self, parts: list[_Part]) -> None:
        self._parts = parts
        chances = np.concatenate([part.chances for part in parts], axis=1)
        # By column in memory, as they are made and mostly used.
        self.roles: NDArray[np.float64] = chances[: len(ROLES)].T
        self.practice: NDArray[np.float64] = chances[len(ROLES) :].T
        self.title_cx: NDArray[np.float64] = np.concatenate([p.title_cx for p in parts])
        self.has_title: NDArray[np.bool_] = np.concatenate([p.title.told for p in parts])
        self.posting_basis: NDArray[np.bool_] = np.concatenate([p.description.told for p in parts])
        told = np.concatenate([part.description.counts for part in parts], axis=1)
        self.description_length: NDArray[np.int64] = told[3]
        self.n_tokens, self.n_function, self.n_known = told[:3] + np.concatenate(
            [part.title.counts[:3] for part in parts], axis=1
        )

    @cached_property
    def text_hash(self) -> pa.StringArray:
        """Fingerprint of each cleaned posting."""
        texts = chain.from_iterable(part.told() for part in self._parts)
        digests = b"".join([fingerprint_of(text).digest() for text in texts])
        offsets = np.arange(0, 2 * len(digests) + 1, 2 * FINGERPRINT, dtype=np.int32)
        buffers = pa.py_buffer(offsets), pa.py_buffer(hexlify(digests))
        return pa.StringArray.from_buffers(len(offsets) - 1, *buffers)


class _Part(NamedTuple):
    """Answer for some postings."""

    title: _Field
    description: _Field
    chances: Array
    title_cx: Array

    def told(self) -> list[bytes]:
        """Cleaned texts of each posting, as fingerprints are taken of them."""
        title, description = self.title, self.description
        parted = column([PARTED])[0]
        joined = pc.binary_join_element_wise(title.texts, description.texts, parted)
        texts: list[bytes] = joined.cast(pa.large_binary()).to_pylist()
        for row in {**title.odd, **description.odd}:
            texts[row] = f"{title.cleaned(row)}{PARTED}{description.cleaned(row)}".encode()
        return texts


class _Field(NamedTuple):
    """What was read of a column.

    Attributes
    ----------
    texts : LargeStringArray
        As given.
    odd : dict of int to str
        Cleaned form of those that differ from it.
    counts : ndarray of int64, shape (4, n)
        Tokens, function words, known words and characters of each text.
    told : ndarray of bool, shape (n,)
        Which are more than white space.
    scores : ndarray of float64, shape (n_columns, n)
        Of the block, without intercept.
    """

    texts: pa.LargeStringArray
    odd: dict[int, str]
    counts: Array
    told: Array
    scores: Array

    def cleaned(self, row: int) -> str:
        """Cleaned text of a row."""
        text = self.odd.get(row)
        return str(self.texts[row]) if text is None else text


class _Words(NamedTuple):
    """Words of a column, function words left out: number and row of each, in order."""

    numbers: Array
    row: Array
    n_rows: int


class BatchScorer:
    """The arrays of a model folder, as the batch face reads them.

    Parameters
    ----------
    folder : Folder
        An opened model folder.
    """

    def __init__(self, folder: Folder) -> None:
        index = folder.manifest["arrays"]["index"]
        # Freed at once: the C library then keeps what is freed, instead of giving back and
        # asking again for the pages of every array.
        np.empty(24 * 2**20, np.uint8)
        self._keys = folder.array("words.keys")
        self._numbers = folder.array("words.numbers")
        self._lanes_at = folder.array("words.lanes_at")
        self._lanes = folder.array("words.lanes")
        self._longest = int(self._lanes[self._lanes_at].max(initial=lexicon.LANE))
        coef = {b: folder.array(f"{b}.coef") for b in ("title", "posting") if f"{b}.coef" in index}
        self._intercept = {b: folder.array(f"{b}.intercept")[:, None] for b in coef}
        split = len(coef["title"])
        self._title = _Block(folder, "title", coef["title"])
        self._title_both = self._description = self._title
        if "posting" in coef:
            both = np.hstack([coef["title"], coef["posting"][:split]])
            self._title_both = _Block(folder, "title", both)
            self._description = _Block(folder, "description", coef["posting"][split:])

    def score(
        self, title: pa.Array | pa.ChunkedArray, description: pa.Array | pa.ChunkedArray
    ) -> Scores:
        """Answer for columns; see `cxjobs.scorer.Scorer.score_batch`."""
        if len(title) != len(description):
            raise DataError(f"{len(title)} titles but {len(description)} descriptions.")
        title, description = text_column(title, "title"), text_column(description, "description")
        parts = list(pieces(title, ROWS, BYTES)) or [slice(0, 0)]
        return Scores([self._part(title[rows], description[rows]) for rows in parts])

    def _part(self, title: pa.LargeStringArray, description: pa.LargeStringArray) -> _Part:
        told = self._field(description, self._description)
        if "posting" not in self._intercept:
            told.told[:] = False
        if not told.told.any():
            by_title = self._field(title, self._title)
            by_title.scores[:] += self._intercept["title"]
            chances = _chances(by_title.scores)
            return _Part(by_title, told, chances, chances[ROLES.index(CX)])
        by_title = self._field(title, self._title_both)
        scores = by_title.scores[:_WIDTH] + self._intercept["title"]
        title_cx = _softmax(scores[: len(ROLES)])[ROLES.index(CX)]
        by_both = by_title.scores[_WIDTH:] + told.scores + self._intercept["posting"]
        return _Part(by_title, told, _chances(np.where(told.told, by_both, scores)), title_cx)

    def _field(self, texts: pa.LargeStringArray, block: _Block) -> _Field:
        n = len(texts)
        scores = np.zeros((block.n_columns, n))
        field = _Field(texts, {}, np.zeros((4, n), np.int64), np.zeros(n, bool), scores)
        if not len(bytes_of(texts)[1]):
            return field
        for piece in pieces(texts, ROWS, BYTES):
            found = spans.read(texts[piece])
            self._fill(field, piece, found, block)
            field.odd.update({piece.start + row: text for row, text in found.odd.items()})
        lowered = column([text.lower() for text in field.odd.values()])
        rows = np.array(list(field.odd), np.int64)
        for piece in pieces(lowered, ROWS, BYTES):
            self._fill(field, rows[piece], spans.read_lowered(lowered[piece]), block)
        field.counts[3, rows] = [len(text) for text in field.odd.values()]
        field.told[:] = field.counts[0] > 0
        for row in np.flatnonzero(~field.told & (field.counts[3] > 0)).tolist():
            field.told[row] = bool(field.cleaned(row).strip())
        return field

    def _fill(self, field: _Field, rows: Any, found: spans.Spans, block: _Block) -> None:
        """Look up the words of some rows of a field; count and score them."""
        numbers = self._number(found.buffer, found.starts, found.sizes)
        content = numbers >= 0
        n_tokens, n_content = np.diff(found.bounds), _number_of(content, found.bounds)
        n_known = _number_of(numbers > 0, found.bounds)
        numbers = numbers.take(np.flatnonzero(content))
        field.counts[:, rows] = n_tokens, n_tokens - n_content, n_known, found.characters
        row = np.repeat(np.arange(len(n_content), dtype=np.int32), n_content)
        field.scores[:, rows] = block.scores(_Words(numbers, row, len(n_content)))

    def _number(self, buffer: Array, starts: Array, sizes: Array) -> Array:
        """Number of the word of each span of bytes."""
        # At every byte, the eight that begin there; void, because it needs no alignment.
        lanes = np.ndarray(len(buffer) - 7, "V8", buffer.data, strides=(1,))
        keys = lanes[starts].view(np.uint64)
        keys &= _HEADS.take(sizes, mode="clip")
        long = np.flatnonzero(sizes > lexicon.LANE)
        starts, sizes = starts.take(long), sizes.take(long)
        # Lanes of the long ones, and whom each belongs to; the first is their key so far.
        reached, lane = np.arange(len(long)), keys.take(long)
        mixed, read = lane.copy(), [(reached, lane)]
        for at in range(lexicon.LANE, self._longest, lexicon.LANE):
            reached = reached[(sizes[reached] > at) & (sizes[reached] <= self._longest)]
            lane = lanes[starts[reached] + at].view(np.uint64)
            lane &= _HEADS.take(sizes[reached] - at, mode="clip")
            before = mixed[reached]
            mixed[reached] = (before ^ before >> _29) * _MIX_HEAD + lane * _MIX_LANE
            read.append((reached, lane))
        keys[long] = mixed ^ mixed >> _32 | _LONG
        slots = _slots(self._keys, keys)
        numbers = self._numbers.take(slots)
        # A hit of a hashed key counts if length and bytes agree; what missed has no length.
        stored = self._lanes_at.take(slots.take(long))
        right = self._lanes.take(stored) == sizes
        for k, (reached, lane) in enumerate(read, start=1):
            right[reached] &= self._lanes.take(stored[reached] + k, mode="clip") == lane
        numbers[long[~right]] = lexicon.UNKNOWN
        return numbers


class _Block:
    """One TF-IDF block with the coefficients of one basis, or of two side by side."""

    def __init__(self, folder: Folder, name: str, coef: Array) -> None:
        idf = folder.array(f"{name}.idf")
        # Common terms first: what is read often lies close together.
        order = np.argsort(idf, kind="stable")
        rank = np.full(len(order) + 1, -1, np.int32)
        rank[order] = np.arange(len(order))
        self._idf = idf[order]
        self._norm = folder.norm(name)
        self._coef = coef[order].astype(float)
        self._unigrams = rank[folder.array(f"{name}.unigrams")]
        self._pair_keys = folder.array(f"{name}.pair_keys")
        self._pair_terms = rank[folder.array(f"{name}.pair_rows")]
        self._has_pairs = bool((self._pair_terms >= 0).any())
        self._maybe_pair = np.zeros(1 << _FILTER, bool)
        self._maybe_pair[_spread(self._pair_keys, _FILTER)] = True
        self.n_columns = coef.shape[1]
        self._shift = len(idf).bit_length()
        fits = self._shift + ROWS.bit_length() < 32
        self._key_type = np.int32 if fits else np.int64

    def scores(self, words: _Words) -> Array:
        """Sum of the coefficients of each posting's terms, weighted: shape (n_columns, n)."""
        terms, counts, bounds = self._terms(words)
        weights = 1.0 + np.log(np.arange(1, counts.max(initial=1) + 1))
        weights = weights.take(counts - 1)
        weights *= self._idf.take(terms)
        widths = _widths(np.diff(bounds))
        out = np.zeros((words.n_rows, self.n_columns))
        for width in (np.flatnonzero(np.bincount(widths)[1:]) + 1).tolist():
            rows = np.flatnonzero(widths == width)
            at = bounds.take(rows)[:, None] + np.arange(width)
            # What a row lacks to the common width are terms of its neighbours, without weight.
            weight = weights.take(at, mode="clip")
            weight *= at < bounds.take(rows + 1)[:, None]
            coef = self._coef.take(terms.take(at, mode="clip"), axis=0)
            sums = np.matmul(weight[:, None], coef)[:, 0]
            norm = np.sqrt(np.einsum("nk,nk->n", weight, weight))
            norm *= self._norm[1]
            norm += self._norm[0]
            out[rows] = sums / norm[:, None]
        return out.T

    def _terms(self, words: _Words) -> tuple[Array, Array, Array]:
        """Each posting's distinct terms in order, how often each stands, where postings begin."""
        numbers = words.numbers
        row: Array = words.row.astype(self._key_type, copy=False)
        terms: Array = self._unigrams.take(numbers)
        known: Array = np.flatnonzero(terms >= 0)
        found = row.take(known) << self._shift | terms.take(known)
        if self._has_pairs:
            found = np.concatenate([found, self._pairs(numbers, row)])
        found.sort()
        new = np.ones(len(found) + 1, bool)
        np.not_equal(found[1:], found[:-1], out=new[1:-1])
        first = np.flatnonzero(new)
        found = found.take(first[:-1]).astype(np.int64)
        bounds = np.searchsorted(found, np.arange(words.n_rows + 1) << self._shift)
        found &= (1 << self._shift) - 1
        return found, np.diff(first), bounds

    def _pairs(self, numbers: Array, row: Array) -> Array:
        """Row and term of each pair of neighbours that is a term."""
        word: Array = numbers > 0
        beside = np.flatnonzero(word[:-1] & word[1:] & (row[:-1] == row[1:]))
        keys = numbers.take(beside).astype(np.uint64)
        keys <<= _32
        keys |= numbers[1:].take(beside).astype(np.uint64)
        maybe = np.flatnonzero(self._maybe_pair.take(_spread(keys, _FILTER)))
        terms: Array = self._pair_terms.take(_slots(self._pair_keys, keys.take(maybe)))
        known = np.flatnonzero(terms >= 0)
        found: Array = row.take(beside.take(maybe.take(known))) << self._shift | terms.take(known)
        return found


def _number_of(true: Array, bounds: Array) -> Array:
    """How many are true between each bound and the next."""
    before = np.zeros(len(true) + 1, np.int32)
    np.cumsum(true, out=before[1:])
    return np.diff(before.take(bounds))


def _widths(sizes: Array) -> Array:
    """Round up to one of four steps between powers of two, so that few widths remain."""
    steps: Array = np.maximum(np.frexp(sizes - 0.5)[1] - 3, 0)
    widths: Array = -(-sizes >> steps) << steps
    return widths


def _spread(keys: Array, bits: int) -> Array:
    """First slot of each key in a table of 2**bits."""
    slots: Array = keys * _SPREAD
    slots >>= np.uint64(64 - bits)
    return slots.view(np.int64)


def _slots(table: Array, keys: Array) -> Array:
    """Slot of each key, or an empty slot where the table lacks it."""
    slots = _spread(keys, len(table).bit_length() - 1)
    held = table.take(slots)
    astray = np.flatnonzero(held != keys)
    astray = astray[held.take(astray) != 0]
    while len(astray):
        moved = slots.take(astray) + 1
        moved &= len(table) - 1
        slots[astray] = moved
        held = table.take(moved)
        astray = astray[(held != keys.take(astray)) & (held != 0)]
    return slots


def _chances(scores: Array) -> Array:
    """Probabilities of roles and practice elements: shape (18, n)."""
    scores[: len(ROLES)] = _softmax(scores[: len(ROLES)])
    practice = scores[len(ROLES) :]
    practice *= 0.5
    np.tanh(practice, out=practice)
    practice += 1.0
    practice *= 0.5
    return scores


def _softmax(scores: Array) -> Array:
    shifted: Array = scores - scores.max(axis=0)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(axis=0)
    return shifted
