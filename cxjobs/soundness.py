"""Whether a model folder holds what a model can hold: a right digest says only who wrote it last.

Three depths. `check_arrays` runs whenever a model is opened, without numpy: each array is there,
and looking up a word ends. `check_values` runs before the first batch: no lookup leaves its array,
no number is infinite or none. A single answer is not preceded by that: where it comes to nothing,
the folder is `suspected`. `check` is for ``cxjobs model verify``: the tables are those of the
terms (`check_tables`), and the bounds of the thresholds those of their counts.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cxjobs.errors import ModelError
from cxjobs.taxonomy import CX, PRACTICES, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from cxjobs.store import Folder

    Array = np.ndarray[Any, Any]

FARTHEST = 1024
"""Slots from where a key is sought to where it lies; in honest tables, a few dozen at most."""

LONGEST_WORD = 2**16
"""Bytes of the longest word that a title or description may teach a model."""

LARGEST = 1e30
"""What no weight or coefficient reaches; below, and above its inverse, no sum ends in infinity."""

LONGEST_NAME = 200
"""Characters of the longest name of a model."""

BLOCKS = {"title": "title", "description": "posting"}
"""The basis that each block of terms came with."""


def check_arrays(folder: Folder) -> None:
    """Check that a folder's arrays are those of a model: each there, of its type, fitting.

    Raises
    ------
    ModelError
        Naming the array that is not.
    """

    def check(name: str, kind: str, shape: list[int] | None = None) -> list[int]:
        entry = folder.entry(name)
        found: list[int] = entry["shape"]
        fits = len(found) == 1 if shape is None else found == shape
        # Where a key is sought, slots are a power of two.
        if entry["dtype"] != kind or not fits or ("keys" in name and found[0].bit_count() != 1):
            raise ModelError(
                f"{folder.path}: its array {name!r} has type {entry['dtype']} and shape {found}, "
                "which is not a model's. Try: copy the folder again, or train it again."
            )
        if "keys" in name and 0 not in folder.view(name):
            raise _unsound(folder, f"the table {name!r} has no empty slot, so no search would end")
        return found

    slots, words = check("words.keys", "<u8"), check("title.unigrams", "<i4")
    check("words.numbers", "<i4", slots)
    check("words.lanes_at", "<i4", slots)
    check("words.lanes", "<u8")
    rows, width = 0, len(ROLES) + len(PRACTICES)
    for block in blocks(folder):
        check(f"{block}.terms", "|u1")
        check(f"{block}.unigrams", "<i4", words)
        check(f"{block}.pair_rows", "<i4", check(f"{block}.pair_keys", "<u8"))
        # Counted, not split: this is done at each opening.
        n, known = check(f"{block}.idf", "<f8")[0], _listed(folder, block).count("\n") + 1
        if n != known:
            raise _unsound(folder, f"the block {block!r} has {n} rows but {known} terms")
        rows += n
        if folder.manifest["format"] > 1:
            check(f"{block}.norm", "<f8", [2])
        offset, slope = folder.norm(block)
        if not (0 <= offset < LARGEST and 0 <= slope < LARGEST and offset + slope > 1 / LARGEST):
            raise _unsound(folder, f"the rows of the block {block!r} cannot be normed")
        check(f"{BLOCKS[block]}.coef", "<f4", [rows, width])
        check(f"{BLOCKS[block]}.intercept", "<f8", [width])


def blocks(folder: Folder) -> list[str]:
    """Blocks of terms that a folder has: the title's, and the description's if it reads any."""
    posting = "posting.coef" in folder.manifest["arrays"]["index"]
    return ["title", "description"] if posting else ["title"]


def terms(folder: Folder, block: str) -> list[str]:
    """Terms of a block, by row.

    Raises
    ------
    ModelError
        If they are not UTF-8.
    """
    return _listed(folder, block).split("\n")


def _listed(folder: Folder, block: str) -> str:
    try:
        return str(folder.view(f"{block}.terms"), "utf-8")
    except UnicodeDecodeError:
        raise _unsound(folder, f"the terms of the block {block!r} are not UTF-8") from None


def check_values(folder: Folder) -> None:
    """Check that every lookup stays within its array, and that every number is one.

    Raises
    ------
    ModelError
        Saying which does not.
    """
    import numpy as np

    def within(name: str, low: int, high: int) -> Array:
        values = folder.array(name)
        if values.size and not low <= int(values.min()) <= int(values.max()) < high:
            raise _unsound(folder, f"the array {name!r} points outside of {low} to {high - 1}")
        return values

    _check_table(folder, "words.keys")
    lanes = folder.array("words.lanes")
    n_words = folder.entry("title.unigrams")["shape"][0]
    at, numbers = within("words.lanes_at", 0, len(lanes)), within("words.numbers", -1, n_words)
    sizes = lanes[at].astype(np.int64)
    if lanes[0] or int(lanes[at].max()) > LONGEST_WORD or (at - (-sizes // 8) >= len(lanes)).any():
        raise _unsound(folder, "the spelling of a long word ends outside of 'words.lanes'")
    empty = folder.array("words.keys") == 0
    if numbers[empty].any() or at[empty].any() or not numbers[~empty].all():
        raise _unsound(folder, "an empty slot of 'words.keys' has a word, or a full one has none")
    for block in blocks(folder):
        basis, n = BLOCKS[block], folder.entry(f"{block}.idf")["shape"][0]
        _check_table(folder, f"{block}.pair_keys")
        unigrams = within(f"{block}.unigrams", -1, n)
        pairs = within(f"{block}.pair_rows", -1, n)
        if unigrams[0] != -1 or ((pairs < 0) != (folder.array(f"{block}.pair_keys") == 0)).any():
            raise _unsound(folder, f"what the block {block!r} does not know has a row")
        for name in (f"{block}.idf", f"{basis}.coef", f"{basis}.intercept"):
            if not (np.abs(folder.array(name)) < LARGEST).all():
                raise _unsound(folder, f"the array {name!r} holds values that are no measures")
        if (folder.array(f"{block}.idf") <= 1 / LARGEST).any():
            raise _unsound(folder, f"the array '{block}.idf' holds weights that are not positive")


def _check_table(folder: Folder, name: str) -> None:
    """Check that each key of a table is found, soon, and in one place."""
    import numpy as np

    from cxjobs.lexicon import SPREAD

    keys = folder.array(name)
    full, slots = keys != 0, np.arange(len(keys))
    held = keys[full]
    if len(np.unique(held)) < len(held):
        raise _unsound(folder, f"the table {name!r} has a key twice")
    home = held * np.uint64(SPREAD) >> np.uint64(65 - len(keys).bit_length())
    way = (slots[full] - home.astype(np.int64)) & (len(keys) - 1)
    # The nearest empty slot before each, also around the table's end.
    last = np.maximum.accumulate(np.where(full, -1, slots))
    last = np.where(last < 0, last[-1] - len(keys), last)
    if (way >= (slots - last)[full]).any() or way.max(initial=0) > FARTHEST:
        raise _unsound(folder, f"the table {name!r} has a key where no search comes by, or soon")


def check_tables(folder: Folder) -> None:
    """Check arrays and values, where they lie, and that the tables lead to each term.

    Raises
    ------
    ModelError
        Saying what is not a model's.
    """
    check_arrays(folder)
    check_values(folder)
    _check_places(folder)
    _check_terms(folder)


def check(folder: Folder) -> None:
    """Check all of a folder: values, places, terms, temperatures and thresholds.

    Raises
    ------
    ModelError
        Saying what is not a model's.

    Examples
    --------
    >>> from cxjobs import store
    >>> check(store.read(store.shipped()))
    """
    check_tables(folder)
    try:
        _check_manifest(folder)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise _unsound(folder, f"its manifest is not a model's ({error!r})") from None


def _check_places(folder: Folder) -> None:
    """Check that arrays lie one after the other, and that nothing else is in the file."""
    stored = folder.manifest["arrays"]
    known = {"words.keys", "words.numbers", "words.lanes_at", "words.lanes"}
    for block in blocks(folder):
        parts = ["terms", "unigrams", "pair_keys", "pair_rows", "idf"]
        parts += ["norm"] * (folder.manifest["format"] > 1)
        known |= {f"{block}.{part}" for part in parts}
        known |= {f"{BLOCKS[block]}.{part}" for part in ("coef", "intercept")}
    if more := sorted(set(stored["index"]) - known):
        raise _unsound(folder, f"no model has an array {more[0]!r}")
    end = 0
    for name, entry in sorted(stored["index"].items(), key=lambda item: item[1]["offset"]):
        if entry["offset"] != end:
            raise _unsound(folder, f"the array {name!r} does not begin where the last one ended")
        end += -(-folder.view(name).nbytes // 64) * 64
    if end != stored["bytes"]:
        raise _unsound(folder, f"{stored['bytes'] - end} bytes belong to no array")


def _spelled(folder: Folder) -> Iterator[tuple[bytes, int]]:
    """Spelling and number of each word, by slot."""
    from cxjobs.lexicon import LANE, LONG

    lanes = folder.view("words.lanes")
    columns = (folder.view(f"words.{part}") for part in ("keys", "numbers", "lanes_at"))
    for key, number, at in zip(*columns, strict=True):
        if not key:
            continue
        size, words = LANE, [key]
        if key >= LONG:
            size = lanes[at]
            words = lanes[at + 1 : at + 1 - (-size // LANE)]
        spelling = b"".join(word.to_bytes(LANE, "little") for word in words)
        yield (spelling[:size] if key >= LONG else spelling.rstrip(b"\0")), number


def _check_terms(folder: Folder) -> None:
    """Check that the tables lead from the spellings of each term, and of no other, to its row."""
    from cxjobs.features import FUNCTION_WORDS, fold
    from cxjobs.lexicon import FUNCTION, find, pair_key, spelling_key

    keys, functions = folder.view("words.keys"), set()
    words: dict[str, int] = {}
    for spelling, number in _spelled(folder):
        try:
            token = spelling.decode()
        except UnicodeDecodeError:
            raise _unsound(folder, f"the word {spelling!r} is not UTF-8") from None
        if find(keys, spelling_key(spelling)) < 0:
            raise _unsound(folder, f"the word {token!r} is not found by its key")
        if number == FUNCTION:
            functions.add(token)
        elif words.setdefault(fold(token), number) != number:
            raise _unsound(folder, f"the word {token!r} is two")
    if functions != FUNCTION_WORDS:
        raise _unsound(folder, "its words of grammar are not those of this version")
    for block in blocks(folder):
        unigrams, rows = folder.view(f"{block}.unigrams"), folder.view(f"{block}.pair_rows")
        pair_keys, known = folder.view(f"{block}.pair_keys"), terms(folder, block)
        for row, term in enumerate(known):
            numbers = [words.get(word, 0) for word in term.split(" ")]
            if len(numbers) == 1:
                found = unigrams[numbers[0]]
            else:
                slot = find(pair_keys, pair_key(*numbers)) if len(numbers) == 2 else -1
                found = rows[slot] if slot >= 0 else -1
            if found != row:
                raise _unsound(folder, f"the term {term!r} of the block {block!r} is not found")
        if sum(row >= 0 for row in (*unigrams, *rows)) > len(known):
            raise _unsound(folder, f"the block {block!r} finds what is none of its terms")


def _check_manifest(folder: Folder) -> None:
    """Check name, temperatures, calibration, and the bounds of thresholds by their counts."""
    import numpy as np

    from cxjobs.binomial import clopper_pearson
    from cxjobs.decision import Table
    from cxjobs.prevalence import OTHER, Calibration

    name, parameters = (folder.manifest.get(key) for key in ("name", "parameters"))
    if not (isinstance(name, str) and name.isprintable() and 0 < len(name) <= LONGEST_NAME):
        raise _unsound(folder, "its name, which each answer bears, is not a short line")
    if not isinstance(parameters, dict):
        raise _unsound(folder, "its manifest has no parameters")
    for basis in ("title", "posting"):
        value = parameters.get(f"{basis}_temperature", 1.0)
        if type(value) not in (int, float) or not 0 < value < math.inf:
            raise _unsound(folder, f"the temperature of the basis {basis!r} is {value!r}")
    for basis, raw in folder.manifest["thresholds"].items():
        table = Table.from_dict(raw)
        true, n = np.array(table.true_above, int), table.positives
        low, _ = clopper_pearson(true, np.array(table.above, int), table.confidence)
        _, high = clopper_pearson(n - true, n, table.confidence)
        # Stored with four digits.
        if not np.allclose([low, high], [table.precision_low, table.lost_high], 0, 2e-4):
            raise _unsound(folder, f"the thresholds of the basis {basis!r} promise too much")
    for basis, raw in folder.manifest.get("survey", {}).items():
        roles = raw["roles"]
        if not {CX, OTHER} <= set(roles) <= set(ROLES) or len(roles) != len(raw["n"]):
            raise _unsound(folder, f"the calibration of the basis {basis!r} has other roles")
        Calibration.from_dict(raw)


@contextmanager
def suspected(folder: Folder) -> Iterator[None]:
    """Where an answer comes to nothing, say what is wrong with the folder, if anything is.

    Raises
    ------
    ModelError
        Instead of the error met, which stays what it is where the folder is sound.
    """
    try:
        yield
    except (ArithmeticError, LookupError, StopIteration):
        check_tables(folder)
        raise


def _unsound(folder: Folder, what: str) -> ModelError:
    return ModelError(
        f"{folder.path}: {what}. Its digest is right, so it was written like this: do not use it. "
        "Try: a folder from a source you trust, or train it again."
    )
