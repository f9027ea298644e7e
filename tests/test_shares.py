from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxjobs.binomial import wilson
from cxjobs.errors import DataError
from cxjobs.intervals import Interval, bootstrap
from cxjobs.shares import _powered, audited_share, combine, effective_size, shifted, shrink


def guesses(rng, truth, quality):
    z = rng.normal(size=truth.size) + quality * truth
    return 1 / (1 + np.exp(-(quality * z - quality**2 / 2 - 1.4)))


def test_agrees_with_ppi_python():
    ppi = pytest.importorskip("ppi_py", reason="ppi-python, the oracle of audits, is absent")
    rng = np.random.default_rng(0)
    for n, quality in ((40, 1.0), (3000, 2.5), (3000, 0.0)):
        truth = (rng.random(n + 9000) < 0.3).astype(float)
        p = guesses(rng, truth, quality)
        y, f, rest = truth[:n], p[:n], p[n:]
        found = audited_share(y, f, rest)
        assert found.estimate == pytest.approx(float(ppi.ppi_mean_pointestimate(y, f, rest)[0]))
        low, high = ppi.ppi_mean_ci(y, f, rest, alpha=0.05)
        if n > 1000:
            assert (found.low, found.high) == pytest.approx((low[0], high[0]), abs=1e-3)
        else:
            assert found.high - found.low >= 0.95 * (high[0] - low[0])


@pytest.mark.parametrize("audited", [30, 100, 300])
@pytest.mark.parametrize("share", [0.05, 0.2, 0.6])
def test_coverage_of_the_audit(audited, share):
    rng = np.random.default_rng(5)
    runs = 500
    hits = 0
    for _ in range(runs):
        truth = (rng.random(audited + 1000) < share).astype(float)
        p = guesses(rng, truth, 2.0)
        found = audited_share(truth[:audited], p[:audited], p[audited:])
        hits += found.low <= share <= found.high
    assert stats.binom.ppf(0.001, runs, 0.935) <= hits
    assert audited < 100 or hits <= stats.binom.ppf(0.999, runs, 0.97)


def test_good_guesses_narrow_and_useless_ones_don_t_harm():
    rng = np.random.default_rng(2)
    truth = (rng.random(4000) < 0.3).astype(float)
    good = audited_share(truth[:300], guesses(rng, truth, 3)[:300], guesses(rng, truth, 3)[300:])
    noise = rng.random(4000)
    useless = audited_share(truth[:300], noise[:300], noise[300:])
    plain = wilson(truth[:300].sum(), 300)
    assert good.high - good.low < 0.75 * (plain[1] - plain[0])
    assert useless.high - useless.low == pytest.approx(plain[1] - plain[0], rel=0.05)


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(0, 20), st.integers(0, 99))
def test_audits_stay_between_0_and_1(truth, rest, seed):
    rng = np.random.default_rng(seed)
    found = audited_share(np.array(truth, float), rng.random(len(truth)), rng.random(rest))
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low < found.high


def test_an_audit_of_one_is_refused():
    with pytest.raises(DataError):
        audited_share([1], [0.5], [0.5])


def test_effective_size():
    rng = np.random.default_rng(0)
    values = rng.random(400)
    assert effective_size(values, np.arange(400)) == pytest.approx(400, rel=0.01)
    assert effective_size(np.repeat(values, 5), np.repeat(np.arange(400), 5)) == pytest.approx(
        400, rel=0.02
    )
    assert effective_size(np.ones(10), np.repeat([1, 2], 5)) == 2
    assert effective_size(values, np.zeros(400)) == 1
    groups = rng.integers(0, 60, 400)
    values = rng.normal(size=60)[groups] + rng.normal(size=400)
    found = bootstrap(np.mean, values, groups=groups)
    size = effective_size(values, groups)
    assert 3.92 * values.std() / size**0.5 == pytest.approx(found.high - found.low, rel=0.2)


def test_combining_normal_intervals_adds_their_variances():
    found = combine([Interval(0.4, 0.3, 0.5), Interval(0.6, 0.5, 0.7)], [0.5, 0.5])
    assert (found.low, found.high) == pytest.approx((0.5 - 0.005**0.5, 0.5 + 0.005**0.5))
    one = Interval(0.2, 0.1, 0.5)
    only = combine([one], [1.0])
    assert (only.low, only.high) == pytest.approx((one.low, one.high))


@given(st.floats(0, 1), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_shifting_back_undoes_the_shift(p, before, after):
    assert shifted(shifted([p], before, after), after, before)[0] == pytest.approx(p, abs=1e-9)


@given(st.lists(st.tuples(st.integers(1, 40), st.floats(0, 1)), min_size=1, max_size=12))
def test_shrunk_shares_lie_between_the_group_and_the_whole(groups):
    sizes = [n for n, _ in groups]
    true = [round(n * share) for n, share in groups]
    p = np.concatenate([[1.0] * k + [0.0] * (n - k) for n, k in zip(sizes, true, strict=True)])
    overall = min(max(sum(true) / sum(sizes), 0.05), 0.95)
    found = shrink(p, np.repeat(np.arange(len(sizes)), sizes), overall)
    for i, n, k in zip(found, sizes, true, strict=True):
        assert min(k / n, overall) - 0.005 <= i.estimate <= max(k / n, overall) + 0.005
        assert 0 <= i.low <= i.high <= 1


def test_doubt_widens_and_no_posting_says_more_than_its_probability():
    groups = np.repeat(np.arange(20), 20)
    share = np.linspace(0.1, 0.9, 20)[groups]
    sure = (np.tile((np.arange(20) + 0.5) / 20, 20) < share).astype(float)
    first = shrink(sure, groups, 0.5)[10]
    doubtful = shrink(0.5 + (sure - 0.5) * 0.6, groups, 0.5)[10]
    nothing = shrink(np.full(400, 0.5), groups, 0.5)[0]
    assert first.high - first.low < doubtful.high - doubtful.low
    assert nothing.estimate == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("strength", [5.0, 60.0])
@pytest.mark.parametrize("quality", [1.5, 3.0])
def test_coverage_of_shrunk_shares(strength, quality):
    rng = np.random.default_rng(1)
    hits = total = 0
    for _ in range(25):
        shares = rng.beta(0.25 * strength, 0.75 * strength, 40)
        groups = np.repeat(np.arange(40), rng.integers(5, 60, 40))
        truth = (rng.random(groups.size) < shares[groups]).astype(float)
        p = shifted(guesses(rng, truth, quality), 1 / (1 + np.exp(1.4)), 0.25)
        found = shrink(p, groups, 0.25)
        hits += sum(i.low <= s <= i.high for i, s in zip(found, shares, strict=True))
        total += 40
    assert 0.93 <= hits / total <= 0.97


def test_the_error_of_a_powered_estimate_in_full():
    """By the formulas of PPI++: the tuned weight, and the variances of both parts."""
    rng = np.random.default_rng(3)
    y = (rng.random(40) < 0.4).astype(float)
    f, rest = guesses(rng, y, 1.0), rng.random(25) * 0.9
    estimate, error = _powered(y, f, rest)
    n, m = 40, 25
    lam = np.cov(y, f, ddof=0)[0, 1] / ((1 + n / m) * np.r_[f, rest].var(ddof=1))
    assert 0 < lam < 1
    assert estimate == pytest.approx(lam * rest.mean() + (y - lam * f).mean())
    variance = (y - lam * f).var(ddof=1) / n + lam**2 * rest.var() / m
    assert error == pytest.approx(np.sqrt(variance))
    assert _powered(y, f, rest[:0]) == pytest.approx((y.mean(), y.std(ddof=1) / np.sqrt(n)))


def test_strengths_that_fit_the_groups_count_more():
    # Groups that differ much make a weak prior likely: each is then drawn less towards the whole.
    far = [0.999] * 60 + [0.001] * 60
    near = ([0.999] * 3 + [0.001] * 3) * 20
    groups = np.repeat(np.arange(12), 10)
    apart, alike = shrink(far, groups, 0.5), shrink(near, groups, 0.5)
    assert apart[0].estimate > 0.9
    assert 0.4 < alike[0].estimate < 0.6
    one = shrink([*far, 0.999], [*groups, 12], 0.5)[-1]
    same = shrink([*near, 0.999], [*groups, 12], 0.5)[-1]
    assert one.estimate > same.estimate + 0.15
