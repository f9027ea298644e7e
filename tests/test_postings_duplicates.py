"""Postings of one role are found, others are not, however they are cut into batches."""

import random

import pyarrow as pa
import pytest

from cxjobs.postings.batch import Batch
from cxjobs.postings.duplicates import Duplicates, role_name

WORDS = [f"{a}{b}" for a in "ferry pier guest crew harbor tide".split() for b in range(300)]


def text(draw, sentences=30):
    return " ".join(
        " ".join(draw.choices(WORDS, k=draw.randint(5, 14))).capitalize() + "."
        for _ in range(sentences)
    )


def batch(rows):
    columns = ("title", "description", "id", "company", "location")
    arrays = {name: pa.array([row.get(name, "") for row in rows], pa.string()) for name in columns}
    numbered = pa.array([row.get("numbered", False) for row in rows], pa.bool_())
    return Batch(file="x", numbered=numbered, **arrays)


def originals(rows, size=1000, folder=None):
    seen = Duplicates(folder)
    found = []
    for start in range(0, len(rows), size):
        found += seen.of(batch(rows[start : start + size]))
    seen.close()
    return found


def changed(draw, description, sentences):
    """The same posting with so many sentences put in or replaced."""
    parts = description.split(". ")
    for _ in range(sentences):
        parts[draw.randrange(len(parts))] = text(draw, 1).removesuffix(".")
    return ". ".join(parts)


def test_a_role_put_up_again_is_found_and_others_are_not():
    draw = random.Random(1)
    rows, wanted = [], []
    for i in range(400):
        role = {
            "title": f"{WORDS[draw.randrange(1800)]} manager",
            "description": text(draw),
            "id": f"r{i}",
            "location": "Kiel",
        }
        rows.append(role)
        wanted.append(None)
        for city in draw.sample(["Ulm", "Bonn", "Jena"], draw.randrange(3)):
            body = changed(draw, role["description"], draw.randrange(2))
            rows.append(
                {
                    "title": f"{role['title'].title()} ({city})",
                    "description": f"{city}: {body} Apply in {city}!",
                    "id": f"r{i}-{city}",
                    "location": city,
                }
            )
            wanted.append(f"r{i}")
    found = originals(rows)
    assert [f for f, w in zip(found, wanted, strict=True) if w is None] == [None] * 400
    missed = sum(f != w for f, w in zip(found, wanted, strict=True))
    assert missed <= 0.02 * len(rows)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_batches_make_no_difference(size):
    draw = random.Random(2)
    pool = [text(draw, draw.choice([1, 3, 20])) for _ in range(12)] + ["", ""]
    rows = [
        {
            "title": draw.choice(["CX lead", "CX lead - Ulm", "CX agent", "Head of CX"]),
            "description": changed(draw, draw.choice(pool), draw.randrange(2)),
            "id": str(i),
            "company": draw.choice(["A", "B", ""]),
        }
        for i in range(400)
    ]
    assert originals(rows, size) == originals(rows, 400)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (("CX lead", "Own it."), ("CX lead",), False),
        (("CX lead",), ("CX lead",), False),
        (("CX lead", "", "A"), ("CX Lead", "", "a "), True),
        (("CX lead", "", "A"), ("CX lead", "", "B"), False),
        (("CX lead", "a b"), ("CX lead", "A  b"), True),
        (("CX lead", "a b"), ("CX lead", "a c"), False),
        (("CX lead", "a b"), ("Sales lead", "a b"), False),
        (("", "a b"), ("", "a b"), True),
        ((), (), False),
    ],
)
def test_short_and_bare_postings_are_compared_word_for_word(first, second, same):
    names = ("title", "description", "company")
    rows = [dict(zip(names, values, strict=False)) for values in (first, second)]
    found = originals([{**row, "id": str(number)} for number, row in enumerate(rows, 1)])
    assert found == [None, "1" if same else None]


def test_the_same_posting_listed_twice_is_found_even_without_a_company():
    rows = [{"title": "CX lead", "id": "https://x.example/1"}] * 2
    assert originals(rows) == [None, "https://x.example/1"]


def test_the_number_of_a_row_is_nobody_elses_id():
    rows = [{"title": "CX lead", "id": "1", "numbered": n} for n in (True, False, True, False)]
    assert originals(rows) == [None, None, None, "1"]
    told = [{**row, "description": "Own it."} for row in rows]
    assert originals(told) == [None, "1", "1", "1"]


def test_a_sentence_that_all_share_makes_no_duplicates():
    draw = random.Random(3)
    common = text(draw, 10)
    rows = [
        {"title": "CX lead", "description": f"{text(draw, 20)} {common}", "id": str(i)}
        for i in range(300)
    ]
    assert not any(originals(rows))


def test_ids_cannot_break_the_list_of_flags():
    rows = [{"title": "a", "description": "x", "id": "1, 2"}] * 2
    assert originals(rows) == [None, "1%2C%202"]


@pytest.mark.parametrize(
    ("title", "location", "name"),
    [
        ("CX Manager (m/w/d)", "", "cx manager"),
        ("CX Manager | Nordfähre", "", "cx manager"),
        ("CX Manager – Remote", "", "cx manager"),
        ("CX Manager, Kiel", "Kiel, DE", "cx manager"),
        ("Manager, Customer Experience", "Kiel", "manager customer experience"),
        ("(Kiel)", "Kiel", "kiel"),
        ("顧客体験マネージャー", "", "顧客体験マネージャー"),
    ],
)
def test_the_name_of_a_role(title, location, name):
    assert role_name(title, location) == name


def test_roles_are_kept_on_the_disk_and_can_be_gone_back_to(tmp_path):
    draw = random.Random(4)
    rows = [
        {"title": "CX lead", "description": text(draw), "id": str(i), "company": "A"}
        for i in range(60)
    ]
    rows += [{**row, "id": row["id"] + "b"} for row in rows]
    seen = Duplicates(tmp_path)
    before = seen.of(batch(rows[:50]))
    position = seen.settle()
    seen.of(batch(rows[50:80]))  # written, and then forgotten
    seen.close()
    seen = Duplicates(tmp_path, position)
    after = seen.of(batch(rows[50:]))
    seen.close()
    assert before + after == originals(rows) == [None] * 60 + [str(i) for i in range(60)]
