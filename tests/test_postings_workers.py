"""Answers come in the order of the batches, here or from worker processes."""

from __future__ import annotations

import os
from functools import partial

import pyarrow as pa
import pytest
from postings_fake import answer, load

from cxjobs.errors import CxjobsError
from cxjobs.postings.batch import Batch
from cxjobs.postings.workers import _answer, _here, _packed, answered


def batch(*titles):
    text = pa.array([*titles, "cut off"], pa.string())[: len(titles)]
    numbered = pa.array([False] * len(titles), pa.bool_())
    return Batch("f", *[text] * 5, numbered=numbered)


BATCHES = [batch(f"title {n}", "") for n in range(9)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_batch_with_its_answer_in_order(jobs):
    found = list(answered(iter(BATCHES), load, jobs))
    assert [id(one) for one, _ in found] == [id(one) for one in BATCHES]
    for one, table in found:
        assert table.equals(answer(one.title, one.description))


def test_one_process_is_this_one():
    here = []
    list(answered(BATCHES[:1], lambda: here.append(os.getpid()) or answer))
    assert here == [os.getpid()]


def test_no_more_is_read_ahead_than_keeps_the_workers_busy():
    taken = []

    def counted():
        for one in BATCHES:
            taken.append(one)
            yield one

    running = answered(counted(), load, 2)
    next(running)
    assert len(taken) == 5  # two a worker, and the one that waits
    running.close()
    here = answered(counted(), load, 1)
    next(here)
    assert len(taken) == 6


def test_only_the_texts_of_a_slice_are_sent():
    many = pa.array(["x" * 100] * 1000, pa.string())
    part = Batch("f", *[many[:2]] * 5, numbered=pa.array([False] * 2))
    sent = _packed(part)
    assert len(sent) < 5000
    _here["answer"] = answer
    assert _answer(sent).equals(answer(part.title, part.description))


def dies(title, description):
    os._exit(1)


def test_a_worker_that_dies_is_told():
    with pytest.raises(CxjobsError, match="A worker process died"):
        list(answered(BATCHES, partial(partial, dies), 2))
