"""The scorer's batch face: numpy on Arrow buffers, no Python object per posting or token.

A column is read as bytes: lower-cased and stripped of all but words by one table, cut into
tokens, looked up in the lexicon's tables eight bytes at a time. What bytes cannot tell is asked
of Python itself: which characters make a word, and the lower case of any text with capitals
outside ASCII.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxjobs import lexicon
from cxjobs.errors import DataError
from cxjobs.taxonomy import CX, PRACTICES, ROLES
from cxjobs.text import DIRTY, TOKEN, clean, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from cxjobs.store import Folder

    Array = NDArray[Any]

ROWS = 4096
"""Postings that are scored together."""

BYTES = 400_000
"""Text that is tokenised at once: what the processor's cache holds with all that grows from it."""

_WIDTH = len(ROLES) + len(PRACTICES)
_SPACE = 32
_SPREAD, _MIX_HEAD, _MIX_LANE, _LONG = (
    np.uint64(n) for n in (lexicon.SPREAD, lexicon.MIX_HEAD, lexicon.MIX_LANE, lexicon.LONG)
)
_29, _32 = np.uint64(29), np.uint64(32)
_HEADS = np.array([(1 << 8 * n) - 1 for n in range(lexicon.LANE + 1)], np.uint64)
"""Mask of the first n bytes of a lane."""

_is_word = re.compile(TOKEN).fullmatch
_LOWER = bytes(
    c if c >= 0x80 else ord(chr(c).lower()) if _is_word(chr(c) * 2) else _SPACE for c in range(256)
)
"""Each byte in lower case; ASCII that is no part of a token becomes a space."""

_UNSEEN, _BREAK, _WORD, _CAPITAL = range(4)
_kinds = np.zeros(0x110000, np.uint8)
"""Kind of each character beyond ASCII, asked of Python when it is first seen."""


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
        self._texts = [(part.title, part.description) for part in parts]
        roles = np.concatenate([part.scores[:, : len(ROLES)] for part in parts])
        practice = np.concatenate([part.scores[:, len(ROLES) :] for part in parts])
        self.roles: NDArray[np.float64] = roles
        self.practice: NDArray[np.float64] = practice
        self.title_cx: NDArray[np.float64] = np.concatenate([p.title_cx for p in parts])
        self.has_title: NDArray[np.bool_] = np.concatenate([p.has_title for p in parts])
        self.posting_basis: NDArray[np.bool_] = np.concatenate([p.posting_basis for p in parts])
        self.n_tokens, self.n_function, self.n_known = np.concatenate(
            [part.counts for part in parts], axis=1
        )
        self.description_length: NDArray[np.int64] = np.concatenate(
            [pc.utf8_length(part.description).to_numpy() for part in parts]
        )

    @cached_property
    def text_hash(self) -> pa.StringArray:
        """Fingerprint of each cleaned posting."""
        hashes = [
            fingerprint(title, description)
            for titles, descriptions in self._texts
            for title, description in zip(titles.to_pylist(), descriptions.to_pylist(), strict=True)
        ]
        return pa.array(hashes, pa.string())


class _Part(NamedTuple):
    """Answer for `ROWS` postings, with their cleaned text."""

    title: pa.LargeStringArray
    description: pa.LargeStringArray
    scores: Array
    title_cx: Array
    has_title: Array
    posting_basis: Array
    counts: Array


class _Words(NamedTuple):
    """Words of a column, function words left out.

    Attributes
    ----------
    numbers : ndarray of int32
        Number of each word, `lexicon.UNKNOWN` or from 1, in order.
    row : ndarray of int32
        Posting of each word.
    counts : ndarray of int64, shape (3, n)
        Tokens, function words and known words of each posting.
    """

    numbers: Array
    row: Array
    counts: Array


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
        self._intercept = {basis: folder.array(f"{basis}.intercept") for basis in coef}
        self._title = _Block(folder, "title", coef["title"])
        if "posting" in coef:
            split = len(coef["title"])
            self._title_both = _Block(
                folder, "title", np.hstack([coef["title"], coef["posting"][:split]])
            )
            self._description = _Block(folder, "description", coef["posting"][split:])

    def score(
        self, title: pa.Array | pa.ChunkedArray, description: pa.Array | pa.ChunkedArray
    ) -> Scores:
        """Answer for columns; see `cxjobs.scorer.Scorer.score_batch`."""
        if len(title) != len(description):
            raise DataError(f"{len(title)} titles but {len(description)} descriptions.")
        title, description = _column(title, "title"), _column(description, "description")
        starts = range(0, max(len(title), 1), ROWS)
        return Scores([self._part(title[i : i + ROWS], description[i : i + ROWS]) for i in starts])

    def _part(self, title: pa.LargeStringArray, description: pa.LargeStringArray) -> _Part:
        title, description = _cleaned(title), _cleaned(description)
        n = len(title)
        in_title = self._words(title)
        counts = in_title.counts
        in_description = np.zeros((n, _WIDTH))
        whole = np.zeros(n, bool)
        if pc.any(pc.not_equal(pc.binary_length(description), 0)).as_py():
            counts = counts.copy()
            for rows in _pieces(description):
                piece = description[rows.start : rows.stop]
                words = self._words(piece)
                counts[:, rows] += words.counts
                if "posting" in self._intercept:
                    whole[rows] = _told(piece, words)
                    in_description[rows] = self._description.scores(words)
        if whole.any():
            both = self._title_both.scores(in_title)
            by_title = both[:, :_WIDTH] + self._intercept["title"]
            scores = by_title.copy()
            scores[whole] = both[whole, _WIDTH:] + in_description[whole]
            scores[whole] += self._intercept["posting"]
        else:
            by_title = scores = self._title.scores(in_title) + self._intercept["title"]
        title_cx = _softmax(by_title[:, : len(ROLES)])[:, ROLES.index(CX)]
        chances = np.empty((n, _WIDTH))
        chances[:, : len(ROLES)] = _softmax(scores[:, : len(ROLES)])
        chances[:, len(ROLES) :] = 0.5 * (1.0 + np.tanh(0.5 * scores[:, len(ROLES) :]))
        return _Part(title, description, chances, title_cx, _told(title, in_title), whole, counts)

    def _words(self, texts: pa.LargeStringArray) -> _Words:
        n = len(texts)
        buffer, offsets = _bytes(texts)
        capitals, continued = _blank(buffer)
        if len(capitals):
            # Only Python knows the lower case of these, and it takes the whole text to tell.
            mask = np.zeros(n, bool)
            mask[np.searchsorted(offsets, capitals, side="right") - 1] = True
            return self._words(_changed(texts, pa.array(mask), str.lower))
        starts, sizes = _spans(buffer, continued)
        numbers = self._number(buffer, starts, sizes)
        ends = np.searchsorted(starts, offsets)
        content = np.flatnonzero(numbers >= 0)
        content_ends = np.searchsorted(content, ends)
        numbers = numbers[content]
        known = np.searchsorted(np.flatnonzero(numbers), content_ends)
        n_tokens, n_content = np.diff(ends), np.diff(content_ends)
        row = np.repeat(np.arange(n, dtype=np.int32), n_content)
        return _Words(numbers, row, np.stack([n_tokens, n_tokens - n_content, np.diff(known)]))

    def _number(self, buffer: Array, starts: Array, sizes: Array) -> Array:
        """Number of the word of each span of bytes."""
        # At every byte, the eight that begin there; void, because it needs no alignment.
        lanes = np.ndarray(len(buffer) - 7, "V8", buffer.data, strides=(1,))
        keys = lanes[starts].view(np.uint64)
        keys &= _HEADS.take(np.minimum(sizes, lexicon.LANE))
        long = np.flatnonzero(sizes > lexicon.LANE)
        starts, sizes = starts.take(long), sizes.take(long)
        # Lanes of the long ones, and whom each belongs to; the first is their key so far.
        reached, lane = np.arange(len(long)), keys.take(long)
        mixed, read = lane.copy(), [(reached, lane)]
        for at in range(lexicon.LANE, self._longest, lexicon.LANE):
            reached = reached[(sizes[reached] > at) & (sizes[reached] <= self._longest)]
            lane = lanes[starts[reached] + at].view(np.uint64)
            lane &= _HEADS.take(np.minimum(sizes[reached] - at, lexicon.LANE))
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
        self._unigrams = folder.array(f"{name}.unigrams")
        self._pair_keys = folder.array(f"{name}.pair_keys")
        self._pair_rows = folder.array(f"{name}.pair_rows")
        self._idf = folder.array(f"{name}.idf")
        self._shift = np.int32(len(self._idf).bit_length())
        # A title has few terms, a description hundreds: the one is summed column by column over
        # all postings, the other posting by posting over all columns.
        self._by_column = name == "title"
        self._coef = np.array(coef.T if self._by_column else coef, float, order="C")

    def scores(self, words: _Words) -> Array:
        """Sum of the coefficients of each posting's terms, weighted: shape (n, n_columns)."""
        n = words.counts.shape[1]
        terms, counts, bounds = self._terms(words, n)
        sublinear = 1.0 + np.log(np.arange(1, counts.max(initial=1) + 1))
        weights = sublinear.take(counts - 1)
        weights *= self._idf.take(terms)
        filled = np.flatnonzero(bounds[1:] > bounds[:-1])
        starts = bounds.take(filled)
        lengths = np.sqrt(np.add.reduceat(np.square(weights), starts)) if len(filled) else starts
        out = np.zeros((n, self._coef.shape[0 if self._by_column else 1]))
        if not self._by_column:
            rows = self._coef.take(terms, axis=0)
            ends = [*starts[1:].tolist(), len(terms)]
            for i, start, end in zip(filled.tolist(), starts.tolist(), ends, strict=True):
                np.dot(weights[start:end], rows[start:end], out=out[i])
            out[filled] /= lengths[:, None]
        elif len(filled):
            gathered = np.empty(len(terms))
            for j, column in enumerate(self._coef):
                column.take(terms, out=gathered, mode="clip")
                gathered *= weights
                out[filled, j] = np.add.reduceat(gathered, starts) / lengths
        return out

    def _terms(self, words: _Words, n: int) -> tuple[Array, Array, Array]:
        """Each posting's distinct terms in order, how often each stands, where postings begin."""
        numbers, row = words.numbers, words.row
        terms = self._unigrams.take(numbers)
        known = np.flatnonzero(terms >= 0)
        single = row.take(known) << self._shift | terms.take(known)
        known = numbers > 0
        beside = np.flatnonzero(known[:-1] & known[1:] & (row[:-1] == row[1:]))
        keys = numbers.take(beside).astype(np.uint64)
        keys <<= _32
        keys |= numbers[1:].take(beside).astype(np.uint64)
        terms = self._pair_rows.take(_slots(self._pair_keys, keys))
        known = np.flatnonzero(terms >= 0)
        double = row.take(beside.take(known)) << self._shift | terms.take(known)
        found = np.concatenate([single, double])
        found.sort()
        new = np.empty(len(found) + 1, bool)
        new[0] = new[-1] = True
        np.not_equal(found[1:], found[:-1], out=new[1:-1])
        first = np.flatnonzero(new)
        found = found.take(first[:-1]).astype(np.int64)
        ends = np.searchsorted(found, np.arange(n + 1) << self._shift)
        found &= (1 << self._shift) - 1
        return found, first[1:] - first[:-1], ends


def _slots(table: Array, keys: Array) -> Array:
    """Slot of each key, or an empty slot where the table lacks it."""
    slots = keys * _SPREAD
    slots >>= np.uint64(lexicon.shift_of(len(table)))
    slots = slots.view(np.int64)
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


def _column(values: pa.Array | pa.ChunkedArray, name: str) -> pa.LargeStringArray:
    try:
        values = values.cast(pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(f"Column {name} has type {values.type}, which is not text.") from None
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.fill_null("") if values.null_count else values


def _cleaned(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    return _changed(texts, pc.match_substring_regex(texts, DIRTY), clean)


def _changed(
    texts: pa.LargeStringArray, mask: pa.BooleanArray, change: Callable[[str], str]
) -> pa.LargeStringArray:
    """Texts with a function applied to those of a mask."""
    chosen = texts.filter(mask)
    if not len(chosen):
        return texts
    changed = pa.array([change(t) for t in chosen.to_pylist()], pa.large_string())
    return pc.replace_with_mask(texts, mask, changed)


def _pieces(texts: pa.LargeStringArray) -> Iterator[slice]:
    """Cut a column where about `BYTES` of text are full."""
    offsets = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :][: len(texts) + 1]
    start = 0
    while start < len(texts):
        stop = int(np.searchsorted(offsets, offsets[start] + BYTES, side="right")) - 1
        stop = min(max(stop, start + 1), len(texts))
        yield slice(start, stop)
        start = stop


def _told(texts: pa.LargeStringArray, words: _Words) -> Array:
    """Which texts are more than white space."""
    told: Array = words.counts[0] > 0
    unsure = np.flatnonzero(~told & pc.not_equal(pc.binary_length(texts), 0).to_numpy(False))
    told[unsure] = [bool(t.strip()) for t in texts.take(pa.array(unsure)).to_pylist()]
    return told


def _bytes(texts: pa.LargeStringArray) -> tuple[Array, Array]:
    """A column's bytes by `_LOWER`, a space behind each text, and where the texts begin."""
    spaced = pc.binary_join_element_wise(texts, _text(""), _text(" "))
    _, offsets, data = spaced.buffers()
    offsets = np.frombuffer(offsets, np.int64)[spaced.offset :][: len(spaced) + 1]
    data = memoryview(data)[offsets[0] : offsets[-1]] if len(texts) else b""
    lowered = bytearray(data).translate(_LOWER) + b" " * (2 * lexicon.LANE)
    return np.frombuffer(lowered, np.uint8), offsets - offsets[0]


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())


def _blank(buffer: Array) -> tuple[Array, Array]:
    """Write spaces over characters beyond ASCII that are no part of a word.

    Returns
    -------
    tuple of ndarray
        Places of characters with another lower case; places of the bytes that continue a
        character of a word.
    """
    leads = np.flatnonzero(buffer >= 0xC0)
    if not len(leads):
        return leads, leads
    points, sizes = _points(buffer, leads)
    kinds = _kinds.take(points)
    if not kinds.all():
        for point in np.unique(points[kinds == _UNSEEN]).tolist():
            _kinds[point] = _kind(chr(point))
        kinds = _kinds.take(points)
    breaks, words = kinds == _BREAK, kinds == _WORD
    continued = []
    for k in range(4):
        buffer[leads[breaks & (sizes > k)] + k] = _SPACE
        if k:
            continued.append(leads[words & (sizes > k)] + k)
    return leads[kinds == _CAPITAL], np.concatenate(continued)


def _kind(character: str) -> int:
    if character.lower() != character:
        return _CAPITAL
    return _WORD if _is_word(character * 2) else _BREAK


def _points(buffer: Array, leads: Array) -> tuple[Array, Array]:
    """Code point and number of bytes of the characters that begin at `leads`."""
    first = buffer[leads]
    sizes = 2 + (first >= 0xE0).astype(np.int64) + (first >= 0xF0)
    points = first.astype(np.int64) & (0xFF >> (sizes + 1))
    for k in range(1, 4):
        longer = sizes > k
        points[longer] = points[longer] << 6 | buffer[leads[longer] + k] & 0x3F
    return points, sizes


def _spans(buffer: Array, continued: Array) -> tuple[Array, Array]:
    """Where tokens of two or more characters begin, and their bytes."""
    letters = buffer != _SPACE
    edges = np.flatnonzero(letters[1:] != letters[:-1])
    edges += 1
    if letters[0]:
        edges = np.concatenate([[0], edges])
    starts, sizes = edges[::2], edges[1::2] - edges[::2]
    characters = sizes
    if len(continued):
        token = np.searchsorted(starts, continued, side="right") - 1
        characters = sizes - np.bincount(token, minlength=len(starts))
    kept = characters >= 2
    return starts[kept], sizes[kept]


def _softmax(scores: Array) -> Array:
    shifted: Array = np.exp(scores - scores.max(axis=1, keepdims=True))
    shifted /= shifted.sum(axis=1, keepdims=True)
    return shifted
