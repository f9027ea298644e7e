"""Cleaning: cases as data, and properties that hold for any text."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cxjobs import text

CASES = json.loads((Path(__file__).parent / "cases" / "text.json").read_text(encoding="utf-8"))

pieces = st.lists(
    st.sampled_from(
        ["<p>", "</p>", "<b>", "<br/>", "<", ">", "&amp;", "&nbsp;", "&", "amp;", "&lt;", "&gt;",
         "&#8217;", "&#x110000;", "<!--", "-->", "<script>", "</script>", "CX", " ", "\n", "\x00",
         "\u200b", "Ã©", "â€™", "é", "\ud800", "\U0001d400", "ﬁ", "Ａ", "İ", "customer"]
    ) | st.text(max_size=4)
).map("".join)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[c["label"] for c in CASES])
def test_case(case):
    assert text.clean(case["input"]) == case["expected"], case["comment"]


@given(pieces)
@example("&amp;amp;amp;lt;p&gt;")
def test_text_without_a_dirty_sign_is_left_alone(raw):
    if not re.search(text.DIRTY + "|[\ud800-\udfff]", raw):
        assert text.clean(raw) == raw


@given(pieces)
def test_cleaned_text_holds_no_control_or_surrogate(raw):
    assert not re.search("[\x00-\x08\x0e-\x1f\ud800-\udfff\u200b]", text.clean(raw))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_markup_cleans_like_the_markup_itself(word):
    if "&" not in word and "<" not in word and ">" not in word:
        markup = f"<p>{word}</p><ul><li>duty</li></ul>"
        escaped = markup.replace("<", "&lt;").replace(">", "&gt;")
        assert text.clean(escaped) == text.clean(markup)


@given(pieces)
def test_explanation_ends_in_the_cleaned_text(raw):
    changes = text.explain_cleaning(raw)
    assert (changes[-1][1] if changes else raw) == text.clean(raw)


@given(st.text())
def test_tidy_is_idempotent_and_keeps_the_words(raw):
    once = text.tidy(raw)
    assert text.tidy(once) == once
    assert once.split() == raw.split()


@pytest.mark.parametrize("unit", ["<script", "<!--", "<a", "&amp;", "&", "<p>", "\n \n", "Ã©"])
def test_hostile_repetition_ends(unit):
    # At this length a quadratic step would run for hours.
    assert text.tidy(text.clean(unit * 1_000_000)) is not None


def test_fingerprint_tells_title_from_description():
    assert text.fingerprint("a", "b") != text.fingerprint("ab", "")
    assert re.fullmatch("[0-9a-f]{16}", text.fingerprint("\ud800", ""))
