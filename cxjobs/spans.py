"""From a column of text to cleaned text and the places of its tokens: numpy on Arrow's bytes.

One table lower-cases ASCII and turns what parts words into spaces; the edges of what is left are
the tokens. All that bytes cannot tell is asked of Python, the definition: which characters beyond
ASCII make a word, what needs cleaning, and the lower case of text with capitals beyond ASCII.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxjobs.text import DIRTY, TOKEN, clean

if TYPE_CHECKING:
    from collections.abc import Callable

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
    texts : LargeStringArray
        The column, cleaned.
    characters : ndarray of int64
        Length of each.
    buffer : ndarray of uint8
        Lower-case bytes that the spans point into.
    starts, sizes : ndarray of int64
        First byte of each token, and its bytes.
    bounds : ndarray of int64, shape (n_texts + 1,)
        Number of tokens before each text, and of all.
    """

    texts: pa.LargeStringArray
    characters: Array
    buffer: Array
    starts: Array
    sizes: Array
    bounds: Array


def read(texts: pa.LargeStringArray) -> Spans:
    """Clean a column and find its tokens.

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
    dirty = _dirty_rows(scan)
    if dirty:
        texts = _changed(texts, dirty, clean)
        scan = _scan(texts)
    characters = scan.characters
    if len(scan.capitals):
        # Python looks at the whole text to tell what these become.
        scan = _scan(_changed(texts, scan.rows(scan.capitals), str.lower))
    starts, sizes = _tokens(scan.buffer, scan.continued)
    return Spans(
        texts, characters, scan.buffer, starts, sizes, np.searchsorted(starts, scan.offsets)
    )


def _changed(
    texts: pa.LargeStringArray, rows: Any, change: Callable[[str], str]
) -> pa.LargeStringArray:
    """Column with a function applied to some of its texts."""
    mask = np.zeros(len(texts), bool)
    mask[rows] = True
    changed = [change(text) for text in texts.filter(pa.array(mask)).to_pylist()]
    return pc.replace_with_mask(texts, pa.array(mask), pa.array(changed, pa.large_string()))


def _dirty_rows(scan: _Scan) -> list[int]:
    """Texts to clean: of each suspect place Python looks at what follows."""
    dirty: dict[int, None] = {}
    rows = np.searchsorted(scan.offsets, scan.suspects, side="right") - 1
    for row, place in zip(rows.tolist(), scan.suspects.tolist(), strict=True):
        if row not in dirty:
            # Cut short, it must not look clean for want of its end.
            window = bytes(scan.raw[place : place + _WINDOW]).decode(errors="ignore")
            if _is_dirty(window + ";"):
                dirty[row] = None
    return list(dirty)


class _Scan(NamedTuple):
    """A column's bytes, with only the letters and digits of tokens above `_SPACE`.

    `characters` counts those of each text. `suspects`, `capitals` and `continued` are places: of
    what may need cleaning, of characters whose lower case only Python tells, of the second and
    later bytes of letters.
    """

    raw: memoryview
    buffer: Array
    offsets: Array
    characters: Array
    suspects: Array
    capitals: Array
    continued: Array

    def rows(self, places: Array) -> Array:
        """Texts that hold any of the places."""
        found: Array = np.unique(np.searchsorted(self.offsets, places, side="right") - 1)
        return found


def _scan(texts: pa.LargeStringArray) -> _Scan:
    # A space behind each text keeps the tokens of neighbours apart.
    spaced = pc.binary_join_element_wise(texts, _text(""), _text(" "))
    _, offsets, data = spaced.buffers()
    offsets = np.frombuffer(offsets, np.int64)[spaced.offset :][: len(spaced) + 1]
    raw = memoryview(data if len(texts) else b"")[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    characters = np.diff(offsets) - 1
    buffer = np.frombuffer(bytearray(raw).translate(_LOWER) + b" " * PADDING, np.uint8)
    suspects = np.flatnonzero(buffer == _SUSPECT)
    if len(suspects):
        pairs = [np.frombuffer(raw, np.uint8)[suspects + k].astype(np.int64) for k in (0, 1)]
        suspects = suspects[_kinds_of(pairs[0] << 8 | pairs[1], _pairs, _pair_kind) == _DIRTY]
    leads = np.flatnonzero(buffer >= 0xC0)
    if not len(leads):
        return _Scan(raw, buffer, offsets, characters, suspects, leads, leads)
    points, sizes = _points(buffer, leads)
    row = np.searchsorted(offsets, leads, side="right") - 1
    characters -= np.bincount(row, sizes - 1, len(characters)).astype(np.int64)
    kinds = _kinds_of(points, _characters, _character_kind)
    words = kinds == _WORD
    continued = []
    for k in range(4):
        buffer[leads[~words & (sizes > k)] + k] = _SPACE
        if k:
            continued.append(leads[words & (sizes > k)] + k)
    suspects = np.concatenate([suspects, leads[kinds == _DIRTY]])
    capitals = leads[kinds == _CAPITAL]
    return _Scan(raw, buffer, offsets, characters, suspects, capitals, np.concatenate(continued))


def _text(value: str) -> pa.Scalar:
    return pa.scalar(value, pa.large_string())


def _points(buffer: Array, leads: Array) -> tuple[Array, Array]:
    """Code point and number of bytes of the characters that begin at `leads`."""
    first = buffer[leads]
    sizes = 2 + (first >= 0xE0).astype(np.int64) + (first >= 0xF0)
    points = first.astype(np.int64) & (0xFF >> (sizes + 1))
    for k in range(1, 4):
        longer = sizes > k
        points[longer] = points[longer] << 6 | buffer[leads[longer] + k] & 0x3F
    return points, sizes


def _tokens(buffer: Array, continued: Array) -> tuple[Array, Array]:
    """First byte and bytes of each run of two or more characters."""
    inside = buffer > _SPACE
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    edges += 1
    if inside[0]:
        edges = np.concatenate([[0], edges])
    starts, sizes = edges[::2], edges[1::2] - edges[::2]
    characters = sizes
    if len(continued):
        token = np.searchsorted(starts, continued, side="right") - 1
        characters = sizes - np.bincount(token, minlength=len(starts))
    kept = np.flatnonzero(characters >= 2)
    return starts.take(kept), sizes.take(kept)


# Kinds of characters beyond ASCII by code point, and of pairs of bytes, first above second: asked
# of Python when they are first seen.
_UNSEEN, _BREAK, _WORD, _CAPITAL, _DIRTY = range(5)
_characters = np.zeros(0x110000, np.uint8)
_pairs = np.zeros(0x10000, np.uint8)


def _kinds_of(codes: Array, table: Array, ask: Callable[[int], int]) -> Array:
    kinds: Array = table.take(codes)
    if not kinds.all():
        for code in np.unique(codes[kinds == _UNSEEN]).tolist():
            table[code] = ask(code)
        kinds = table.take(codes)
    return kinds


def _character_kind(point: int) -> int:
    character = chr(point)
    if _is_dirty(character):
        return _DIRTY
    if character.lower() != character:
        return _CAPITAL
    return _WORD if _is_token(character * 2) else _BREAK


def _pair_kind(pair: int) -> int:
    return _DIRTY if _is_dirty(f"{chr(pair >> 8)}{chr(pair & 0xFF)};") else _BREAK


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
