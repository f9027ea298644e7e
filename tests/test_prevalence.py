from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cxjobs.errors import DataError, ModelError
from cxjobs.prevalence import Calibration, looks
from cxjobs.taxonomy import CX, ROLES

K = len(ROLES)


def scores(rng, truth, quality, classes=K):
    """Probabilities of a model with a favourite error; ``quality`` from 1.5 (poor) to 4 (good)."""
    z = rng.normal(size=(truth.size, classes))
    rows = np.arange(truth.size)
    z[rows, truth] += quality
    z[rows, (truth * 5 + 1) % classes] += 0.3 * quality
    odds = np.exp(quality * (z - z.max(axis=1, keepdims=True)))
    return odds / odds.sum(axis=1, keepdims=True)


def answer(p):
    order = np.argsort(-p, axis=1)
    rows, names = np.arange(len(p)), np.array(ROLES, dtype=object)
    return {
        "cx_probability": p[:, 0],
        "role": names[order[:, 0]],
        "role_probability": p[rows, order[:, 0]],
        "runner_up": names[order[:, 1]],
        "runner_up_probability": p[rows, order[:, 1]],
    }


def one_hot(p):
    return np.eye(p.shape[1])[p.argmax(axis=1)]


@given(st.integers(0, 1000), st.integers(1, 30), st.floats(0.1, 5))
def test_looks_keep_what_the_answer_says_and_sum_to_one(seed, n, spread):
    p = np.random.default_rng(seed).dirichlet(np.full(K, spread), n).round(6)
    told = answer(p)
    look = looks(told)
    assert look.sum(axis=1) == pytest.approx(np.ones(n))
    assert (look >= 0).all()
    assert look[:, ROLES.index(CX)] == pytest.approx(p[:, 0], abs=1e-4)
    top = look[np.arange(n), p.argmax(axis=1)]
    assert top == pytest.approx(p.max(axis=1), abs=1e-4)


def test_unknown_role_is_refused():
    told = answer(np.full((1, K), 1 / K)) | {"role": ["baker"]}
    with pytest.raises(DataError, match="baker"):
        looks(told)


@pytest.fixture(scope="module")
def quapy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(
            "quapy.method.aggregative", reason="quapy, the oracle of adjusted counts, is absent"
        )


@pytest.mark.parametrize("kind", ["ACC", "PACC"])
@pytest.mark.parametrize("classes", [2, 5])
def test_agrees_with_quapy(quapy, kind, classes):
    rng = np.random.default_rng(3)
    names = np.arange(classes)
    for quality in (1.5, 3.0):
        truth = rng.integers(0, classes, 600)
        p = scores(rng, truth, quality, classes)
        shares = rng.dirichlet(np.full(classes, 0.7))
        batch = scores(rng, rng.choice(classes, 300, p=shares), quality, classes)
        if kind == "ACC":
            rates = quapy.ACC.getPteCondEstim(names, truth, p.argmax(axis=1))
            p, batch = one_hot(p), one_hot(batch)
        else:
            rates = quapy.PACC.getPteCondEstim(names, truth, p)
        found = [i.estimate for i in Calibration.fit(p, truth).shares(batch)]
        theirs = quapy.ACC.solve_adjustment(
            rates, batch.mean(axis=0), method="inversion", solver="minimize"
        )
        assert found == pytest.approx(theirs, abs=2e-3)
        exact = quapy.ACC.solve_adjustment(
            rates, batch.mean(axis=0), method="inversion", solver="exact-raise"
        )
        if (exact > 0).all():
            assert found == pytest.approx(exact, abs=1e-5)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.sampled_from([1.0, 2.0, 4.0]), st.integers(1, 200))
def test_shares_stay_on_the_simplex(seed, quality, n):
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(K), 30)
    batch = scores(rng, rng.integers(0, K, n), quality)
    found = Calibration.fit(scores(rng, truth, quality), truth).shares(batch)
    assert sum(i.estimate for i in found) == pytest.approx(1)
    for i in found:
        assert 0 <= i.low <= i.estimate <= i.high <= 1


def test_a_perfect_model_gives_wilsons_interval():
    truth = np.repeat([0, 1], 500)
    found = Calibration.fit(np.eye(2)[truth], truth).shares(np.eye(2)[[0] * 20 + [1] * 180])
    wilson = stats.binomtest(20, 200).proportion_ci(0.95, "wilson")
    assert (found[0].low, found[0].high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_fewer_labelled_postings_and_groups_widen():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(K), 200)
    p = scores(rng, truth, 2.5)
    batch = scores(rng, rng.integers(0, K, 500), 2.5)

    def width(calibration, **more):
        found = calibration.shares(batch, **more)[0]
        return found.high - found.low

    whole = Calibration.fit(p, truth)
    assert width(Calibration.fit(p[::10], truth[::10])) > width(whole)
    copies = np.tile(np.arange(truth.size), 4)
    copied = Calibration.fit(p[copies], truth[copies], groups=copies)
    assert width(copied) == pytest.approx(width(whole), rel=0.02)
    batch = np.repeat(batch, 3, axis=0)
    alone = width(whole)
    assert width(whole, groups=np.arange(1500) // 3) > 1.3 * alone


def test_round_trip_through_json():
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(K), 40)
    fitted = Calibration.fit(scores(rng, truth, 2), truth)
    stored = json.dumps(fitted.to_dict())
    assert len(stored) < 8000, "it goes into a manifest"
    again = Calibration.from_dict(json.loads(stored))
    batch = scores(rng, rng.integers(0, K, 200), 2)
    for one, other in zip(fitted.shares(batch), again.shares(batch), strict=True):
        assert one.estimate == pytest.approx(other.estimate, abs=1e-4)
        assert one.low == pytest.approx(other.low, abs=1e-4)


def test_unusable_calibrations_are_refused():
    truth = np.repeat([0, 1], 10)
    with pytest.raises(DataError, match="five or more"):
        Calibration.fit(np.eye(2)[truth][:14], truth[:14])
    with pytest.raises(DataError, match="look the same"):
        Calibration.fit(np.full((20, 2), 0.5), truth)
    good = Calibration.fit(np.eye(2)[truth], truth).to_dict()
    for harm in ({"means": [[1]]}, {"n": None}, {"spread": "x"}):
        with pytest.raises(ModelError):
            Calibration.from_dict(good | harm)
    with pytest.raises(ModelError):
        Calibration.from_dict({})


@pytest.mark.parametrize(("share", "quality"), [(0.02, 3.0), (0.1, 2.0), (0.3, 4.0), (0.6, 2.0)])
def test_coverage(share, quality):
    """A small version of benchmarks/coverage, for CX management and for all other roles."""
    rng = np.random.default_rng(8)
    labelled = np.repeat(np.arange(K), np.r_[300, np.linspace(40, 180, K - 1)].astype(int))
    truth = np.r_[share, (1 - share) * rng.dirichlet(np.full(K - 1, 1.5))]
    runs = 150
    hits = np.zeros(K)
    for _ in range(runs):
        fitted = Calibration.fit(looks(answer(scores(rng, labelled, quality))), labelled)
        batch = looks(answer(scores(rng, rng.choice(K, 600, p=truth), quality)))
        found = fitted.shares(batch)
        hits += [i.low <= t <= i.high for i, t in zip(found, truth, strict=True)]
    assert stats.binom.ppf(0.001, runs, 0.94) <= hits[0] <= stats.binom.ppf(0.9999, runs, 0.96)
    assert 0.93 <= hits.mean() / runs <= 0.97
