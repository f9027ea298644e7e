from __future__ import annotations

import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cxjobs.decision import (
    GRID,
    START,
    Band,
    Table,
    decide,
    decide_all,
    threshold_table,
)
from cxjobs.errors import CxjobsError, DataError, ModelError

ANSWERS = {"cx_management", "conflated", "review"}
ASKS = [0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98]
LOSSES = [0.3, 0.2, 0.1, 0.05, 0.02, 0.005]


def draw(rng, n=800, mean=-3.0, spread=4.0, slope=1.0):
    """Calibrated logit-normal probabilities with their truths; slope != 1 miscalibrates."""
    z = rng.normal(mean, spread, n)
    truth = rng.random(n) < 1 / (1 + np.exp(-z))
    return 1 / (1 + np.exp(-slope * z)), truth


@st.composite
def tables(draw_):
    seed = draw_(st.integers(0, 10_000))
    n = draw_(st.integers(0, 700))
    slope = draw_(st.sampled_from([-1.0, 0.3, 1.0, 3.0]))
    spread = draw_(st.sampled_from([0.5, 3.0, 8.0]))
    mean = draw_(st.sampled_from([-4.0, 0.0, 3.0]))
    return threshold_table(*draw(np.random.default_rng(seed), n, mean, spread, slope))


def test_bounds_are_clopper_pearson():
    table = threshold_table(*draw(np.random.default_rng(0)))
    for row in range(0, len(GRID), 15):
        n, k = table.above[row], table.true_above[row]
        low = stats.binomtest(k, n, alternative="greater").proportion_ci(0.95, "exact").low
        gone = stats.binomtest(table.positives - k, table.positives, alternative="less")
        assert table.precision_low[row] == pytest.approx(low, abs=1e-4)
        high = gone.proportion_ci(0.95, "exact").high
        assert table.lost_high[row] == pytest.approx(high, abs=1e-4)


def test_grid_rises_and_is_compact():
    assert list(GRID) == sorted(set(GRID))
    assert len(GRID) <= 200
    assert len(json.dumps(threshold_table([0.5], [1]).to_dict())) < 8000


@given(tables(), st.sampled_from(ASKS), st.sampled_from(LOSSES))
def test_every_probability_has_exactly_one_answer(table, precision, max_lost):
    band = table.choose(precision, max_lost)
    assert 0 <= band.lower <= band.upper
    p = np.r_[0.0, 1.0, math.nan, GRID, np.nextafter(GRID, 0), np.nextafter(GRID, 1)]
    one_by_one = [decide(float(value), band) for value in p]
    assert decide_all(p, band).tolist() == one_by_one
    assert set(one_by_one) <= ANSWERS
    assert one_by_one[2] == "review"
    order = np.argsort(p[~np.isnan(p)], kind="stable")
    rank = {"conflated": 0, "review": 1, "cx_management": 2}
    ranks = [rank[a] for a in decide_all(p[~np.isnan(p)][order], band)]
    assert ranks == sorted(ranks)


@given(tables(), st.sampled_from(LOSSES))
def test_asking_for_more_precision_never_widens(table, max_lost):
    bands = [table.choose(precision, max_lost) for precision in ASKS]
    uppers = [band.upper for band in bands]
    shares = [band.review_share for band in bands]
    assert uppers == sorted(uppers)
    assert table.n == 0 or shares == sorted(shares)


@given(tables(), st.sampled_from(ASKS))
def test_asking_for_fewer_lost_never_widens(table, precision):
    bands = [table.choose(precision, loss) for loss in LOSSES]
    lowers = [band.lower for band in bands]
    shares = [band.review_share for band in bands]
    assert lowers == sorted(lowers, reverse=True)
    assert table.n == 0 or shares == sorted(shares)


@given(tables(), st.sampled_from(ASKS), st.sampled_from(LOSSES))
def test_more_confidence_never_widens(table, precision, max_lost):
    bands = [table.choose(precision, max_lost, sure) for sure in (0.5, 0.8, 0.95, 0.99)]
    shares = [band.review_share for band in bands]
    assert table.n == 0 or shares == sorted(shares)


@given(tables(), st.sampled_from(ASKS), st.sampled_from(LOSSES))
def test_what_is_met_passes_its_own_test(table, precision, max_lost):
    band = table.choose(precision, max_lost)
    if band.precision_met:
        tail = stats.binom.sf(band.called_true - 1, band.called, precision)
        assert tail <= 0.05 * (1 + 1e-9)
        assert band.called >= START
    else:
        assert band.upper == math.inf
        assert band.called == 0
    if band.lost_met:
        assert stats.binom.cdf(band.lost, band.positives, max_lost) <= 0.05 * (1 + 1e-9)
    else:
        assert band.lower == 0


@given(tables())
def test_round_trip_through_json(table):
    assert Table.from_dict(json.loads(json.dumps(table.to_dict()))) == table


def test_band_describes_itself_and_survives_json():
    met = threshold_table([0.9] * 99 + [0.1] * 99, [1] * 99 + [0] * 99).choose()
    assert met.to_dict()["lower"] == met.lower
    assert met.to_dict()["positives"] == 99
    assert "at least 0.9" in str(met)
    unmet = threshold_table([], []).choose()
    assert "Nothing is called cx_management" in str(unmet)
    assert "Nothing is called conflated" in str(unmet)
    assert json.loads(json.dumps(unmet.to_dict(), allow_nan=False))["upper"] is None
    assert {decide(p, unmet) for p in (0.0, 0.5, 1.0)} == {"review"}


def test_no_false_promise_from_an_uninformative_or_reversed_score():
    rng = np.random.default_rng(2)
    truth = rng.random(5000) < 0.3
    for p in (rng.random(5000), np.where(truth, 0.02, 0.98)):
        assert not threshold_table(p, truth).choose().precision_met


@pytest.mark.parametrize(
    ("probability", "truth"),
    [
        ([0.5], [1, 0]),
        ([1.2], [1]),
        ([math.nan], [1]),
        ([0.5], [2]),
        ([0.5], ["yes"]),
        ([[0.5]], [[1]]),
    ],
)
def test_unusable_calibration_data_is_refused(probability, truth):
    with pytest.raises(DataError):
        threshold_table(probability, truth)


def test_certain_probabilities_count():
    table = threshold_table([0.0, 1.0], [0, 1])
    assert (table.n, table.positives, table.above[0]) == (2, 1, 1)


@pytest.mark.parametrize("confidence", [0, 1, 1.5, -1])
def test_a_confidence_outside_is_refused(confidence):
    with pytest.raises(CxjobsError, match="between 0 and 1"):
        threshold_table([0.5], [1], confidence=confidence)


def test_just_enough_postings_for_a_promise():
    # 0.9**29 is the first power below 0.05; 0.8**14 too, but testing starts at 20 at the least.
    for precision, fewest in ((0.9, 29), (0.8, START)):
        for n, met in ((fewest - 1, False), (fewest, True)):
            table = threshold_table([0.9] * n + [0.1] * 200, [1] * n + [0] * 200)
            assert table.choose(precision).precision_met is met


def test_without_a_precision_what_is_likely_is_reviewed_not_lost():
    # Half of what scores high is false, and every true one scores high.
    band = threshold_table([0.9] * 400 + [0.1] * 400, [1, 0] * 200 + [0] * 400).choose(0.9)
    assert not band.precision_met
    assert band.lower == 0.5
    assert (band.called, band.called_true) == (0, 0)


def test_where_both_promises_hold_one_threshold_parts_them_all():
    band = threshold_table([0.7] * 200 + [0.6] * 200, [1] * 200 + [0] * 200).choose()
    assert band.lower == band.upper
    assert 0.6 < band.upper <= 0.7
    assert band.review_share == 0


@pytest.mark.parametrize("ask", [{"precision": 1.0}, {"max_lost": 0.0}, {"confidence": math.nan}])
def test_asks_without_an_error_are_refused(ask):
    with pytest.raises(CxjobsError, match="between 0 and 1"):
        threshold_table([0.5], [1]).choose(**ask)


@pytest.mark.parametrize(
    "harm",
    [
        lambda raw: raw.pop("above"),
        lambda raw: raw["above"].reverse(),
        lambda raw: raw["above"].pop(),
        lambda raw: raw.update(true_above=[n + 1 for n in raw["above"]]),
        lambda raw: raw.update(threshold="x"),
        lambda raw: raw.update(positives=-1),
        lambda raw: raw.update(extra=1),
        lambda raw: raw["threshold"].reverse(),
        lambda raw: raw.update(n=raw["above"][0] - 1),
        lambda raw: raw.update(positives=raw["true_above"][0] - 1),
        lambda raw: raw.update(true_above=[-1] * len(raw["above"])),
        lambda raw: raw["true_above"].reverse(),
        lambda raw: raw.update(confidence=1.5),
        lambda raw: raw.update(confidence=0),
        lambda raw: raw["lost_high"].pop(),
        lambda raw: raw["precision_low"].pop(),
        lambda raw: raw["above"].__setitem__(-1, 0.0),
        lambda raw: raw["true_above"].__setitem__(-1, False),
        lambda raw: raw.update(n=float(raw["n"])),
        lambda raw: raw["threshold"].__setitem__(-1, 1.5),
        lambda raw: raw["threshold"].__setitem__(0, -0.1),
        lambda raw: raw["threshold"].__setitem__(0, math.nan),
        # More false ones above the lowest threshold than there are at all.
        lambda raw: raw.update(n=raw["above"][0] - raw["true_above"][0] + raw["positives"] - 1),
        lambda raw: raw.update(n=10**7 + 1),
    ],
)
def test_a_harmed_table_is_refused(harm):
    raw = threshold_table(*draw(np.random.default_rng(0))).to_dict()
    harm(raw)
    with pytest.raises(ModelError):
        Table.from_dict(raw)


def even(rows, n):
    """A table that does not contradict itself, of any size."""
    return {
        "n": n, "positives": n // 2, "confidence": 0.9,
        "threshold": [row / max(rows - 1, 1) for row in range(rows)],
        "above": [n] * rows, "true_above": [n // 2] * rows,
        "precision_low": [0.5] * rows, "lost_high": [0.5] * rows,
    }  # fmt: skip


def test_tables_of_any_sensible_size_are_read_and_larger_ones_are_not():
    for rows, n in ((0, 0), (1, 0), (1000, 10**7)):
        assert Table.from_dict(even(rows, n)).n == n
    with pytest.raises(ModelError, match="contradicts itself"):
        Table.from_dict(even(1001, 10))
    with pytest.raises(ModelError, match="unreadable"):
        Table.from_dict({"n": 1})


def test_choosing_needs_neither_numpy_nor_scipy_and_is_quick():
    table = threshold_table(*draw(np.random.default_rng(1), n=4000))
    code = (
        "import json, sys; from cxjobs.decision import Table, decide;"
        "band = Table.from_dict(json.load(sys.stdin)).choose(); decide(0.5, band);"
        "assert not {'numpy', 'scipy', 'pandas'} & set(sys.modules); print(band.upper)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(table.to_dict()),
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(run.stdout) == table.choose().upper
    best = math.inf
    for _ in range(20):
        start = time.perf_counter()
        table.choose()
        best = min(best, time.perf_counter() - start)
    assert best < 0.01


# -- the promise itself -------------------------------------------------------------------


def broken(sampler, truth_of, replicates, precision, max_lost, confidence):
    """Shares of replicates whose band breaks its promise, and whose band is met."""
    rng = np.random.default_rng(7)
    wrong = np.zeros(2)
    met = np.zeros(2)
    for _ in range(replicates):
        band: Band = threshold_table(*sampler(rng)).choose(precision, max_lost, confidence)
        true_precision, true_lost = truth_of(band)
        wrong += [
            band.precision_met and true_precision < precision,
            band.lost_met and true_lost > max_lost,
        ]
        met += [band.precision_met, band.lost_met]
    return wrong / replicates, met / replicates


def limit(nominal, replicates):
    """Share of failures that chance alone exceeds once in about 1,000 runs."""
    return stats.binom.isf(0.001, replicates, nominal) / replicates


@pytest.mark.parametrize("slope", [0.6, 1.0, 1.6])
def test_promise_holds_for_realistic_scores(slope):
    p, truth = draw(np.random.default_rng(99), 400_000, slope=slope)
    true_p = np.sort(p[truth])
    all_p = np.sort(p)

    def truth_of(band):
        called = p.size - np.searchsorted(all_p, band.upper)
        good = true_p.size - np.searchsorted(true_p, band.upper)
        return good / max(called, 1), np.searchsorted(true_p, band.lower) / true_p.size

    wrong, met = broken(lambda rng: draw(rng, slope=slope), truth_of, 800, 0.85, 0.1, 0.9)
    assert (wrong <= limit(0.1, 800)).all()
    assert met.min() > 0.8, "a promise that is never made is not tested"


def test_promise_holds_where_every_threshold_is_just_too_bad():
    """The worst case: each precision lies just below the asked one."""

    def sampler(rng):
        return rng.random(400) ** 0.3, rng.random(400) < 0.899

    wrong, _ = broken(sampler, lambda band: (0.899, 0.0), 2500, 0.9, 0.05, 0.9)
    assert wrong[0] <= limit(0.1, 2500)
    assert wrong[0] > 0.02, "the order of tests should use most of the error that it may make"


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_loss_is_the_largest_single_test(seed):
    """For the lost share the fixed order loses nothing against testing each row alone."""
    table = threshold_table(*draw(np.random.default_rng(seed), 300))
    tails = stats.binom.cdf(table.positives - np.array(table.true_above), table.positives, 0.1)
    alone = np.array(GRID)[tails <= 0.05].max(initial=0.0)
    band = table.choose(precision=0.999, max_lost=0.1)
    assert band.lower == alone
