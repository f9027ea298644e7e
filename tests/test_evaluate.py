"""Out-of-fold scores see no group twice; temperatures, figures and decisions are what they say."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, average_precision_score

from cxjobs import evaluate
from cxjobs.dataset import COMPOSED
from cxjobs.errors import DataError
from cxjobs.model import JobClassifier, softmax
from cxjobs.taxonomy import PRACTICES, ROLES


class Spy(JobClassifier):
    """Tells of every fit and every scoring which rows it got."""

    log: list

    def fit(self, X, y, sample_weight=None, bare_title_weight=None):
        self.train_ = X
        self.log.append(("fit", set(X["group"]), None, None))
        self.weight_ = bare_title_weight
        return self

    def scores(self, X, basis=None):
        self.log.append(("score", set(X["group"]), set(self.train_["group"]), basis))
        # The score of the first role is the row's own number, so that order can be checked.
        out = np.zeros((len(X), 18))
        out[:, 0] = X["id"].map(lambda value: int(value, 16))
        return out


@pytest.fixture
def spied(coded, monkeypatch):
    log = []
    monkeypatch.setattr(Spy, "log", log, raising=False)
    monkeypatch.setattr(evaluate, "JobClassifier", Spy)
    return evaluate.out_of_fold(coded, Spy(), n_splits=4, repeats=2), log


def test_no_posting_is_scored_by_a_model_that_saw_its_group(spied):
    scored = [entry for entry in spied[1] if entry[0] == "score"]
    assert scored
    for _, held, trained, _ in scored:
        assert held
        assert not held & trained


def test_every_posting_is_scored_once_a_draw_in_the_order_of_the_table(coded, spied):
    result = spied[0]
    told = coded[coded["basis"] == "posting"]
    assert result.frame["id"].tolist() == told["id"].tolist()
    numbers = [int(value, 16) for value in told["id"]]
    for basis in evaluate.BASES:
        assert result.scores[basis].shape == (2, len(told), 18)
        np.testing.assert_array_equal(result.scores[basis][:, :, 0], [numbers, numbers])


def test_composed_rows_train_but_do_not_count(spied):
    result = spied[0]
    assert not (result.frame["source"][result.scored] == COMPOSED).any()
    assert (result.frame["source"][~result.scored] == COMPOSED).all()
    trained = set().union(*(entry[1] for entry in spied[1] if entry[0] == "fit"))
    assert set(result.frame["group"][~result.scored]) <= trained


def test_too_few_groups_for_the_folds_is_said(coded):
    with pytest.raises(DataError, match="50 folds need as many groups; there are 40"):
        evaluate.out_of_fold(coded, n_splits=50)


def test_temperatures_of_the_estimator_do_not_reach_the_scores(coded):
    plain, warm = (
        evaluate.out_of_fold(coded, JobClassifier(posting_temperature=t), n_splits=2, repeats=1)
        for t in (1.0, 5.0)
    )
    np.testing.assert_array_equal(plain.scores["posting"], warm.scores["posting"])


def test_composed_titles_weigh_less_in_the_title_basis(coded, monkeypatch):
    monkeypatch.setattr(Spy, "log", [], raising=False)
    weight = evaluate.fit(Spy(), coded).weight_
    written = (coded["source"] == COMPOSED) & (coded["basis"] == "posting")
    assert (weight[written] == evaluate.COMPOSED_TITLES).all()
    assert (weight[~written] == 1).all()
    real = evaluate.fit(JobClassifier(), coded)
    light = JobClassifier().fit(coded, coded[["role", *PRACTICES]], bare_title_weight=weight)
    np.testing.assert_array_equal(real.coef_["title"], light.coef_["title"])
    even = JobClassifier().fit(coded, coded[["role", *PRACTICES]])
    assert not np.array_equal(real.coef_["title"], even.coef_["title"])
    np.testing.assert_array_equal(real.coef_["posting"], even.coef_["posting"])


@pytest.fixture(scope="module")
def result(coded):
    return evaluate.out_of_fold(coded, n_splits=3, repeats=2)


def test_figures_are_those_of_another_library_on_the_counted_rows(result):
    found = evaluate.figures(result, "posting", 2.0, replicates=50)
    rows = result.scored
    roles = result.frame["role"][rows].to_numpy(str)
    draws = [softmax(s[rows, :13] / 2.0) for s in result.scores["posting"]]
    assert found["n"] == rows.sum()
    assert found["groups"] == result.frame["group"][rows].nunique()
    right = [accuracy_score(roles, np.array(ROLES)[p.argmax(axis=1)]) for p in draws]
    area = [average_precision_score(roles == "cx_management", p[:, 0]) for p in draws]
    assert found["draws"]["accuracy"] == pytest.approx(right)
    assert found["draws"]["average_precision"] == pytest.approx(area)
    assert found["role"]["accuracy"]["estimate"] == pytest.approx(right[0])
    assert found["label"]["average_precision"]["estimate"] == pytest.approx(area[0])
    assert set(found["practice"]) == set(PRACTICES)


def test_figures_are_in_a_band_that_noise_and_leaks_leave(coded, result):
    """The roles are told by their words; shuffled among the groups they can't be told."""
    found = evaluate.figures(result, "posting", 1.0, replicates=20)
    assert found["role"]["accuracy"]["estimate"] > 0.9
    shuffled = coded.copy()
    draw = np.random.default_rng(0)
    shuffled["role"] = draw.permutation(shuffled["role"].to_numpy())
    chance = evaluate.out_of_fold(shuffled, n_splits=3, repeats=1)
    found = evaluate.figures(chance, "posting", 1.0, replicates=20)
    assert found["role"]["accuracy"]["estimate"] < 0.45


def test_a_finished_model_is_scored_as_it_is(coded, fitted):
    told = coded[coded["basis"] == "posting"]
    for basis, rows in (("posting", told), ("title", coded)):
        found = evaluate.apply(fitted, coded, basis)
        assert found.frame["id"].tolist() == rows["id"].tolist()
        np.testing.assert_array_equal(found.scores[basis][0], fitted.scores(rows, basis))


@given(
    st.lists(
        st.tuples(st.booleans(), st.sampled_from(["cx_management", "conflated", "review"])),
        max_size=60,
    )
)
@settings(max_examples=60, deadline=None)
def test_decided_counts_every_posting_once(pairs):
    truth, label = [t for t, _ in pairs], [a for _, a in pairs]
    found = evaluate.decided(truth, label)
    assert found["called"] + found["review"] + label.count("conflated") == len(pairs)
    assert found["called_true"] == sum(t and a == "cx_management" for t, a in pairs)
    assert found["lost"] == sum(t and a == "conflated" for t, a in pairs)
    for share, k, n in (
        ("precision", found["called_true"], found["called"]),
        ("lost_share", found["lost"], found["positives"]),
        ("review_share", found["review"], len(pairs)),
    ):
        if not n:
            assert found[share] == {"estimate": None, "low": None, "high": None}
            continue
        wilson = binomtest(k, n).proportion_ci(method="wilson")
        assert found[share]["estimate"] == pytest.approx(k / n)
        assert found[share]["low"] == pytest.approx(wilson.low, abs=1e-9)
        assert found[share]["high"] == pytest.approx(wilson.high, abs=1e-9)


GOOD = [
    {"title": "Head of CX", "description": "Journeys", "role": "cx_management", "whole": 1},
    {"title": "Agent", "role": "call_center", "note": "kept"},
    {"title": "", "description": "Shop work", "role": "retail_service", "whole": None},
]


def written(tmp_path, rows, kind):
    path = tmp_path / f"rows.{kind}"
    if kind == "csv":
        pd.DataFrame(rows).to_csv(path, index=False)
    else:
        path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_load_fills_what_may_be_missing(tmp_path, kind):
    frame = evaluate.load(written(tmp_path, GOOD, kind))
    assert frame["description"].tolist() == ["Journeys", "", "Shop work"]
    np.testing.assert_array_equal(frame["whole"], [1, np.nan, np.nan])
    assert frame[list(PRACTICES[:4])].isna().all(axis=None)
    assert frame["group"].nunique() == 3
    assert "note" in frame.columns


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_rows_without_a_group_are_not_thrown_together(tmp_path, kind):
    rows = [{**row, "group": group} for row, group in zip(GOOD, ("a", None, None), strict=True)]
    groups = evaluate.load(written(tmp_path, [*rows, rows[0]], kind))["group"]
    assert groups[0] == groups[3]
    assert groups.nunique() == 3


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"role": "seller"}, "column role: must be one of"),
        ({"role": ""}, "column role"),
        ({"whole": 2}, "column whole: must be 0, 1 or empty"),
        ({"whole": "yes"}, "column whole"),
        ({"title": " - "}, "neither title nor description"),
    ],
)
def test_load_says_which_row_is_wrong(tmp_path, kind, change, said):
    rows = [GOOD[0], {**GOOD[1], **change}]
    with pytest.raises(DataError, match=said) as error:
        evaluate.load(written(tmp_path, rows, kind))
    assert ("row 3" if kind == "csv" else "line 2") in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has no rows"),
        ('{"title": "x", "role": "sales"}\n{"title"', "line 2: is not JSON"),
        ("[1]", "line 1: is not an object"),
        ('{"title": "x"}', "no column 'role'"),
        ('{"title": 5, "role": "sales"}', "line 1, column title: is not text"),
        ('{"title": "x", "role": ["sales"]}', "line 1, column role: is not text"),
        ('{"title": "x", "role": null}', "line 1, column role: must be one of"),
        ('{"title": "x", "role": "sales", "whole": {}}', "line 1, column whole: must be 0, 1"),
        ('{"title": "x", "role": "sales", "whole": 1e999}', "line 1, column whole: must be 0, 1"),
        ("[" * 100_000, "line 1: is not JSON"),
    ],
)
def test_load_refuses_broken_lines(tmp_path, content, said):
    path = tmp_path / "rows.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        evaluate.load(path)


def test_load_refuses_what_is_not_there_or_not_utf8(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        evaluate.load(tmp_path / "none.jsonl")
    path = tmp_path / "latin.jsonl"
    path.write_bytes(b'{"title": "caf\xe9", "role": "sales"}')
    with pytest.raises(DataError, match="UTF-8"):
        evaluate.load(path)
