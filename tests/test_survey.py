from __future__ import annotations

import io
import json
import math

import numpy as np
import pandas as pd
import pytest

from cxjobs.errors import DataError, ModelError
from cxjobs.prevalence import calibration
from cxjobs.shares import effective_size
from cxjobs.survey import _groups, survey
from cxjobs.tables import plain_share
from cxjobs.taxonomy import CONFLATED, CX, PRACTICES, REVIEW, ROLES

K = len(ROLES)
MIX = np.r_[0.2, np.full(K - 1, 0.8 / (K - 1))]


def probabilities(rng, truth, quality):
    z = rng.normal(size=(truth.size, K))
    z[np.arange(truth.size), truth] += quality
    z[:, 0] += 1.0  # It sees CX management where there is none.
    odds = np.exp(quality * (z - z.max(axis=1, keepdims=True)))
    return odds / odds.sum(axis=1, keepdims=True)


def answers(rng, truth, basis="posting", quality=2.5):
    """Answer columns of a model that errs, for postings of the given true roles (codes)."""
    p = probabilities(rng, truth, quality).round(6)
    order, rows, names = np.argsort(-p, axis=1), np.arange(truth.size), np.array(ROLES, object)
    cx = p[:, 0]
    shown = rng.random((truth.size, 5)) < np.where(truth == 0, 0.8, 0.2)[:, None]
    return pd.DataFrame(
        {
            "title": [f"Job {i % 40}" for i in rows],
            "company": [f"Firm {c}" for c in rng.integers(0, 30, truth.size)],
            "label": np.where(cx >= 0.6, CX, np.where(cx < 0.2, CONFLATED, REVIEW)),
            "cx_probability": cx,
            "role": names[order[:, 0]],
            "role_probability": p[rows, order[:, 0]],
            "runner_up": names[order[:, 1]],
            "runner_up_probability": p[rows, order[:, 1]],
            "practice": [
                ",".join(e for e, x in zip(PRACTICES, row, strict=True) if x) for row in shown
            ],
            "practice_score": shown.sum(axis=1) * 0.9,
            "basis": basis,
            "title_cx_probability": np.where(rng.random(truth.size) < 0.05, 0.95, cx),
            "flags": "",
            "status": "ok",
        }
    )


@pytest.fixture(scope="module")
def errors():
    rng = np.random.default_rng(0)
    truth = rng.choice(K, 1500, p=MIX)
    told = {"posting": probabilities(rng, truth, 2.5), "title": probabilities(rng, truth, 1.5)}
    found = calibration(told, np.array(ROLES)[truth], groups=np.arange(1500) // 2)
    return json.loads(json.dumps(found))


@pytest.fixture
def batch():
    rng = np.random.default_rng(4)
    truth = rng.choice(K, 900, p=np.r_[0.05, np.full(K - 1, 0.95 / (K - 1))])
    frame = pd.concat(
        [answers(rng, truth[:600]), answers(rng, truth[600:], "title", 1.5)], ignore_index=True
    )
    return frame.assign(true=np.array(ROLES)[truth])


def test_correction_finds_the_truth_that_counting_misses(batch, errors):
    found = survey(batch, errors)
    assert found.naive.low > 0.05, "the model overcounts a rare role"
    assert found.corrected.low <= 0.05 <= found.corrected.high
    assert found.best == found.corrected
    assert found.table["corrected"].sum() == pytest.approx(1)
    assert found.table["share"].sum() == pytest.approx(1)
    assert found.table["postings"].sum() == found.counted == 900
    inside = found.table.eval("corrected_low <= corrected <= corrected_high")
    assert inside.all()
    assert found.table["role"].tolist() == list(ROLES)
    assert "corrected for errors" in str(found)


def test_roles_with_few_labelled_postings_are_told_as_other(batch):
    rng = np.random.default_rng(2)
    truth = rng.choice(K, 1500, p=MIX)
    rare = ROLES.index("usability")
    truth[np.flatnonzero(truth == rare)[3:]] = ROLES.index("sales")
    p = probabilities(rng, truth, 2.5)
    found = survey(batch[:600], calibration({"posting": p}, np.array(ROLES)[truth]))
    table = found.table.set_index("role")
    assert math.isnan(table.loc["usability", "corrected"])
    assert table["corrected"].sum() == pytest.approx(1)
    expected = (batch["true"][:600].isin(["usability", "other"])).mean()
    assert table.loc["other", "corrected_low"] <= expected <= table.loc["other", "corrected_high"]
    assert "usability" in found.notes[0]


def test_audit_of_a_random_part_comes_first(batch, errors):
    coded = batch["true"].sample(200, random_state=1)
    found = survey(batch, errors, audit=coded)
    assert found.best == found.audited
    assert found.audited.low <= (batch["true"] == CX).mean() <= found.audited.high
    assert found.table["audited"].notna().all()
    labels = coded.where(coded == CX, CONFLATED)
    by_label = survey(batch, audit=labels)
    assert by_label.audited == found.audited
    assert by_label.table["audited"].notna().sum() == 1
    few = survey(batch, audit=coded.iloc[:5])
    assert few.audited is None
    assert "10 or more" in few.notes[-1]
    lost = survey(batch.iloc[:450], audit=coded)
    assert "not among those counted" in lost.notes[-1]


def test_without_errors_it_says_so(batch, errors):
    found = survey(batch)
    assert found.corrected is None
    assert found.table["corrected"].isna().all()
    assert "not corrected" in found.notes[0]
    assert "not corrected" in str(found)
    half = survey(batch, {"posting": errors["posting"]})
    assert half.corrected is None
    assert "'title'" in half.notes[0]


def test_nothing_vanishes(batch, errors):
    batch.loc[:9, "status"] = "rejected"
    batch.loc[:9, ["cx_probability", "role_probability", "practice_score"]] = math.nan
    batch.loc[:9, ["label", "role", "runner_up", "basis"]] = ""
    batch.loc[10:14, "flags"] = "no_description,not_english"
    batch.loc[15:21, "flags"] = "duplicate_of:abc"
    found = survey(batch, errors)
    assert (found.rejected, found.distrusted, found.repeated, found.counted) == (10, 5, 0, 885)
    assert found.labels["postings"].sum() == 885
    assert found.labels["label"].tolist() == [CX, REVIEW, CONFLATED]
    once = survey(batch, errors, unique=True)
    assert (once.repeated, once.counted) == (7, 878)


def test_groups_are_shrunk_and_small_ones_withheld(batch, errors):
    batch["company"] = ["Big"] * 500 + ["Mid"] * 380 + ["Six"] * 6 + ["Tiny"] * 3 + [None] * 11
    batch.loc[880:885, "cx_probability"] = 0.99
    batch.loc[880:885, "label"] = CX
    groups = survey(batch, errors, by="company").groups.set_index("group")
    assert groups.index.tolist() == ["Big", "Mid", "(none)", "Six", "(groups of fewer than 5: 1)"]
    assert groups["postings"].sum() == 900
    assert math.isnan(groups["share"].iloc[-1])
    assert groups.loc["Big", "share"] < groups.loc["Six", "share"] < 0.99
    assert groups.loc["Six", "high"] - groups.loc["Six", "low"] > 0.2


def test_clusters_widen_intervals(batch, errors):
    copies = batch.loc[batch.index.repeat(4)].reset_index(drop=True)
    copies["firm"] = np.arange(len(copies)) // 4
    single, together = survey(copies, errors), survey(copies, errors, cluster="firm")
    for name in ("naive", "corrected"):
        one, other = getattr(single, name), getattr(together, name)
        assert other.high - other.low > 1.3 * (one.high - one.low)
        assert other.estimate == pytest.approx(one.estimate)


def test_practice_and_gaps(batch):
    batch["title_cx_probability"] = batch["cx_probability"]
    batch.loc[0, ["title", "title_cx_probability", "cx_probability"]] = ["Fake CX", 0.9, 0.1]
    batch.loc[1, ["title", "title_cx_probability", "cx_probability"]] = ["Real CX", 0.05, 0.99]
    batch.loc[899, ["title_cx_probability", "cx_probability"]] = [0.9, 0.1]
    found = survey(batch)
    assert found.practice["element"].tolist() == list(PRACTICES)
    assert (found.practice["cx_share"] > found.practice["share"]).all()
    assert found.practice_score["all"] == pytest.approx(batch["practice_score"].mean())
    gaps = found.gaps
    # The widest gap first; row 899 is a bare title, with no content to differ from.
    assert gaps["title"].tolist() == ["Real CX", "Fake CX"]
    assert gaps["kind"].tolist() == ["all but name", "name only"]
    assert gaps["row"].tolist() == [1, 0]
    assert gaps["gap"].tolist() == pytest.approx([-0.94, 0.8])


def test_prefixed_columns_and_a_csv_round_trip_change_nothing(batch, errors):
    plain = survey(batch, errors)
    own = batch.rename(columns={"role": "cxjobs_role", "label": "cxjobs_label"})
    own = own.assign(role="the source's own", label="the source's own")
    assert survey(own, errors).to_dict() == plain.to_dict()
    written = io.StringIO(batch.to_csv(index=False))
    read = pd.read_csv(written, dtype=str, keep_default_na=False)
    assert survey(read, errors).to_dict() == plain.to_dict()


def test_to_dict_is_plain(batch, errors):
    found = survey(batch, errors, by="company").to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(found["table"]) == K
    assert found["corrected"]["low"] <= found["corrected"]["estimate"]


def test_an_empty_batch_is_an_empty_survey(batch, errors):
    for empty in (batch.iloc[:0], batch.assign(status="rejected")):
        found = survey(empty, errors, by="company", cluster="company")
        assert found.counted == 0
        assert "No posting" in str(found)
        json.dumps(found.to_dict(), allow_nan=False)


def test_a_harmed_calibration_is_refused(batch, errors):
    harmed = errors | {"title": errors["title"] | {"roles": ["sales"]}}
    with pytest.raises(ModelError, match="'title'"):
        survey(batch, harmed)


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda f: f.drop(columns="role"), {}, "'role'"),
        (lambda f: f.assign(cx_probability="high"), {}, "'high' in row 0"),
        (lambda f: f.assign(cx_probability=1.5), {}, "1.5"),
        (lambda f: f.assign(role="baker"), {}, "'baker'"),
        (lambda f: f, {"by": "month"}, "'month'"),
        (lambda f: f, {"audit": pd.Series(["baker"] * 20)}, "'baker'"),
        (lambda f: f, {"audit": pd.Series(["sales"] * 2, index=[1, 1])}, "without repeats"),
    ],
)
def test_unusable_batches_are_refused(batch, change, options, said):
    with pytest.raises(DataError, match=said):
        survey(change(batch), **options)


def test_a_missing_group_is_a_group_of_its_own():
    codes = _groups(pd.Series([None, "a", None, "b", "a", math.nan]))
    assert codes[1] == codes[4]
    assert len(set(codes.tolist())) == 5


def test_labels_are_counted_by_clusters(batch):
    copies = batch.loc[batch.index.repeat(3)].reset_index(drop=True)
    copies["firm"] = np.arange(len(copies)) // 3
    found = survey(copies, cluster="firm", confidence=0.9).labels
    for row in found.itertuples():
        is_so = copies["label"].to_numpy() == row.label
        wanted = plain_share(is_so, effective_size(is_so, copies["firm"].to_numpy()), 0.9)
        assert (row.share, row.low, row.high) == (wanted.estimate, wanted.low, wanted.high)


@pytest.mark.parametrize(("coded", "used"), [(9, False), (10, True)])
def test_an_audit_needs_ten(batch, coded, used):
    audit = batch["true"].iloc[:coded]
    found = survey(batch, audit=audit)
    assert (found.audited is not None) is used
    assert not any("not among those" in note for note in found.notes)
    outside = survey(batch.iloc[:850], audit=batch["true"].iloc[820:])
    assert "50 audited postings are not among those counted." in outside.notes


def test_values_are_told_as_they_are(batch, errors):
    found = survey(batch, errors)
    told = found.to_dict()
    assert told["counted"] == 900
    assert told["notes"] == list(found.notes)
    assert told["groups"] is None
    for row, plain in zip(found.table.to_dict("records"), told["table"], strict=True):
        assert plain["share"] == row["share"]
        assert plain["postings"] == row["postings"]
        assert plain["role"] == row["role"]
    assert told["practice_score"]["all"] == found.practice_score["all"]
    assert survey(batch).to_dict()["table"][0]["corrected"] is None
    text = str(found)
    assert text.startswith(f"{found.corrected.estimate:.0%} of 900 postings are CX management")
    assert "(95% interval" in text


def test_each_basis_counts_by_its_part(batch, errors):
    found = survey(batch, errors).corrected
    parts = [survey(batch[batch["basis"] == basis], errors) for basis in ("posting", "title")]
    wanted = parts[0].corrected.estimate * 600 / 900 + parts[1].corrected.estimate * 300 / 900
    assert found.estimate == pytest.approx(wanted)


def test_a_calibration_of_other_roles_is_refused(batch, errors):
    extra = [*errors["posting"]["roles"][:-1], "baker"]
    for roles in (extra, errors["posting"]["roles"][:-1], []):
        with pytest.raises(ModelError, match="basis 'posting' lacks its roles"):
            survey(batch, errors | {"posting": errors["posting"] | {"roles": roles}})
