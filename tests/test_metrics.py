from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from cxjobs import metrics
from cxjobs.errors import DataError
from cxjobs.taxonomy import CX, ROLES

KINDS = ["a", "b", "c", "d"]


@st.composite
def coded(draw):
    n = draw(st.integers(2, 60))
    kinds = hnp.arrays(np.int64, n, elements=st.integers(0, 3))
    return np.array(KINDS)[draw(kinds)], np.array(KINDS)[draw(kinds)]


@st.composite
def scored(draw):
    n = draw(st.integers(1, 60))
    tied = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
    truth = draw(hnp.arrays(np.bool_, n)).astype(float)
    return truth, draw(hnp.arrays(np.float64, n, elements=tied))


@pytest.mark.filterwarnings("ignore")
@given(coded())
def test_confusion_statistics_are_scikit_learns(columns):
    truth, answer = columns
    matrix = metrics.confusion(truth, answer, KINDS)
    assert matrix.tolist() == sk.confusion_matrix(truth, answer, labels=KINDS).tolist()
    assert metrics.accuracy(matrix) == pytest.approx(sk.accuracy_score(truth, answer))
    there = sorted(set(truth))
    expected = sk.f1_score(truth, answer, labels=there, average="macro", zero_division=0)
    assert metrics.macro_f1(matrix) == pytest.approx(expected)
    kappa = sk.cohen_kappa_score(truth, answer, labels=KINDS)
    assert metrics.kappa(matrix) == pytest.approx(kappa, nan_ok=True)


@given(scored())
def test_label_statistics_are_scikit_learns(columns):
    truth, p = columns
    assert metrics.brier(truth, p) == pytest.approx(np.mean((truth - p) ** 2))
    mixed = p.clip(1e-15, 1 - 1e-15)
    assert metrics.log_loss(truth, p) == pytest.approx(sk.log_loss(truth, mixed, labels=[0, 1]))
    if not truth.any():
        assert math.isnan(metrics.average_precision(truth, p))
        assert math.isnan(metrics.precision_at_recall(truth, p))
        return
    assert metrics.average_precision(truth, p) == pytest.approx(
        sk.average_precision_score(truth, p)
    )
    assert metrics.f1(truth, p >= 0.5) == pytest.approx(sk.f1_score(truth, p >= 0.5))
    precision, recall, _ = sk.precision_recall_curve(truth, p)
    best = precision[recall >= 0.95].max()
    assert metrics.precision_at_recall(truth, p) == pytest.approx(best)


@given(scored(), st.integers(0, 1000))
def test_row_order_changes_nothing(columns, seed):
    truth, p = columns
    order = np.random.default_rng(seed).permutation(truth.size)
    for statistic in (
        metrics.average_precision,
        metrics.precision_at_recall,
        metrics.calibration_error,
        metrics.risk_area,
    ):
        assert statistic(truth[order], p[order]) == pytest.approx(statistic(truth, p), nan_ok=True)


@given(scored())
def test_reliability_table_adds_up_to_the_calibration_error(columns):
    truth, p = columns
    rows = metrics.reliability_table(truth, p, bins=4)
    assert sum(row["n"] for row in rows) == truth.size
    assert len(rows) <= 4
    total = sum(row["n"] * abs(row["probability"] - row["observed"]) for row in rows)
    assert metrics.calibration_error(truth, p, bins=4) == pytest.approx(total / truth.size)
    for row in rows:
        assert row["low"] <= row["observed"] + 1e-12
        assert row["observed"] <= row["high"] + 1e-12


def test_calibration_error_is_small_for_calibrated_and_large_for_shifted():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    truth = rng.random(20_000) < p
    assert metrics.calibration_error(truth, p) < 0.02
    assert metrics.calibration_error(truth, p**3) > 0.2


def test_coverage_risk_by_hand():
    coverage, risk = metrics.coverage_risk([0, 1, 0, 1], [0.9, 0.5, 0.8, 0.1])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk == pytest.approx([0, 0, 1 / 3, 0.5])
    _, tied = metrics.coverage_risk([1, 0], [0.5, 0.5])
    assert tied.tolist() == [0.5, 0.5]


@given(scored())
def test_answering_everything_risks_the_share_of_errors(columns):
    wrong, sure = columns
    assert metrics.coverage_risk(wrong, sure)[1][-1] == pytest.approx(wrong.mean())


@pytest.mark.parametrize(
    "call",
    [
        lambda: metrics.brier([1, 0], [0.5]),
        lambda: metrics.brier([1], [math.nan]),
        lambda: metrics.confusion(["a"], ["z"], KINDS),
        lambda: metrics.confusion(["a", "b"], ["a"], KINDS),
        lambda: metrics.summary(["sales"], [[0.5, 0.5]]),
        lambda: metrics.summary(["baker"], np.full((1, 13), 1 / 13)),
    ],
)
def test_unusable_columns_are_refused(call):
    with pytest.raises(DataError):
        call()


@pytest.fixture(scope="module")
def figures():
    rng = np.random.default_rng(3)
    p = rng.dirichlet(np.full(13, 0.2), 250)
    truth = np.array(ROLES)[[rng.choice(13, p=row) for row in p]]
    practice = rng.integers(0, 2, (250, 5)).astype(float)
    practice[:50] = math.nan
    return metrics.summary(
        truth,
        p,
        practice=practice,
        practice_probability=np.where(np.isnan(practice), 0.5, practice * 0.6 + 0.2),
        groups=rng.integers(0, 80, 250),
        replicates=100,
    ), (truth, p)


def test_summary_is_plain_and_agrees_with_its_parts(figures):
    found, (truth, p) = figures
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    answer = np.array(ROLES)[p.argmax(axis=1)]
    assert found["role"]["accuracy"]["estimate"] == pytest.approx((truth == answer).mean())
    expected = sk.average_precision_score(truth == CX, p[:, 0])
    assert found["label"]["average_precision"]["estimate"] == pytest.approx(expected)
    assert np.sum(found["confusion"]) == 250
    assert [row["role"] for row in found["per_role"]] == list(ROLES)
    assert found["practice"]["whole"]["estimate"] == 1
    assert found["coverage_risk"]["role"][-1]["risk"] == pytest.approx((truth != answer).mean())
    for interval in (*found["role"].values(), *found["label"].values()):
        assert interval["low"] <= interval["high"]


def test_table_has_a_row_for_every_interval(figures):
    rows = metrics.table(figures[0])
    assert len(rows) == 3 + 7 + 5 + 13
    assert all(set(row) == {"subject", "metric", "estimate", "low", "high"} for row in rows)


def test_summary_of_nothing_true_has_no_figures_of_it():
    found = metrics.summary(["sales"] * 12, np.eye(13)[[8] * 12], replicates=20)
    assert found["label"]["average_precision"] == {"estimate": None, "low": None, "high": None}
    json.dumps(found, allow_nan=False)
