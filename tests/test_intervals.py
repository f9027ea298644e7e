from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from cxjobs.errors import DataError
from cxjobs.intervals import bca_ends, bootstrap, bootstrap_all, group_rows
from cxjobs.metrics import accuracy, confusion, macro_f1


def test_same_seed_same_interval_and_another_differs():
    values = np.random.default_rng(0).normal(size=80)
    assert bootstrap(np.mean, values) == bootstrap(np.mean, values)
    assert bootstrap(np.mean, values, seed=1) != bootstrap(np.mean, values)


def test_agrees_with_scipys_bca():
    values = np.random.default_rng(5).exponential(size=150)
    ours = bootstrap(np.mean, values, replicates=4000)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, rng=1).confidence_interval
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.02)


def test_rows_that_belong_together_stay_together():
    x = np.arange(30.0)
    same = bootstrap(lambda a, b: float((a != b).sum()), x, x, replicates=50)
    assert (same.low, same.high) == (0, 0)


def test_groups_are_drawn_whole():
    groups = np.repeat(["b", "a", "c"], [2, 3, 1])
    assert [rows.tolist() for rows in group_rows(groups)] == [[2, 3, 4], [0, 1], [5]]

    def whole(g):
        counts = [(g == name).sum() / size for name, size in (("b", 2), ("a", 3), ("c", 1))]
        return float(all(c == int(c) for c in counts))

    assert bootstrap(whole, groups, groups=groups, replicates=100).low == 1


def test_copies_of_rows_don_t_narrow_the_interval_of_groups():
    values = np.random.default_rng(1).normal(size=60)
    copied = np.repeat(values, 10)
    once = bootstrap(np.mean, values)
    grouped = bootstrap(np.mean, copied, groups=np.repeat(np.arange(60), 10))
    single = bootstrap(np.mean, copied)
    assert grouped.high - grouped.low == pytest.approx(once.high - once.low, rel=0.15)
    assert single.high - single.low < 0.5 * (once.high - once.low)


def test_coverage_with_clustered_rows():
    rng = np.random.default_rng(11)
    hits = np.zeros(2)
    statistics = {
        "accuracy": lambda t, a: accuracy(confusion(t, a, range(3))),
        "macro_f1": lambda t, a: macro_f1(confusion(t, a, range(3))),
    }

    def draw(groups):
        size = rng.integers(1, 5, groups)
        hard = np.repeat(rng.random(groups) < 0.3, size)
        truth = rng.choice(3, hard.size, p=[0.5, 0.3, 0.2])
        kept = rng.random(hard.size) < np.where(hard, 0.4, 0.85)
        answer = np.where(kept, truth, rng.integers(0, 3, hard.size))
        return truth, answer, np.repeat(np.arange(groups), size)

    *many, _ = draw(100_000)
    target = [statistic(*many) for statistic in statistics.values()]
    for _ in range(200):
        *columns, groups = draw(120)
        found = bootstrap_all(statistics, *columns, groups=groups, replicates=150).values()
        hits += [i.low <= t <= i.high for i, t in zip(found, target, strict=True)]
    assert (hits >= stats.binom.ppf(0.002, 200, 0.94)).all(), hits / 200
    assert (hits < 200).any(), "intervals that always cover are too wide"


def test_nothing_in_nothing_out():
    empty = bootstrap(np.mean, np.empty(0))
    assert all(math.isnan(v) for v in (empty.estimate, empty.low, empty.high))
    assert empty.to_dict() == {"estimate": None, "low": None, "high": None}
    one = bootstrap(np.mean, np.array([3.0]), replicates=20)
    assert (one.low, one.high) == (3, 3)


def test_mostly_undefined_replicates_give_no_ends():
    drawn = np.where(np.arange(100) < 60, math.nan, 1.0)
    assert all(math.isnan(end) for end in bca_ends(1.0, drawn, np.ones(5), 0.95))


def test_unequal_lengths_are_refused():
    with pytest.raises(DataError, match="same number"):
        bootstrap(np.mean, np.zeros(3), groups=[1, 2])
