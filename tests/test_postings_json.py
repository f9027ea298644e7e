"""JSON of every form: each posting with its own text, broken ones apart."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxjobs.errors import FormatError
from cxjobs.postings import Reading, jsonrows
from cxjobs.postings.inputs import Stream
from cxjobs.postings.jsonrows import Row

FILES = Path(__file__).parent / "files" / "postings"
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
POSTING = st.fixed_dictionaries({"title": st.text(max_size=8), "more": VALUE})


@pytest.fixture
def small_pieces(monkeypatch):
    monkeypatch.setattr(jsonrows, "CHUNK", 7)


def rows_of(path, *, lines=False):
    found = list(jsonrows.read(Stream(str(path)), lines=lines))
    return [one for one in found if isinstance(one, Row)], [
        one for one in found if not isinstance(one, Row)
    ]


@given(
    st.lists(POSTING, max_size=6),
    st.sampled_from(["lines", "array", "wrapped", "appended", "indented"]),
    st.booleans(),
    st.integers(1, 40),
)
@settings(max_examples=150, deadline=None)
def test_postings_come_out_as_they_were_in_pieces_of_any_size(
    tmp_path_factory, postings, form, escaped, chunk
):
    def dumped(value, **options):
        return json.dumps(value, ensure_ascii=escaped, **options)

    half = len(postings) // 2
    text = {
        "lines": "".join(dumped(one) + "\n" for one in postings),
        "array": dumped(postings),
        "wrapped": dumped({"count": 12, "jobs": postings, "meta": {"page": [1]}}),
        "appended": "[\n"
        + ",\n".join(map(dumped, postings[:half]))
        + "\n][\n"
        + ",\n".join(map(dumped, postings[half:]))
        + "\n]",
        "indented": dumped({"results": postings}, indent=2),
    }[form]
    path = tmp_path_factory.mktemp("json") / "jobs.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    before = jsonrows.CHUNK
    jsonrows.CHUNK = chunk
    try:
        rows, rejects = rows_of(path, lines=form == "lines")
    finally:
        jsonrows.CHUNK = before
    assert not rejects
    assert [row.value for row in rows] == postings
    assert all(json.loads(row.raw) == row.value and "\n" not in row.raw for row in rows)


def test_a_line_keeps_its_own_text():
    rows, rejects = rows_of(FILES / "broken.jsonl", lines=True)
    assert rows[-1].raw == (
        '{"title":"Last","description":"c","n":1e5,"big":12345678901234567890,"x":1.10}'
    )
    assert [row.value["title"] for row in rows] == ["Head of CX", "Half \ud83d pair", "Last"]
    assert [one.line for one in rejects] == [2, 4, 4, 5, 6, 8]
    assert rejects[0].raw == '{"title":"cut'
    assert "\\xff" in rejects[4].raw
    assert "--encoding" in rejects[4].reason


def test_broken_members_of_an_array_are_rejected_and_the_others_are_read():
    rows, rejects = rows_of(FILES / "broken.json")
    assert [row.value["title"] for row in rows] == ["Head of CX", "CX Manager"]
    assert [(one.line, one.raw) for one in rejects] == [
        (3, '{"title": "Broken "quote", "description": "b"}'),
        (5, "7"),
        (6, '{"title": "Cut off", "descr'),
    ]


@pytest.mark.usefixtures("small_pieces")
def test_broken_members_are_found_in_small_pieces_too():
    test_broken_members_of_an_array_are_rejected_and_the_others_are_read()


def test_a_broken_member_on_one_line_is_skipped_up_to_the_next_posting(tmp_path):
    path = tmp_path / "jobs.json"
    path.write_text(
        '[{"title": "a", "n": [{"k": 1}]}, {"title": "b" "n": [{"k": 2}, {"k": 3}]},'
        ' {"title": "c", "n": []}]'
    )
    rows, rejects = rows_of(path)
    assert [row.value["title"] for row in rows] == ["a", "c"]
    assert len(rejects) == 1


@pytest.mark.parametrize(
    ("value", "titles"),
    [
        ({"data": {"jobs": [{"title": "a"}, {"title": "b"}]}}, ["a", "b"]),
        ({"title": "a", "data": {"x": 1}, "items": [{"y": 2}]}, ["a"]),
        ({"name": "Board", "jobs": [{"title": "a"}]}, ["a"]),
        ({"name": "Guide", "contents": "x", "items": [{"price": 2}]}, []),
        ({"jobs": []}, []),
        ([{"jobs": [{"title": "a"}]}, {"jobs": [{"title": "b"}]}], ["a", "b"]),
        ({"itemListElement": [{"item": {"@type": "JobPosting", "title": "a"}}]}, ["a"]),
        ({"@type": "JobPosting", "title": "a"}, ["a"]),
        ({"@type": "Organization", "name": "n"}, []),
    ],
)
def test_postings_are_found_inside_what_wraps_them(tmp_path, value, titles):
    path = tmp_path / "jobs.json"
    for text in (json.dumps(value), json.dumps(value, indent=1)):
        path.write_text(text)
        rows, rejects = rows_of(path)
        assert [row.value["title"] for row in rows if "title" in row.value] == titles
        assert not rejects


def test_a_key_that_comes_late_is_a_column_of_all(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_text('{"title": "a"}\n{"title": "b", "more": [1, {"x": null}], "n": 1.50}\n')
    table = next(Reading([path]).batches()).table
    assert table.to_pylist() == [
        {"title": "a", "more": None, "n": None},
        {"title": "b", "more": '[1, {"x": null}]', "n": "1.5"},
    ]


def test_a_file_without_postings_is_an_error(tmp_path):
    path = tmp_path / "jobs.json"
    path.write_text("[]")
    with pytest.raises(FormatError, match="no posting"):
        Reading([path])
