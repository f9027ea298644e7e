"""``cxjobs survey`` from outside: formats in and out, exit codes, errors."""

from __future__ import annotations

import csv
import io
import json

import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import ROOT

from cxjobs.cli import group
from cxjobs.taxonomy import CX, ROLES


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    path = tmp_path_factory.mktemp("survey") / "jobs.csv"
    table = pd.read_csv(ROOT / "data" / "labeled_jobs.csv", dtype=str, keep_default_na=False)
    table = table[table["source"] == "composed"].sample(60, random_state=1)
    table["posted"] = ["2026-05-02", "2026-06-03", "2026-06-30"] * 20
    # Postings of one employer resemble each other.
    table["company"] = table["role"].map(lambda role: "Alpha" if role == CX else "Beta")
    table[["id", "title", "description", "company", "posted"]].to_csv(path, index=False)
    table[["id", "role"]].head(30).to_csv(path.with_name("audit.csv"), index=False)
    return path


def run(*arguments, **options):
    return CliRunner().invoke(group, ["survey", *map(str, arguments)], **options)


def test_table_says_the_share_and_the_roles(given):
    done = run(given)
    assert done.exit_code == 0, done.output
    first = done.stdout.splitlines()[0]
    assert "of 60 postings are true CX management (95% interval" in first
    assert "CX in name only" in done.stdout
    assert "\x1b" not in done.stdout


def test_raw_and_answered_give_the_same_figures(given, tmp_path):
    answered = tmp_path / "answered.jsonl"
    CliRunner().invoke(group, ["classify", str(given), "-o", str(answered), "--quiet"])
    raw, told = (json.loads(run(path, "--json").stdout) for path in (given, answered))
    for name in ("naive", "corrected", "labels", "table", "practice", "gaps"):
        assert raw["per_posting"][name] == told["per_posting"][name]
    assert told["inputs"] == [str(answered)]
    assert [row["role"] for row in raw["per_posting"]["table"]] == list(ROLES)


def test_every_output_holds_the_same_share(given, tmp_path):
    page, sheet = tmp_path / "r.html", tmp_path / "r.csv"
    done = run(given, "--html", page, "--csv", sheet, "--by", "company")
    assert done.exit_code == 0, done.output
    told = json.loads(run(given, "--json", "--by", "company").stdout)
    rows = list(csv.DictReader(io.StringIO(sheet.read_text())))
    naive = told["per_posting"]["naive"]["estimate"]
    assert float(next(r for r in rows if r["code"] == CX)["share"]) == pytest.approx(
        naive, abs=1e-6
    )
    assert f"{naive:.1%}" in page.read_text()
    assert f"{naive:.1%}" in done.stdout
    assert {r["name"] for r in rows if r["table"] == "by company"} == {"Alpha", "Beta"}
    assert "Wrote" in done.stderr
    assert run(given, "--html", page, "--quiet").stderr == ""


def test_stdin_and_stdout(given):
    text = given.read_bytes()
    done = run("-", "--html", "-", input=text)
    assert done.stdout.startswith("<!doctype html>")
    assert done.stdout.rstrip().endswith("</html>")
    done = run("-", "--csv", "-", input=text)
    assert done.stdout.startswith("per,table,code")
    assert run(given, "--csv", "-", "--json").exit_code == 2


def test_groups_by_month_and_audit(given):
    told = json.loads(run(given, "--by", "month", "--json").stdout)
    groups = {row["group"]: row["postings"] for row in told["per_posting"]["groups"]}
    assert groups == {"2026-05": 20, "2026-06": 40}
    told = json.loads(run(given, "--audit", given.with_name("audit.csv"), "--json").stdout)
    audited = told["per_posting"]["audited"]
    assert audited["low"] <= audited["estimate"] <= audited["high"]
    wide = json.loads(run(given, "--cluster", "company", "--json").stdout)["per_posting"]["naive"]
    naive = told["per_posting"]["naive"]
    assert wide["high"] - wide["low"] > naive["high"] - naive["low"]


def test_one_unit_alone(given):
    assert "per_posting" not in json.loads(run(given, "--per", "role", "--json").stdout)
    assert "per_role" not in json.loads(run(given, "--per", "posting", "--json").stdout)


def test_rows_that_cannot_be_read_are_told(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"title": "Head of Customer Experience"}\n{"title": ""}\n{broken\n')
    done = run(path)
    assert done.exit_code == 1
    assert "1 could not be parsed; 1 without title and description" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["{given}", "--by", "colour"], "no column 'colour'"),
        (["{given}", "--audit", "nowhere.csv"], "nowhere.csv"),
        (["{given}", "--model", "nowhere"], "not a model folder"),
        (["{given}", "--html", "nowhere/r.html"], "cannot be written"),
        (["{given}", "--per", "firm"], "firm"),
        (["{given}", "--confidence", "1"], "confidence"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use_is_told(given, arguments, said, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    done = run(*(argument.replace("{given}", str(given)) for argument in arguments))
    assert done.exit_code == 2
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_example_postings_are_as_composed(tmp_path):
    source = ROOT / "data" / "compose_survey.py"
    names = {"__file__": str(tmp_path / source.name), "__name__": "__main__"}
    exec(compile(source.read_text(encoding="utf-8"), str(source), "exec"), names)
    written = (tmp_path / "examples_survey.jsonl").read_bytes()
    assert written == (ROOT / "data" / "examples_survey.jsonl").read_bytes()
