"""Picks are doubtful, different, and errors first; the draws are random."""

import numpy as np
import pandas as pd
import pytest
from conftest import labelled
from hypothesis import given, settings
from hypothesis import strategies as st

from cxjobs import review
from cxjobs.errors import DataError
from cxjobs.taxonomy import PRACTICES, ROLES


def answers(rows):
    """Answers from (title, label, cx probability, role, probability, runner-up, probability)."""
    names = (
        "title", "label", "cx_probability",
        "role", "role_probability", "runner_up", "runner_up_probability",
    )  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(names))
    return frame.assign(description="", status="ok", flags="", id=frame.index.astype(str))


SURE = ("Agent", "conflated", 0.01, "call_center", 0.97, "sales", 0.01)
TORN = ("Head of journeys", "review", 0.5, "cx_management", 0.5, "other", 0.4)
ROLE = ("Brand lead", "conflated", 0.02, "marketing", 0.4, "digital_marketing", 0.38)


def test_doubt_grows_with_each_sign():
    sure, role, torn = review.doubt(answers([SURE, ROLE, TORN]))
    assert 0 <= sure < role < torn <= 1
    review_of_foreign = answers([TORN]).assign(flags="few_known_words")
    assert review.doubt(review_of_foreign)[0] == pytest.approx(torn - 1 / 3)


def test_the_doubtful_and_different_come_first():
    same = [TORN] * 5
    picked = review.pick(answers([SURE, *same, ROLE]), 2)
    assert picked["title"].tolist() == ["Head of journeys", "Brand lead"]
    assert picked["why"].iloc[0] == "review: cx_management 50%, other 40%"
    assert len(review.pick(answers([SURE, TORN]), 9)) == 2


@pytest.mark.parametrize(
    "change", [{"status": "rejected"}, {"flags": "no_title"}, {"flags": "a,duplicate_of:3"}]
)
def test_useless_ones_are_left_out(change):
    frame = answers([TORN, SURE])
    for name, value in change.items():
        frame.loc[0, name] = value
    assert review.pick(frame, 5)["title"].tolist() == ["Agent"]


def test_suspected_errors_come_before_doubt():
    frame = answers([TORN, SURE, *[SURE] * 9, ROLE]).assign(coded="")
    frame.loc[1, "coded"] = "sales"
    frame.loc[2:8, "coded"] = "call_center"
    frame.loc[9:10, "coded"] = "sales"
    frame.loc[9:10, ["role", "runner_up", "title"]] = ["sales", "call_center", "Hunter"]
    picked = review.pick(frame, 3)
    assert picked.index[0] == 1
    assert picked["why"].iloc[0] == "coded sales, but: call_center 97%, sales 1%"
    assert picked["title"].tolist()[1:] == ["Head of journeys", "Brand lead"]
    with pytest.raises(DataError, match="'boss' is no role"):
        review.pick(frame.assign(coded="boss"), 3)
    with pytest.raises(DataError, match="'boss' in column 'role' is no role"):
        review.pick(frame.assign(role="boss"), 3)


def test_a_draw_is_random_and_of_what_a_survey_counts():
    frame = answers([SURE] * 300).assign(title=[f"Post {i}" for i in range(300)])
    frame.loc[:99, "status"] = "rejected"
    frame.loc[100:199, "flags"] = "no_title"
    frame.loc[200:249, "flags"] = "duplicate_of:250"
    drawn = [review.draw(frame, 20, seed=seed).index.tolist() for seed in range(60)]
    assert review.draw(frame, 20, seed=3).index.tolist() == drawn[3]
    counts = np.bincount(np.concatenate(drawn), minlength=300)
    assert counts[:200].sum() == 0
    # Each of the hundred is drawn 12 times in the mean, with a variance of 60 * 0.2 * 0.8.
    assert counts[200:].min() > 0
    assert abs(counts[200:250].sum() - 600) < 4 * np.sqrt(1200 / 4)
    assert counts[200:].var() == pytest.approx(9.6, rel=0.6)
    assert len(review.draw(frame, 500)) == 100


def noisy(n=600, wrong=0.1, classes=4, seed=0):
    """True and given roles, and calibrated-looking probabilities of the true ones."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, classes, n)
    given = truth.copy()
    flipped = draw.random(n) < wrong
    given[flipped] = (truth[flipped] + draw.integers(1, classes, flipped.sum())) % classes
    p = draw.dirichlet(np.ones(len(ROLES)) * 0.3, n) * 0.4
    p[np.arange(n), truth] += 0.6
    return given, flipped, p / p.sum(axis=1, keepdims=True)


def test_suspects_find_planted_errors():
    given, flipped, p = noisy()
    found = review.suspects(np.array(ROLES)[given], p)
    assert flipped[found].mean() > 0.9
    assert flipped[found].sum() / flipped.sum() > 0.7
    behind = (p.max(axis=1) - p[np.arange(len(p)), given])[found]
    assert (np.diff(behind) <= 1e-12).all()
    none = noisy(wrong=0)[0]
    assert len(review.suspects(np.array(ROLES)[none], noisy(wrong=0)[2])) < 10


@pytest.mark.parametrize("seed", range(5))
def test_suspects_are_those_of_cleanlab(seed):
    cleanlab = pytest.importorskip("cleanlab.filter")
    given, _, p = noisy(seed=seed)
    p = p[:, :4] / p[:, :4].sum(axis=1, keepdims=True)  # cleanlab wants every class given once
    theirs = cleanlab.find_label_issues(given, p, filter_by="confident_learning", n_jobs=1)
    ours = review.suspects(np.array(ROLES)[given], np.pad(p, ((0, 0), (0, len(ROLES) - 4))))
    assert set(ours) == set(np.flatnonzero(theirs))


def test_no_rows_no_suspects():
    assert review.suspects(np.empty(0, str), np.empty((0, 13))).tolist() == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text("ab cdef", max_size=12), max_size=8), st.integers(0, 10), st.data())
def test_spread_picks_each_once(texts, n, data):
    weight = np.array(
        data.draw(st.lists(st.integers(0, 99), min_size=len(texts), max_size=len(texts)))
    )
    weight = weight / 99
    picked = review.spread(texts, weight, n).tolist()
    assert len(picked) == len(set(picked)) == min(n, len(texts))
    if picked:
        assert weight[picked[0]] == weight.max()


def test_spread_covers_every_kind_before_repeating_one():
    texts = ["calls chats queue"] * 20 + ["journey blueprint"] * 3 + ["quota deals"] * 2
    kinds = {texts[i] for i in review.spread(texts, np.full(25, 0.5), 3)}
    assert len(kinds) == 3


def test_out_of_fold_answers_find_a_swapped_label():
    table = labelled(60)
    table.loc[8, ["role", "label"]] = ["sales", "conflated"]
    for element in PRACTICES:
        table[element] = pd.to_numeric(table[element])
    assert "usability" in table["role"].to_numpy()
    told = []
    frame = review.answer_out_of_fold(table, n_splits=3, tell=told.append)
    assert len(frame) == len(table)
    assert told
    assert (frame["role_probability"] >= frame["runner_up_probability"]).all()
    assert frame["cx_probability"].between(0, 1).all()
    picked = review.pick(frame, 4).set_index("id")
    assert picked["why"][table["id"][8]].startswith("coded sales, but: usability")


def test_shown_is_clean_and_cut_after_a_word():
    assert review.shown("<p>Own &amp; lead</p>") == "Own & lead"
    assert review.shown("one two three", 9) == "one two …"
