from __future__ import annotations

import json
import sys
import warnings

import numpy as np
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cxjobs.errors import DataError, ModelError
from cxjobs.prevalence import OTHER, Calibration, _score_ends, calibration, folded, looks, told
from cxjobs.taxonomy import CX, ROLES

sys.path.insert(0, str(ROOT / "benchmarks" / "coverage"))
from simulated import K
from simulated import probabilities as scores


def one_hot(p):
    return np.eye(p.shape[1])[p.argmax(axis=1)]


@given(st.integers(0, 1000), st.integers(1, 30), st.floats(0.1, 5))
def test_looks_keep_what_the_answer_says_and_sum_to_one(seed, n, spread):
    p = np.random.default_rng(seed).dirichlet(np.full(K, spread), n).round(6)
    answer = told(p)
    look = looks(answer)
    assert look.sum(axis=1) == pytest.approx(np.ones(n))
    assert (look >= 0).all()
    assert look[:, ROLES.index(CX)] == pytest.approx(p[:, 0], abs=1e-4)
    top = look[np.arange(n), p.argmax(axis=1)]
    assert top == pytest.approx(p.max(axis=1), abs=1e-4)


def test_unknown_role_is_refused():
    answer = told(np.full((1, K), 1 / K)) | {"role": ["baker"]}
    with pytest.raises(DataError, match="baker"):
        looks(answer)


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
        fitted = Calibration.fit(looks(told(scores(rng, labelled, quality))), labelled)
        batch = looks(told(scores(rng, rng.choice(K, 600, p=truth), quality)))
        found = fitted.shares(batch)
        hits += [i.low <= t <= i.high for i, t in zip(found, truth, strict=True)]
    assert stats.binom.ppf(0.001, runs, 0.94) <= hits[0] <= stats.binom.ppf(0.9999, runs, 0.96)
    assert 0.93 <= hits.mean() / runs <= 0.97


def test_calibration_holds_the_looks_of_roles_that_are_known_well():
    rng = np.random.default_rng(6)
    counts = np.full(K, 12)
    # Nine postings are too few, ten are not; CX and other stand whatever their number is.
    few, enough, cx, other = (ROLES.index(r) for r in ("usability", "sales", CX, OTHER))
    counts[[few, enough, cx]] = 9, 10, 6
    codes = np.repeat(np.arange(K), counts)
    p = scores(rng, codes, 2.0)
    groups = np.arange(codes.size) // 2
    found = calibration({"posting": p, "title": p[:, ::-1]}, np.array(ROLES)[codes], groups=groups)
    kept = [role for role in ROLES if role != "usability"]
    assert list(found) == ["posting", "title"]
    assert found["posting"]["roles"] == found["title"]["roles"] == kept
    seats = np.array([kept.index(r) if r in kept else kept.index(OTHER) for r in ROLES])
    look = looks(told(p))
    folded_look = look[:, [ROLES.index(r) for r in kept]]
    folded_look[:, kept.index(OTHER)] += look[:, few]
    wanted = Calibration.fit(folded_look, seats[codes], groups=groups).to_dict()
    assert {k: v for k, v in found["posting"].items() if k != "roles"} == wanted
    assert found["posting"]["n"][kept.index(OTHER)] == counts[[few, other]].sum()
    assert folded(look, kept) == pytest.approx(folded_look)
    assert found["title"]["means"] != wanted["means"]


def test_spread_and_error_are_variances_of_what_a_posting_adds():
    rng = np.random.default_rng(7)
    truth = np.repeat([0, 1, 2], [20, 30, 40])
    look = scores(rng, truth, 1.5, 3)
    fitted = Calibration.fit(look, truth)
    means = np.array([look[truth == i].mean(axis=0) for i in range(3)])
    weights = look @ np.linalg.inv(means)
    groups = np.arange(truth.size) // 3
    grouped = Calibration.fit(look, truth, groups=groups)
    for i in range(3):
        inside = weights[truth == i]
        assert fitted.spread[i] == pytest.approx(inside.var(axis=0, ddof=1))
        # Without groups, the squared standard error of a mean.
        assert fitted.error[i] == pytest.approx(inside.var(axis=0, ddof=1) / len(inside))
        codes = groups[truth == i]
        sums = np.array([
            (inside - inside.mean(axis=0))[codes == code].sum(axis=0) for code in np.unique(codes)
        ])  # fmt: skip
        wanted = (sums**2).sum(axis=0) / len(inside) ** 2 * len(sums) / (len(sums) - 1)
        assert grouped.error[i] == pytest.approx(wanted)
    assert fitted.n.tolist() == [20, 30, 40]
    alone = Calibration.fit(look, truth, groups=truth)
    assert alone.error == pytest.approx(np.zeros((3, 3)), abs=1e-12)


@given(
    st.floats(0, 1), st.integers(5, 5000),
    st.tuples(st.floats(0, 1), st.floats(0, 0.02)), st.tuples(st.floats(0, 1), st.floats(0, 0.02)),
)  # fmt: skip
def test_the_ends_are_where_the_score_test_turns(count, n, inside, rest):
    z2 = 3.84
    (v1, e1), (v0, e0) = inside, rest

    def excess(t):
        variance = (t * v1 + (1 - t) * v0 + t * (1 - t)) / n + t**2 * e1 + (1 - t) ** 2 * e0
        return (count - t) ** 2 - z2 * variance

    low, high = _score_ends(count, n, inside, rest, z2)
    assert 0 <= low <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            assert excess(end) == pytest.approx(0, abs=1e-6)
    if 0 < low < high < 1:
        assert excess((low + high) / 2) < 1e-9


def test_looks_too_uncertain_say_nothing():
    assert _score_ends(0.4, 100, (0.1, 0.2), (0.1, 0.2), 3.84) == (0.0, 1.0)
    # Exactly where the equation has one root only.
    assert _score_ends(0.4, 1.0, (0.1, 1.0), (0.1, 1.0), 1.0) == (0.0, 1.0)


@pytest.mark.parametrize("shares", [[0.5, 0.3, 0.2], [1.0, 0.0, 0.0]])
def test_the_interval_of_a_class_knows_the_mixture_of_the_rest(shares):
    rng = np.random.default_rng(9)
    truth = np.repeat([0, 1, 2], [40, 60, 80])
    fitted = Calibration.fit(scores(rng, truth, 1.5, 3), truth)
    batch = np.tile(np.array(shares) @ fitted.means, (50, 1))
    found = fitted.shares(batch)
    assert [one.estimate for one in found] == pytest.approx(shares, abs=1e-6)
    weights = batch @ np.linalg.inv(fitted.means)
    z2 = stats.norm.ppf(0.975) ** 2
    for r in range(3):
        others = [i for i in range(3) if i != r]
        part = np.array([shares[i] for i in others])
        # Of no other class in the batch, each is as likely.
        part = part / part.sum() if part.sum() > 1e-6 else np.full(2, 0.5)
        low, high = _score_ends(
            weights[:, r].mean(), 50, (fitted.spread[r, r], fitted.error[r, r]),
            (part @ fitted.spread[others, r], part**2 @ fitted.error[others, r]), z2,
        )  # fmt: skip
        assert found[r].low == pytest.approx(min(low, found[r].estimate), abs=1e-6)
        if sum(shares[i] for i in others) > 0:
            assert found[r].high == pytest.approx(max(high, found[r].estimate), abs=1e-6)


def test_looks_of_an_answer_in_full():
    answer = {
        "cx_probability": [0.2, 0.6, 0.3],
        "role": ["sales", CX, "sales"],
        "role_probability": [0.5, 0.6, 0.6],
        "runner_up": ["other", "sales", CX],
        "runner_up_probability": [0.1, 0.3, 0.3],
    }
    look = looks(answer)
    rest = [(1 - 0.8) / (K - 3), (1 - 0.9) / (K - 2), (1 - 0.9) / (K - 2)]
    for row, (given_, left) in enumerate(
        zip(
            [{CX: 0.2, "sales": 0.5, "other": 0.1}, {CX: 0.6, "sales": 0.3},
             {CX: 0.3, "sales": 0.6}], rest, strict=True,
        )
    ):  # fmt: skip
        assert look[row] == pytest.approx([given_.get(role, left) for role in ROLES])


@pytest.mark.parametrize(
    "harm",
    [
        {"means": [[0.5, 0.5], [0.5, 0.5]]},
        {"error": [[float("inf"), 0.0], [0.0, 0.0]]},
        {"n": [], "means": [], "spread": [], "error": []},
    ],
)
def test_calibrations_of_no_use_are_refused(harm):
    truth = np.repeat([0, 1], 10)
    good = Calibration.fit(np.eye(2)[truth], truth).to_dict()
    Calibration.from_dict(good)
    with pytest.raises(ModelError, match="The calibration of shares"):
        Calibration.from_dict(good | harm)
