"""The words and pairs of a fitted model as hash tables: found by bytes, mapped, never parsed.

A table is an array of 64-bit keys with open addressing; 0 is an empty slot, and what belongs to a
key lies at the same slot of arrays beside it. The key of a spelling of up to eight bytes is its
bytes; that of a longer one is a hash, whose hits are confirmed by the bytes. The key of a pair is
the numbers of its two words. One lexicon serves both blocks. Spellings are what a text holds
(lower case, plurals not folded), so that nothing is left to be folded while scoring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cxjobs.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from cxjobs.model import JobClassifier
    from cxjobs.store import Folder

    Array = np.ndarray[Any, Any]

UNKNOWN, FUNCTION = 0, -1
"""Numbers of a token that no term holds, and of a function word; known words count from 1."""

LANE = 8
"""Bytes that are read at once."""

SPREAD, MIX_HEAD, MIX_LANE = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
LONG = 0xFF << 56
"""Mark of a hashed key: no UTF-8 text holds this byte, so it is never that of a short spelling."""

_ALL = 2**64 - 1


def spelling_key(spelling: bytes) -> int:
    """Key of a token's bytes: never 0, never that of another spelling of up to eight bytes.

    Examples
    --------
    >>> spelling_key(b"cx").to_bytes(2, "little")
    b'cx'
    >>> spelling_key(b"experience") >> 56 == 0xFF
    True
    """
    key = int.from_bytes(spelling[:LANE], "little")
    if len(spelling) <= LANE:
        return key
    for start in range(LANE, len(spelling), LANE):
        lane = int.from_bytes(spelling[start : start + LANE], "little")
        key = ((key ^ key >> 29) * MIX_HEAD + lane * MIX_LANE) & _ALL
    return key ^ key >> 32 | LONG


def pair_key(first: int, second: int) -> int:
    """Key of two neighbouring words, by their numbers."""
    return first << 32 | second


def find(keys: Sequence[int], key: int) -> int:
    """Slot of a key, or -1 where the table lacks it."""
    mask = len(keys) - 1
    slot = _home(key, mask)
    while keys[slot] != key:
        if not keys[slot]:
            return -1
        slot = (slot + 1) & mask
    return slot


def _home(key: int, mask: int) -> int:
    return (key * SPREAD & _ALL) >> 64 - mask.bit_length()


def _place(keys: Sequence[int]) -> tuple[Array, Array]:
    """Table of keys, at most half full, and the slot of each; the first come lie where sought."""
    import numpy as np

    n_slots = 1 << (2 * len(keys)).bit_length()
    table, slots = [0] * n_slots, []
    for key in keys:
        slot = _home(key, n_slots - 1)
        while table[slot]:
            slot = (slot + 1) & (n_slots - 1)
        table[slot] = key
        slots.append(slot)
    return np.array(table, np.uint64), np.array(slots, np.int64)


def spellings(word: str) -> list[str]:
    """Every token that the features turn into this word: the inverse of their folding.

    Examples
    --------
    >>> spellings("query"), spellings("business")
    (['query', 'querys', 'queries'], ['business'])
    """
    from cxjobs.features import tokens

    return [s for s in (word, word + "s", word[:-1] + "ies") if tokens(s) == [word]]


def compile_arrays(model: JobClassifier) -> dict[str, Array]:
    """Tables of a fitted classifier: what a model folder holds for the scorer.

    Parameters
    ----------
    model : JobClassifier
        Fitted.

    Returns
    -------
    dict of str to ndarray
        ``words.keys`` (uint64), ``words.numbers`` and ``words.lanes_at`` (int32) by slot, and
        ``words.lanes`` (uint64): of each spelling over eight bytes its length, then its bytes.
        Per block ``unigrams`` (int32, row of each word number or -1), ``pair_keys`` (uint64) and
        ``pair_rows`` (int32) by slot. Rows are those of the block's terms.

    Raises
    ------
    ModelError
        If a term has more than two words, or two spellings have the same hash.
    """
    import numpy as np

    blocks = {}
    rarity: dict[str, float] = {}
    for name, vectorizer in model.vectorizers_.items():
        terms = [tuple(term.split(" ")) for term in vectorizer.get_feature_names_out()]
        if any(len(term) > 2 for term in terms):
            raise ModelError("A term has more than two words, which the scorer does not know.")
        # Common ones first into the tables, so that most are found at once.
        order = sorted(range(len(terms)), key=vectorizer.idf_.__getitem__)
        blocks[name] = [(terms[row], row) for row in order]
        for term, row in blocks[name]:
            for word in term:
                rarity[word] = min(rarity.get(word, np.inf), vectorizer.idf_[row])
    words = sorted(rarity, key=lambda word: (rarity[word], word))
    number = {word: i for i, word in enumerate(words, start=1)}
    arrays = _compile_words(number)
    for name, block in blocks.items():
        unigrams = np.full(len(words) + 1, -1, np.int32)
        pairs = {}
        for term, row in block:
            if len(term) == 1:
                unigrams[number[term[0]]] = row
            else:
                pairs[pair_key(number[term[0]], number[term[1]])] = row
        keys, slots = _place(list(pairs))
        rows = np.full(len(keys), -1, np.int32)
        rows[slots] = list(pairs.values())
        arrays[f"{name}.unigrams"] = unigrams
        arrays[f"{name}.pair_keys"] = keys
        arrays[f"{name}.pair_rows"] = rows
    return arrays


def _compile_words(number: dict[str, int]) -> dict[str, Array]:
    import numpy as np

    from cxjobs.features import FUNCTION_WORDS

    known = {word.encode(): FUNCTION for word in sorted(FUNCTION_WORDS)}
    known |= {s.encode(): i for word, i in number.items() for s in spellings(word)}
    hashed = [spelling_key(s) for s in known]
    if len(set(hashed)) < len(known):
        raise ModelError("Two words of the training data have the same hash.")
    keys, slots = _place(hashed)
    numbers, lanes_at = np.zeros((2, len(keys)), np.int32)
    numbers[slots] = list(known.values())
    lanes = [0]  # for those without
    for slot, spelling in zip(slots, known, strict=True):
        if len(spelling) > LANE:
            lanes_at[slot] = len(lanes)
            lanes += [len(spelling), *_lanes(spelling)]
    return {
        "words.keys": keys,
        "words.numbers": numbers,
        "words.lanes_at": lanes_at,
        "words.lanes": np.array(lanes, np.uint64),
    }


def _lanes(spelling: bytes) -> Iterable[int]:
    starts = range(0, len(spelling), LANE)
    return (int.from_bytes(spelling[i : i + LANE], "little") for i in starts)


class Lexicon:
    """The words of an opened model folder, one token at a time.

    Parameters
    ----------
    folder : Folder
        With what `compile_arrays` gave.
    """

    def __init__(self, folder: Folder) -> None:
        self._keys = folder.view("words.keys")
        self._numbers = folder.view("words.numbers")
        self._lanes_at = folder.view("words.lanes_at")
        self._lanes = folder.view("words.lanes")

    def number(self, token: str) -> int:
        """Number of a lower-case token's word: `UNKNOWN`, `FUNCTION`, or from 1."""
        spelling = token.encode()
        slot = find(self._keys, spelling_key(spelling))
        if slot < 0:
            return UNKNOWN
        if len(spelling) > LANE:
            at = self._lanes_at[slot]
            stored = self._lanes[at : at + 1 + -(-len(spelling) // LANE)]
            if stored.tolist() != [len(spelling), *_lanes(spelling)]:
                return UNKNOWN
        number: int = self._numbers[slot]
        return number
