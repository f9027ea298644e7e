"""The compiled scorer gives the reference's numbers for any text, one by one and by the column."""

from __future__ import annotations

import re
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cxjobs import batch_scorer, lexicon, store, text
from cxjobs.errors import DataError, ModelError
from cxjobs.features import FUNCTION_WORDS, tokens
from cxjobs.model import JobClassifier
from cxjobs.scorer import Scorer

WORDS = (
    "customer query business analysis tie cx journey naïve café straße οδός σοφός الخبرة 客户 "
    "顧客体験 k9 ab12 abcdefgh abcdefghi abcdefghij abcdefghijklmnop abcdefghijklmnopq "
    "internationalization internationalisation öffentlichkeitsarbeiterin обслуживание "
    "i̇stanbul ǆ ⅷⅷ x² ours the"
).split(" ")
ROLE_OF = ("cx_management", "call_center", "sales")

NASTY = [
    "İstanbul", "ΟΔΟΣ", "ΣΟΦΟΣ", "Σ", "K9", "Å", "é", "É", "e\u0301", "²", "½", "①", "ﬁ", "ẞ", "Ǆ",
    "\u200b", "\u00a0", "—", "’", "😀", "\x00", "\x1c", "\u2028", "\u0085", "_", "__", "a_b", "x",
    "日本語", "Ⅷ", "𝐂𝐗", "ＣＸ", "<p>", "</p>", "<", "&amp;", "&nbsp", "R&D;", "&", "&#8217;", ";",
    "Ã©", "â€™", "the", "The", "OF", " ", "\n", "\t", "  ", "..", "a" * 300,
    "&" + "a" * 90 + ";",
]  # fmt: skip

known = st.builds(
    lambda word, ending, change: change(word + ending),
    st.sampled_from(WORDS),
    st.sampled_from(["", "", "s", "es", "ies", "y", "'s", "z"]),
    st.sampled_from([str, str.upper, str.title]),
)
pieces = (
    known | st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
)
joined = st.tuples(st.lists(pieces, max_size=12), st.sampled_from([" ", "", " ", "-"])).map(
    lambda drawn: drawn[1].join(drawn[0])
)
postings = st.lists(st.tuples(joined, joined | st.just("")), min_size=1, max_size=8)


def make(folder, *, descriptions: bool = True) -> SimpleNamespace:
    """A scorer and its reference, trained on texts that hold all of `WORDS`."""
    draw = np.random.default_rng(0)
    rows = [" ".join(draw.permutation(WORDS)[:14]) for _ in range(30)]
    X = pd.DataFrame({"title": rows, "description": rows[::-1] if descriptions else ""})
    y = pd.DataFrame({"role": [ROLE_OF[i % 3] for i in range(30)]})
    y["whole"] = np.arange(30) % 2
    model = JobClassifier(description_min_df=1).fit(X, y)
    parameters = {k: v for k, v in model.get_params().items() if k != "background"}
    manifest = {"text_version": text.VERSION, "parameters": parameters}
    store.write(folder, store.model_arrays(model), manifest)
    opened = store.read(folder)
    return SimpleNamespace(
        folder=opened,
        scorer=Scorer(opened),
        reference=store.to_classifier(opened),
        vocabulary=set(
            " ".join(t for v in model.vectorizers_.values() for t in v.vocabulary_).split()
        ),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make(tmp_path_factory.mktemp("model"))


def expected(made, rows) -> dict[str, np.ndarray]:
    """What the reference and the definitions say of some postings."""
    X = pd.DataFrame(rows, columns=["title", "description"], dtype=object)
    cleaned = [(text.clean(t), text.clean(d)) for t, d in rows]
    found = [
        re.findall(text.TOKEN, t.lower()) + re.findall(text.TOKEN, d.lower()) for t, d in cleaned
    ]
    content = [[t for t in f if t not in FUNCTION_WORDS] for f in found]
    return {
        "roles": made.reference.predict_proba(X),
        "practice": made.reference.practice_proba(X),
        "title_cx": made.reference.predict_proba([t for t, _ in rows])[:, 0],
        "has_title": [bool(t.strip()) for t, _ in cleaned],
        "posting_basis": made.reference.has_posting_basis([d for _, d in cleaned]),
        "n_tokens": [len(f) for f in found],
        "n_function": [len(f) - len(c) for f, c in zip(found, content, strict=True)],
        "n_known": [sum(tokens(t)[0] in made.vocabulary for t in c) for c in content],
        "description_length": [len(d) for _, d in cleaned],
        "text_hash": [text.fingerprint(*c) for c in cleaned],
    }  # fmt: skip


def assert_same(scores, wanted) -> None:
    for name, value in wanted.items():
        got = scores[name] if isinstance(scores, dict) else getattr(scores, name)
        if name in ("roles", "practice", "title_cx"):
            np.testing.assert_allclose(np.asarray(got), value, rtol=0, atol=1e-9, err_msg=name)
        else:
            assert list(got.to_pylist() if hasattr(got, "to_pylist") else got) == list(value), name


def one_by_one(scorer, rows) -> dict[str, list]:
    scores = [scorer.score_one(*row) for row in rows]
    return {name: [getattr(s, name) for s in scores] for name in scores[0]._fields}


def columns(rows, kind=None):
    kind = kind or pa.string()
    return [pa.array([row[k] for row in rows], kind) for k in (0, 1)]


@settings(max_examples=150, deadline=None)
@given(postings)
@example(
    [("", ""), ("the of and", "The OF a_b"), ("x", "\xa0\x1c "), ("\x00", "<p>"), ("", "customers")]
)
@example([("CustomerS", "ΟΔΟΣ"), ("Σ", "aΣ"), ("ΣΑ", "ΣΑΣ Σ"), ("K9s", "İSTANBUL"), ("ς", "ΟΔΟΣ.")])
@example([("abcdefgh", "ijkl"), ("客", "户"), ("客户", "é"), ("queries", "query"), ("tie", "ties")])
def test_any_text_scores_like_the_reference(made, rows):
    wanted = expected(made, rows)
    assert_same(made.scorer.score_batch(*columns(rows)), wanted)
    assert_same(one_by_one(made.scorer, rows), wanted)


@given(
    st.text(st.characters(), max_size=8),
    st.text(st.characters(categories=["Cs", "Ll"]), max_size=8),
)
@settings(deadline=None)
@example("\ud800customer\udfff", "\ud83d\ude00 customers")
def test_lone_surrogates_part_words(made, title, description):
    rows = [(title, description)]
    assert_same(one_by_one(made.scorer, rows), expected(made, rows))


@pytest.mark.parametrize(
    "description",
    [
        "Customers' journeys & queries of the business. " * 220_000,
        "a" * 70_000 + " customer " + "é" * 100_000,
        "the of and to " * 10_000,
        "<p>客户 顧客体験</p>" * 5_000,
        "x y z " * 10_000,
    ],
    ids=["10 MB", "long tokens", "function words", "markup", "single letters"],
)
def test_large_texts(made, description):
    rows = [("Customer", ""), ("cx journey", description), ("Σ", "customers")]
    wanted = expected(made, rows)
    assert_same(made.scorer.score_batch(*columns(rows)), wanted)
    assert_same(one_by_one(made.scorer, rows), wanted)


def test_every_character_is_judged_as_python_does(made):
    points = [*range(0x3100), *range(0x3100, 0x110000, 41)]
    rows = [(chr(p) * 2, f"ab{chr(p)}cd") for p in points if not 0xD800 <= p < 0xE000]
    scores = made.scorer.score_batch(*columns(rows))
    cleaned = [[text.clean(part).lower() for part in row] for row in rows]
    found = [sum(len(re.findall(text.TOKEN, part)) for part in row) for row in cleaned]
    assert scores.n_tokens.tolist() == found


def test_lower_case_has_no_lower_case_of_its_own():
    # The batch face looks at lower-cased text once more, character by character.
    changed = [c for c in map(chr, range(0x110000)) if c.lower() != c]
    assert all(part.lower() == part for c in changed for part in c.lower())


@pytest.fixture(scope="module")
def mixed():
    draw = np.random.default_rng(3)
    parts = [*WORDS, *NASTY[:48], "customers", "Journeys", "queries"]
    made_of = [" ".join(draw.choice(parts, draw.integers(0, 9))) for _ in range(240)]
    return list(zip(made_of[:120], [*made_of[120:180], *[""] * 20, *made_of[200:]], strict=True))


@pytest.mark.parametrize("size", [(1, 1), (7, 10**6), (10**6, 60), (2**29, 10**6)])
def test_pieces_do_not_matter(made, mixed, size, monkeypatch):
    wanted = expected(made, mixed)
    monkeypatch.setattr(batch_scorer, "ROWS", size[0])
    monkeypatch.setattr(batch_scorer, "BYTES", size[1])
    scores = Scorer(made.folder).score_batch(*columns(mixed))
    assert_same(scores, wanted)
    assert_same(one_by_one(made.scorer, mixed), wanted)


KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_any_arrow_text(made, mixed, kind):
    title, description = (c.cast(kind) for c in columns(mixed))
    part = slice(5, 77)
    assert_same(made.scorer.score_batch(title, description), expected(made, mixed))
    assert_same(
        made.scorer.score_batch(title[part], description[part]), expected(made, mixed[part])
    )


def test_chunked_columns_and_missing_values(made, mixed):
    title, description = columns(mixed)
    chunked = pa.chunked_array([title[:3], title[3:3], title[3:]])
    assert_same(made.scorer.score_batch(chunked, description), expected(made, mixed))
    none = pa.array([None, "customer", None])
    wanted = expected(made, [("", ""), ("customer", ""), ("", "")])
    assert_same(made.scorer.score_batch(none, pa.nulls(3)), wanted)
    holed = pa.array(["a journey", None, "customers"])
    wanted = expected(made, [("", "a journey"), ("customer", ""), ("", "customers")])
    assert_same(made.scorer.score_batch(none, holed), wanted)


def test_no_rows(made):
    nothing = pa.chunked_array([], pa.string())
    scores = made.scorer.score_batch(pa.array([], pa.string()), nothing)
    assert scores.roles.shape == (0, 13)
    assert scores.practice.shape == (0, 5)
    assert scores.text_hash.to_pylist() == []


def test_what_is_no_text_is_refused(made):
    with pytest.raises(DataError, match="Column title has type list"):
        made.scorer.score_batch(pa.array([["a"]]), pa.array(["b"]))
    with pytest.raises(DataError, match="Column description has type int64"):
        made.scorer.score_batch(pa.array(["a"]), pa.array([1]))
    with pytest.raises(DataError, match="1 titles but 2 descriptions"):
        made.scorer.score_batch(pa.array(["a"]), pa.array(["b", "c"]))


@given(joined, joined)
@settings(max_examples=40, deadline=None)
def test_contributions_add_up_to_the_scores(made, title, description):
    shares = made.scorer.contributions(title, description)
    posting = made.scorer.score_one(title, description).posting_basis
    total = np.sum([made.scorer.intercept(posting), *[s.scores for s in shares]], axis=0)
    X = pd.DataFrame({"title": [title], "description": [description]}, dtype=object)
    np.testing.assert_allclose(total, made.reference.scores(X)[0], rtol=0, atol=1e-9)
    for share in shares:
        said = title if share.block == "title" else description
        assert share.term.split(" ")[0] in tokens(text.clean(said))


def test_model_of_titles_alone(tmp_path):
    made = make(tmp_path, descriptions=False)
    rows = [("Customers", "cx journey"), ("cx", ""), ("", "\n")]
    wanted = expected(made, rows)
    assert not any(wanted["posting_basis"])
    assert_same(made.scorer.score_batch(*columns(rows)), wanted)
    assert_same(one_by_one(made.scorer, rows), wanted)
    assert made.scorer.contributions("cx", "journey")


@pytest.mark.parametrize("word", ["abcdefghi", "internationalization"])
def test_a_hit_of_the_hash_counts_only_if_the_bytes_agree(made, word):
    """Spoil the stored bytes of a long word: its hash is still found, and must not count."""
    array = made.folder.array
    spoiled = array("words.lanes").copy()
    slot = lexicon.find(array("words.keys").tolist(), lexicon.spelling_key(word.encode()))
    last = array("words.lanes_at")[slot] + -(-len(word) // lexicon.LANE)
    spoiled[last] ^= np.uint64(1)
    views = {"words.lanes": memoryview(spoiled)}
    folder = SimpleNamespace(
        manifest=made.folder.manifest,
        view=lambda name: views.get(name, made.folder.view(name)),
        array=lambda name: spoiled if name == "words.lanes" else array(name),
        norm=made.folder.norm,
    )
    assert made.scorer.score_one(word).n_known == 1
    assert Scorer(folder).score_one(word).n_known == 0
    assert made.scorer.score_batch(*columns([(word, "")])).n_known.tolist() == [1]
    assert Scorer(folder).score_batch(*columns([(word, "")])).n_known.tolist() == [0]


@given(st.text("abcdeisuy", min_size=2, max_size=7))
def test_spellings_are_all_that_fold_to_a_word(token):
    for word in tokens(token):
        assert token in lexicon.spellings(word)


def test_terms_of_three_words_are_refused(made):
    vectorizer = SimpleNamespace(get_feature_names_out=lambda: ["head of cx"])
    with pytest.raises(ModelError, match="more than two words"):
        lexicon.compile_arrays(SimpleNamespace(vectorizers_={"title": vectorizer}))


def test_one_answer_needs_no_numpy_and_a_batch_no_scikit_learn(made):
    code = f"""
import sys
from cxjobs import store
from cxjobs.scorer import Scorer
scorer = Scorer(store.read({str(made.folder.path)!r}))
scorer.score_one("Customer", "journeys")
assert not {{"numpy", "pyarrow", "pandas"}} & set(sys.modules)
from cxjobs.columns import column
scores = scorer.score_batch(column(["Customer", "ΟΔΟΣ"]), column(["", "<p>"]))
assert len(scores.text_hash) == 2
import pyarrow as pa
scorer.score_batch(column(["cx"] * 2), pa.nulls(2))
assert not {{"sklearn", "scipy", "pandas"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
