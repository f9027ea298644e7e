"""The round trip of a review from the shell: pick, code, merge, train's table, curve."""

import csv
import io
import json

import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import labelled

from cxjobs import dataset, merge, sheet
from cxjobs.answer import load_model
from cxjobs.cli import group
from cxjobs.taxonomy import ROLES

ENTER = "\r"


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")

    def call(*asked, keys=""):
        return CliRunner().invoke(group, ["review", *map(str, asked)], input=keys)

    return call


@pytest.fixture
def answered(folder, tmp_path):
    """An output of classify, with a column of roles given before."""
    table = labelled(60, seed=5)
    frame = load_model(folder).classify(table[["id", "title", "description"]])
    frame["coded"] = table["role"]
    path = tmp_path / "answered.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def picked(tmp_path):
    path = tmp_path / "sheet.csv"
    told = "lead of a team that answers the calls of guests in town, number {}"
    sheet.write(
        path,
        [
            {
                "id": str(i),
                "title": f"Post {i}",
                "description": told.format(f"x{i}") if i else "",
                "model_role": "sales",
                "model_probability": "0.4",
                "evidence": "calls +0.5",
                "why": "review: sales 40%, other 30%",
            }
            for i in range(4)
        ],
    )
    return path


def roles(path):
    return [row["role"] for row in sheet.read(path)]


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_pick_writes_a_sheet(run, answered, folder, tmp_path, ending):
    out = tmp_path / f"sheet.{ending}"
    found = run("pick", answered, "-n", 5, "-o", out, "--model", folder)
    assert (found.exit_code, found.stderr) == (0, "5 of 60 postings picked\n")
    rows = sheet.read(out)
    assert [{row[c] for c in sheet.ASKED} for row in rows] == [{""}] * 5
    assert all(
        row["model_role"] in ROLES and 0 <= float(row["model_probability"]) <= 1 for row in rows
    )
    assert any(row["evidence"] for row in rows)


def test_pick_to_stdout_and_with_labels(run, answered):
    found = run("pick", answered, "-n", 3, "--labels", "coded", "--quiet")
    assert found.exit_code == 0
    lines = list(csv.reader(io.StringIO(found.stdout.removeprefix("\ufeff"))))
    assert tuple(lines[0]) == sheet.COLUMNS
    assert len(lines) == 4
    assert run("pick", answered, "--labels", "nope").exit_code == 2


def test_pick_of_a_labelled_table_is_out_of_fold(run, tmp_path):
    table = labelled(60)
    table.loc[8, ["role", "label"]] = ["sales", "conflated"]
    table.to_csv(tmp_path / "jobs.csv", index=False)
    found = run("pick", tmp_path / "jobs.csv", "-n", 4, "-o", tmp_path / "s.csv")
    assert found.exit_code == 0
    assert "suspected errors" in found.stderr
    rows = {row["id"]: row for row in sheet.read(tmp_path / "s.csv")}
    assert rows[table["id"][8]]["why"].startswith("coded sales, but: usability")


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_a_random_sample_is_blind_and_audits_a_survey(run, answered, folder, tmp_path, ending):
    out = tmp_path / f"audit.{ending}"
    found = run("pick", answered, "--random", "-n", 10, "-o", out)
    assert (found.exit_code, found.stderr) == (0, "10 of 60 postings drawn at random\n")
    rows = sheet.read(out)
    assert len({row["id"] for row in rows}) == 10
    for row in rows:
        assert not any(row[c] for c in ("model_role", "model_probability", "evidence", "why"))
        row["role"] = "sales"
    sheet.write(out, rows)
    assert "answer is not told" in run("code", _fresh(out, rows), keys="mq").output
    asked = ["survey", str(answered), "--audit", str(out), "--model", str(folder), "--json"]
    told = json.loads(CliRunner().invoke(group, asked).stdout)["per_posting"]
    assert told["audited"]["estimate"] < 0.2 < told["naive"]["high"]
    assert not any("audited" in note for note in told["notes"])


def _fresh(path, rows):
    sheet.write(fresh := path.with_name("fresh.csv"), [row | {"role": ""} for row in rows])
    return fresh


def test_a_random_sample_of_a_labelled_table_needs_no_model(run, tmp_path):
    labelled(60).to_csv(tmp_path / "jobs.csv", index=False)
    asked = ("pick", tmp_path / "jobs.csv", "--random", "-n", 7)
    one, same, other = (run(*asked, "--seed", seed).stdout for seed in (0, 0, 1))
    assert one == same != other
    assert run(*asked, "--labels", "role").exit_code == 2


def test_pick_never_writes_over_answers(run, answered, tmp_path):
    out = tmp_path / "sheet.csv"
    assert run("pick", answered, "-n", 2, "-o", out).exit_code == 0
    assert run("pick", answered, "-n", 3, "-o", out).exit_code == 0
    run("code", out, keys="d-q")
    assert "d" != roles(out)[0] == "other"
    found = run("pick", answered, "-o", out)
    assert found.exit_code == 2
    assert "holds 1 coded rows" in found.stderr
    assert roles(out)[0] == "other"


def test_pick_tells_what_is_missing(run, tmp_path):
    (tmp_path / "a.csv").write_text("title\nHead of CX\n")
    found = run("pick", tmp_path / "a.csv")
    assert found.exit_code == 2
    assert "cxjobs classify" in found.stderr
    assert run("pick", tmp_path / "none.csv").exit_code == 2


def test_each_key_is_a_role_saved_at_once(run, picked):
    found = run("code", picked, keys=f"9a{ENTER}q")
    assert found.exit_code == 0
    assert found.stderr.endswith("2 coded, 2 left.\n")
    first, second, *rest = sheet.read(picked)
    assert (first["role"], first["understand"], first["confidence"]) == ("sales", "", "high")
    assert (second["role"], second["understand"], second["whole"]) == ("usability", "0", "0")
    assert not any(row["role"] for row in rest)


def test_it_resumes_where_it_stopped(run, picked):
    run("code", picked, keys="9q")
    found = run("code", picked, keys=f"2{ENTER}3-d{ENTER}")
    assert "2 of 4, 1 coded" in found.output
    assert roles(picked) == ["sales", "call_center", "retail_service", "other"]
    assert sheet.read(picked)[2]["whole"] == ""
    assert "4 coded, 0 left" in run("code", picked).stderr


def test_undo_takes_back_answers_and_skips(run, picked):
    run("code", picked, keys=f"92{ENTER}uu8q")
    assert roles(picked) == ["marketing", "", "", ""]
    found = run("code", picked, keys="usuq")
    assert "Nothing to undo" in found.output
    found = run("code", picked, keys=f"s2{ENTER}uuq")
    assert roles(picked) == ["marketing", "", "", ""]
    assert [line for line in found.output.splitlines() if "of 4" in line] == [
        "2 of 4, 1 coded", "3 of 4, 1 coded", "3 of 4, 1 coded",
        "4 of 4, 2 coded", "3 of 4, 1 coded", "2 of 4, 1 coded",
    ]  # fmt: skip


def test_skipped_ones_come_again_next_time(run, picked):
    run("code", picked, keys=f"ss2{ENTER}2{ENTER}")
    assert roles(picked) == ["", "", "call_center", "call_center"]
    assert "1 of 4" in run("code", picked, keys="q").output


def test_cx_management_needs_its_elements(run, picked):
    found = run("code", picked, keys=f"s1{ENTER}ud{ENTER}wl{ENTER}q")
    assert found.output.count("needs whole, and two of understand") == 2
    row = sheet.read(picked)[1]
    assert [row[e] for e in ("understand", "design", "manage", "outcome", "whole")] == list("11001")
    assert (row["role"], row["confidence"]) == ("cx_management", "low")


def test_help_the_model_and_the_whole_text_on_demand(run, picked):
    rows = sheet.read(picked)
    rows[0]["description"] = "\n".join(f"line {i}" for i in range(90)) + "\x9b2J\u202e"
    sheet.write(picked, rows)
    found = run("code", picked, keys="q")
    assert "more lines: [space] shows them" in found.output
    assert "line 89" not in found.output
    assert "calls +0.5" not in found.output  # it would sway the coder
    found = run("code", picked, keys="m ?x9?xq\x7fq")
    assert "line 89" in found.output
    assert "model: sales 0.4. calls +0.5" in found.output
    assert "In-person service and its supervision" in found.output
    assert "Runs the experience as a practice" in found.output
    assert "'q' is no key here" in found.output
    assert "\x9b" not in found.output
    assert "\u202e" not in found.output
    assert roles(picked) == [""] * 4


def test_a_closed_input_ends_it_and_keeps_answers(run, picked):
    assert run("code", picked, keys="9").exit_code == 0
    assert roles(picked)[0] == "sales"


def test_merge_makes_a_table_that_holds(run, picked, tmp_path):
    table = labelled(40)
    table.to_csv(tmp_path / "jobs.csv", index=False)
    run("code", picked, keys=f"92{ENTER}3{ENTER}1udw{ENTER}")
    union = tmp_path / "union.csv"
    asked = ("--into", tmp_path / "jobs.csv", "--coder", "ann", "--date", "2025-03-04")
    found = run("merge", picked, *asked, "-o", union)
    assert found.exit_code == 0, found.output
    assert found.stderr == f"{union}: 44 rows; 4 added\n"
    assert len(dataset.load(union)) == 44
    log = merge.read_log(union)
    assert {(one["coder"], one["date"]) for one in log} == {("ann", "2025-03-04")}
    again = run("merge", picked, "--into", union, "--coder", "ann", "-o", union)
    assert again.stderr == f"{union}: 44 rows; 4 known\n"


def test_merge_reports_conflicts_and_exits_1(run, picked, tmp_path):
    table = labelled(40)
    table.to_csv(tmp_path / "jobs.csv", index=False)
    rows = sheet.read(picked)
    rows[0] |= {"id": table["id"][1], "role": "sales"}
    rows[1] |= {"role": "boss"}
    sheet.write(picked, rows)
    asked = ("--into", tmp_path / "jobs.csv", "--coder", "ann", "-o", tmp_path / "union.csv")
    found = run("merge", picked, *asked)
    assert found.exit_code == 1
    assert "role call_center in the table, sales in the sheet" in found.stderr
    assert "sheet.csv, row 3 (1): can't be merged: role is 'boss'" in found.stderr
    assert run("merge", picked, *asked, "--overwrite").exit_code == 1
    union = pd.read_csv(tmp_path / "union.csv", dtype=str).set_index("id")
    assert union["role"][table["id"][1]] == "sales"


def test_merge_of_nothing_is_told(run, picked, tmp_path):
    labelled(40).to_csv(tmp_path / "jobs.csv", index=False)
    asked = ("--into", tmp_path / "jobs.csv", "-o", tmp_path / "union.csv")
    found = run("merge", picked, *asked, "--coder", "ann")
    assert (found.exit_code, "No sheet has a row with a role" in found.stderr) == (2, True)
    assert run("merge", picked, *asked, "--coder", " ").exit_code == 2
    assert not (tmp_path / "union.csv").exists()


def test_curve_prints_a_table_or_json(run, tmp_path):
    labelled(80).to_csv(tmp_path / "jobs.csv", index=False)
    found = run("curve", tmp_path / "jobs.csv", "--folds", 2, "--json", "--quiet")
    assert found.exit_code == 0
    points = [json.loads(line) for line in found.stdout.splitlines()]
    assert [p["share"] for p in points] == [0.25, 0.5, 0.75, 1.0]
