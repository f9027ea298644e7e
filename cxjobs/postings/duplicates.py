"""Finds postings of one role, put up again word for word or per city and board.

Each description gets a sketch of what stands before its line and sentence ends (anchored
shingles after Manber 1994, "Finding similar files in a large file system"; compared by minima of
hashes after Broder 1997, "On the resemblance and containment of documents"). Three fours of
minima are keys; roles that share a key are compared, so that the work grows with the number of
postings only. Where there are many, what is known of them is in files that the system maps: the
process itself keeps little.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from cxjobs.flags import REPEATED
from cxjobs.postings.fields import blank
from cxjobs.postings.writers import sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cxjobs.postings.batch import Batch

SLOTS = 16
"""Minima in a sketch."""

ALIKE = 12
"""Of 16 equal minima, from which two descriptions are one: a resemblance of about 0.8 or more."""

FEWEST = 6
"""Anchors below which a description counts as the same only word for word."""

TRIED = 8
"""Roles compared with a posting, the oldest first; more would let a template cost the square."""

LARGE = 1 << 20
"""Keys of a run from which it is kept in a file."""

_BANDS, _WIDTH = 3, 4
_RECORD = np.dtype(
    [("keys", "<u4", _BANDS), ("sketch", "<u4", SLOTS), ("at", "<u8"), ("size", "<u4")]
)
_ODD = np.random.default_rng(2024).integers(0, 1 << 63, (2, SLOTS), np.uint64) | np.uint64(1)
_WORD = np.zeros(256, bool)
_WORD[[*range(48, 58), *range(65, 91), *range(97, 123), *range(128, 256)]] = True
_ASIDE = re.compile(r"[(\[{][^)\]}]*[)\]}]?|\s[-–—|/]\s.*")
_find_words = re.compile(r"\w+").findall

Keys = npt.NDArray[np.uint32]


class Duplicates:
    """Roles seen so far.

    Parameters
    ----------
    folder : path or None
        Where the roles are kept; None for a temporary place.
    position : dict, optional
        What ``settle`` said: forget what was added after it.
    """

    def __init__(self, folder: Path | None, position: dict[str, int] | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="cxjobs-") if folder is None else None
        place = folder if folder is not None else Path(self._temporary.name)  # type: ignore[union-attr]
        self._records, self._names = (_opened(place / name) for name in ("roles.bin", "roles.txt"))
        self._roles = position["roles"] if position else 0
        self._at = position["bytes"] if position else 0
        self._records.truncate(self._roles * _RECORD.itemsize)
        self._names.truncate(self._at)
        self._index = _Index(place)
        self._records.seek(0)
        for start in range(0, self._roles, 1 << 16):
            data = self._records.read(min(1 << 16, self._roles - start) * _RECORD.itemsize)
            keys = np.frombuffer(data, _RECORD)["keys"]
            self._index.add(keys, np.arange(start, start + len(keys), dtype=np.uint64))

    def of(self, batch: Batch) -> list[str | None]:
        """For each posting the id of the first of the same role before it, or None."""
        originals: list[str | None] = [None] * len(batch)
        if not len(batch):
            return originals
        sketch, comparable = sketches(batch)
        if not comparable.any():
            return originals
        keys = _keys(sketch)
        tell = np.flatnonzero(comparable)
        hit = tell[self._index.has(keys[tell]) | _shared(keys[tell])]
        before, room = self._before(sketch[hit], keys[hit])
        inside: dict[int, list[int]] = {}
        for at, row in enumerate(hit.tolist()):
            role = _role_of(batch, row)
            original = self._among(before.get(at, ()), role)
            if original is None:
                original = _inside(batch, row, role, sketch, keys, inside)
            originals[row] = original
            if original is None:
                for key, left in zip(keys[row].tolist(), room[at], strict=True):
                    if len(rows := inside.setdefault(key, [])) < left:
                        rows.append(row)
        again = [row for row in hit.tolist() if originals[row] is not None]
        self._add(batch, np.setdiff1d(tell, again, assume_unique=True), sketch, keys)
        return originals

    def _before(
        self, sketch: Keys, keys: Keys
    ) -> tuple[dict[int, list[int]], npt.NDArray[np.int64]]:
        """Older roles with a key and most of the sketch in common, by row.

        Also how many of the batch's own may still be compared by each key: only the first
        ``TRIED`` roles of a key are, however the postings are cut into batches.
        """
        row, band, number = self._index.find(keys)
        room = np.full(keys.shape, TRIED)
        np.subtract.at(room, (row, band), 1)
        found: dict[int, list[int]] = {}
        if len(number):
            self._records.flush()
            kept = np.memmap(self._records, _RECORD, "r", shape=(self._roles,))
            alike = (kept["sketch"][number] == sketch[row]).sum(axis=1) >= ALIKE
            for one, other in zip(row[alike].tolist(), number[alike].tolist(), strict=True):
                found.setdefault(one, []).append(other)
        return {one: sorted(set(others)) for one, others in found.items()}, room

    def _among(self, numbers: Iterable[int], role: str) -> str | None:
        """Id of the first of these roles that has the name."""
        for number in numbers:
            self._records.seek(number * _RECORD.itemsize)
            record = np.frombuffer(self._records.read(_RECORD.itemsize), _RECORD)[0]
            self._names.seek(int(record["at"]))
            text = self._names.read(int(record["size"])).decode()
            title, location, identity = text.split("\x1f")
            if role_name(title, location) == role:
                return _listable(identity)
        return None

    def _add(self, batch: Batch, rows: npt.NDArray[Any], sketch: Keys, keys: Keys) -> None:
        taken = pa.array(rows)
        texts = [
            pc.replace_substring(text.take(taken), "\x1f", " ")
            for text in (batch.title, batch.location, batch.id)
        ]
        names = pc.binary_join_element_wise(*texts, "\x1f")
        sizes = pc.binary_length(names).to_numpy().astype(np.uint64)
        records = np.zeros(len(rows), _RECORD)
        records["keys"], records["sketch"] = keys[rows], sketch[rows]
        records["size"], records["at"] = sizes, self._at + np.cumsum(sizes) - sizes
        self._records.seek(self._roles * _RECORD.itemsize)
        self._records.write(records.tobytes())
        self._names.seek(self._at)
        self._names.write("".join(names.to_pylist()).encode())
        self._index.add(
            keys[rows], np.arange(self._roles, self._roles + len(rows), dtype=np.uint64)
        )
        self._roles += len(rows)
        self._at += int(sizes.sum())

    def settle(self) -> dict[str, int]:
        """Put everything on the disk and say the position."""
        sync(self._records)
        sync(self._names)
        return {"roles": self._roles, "bytes": self._at}

    def close(self) -> None:
        """Let the files go."""
        self._records.close()
        self._names.close()
        if self._temporary:
            self._temporary.cleanup()


def _role_of(batch: Batch, row: int) -> str:
    return role_name(batch.title[row].as_py(), batch.location[row].as_py())


def _inside(
    batch: Batch,
    row: int,
    role: str,
    sketch: Keys,
    keys: Keys,
    inside: Mapping[int, Sequence[int]],
) -> str | None:
    """Id of the first role of the same batch that is the same."""
    for other in sorted({one for key in keys[row].tolist() for one in inside.get(key, ())}):
        alike = (sketch[other] == sketch[row]).sum() >= ALIKE
        if alike and _role_of(batch, other) == role:
            return _listable(batch.id[other].as_py())
    return None


def _opened(path: Path) -> IO[bytes]:
    return open(path, "r+b" if path.exists() else "w+b")


def _listable(identity: str) -> str:
    """An id that can stand in the comma-separated flags."""
    return re.sub(r"[\s,]", lambda match: f"%{ord(match.group()) & 255:02X}", identity)


@lru_cache(1 << 14)
def role_name(title: str, location: str = "") -> str:
    """What of a title names the role: without place, brackets, codes, and what a dash adds.

    >>> role_name("CX Manager (m/f/d) - Berlin"), role_name("Head of CX, Ulm", "Ulm, Germany")
    ('cx manager', 'head of cx')
    """
    whole = title.lower()
    place = set(_find_words(location.lower()))
    words = _find_words(_ASIDE.sub(" ", whole))
    return " ".join([w for w in words if w not in place and not w.isdigit()]) or " ".join(
        _find_words(whole)
    )


def sketches(batch: Batch) -> tuple[Keys, npt.NDArray[np.bool_]]:
    """Sketch of each posting, and whether there is enough to compare it by.

    Returns
    -------
    array of uint32, shape (rows, SLOTS)
        Equal words, equal sketch; the share of equal slots estimates the resemblance.
    array of bool, shape (rows,)
        False for a bare title of an unnamed company, which says nothing of the role.
    """
    rows = len(batch)
    sketch = np.zeros((rows, SLOTS), np.uint32)
    features, starts, counts = anchors(batch.description)
    many = counts >= FEWEST
    if many.any():
        for slot in range(SLOTS):
            hashed = (features * _ODD[0, slot] + _ODD[1, slot]) >> np.uint64(32)
            sketch[many, slot] = np.minimum.reduceat(hashed, starts[counts > 0])[many[counts > 0]]
    comparable = np.ones(rows, bool)
    comparable[~many] = _tells(batch, pa.array(~many))
    few = np.flatnonzero(~many & comparable)
    taken = pa.array(few)
    parts = (batch.title, batch.description, batch.company, batch.id)
    told = map(_words, *(part.take(taken).to_pylist() for part in parts))
    digests = [hashlib.blake2b(words, digest_size=4 * SLOTS).digest() for words in told]
    sketch[few] = np.frombuffer(b"".join(digests), "<u4").reshape(-1, SLOTS)
    return sketch, comparable


def _tells(batch: Batch, rows: pa.BooleanArray) -> npt.NDArray[np.bool_]:
    """Which of these rows have a description, or else a title and a company or id of their own."""
    title, description, company = (
        blank(part.filter(rows)) for part in (batch.title, batch.description, batch.company)
    )
    # The number of a row, which stands in for a missing id, is nobody else's.
    nameless = pc.or_(title, pc.and_(company, batch.numbered.filter(rows)))
    return np.asarray(pc.invert(pc.and_(description, nameless)))


def _words(title: str, description: str, company: str, identity: str) -> bytes:
    """What two postings of few anchors have in common if they are one."""
    words = " ".join(description.lower().split())
    if not words:
        words = f"\x1e{role_name(title)}\x1e{company.strip().lower() or identity}"
    return words.encode()


def anchors(texts: pa.Array) -> tuple[npt.NDArray[np.uint64], npt.NDArray[Any], npt.NDArray[Any]]:
    """Hashes of the eight bytes before each line and sentence end, without regard to case.

    Returns
    -------
    array of uint64
        All of the first text, then all of the second, ...
    array of int, array of int
        Where each text's begin, and how many it has.
    """
    none = np.zeros(0, np.uint64)
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset :][: len(texts) + 1]
    low, high = int(offsets[0]), int(offsets[-1])
    zeros = np.zeros(len(texts), np.int64)
    if high - low < 9:
        return none, zeros, zeros
    view = np.frombuffer(texts.buffers()[2], np.uint8)[low:high]
    bounds = offsets.astype(np.int64) - low
    ends = np.flatnonzero((view == 10) | (view == 46) | (view == 60))  # \n . <
    ends = ends[ends >= 8]
    ends = ends[_WORD[view[ends - 1]]]
    text = np.searchsorted(bounds, ends, "right") - 1
    inside = ends - 8 >= bounds[text]
    ends, text = ends[inside], text[inside]
    windows: npt.NDArray[np.uint64] = np.ndarray((high - low - 7,), np.uint64, view, strides=(1,))
    mixed = windows[ends - 8] | np.uint64(0x2020202020202020)
    mixed *= np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    counts = np.bincount(text, minlength=len(texts))
    return mixed, np.cumsum(counts) - counts, counts


def _keys(sketch: Keys) -> Keys:
    """Three keys of four minima each; equal sketches have equal keys."""
    minima = sketch[:, : _BANDS * _WIDTH].astype(np.uint64).reshape(len(sketch), _BANDS, _WIDTH)
    mixed = (minima * _ODD[0, :_WIDTH]).sum(axis=2) ^ _ODD[1, :_BANDS]
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    return np.asarray(mixed >> np.uint64(32), np.uint32)


def _shared(keys: Keys) -> npt.NDArray[np.bool_]:
    """Rows that have a key in common with another of the batch."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray((counts > 1)[inverse.reshape(keys.shape)].any(axis=1))


class _Index:
    """Keys with the number of their role: sorted runs, merged so that there are ever few."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs: list[npt.NDArray[np.uint64]] = []

    def add(self, keys: Keys, numbers: npt.NDArray[np.uint64]) -> None:
        """Add roles, each with all its keys."""
        if not len(numbers):
            return
        run = np.sort(((keys.astype(np.uint64) << np.uint64(32)) | numbers[:, None]).ravel())
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = self._merged(self._runs[-1], last)

    def _merged(self, *runs: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        if sum(map(len, runs)) < LARGE:
            merged = np.concatenate(runs)
        else:
            with tempfile.TemporaryFile(dir=self._folder) as file:
                for run in runs:
                    file.write(run.data)
                file.flush()
                merged = np.memmap(file, np.uint64, "r+")
        merged.sort()
        return merged

    def has(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Rows of which a role with the same key is known."""
        # In order, because the search is then several times quicker.
        wanted, of = np.unique(keys, return_inverse=True)
        wanted = wanted.astype(np.uint64)
        found = np.zeros(len(wanted), bool)
        for run in self._runs:
            at = np.searchsorted(run, wanted << np.uint64(32))
            found |= np.equal(run[np.minimum(at, len(run) - 1)] >> np.uint64(32), wanted)
        return np.asarray(found[of.reshape(keys.shape)].any(axis=1))

    def find(
        self, keys: Keys
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row, band and number of the first ``TRIED`` roles of each key."""
        wanted = keys.astype(np.uint64) << np.uint64(32)
        rows, bands, numbers = ([np.zeros(0, np.int64)] for _ in range(3))
        room = np.full(keys.shape, TRIED)
        for run in self._runs:  # the oldest roles are in the first
            low = np.searchsorted(run, wanted)
            high = np.searchsorted(run, wanted | np.uint64(0xFFFFFFFF), "right")
            taken = np.minimum(high - low, room)
            room -= taken
            row, band = np.nonzero(taken)
            counts = taken[row, band]
            within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
            entries = run[np.repeat(low[row, band], counts) + within]
            rows.append(np.repeat(row, counts))
            bands.append(np.repeat(band, counts))
            numbers.append((entries & np.uint64(0xFFFFFFFF)).astype(np.int64))
        return np.concatenate(rows), np.concatenate(bands), np.concatenate(numbers)


def flagged(answer: pa.Table, originals: Sequence[str | None]) -> pa.Table:
    """An answer whose flags name the posting that a row repeats, as `Duplicates.of` told it."""
    if originals.count(None) == len(originals):
        return answer
    added = pc.binary_join_element_wise(REPEATED, pa.array(originals, pa.string()), ":")
    index, flags = answer.column_names.index("flags"), answer["flags"]
    both = pc.if_else(pc.equal(flags, ""), added, pc.binary_join_element_wise(flags, added, ","))
    return answer.set_column(index, answer.schema.field(index), pc.coalesce(both, flags))
