from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cxjobs.binomial import binomial_cdf, clopper_pearson, wilson


@given(st.integers(0, 4000), st.data())
def test_binomial_tail_is_scipys(n, data):
    k = data.draw(st.integers(-1, n + 1))
    p = data.draw(st.floats(0, 1))
    assert binomial_cdf(k, n, p) == pytest.approx(stats.binom.cdf(k, n, p), rel=1e-8, abs=1e-12)


def test_the_tail_at_its_ends():
    assert [binomial_cdf(k, 5, 1.0) for k in (-1, 4, 5)] == [0.0, 0.0, 1.0]
    assert [binomial_cdf(k, 5, 0.0) for k in (-1, 0, 5)] == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(("count", "n"), [(0, 5), (5, 5), (3, 10), (250, 1000)])
def test_wilson_is_scipys(count, n):
    theirs = stats.binomtest(count, n).proportion_ci(0.95, "wilson")
    assert wilson(count, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert math.isnan(wilson(0, 0)[0])


def test_what_is_a_share_stays_between_0_and_1():
    for n in range(1, 120):
        for count in (0, n // 3, n):
            low, high = wilson(count, n)
            assert 0 <= low <= count / n <= high <= 1
    for n in range(1, 400, 7):
        for p in (1e-9, 0.1, 0.5, 0.9, 1 - 1e-9):
            tail = [binomial_cdf(k, n, p) for k in range(n + 1)]
            assert tail == sorted(tail) or np.diff(tail).min() > -1e-12
            assert 0 <= min(tail) <= max(tail) <= 1


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_clopper_pearson_is_scipys(confidence):
    n = 25
    low, high = clopper_pearson(np.arange(n + 1), n, confidence)
    for count in range(n + 1):
        theirs = stats.binomtest(count, n).proportion_ci(2 * confidence - 1, "exact")
        assert (low[count], high[count]) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert [one.tolist() for one in clopper_pearson([0], [0], 0.9)] == [[0.0], [1.0]]
