"""What a run did, as counts that add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

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
        """A summary from ``as_dict``."""
        return cls(**{**values, **{name: Counter(values[name]) for name in _COUNTS}})

    def as_dict(self) -> dict[str, Any]:
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
        columns = (answer[name].to_pylist() for name in ("label", "status", "reason"))
        for label, status, reason, original in zip(*columns, originals, strict=True):
            self.duplicates += original is not None
            if status != "ok":
                self.rejected[reason or status] += 1
                continue
            self.ok += 1
            self.labels[label] += 1
            self.unique_labels[label] += original is None
