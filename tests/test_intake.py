"""Postings to survey: taken with their answers or answered on the way, groups and months."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from postings_fake import Model

from cxjobs import sheet
from cxjobs.errors import DataError, FormatError
from cxjobs.intake import months, read, read_audit
from cxjobs.postings import classify

ROWS = [
    ("a", "Head of CX", "Own the journeys. " * 30, "Alpha", "2026-05-03"),
    ("b", "Head of CX", "Own the journeys. " * 30, "Alpha", "2026-05-09"),
    ("c", "Agent", "Answer calls", "Beta", "2026-06-01"),
    ("d", "", "", "", ""),
]


@pytest.fixture
def given(tmp_path):
    path = tmp_path / "jobs.csv"
    frame = pd.DataFrame(ROWS, columns=["id", "title", "description", "company", "date_posted"])
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def answered(given):
    path = given.with_name("answered.csv")
    classify([given], path, lambda: Model.answer_batch)
    return path


def never():
    raise AssertionError("answered files need no model")


def test_raw_postings_are_answered_and_marked(given):
    got = read([given], Model)
    assert not got.answered
    assert got.frame["id"].tolist() == ["a", "b", "c", "d"]
    assert got.frame["flags"].tolist()[1] == "duplicate_of:a"
    assert got.frame["status"].tolist() == ["ok", "ok", "ok", "rejected"]
    assert got.frame["company"].tolist()[2] == "Beta"


def test_answered_files_are_taken_as_they_stand(given, answered):
    got = read([answered], never, groups=["company"])
    assert got.answered
    raw = read([given], Model)
    columns = ["id", "title", "label", "role", "flags", "status", "model"]
    assert got.frame[columns].to_dict("list") == raw.frame[columns].to_dict("list")
    number = pd.to_numeric(got.frame["cx_probability"]).dropna()
    assert number.tolist() == pytest.approx(raw.frame["cx_probability"].dropna().tolist())
    assert got.frame["company"].isna().tolist() == [False, False, False, True]


@pytest.mark.parametrize("suffix", ["jsonl", "parquet", "tsv"])
def test_answers_come_back_from_every_format(given, answered, suffix):
    path = given.with_name(f"answered.{suffix}")
    classify([given], path, lambda: Model.answer_batch)
    got, same = read([path], never).frame, read([answered], never).frame
    columns = ["id", "label", "flags"]
    assert got[columns].to_dict("list") == same[columns].to_dict("list")
    got = pd.to_numeric(got["cx_probability"])
    assert got.tolist() == pytest.approx(
        pd.to_numeric(same["cx_probability"]).tolist(), nan_ok=True
    )


def test_taken_names_are_found_behind_their_prefix(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("title,description,role,status\nHead of CX,Own it,boss,open\n")
    out = tmp_path / "out.csv"
    classify([path], out, lambda: Model.answer_batch)
    got = read([out], never, groups=["status", "role"])
    assert got.groups == {"status": "status (source)", "role": "role (source)"}
    assert got.frame["status (source)"].tolist() == ["open"]
    assert got.frame["status"].tolist() == ["ok"]
    assert got.frame["role (source)"].tolist() == ["boss"]


def test_nested_companies_are_groups(tmp_path):
    path = tmp_path / "jobs.jsonl"
    rows = [{"name": f"Head {i}", "contents": "x", "company": {"name": "A"}} for i in range(2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read([path], Model, groups=["company"]).frame["company"].tolist() == ["A", "A"]


def test_months_come_from_the_one_column_of_dates(given):
    got = read([given], Model, groups=["month"])
    assert got.frame["month"].tolist() == ["2026-05", "2026-05", "2026-06", None]
    assert "1 postings have no date in 'date_posted'" in got.notes[-1]
    told = read([given], Model, groups=["month:date_posted"])
    assert told.frame["month"].equals(got.frame["month"])


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("colour", "no column 'colour'"),
        ("month:colour", "no column seems to hold a date"),
    ],
)
def test_groups_that_are_not_there_are_refused(given, group, said):
    with pytest.raises(DataError, match=said):
        read([given], Model, groups=[group])


def test_two_columns_of_dates_must_be_told_apart(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text("title,created_at,posted\nHead,1767225600,2026-05-01\n")
    with pytest.raises(DataError, match="created_at, posted"):
        read([path], Model, groups=["month"])
    assert read([path], Model, groups=["month:created_at"]).frame["month"].tolist() == ["2026-01"]


def test_dates_of_many_kinds():
    given = ["2026-05-03", "May 3, 2026", 1777766400, 1777766400000, "1777766400", None, "", "?", 7]
    found, lost = months(given)
    assert found == ["2026-05"] * 5 + [None] * 4
    assert lost == 4


def test_answers_cannot_be_mixed_with_none_or_cut(given, answered, tmp_path):
    with pytest.raises(DataError, match="holds no answers"):
        read([given, answered], Model)
    cut = tmp_path / "cut.csv"
    cut.write_text("title,label,cx_probability\nHead,review,0.5\n")
    with pytest.raises(DataError, match="without the column"):
        read([cut], Model)


def test_what_is_no_posting_is_counted(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"title": "Head of CX"}\n{broken\n{"title": "Agent"}\n')
    got = read([path], Model)
    assert (len(got.frame), got.unparsed) == (2, 1)
    empty = tmp_path / "empty.csv"
    empty.write_text("title,description\n")
    with pytest.raises(FormatError, match="no posting"):
        read([empty], Model)


@pytest.mark.parametrize(
    "text",
    ["id,role\n1,sales\n", "\ufeffid;role\n1;sales\n", "id\trole\n1\tsales\n",
     '{"id": "1", "role": "sales"}\n\n'],
)  # fmt: skip
def test_audits_of_many_kinds(tmp_path, text):
    path = tmp_path / "audit"
    path.write_text(text, encoding="utf-8")
    assert read_audit(path)[["id", "role"]].to_dict("records") == [{"id": "1", "role": "sales"}]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_coded_sheet_is_an_audit(tmp_path, ending):
    path = tmp_path / f"audit.{ending}"
    sheet.write(path, [{"id": "-7", "title": "Agent", "role": "sales"}, {"id": "8"}])
    assert read_audit(path)[["id", "role"]].to_dict("list") == {
        "id": ["-7", "8"],
        "role": ["sales", ""],
    }


def test_broken_audits_are_refused(tmp_path):
    path = tmp_path / "audit"
    path.write_text('{"id": 1}\n{broken\n')
    with pytest.raises(FormatError, match="line 2"):
        read_audit(path)
    path.write_bytes(b"id,role\n1,\xe9\n")
    with pytest.raises(FormatError, match="UTF-8"):
        read_audit(path)
    with pytest.raises(FormatError, match="No such file"):
        read_audit(tmp_path / "nowhere")
