"""What files hold, counted without an answer."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from cxjobs.postings import Reading
from cxjobs.postings.batch import Batch, Reject
from cxjobs.postings.overview import JUDGED, SAMPLES, SHOWN, Overview, foreign, overviews
from cxjobs.postings.sources import PARTS

ENGLISH = "we are the team that will listen to our guests and mend the ferry for you and us all "
GERMAN = "wir suchen eine leitung des dienstes mit erfahrung und freude am beruf in der stadt "
ROWS = [
    {"title": "Head of CX", "description": ENGLISH * 3, "id": "1"},
    {"title": "Leitung", "description": GERMAN * 3, "id": "2"},
    {"title": " ", "description": "cut off here ...", "id": "3"},
    {"title": "Long " + "x" * 90, "description": " \n", "id": "4"},
    {"title": "Fifth", "description": ENGLISH * 20 + GERMAN * 60, "id": "5"},  # judged by its start
]


def nothing(file, rejects):
    """A batch without rows."""
    none = pa.array([], pa.string())
    names = ("title", "description", "id", "company", "location", "numbered")
    bad = tuple(Reject(file, n, "", "why") for n in range(rejects))
    return Batch(file, **dict.fromkeys(names, none), rejects=bad)


@pytest.fixture
def found(tmp_path):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.csv"
    lines = [json.dumps(row) for row in ROWS]
    first.write_text("\n".join([*lines, "{broken", "7", "8", "9"]) + "\n")
    second.write_text(f"title;description\nHead of CX;{ENGLISH * 3}\n" + "New;\n" + "x\n" * 5)
    return overviews(Reading([first, second]))


def test_what_is_counted(found):
    first, second = found
    assert (first.rows, first.unparsed) == (5, 4)
    assert (first.without_title, first.without_description, first.truncated) == (1, 1, 1)
    assert (first.not_english, first.duplicates) == (1, 0)
    assert (second.rows, second.unparsed, second.without_description) == (2, 5, 1)
    assert (second.format, second.delimiter, second.packed) == ("csv", ";", None)
    assert (first.format, first.delimiter, first.encoding) == ("jsonl", None, "utf-8")
    # The same posting again, in another file.
    assert second.duplicates == 1
    assert second.to_dict()["rows"] == 2


def test_what_is_shown(found):
    first, second = found
    assert first.samples["title"] == ["Head of CX", "Leitung", ("Long " + "x" * 90)[:SHOWN]]
    assert first.samples["id"] == ["1", "2", "3"]
    assert first.samples["description"][0] == (ENGLISH * 3)[:SHOWN]
    assert len(first.samples["description"]) == SAMPLES
    assert first.samples["company"] == []
    # Numbers of rows are no ids.
    assert second.samples["id"] == []
    assert second.samples["title"] == ["Head of CX", "New"]
    assert first.columns == ["title", "description", "id"]
    assert first.fields["title"] == "title"
    assert (first.source, first.about) == ("generic", "")


def test_the_first_problems_are_told(found):
    first, second = found
    assert len(first.problems) == len(second.problems) == SAMPLES
    first.add(nothing("x", 5), [])
    assert len(first.problems) == SAMPLES
    assert (first.rows, first.unparsed, first.without_title) == (5, 9, 1)
    assert first.problems[0].startswith("line 6: broken JSON")
    assert [one.split(":")[0] for one in second.problems] == ["line 4", "line 5", "line 6"]


def test_rejects_that_come_little_by_little():
    one = Overview("x", "csv", "utf-8", None, ",", "", "", dict.fromkeys(PARTS, ""), [])
    for number in (2, 2, 2):
        one.add(nothing("x", number), [])
    assert (len(one.problems), one.unparsed) == (SAMPLES, 6)
    assert (one.without_title, one.without_description, one.truncated, one.not_english) == (0,) * 4


def test_a_file_that_is_no_table_is_told_by_its_problem(tmp_path):
    (tmp_path / "a.csv").write_text("title\nHead of CX\n")
    (tmp_path / "b.json").write_text('{"debug": true}')
    _, other = overviews(Reading([tmp_path]))
    assert (other.source, other.rows, other.unparsed) == ("", 0, 1)
    assert set(other.fields.values()) == {""}
    assert "no column holds the title" in other.problems[0]
    assert not other.problems[0].startswith("line")


def test_a_known_source_says_what_it_is(tmp_path):
    (tmp_path / "a.json").write_text(
        json.dumps([{"@type": "JobPosting", "title": "x", "description": "y"}])
    )
    (one,) = overviews(Reading([tmp_path / "a.json"]))
    assert one.source != "generic"
    assert one.about


@pytest.mark.parametrize(
    ("text", "judged"),
    [
        ("kunde " * 19, False),
        ("kunde " * 20, True),
        ("the " * 2 + "kunde " * 18, False),
        ("the " * 1 + "kunde " * 19, True),
        ("THE " * 2 + "kunde " * 18, False),
        ("", False),
    ],
)
def test_the_language_of_a_text(text, judged):
    assert foreign(text) is judged
    assert JUDGED == 1000
