"""JobClassifier keeps the contract of a scikit-learn estimator, and of the design."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from cxjobs.errors import DataError
from cxjobs.features import Background
from cxjobs.model import JobClassifier, sigmoid, softmax
from cxjobs.taxonomy import PRACTICES, ROLES


@pytest.fixture(scope="module")
def targets(coded):
    return coded[["role", *PRACTICES]]


def test_clone_and_params_round_trip():
    model = JobClassifier(title_C=3.5, background=Background(5, {"a": 1}))
    copy = clone(model)
    assert copy is not model
    assert copy.get_params() == model.get_params()
    assert JobClassifier().set_params(title_weight=0.9).title_weight == 0.9
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(depth=3)


def test_fit_changes_no_parameter_and_no_input(coded, targets):
    model, before = JobClassifier(), coded.copy()
    params = model.get_params()
    assert model.fit(coded, targets) is model
    assert model.get_params() == params
    pd.testing.assert_frame_equal(coded, before)


def test_fit_twice_gives_the_same_bits(coded, targets, fitted):
    again = clone(fitted).fit(coded, targets)
    for basis in ("title", "posting"):
        np.testing.assert_array_equal(again.coef_[basis], fitted.coef_[basis])
    refit = clone(fitted).fit(coded[:60], targets[:60]).fit(coded, targets)
    np.testing.assert_array_equal(refit.predict_proba(coded), fitted.predict_proba(coded))


def test_probabilities_and_classes(coded, fitted):
    p = fitted.predict_proba(coded)
    assert p.shape == (len(coded), len(ROLES))
    assert tuple(fitted.classes_) == ROLES
    np.testing.assert_allclose(p.sum(axis=1), 1)
    q = fitted.practice_proba(coded)
    assert q.shape == (len(coded), 5)
    assert ((q >= 0) & (q <= 1)).all()


def test_it_learns(coded, fitted):
    assert (fitted.predict(coded) == coded["role"]).mean() > 0.95
    cx = (coded["role"] == "cx_management").to_numpy()
    whole = fitted.practice_proba(coded)[:, PRACTICES.index("whole")]
    assert whole[cx].min() > whole[~cx].max()


def test_roles_without_rows_are_all_but_impossible(fitted):
    p = fitted.predict_proba(["store manager"])[0]
    assert p[ROLES.index("retail_service")] < 1e-6


def test_one_row_equals_its_place_in_the_batch(coded, fitted):
    whole = fitted.predict_proba(coded)
    for i in (0, 5, 17):
        np.testing.assert_allclose(fitted.predict_proba(coded.iloc[[i]])[0], whole[i], atol=1e-12)


def test_row_order_does_not_matter(coded, fitted):
    order = np.random.default_rng(0).permutation(len(coded))
    mixed = fitted.predict_proba(coded.iloc[order])
    np.testing.assert_allclose(mixed, fitted.predict_proba(coded)[order], atol=1e-12)


def test_empty_frame_gives_empty_answers(fitted):
    empty = pd.DataFrame({"title": [], "description": []})
    assert fitted.predict_proba(empty).shape == (0, len(ROLES))
    assert fitted.predict(empty).shape == (0,)


def test_list_equals_frame_of_titles(fitted):
    titles = ["journey lead", "quota lead"]
    np.testing.assert_array_equal(
        fitted.predict_proba(titles), fitted.predict_proba(pd.DataFrame({"title": titles}))
    )


def test_unseen_words_and_empty_text_fall_back_to_the_intercept(fitted):
    p = fitted.predict_proba(["zzz qqq", "", "!!!"])
    np.testing.assert_allclose(p[0], p[1])
    np.testing.assert_allclose(p[0], p[2])


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, "", "  \n", "<p> </p>"])
def test_missing_description_takes_the_title_basis(fitted, missing):
    frame = pd.DataFrame({"title": ["journey lead"], "description": [missing]}, dtype=object)
    np.testing.assert_array_equal(
        fitted.predict_proba(frame), fitted.predict_proba(["journey lead"])
    )


def test_html_is_read_as_its_text(fitted):
    plain = pd.DataFrame({"title": ["lead"], "description": ["queue & calls"]})
    markup = pd.DataFrame({"title": ["lead"], "description": ["<p>queue &amp; calls</p>"]})
    np.testing.assert_allclose(fitted.predict_proba(plain), fitted.predict_proba(markup))


def test_temperature_softens_but_never_reorders(coded, targets, fitted):
    soft = clone(fitted).set_params(posting_temperature=3.0).fit(coded, targets)
    told = coded[coded["basis"] == "posting"]
    assert soft.predict_proba(told).max() < fitted.predict_proba(told).max()
    np.testing.assert_array_equal(soft.predict(told), fitted.predict(told))


def test_sample_weight_counts_as_repetition(coded):
    rows = coded.iloc[:40]
    weight = np.where(np.arange(40) < 10, 2.0, 1.0)
    repeated = pd.concat([rows, rows.iloc[:10]])
    one = JobClassifier(description_min_df=1).fit(rows, rows["role"], sample_weight=weight)
    # Repetition moves document frequencies, so only titles of one and the same vocabulary compare.
    two = JobClassifier(description_min_df=1).fit(repeated, repeated["role"])
    gap = np.abs(one.predict_proba(rows) - two.predict_proba(rows)).max()
    even = JobClassifier(description_min_df=1).fit(rows, rows["role"])
    assert gap < np.abs(even.predict_proba(rows) - two.predict_proba(rows)).max()


def test_uncoded_elements_are_left_out(coded, targets):
    half = targets.copy()
    half.loc[half.index[::2], "whole"] = np.nan
    model = JobClassifier(description_min_df=1).fit(coded, half)
    assert np.isfinite(model.practice_proba(coded)).all()


def test_pipeline_and_grid_search(coded):
    search = GridSearchCV(JobClassifier(), {"title_C": [1.0, 10.0]}, cv=2)
    search.fit(coded, coded["role"])
    assert search.best_score_ > 0.5
    assert make_pipeline(JobClassifier()).fit(coded, coded["role"]).predict(coded).shape == (120,)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (pd.DataFrame({"name": ["a b"]}), ["other"], "no column 'title'.*name"),
        (["a b"], ["boss"], "Unknown roles: boss"),
        (["a b"], ["other", "other"], "1 rows but y has 2"),
        ([], [], "no row"),
        (["!", "?"], ["other", "sales"], "No title holds a word"),
        ("a title", ["other"], "one string"),
        ({"title": ["a b"]}, ["other"], "pandas.DataFrame"),
        (pd.DataFrame({"title": [3]}), ["other"], "Row 0, column title: 3 is not text"),
        (["a b"], pd.DataFrame({"label": ["conflated"]}), "no column 'role'"),
    ],
)
def test_wrong_input_is_named(X, y, message):
    with pytest.raises(DataError, match=message):
        JobClassifier().fit(X, y)


def test_unfitted_model_says_so():
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        JobClassifier().predict(["a title"])


def test_titles_alone_make_a_model_without_posting_basis(coded):
    model = JobClassifier().fit(coded["title"].tolist(), coded["role"])
    frame = coded[["title", "description"]]
    np.testing.assert_array_equal(
        model.predict_proba(frame), model.predict_proba(frame["title"].tolist())
    )
    with pytest.raises(DataError, match="no posting basis"):
        model.scores(frame, basis="posting")


def test_softmax_and_sigmoid_are_safe_at_the_ends():
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_allclose(softmax(np.array([[800.0, -800.0]])), [[1, 0]], atol=1e-300)
        np.testing.assert_allclose(sigmoid(np.array([-800.0, 0, 800.0])), [0, 0.5, 1])


def test_balance_evens_out_common_and_rare_roles():
    X = pd.DataFrame({"title": ["lead"] * 20, "description": ["calls"] * 20})
    y = ["other"] * 18 + ["sales"] * 2
    shares = {}
    for balance in (0.0, 0.5, 1.0):
        model = JobClassifier(balance=balance).fit(X, y)
        shares[balance] = model.predict_proba(X[:1])[0, ROLES.index("sales")]
    assert shares[0.0] < shares[0.5] < shares[1.0] == pytest.approx(0.5, abs=1e-3)


def test_a_short_title_is_answered_with_less_certainty_below_a_slope_of_one():
    titles = ["sales", "call", "sales manager of key accounts", "call agent of night shifts"]
    roles = ["sales", "call_center"] * 2
    short = {
        slope: JobClassifier(title_slope=slope).fit(titles, roles).predict_proba(["sales"]).max()
        for slope in (0.3, 1.0)
    }
    assert 1 / 2 < short[0.3] < short[1.0]


def test_levels_of_practice_elements_move_their_probabilities_and_no_role(coded, targets):
    levels = [[2.0, 0.5]] * 4 + [[1.0, -3.0]]
    plain = JobClassifier(posting_temperature=2.0).fit(coded, targets)
    moved = clone(plain).set_params(posting_practice=levels).fit(coded, targets)
    np.testing.assert_allclose(moved.predict_proba(coded), plain.predict_proba(coded), atol=1e-6)
    score = 2.0 * plain.scores(coded, "posting")[:, len(ROLES) :]
    expected = sigmoid(score * np.array(levels)[:, 0] + np.array(levels)[:, 1])
    told = sigmoid(moved.scores(coded, "posting")[:, len(ROLES) :])
    np.testing.assert_allclose(told, expected, atol=1e-5)
