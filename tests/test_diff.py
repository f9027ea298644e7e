"""Rows find each other, every change has its reason, and the exit code tells."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cxjobs import store
from cxjobs.answer import load_model
from cxjobs.answered import read
from cxjobs.cli import group
from cxjobs.diff import diff
from cxjobs.errors import DataError, FormatError


def answers(n=6, **changes):
    """A frame as `read` gives it."""
    frame = pd.DataFrame(
        {
            "id": [f"p{i}" for i in range(n)],
            "title": [f"Lead {i}" for i in range(n)],
            "label": ["cx_management", "conflated", "review"] * (n // 3),
            "cx_probability": np.linspace(0.9, 0.1, n),
            "role": ["cx_management", "sales", "sales"] * (n // 3),
            "practice": "",
            "basis": "posting",
            "status": "ok",
            "flags": "",
            "text_hash": [f"t{i}" for i in range(n)],
            "model": "m-1",
        }
    )
    for name, value in changes.items():
        frame[name] = value
    frame.attrs["ids"] = True
    return frame


def changed(frame, row, **values):
    frame = frame.copy()
    for name, value in values.items():
        frame.loc[row, name] = value
    return frame


def test_nothing_differs():
    found = diff(answers(), answers())
    assert not found
    assert (found.matched, found.moved, found.labels) == (6, 0, {})


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({"label": "review", "text_hash": "x", "cx_probability": 0.5}, ("text",)),
        ({"label": "review", "model": "m-2", "cx_probability": 0.5}, ("model",)),
        ({"label": "review"}, ("threshold",)),
        ({"label": "review", "model": "m-2"}, ("threshold",)),
        ({"label": "review", "flags": "no_title"}, ("flags",)),
        ({"label": "review", "cx_probability": 0.5}, ("unknown",)),
        ({"role": "other", "model": "m-2"}, ("model",)),
        (
            {"label": "review", "model": "m-2", "text_hash": "x", "cx_probability": 0.5},
            ("text", "model"),
        ),
        (
            {"label": "", "status": "rejected", "text_hash": "x", "cx_probability": np.nan},
            ("text",),
        ),
    ],
)
def test_each_change_has_its_reason(values, reasons):
    found = diff(answers(), changed(answers(), 0, **values))
    (one,) = found.changed
    assert one.reasons == reasons
    assert one.key == "p0"
    assert set(one.new) == {"label", "role", "status"} & set(values)


def test_a_move_without_another_answer_is_counted_only():
    found = diff(answers(), changed(answers(), [0, 3], cx_probability=0.85))
    assert not found
    assert (found.moved, found.largest_move) == (2, pytest.approx(0.43))
    assert diff(answers(), changed(answers(), 0, cx_probability=0.900001)).moved == 0


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 6))
def test_ids_match_in_any_order(order, kept):
    new = answers().iloc[order].reset_index(drop=True)[:kept]
    new.attrs["ids"] = True
    found = diff(answers(), new)
    assert not found.changed
    assert found.matched == kept
    assert set(found.only_old) == {f"p{i}" for i in order[kept:]}
    assert found.only_new == ()


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(6)), st.sets(st.integers(0, 5)))
def test_without_ids_texts_match_then_places(order, rewritten):
    old, new = answers(), answers().iloc[order].reset_index(drop=True)
    old.attrs["ids"] = new.attrs["ids"] = False
    for row in rewritten:
        new.loc[row, ["text_hash", "label"]] = [f"new{row}", "review"]
    found = diff(old, new)
    assert found.matched + len(found.only_old) == 6
    assert all(c.reasons == ("text",) for c in found.changed)
    stayed = {order[row] for row in rewritten} & set(rewritten)
    assert found.matched == 6 - len(rewritten) + len(stayed)


def test_repeated_ids_match_in_order():
    old = answers(id="same")
    assert not diff(old, old)
    assert diff(old, old[:4]).only_old == ("same", "same")


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="second file has no column 'label'"):
        diff(answers(), answers().drop(columns="label"))
    with pytest.raises(DataError, match="no column 'number'"):
        diff(answers(), answers(), key="number")


POSTINGS = pd.DataFrame(
    {
        "Job Title": ["Journey governance lead", "Calls agent", "Quota hunter", ""],
        "Job Description": [
            "the journey of " * 9,
            "the calls of queue " * 9,
            "the quota of deals " * 9,
            "",
        ],
        "status": ["open", "open", "shut", "shut"],
    }
)


@pytest.fixture
def run(folder, tmp_path):
    """Runs the command; FILE names stand for files in a folder."""

    def call(*asked):
        there = [str(tmp_path / a) if "." in a else a for a in map(str, asked)]
        return CliRunner().invoke(group, ["diff", *there])

    model = load_model(folder)
    frame = model.classify(POSTINGS.rename(columns=lambda c: c.replace("Job ", "").lower()))
    frame = frame.rename(columns={"title": "Job Title", "description": "Job Description"})
    frame.to_csv(tmp_path / "old.csv", index=False)
    frame.to_json(tmp_path / "old.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "old.parquet")
    other = frame.copy()
    other.loc[1, ["label", "cx_probability"]] = ["review", 0.5]
    other[::-1].to_csv(tmp_path / "new.csv", index=False)
    POSTINGS.to_csv(tmp_path / "postings.csv", index=False)
    return call


@pytest.mark.parametrize("one", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("other", ["csv", "jsonl", "parquet"])
def test_formats_hold_the_same_answers(run, one, other):
    found = run(f"old.{one}", f"old.{other}")
    assert (found.exit_code, found.output[:31]) == (0, "4 postings in both, 0 with anot")


def test_a_source_column_keeps_its_name(run, tmp_path):
    frame = read(tmp_path / "old.csv", extra={"shop": "status"})
    assert frame["status"].tolist() == ["ok", "ok", "ok", "rejected"]
    assert frame["shop"].tolist() == POSTINGS["status"].tolist()


def test_command_lists_changes_and_exits_1(run):
    found = run("old.csv", "new.csv")
    assert found.exit_code == 1
    assert "label: conflated -> review  1" in found.output
    assert "Calls agent: label conflated -> review; probability 0.0" in found.output
    plain = json.loads(run("old.csv", "new.csv", "--json", "--key", "Job Title").output)
    assert plain["labels"] == {"conflated -> review": 1}
    assert plain["changed"][0]["title"] == "Calls agent"
    assert plain["changed"][0]["key"] == "Calls agent"
    assert plain["reasons"] == {"unknown": 1}


def test_two_models_on_one_file(run, folder, fitted, tmp_path):
    same = run("--models", folder, folder, "postings.csv")
    assert same.exit_code == 0
    manifest = {
        k: v for k, v in store.read(folder).manifest.items() if k not in ("arrays", "format")
    }
    other = tmp_path / "other"
    worse = copy.deepcopy(fitted)
    worse.intercept_["posting"][8] += 50
    store.write(other, store.model_arrays(worse), manifest)
    found = run("--models", folder, other, "postings.csv", "--json")
    assert found.exit_code == 1
    plain = json.loads(found.output)
    assert plain["reasons"] == {"model": 2}
    assert {c["new"]["role"] for c in plain["changed"]} == {"sales"}


def test_wrong_use_is_told(run, tmp_path):
    assert run("old.csv").exit_code == 2
    assert run("--models", "a", "b", "old.csv", "new.csv").exit_code == 2
    missing = run("old.csv", "postings.csv")
    assert missing.exit_code == 2
    assert "no column 'label'" in missing.stderr
    assert "cxjobs classify" in missing.stderr
    (tmp_path / "broken.csv").write_text("title,label,cx_probability\na,review,0.5\nb,c\n")
    with pytest.raises(FormatError, match="line 3"):
        read(tmp_path / "broken.csv")
    (tmp_path / "range.csv").write_text("title,label,cx_probability\na,review,50%\n")
    with pytest.raises(DataError, match="row 1, column cx_probability: '50%'"):
        read(tmp_path / "range.csv")
