from __future__ import annotations

import json
import math

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from cxjobs.agreement import agreement, alpha, shared, specific, wide
from cxjobs.errors import DataError
from cxjobs.intervals import bootstrap

VALUES = ["a", "b", "c"]


@st.composite
def tables(draw):
    coders = draw(st.integers(2, 5))
    cell = st.sampled_from([*VALUES, "", None])
    row = st.lists(cell, min_size=coders, max_size=coders)
    return np.array(draw(st.lists(row, min_size=1, max_size=25)), dtype=object)


def counts_of(table):
    return (np.asarray(table)[:, :, None] == np.array(VALUES, dtype=object)).sum(axis=1)


@given(tables())
def test_alpha_is_the_krippendorff_packages(table):
    counts = counts_of(table)
    pairable = counts[counts.sum(axis=1) > 1]
    if (pairable.sum(axis=0) > 0).sum() < 2:
        assert math.isnan(alpha(counts))
        return
    theirs = krippendorff.alpha(value_counts=pairable, level_of_measurement="nominal")
    assert alpha(counts) == pytest.approx(theirs)
    for i in range(len(VALUES)):
        split = np.stack([pairable[:, i], pairable.sum(axis=1) - pairable[:, i]], axis=1)
        if (split.sum(axis=0) > 0).all():
            theirs = krippendorff.alpha(value_counts=split, level_of_measurement="nominal")
            assert alpha(counts, i) == pytest.approx(theirs)


def test_published_example():
    """The nominal example with missing codings in Krippendorff's own tutorial: 0.743."""
    table = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    ]
    found = agreement(np.array(table, dtype=object).T, replicates=20)
    assert found.alpha.estimate == pytest.approx(0.743, abs=5e-4)
    assert found.compared == 11
    assert found.units == 12


@given(tables())
def test_kappas_are_scikit_learns(table):
    assume(any(c for row in table for c in row))
    found = agreement(table, replicates=5)
    for pair in found.pairs:
        a, b = int(pair.first) - 1, int(pair.second) - 1
        both = [(row[a], row[b]) for row in table if row[a] and row[b]]
        assert pair.units == len(both)
        one_value = len({v for two in both for v in two}) < 2
        if both and not one_value:
            theirs = cohen_kappa_score(*zip(*both, strict=True))
            assert pair.kappa.estimate == pytest.approx(theirs)
        else:
            assert math.isnan(pair.kappa.estimate)


@given(tables(), st.randoms(use_true_random=False))
def test_order_of_coders_and_units_changes_nothing(table, random):
    rows, columns = list(range(len(table))), list(range(table.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    counts, mixed = counts_of(table), counts_of(table[rows][:, columns])
    assert alpha(mixed) == pytest.approx(alpha(counts), nan_ok=True)
    assert shared(mixed) == pytest.approx(shared(counts), nan_ok=True)


def test_specific_agreement_of_two_coders_is_the_dice_share():
    table = [("a", "a")] * 6 + [("a", "b")] * 3 + [("b", "c")] * 2 + [("c", "c")] * 4
    counts = counts_of(table)
    assert specific(counts, 0) == pytest.approx(2 * 6 / (2 * 6 + 3))
    assert specific(counts, 1) == 0
    assert specific(counts, 2) == pytest.approx(2 * 4 / (2 * 4 + 2))
    assert shared(counts) == pytest.approx(10 / 15)


def test_perfect_and_chance_agreement():
    rng = np.random.default_rng(0)
    one = rng.choice(VALUES, 3000)
    perfect = agreement(np.c_[one, one], replicates=20)
    assert perfect.alpha.estimate == 1
    assert perfect.disagreements == ()
    chance = agreement(np.c_[one, rng.permutation(one)], replicates=20)
    assert chance.alpha.estimate == pytest.approx(0, abs=0.05)


def test_coverage_of_alphas_interval():
    rng = np.random.default_rng(4)

    def draw(units):
        truth = rng.choice(3, units, p=[0.5, 0.3, 0.2])[:, None]
        codes = np.where(rng.random((units, 2)) < 0.85, truth, rng.integers(0, 3, (units, 2)))
        return np.array(VALUES)[codes]

    target = alpha(counts_of(draw(100_000)))
    found = [bootstrap(alpha, counts_of(draw(120)), replicates=200) for _ in range(200)]
    hits = sum(interval.low <= target <= interval.high for interval in found)
    assert stats.binom.ppf(0.002, 200, 0.94) <= hits < 200


def test_disagreements_most_divided_first():
    table = [["a", "a", "a"], ["a", "a", "b"], ["a", "b", "c"], ["a", "", ""], ["b", "a", ""]]
    assert agreement(table, replicates=5).disagreements == (2, 4, 1)


def test_every_kind_of_missing_is_not_coded():
    absent = [None, math.nan, np.nan, pd.NA, pd.NaT, "", "  "]
    table = [["a", gone] for gone in absent] + [["a", " a "], [1, np.int64(1)]]
    assert agreement(np.array(table, dtype=object), replicates=5).compared == 2


def test_result_is_plain_and_has_a_row_a_value():
    table = [["a", "a"], ["b", "a"], ["b", "b"], ["b", None]]
    found = agreement(table, coders=["x", "y"], values=["c", "b", "a"], replicates=20)
    assert [v.value for v in found.values] == ["b", "a"]
    assert [v.codings for v in found.values] == [3, 3]
    assert found.pairs[0].agreement.estimate == pytest.approx(2 / 3)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["pairs"][0]["first"] == "x"
    nothing = agreement(np.full((3, 2), ""), replicates=5)
    assert nothing.compared == 0
    assert nothing.to_dict()["alpha"]["estimate"] is None


@given(tables())
def test_long_and_wide_tables_agree(table):
    long = [(u, c, v) for u, row in enumerate(table) for c, v in enumerate(row)]
    units, coders, ratings = wide(*zip(*long, strict=True))
    assert units == [str(u) for u in range(len(table))]
    assert coders == [str(c) for c in range(table.shape[1])]
    assert ratings.tolist() == [[v or "" for v in row] for row in table]


@pytest.mark.parametrize(
    "call",
    [
        lambda: agreement([["a"], ["b"]]),
        lambda: agreement([["a", "b"]], coders=["x"]),
        lambda: agreement([["a", "z"]], values=VALUES),
        lambda: wide(["u", "u"], ["x", "x"], ["a", "b"]),
        lambda: wide(["u"], ["x", "x"], ["a", "b"]),
    ],
)
def test_unusable_tables_are_refused(call):
    with pytest.raises(DataError):
        call()


def test_a_strange_value_is_named_beside_those_that_are_known():
    with pytest.raises(DataError, match="'z' is not one of the values a, b"):
        agreement([["a", "z"]], values=["a", "b"])
