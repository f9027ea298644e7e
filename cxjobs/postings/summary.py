"""What a run did, as counts that add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjobs.postings.batch import Batch

UNPARSED = "could not be parsed"
"""Reason, in the summary, of what went to the rejects file."""

_COUNTS = ("rejected", "labels", "unique_labels")


@dataclass
class Summary:
    """What a run did; ``rows_in == ok + sum(rejected.values())``.

    Attributes
    ----------
    rows_in : int
        Postings found, those that could not be parsed included.
    rows_out : int
        Rows written.
    ok : int
        Rows with an answer.
    rejected : dict of str to int
        Reason to number; ``UNPARSED`` ones are in the rejects file, others are rows of the output.
    left_out : int
        Rows that ``only`` kept from the output.
    duplicates : int
        Rows with the flag ``duplicate_of``.
    labels, unique_labels : dict of str to int
        Answers, and the same without duplicates: per posting, and per role.
    files : int
    notes : list of str
        What was guessed, or left unread.
    model : str
    seconds : float
        Of this run; a resumed one counts from its own beginning.
    """

    rows_in: int = 0
    rows_out: int = 0
    ok: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    duplicates: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    unique_labels: Counter[str] = field(default_factory=Counter)
    files: int = 0
    notes: list[str] = field(default_factory=list)
    model: str = ""
    seconds: float = 0.0

    @classmethod
    def restored(cls, values: Mapping[str, Any]) -> Summary:
        """A summary from ``to_dict``."""
        return cls(**{**values, **{name: Counter(values[name]) for name in _COUNTS}})

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**self.__dict__, **{name: dict(getattr(self, name)) for name in _COUNTS}}

    def add(
        self, batch: Batch, answer: pa.Table, originals: Sequence[str | None], written: int
    ) -> None:
        """Count a batch, of which so many rows have been written."""
        self.rows_in += len(batch) + len(batch.rejects)
        self.rows_out += written
        self.left_out += len(batch) - written
        if batch.rejects:
            self.rejected[UNPARSED] += len(batch.rejects)
        self.duplicates += len(originals) - originals.count(None)
        ok = pc.equal(answer["status"], "ok")
        refused = answer.select(["status", "reason"]).filter(pc.invert(ok)).to_pylist()
        self.rejected.update(one["reason"] or one["status"] for one in refused)
        first = pc.is_null(pa.array(originals, pa.string()))
        unique = _labels(answer, pc.and_(ok, first))
        for label, count in _labels(answer, ok).items():
            self.ok += count
            self.labels[label] += count
            self.unique_labels[label] += unique.get(label, 0)


def _labels(answer: pa.Table, rows: pa.ChunkedArray) -> dict[str, int]:
    """Number of each label among some rows, in order of first appearance."""
    counts = pc.value_counts(answer["label"].filter(rows)).to_pylist()
    return {one["values"]: one["counts"] for one in counts}
