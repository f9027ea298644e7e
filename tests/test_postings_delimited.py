"""Tables of text: the fast reader and the exact one agree, and broken records cost themselves."""

import csv
import io
import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxjobs.errors import FormatError
from cxjobs.postings import delimited
from cxjobs.postings.delimited import Dialect, clean_prefix, exact_rows, fast_rows, sniff
from cxjobs.postings.inputs import Stream

CELL = st.text(st.sampled_from('ab"",;\t\n\r é€\0|\\😀 \u2028\x85'), max_size=8)


def read(tmp_path, data, chunk=delimited.CHUNK, dialect=None):
    path = tmp_path / "jobs.csv"
    path.write_bytes(data)
    stream = Stream(str(path))
    names, pieces = delimited.read(stream, dialect or sniff(stream.head()), chunk=chunk)
    pieces = list(pieces)
    rows = [tuple(row.values()) for piece in pieces for row in piece.table.to_pylist()]
    return names, rows, [one for piece in pieces for one in piece.rejects]


@st.composite
def tables(draw):
    width = draw(st.integers(1, 4))
    rows = draw(st.lists(st.tuples(*[CELL] * width), max_size=12))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    delimiter = draw(st.sampled_from(",;\t|"))
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator=end)
    # Nobody can tell a bare return at the end of a line from the line's end.
    rows = [(*row[:-1], row[-1].rstrip("\r")) for row in rows]
    writer.writerows([[f"c{i}" for i in range(width)], *rows])
    return rows, delimiter, text.getvalue().encode()


@given(tables(), st.integers(1, 60))
@settings(max_examples=150, deadline=None)
def test_what_a_csv_writer_wrote_is_read_back_in_pieces_of_any_size(tmp_path_factory, table, chunk):
    rows, delimiter, data = table
    folder = tmp_path_factory.mktemp("csv")
    names, found, rejects = read(folder, data, chunk, Dialect(delimiter))
    assert names == [f"c{i}" for i in range(len(names))]
    assert not rejects
    assert found == rows


@given(tables())
@settings(max_examples=150, deadline=None)
def test_the_fast_reader_gives_what_the_exact_one_gives(table):
    _, delimiter, data = table
    body = data[data.index(b"\n") + 1 :]
    names = [f"c{i}" for i in range(data[: data.index(b"\n")].count(delimiter.encode()) + 1)]
    clean = clean_prefix(body, delimiter, final=True)
    if not clean:
        return
    fast = fast_rows(pa.py_buffer(body[:clean]), names, Dialect(delimiter))
    assert fast is not None
    piece, used, _ = exact_rows(body, names, Dialect(delimiter), "x", 1, final=True)
    assert (used, piece.rejects) == (clean, ())
    assert fast.to_pylist() == piece.table.to_pylist()


@given(st.binary(max_size=60) | st.text(st.sampled_from('a",\n\r\0é'), max_size=60).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_clean_text_is_read_alike_by_both_whatever_it_is(body):
    names = ["a", "b"]
    clean = clean_prefix(body, ",", final=True)
    fast = fast_rows(pa.py_buffer(body[:clean]), names, Dialect()) if clean else None
    if fast is not None:
        piece, _, _ = exact_rows(body[:clean], names, Dialect(), "x", 1, final=True)
        assert piece.rejects == ()
        assert fast.to_pylist() == piece.table.to_pylist()


def test_plain_tables_take_the_fast_way():
    assert clean_prefix(b'1,"a ""b"", c\nd",""\r\n2,x,y\n', ",", final=True)


@pytest.mark.parametrize("data", [b'1,a"b"\n', b'1,"a"b\n', b"1,a\rb\n", b'1,"a\n'])
def test_odd_text_takes_the_exact_way(data):
    assert not clean_prefix(data, ",", final=True)


BROKEN = [
    b"9,Too,many,fields\n",
    b"9,too few\n",
    b'9,"Open quote,never closed\n',
    b'9,"Junk"after,x\n',
    b"9,Bad \xff bytes,x\n",
    b"9\n",
    b'9,"a","b"c"\n',
    b'"9,,\n',
    b",,,,,,,,\n",
]


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@pytest.mark.parametrize("chunk", [40, 300, 1 << 20])
def test_each_broken_line_is_rejected_with_its_number_and_the_others_are_read(
    tmp_path, quoting, chunk
):
    draw = random.Random(chunk)
    good = [(str(i), f'Größe {i}, "so"' if i % 3 else f"Lead {i}", f"x\n{i}") for i in range(60)]
    text, expected = [b"id,title,description\n"], []
    line = 2
    for row in good:
        if draw.random() < 0.4:
            text.append(draw.choice(BROKEN))
            expected.append((line, text[-1].rstrip(b"\n").decode("utf-8", "backslashreplace")))
            line += 1
        cells = io.StringIO(newline="")
        csv.writer(cells, quoting=quoting, lineterminator="\n").writerow(row)
        text.append(cells.getvalue().encode())
        line += 2
    _, rows, rejects = read(tmp_path, b"".join(text), chunk)
    assert rows == good
    assert [(one.line, one.raw) for one in rejects] == expected
    assert all(one.reason for one in rejects)


def test_a_quote_that_never_closes_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST", 2000)
    rows = b"".join(b"%d,Head of CX %d,plain\n" % (i, i) for i in range(500))
    data = b"id,title,description\n" + rows + b'x,"open,never\n' + rows
    _, found, rejects = read(tmp_path, data, 1000, Dialect())
    assert len(found) == 1000
    assert [(one.line, one.raw) for one in rejects] == [(502, 'x,"open,never')]
    assert "does not end" in rejects[0].reason


def test_a_line_without_end_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST", 2000)
    data = b"id,title\n" + b"x" * 9000 + b"\n1,Head of CX\n"
    _, found, rejects = read(tmp_path, data, 1000, Dialect())
    assert ("1", "Head of CX") in found
    assert "over 2000 bytes" in rejects[0].reason


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        (b"a,b\n1,2\n", Dialect(",")),
        (b"a;b\n1,5;2,5\n", Dialect(";")),
        (b"a\tb, c\n1\t2\n", Dialect("\t")),
        (b"a|b\n1|2\n", Dialect("|")),
        (b"title\nManager, CX\n", Dialect(",")),
        (b"a,b\r\n1,2\r\n", Dialect(",")),
        (b"a,b\r1,2\r", Dialect(",", newline="\r")),
        (b'"a","b"\n"1","say \\"x\\", ok"\n', Dialect(",", "\\")),
        (b'"a","b"\n"1","C:\\dir"\n', Dialect(",")),
    ],
)
def test_the_dialect_is_told_by_the_first_lines(text, dialect):
    assert sniff(text) == dialect


def test_old_mac_line_ends_are_read(tmp_path):
    assert read(tmp_path, b"id,title\r1,Head of CX\r2,Agent\r")[1] == [
        ("1", "Head of CX"),
        ("2", "Agent"),
    ]


def test_two_columns_of_one_name_are_kept_apart(tmp_path):
    names, rows, _ = read(tmp_path, b"title,a,title\nx,1,y\n")
    assert (names, rows) == (["title", "a", "title_2"], [("x", "1", "y")])


def test_words_that_mean_missing_elsewhere_are_words_here(tmp_path):
    assert read(tmp_path, b"title,n\nNone,NA\nnull,1.0\nN/A,\n")[1] == [
        ("None", "NA"),
        ("null", "1.0"),
        ("N/A", ""),
    ]


def test_a_header_with_an_open_quote_is_an_error(tmp_path):
    with pytest.raises(FormatError, match="header"):
        read(tmp_path, b'id,"title\n1,2\n', dialect=Dialect())


def test_an_old_mac_table_with_another_delimiter_is_told():
    assert sniff(b"id;title\r1;Manager, CX\r2;Agent\r") == Dialect(";", newline="\r")


def test_a_few_odd_rows_do_not_change_the_delimiter():
    odd = b"".join(b"%d;Lead, CX\n" % i for i in range(9)) + b"nothing here\n"
    assert sniff(b"id;title\n" + odd).delimiter == ";"
    # As even, the wider header counts; without any, a comma.
    assert sniff(b"a,b;c;d\n1,2;3;4\n").delimiter == ";"
    assert sniff(b"title\nx\n").delimiter == ","


@pytest.mark.parametrize(
    ("data", "escape"),
    [
        (b'"a","b"\n"1","x\\\\"\n', "\\"),
        (b'"a","b"\r\n"1","x\\"y"\r\n', "\\"),
        (b'"a",b\n"1","x\\"y"\n', None),
        (b'a,"b"\n"1","x\\"y"\n', None),
        (b'"a","b"\n"1","no backslash"\n', None),
        (b'"a","b"\n"1","x\\"y"\n"2","cut \\', "\\"),
    ],
)
def test_backslashes_escape_where_all_is_quoted(data, escape):
    assert sniff(data).escape == escape


def test_escaped_text_is_read_without_its_backslashes(tmp_path):
    data = b'"id","title"\n"1","C:\\\\dir"\n"2","say \\"x\\""\n'
    assert read(tmp_path, data)[1] == [("1", "C:\\dir"), ("2", 'say "x"')]


def test_plain_tables_never_see_the_slow_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "exact_rows", None)
    data = b"id,title\n" + b"".join(b'%d,"Head of ""CX"", %d"\n' % (i, i) for i in range(90))
    assert len(read(tmp_path, data, 100)[1]) == 90


def test_a_header_longer_than_the_first_look(tmp_path):
    wide = [f"column{i}" for i in range(200_000)]
    names, rows, _ = read(tmp_path, ",".join(wide).encode() + b"\n", dialect=Dialect())
    assert (names, rows) == (wide, [])


@pytest.mark.parametrize("data", [b"id,title", b"id,title\n", b"\n\nid,title\n\n"])
def test_a_header_alone_has_no_rows(tmp_path, data):
    assert read(tmp_path, data) == (["id", "title"], [], [])


def test_a_first_line_without_end_is_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST", 2 << 20)
    with pytest.raises(FormatError, match="line 1 has over 2097152 bytes"):
        read(tmp_path, b"x" * (5 << 20), dialect=Dialect())


def test_nothing_but_empty_lines_has_no_header(tmp_path):
    with pytest.raises(FormatError, match="no header line"):
        read(tmp_path, b"\n\n\n", dialect=Dialect())


def test_lines_are_counted_over_what_is_empty_long_or_quoted(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST", 2000)
    data = (
        b'\n\n"id","ti\ntle"\n1,a\n2,"b\nc"\n3\n' + b"y" * 9000 + b"\n4,d\n5\n" + b"6,e\n\n7,8,9\n"
    )
    for chunk in (16, 500, 1 << 20):
        monkeypatch.setattr(delimited, "LONGEST", 2000 if chunk < 5000 else 1 << 23)
        names, rows, rejects = read(tmp_path, data, chunk, Dialect())
        assert names == ["id", "ti\ntle"]
        assert rows == [("1", "a"), ("2", "b\nc"), ("4", "d"), ("6", "e")]
        assert [one.line for one in rejects] == [8, 9, 11, 14]
    assert "1 fields where the header has 2" in rejects[0].reason
    assert "3 fields where the header has 2" in rejects[3].reason


def test_a_field_that_is_not_utf8_is_named(tmp_path):
    _, rows, rejects = read(tmp_path, b"a,b,c\n1,\xc3\xa9,\xff\n1,\xff,3\n4,\xc3\xa9,\xc3\xa9\n")
    assert rows == [("4", "é", "é")]
    assert [one.reason[:30] for one in rejects] == [
        "field 3 is not valid UTF-8; if",
        "field 2 is not valid UTF-8; if",
    ]
    assert rejects[0].raw == "1,é,\\xff"


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (b'1,"a', "does not end"),
        (b'1,"a"b', "bad quoting"),
        (b'1,"' + b"x" * 300 + b'"', "does not end"),
    ],
)
def test_bad_quoting_says_how(tmp_path, monkeypatch, row, says):
    monkeypatch.setattr(delimited, "LONGEST", 200)
    _, rows, rejects = read(tmp_path, b"a,b\n" + row + b"\n2,y\r\n3,\rz\n", dialect=Dialect())
    assert rows == [("2", "y"), ("3", "\rz")]
    assert len(rejects) == 1
    assert says in rejects[0].reason


@pytest.mark.parametrize(
    ("data", "final", "length"),
    [
        (b"1,a\n2,b", False, 4),
        (b"1,a\n2,b", True, 7),
        (b'1,a\n2,"b\nc', False, 4),
        (b'1,a\n2,"b\n', True, 0),
        (b'1,a\n2,"b\nc","d\ne', False, 4),
        (b'"a"\n"b"', True, 7),
        (b'"a\nb"\n', False, 6),
        (b"1,a\r\n2,b\r\n", False, 10),
        (b"1,a\n2,b\r", True, 0),
        (b"1,a\n2,b\r", False, 4),
        (b"1,a\r\n2\rb\n", True, 0),
        (b'1,"a"\r\n', True, 7),
        (b'1,"a" \n', True, 0),
        (b'1, "a"\n', True, 0),
        (b'1;"a"\n', True, 0),
        (b"no end", False, 0),
    ],
)
def test_how_much_of_a_stretch_is_clean(data, final, length):
    assert clean_prefix(data, ",", final=final) == length


def test_arrow_reads_only_what_it_reads_right():
    names = ["a", "b"]
    assert fast_rows(pa.py_buffer(b"1,2\n3\n"), names, Dialect()) is None
    assert fast_rows(pa.py_buffer(b"1,\xff\n"), names, Dialect()) is None
    assert fast_rows(pa.py_buffer(b"\xef\xbb\xbf1,2\n"), names, Dialect()) is None
    one = fast_rows(pa.py_buffer(b"1;\n"), names, Dialect(";"))
    assert one.to_pylist() == [{"a": "1", "b": ""}]


def test_a_record_that_goes_on_is_left_for_next_time():
    piece, used, lines = exact_rows(b'1,a\n2,"b\nc', ["a", "b"], Dialect(), "x", 5, final=False)
    assert (piece.table.num_rows, used, lines, piece.rejects) == (1, 4, 1, ())
    piece, used, lines = exact_rows(b'1,a\n2,"b\nc', ["a", "b"], Dialect(), "x", 5, final=True)
    assert (used, lines) == (10, 3)
    assert [(one.file, one.line, one.raw) for one in piece.rejects] == [
        ("x", 6, '2,"b'),
        ("x", 7, "c"),
    ]


def test_names_that_come_again_are_counted(tmp_path):
    names, _, _ = read(tmp_path, b"a,a_2,a,a,b\rc,b\rc,\xff\xc3\xa9\n", dialect=Dialect())
    assert names == ["a", "a_2", "a_3", "a_4", "b\rc", "b\rc_2", "\ufffdé"]
