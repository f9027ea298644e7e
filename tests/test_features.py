"""Terms and blocks, against scikit-learn's own counting where it has one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from cxjobs import features
from cxjobs.features import Background, Block


@given(st.text())
def test_tokens_are_those_of_scikit_learn_without_function_words_and_plurals(text):
    stock = TfidfVectorizer(token_pattern=r"(?u)[^\W_]{2,}").build_analyzer()(text)
    kept = [features.fold(t) for t in stock if t not in features.FUNCTION_WORDS]
    assert features.tokens(text) == kept


@given(st.text(st.characters(codec="ascii"), max_size=12))
def test_folding_only_shortens_or_turns_ies_into_y(token):
    folded = features.fold(token)
    assert folded in (token, token[:-1], token[:-3] + "y")


def test_folding_leaves_words_that_are_no_plurals():
    for word in ("business", "bus", "analysis", "status", "is", "us", "cafés", "ss"):
        assert features.fold(word) == word


def test_function_words_do_not_part_neighbours():
    assert features.terms("head of the customers' experience")[-2:] == [
        "head customer",
        "customer experience",
    ]


def test_block_without_background_is_stock_tfidf():
    texts = ["journey maps", "journey calls", "calls calls queue"]
    ours = features.fit_block(Block("title", 1), texts)
    stock = TfidfVectorizer(analyzer=features.terms, sublinear_tf=True).fit(texts)
    assert np.abs(ours.transform(texts) - stock.transform(texts)).max() < 1e-15


def test_background_counts_as_further_postings():
    texts = ["journey maps", "journey benefits"]
    plain = features.fit_block(Block("description", 1), texts)
    wide = features.fit_block(Block("description", 1), texts, Background(98, {"benefit": 90}))
    idf = dict(zip(wide.get_feature_names_out(), wide.idf_, strict=True))
    assert idf["benefit"] == pytest.approx(np.log(101 / 92) + 1)
    assert idf["map"] == pytest.approx(np.log(101 / 2) + 1)
    assert plain.idf_.max() < wide.idf_.max()


def test_where_no_term_is_common_enough_all_are_kept():
    assert len(features.fit_block(Block("description", 5), ["a journey", "calls"]).vocabulary_) == 2
    with pytest.raises(ValueError, match="vocabulary"):
        features.fit_block(Block("description", 1), ["", "!"])
