"""A model folder comes back as it went, and a damaged one is refused with a reason."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cxjobs import load_model, store
from cxjobs.errors import ModelError
from cxjobs.scorer import Scorer


def test_stored_classifier_gives_the_same_bits(folder, fitted, coded):
    again = store.to_classifier(store.read(folder))
    np.testing.assert_array_equal(again.predict_proba(coded), fitted.predict_proba(coded))
    np.testing.assert_array_equal(again.practice_proba(coded), fitted.practice_proba(coded))


def test_arrays_keep_type_shape_and_alignment(tmp_path):
    arrays = {
        "a": np.arange(6, dtype="<f4").reshape(2, 3),
        "b": np.array([], "<f8"),
        "c": np.array([2**63 + 1], "<u8"),
        "d": np.frombuffer("é\n".encode(), np.uint8),
    }
    store.write(tmp_path, arrays, {"text_version": store.text.VERSION})
    opened = store.read(tmp_path)
    for name, array in arrays.items():
        assert opened.array(name).dtype == array.dtype
        np.testing.assert_array_equal(opened.array(name), array)
        assert opened.view(name).tolist() == array.ravel().tolist()
        assert opened.manifest["arrays"]["index"][name]["offset"] % 64 == 0


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("x", "y"):
        store.write(tmp_path / name, {"a": np.ones(3)}, {"text_version": "1"})
    for file in (store.MANIFEST, store.ARRAYS):
        assert (tmp_path / "x" / file).read_bytes() == (tmp_path / "y" / file).read_bytes()


def damage_manifest(change):
    def damage(folder):
        path = folder / store.MANIFEST
        manifest = json.loads(path.read_text())
        change(manifest)
        path.write_text(json.dumps(manifest))

    return damage


def entry(manifest):
    return manifest["arrays"]["index"]["title.idf"]


DAMAGES = {
    "no manifest": (lambda f: (f / store.MANIFEST).unlink(), "not a model folder"),
    "no arrays": (lambda f: (f / store.ARRAYS).unlink(), "is missing"),
    "cut arrays": (
        lambda f: (f / store.ARRAYS).write_bytes((f / store.ARRAYS).read_bytes()[:-64]),
        "cut or altered",
    ),
    "one byte altered": (
        lambda f: (f / store.ARRAYS).write_bytes(b"\x7f" + (f / store.ARRAYS).read_bytes()[1:]),
        "SHA-256",
    ),
    "not JSON": (lambda f: (f / store.MANIFEST).write_text("{"), "not valid JSON"),
    "deep JSON": (lambda f: (f / store.MANIFEST).write_text("[" * 100_000), "not valid JSON"),
    "not UTF-8": (lambda f: (f / store.MANIFEST).write_bytes(b"\xff\xfe\xff"), "not valid JSON"),
    "a list": (lambda f: (f / store.MANIFEST).write_text("[]"), "not the manifest"),
    "newer format": (damage_manifest(lambda m: m.update(format=99)), "upgrade"),
    "other text": (damage_manifest(lambda m: m.update(text_version="0")), "train it again"),
    "other file": (damage_manifest(lambda m: m["arrays"].update(file="../x")), "damaged"),
    "offset outside": (damage_manifest(lambda m: entry(m).update(offset=2**40)), "damaged"),
    "negative offset": (damage_manifest(lambda m: entry(m).update(offset=-64)), "damaged"),
    "huge shape": (damage_manifest(lambda m: entry(m).update(shape=[2**62, 2**62])), "damaged"),
    "object type": (damage_manifest(lambda m: entry(m).update(dtype="|O")), "damaged"),
    "no index": (damage_manifest(lambda m: m["arrays"].pop("index")), "damaged"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_with_a_reason(folder, damage):
    act, message = DAMAGES[damage]
    act(folder)
    with pytest.raises(ModelError, match=message):
        store.read(folder)


def test_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        store.write(tmp_path / "file", {"a": np.ones(1)}, {})


def test_types_that_are_not_plain_data_are_not_stored(tmp_path):
    with pytest.raises(ModelError, match="not stored"):
        store.write(tmp_path, {"a": np.array([{}])}, {})


DATA = Path(__file__).parent / "data"
FORMATS = sorted(DATA.glob("model_format_*"), key=lambda folder: int(folder.name.split("_")[-1]))


def test_a_folder_of_every_format_is_kept():
    """Who raises `store.FORMAT` leaves a folder of the new one here, and none is taken away."""
    assert [folder.name for folder in FORMATS] == [
        f"model_format_{number}" for number in range(1, store.FORMAT + 1)
    ]
    for number, folder in enumerate(FORMATS, start=1):
        assert json.loads((folder / store.MANIFEST).read_text("utf-8"))["format"] == number


@pytest.mark.parametrize("folder", FORMATS, ids=lambda folder: folder.name)
def test_an_old_folder_answers_as_it_always_did(folder):
    """``answers.json`` was written with the folder and is never written again."""
    told = json.loads((folder / "answers.json").read_text("utf-8"))
    model, scorer = load_model(folder), Scorer(store.read(folder))
    frame = pd.DataFrame(told)[["title", "description"]]
    columns = [pa.array(frame[name], pa.string()) for name in frame]
    batch, rows = scorer.score_batch(*columns), model.answer_batch(*columns).to_pylist()
    proba = store.to_classifier(store.read(folder)).predict_proba(frame)
    for at, one in enumerate(told):
        score = scorer.score_one(one["title"], one["description"])
        counts = [score.n_tokens, score.n_function, score.n_known, score.description_length]
        assert (counts, score.text_hash) == (one["counts"], one["text_hash"])
        for name in ("roles", "practice", "title_cx"):
            np.testing.assert_allclose(getattr(score, name), one[name], 0, 1e-9)
            np.testing.assert_allclose(getattr(batch, name)[at], one[name], 0, 1e-9)
        np.testing.assert_allclose(proba[at], one["roles"], 0, 1e-9)
        assert model.predict(one["title"], one["description"]).to_dict() == one["answer"]
        assert rows[at] == one["answer"]


@pytest.mark.parametrize("number", [store.FORMAT + 1, 99])
def test_a_newer_format_is_refused_with_both_numbers(folder, number):
    damage_manifest(lambda m: m.update(format=number))(folder)
    says = f"has format {number}, this version reads up to {store.FORMAT}. Try: pip install"
    with pytest.raises(ModelError, match=says):
        load_model(folder)
