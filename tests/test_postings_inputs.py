"""Files are found, unpacked, decoded and told apart; what cannot be read says why."""

import bz2
import gzip
import io
import lzma
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from cxjobs.errors import FormatError
from cxjobs.postings import Reading, inputs
from cxjobs.postings.formats import encoding_of
from cxjobs.postings.inputs import find

TEXT = "title,description\nLeitung Kundenerlebnis,Für Gäste — größer\nHead of CX,x\n"
TITLES = ["Leitung Kundenerlebnis", "Head of CX"]


def titles(*paths, **options):
    return [t for b in Reading(paths, **options).batches() for t in b.title.to_pylist()]


def rejects(*paths):
    return [one for batch in Reading(paths).batches() for one in batch.rejects]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("jobs.csv.gz", gzip.compress),
        ("jobs.csv.bz2", bz2.compress),
        ("jobs.csv.xz", lzma.compress),
        ("jobs.csv.zst", zstandard.ZstdCompressor().compress),
        ("jobs", gzip.compress),
    ],
)
def test_packed_files_are_unpacked_by_their_bytes(tmp_path, name, pack):
    path = tmp_path / name
    path.write_bytes(pack(TEXT.encode()))
    assert titles(path) == TITLES
    path.write_bytes(pack(TEXT.encode()[:40]) + pack(TEXT.encode()[40:]))
    assert titles(path) == TITLES


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_packed_file_that_ends_early_gives_what_it_has_and_a_reject(tmp_path, pack):
    path = tmp_path / "jobs.csv.gz"
    rows = "".join(f"Head of CX {i},{os.urandom(20).hex()}\n" for i in range(60000))
    data = pack(("title,description\n" + rows).encode())
    path.write_bytes(data[: len(data) // 2])
    found = titles(path)
    assert found[:2] == ["Head of CX 0", "Head of CX 1"]
    assert len(found) > 1000
    assert "damaged or ends early" in rejects(path)[-1].reason


def test_an_unpacked_flood_is_never_held_whole(tmp_path):
    import tracemalloc

    path = tmp_path / "jobs.jsonl.gz"
    with gzip.open(path, "wb", 1) as file:
        for _ in range(120):
            file.write(b'{"title": "Head of CX", "description": "' + b"x" * 1_000_000 + b'"}\n')
    tracemalloc.start()
    count = sum(len(batch) for batch in Reading([path]).batches(5))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 120
    assert peak < 60_000_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("name", ["jobs.csv", "jobs.jsonl"])
def test_encodings_are_told(tmp_path, encoding, name):
    path = tmp_path / name
    text = TEXT if name == "jobs.csv" else '{"title": "Leitung für Gäste"}\n{"title": "b"}\n'
    path.write_bytes((text * 1).encode(encoding))
    wanted = TITLES if name == "jobs.csv" else ["Leitung für Gäste", "b"]
    assert titles(path) == wanted
    assert titles(path, encoding=encoding) == wanted


def test_an_encoding_can_be_given(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_bytes("title\nМенеджер\n".encode("cp1251"))
    assert titles(path, encoding="cp1251") == ["Менеджер"]
    with pytest.raises(FormatError, match="unknown encoding 'cp9'"):
        Reading([path], encoding="cp9")


def test_a_few_broken_bytes_do_not_change_the_encoding_of_the_whole():
    text = "title\n" + "Leitung für Gäste und Häfen\n" * 50
    assert encoding_of(text.encode() + b"\xff\xfe bad\n") == "utf-8"
    assert encoding_of(text.encode("cp1252")) == "cp1252"


def test_a_guessed_encoding_is_noted(tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_bytes(TEXT.replace("—", "-").encode("cp1252"))
    assert "--encoding" in Reading([path]).notes[0]
    assert not Reading([path], encoding="cp1252").notes


def test_directories_and_globs_are_read_in_order(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("b/2.csv", "1.csv", "3.jsonl", ".hidden.csv", "notes.md", "x.csv.rejects.jsonl"):
        (tmp_path / name).write_text("x" if "md" in name else "title\nx\n")
    (tmp_path / "old.csv.partial").mkdir()
    (tmp_path / "old.csv.partial" / "rejects.jsonl").write_text("{}")
    names = [os.path.relpath(one.path, tmp_path) for one in find([tmp_path])]
    assert names == ["1.csv", "3.jsonl", "b/2.csv"]
    assert [one.path for one in find([tmp_path / "**" / "*.csv"])] == [
        str(tmp_path / "1.csv"),
        str(tmp_path / "b" / "2.csv"),
    ]


def test_a_file_of_a_directory_that_is_no_table_is_a_reject(tmp_path):
    (tmp_path / "a.csv").write_text(TEXT)
    (tmp_path / "config.json").write_text('{"debug": true}')
    assert titles(tmp_path) == TITLES
    assert [os.path.basename(one.file) for one in rejects(tmp_path)] == ["config.json"]
    with pytest.raises(FormatError, match=r"config\.json"):
        Reading([tmp_path / "config.json", tmp_path / "a.csv"])


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"  \n ", "empty"),
        ("a.xlsx", b"PK\x03\x04....", "Excel"),
        ("a.csv", b"PK\x03\x04....", "Excel"),
        ("a.pkl", b"\x80\x04\x95....", "pickle"),
        ("a.csv", b"%PDF-1.7", "PDF"),
        ("a.parquet", b"title\nx\n", "not a Parquet"),
        ("a.parquet", b"PAR1" + b"x" * 50, "not a Parquet"),
        ("a.csv", b"name;phone\na;b\n", "no column holds the title"),
        ("a.bin", bytes(range(256)) * 40, "no text"),
        ("a.json", b'{"debug": true}', "no column holds the title"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path, name, data, says):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(FormatError, match=says) as error:
        Reading([path])
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [(["nothere.csv"], "no such file"), ([], "No input"), (["-", "-"], "only once")],
)
def test_inputs_that_are_not_there(given, says):
    with pytest.raises(FormatError, match=says):
        find(given)


def test_a_directory_without_known_files_says_what_is_in_it(tmp_path):
    (tmp_path / "a.md").write_text("x")
    with pytest.raises(FormatError, match=r"found: \.md"):
        find([tmp_path])


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("csv", TEXT.encode()),
        ("jsonl", b'{"title": "Leitung Kundenerlebnis"}\n{"title": "Head of CX"}\n'),
        ("json", b'{"jobs": [{"title": "Leitung Kundenerlebnis"}, {"title": "Head of CX"}]}'),
        ("gzip", gzip.compress(TEXT.encode())),
        ("parquet", None),
    ],
)
def test_standard_input_holds_any_format(monkeypatch, name, data):
    if data is None:
        sink = io.BytesIO()
        pq.write_table(pa.table({"title": TITLES}), sink)
        data = sink.getvalue()

    class Stdin:
        buffer = io.BytesIO(data)

    monkeypatch.setattr(inputs.sys, "stdin", Stdin)
    assert titles("-") == TITLES


def test_parquet_columns_of_any_kind_are_texts(tmp_path):
    path = tmp_path / "jobs.parquet"
    table = pa.table(
        {
            "title": pa.array(TITLES).dictionary_encode(),
            "description": pa.array([["a", "b"], None]),
            "job_id": pa.array([7, 8], pa.uint8()),
            "company": pa.array([{"name": "N"}, None]),
            "location": pa.array([b"Kiel", None]),
        }
    )
    pq.write_table(table, path)
    batch = next(Reading([path]).batches())
    assert batch.title.to_pylist() == TITLES
    assert batch.description.to_pylist() == ["a\nb", ""]
    assert batch.id.to_pylist() == ["7", "8"]
    assert batch.company.to_pylist() == ["N", ""]
    assert batch.location.to_pylist() == ["Kiel", ""]
    assert batch.table.schema == pq.read_schema(path)


def stream(tmp_path, data, encoding=None):
    path = tmp_path / "data"
    path.write_bytes(data)
    return inputs.Stream(str(path), encoding)


def test_a_look_ahead_takes_nothing(tmp_path):
    data = bytes(range(48, 123)) * 100
    one = stream(tmp_path, data)
    assert one.head(10) == data[:10]
    assert one.head() == data
    assert one.head(7) == data[:7]
    assert one.read(5) + one.read(10) == data[:15]
    assert one.head(3) == data[15:18]
    assert one.read(10**6) == data[15:]
    assert (one.read(5), one.head(5)) == (b"", b"")
    assert one.consumed == len(data)


@pytest.mark.parametrize("head", [4, 7, 1 << 20])
def test_what_is_skipped_ends_with_the_mark(tmp_path, monkeypatch, head):
    one = stream(tmp_path, b"first;second;third")
    monkeypatch.setattr(inputs, "HEAD", head)
    one.skip_past(b";")
    assert one.read(6) == b"second"
    one.skip_past(b";")
    one.skip_past(b"i")
    assert one.read(99) == b"rd"
    one.skip_past(b";")
    assert one.read(99) == b""
    one = stream(tmp_path, b"no mark at all")
    one.skip_past(b";")
    assert one.read(99) == b""


@pytest.mark.parametrize(
    ("encoding", "mark", "name"),
    [
        ("utf-16", b"", "utf-16"),
        ("utf-32", b"", "utf-32"),
        ("utf-16-be", b"\xfe\xff", "utf-16"),
        ("utf-32-be", b"\x00\x00\xfe\xff", "utf-32"),
        ("utf-8", b"\xef\xbb\xbf", "utf-8"),
    ],
)
def test_a_mark_tells_the_encoding_and_is_dropped(tmp_path, encoding, mark, name):
    one = stream(tmp_path, mark + TEXT.encode(encoding))
    assert (one.encoding, one.read(999).decode()) == (name, TEXT)


def test_names_of_encodings_are_those_of_python(tmp_path):
    assert stream(tmp_path, b"\x80", "windows-1252").encoding == "cp1252"
    assert stream(tmp_path, b"x", "latin1").encoding == "iso8859-1"
    assert stream(tmp_path, b"x", "ascii").encoding == "utf-8"
    assert stream(tmp_path, b"\xef\xbb\xbfx", "utf-8-sig").read(9) == b"x"


def test_bytes_that_do_not_fit_the_encoding(tmp_path):
    # In a wide one they are replaced; in a narrow one they stay what they are.
    assert stream(tmp_path, "a\ud83db".encode("utf-16-le", "surrogatepass"), "utf-16-le").read(
        9
    ) == ("a\ufffdb".encode())
    assert stream(tmp_path, b"a\x81b", "cp1252").read(9) == b"a\x81b"
    with pytest.raises(FormatError, match=r"cannot be read as utf-16: .*utf-16-le or utf-16-be"):
        stream(tmp_path, b"\x00x\x00", "utf-16").read(9)


@pytest.mark.parametrize("encoding", ["zlib", "nothing", "hex"])
def test_codecs_that_are_not_of_text(tmp_path, encoding):
    with pytest.raises(FormatError, match=f"unknown encoding '{encoding}'"):
        stream(tmp_path, b"x", encoding)


def test_the_whole_as_a_file_that_can_be_gone_back_in(tmp_path):
    plain = stream(tmp_path, b"PAR1 and more")
    assert (plain.binary, plain.encoding, plain.packed) == (True, "binary", None)
    with plain.file() as file:
        assert file.name == plain.path
        assert file.read() == b"PAR1 and more"
    packed = stream(tmp_path, gzip.compress(b"PAR1" + bytes(3 << 20)))
    assert (packed.binary, packed.packed) == (True, "gzip")
    with packed.file() as file:
        assert file.read(4) == b"PAR1"
        assert file.seek(0, 2) == 4 + (3 << 20)
    assert packed.consumed == os.path.getsize(packed.path)
    packed.close()


@pytest.mark.parametrize("cut", [-1, -9])
def test_damage_is_told_and_what_came_before_is_kept(tmp_path, cut):
    data = gzip.compress(b"title\n" + os.urandom(3000).hex().encode())
    one = stream(tmp_path, data[:cut])
    assert one.read(10**6).startswith(b"title\n")
    assert one.damage.startswith("the gzip file is damaged or ends early: ")
    whole = stream(tmp_path, data)
    whole.read(10**6)
    assert whole.damage is None


def test_a_folder_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(FormatError, match="cannot be read: Is a directory"):
        inputs.Stream(str(tmp_path))


def test_files_named_are_taken_whatever_their_name(tmp_path):
    (tmp_path / "a.weird").write_text("title\nx\n")
    (tmp_path / "b.csv").write_text("title\nx\n")
    named = find([tmp_path / "a.weird", tmp_path])
    assert [(os.path.basename(one.path), one.explicit) for one in named] == [
        ("a.weird", True),
        ("b.csv", False),
    ]
    assert find([tmp_path / "*.csv"])[0].explicit


def test_what_a_directory_holds_instead_is_listed_in_part(tmp_path):
    for n in range(9):
        (tmp_path / f"x.k{n}").write_text("")
    with pytest.raises(FormatError, match=r"found: \.k0, .*\.k7\)"):
        find([tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="found: nothing"):
        find([tmp_path / "empty"])


def test_a_large_window_of_zstd_is_read(tmp_path):
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters)
    assert stream(tmp_path, packer.compress(TEXT.encode())).read(9) == b"title,des"


def test_a_damaged_part_of_parquet_says_how_far_it_was_read(tmp_path):
    path = tmp_path / "jobs.parquet"
    text = pa.array([b"Head of CX", b"ok", b"\xff\xfe", b"x"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 4, text.buffers())
    pq.write_table(pa.table({"title": broken}), path)
    from cxjobs.postings import parquet

    with open(path, "rb") as file:
        tables = parquet.read(parquet.opened(file, "j"), "j", 2)
        assert next(tables)["title"].to_pylist() == ["Head of CX", "ok"]
        with pytest.raises(FormatError, match=r"^j: damaged after row 2 of 4: "):
            next(tables)
