"""Counts of a run add up."""

from __future__ import annotations

import json

import pyarrow as pa

from cxjobs.postings.batch import Batch, Reject
from cxjobs.postings.summary import UNPARSED, Summary


def batch(rows, rejects=0):
    empty = pa.array([""] * rows)
    names = ("title", "description", "id", "company", "location", "numbered")
    bad = tuple(Reject("x", n, "", "") for n in range(rejects))
    return Batch("jobs", **dict.fromkeys(names, empty), rejects=bad)


ANSWER = pa.table(
    {
        "label": ["review", "", "conflated", "review", ""],
        "status": ["ok", "rejected", "ok", "ok", "rejected"],
        "reason": ["", "no text", "", "", ""],
    }
)


def test_every_row_is_counted_once():
    summary = Summary()
    summary.add(batch(5, 2), ANSWER, [None, None, None, "1", "1"], 4)
    summary.add(batch(5), ANSWER, [None] * 5, 5)
    assert summary.to_dict() == {
        "rows_in": 12, "rows_out": 9, "ok": 6, "left_out": 1, "duplicates": 2, "files": 0,
        "rejected": {UNPARSED: 2, "no text": 2, "rejected": 2},
        "labels": {"review": 4, "conflated": 2}, "unique_labels": {"review": 3, "conflated": 2},
        "notes": [], "model": "", "seconds": 0.0,
    }  # fmt: skip
    assert summary.rows_in == summary.ok + sum(summary.rejected.values())
    again = Summary.restored(json.loads(json.dumps(summary.to_dict())))
    assert again == summary
    again.add(batch(5), ANSWER, [None] * 5, 5)
    assert again.labels["review"] == 6


def test_without_rejects_nothing_is_said_of_them():
    summary = Summary()
    summary.add(batch(1), ANSWER.slice(0, 1), [None], 1)
    assert summary.to_dict()["rejected"] == {}


def test_a_label_that_only_duplicates_have():
    summary = Summary()
    summary.add(batch(1), ANSWER.slice(0, 1), ["7"], 1)
    assert summary.to_dict()["labels"] == {"review": 1}
    assert summary.to_dict()["unique_labels"] == {"review": 0}
