"""An explanation adds up, quotes what stands there, and can't be abused."""

import json
import os
import pty
import re
import subprocess
import sys
from html.parser import HTMLParser
from math import log

import pyarrow as pa
import pytest
from click.testing import CliRunner
from conftest import WORDS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cxjobs import explain, features, highlight, store, text
from cxjobs.answer import load_model
from cxjobs.cli.predict import command
from cxjobs.errors import DataError
from cxjobs.scorer import Scorer
from cxjobs.taxonomy import PRACTICES, ROLES

TITLE = "Journey & Listening lead"
TOLD = (
    "Own the <b>journey</b>s and the loyalty programme, blueprint touchpoints of the culture; "
    "answer calls. Calls again: QUOTA of the pipeline."
)

words = st.sampled_from([w for line in WORDS.values() for w in line.split()])
postings = st.lists(
    st.one_of(words, words.map(str.title), st.sampled_from(["of the", "İ", "\n\n", "&amp;", "<b>"]))
    | st.text(max_size=5),
    max_size=40,
).map(" ".join)


@pytest.fixture
def scorer(folder):
    return Scorer(store.read(folder))


@pytest.fixture
def why(scorer):
    return explain.explain(scorer, TITLE, TOLD)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(title=postings, told=postings)
def test_terms_and_intercept_add_up_to_the_score(scorer, fitted, title, told):
    why = explain.explain(scorer, title, told)
    total = why.intercept + sum(t.weight for t in why.terms)
    assert total == pytest.approx(why.score, abs=1e-9)
    scored = scorer.score_one(title, told)
    first, second = ROLES.index(why.role), ROLES.index(why.against)
    assert log(scored.roles[first] / scored.roles[second]) == pytest.approx(total, abs=1e-9)
    import pandas as pd

    reference = fitted.scores(pd.DataFrame({"title": [title], "description": [told]}))[0]
    assert reference[first] - reference[second] == pytest.approx(total, abs=1e-9)
    assert {first, second} == set(sorted(range(13), key=lambda k: -scored.roles[k])[:2])


@given(st.text() | postings)
def test_places_are_those_of_the_features(raw):
    cleaned = text.clean(raw)
    places = explain.spans_of(cleaned)
    assert [t for t, _, _ in explain.tokens_of(cleaned)] == features.tokens(cleaned)
    assert {t: len(p) for t, p in places.items()} == {
        t: features.terms(cleaned).count(t) for t in set(features.terms(cleaned))
    }
    for term, found in places.items():
        for start, end in found:
            assert term in features.terms(cleaned[start:end])
            assert features.tokens(cleaned[start:end]) == term.split(" ")


@pytest.mark.parametrize(
    ("raw", "term", "quote"),
    [
        ("Voice of the Customers", "voice customer", "Voice of the Customers"),
        ("İİ Customer Journeys", "customer journey", "Customer Journeys"),
        ("aİ journey", "ai", "aİ"),
        ("calls;\n\n(chats)", "call chat", "calls;\n\n(chats"),
        ("Σίσυφος ΣΊΣΥΦΟΣ", "σίσυφος", "Σίσυφος"),
    ],
)
def test_quotes_keep_spelling_and_what_was_dropped(raw, term, quote):
    start, end = explain.spans_of(raw)[term][0]
    assert raw[start:end] == quote


def test_terms_are_sorted_and_quoted_from_the_cleaned_text(why):
    assert [abs(t.weight) for t in why.terms] == sorted(abs(t.weight) for t in why.terms)[::-1]
    cleaned = {"title": text.clean(TITLE), "description": text.clean(TOLD)}
    for t in why.terms:
        assert all(features.tokens(cleaned[t.block][a:b]) == t.term.split() for a, b in t.spans)
        assert cleaned[t.block][slice(*t.spans[0])] == t.quote
    calls = next(t for t in why.terms if t.term == "call")
    assert [why.description[a:b] for a, b in calls.spans] == ["calls", "Calls"]


def test_practice_elements_come_with_words_that_speak_for_them(why, scorer):
    assert [p.element for p in why.practice] == list(PRACTICES)
    by_term = {(c.block, c.term): c for c in scorer.contributions(TITLE, TOLD)}
    for k, p in enumerate(why.practice):
        assert p.present == (p.probability >= 0.5)
        assert p.probability == scorer.score_one(TITLE, TOLD).practice[k]
        weights = [t.weight for t in p.terms]
        assert weights == sorted(weights)[::-1]
        best = sorted((c.scores[13 + k] for c in by_term.values()), reverse=True)
        assert weights == [w for w in best[: explain.QUOTED] if w > 0]


def test_json_holds_everything(why):
    plain = json.loads(json.dumps(why.to_dict()))
    total = plain["intercept"] + sum(t["weight"] for t in plain["terms"])
    assert total == pytest.approx(plain["score"], abs=1e-9)
    for t in plain["terms"]:
        start, end = t["spans"][0]
        assert plain[t["block"]][start:end] == t["quote"]


def test_printed_lines_tell_sign_strength_and_place(why):
    lines = str(why).splitlines()
    assert lines[0].startswith("why CX management and not ")
    shown = [
        re.match(r"  (\++|-+) +([+-][0-9.]+)  (title: )?.*\[.+\]", line) for line in lines[1:13]
    ]
    assert all(shown)
    assert all(m[1][0] == m[2][0] for m in shown)
    lengths = [len(m[1]) for m in shown]
    assert lengths == sorted(lengths)[::-1]
    assert lengths[0] == 5
    assert "\x1b" not in str(why)
    assert max(map(len, lines)) < 130


def test_text_cannot_steer_the_terminal(scorer):
    told = "journey \x1b[31m \x9b2J \u202e blueprint \x07\r loyalty"
    printed = str(explain.explain(scorer, "x\x9b\u202e journey", told))
    assert all(c.isprintable() or c == "\n" for c in printed)


def test_an_unknown_text_is_the_intercept_alone(scorer):
    why = explain.explain(scorer, "zzzz yyyy")
    assert (why.terms, why.score) == ((), why.intercept)
    assert "no word of the text is known" in str(why)
    assert "No word of the text is known" in why._repr_html_()


class Page(HTMLParser):
    """Tags and visible text of a fragment; fails where tags don't close in order."""

    def __init__(self):
        super().__init__()
        self.tags, self.open, self.seen = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.open.append(tag)
        assert {name for name, _ in attrs} <= {"style", "title", "class"}

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.seen.append(data)


HOSTILE = [
    "journey < script>alert(1)</ script>",
    "journey <img src=x onerror=alert(1) journey",
    "journey' onmouseover='alert(1) loyalty",
    'journey" style="x" loyalty & &lt;b&gt;',
    "journey</div></bdi></mark> loyalty",
    "&amp;lt;script&amp;gt;journey",
]


@pytest.mark.parametrize("attack", HOSTILE)
def test_html_escapes_the_text(scorer, attack):
    page = Page()
    page.feed(explain.explain(scorer, attack, attack + " of loyalty")._repr_html_())
    assert not page.open
    assert page.tags <= {
        "div", "p", "b", "bdi", "mark", "sup", "ul", "li",
        "table", "thead", "tbody", "tr", "th", "td",
    }  # fmt: skip


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(title=postings, told=st.text() | postings)
def test_marked_text_is_the_text_with_signs(scorer, title, told):
    why = explain.explain(scorer, title, told)
    for block in ("title", "description"):
        page = Page()
        page.feed(re.sub("<sup.*?</sup>", "", highlight.marked(why, block)))
        page.close()
        assert "".join(page.seen) == getattr(why, block)
        assert page.tags <= {"mark"}


def test_marks_carry_signs_by_strength(why):
    marks = re.findall(
        r"<mark[^>]* title='([+-][0-9.]+)'>[^<]*<sup[^>]*>(\++|−+)</sup>", why._repr_html_()
    )
    assert marks
    assert all((w[0] == "+") == (s[0] == "+") for w, s in marks)
    by_strength = sorted((abs(float(w)), len(s)) for w, s in marks)
    assert [n for _, n in by_strength] == sorted(n for _, n in by_strength)
    assert by_strength[-1][1] == 3


def test_every_place_of_a_term_is_as_strong(scorer):
    why = explain.explain(scorer, "lead of lead", "journey " * 30)
    for block in ("title", "description"):
        terms = [t for t in why.terms if t.block == block]
        weights = highlight.word_weights(why, block)
        single = {t.spans: t.weight for t in terms if " " not in t.term}
        assert [len(spans) for spans in single] == [2 if block == "title" else 30]
        for spans, weight in single.items():
            assert {round(weights[span], 9) for span in spans} == {round(weights[spans[0]], 9)}
            if block == "description":  # which knows no pairs
                assert weights[spans[0]] == pytest.approx(weight)


def test_evidence_names_the_weightiest_terms(scorer, why):
    cell = explain.evidence(scorer, TITLE, TOLD, ROLES.index(why.role), ROLES.index(why.against))
    parts = cell.split("; ")
    assert len(parts) == explain.SHOWN
    for part, term in zip(parts, why.terms, strict=False):
        assert part.endswith(f" {term.weight:+.2f}")
        assert part.startswith("title: ") == (term.block == "title")
    back = explain.evidence(scorer, TITLE, TOLD, ROLES.index(why.against), ROLES.index(why.role))
    assert back.translate(str.maketrans("+-", "-+")) == cell


@given(postings)
def test_the_first_place_of_a_term_is_the_first_of_all_its_places(raw):
    cleaned = text.clean(raw)
    places = explain.spans_of(cleaned)
    first = {term: spans[0] for term, spans in places.items()}
    assert explain.first_places(cleaned, places) == first
    some = set(list(places)[::3])
    assert explain.first_places(cleaned, some) == {term: first[term] for term in some}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(title=postings, told=postings)
def test_evidence_is_no_formula_and_parts_again(scorer, title, told):
    cell = explain.evidence(scorer, title, told, 0, 1)
    assert not cell or cell[0].isalnum()
    assert all(
        re.fullmatch(r"[^;]+ [+-][0-9]+\.[0-9]{2}", part) for part in filter(None, cell.split("; "))
    )


def test_a_batch_carries_evidence_before_flags(folder):
    model = load_model(folder)
    title, told = pa.array([TITLE, "", "zzzz"]), pa.array([TOLD, "", ""])
    table = model.answer_batch(title, told, evidence=True)
    names = table.column_names
    assert names[names.index("evidence") + 1] == "flags"
    first = table["evidence"].to_pylist()
    assert first[0].startswith(("title: ", *WORDS["cx_management"].split()))
    assert first[1:] == ["", ""]


def test_model_explains_what_it_predicts(folder):
    model = load_model(folder)
    why, answer = model.explain(TITLE, TOLD), model.predict(TITLE, TOLD)
    assert (why.role, why.against, why.basis) == (answer.role, answer.runner_up, answer.basis)
    assert model.explain(TITLE).basis == "title"
    with pytest.raises(DataError, match="title is empty"):
        model.explain(" ")
    with pytest.raises(DataError, match="must be text"):
        model.explain(3)


def test_command_prints_and_gives_json(folder):
    asked = [TITLE, "--description", TOLD, "--explain", "--model", str(folder)]
    run = CliRunner().invoke(command, asked)
    assert run.exit_code == 0
    assert str(load_model(folder).explain(TITLE, TOLD)) in run.output
    record = json.loads(CliRunner().invoke(command, [*asked, "--json"]).output)
    assert record["explanation"] == json.loads(
        json.dumps(load_model(folder).explain(TITLE, TOLD).to_dict())
    )


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colour_only_on_a_terminal_that_wants_it(folder, no_color, coloured):
    asked = [sys.executable, "-m", "cxjobs", "predict", TITLE, "--explain", "--model", str(folder)]
    environment = {k: v for k, v in os.environ.items() if k != "NO_COLOR"}
    environment |= {"NO_COLOR": no_color} if no_color else {}
    ours, theirs = pty.openpty()
    subprocess.run(asked, stdout=theirs, env=environment, check=True)
    os.close(theirs)
    assert ("\x1b[" in os.read(ours, 100_000).decode()) == coloured
    os.close(ours)
    piped = subprocess.run(asked, capture_output=True, env=environment, check=True)
    assert b"\x1b" not in piped.stdout
