"""Postings of one role are found, others are not, however they are cut into batches."""

import hashlib
import itertools
import random

import numpy as np
import pyarrow as pa
import pytest

from cxjobs.postings import duplicates
from cxjobs.postings.batch import Batch
from cxjobs.postings.duplicates import (
    FEWEST,
    SLOTS,
    TRIED,
    Duplicates,
    _Index,
    _keys,
    _shared,
    anchors,
    role_name,
    sketches,
)

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


def windows(one):
    """Anchors of a text, letter by letter."""
    data = one.encode()
    found = []
    for end in range(8, len(data)):
        before = data[end - 1]
        word = before >= 128 or chr(before).isalnum()
        if data[end] in b"\n.<" and word:
            mixed = int.from_bytes(data[end - 8 : end], "little") | 0x2020202020202020
            mixed = mixed * 0x9E3779B97F4A7C15 % 2**64
            found.append(mixed ^ mixed >> 29)
    return found


ANCHORED = [
    "", "short.", "12345678.", "1234567.", "a longer one\nand more<br>THE END. Really .  x.",
    "größer ist ü.\nZaz09 zZAaz9.{aaaaaaa}.[aaaaaa`.aaaaaaa@.aaaaaaa/.aaaaaaa:.", "", "x" * 20,
    "y" * 20 + ".", "ends with seven.\n1234567", ".", "kkkkkkkk.kkkkkkkk.kkkkkkkk.",
]  # fmt: skip


@pytest.mark.parametrize("first", [0, 2, 5])
def test_anchors_are_the_bytes_before_ends(first):
    texts = pa.array(ANCHORED, pa.string())[first:]
    features, starts, counts = anchors(texts)
    wanted = [windows(one) for one in ANCHORED[first:]]
    assert counts.tolist() == list(map(len, wanted))
    assert features.tolist() == [one for part in wanted for one in part]
    for start, part in zip(starts, wanted, strict=True):
        assert features[start : start + len(part)].tolist() == part


def test_letters_of_any_case_are_the_same_anchor():
    features, _, _ = anchors(pa.array(["Ask the GUESTS.", "ask the guests."]))
    assert features[0] == features[1]
    none, starts, counts = anchors(pa.array(["tiny", "."]))
    assert (len(none), starts.tolist(), counts.tolist()) == (0, [0, 0], [0, 0])


def test_six_anchors_are_compared_by_their_minima_and_fewer_word_for_word():
    enough = " ".join(f"word{n}more." for n in range(FEWEST))
    fewer = " ".join(f"word{n}more." for n in range(FEWEST - 1))
    rows = [{"description": d} for d in (enough, enough + " X", fewer, fewer + " X", "")]
    sketch, comparable = sketches(batch(rows))
    assert comparable.tolist() == [True, True, True, True, False]
    assert (sketch[0] == sketch[1]).all()
    assert not (sketch[2] == sketch[3]).any()
    odd = duplicates._ODD.astype(object)
    for slot in range(SLOTS):
        hashed = [(f * odd[0, slot] + odd[1, slot]) % 2**64 >> 32 for f in windows(enough)]
        assert sketch[0, slot] == min(hashed)
    words = hashlib.blake2b(fewer.encode(), digest_size=64).digest()
    assert sketch[2].tobytes() == words


def test_keys_are_told_by_fours_of_minima():
    draw = np.random.default_rng(0)
    sketch = draw.integers(0, 2**32, (200, SLOTS), dtype=np.uint64).astype(np.uint32)
    keys = _keys(sketch)
    assert keys.shape == (200, 3)
    assert len(np.unique(keys)) == 600
    for slot in range(SLOTS):
        other = sketch.copy()
        other[:, slot] += 1
        changed_ = (_keys(other) != keys).mean(axis=0)
        # The last four minima are in no key.
        assert changed_.tolist() == [float(slot // 4 == band) for band in range(3)]


def test_shared_keys():
    keys = np.array([[1, 2, 3], [4, 5, 6], [7, 2, 8], [9, 9, 10]], np.uint32)
    assert _shared(keys).tolist() == [True, False, True, True]


@pytest.mark.parametrize("size", [1, 3, 50])
def test_the_index_finds_the_first_roles_of_each_key(size, tmp_path, monkeypatch):
    monkeypatch.setattr(duplicates, "LARGE", 400)
    draw = np.random.default_rng(size)
    keys = draw.integers(0, 40, (300, 3)).astype(np.uint32)
    index = _Index(tmp_path)
    for start in range(0, 300, size):
        numbers = np.arange(start, min(start + size, 300), dtype=np.uint64)
        index.add(keys[start : start + size], numbers)
    index.add(keys[:0], np.zeros(0, np.uint64))
    # Each run is more than twice as long as the next.
    lengths = [len(run) for run in index._runs]
    assert all(a > 2 * b for a, b in itertools.pairwise(lengths))
    assert sum(lengths) == 900
    assert isinstance(index._runs[0], np.memmap) is (size < 300)
    wanted = draw.integers(0, 60, (20, 3)).astype(np.uint32)
    holders = {key: np.flatnonzero((keys == key).any(axis=1)).tolist() for key in range(60)}
    assert index.has(wanted).tolist() == [any(holders[k] for k in row) for row in wanted.tolist()]
    found = sorted(zip(*(part.tolist() for part in index.find(wanted)), strict=True))
    for row, band in itertools.product(range(20), range(3)):
        mine = [n for r, b, n in found if (r, b) == (row, band)]
        entries = sorted(n for n in holders[wanted[row, band]] for _ in range(
            int((keys[n] == wanted[row, band]).sum())
        ))  # fmt: skip
        assert mine == entries[:TRIED]


def test_no_more_than_so_many_roles_of_a_key_are_compared():
    rows = [{"title": f"{w} lead", "description": "a b", "id": w} for w in WORDS[:TRIED]]
    late = {"title": "late lead", "description": "a b", "id": "late"}
    again = [{**late, "id": "again"}, {**rows[-1], "id": "last"}]
    for size in (1, 4, 99):
        assert originals([*rows, late, *again], size)[TRIED:] == [None, None, WORDS[TRIED - 1]]
        assert originals([*rows[:-1], late, *again], size)[TRIED:][0] == "late"


def test_marks_between_parts_cannot_be_smuggled_in():
    rows = [{"title": "CX\x1flead", "description": "a b", "id": "i\x1fd", "location": "x\x1fy"}] * 2
    assert originals(rows, 1) == [None, "i%20d"]


def test_a_position_counts_roles_and_bytes(tmp_path):
    seen = Duplicates(tmp_path)
    assert seen.settle() == {"roles": 0, "bytes": 0}
    assert seen.of(batch([])) == []
    seen.of(batch([{"title": "é", "description": "a", "id": "1", "location": "K"}]))
    assert seen.settle() == {"roles": 1, "bytes": len("é\x1fK\x1f1".encode())}
    assert (tmp_path / "roles.txt").read_text("utf-8") == "é\x1fK\x1f1"
    seen.close()
