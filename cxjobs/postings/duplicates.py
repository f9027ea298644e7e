"""Finds postings of one role, put up again word for word or per city and board.

Each description gets a sketch of what stands before its line and sentence ends (anchored
shingles after Manber 1994, "Finding similar files in a large file system"; compared by minima of
hashes after Broder 1997, "On the resemblance and containment of documents"). Three pairs of
minima are keys; roles that share a key are compared, so that the work grows with the number of
postings only. Twenty-four bytes a role stay in memory, the rest is on the disk.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cxjobs.postings.writers import sync

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjobs.postings.batch import Batch

SLOTS = 16
"""Minima in a sketch."""

ALIKE = 12
"""Of 16 equal minima, from which two descriptions are one: a resemblance of about 0.8 or more."""

FEWEST = 6
"""Anchors below which a description counts as the same only word for word."""

TRIED = 8
"""Roles compared with a posting, the oldest first; more would let a template cost the square."""

_BANDS = 3
_RECORD = np.dtype(
    [("keys", "<u4", _BANDS), ("sketch", "<u4", SLOTS), ("at", "<u8"), ("size", "<u4")]
)
_ODD = np.random.default_rng(2024).integers(0, 1 << 63, (2, SLOTS), np.uint64) | np.uint64(1)
_WORD = np.zeros(256, bool)
_WORD[[*range(48, 58), *range(65, 91), *range(97, 123), *range(128, 256)]] = True

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
        self._index = _Index()
        self._records.seek(0)
        for start in range(0, self._roles, 1 << 16):
            data = self._records.read(min(1 << 16, self._roles - start) * _RECORD.itemsize)
            keys = np.frombuffer(data, _RECORD)["keys"]
            self._index.add(keys, np.arange(start, start + len(keys), dtype=np.uint64))

    def of(self, batch: Batch) -> list[str | None]:
        """For each posting the id of the first of the same role before it, or None."""
        if not len(batch):
            return []
        sketch, comparable = sketches(batch)
        keys = _keys(sketch)
        originals: list[str | None] = [None] * len(batch)
        new = np.ones(len(batch), bool)
        inside: dict[int, list[int]] = {}
        for row in np.flatnonzero((self._index.has(keys) | _shared(keys)) & comparable).tolist():
            original = self._original(batch, row, sketch, keys[row], inside)
            originals[row] = original
            new[row] = original is None
            if original is None:
                for key in keys[row].tolist():
                    inside.setdefault(key, []).append(row)
        self._add(batch, np.flatnonzero(new & comparable), sketch, keys)
        return originals

    def _original(
        self, batch: Batch, row: int, sketch: Keys, keys: Keys, inside: dict[int, list[int]]
    ) -> str | None:
        role = role_name(batch.title[row].as_py(), batch.location[row].as_py())
        before = self._index.find(keys)[:TRIED]
        for number in before:
            record, name, identity = self._role(number)
            if name == role and (record["sketch"] == sketch[row]).sum() >= ALIKE:
                return identity
        rows = sorted({one for key in keys.tolist() for one in inside.get(key, ())})
        for other in rows[: TRIED - len(before)]:
            name = role_name(batch.title[other].as_py(), batch.location[other].as_py())
            if name == role and (sketch[other] == sketch[row]).sum() >= ALIKE:
                return _listable(batch.id[other].as_py())
        return None

    def _role(self, number: int) -> tuple[Any, str, str]:
        self._records.seek(number * _RECORD.itemsize)
        record = np.frombuffer(self._records.read(_RECORD.itemsize), _RECORD)[0]
        self._names.seek(int(record["at"]))
        name, identity = self._names.read(int(record["size"])).decode().split("\x1f")
        return record, name, identity

    def _add(self, batch: Batch, rows: npt.NDArray[Any], sketch: Keys, keys: Keys) -> None:
        taken = pa.array(rows)
        texts = [batch.title, batch.location, batch.id]
        names = [
            f"{role_name(title, location)}\x1f{_listable(identity)}".encode()
            for title, location, identity in zip(
                *(text.take(taken).to_pylist() for text in texts), strict=True
            )
        ]
        records = np.zeros(len(rows), _RECORD)
        records["keys"], records["sketch"] = keys[rows], sketch[rows]
        records["size"] = sizes = np.array([len(name) for name in names], np.uint64)
        records["at"] = self._at + np.cumsum(sizes) - sizes
        self._records.seek(self._roles * _RECORD.itemsize)
        self._records.write(records.tobytes())
        self._names.seek(self._at)
        self._names.write(b"".join(names))
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


def _opened(path: Path) -> IO[bytes]:
    return open(path, "r+b" if path.exists() else "w+b")


def _listable(identity: str) -> str:
    """An id that can stand in the comma-separated flags."""
    return re.sub(r"[\s,]", lambda match: f"%{ord(match.group()) & 255:02X}", identity)


def role_name(title: str, location: str = "") -> str:
    """What of a title names the role: without place, brackets, codes, and what a dash adds.

    >>> role_name("CX Manager (m/f/d) - Berlin"), role_name("Head of CX, Ulm", "Ulm, Germany")
    ('cx manager', 'head of cx')
    """
    whole = title.lower()
    short = re.sub(r"[(\[{][^)\]}]*[)\]}]?|\s[-–—|/]\s.*", " ", whole)
    place = set(re.findall(r"\w+", location.lower()))
    words = [w for w in re.findall(r"\w+", short) if w not in place and not w.isdigit()]
    return " ".join(words) or " ".join(re.findall(r"\w+", whole))


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
    few = np.flatnonzero(~many)
    taken = pa.array(few)
    texts = (batch.title, batch.description, batch.company, batch.id)
    for row, title, description, company, identity in zip(
        few.tolist(), *(text.take(taken).to_pylist() for text in texts), strict=True
    ):
        words = " ".join(description.lower().split())
        if not words:
            # The number of a row, which stands in for a missing id, is nobody else's.
            words = f"\x1e{role_name(title)}\x1e{company.strip().lower() or identity}"
            comparable[row] = bool(title.strip())
        digest = hashlib.blake2b(words.encode(), digest_size=4 * SLOTS).digest()
        sketch[row] = np.frombuffer(digest, "<u4")
    return sketch, comparable


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
    """Three keys of two minima each; equal sketches have equal keys."""
    pairs = sketch[:, : 2 * _BANDS].astype(np.uint64)
    mixed = pairs[:, ::2] * np.uint64(0x9E3779B97F4A7C15) ^ pairs[:, 1::2] * np.uint64(
        0xC2B2AE3D27D4EB4F
    )
    mixed ^= np.arange(1, _BANDS + 1, dtype=np.uint64) * np.uint64(0x165667B19E3779F9)
    mixed *= np.uint64(0xFF51AFD7ED558CCD)
    return (mixed >> np.uint64(32)).astype(np.uint32)


def _shared(keys: Keys) -> npt.NDArray[np.bool_]:
    """Rows that have a key in common with another of the batch."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.asarray((counts > 1)[inverse.reshape(keys.shape)].any(axis=1))


class _Index:
    """Keys with the number of their role: sorted runs, merged so that there are ever few."""

    def __init__(self) -> None:
        self._runs: list[npt.NDArray[np.uint64]] = []

    def add(self, keys: Keys, numbers: npt.NDArray[np.uint64]) -> None:
        """Add roles, each with all its keys."""
        if not len(numbers):
            return
        run = np.sort(((keys.astype(np.uint64) << np.uint64(32)) | numbers[:, None]).ravel())
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")

    def has(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Rows of which a role with the same key is known."""
        wanted = keys.astype(np.uint64)
        found = np.zeros(keys.shape, bool)
        for run in self._runs:
            at = np.searchsorted(run, wanted << np.uint64(32))
            found |= np.equal(run[np.minimum(at, len(run) - 1)] >> np.uint64(32), wanted)
        return np.asarray(found.any(axis=1))

    def find(self, keys: Keys) -> Sequence[int]:
        """Numbers of the roles that have one of the keys, the oldest first."""
        numbers: set[int] = set()
        for run in self._runs:
            for key in keys.tolist():
                at = int(np.searchsorted(run, np.uint64(key << 32)))
                for entry in run[at : at + TRIED].tolist():
                    if entry >> 32 != key:
                        break
                    numbers.add(entry & 0xFFFFFFFF)
        return sorted(numbers)
