"""A folder with a right digest and deceptive content is refused: here is one of each kind."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from conftest import labelled

from cxjobs import load_model, soundness, store
from cxjobs.cli import group
from cxjobs.errors import ModelError
from cxjobs.lexicon import LONG, SPREAD, _home, find, pair_key, spelling_key


def deceive(folder, change) -> None:
    """Rewrite a folder with a right digest, after a change of its arrays and manifest."""
    opened = store.read(folder)
    arrays = {name: opened.array(name).copy() for name in opened.manifest["arrays"]["index"]}
    manifest = {k: v for k, v in opened.manifest.items() if k not in ("arrays", "format")}
    change(arrays, manifest)
    store.write(folder, arrays, manifest)


def sets(name, at, value):
    def change(arrays, manifest):
        arrays[name][at] = value

    return change


def replaces(name, make):
    def change(arrays, manifest):
        arrays[name] = make(arrays[name])

    return change


def asks(path, value):
    def change(arrays, manifest):
        *way, last = path.split(".")
        for step in way:
            manifest = manifest[step]
        manifest[last] = value

    return change


def column(name, make):
    """Change one column of the thresholds by the posting."""

    def change(arrays, manifest):
        table = manifest["thresholds"]["posting"]
        table[name] = make(table[name])

    return change


def full(name):
    """No empty slot: a search for what is not there would go round for ever."""

    def change(arrays, manifest):
        keys = arrays[name]
        keys[keys == 0] = np.arange(7, 7 + (keys == 0).sum(), dtype=np.uint64)

    return change


def without_posting_thresholds(arrays, manifest):
    del manifest["thresholds"]["posting"]


def million(**columns):
    """Thresholds that would take for ever to choose from."""
    rows = len(columns.get("threshold", [0.5]))
    table = {
        "n": 10**18, "positives": 10**17, "confidence": 0.9, "threshold": [0.5],
        "above": [10**17] * rows, "true_above": [10**17 - 10**12] * rows,
        "precision_low": [0.0] * rows, "lost_high": [1.0] * rows,
    }  # fmt: skip
    return asks("thresholds.title", table | columns)


AT_OPENING = {
    "full table of words": (full("words.keys"), "'words.keys' has no empty slot"),
    "full table of pairs": (full("title.pair_keys"), "'title.pair_keys' has no empty slot"),
    "no slot at all": (replaces("title.pair_keys", lambda k: k[:0]), "'title.pair_keys' has type"),
    "slots of no power of two": (
        replaces("words.keys", lambda k: np.append(k, k[:1])), "'words.keys' has type",
    ),
    "words of another length": (
        replaces("words.numbers", lambda n: n[:-1]), "'words.numbers' has type",
    ),
    "coefficients of another shape": (
        replaces("title.coef", lambda c: c[:, :-1].copy()), "'title.coef' has type",
    ),
    "coefficients of another type": (
        replaces("title.coef", lambda c: c.astype("<f8")), "'title.coef' has type",
    ),
    "fewer terms than rows": (
        replaces("title.terms", lambda t: t[: t.tobytes().rindex(b"\n")]), "408 rows but 407 terms",
    ),
    "terms that are not text": (sets("title.terms", 0, 0xFF), "not UTF-8"),
    "a norm of nothing": (sets("title.norm", slice(None), 0.0), "cannot be normed"),
    "a negative norm": (sets("description.norm", 0, -1.0), "cannot be normed"),
    "an endless norm": (sets("title.norm", 1, np.inf), "cannot be normed"),
    "no thresholds for a basis": (without_posting_thresholds, "no thresholds for the description"),
    "postings without number": (million(), "contradicts itself"),
    "thresholds without number": (
        million(n=9, positives=3, threshold=[0.5] * 5000, above=[3] * 5000, true_above=[3] * 5000),
        "contradicts itself",
    ),
    "counts that are no whole numbers": (column("above", lambda c: [*c[:-1], 0.5]), "contradicts"),
    "counts that are truths": (column("true_above", lambda c: [*c[:-1], False]), "contradicts"),
    "thresholds beyond 1": (column("threshold", lambda c: [*c[:-1], 7.0]), "contradicts"),
    "thresholds below 0": (column("threshold", lambda c: [-1.0, *c[1:]]), "contradicts"),
    "more true ones than all": (column("positives", lambda n: 10**6), "contradicts"),
    "more false ones than there are": (column("n", lambda n: n - 1), "contradicts"),
    "columns that are none": (asks("thresholds.posting", {"n": 1}), "unreadable"),
    "a promise beyond 1": (asks("promise.posting", {"precision": 2.0, "max_lost": 0.1,
                                                    "confidence": 0.9}), "between 0 and 1"),
    "a promise that is text": (asks("promise.posting.confidence", "much"), "manifest lacks"),
}  # fmt: skip
"""What no model may be opened with: it would hang, crash, or promise what it cannot."""

BEFORE_A_BATCH = {
    "words beyond the rows": (
        lambda a, m: a["words.numbers"].__setitem__(a["words.keys"] != 0, 10**6),
        "'words.numbers' points outside",
    ),
    "words before the rows": (
        lambda a, m: a["words.numbers"].__setitem__(a["words.keys"] != 0, -9),
        "'words.numbers' points outside",
    ),
    "rows beyond the terms": (sets("title.unigrams", slice(1, None), 10**6), "unigrams' points"),
    "pairs beyond the terms": (
        lambda a, m: a["title.pair_rows"].__setitem__(a["title.pair_keys"] != 0, 10**6),
        "'title.pair_rows' points outside",
    ),
    "spelling beyond the lanes": (sets("words.lanes_at", 0, 10**6), "'words.lanes_at' points"),
    "spelling that ends beyond": (
        lambda a, m: a["words.lanes"].__setitem__(a["words.lanes_at"].max(), 10**4),
        "ends outside",
    ),
    "spelling without end": (
        lambda a, m: a["words.lanes"].__setitem__(a["words.lanes_at"].max(), 2**62),
        "ends outside",
    ),
    "a length for what is none": (sets("words.lanes", 0, 9), "ends outside"),
    "a word in an empty slot": (
        lambda a, m: a["words.numbers"].__setitem__(a["words.keys"] == 0, 1), "an empty slot",
    ),
    "no word in a full slot": (
        lambda a, m: a["words.numbers"].__setitem__(a["words.keys"] != 0, 0), "an empty slot",
    ),
    "a row for the unknown": (sets("title.unigrams", 0, 1), "does not know"),
    "a row for no pair": (
        lambda a, m: a["title.pair_rows"].__setitem__(a["title.pair_keys"] == 0, 1),
        "does not know",
    ),
    "a coefficient that is no number": (sets("posting.coef", (3, 4), np.nan), "'posting.coef'"),
    "an infinite coefficient": (sets("title.coef", (3, 4), np.inf), "'title.coef' holds"),
    "an intercept that is no number": (sets("title.intercept", 2, np.nan), "'title.intercept'"),
    "a weight that is no number": (sets("title.idf", 2, np.nan), "'title.idf' holds"),
    "a negative weight": (sets("description.idf", 2, -1.0), "not positive"),
    "a weight of nothing": (sets("title.idf", slice(None), 1e-300), "not positive"),
    "a weight beyond measure": (sets("title.idf", slice(None), 1e300), "'title.idf' holds"),
    "an intercept beyond measure": (sets("title.intercept", 2, -1e308), "'title.intercept'"),
    "a key twice": (
        lambda a, m: a["words.keys"].__setitem__(
            np.flatnonzero(a["words.keys"])[:2], a["words.keys"].max()
        ),
        "has a key twice",
    ),
}  # fmt: skip
"""What ``classify`` refuses before it answers, and ``predict`` at the latest where it meets it."""


def moves_a_key(arrays, manifest):
    """Take a word from where it is sought to where no search comes by."""
    keys = arrays["words.keys"]
    slot = find(keys.tolist(), spelling_key(b"quota"))
    empty = np.flatnonzero(keys == 0)
    to = empty[empty > slot + 8][0]
    for name in ("words.keys", "words.numbers", "words.lanes_at"):
        arrays[name][[slot, to]] = arrays[name][[to, slot]]


def far_from_home(arrays, manifest):
    """A run of keys so long that to come to its end takes as long as a scan."""
    bits, run = 14, soundness.FARTHEST + 1
    inverse = pow(SPREAD, -1, 2**64)
    # Keys that are sought at the slot where they lie, but the last one, sought at the first's.
    sought = [(slot << 64 - bits) + 1 for slot in range(run)] + [2]
    keys = np.zeros(1 << bits, np.uint64)
    keys[: run + 1] = [hashed * inverse & 2**64 - 1 for hashed in sought]
    arrays["words.keys"] = keys
    arrays["words.numbers"] = np.where(keys > 0, -1, 0).astype("<i4")
    arrays["words.lanes_at"] = np.zeros(len(keys), "<i4")


def swaps(first: bytes, second: bytes):
    """Give two words each other's number."""

    def change(arrays, manifest):
        keys = arrays["words.keys"].tolist()
        slots = [find(keys, spelling_key(word)) for word in (first, second)]
        arrays["words.numbers"][slots] = arrays["words.numbers"][slots[::-1]]

    return change


def loses_a_pair(arrays, manifest):
    """Empty the slot of a pair, and its row with it."""
    slot = np.flatnonzero(arrays["title.pair_keys"])[0]
    arrays["title.pair_keys"][slot], arrays["title.pair_rows"][slot] = 0, -1


def more_than_its_terms(arrays, manifest):
    """A pair of words that is no term, but has the row of one."""
    keys = arrays["title.pair_keys"]
    free = (pair_key(a, 1) for a in range(1, 99) if find(keys.tolist(), pair_key(a, 1)) < 0)
    slot, key = next((at, k) for k in free if not keys[at := _home(k, len(keys) - 1)])
    keys[slot], arrays["title.pair_rows"][slot] = key, 0


def spells_otherwise(arrays, manifest):
    """Change a letter of a long word where its bytes are, but not its key."""
    keys, at = arrays["words.keys"], arrays["words.lanes_at"]
    slot = np.flatnonzero((keys >= np.uint64(LONG)) & (arrays["words.numbers"] > 0))[0]
    arrays["words.lanes"][at[slot] + 1] += 1


def table_that_promises(arrays, manifest):
    low = manifest["thresholds"]["posting"]["precision_low"]
    manifest["thresholds"]["posting"]["precision_low"] = [0.99] * len(low)


def survey_of(**parts):
    given = {
        "roles": ["cx_management", "other"], "n": [20, 30], "means": [[0.9, 0.1], [0.2, 0.8]],
        "spread": [[0.1, 0.1], [0.1, 0.1]], "error": [[0.01, 0.01], [0.01, 0.01]],
    }  # fmt: skip
    return asks("survey", {"posting": given | parts})


IN_TABLES = {
    "a key out of the way": (moves_a_key, "where no search comes by"),
    "keys far from home": (far_from_home, "where no search comes by, or soon"),
    "words swapped": (swaps(b"quota", b"deals"), "is two|is not found"),
    "words of grammar swapped": (swaps(b"the", b"quota"), "grammar|is not found|is two"),
    "a word spelled otherwise": (spells_otherwise, "not found by its key|not UTF-8"),
    "a pair lost": (loses_a_pair, "is not found"),
    "a row of another": (
        replaces("title.unigrams", lambda u: np.where(u >= 0, 0, u).astype("<i4")), "is not found",
    ),
    "a pair too many": (more_than_its_terms, "none of its terms"),
    "an array too many": (
        lambda a, m: a.update(payload=np.zeros(9, "<u8")), "no model has an array 'payload'",
    ),
}  # fmt: skip
"""What gives wrong answers, but no crash: found where one looks for it."""

IN_MANIFEST = {
    "no temperature": (asks("parameters.title_temperature", 0.0), "temperature of the basis"),
    "a negative temperature": (asks("parameters.posting_temperature", -1), "temperature of the"),
    "a temperature that is true": (asks("parameters.posting_temperature", True), "temperature of"),
    "no parameters": (asks("parameters", None), "no parameters"),
    "a name of two lines": (asks("name", "a\nb"), "short line"),
    "a name without end": (asks("name", "a" * 10**6), "short line"),
    "bounds too good": (table_that_promises, "promise too much"),
    "a calibration of other roles": (survey_of(roles=["cx_management", "boss"]), "other roles"),
    "a calibration of more roles": (survey_of(n=[1, 2, 3]), "other roles"),
    "a calibration of no use": (survey_of(means=[[0.5, 0.5], [0.5, 0.5]]), "look the same"),
    "a calibration without parts": (asks("survey", {"posting": {}}), "not a model's"),
}
"""What a manifest should not say."""


def verified(folder):
    return CliRunner().invoke(group, ["model", "verify", "--model", str(folder)])


@pytest.mark.parametrize("name", AT_OPENING)
def test_no_such_folder_is_opened(folder, name):
    change, message = AT_OPENING[name]
    deceive(folder, change)
    began = time.monotonic()
    with pytest.raises(Exception, match=message) as refused:
        load_model(folder)
    assert type(refused.value).__module__ == "cxjobs.errors"
    assert time.monotonic() - began < 5
    done = verified(folder)
    assert done.exit_code == 2
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("name", BEFORE_A_BATCH)
def test_no_batch_is_answered_by_such_a_folder(folder, name):
    change, message = BEFORE_A_BATCH[name]
    deceive(folder, change)
    model = load_model(folder)
    texts = pa.array([*labelled()["title"], "quota quota deals"], pa.large_string())
    with pytest.raises(ModelError, match=message):
        model.answer_batch(texts, texts)
    done = verified(folder)
    assert done.exit_code == 2
    assert "Its digest is right" in done.stderr
    # A single answer is one, or a refusal with a reason; no other error, no number that is none.
    for title in texts.to_pylist():
        with suppress(ModelError):
            assert 0 <= model.predict(title, title).cx_probability <= 1
            str(model.explain(title, title))


@pytest.mark.parametrize("name", IN_TABLES | IN_MANIFEST)
def test_verify_finds_what_gives_wrong_answers(folder, name):
    change, message = (IN_TABLES | IN_MANIFEST)[name]
    deceive(folder, change)
    opened = store.read(folder)
    with pytest.raises(ModelError, match=message):
        soundness.check(opened)
    assert verified(folder).exit_code == 2
    if name in IN_TABLES:
        with pytest.raises(ModelError, match=message):
            store.export_joblib(opened, folder / "model.joblib")


@pytest.mark.parametrize("words", ["words.numbers", "title.unigrams"])
def test_a_word_that_leads_nowhere_is_no_traceback(folder, words):
    deceive(folder, replaces(words, lambda n: np.where(n > 0, 10**6, n).astype("<i4")))
    with pytest.raises(ModelError, match=f"'{words}' points outside"):
        load_model(folder).predict("quota deals")


def test_an_answer_that_is_no_number_is_none(folder):
    deceive(folder, sets("title.intercept", 0, np.nan))
    with pytest.raises(ModelError, match=r"'title\.intercept' holds values"):
        load_model(folder).predict("quota deals")


def test_terms_that_no_text_holds_are_not_shown(folder):
    """The words of an explanation are sought in the text."""
    deceive(folder, replaces("title.terms", lambda t: np.where(t == ord("q"), ord("j"), t)))
    model = load_model(folder)
    assert model.predict("quota deals").role
    with pytest.raises(ModelError, match="is not found"):
        str(model.explain("quota deals"))
    texts = pa.array(["quota deals"] * 2)
    model.answer_batch(texts, texts)
    with pytest.raises(ModelError, match="is not found"):
        model.answer_batch(texts, texts, evidence=True)


def test_an_error_of_a_sound_folder_stays_what_it_is(folder):
    with pytest.raises(KeyError, match="mine"), soundness.suspected(store.read(folder)):
        raise KeyError("mine")


def test_a_sound_folder_is_sound_after_it_was_rewritten(folder):
    deceive(folder, survey_of())
    soundness.check(store.read(folder))
    done = verified(folder)
    assert done.exit_code == 0
    assert "complete and unaltered, its values sound" in done.stdout


def rewrite(folder, change):
    path = folder / store.MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def index(manifest):
    return manifest["arrays"]["index"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(format=True), "not the manifest"),
        (lambda m: m.update(format=0), "not the manifest"),
        (lambda m: m.update(threshold=float("nan")), "NaN is no number"),
        (lambda m: index(m)["title.idf"].update(shape=[2**62] * 500_000), "damaged"),
        (lambda m: index(m)["title.idf"].update(shape=[True]), "damaged"),
        (lambda m: m["arrays"].update(bytes=-1), "damaged"),
    ],
)
def test_manifests_that_lie_are_refused_at_once(folder, change, message):
    rewrite(folder, change)
    began = time.monotonic()
    with pytest.raises(ModelError, match=message):
        store.read(folder)
    assert time.monotonic() - began < 5


def test_arrays_lie_one_after_the_other(folder):
    words = (folder / store.MANIFEST).read_text()

    def shares(manifest):
        entry = index(manifest)["title.pair_rows"]
        entry["offset"] = index(manifest)["title.unigrams"]["offset"]

    rewrite(folder, shares)
    with pytest.raises(ModelError, match=r"does not begin where|points outside|does not know"):
        soundness.check(store.read(folder))
    (folder / store.MANIFEST).write_text(words)
    last = max(index(json.loads(words)).items(), key=lambda item: item[1]["offset"])[0]
    soundness._check_places(store.read(folder))
    rewrite(folder, lambda m: index(m).pop(last))
    with pytest.raises(ModelError, match="belong to no array"):
        soundness._check_places(store.read(folder))


def test_a_card_that_cannot_be_written_says_so(folder):
    done = CliRunner().invoke(group, ["model", "card", "--model", str(folder)])
    assert done.exit_code == 2
    assert "tells too little for a card (KeyError('data'))" in done.stderr


STRANGE = [0, 1, 2**31 - 1, 2**32 - 1, 2**64 - 2, 0x7FF0000000000000, 0x7F800000, 1 << 52]


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_numbers_are_there_is_an_answer_or_a_refusal(folder, seed):
    """Strange numbers at places drawn at random, and a right digest."""
    draw = random.Random(seed)
    opened = store.read(folder)
    index = opened.manifest["arrays"]["index"]
    data = bytearray(opened.data)
    for _ in range(draw.choice([1, 3, 50])):
        entry = index[draw.choice(sorted(index))]
        width = np.dtype(entry["dtype"]).itemsize
        at = entry["offset"] + draw.randrange(int(np.prod(entry["shape"]))) * width
        value = draw.choice([*STRANGE, draw.getrandbits(64)]) % (1 << 8 * width)
        data[at : at + width] = value.to_bytes(width, "little")
    (folder / store.ARRAYS).write_bytes(data)
    rewrite(folder, lambda m: m["arrays"].update(sha256=sha256(data).hexdigest()))
    texts = pa.array(["quota deals 7", "journey blueprint loyalty", "x" * 40, "kubernetes"])
    with suppress(ModelError):
        model = load_model(folder)
        for text in texts.to_pylist():
            with suppress(ModelError):
                assert 0 <= model.predict(text, text).cx_probability <= 1
                str(model.explain(text, text))
        model.answer_batch(texts, texts)
        model.answer_batch(texts, texts, evidence=True)
        soundness.check(model.folder)
