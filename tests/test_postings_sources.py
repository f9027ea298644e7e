"""Every source's fields are found without options, and nothing else is taken for them."""

import json
from pathlib import Path

import pytest

from cxjobs.errors import FormatError
from cxjobs.postings import Reading
from cxjobs.postings.sources import PARTS, fields_of, known

FILES = Path(__file__).parent / "files" / "postings"
CASES = json.loads((Path(__file__).parent / "files" / "postings_cases.json").read_text("utf-8"))
TITLES = [
    "Head of Customer Experience",
    "Customer Experience Agent (Night Shift)",
    "Leitung Kundenerlebnis",
]
BODIES = ["journey map of our ferry", "answer calls and chats", "führst das Programm"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["file"])
def test_every_source_is_read_without_options(case):
    reading = Reading([FILES / case["file"]])
    batches = list(reading.batches())

    def column(name):
        return [text for batch in batches for text in getattr(batch, name).to_pylist()]

    assert {file.fields.source for file in reading.files if file.fields.title} == {case["source"]}
    assert column("title") == TITLES
    assert column("id") == case["ids"]
    for number, (text, body) in enumerate(zip(column("description"), BODIES, strict=True)):
        if number in case.get("no_description", ()):
            assert text == ""
        else:
            assert body in text
            assert case.get("contains", "") in text
            # What says nothing of the job itself, or stands in for a description elsewhere.
            assert "Not this one" not in text
            assert ("quiet offices" in text) == (case["source"] == "emscad")
    assert sum(len(batch.rejects) for batch in batches) == case.get("rejects", 0)
    assert sum(batch.table.num_rows for batch in batches) == 3


def test_every_source_of_the_table_has_a_file_to_try():
    tried = {case["source"] for case in CASES}
    assert {one.name for one in known()} - tried == {"usajobs-flat"}


@pytest.mark.parametrize("source", known(), ids=lambda source: source.name)
def test_a_source_can_be_told_by_its_own_fields(source):
    for need in source.needs:
        fields = fields_of(sorted(need), where="x")
        assert fields.title, f"{source.name} is told by {need}, which hold no title"


@pytest.mark.parametrize(
    ("columns", "title", "description"),
    [
        (["Job Title", "Company Description", "Company Profile"], "Job Title", ""),
        (["job_title", "job_level", "job_function", "skills_desc"], "job_title", ""),
        (["id", "text", "title", "body"], "title", "body"),
        (["position", "title", "summary"], "title", "summary"),
        (["position", "company_description"], "position", ""),
        (["JOBTITLE", "Job-Description", "description_length"], "JOBTITLE", "Job-Description"),
    ],
)
def test_generic_names_and_their_traps(columns, title, description):
    shown = fields_of(columns, where="x").shown()
    assert (shown["title"], shown["description"]) == (title, description)


def test_a_mapping_overrides_and_joins():
    columns = ["title", "text", "a", "b|c", "d"]
    fields = fields_of(columns, {"title": "text", "description": "d|a+title"}, where="x")
    assert fields.title == ("text",)
    assert fields.description == (("d", "a"), ("title",))
    assert fields_of(columns, {"title": "b|c"}, where="x").title == ("b|c",)


@pytest.mark.parametrize(
    ("columns", "mapping", "says"),
    [
        (["text", "body"], None, "--map title=COLUMN"),
        (["text", "body"], None, "'text', 'body'"),
        (["title"], {"title": "nme"}, "no column 'nme'"),
        (["title"], {"name": "title"}, ", ".join(PARTS)),
        (["a", "b"], {"title": "a+b"}, "only the description"),
    ],
)
def test_what_is_missing_is_said_with_the_mend(columns, mapping, says):
    with pytest.raises(FormatError, match="--map") as error:
        fields_of(columns, mapping, where="jobs.csv")
    assert says in str(error.value)


def said(columns, mapping=None):
    with pytest.raises(FormatError) as error:
        fields_of(columns, mapping, where="jobs.csv")
    return str(error.value)


def test_one_column_may_want_a_header():
    assert "put one in: title." in said(["Head of CX"])
    assert "put one in" not in said(["a", "b"])
    assert "Columns: none." in said([])


def test_a_long_list_of_columns_is_cut():
    names = [f"c{i}" for i in range(40)]
    assert "'c39'. Say" in said(names)
    assert "'c39' and 1 more. Say" in said([*names, "c40"])
    assert "'c40'" not in said([*names, "c40"])
    assert "no column 'x'. Columns: 'title', 'b'." in said(["title", "b"], {"id": "b|x"})


def test_paths_may_lead_inside_a_column():
    fields = fields_of(["a", "b"], {"title": "a.x|b", "description": "b.y+a"}, where="x")
    assert fields.title == ("a.x", "b")
    assert fields.description == (("b.y",), ("a",))
    assert fields.source == "given"
    assert fields.shown() == {
        "title": "a.x|b", "description": "b.y+a", "id": "", "company": "", "location": "",
    }  # fmt: skip
