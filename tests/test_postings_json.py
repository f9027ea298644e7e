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


def written(tmp_path, data, *, lines=False):
    path = tmp_path / "jobs.json"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return rows_of(path, lines=lines)


def titles(rows):
    return [row.value["title"] for row in rows]


def test_longest_lines_are_taken_longer_ones_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonrows, "LONGEST", 40)
    fits = b'{"title": "' + b"a" * 27 + b'"}'
    assert len(fits) == 40
    long = b'{"title": "' + b"b" * 28 + b'"}'
    data = b"\n".join([fits, long, b"", b'{"title": "c"}', long * 9, b'{"title": "d"}', b"7"])
    for chunk in (8, 64, 1 << 22):
        monkeypatch.setattr(jsonrows, "CHUNK", chunk)
        rows, rejects = written(tmp_path, data, lines=True)
        assert titles(rows) == ["a" * 27, "c", "d"]
        assert [one.line for one in rejects] == [2, 5, 7]
        assert "over 40 bytes" in rejects[0].reason
        assert "over 40 bytes" in rejects[1].reason
        assert rejects[2].raw == "7"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"title": }', "broken JSON: Expecting value, character 11"),
        ('{"title": "a', "broken JSON: Unterminated string starting, character 11"),
        ("[" * 100_000, "broken JSON: maximum recursion"),
        ('"a"', "not a posting: a JSON object was expected"),
    ],
)
def test_a_line_that_is_none_says_why(tmp_path, line, reason):
    rows, rejects = written(tmp_path, f"{line}\r\n" + '{"title": "x"}\n', lines=True)
    assert titles(rows) == ["x"]
    assert rejects[0].reason.startswith(reason)
    assert rejects[0].raw == line


def test_bytes_that_are_no_text_are_counted_from_the_line(tmp_path):
    _, rejects = written(tmp_path, b'{"title": "\xc3\xa9"}\n{"title": "\xff"}\r\n', lines=True)
    assert "at byte 11" in rejects[0].reason
    assert (rejects[0].line, rejects[0].raw) == (2, '{"title": "\\xff"}')


def test_text_stays_as_people_write_it(tmp_path):
    rows, _ = written(tmp_path, '[{"title": "Größe\\n😀",\n"n": 1}, {"jobs": [{"title": "ä"}]}]')
    assert [row.raw for row in rows] == ['{"title": "Größe\\n😀", "n": 1}', '{"title": "ä"}']


def test_a_control_inside_a_string_is_written_as_json(tmp_path):
    rows, _ = written(tmp_path, b'{"title": "a\tb\x01"}', lines=True)
    assert rows[0].raw == '{"title": "a\\tb\\u0001"}'


def test_half_a_surrogate_in_a_key_becomes_text(tmp_path):
    rows, _ = written(tmp_path, '{"title": "a", "\\ud83d": 1, "ä": 2}', lines=True)
    assert list(rows[0].value) == ["title", "\ufffd", "ä"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1 << 20])
@pytest.mark.parametrize(
    "text",
    [
        '\ufeff[{"title": "é€😀"}]\ufeff\x1e[{"title": "b"}]',
        '[{"title": "é€😀"}]\n\n]}:,[{"title": "b"}',
        '{"title": "é€😀"}{"title": "b"}',
        '[{"title": "é€😀"},,{"title": "b"}],',
        '{"jobs": [{"title": "é€😀"}]} {"jobs": [{"title": "b"}]}',
        '{"meta": {"n": [1, 2]}, "jobs": [{"title": "é€😀"}, {"title": "b"}], "total": 12}',
        '{"meta": 12, "results": {"jobs": [{"title": "é€😀"}, {"title": "b"}]}}',
    ],
)
def test_values_one_after_the_other_in_any_pieces(tmp_path, monkeypatch, text, chunk):
    monkeypatch.setattr(jsonrows, "CHUNK", chunk)
    rows, rejects = written(tmp_path, text)
    assert titles(rows) == ["é€😀", "b"]
    assert rejects == []


@pytest.mark.parametrize("chunk", [3, 1 << 20])
def test_what_is_no_value_is_skipped_to_the_next_posting(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(jsonrows, "CHUNK", chunk)
    text = 'junk\n{"other": 1}\n{"title": "a"}\n[{"title": "b", "x": }, {"title": "c"}\n, 12, nul]'
    rows, rejects = written(tmp_path, text)
    assert titles(rows) == ["a", "c"]
    assert [(one.line, one.reason) for one in rejects] == [
        (1, "broken JSON: an object or a list was expected"),
        (4, "broken JSON: Expecting value"),
        (5, "not a posting: a JSON object was expected"),
        (5, "broken JSON: Expecting value"),
    ]
    assert rejects[0].raw == 'junk\n{"other": 1}'
    assert rejects[1].raw == '{"title": "b", "x": }'
    assert rejects[2].raw == "12"


def test_what_resembles_the_postings_before_goes_on(tmp_path):
    # After a broken member, half of the keys of the last good one are needed.
    text = (
        '[{"a": 1, "b": 2, "title": "x", "d": 4}, {"a" 1},\n{"title": "n"},'
        ' {"a": 1, "title": "y"}, {"z": 1}]'
    )
    rows, rejects = written(tmp_path, text)
    assert [row.value.get("title") for row in rows] == ["x", "y", None]
    assert [one.raw for one in rejects] == ['{"a" 1},\n{"title": "n"}']


def test_a_posting_that_is_not_utf8_is_rejected_alone(tmp_path):
    rows, rejects = written(tmp_path, b'[{"title": "\xff"},\n {"title": "\xc3\xa9"}]')
    assert titles(rows) == ["é"]
    assert [(one.line, one.raw, one.reason) for one in rejects] == [
        (1, '{"title": "\\xff"}', "not valid UTF-8")
    ]


@pytest.mark.parametrize(
    ("value", "titles", "rejects"),
    [
        ({"jobs": [{"title": "A"}, {"title": "B"}], "items": [{"title": "C"}]}, ["A", "B"], 0),
        ({"results": [], "jobs": [{"title": "A"}]}, ["A"], 0),
        ({"data": [1, 2], "jobs": [{"title": "A"}]}, ["A"], 2),
        ({"jobs": [], "total": 0}, [], 0),
    ],
)
def test_one_list_of_a_wrapper_holds_the_postings(tmp_path, value, titles, rejects):
    path = tmp_path / "a.json"
    # Longer than a piece, so that it isn't opened at once.
    path.write_text(json.dumps(value | {"": " " * jsonrows.CHUNK}))
    rows, other = rows_of(path)
    assert [row.value["title"] for row in rows] == titles
    assert len(other) == rejects


def test_a_wrapper_that_breaks_off_gives_what_it_had(tmp_path):
    rows, rejects = written(tmp_path, '{"jobs": [{"title": "a"}], "next": }')
    assert titles(rows) == ["a"]
    assert [one.reason for one in rejects] == ["broken JSON: Expecting value"]
    rows, rejects = written(tmp_path, '{"jobs": [{"title": "a"}, {"title": "b"}')
    assert titles(rows) == ["a", "b"]
    assert rejects == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        # A posting is not opened, whatever it holds.
        ({"title": "a", "jobs": [{"title": "b"}]}, ["a"]),
        ({"@type": "JobPosting", "name": "n", "jobs": [{"title": "b"}]}, [None]),
        ({"@type": ["Thing", "JobPosting"], "title": "a", "item": {"title": "b"}}, ["a"]),
        ({"@type": "ItemList", "title": "a"}, ["a"]),
        ({"@type": "ItemList", "title": "a", "items": [{"title": "b"}]}, ["b"]),
        ({"@type": "ItemList", "items": []}, []),
        ({"@type": "WebSite", "url": "u"}, []),
        ({"name": "Board", "jobs": [{"name": "b"}]}, [None]),
        ({"name": "Board", "jobs": [{"price": 2}]}, [None]),
        ({"jobs": [7]}, [None]),
        ({"item": {"title": "a"}}, [None]),
        ({"item": {"@type": "JobPosting", "title": "a"}}, ["a"]),
        ({"data": {"results": {"jobs": [{"title": "a"}]}}}, ["a"]),
        ({"jobs": {"a": 1}, "items": [{"title": "b"}]}, ["b"]),
    ],
)
def test_what_is_opened_and_what_is_not(tmp_path, value, found):
    for text in (json.dumps([value]), json.dumps(value)):
        rows, rejects = written(tmp_path, text)
        assert [row.value.get("title") for row in rows] == found
        assert rejects == []


def test_names_are_those_of_all_postings_in_order():
    rows = [
        Row("", {"b": 1, "a": 2}),
        Row("", {"a": 1}),
        jsonrows.Reject("x", 1, "", ""),
        Row("", {"c": 1, "b": 2}),
    ]
    assert jsonrows.names_of(rows) == (["b", "a", "c"], 3, 1)
    assert jsonrows.names_of([]) == ([], 0, 0)


def test_a_value_that_is_none_keeps_its_text(tmp_path):
    _, rejects = written(tmp_path, "[1.50, [2.50], {}]")
    assert [one.raw for one in rejects] == ["1.50", "2.5"]


class Counting:
    """A stream that tells how much of it has been taken."""

    path, taken = "x", 0

    def __init__(self, data):
        self.data = data

    def read(self, size):
        piece = self.data[self.taken : self.taken + size]
        self.taken += len(piece)
        return piece


@pytest.mark.parametrize(
    "start",
    [
        "[",
        '{"jobs": [',
        " " * 30 + '{"total": 12, "page": 1, "results" : [',
        " " * 30 + '{"meta": {"n": [1]}, "page": 100000000, "jobs":\n[',
    ],
)
def test_the_first_posting_comes_before_the_last_is_read(monkeypatch, start):
    monkeypatch.setattr(jsonrows, "CHUNK", 50)
    many = ",".join(f'{{"title": "posting {n}"}}' for n in range(300))
    stream = Counting(f"{start}{many}]".encode() + b"}" * start.count("{", 0, 40))
    rows = jsonrows.read(stream, lines=False)
    assert next(rows).value == {"title": "posting 0"}
    assert stream.taken < 600
    assert len(list(rows)) == 299


def test_a_long_posting_is_read_by_growing_pieces(monkeypatch):
    monkeypatch.setattr(jsonrows, "CHUNK", 10)
    sizes = []

    class Told(Counting):
        def read(self, size):
            sizes.append(size)
            return super().read(size)

    text = '[{"title": "' + "x" * 5000 + '"}]'
    assert len(list(jsonrows.read(Told(text.encode()), lines=False))) == 1
    assert sizes[0] == 10
    assert len(sizes) < 20
