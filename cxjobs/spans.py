"""From a column of text to cleaned text and the places of its tokens: numpy on Arrow's bytes.

One table lower-cases ASCII and turns what parts words into spaces; the edges of what is left are
the tokens. All that bytes cannot tell is asked of Python, the definition: which characters beyond
ASCII make a word, what needs cleaning, and the lower case of text with capitals beyond ASCII.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxjobs.columns import bytes_of
from cxjobs.text import DIRTY, TOKEN, clean

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    Array = np.ndarray[Any, Any]

PADDING = 16
"""Spaces behind the last token, so that whole lanes can be read there."""

_SUSPECT, _SPACE = 1, 32
_WINDOW = 80
_is_token, _is_dirty = re.compile(TOKEN).fullmatch, re.compile(DIRTY).search


class Spans(NamedTuple):
    """Tokens of a column, two or more characters long, in order.

    Attributes
    ----------
    buffer : ndarray of uint8
        Lower-case bytes that the spans point into.
    starts, sizes : ndarray of int64
        First byte of each token, and its bytes.
    bounds : ndarray of int64, shape (n_texts + 1,)
        Number of tokens before each text, and of all.
    characters : ndarray of int64, shape (n_texts,)
        Length of each text.
    odd : dict of int to str
        Cleaned form of texts that cleaning changes, or whose lower case only Python tells. Here
        they have no tokens; `read_lowered` finds them in ``odd[i].lower()``.
    """

    buffer: Array
    starts: Array
    sizes: Array
    bounds: Array
    characters: Array
    odd: dict[int, str]


def read(texts: pa.LargeStringArray) -> Spans:
    """Find the tokens of a column and what must be cleaned.

    Parameters
    ----------
    texts : LargeStringArray
        As sources store them; without nulls.

    Returns
    -------
    Spans
        Token by token what ``TOKEN`` finds in ``clean(text).lower()``.
    """
    scan = _scan(texts)
    rows = _dirty_rows(scan)
    rows.update(dict.fromkeys(scan.rows(scan.capitals).tolist()))
    odd = {}
    for row in rows:
        odd[row] = clean(texts[row].as_py())
        scan.buffer[scan.offsets[row] : scan.offsets[row + 1]] = _SPACE
    return _spans(scan, odd)


def read_lowered(texts: pa.LargeStringArray) -> Spans:
    """Find the tokens of a column that is clean and in lower case."""
    return _spans(_scan(texts), {})


def _spans(scan: _Scan, odd: dict[int, str]) -> Spans:
    starts, sizes = _tokens(scan)
    bounds = np.searchsorted(starts, scan.offsets)
    return Spans(scan.buffer, starts, sizes, bounds, scan.characters, odd)


class _Scan(NamedTuple):
    """A column's bytes, with only the letters and digits of tokens above `_SPACE`.

    `suspects`, `capitals` and `continued` are places: of what may need cleaning, of characters
    whose lower case only Python tells, of the second and later bytes of letters.
    """

    raw: Array
    buffer: Array
    offsets: Array
    characters: Array
    suspects: Array
    capitals: Array
    continued: Array

    def rows(self, places: Array) -> Array:
        """Text of each place."""
        found: Array = np.searchsorted(self.offsets, places, side="right") - 1
        return found


def _scan(texts: pa.LargeStringArray) -> _Scan:
    offsets, raw = bytes_of(texts)
    buffer = np.frombuffer(bytearray(raw).translate(_LOWER) + b" " * PADDING, np.uint8)
    characters = np.diff(offsets)
    suspects = np.flatnonzero(buffer == _SUSPECT)
    if len(suspects):
        following = raw[np.minimum(suspects + 1, len(raw) - 1)]
        pairs = raw[suspects].astype(np.int64) << 8 | following
        suspects = suspects[_kinds_of(pairs, _pairs, _pair_kind) & _DIRTY > 0]
    leads = np.flatnonzero(buffer >= 0xC0)
    scan = _Scan(raw, buffer, offsets, characters, suspects, leads, leads)
    if not len(leads):
        return scan
    points, sizes = _points(buffer, leads)
    characters -= np.bincount(scan.rows(leads), sizes - 1, len(texts)).astype(np.int64)
    kinds = _kinds_of(points, _characters, _character_kind)
    words = kinds & _WORD > 0
    continued = []
    for k in range(4):
        buffer[leads[~words & (sizes > k)] + k] = _SPACE
        if k:
            continued.append(leads[words & (sizes > k)] + k)
    return scan._replace(
        suspects=np.concatenate([suspects, leads[kinds & _DIRTY > 0]]),
        capitals=leads[kinds & _CAPITAL > 0],
        continued=np.concatenate(continued),
    )


def _dirty_rows(scan: _Scan) -> dict[int, None]:
    """Texts to clean: of each suspect place Python looks at what follows."""
    dirty: dict[int, None] = {}
    places = scan.suspects
    for row, place in zip(scan.rows(places).tolist(), places.tolist(), strict=True):
        if row not in dirty:
            window = scan.raw[place : place + _WINDOW].tobytes().decode(errors="ignore")
            # Cut short, it must not look clean for want of its end.
            if _is_dirty(window + ";"):
                dirty[row] = None
    return dirty


def _points(buffer: Array, leads: Array) -> tuple[Array, Array]:
    """Code point and number of bytes of the characters that begin at `leads`."""
    first = buffer[leads]
    sizes = 2 + (first >= 0xE0).astype(np.int64) + (first >= 0xF0)
    points = first.astype(np.int64) & (0xFF >> (sizes + 1))
    for k in range(1, 4):
        longer = sizes > k
        points[longer] = points[longer] << 6 | buffer[leads[longer] + k] & 0x3F
    return points, sizes


def _tokens(scan: _Scan) -> tuple[Array, Array]:
    """First byte and bytes of each run of two or more characters."""
    inside = scan.buffer[: len(scan.raw)] > _SPACE
    first, last = inside.copy(), inside.copy()
    np.greater(inside[1:], inside[:-1], out=first[1:])
    np.greater(inside[:-1], inside[1:], out=last[:-1])
    # Texts lie side by side: no token goes on into the next.
    cuts = scan.offsets[(scan.offsets > 0) & (scan.offsets < len(inside))]
    first[cuts], last[cuts - 1] = inside[cuts], inside[cuts - 1]
    starts = np.flatnonzero(first)
    sizes = np.flatnonzero(last)
    sizes -= starts
    sizes += 1
    characters = sizes
    continued = scan.continued[inside[scan.continued]]
    if len(continued):
        token = np.searchsorted(starts, continued, side="right") - 1
        characters = sizes.copy()
        np.subtract.at(characters, token, 1)
    kept = np.flatnonzero(characters >= 2)
    return starts.take(kept), sizes.take(kept)


# Kinds of characters beyond ASCII by code point, and of pairs of bytes, first above second: asked
# of Python when they are first seen.
_SEEN, _WORD, _CAPITAL, _DIRTY = 1, 2, 4, 8
_characters = np.zeros(0x110000, np.uint8)
_pairs = np.zeros(0x10000, np.uint8)


def _kinds_of(codes: Array, table: Array, ask: Callable[[int], int]) -> Array:
    kinds: Array = table.take(codes)
    if not kinds.all():
        for code in np.unique(codes[kinds == 0]).tolist():
            table[code] = ask(code)
        kinds = table.take(codes)
    return kinds


def _character_kind(point: int) -> int:
    character = chr(point)
    word = _WORD if _is_token(character * 2) else 0
    capital = _CAPITAL if character.lower() != character else 0
    return _SEEN | word | capital | (_DIRTY if _is_dirty(character) else 0)


def _pair_kind(pair: int) -> int:
    return _SEEN | (_DIRTY if _is_dirty(f"{chr(pair >> 8)}{chr(pair & 0xFF)};") else 0)


def _lowered(byte: int) -> int:
    character = chr(byte)
    if byte >= 0x80:
        return byte
    if _is_token(character * 2):
        return ord(character.lower())
    opens = any(
        _is_dirty(f"{character}{chr(c)};") and not _is_dirty(f"{chr(c)};") for c in range(128)
    )
    return _SUSPECT if opens or _is_dirty(character) else _SPACE


_LOWER = bytes(map(_lowered, range(256)))
"""Of each byte what is scanned: ASCII letters and digits in lower case, suspects, or a space."""
