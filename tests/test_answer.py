"""Answers: one posting, a batch and a frame say the same; doubt is flagged."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from cxjobs.answer import COLUMNS, load_model
from cxjobs.errors import CxjobsError, DataError, ModelError

LONG = "journey governance loyalty touchpoints culture and the listening programme of us " * 6


@pytest.fixture
def model(folder):
    return load_model(folder)


POSTINGS = [
    ("journey lead", LONG),
    ("quota lead", ""),
    ("", LONG),
    ("", ""),
    ("<b>journey</b> lead", "<p>calls &amp; chats</p>"),
    ("zzz", "qqq xxx www " * 20),
    ("calls lead", LONG + "…"),
    ("journey", "travail avec des clients dans une boutique " * 6),
]


def test_batch_equals_single_answers(model):
    title, description = zip(*POSTINGS, strict=True)
    table = model.answer_batch(pa.array(title), pa.array(description)).to_pylist()
    for (t, d), row in zip(POSTINGS, table, strict=True):
        if row["status"] == "rejected":
            with pytest.raises(DataError, match="empty"):
                model.predict(t, d)
            continue
        one = model.predict(t, d).to_dict()
        assert set(one) == set(row) == set(COLUMNS)
        for column, value in one.items():
            if isinstance(value, float):
                assert row[column] == pytest.approx(value, abs=2e-6)
            else:
                assert row[column] == value


def test_columns_and_types(model):
    table = model.answer_batch(pa.array(["journey lead"]), pa.array([LONG]))
    assert tuple(table.column_names) == COLUMNS
    row = table.to_pylist()[0]
    assert row["label"] == "cx_management"
    assert row["role"] == "cx_management"
    assert row["runner_up"] != row["role"]
    assert row["role_probability"] >= row["runner_up_probability"]
    assert 0 <= row["practice_score"] <= 5
    assert row["basis"] == "posting"
    assert row["model"].startswith("trial-1+")


@pytest.mark.parametrize(
    ("title", "description", "flags"),
    [
        ("journey lead", LONG, ""),
        ("journey lead", "", "no_description"),
        ("", LONG, "no_title"),
        ("journey lead", "journey governance", "short_description"),
        ("journey lead", LONG + " and more...", "truncated"),
        ("journey lead", LONG + "&hellip;</p>", "truncated"),
        ("journey lead", "clientes servicio tienda equipo " * 12, "not_english,few_known_words"),
        ("zzzz", "", "no_description,few_known_words"),
    ],
)
def test_flags(model, title, description, flags):
    assert model.predict(title, description).flags == flags


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_a_batch_sees_the_same_ends_cut_off(model, kind):
    ends = ["…", "...", "&hellip;", "[+9 chars]", " ", "</p>", "é日", "\n", "… x"]
    told = [f"{LONG}é{'日' * n}{a}{b}{gap}" for a in ends for b in ends for n in (0, 90)
            for gap in ("", " " * 76, " " * 77, " " * 300)]  # fmt: skip
    flags = model.answer_batch(pa.array(["lead"] * len(told), kind), pa.array(told, kind))["flags"]
    alone = [model.predict("lead", one).flags for one in told]
    assert flags.to_pylist() == alone
    assert 0 < sum("truncated" in one for one in alone) < len(alone)


@pytest.mark.parametrize(
    ("title", "description"),
    [
        ("", LONG),
        ("zzzz", ""),
        ("journey lead", "journey loyalty governance of us"),
        ("x", "ll mm nn " * 40),
    ],
)
def test_what_cannot_be_trusted_is_for_review(model, title, description):
    assert model.predict(title, description).label == "review"


def test_empty_posting_is_rejected_with_a_reason_and_no_answer(model):
    row = model.answer_batch(pa.array(["  "]), pa.array(["<p></p>"])).to_pylist()[0]
    assert (row["status"], row["label"], row["role"]) == ("rejected", "", "")
    assert row["reason"] == "no title and no description"
    assert row["cx_probability"] is None


def test_frame_keeps_its_columns_index_and_order(model):
    frame = pd.DataFrame(
        {"label": [1, 2], "title": ["quota lead", "journey lead"], "description": [None, LONG]},
        index=["b", "a"],
    )
    before = frame.copy()
    answer = model.classify(frame)
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(answer[frame.columns], frame)
    again = model.classify(model.classify(answer))
    assert again.columns.is_unique
    assert again["cxjobs_cxjobs_cxjobs_label"].tolist() == answer["cxjobs_label"].tolist()
    assert answer["cxjobs_label"].tolist()[1] == "cx_management"
    assert answer.index.tolist() == ["b", "a"]


def test_empty_frame_and_empty_batch(model):
    empty = model.classify(pd.DataFrame({"title": pd.Series([], dtype=str)}))
    assert len(empty) == 0
    assert set(COLUMNS) <= set(empty.columns)


def test_wrong_frames_are_named(model):
    with pytest.raises(DataError, match=r"no column 'title'.*name"):
        model.classify(pd.DataFrame({"name": ["x"]}))
    with pytest.raises(DataError, match="Row 1, column title: 3"):
        model.classify(pd.DataFrame({"title": ["x", 3]}, dtype=object))
    with pytest.raises(DataError, match="must be text, not int"):
        model.predict(3)


def test_asked_promises_change_the_band_not_the_probability(folder):
    strict = load_model(folder, precision=0.9999)
    assert strict.bands["posting"].upper == np.inf
    assert strict.predict("journey lead", LONG).label == "review"
    ours, theirs = (m.predict("journey lead", LONG) for m in (load_model(folder), strict))
    assert ours.cx_probability == theirs.cx_probability
    with pytest.raises(CxjobsError, match="between 0 and 1"):
        load_model(folder, precision=1.5)


def test_a_folder_without_decision_is_refused(folder):
    import json

    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["thresholds"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="thresholds"):
        load_model(folder)


def test_answers_print_well_and_escape_nothing_but_in_html(model):
    one = model.predict("journey lead", LONG)
    assert str(one).startswith("cx_management: ")
    assert "title and description" in str(one)
    assert one._repr_html_().startswith("<pre>")
