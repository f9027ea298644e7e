"""Training writes a complete folder, the same bytes each time; the shipped one is its output."""

import json

import numpy as np
import pytest
from conftest import ROOT

from cxjobs import dataset, evaluate, store, taxonomy, training
from cxjobs.answer import load_model
from cxjobs.errors import DataError
from cxjobs.model import sigmoid

SHIPPED = ROOT / "models" / "default"
DATA = ROOT / "data" / "labeled_jobs.csv"


@pytest.fixture
def csv(table, tmp_path):
    path = tmp_path / "data.csv"
    table.to_csv(path, index=False)
    return path


def test_a_trained_folder_answers_and_tells_about_itself(csv, tmp_path):
    said = []
    manifest = training.train(csv, tmp_path / "m", name="mine", replicates=20, tell=said.append)
    stored = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert {k: stored[k] for k in manifest} == json.loads(json.dumps(manifest))
    assert stored["data"]["sha256"] == dataset.file_hash(csv)
    assert stored["background"] is None
    assert len(said) >= 3
    model = load_model(tmp_path / "m")
    assert model.name.startswith("mine-")
    assert model.predict("quota pipeline").role == "sales"


def test_levels_of_practice_elements_are_found_out_of_fold_and_make_shares_right(csv, tmp_path):
    manifest = training.train(csv, tmp_path / "m", replicates=20)
    result = evaluate.out_of_fold(dataset.load(csv))
    truth = result.frame.loc[result.scored, list(taxonomy.PRACTICES)].to_numpy(float)
    for basis in evaluate.BASES:
        levels = manifest["parameters"][f"{basis}_practice"]
        assert levels == result.practice_levels(basis)
        slope, shift = np.transpose(levels)
        told = sigmoid(result.scores[basis][0, result.scored, -len(slope) :] * slope + shift)
        found = [k for k, pair in enumerate(levels) if pair != [1.0, 0.0]]
        assert found
        for k in found:
            coded = ~np.isnan(truth[:, k])
            assert told[coded, k].mean() == pytest.approx(truth[coded, k].mean(), abs=0.01)


def test_the_same_table_gives_the_same_bytes(csv, tmp_path):
    for name in ("a", "b"):
        training.train(csv, tmp_path / name, replicates=20)
    for file in (store.MANIFEST, store.ARRAYS):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_background_beside_the_table_is_used(csv, tmp_path):
    training.train(csv, tmp_path / "without", replicates=20)
    csv.with_name("background.csv").write_text("term,postings\n,1000\nquota,900\n")
    manifest = training.train(csv, tmp_path / "with", replicates=20)
    assert manifest["background"] == dataset.file_hash(csv.with_name("background.csv"))
    without, having = (
        store.read(tmp_path / n).array("description.idf") for n in ("without", "with")
    )
    assert not np.array_equal(without, having)


def test_a_broken_table_trains_nothing(table, tmp_path):
    path = tmp_path / "data.csv"
    table.assign(role="boss").to_csv(path, index=False)
    with pytest.raises(DataError, match="row 2, column role"):
        training.train(path, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_the_shipped_manifest_names_this_data_text_and_taxonomy():
    manifest = store.read(SHIPPED).manifest
    assert manifest["data"]["sha256"] == dataset.file_hash(DATA)
    assert manifest["background"] == dataset.file_hash(DATA.with_name("background.csv"))
    assert manifest["taxonomy_version"] == taxonomy.load().version
    assert manifest["promise"] == training.PROMISE


def test_shipped_scores_lie_in_their_band():
    figures = store.read(SHIPPED).manifest["figures"]["posting"]
    # The ceiling catches leaks: no honest score is this good.
    assert 0.75 < figures["role"]["accuracy"]["estimate"] < 0.95
    assert 0.70 < figures["label"]["average_precision"]["estimate"] < 0.97


def test_the_shipped_model_is_rebuilt(tmp_path):
    old = store.read(SHIPPED)
    new = training.train(DATA, tmp_path / "m")
    rebuilt = store.read(tmp_path / "m")
    if new["libraries"] == old.manifest["libraries"]:
        assert (tmp_path / "m" / store.ARRAYS).read_bytes() == (SHIPPED / store.ARRAYS).read_bytes()
        assert rebuilt.manifest == old.manifest
        return
    # Other versions of the libraries may round differently, but not answer differently.
    for name in ("title.coef", "posting.coef"):
        np.testing.assert_allclose(rebuilt.array(name), old.array(name), rtol=0.01, atol=5e-3)
