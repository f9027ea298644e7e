from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from conftest import labelled

from cxjobs import dataset, store
from cxjobs.cli import group
from cxjobs.taxonomy import PRACTICES, ROLES


def run(*args):
    return CliRunner().invoke(group, ["evaluate", *map(str, args)])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "labeled.csv"
    labelled().to_csv(path, index=False)
    return path


FEW = ("--folds", 3, "--repeats", 2, "--replicates", 100)


@pytest.fixture(scope="module")
def shown(table):
    return run(table, *FEW)


def test_cross_validation_shows_every_table(shown):
    assert shown.exit_code == 0, shown.output
    for said in (
        "title and description",
        "role accuracy",
        "CX average precision",
        "by draw of the folds",
        "Roles by title and description",
        "Confusion by title alone",
        "Reliability of the probability",
        "Share of errors among the surest answers",
        "Practice elements",
        "Decision by title and description",
        "for review",
    ):
        assert said in shown.stdout
    assert "out of fold" in shown.stderr
    assert "out of fold" not in shown.stdout


def test_json_holds_both_bases_and_agrees_with_the_tables(table, shown):
    plain = run(table, *FEW, "--json", "--quiet")
    assert plain.stderr == ""
    found = json.loads(plain.stdout)
    assert found["sha256"] == dataset.file_hash(table)
    assert (found["folds"], found["repeats"], found["seed"]) == (3, 2, 0)
    assert set(found["bases"]) == {"posting", "title"}
    for of in found["bases"].values():
        assert len(of["confusion"]) == len(ROLES)
        assert set(of["practice"]) == set(PRACTICES)
        assert len(of["draws"]["accuracy"]) == 2
        assert of["n"] == sum(map(sum, of["confusion"]))
        assert f"{of['role']['accuracy']['estimate']:.3f} [" in shown.stdout
        assert of["decision"]["called"] + of["decision"]["review"] <= of["n"]
    trained_only = labelled()
    counted = (trained_only["basis"] == "posting") & (trained_only["source"] != "composed")
    assert found["rows_trained_on_only"] == (~counted).sum()


def test_the_same_seed_gives_the_same_figures_and_another_draws_anew(table):
    few = (table, "--folds", 2, "--repeats", 1, "--replicates", 100, "--json", "--quiet")
    first, again, other = (run(*few, "--seed", s).stdout for s in (1, 1, 2))
    assert first == again
    assert json.loads(first)["bases"]["title"] != json.loads(other)["bases"]["title"]


def test_background_beside_the_table_is_found(table, tmp_path):
    path = tmp_path / "labeled.csv"
    path.write_bytes(table.read_bytes())
    counts = tmp_path / "background.csv"
    counts.write_text("term,postings\n,500\nteam,490\ncall,3\n")
    few = ("--folds", 2, "--repeats", 1, "--replicates", 100, "--json")
    assert json.loads(run(path, *few).stdout)["background"] == str(counts)
    elsewhere = tmp_path / "counts.csv"
    elsewhere.write_text("word,number\n")
    bad = run(path, *few, "--background", elsewhere)
    assert bad.exit_code == 2
    assert "term,postings" in bad.stderr


@pytest.fixture
def others(tmp_path):
    """Postings that the model was not trained on."""
    frame = labelled(60, seed=9)
    frame["source"] = "board"
    path = tmp_path / "others.csv"
    frame[["title", "description", "role"]].to_csv(path, index=False)
    return path


def test_a_model_is_scored_as_it_is(others, folder):
    found = json.loads(run(others, "--model", folder, "--replicates", 100, "--json").stdout)
    assert found["model"].startswith("trial-1+")
    assert found["bases"]["posting"]["n"] == 50
    assert found["bases"]["title"]["n"] == 60
    assert found["bases"]["title"]["groups"] == 60
    assert found["bases"]["posting"]["role"]["accuracy"]["estimate"] > 0.9
    assert all(v["estimate"] is None for v in found["bases"]["posting"]["practice"].values())
    shown = run(others, "--model", folder, "--replicates", 100)
    assert shown.exit_code == 0, shown.output
    assert "as it is" in shown.stdout
    assert "chosen on the very answers" not in shown.stdout


def test_titles_alone_are_scored_by_the_title(others, folder, tmp_path):
    path = tmp_path / "titles.jsonl"
    rows = labelled(30, seed=3)[["title", "role"]].to_dict("records")
    path.write_text("\n".join(map(json.dumps, rows)))
    result = run(path, "--model", folder, "--replicates", 100, "--json")
    assert set(json.loads(result.stdout)["bases"]) == {"title"}


def test_the_table_that_a_model_was_trained_on_is_refused(table, folder):
    opened = store.read(folder)
    arrays = {name: opened.array(name).copy() for name in opened.manifest["arrays"]["index"]}
    manifest = {**opened.manifest, "data": {"sha256": dataset.file_hash(table)}}
    store.write(folder, arrays, manifest)
    result = run(table, "--model", folder)
    assert result.exit_code == 2
    assert "was trained on (same SHA-256)" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("title,description\nA,b\n", "no column 'role'"),
        ("title,role\n", "no rows"),
        ("title,role\nHead,boss\n", "row 2, column role"),
        ("", "not a CSV"),
    ],
)
def test_wrong_data_is_one_message_and_exit_2(tmp_path, folder, content, said):
    path = tmp_path / "wrong.csv"
    path.write_text(content)
    result = run(path, "--model", folder)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_wrong_use_is_said(others, folder, tmp_path):
    result = run(others, "--model", folder, "--folds", 3)
    assert result.exit_code == 2
    assert "--folds is for cross-validation" in result.stderr
    assert run(tmp_path / "none.csv").exit_code == 2
    assert run(others, "--model", tmp_path).exit_code == 2
    broken = run(others)
    assert broken.exit_code == 2
    assert "column id is missing" in broken.stderr
