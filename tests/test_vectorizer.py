"""Pivoted norms, against scikit-learn's rows of length one and the formula worked by hand."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer

from cxjobs.vectorizer import PivotedVectorizer

TEXTS = ["lead", "lead journey", "journey map map team", ""]


def fitted(slope: float) -> PivotedVectorizer:
    return PivotedVectorizer(slope=slope, analyzer=str.split, min_df=1).fit(TEXTS)


def plain() -> TfidfVectorizer:
    return TfidfVectorizer(analyzer=str.split, sublinear_tf=True, norm=None).fit(TEXTS)


def test_slope_of_one_gives_rows_of_length_one():
    stock = TfidfVectorizer(analyzer=str.split, sublinear_tf=True).fit(TEXTS)
    np.testing.assert_allclose(
        fitted(1.0).transform(TEXTS).toarray(), stock.transform(TEXTS).toarray(), rtol=1e-15
    )


def test_the_norm_lies_between_the_mean_and_the_own_length():
    lengths = sp.linalg.norm(plain().transform(TEXTS), axis=1)
    norms = 0.7 * lengths[:3].mean() + 0.3 * lengths[:3]
    expected = lengths[:3] / norms
    found = sp.linalg.norm(fitted(0.3).transform(TEXTS), axis=1)
    np.testing.assert_allclose(found, [*expected, 0.0])


@given(st.lists(st.sampled_from(["lead", "journey", "map", "team", "new"]), max_size=8))
def test_direction_is_that_of_plain_tfidf(words):
    text = " ".join(words)
    ours = fitted(0.3).transform([text]).toarray()[0]
    stock = plain().transform([text]).toarray()[0]
    assert np.isfinite(ours).all()
    assert ours @ stock == pytest.approx(np.linalg.norm(ours) * np.linalg.norm(stock))


def test_a_longer_text_is_longer_but_less_than_in_proportion():
    one, three = sp.linalg.norm(fitted(0.3).transform(["lead", "lead journey team map"]), axis=1)
    assert one < three < 3 * one


def test_settling_follows_a_changed_idf():
    ours = fitted(0.3)
    before = ours.norm_
    ours.idf_ = 2 * ours.idf_
    assert ours.settle(TEXTS).norm_ == pytest.approx((2 * before[0], 0.3))


def test_cloned_by_its_parameters():
    assert clone(fitted(0.3)).get_params()["slope"] == 0.3
