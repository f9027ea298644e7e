"""Every row in comes out or is rejected, in order, its own columns untouched."""

import csv
import gzip
import json
import os
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from postings_fake import COLUMNS, NOTHING, answer, load

from cxjobs.errors import FormatError
from cxjobs.postings import classify
from cxjobs.postings.summary import UNPARSED

FILES = Path(__file__).parent / "files" / "postings"


def lines_of(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def table_of(path):
    if path.suffix == ".parquet" or path.is_dir():
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return lines_of(path)
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def jobs(rows, seed=0):
    draw = random.Random(seed)
    return [
        {
            "id": str(i),
            "title": draw.choice(["Head of CX", "CX Agent, Nights", "Größe", ""]),
            "description": draw.choice(["", "Own the map,\nask guests.", 'A "quoted" word'])
            * (i % 4),
            "status": draw.choice(["open", "None", ""]),
            "n": draw.choice(["1.0", "007", "1e5"]),
        }
        for i in range(rows)
    ]


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("source", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("target", [".csv", ".tsv", ".jsonl", ".parquet", "/"])
def test_any_format_into_any_other(tmp_path, source, target):
    rows = jobs(250)
    given = write(tmp_path / f"jobs{source}", rows)
    out = tmp_path / f"out{target}"
    summary = classify([given], str(out) + ("/" if target == "/" else ""), load, batch_rows=40)
    found = table_of(out)
    own = [name if name != "status" else "cxjobs_status" for name in COLUMNS]
    assert list(found[0]) == [*rows[0], *own]
    assert [{name: row[name] for name in rows[0]} for row in found] == rows
    wanted = answer(*(pa.array([row[n] for row in rows]) for n in ("title", "description")))
    for name, name_out in zip(COLUMNS, own, strict=True):
        if name != "flags":
            values = [row[name_out] for row in found]
            expected = wanted[name].to_pylist()
            if target in (".csv", ".tsv"):
                expected = [
                    "" if v is None else v if isinstance(v, str) else repr(v) for v in expected
                ]
                values = [
                    v if not v or name not in ("cx_probability",) else repr(float(v))
                    for v in values
                ]
                if name.endswith(("probability", "score")) and name != "cx_probability":
                    continue
            assert values == expected
    assert summary.rows_in == summary.rows_out == 250
    assert summary.rejected == {NOTHING: wanted["status"].to_pylist().count("rejected")}
    assert sum(summary.labels.values()) == summary.ok
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([given.name, out.name])


@given(st.integers(0, 400), st.integers(1, 90), st.integers(0, 2**32))
@settings(max_examples=12, deadline=None)
def test_rows_in_are_rows_ok_and_rejected(tmp_path_factory, rows, batch_rows, seed):
    folder = tmp_path_factory.mktemp("run")
    draw = random.Random(seed)
    broken = ["one,too,many,fields,here,x\n", "few\n", '7,"open,x\n', '7,"a"b,c,d,e\n']
    good, text = jobs(rows, seed), ["id,title,description,status,n\n"]
    bad = 0
    for row in good:
        if draw.random() < 0.2:
            text.append(draw.choice(broken))
            bad += 1
        cells = ",".join('"' + value.replace('"', '""') + '"' for value in row.values())
        text.append(cells + "\n")
    given_file = folder / "jobs.csv"
    given_file.write_text("".join(text), encoding="utf-8")
    summary = classify([given_file], folder / "out.csv", load, batch_rows=batch_rows)
    found = table_of(folder / "out.csv")
    assert [row["id"] for row in found] == [row["id"] for row in good]
    assert [row["title"] for row in found] == [row["title"] for row in good]
    assert summary.rows_in == rows + bad == summary.ok + sum(summary.rejected.values())
    assert summary.rows_out == len(found) == rows
    rejects = folder / "out.csv.rejects.jsonl"
    assert summary.rejected[UNPARSED] == bad == (len(lines_of(rejects)) if bad else 0)
    assert rejects.exists() == bool(bad)
    # The good rows have the answers that they have in a clean file.
    clean = write(folder / "clean.csv", good) if good else None
    if clean:
        classify([clean], folder / "clean_out.csv", load)
        assert (folder / "clean_out.csv").read_bytes() == (folder / "out.csv").read_bytes()


@pytest.mark.parametrize("target", ["out.csv", "out.jsonl", "out.parquet"])
def test_jobs_and_batches_change_nothing(tmp_path, target):
    given = write(tmp_path / "jobs.csv", jobs(500))
    out = tmp_path / target
    results = []
    for count, size in ((1, 2000), (1, 37), (2, 61)):
        classify([given], out, load, jobs=count, batch_rows=size)
        results.append(table_of(out))
    assert results[0] == results[1] == results[2]


def test_types_of_parquet_are_untouched(tmp_path):
    table = pa.table(
        {
            "title": pa.array(["Head of CX", None]).dictionary_encode(),
            "when": pa.array([1, None], pa.timestamp("us", "UTC")),
            "tags": pa.array([["a"], None], pa.list_(pa.string())),
            "firm": pa.array([{"x": 1.5}, None]),
            "n": pa.array([2**60, 1], pa.int64()),
            "label": pa.array([b"\xff", None]),
        },
        metadata={"made by": "me"},
    )
    pq.write_table(table, tmp_path / "jobs.parquet")
    for target in ("out.parquet", "out.csv", "out.jsonl"):
        classify([tmp_path / "jobs.parquet"], tmp_path / target, load)
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.select(table.column_names).equals(table)
    assert found.schema.metadata == table.schema.metadata
    assert "cxjobs_label" in found.column_names
    first = table_of(tmp_path / "out.jsonl")[0]
    assert (first["tags"], first["firm"], first["n"], first["label"]) == (
        ["a"],
        {"x": 1.5},
        2**60,
        "\\xff",
    )
    assert table_of(tmp_path / "out.csv")[0]["firm"] == '{"x": 1.5}'


def test_json_keeps_the_text_of_every_value(tmp_path):
    line = '{"title":"Head of CX",  "n":1.10,"big":12345678901234567890,"e":1e5,"x":{"a":[null]}'
    (tmp_path / "jobs.jsonl").write_text(line + "}\n{}\n")
    summary = classify([tmp_path / "jobs.jsonl"], tmp_path / "out.jsonl", load)
    text = (tmp_path / "out.jsonl").read_text()
    assert text.startswith(line + ', "label": ')
    assert summary.rejected == {NOTHING: 1}
    assert [row["status"] for row in lines_of(tmp_path / "out.jsonl")] == ["ok", "rejected"]


def test_several_files_of_several_formats_are_one_output(tmp_path):
    write(tmp_path / "1.csv", [{"title": "a", "x": "1"}])
    write(tmp_path / "2.jsonl", [{"job_title": "b", "y": {"z": 1}}])
    pq.write_table(pa.table({"title": ["c"], "x": [7]}), tmp_path / "3.parquet")
    out = tmp_path.parent / f"{tmp_path.name}.csv"
    classify([tmp_path], out, load)
    rows = table_of(out)
    assert [(r["title"], r["x"], r["job_title"], r["y"]) for r in rows] == [
        ("a", "1", "", ""),
        ("", "", "b", '{"z": 1}'),
        ("c", "7", "", ""),
    ]


@pytest.mark.parametrize("target", ["out.csv", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize("source", ["jobs.csv", "jobs.jsonl"])
def test_columns_and_labels_can_be_chosen(tmp_path, target, source):
    given = write(tmp_path / source, jobs(60))
    out = tmp_path / target
    summary = classify(
        [given], out, load, columns=["label", "id"], only=["cx_management", "review"]
    )
    rows = table_of(out)
    assert {row["label"] for row in rows} == {"cx_management", "review"}
    assert all(list(row) == ["label", "id"] for row in rows)
    assert [int(row["id"]) for row in rows] == sorted(int(row["id"]) for row in rows)
    assert (summary.rows_out, summary.left_out) == (len(rows), 60 - len(rows))
    with pytest.raises(FormatError, match=r"no column 'nme'.*id, title"):
        classify([given], out, load, columns=["nme"])


def test_duplicates_are_flagged_and_counted_per_posting_and_per_role(tmp_path):
    rows = [{"id": f"a{i}", "title": "Head of CX", "description": "Own the map."} for i in range(3)]
    rows.append({"id": "b", "title": "Head of CX", "description": "Else."})
    given = write(tmp_path / "jobs.csv", rows)
    summary = classify([given], tmp_path / "out.csv", load)
    flags = [row["flags"] for row in table_of(tmp_path / "out.csv")]
    assert flags == ["", "duplicate_of:a0", "duplicate_of:a0", ""]
    assert (summary.duplicates, summary.ok) == (2, 4)
    assert sum(summary.unique_labels.values()) == 2


def test_a_file_with_rejects_only_gives_a_header(tmp_path):
    (tmp_path / "jobs.csv").write_text("id,title\n1\n")
    for target in ("out.csv", "out.parquet", "out.jsonl"):
        summary = classify([tmp_path / "jobs.csv"], tmp_path / target, load)
        assert (summary.rows_in, summary.rows_out) == (1, 0)
    assert (tmp_path / "out.csv").read_text().startswith('"id","title","label"')
    assert pq.read_table(tmp_path / "out.parquet").column_names[:2] == ["id", "title"]
    assert (tmp_path / "out.jsonl").read_text() == ""
    reject = lines_of(tmp_path / "out.csv.rejects.jsonl")[0]
    assert (reject["line"], reject["raw"]) == (2, "1")
    assert reject["file"] == str(tmp_path / "jobs.csv")


def test_the_rejects_of_an_earlier_run_do_not_stay(tmp_path):
    given = tmp_path / "jobs.csv"
    given.write_text("id,title\n1\n")
    classify([given], tmp_path / "out.csv", load)
    given.write_text("id,title\n1,Head of CX\n")
    classify([given], tmp_path / "out.csv", load)
    assert not (tmp_path / "out.csv.rejects.jsonl").exists()


@pytest.mark.parametrize("ending", ["csv.gz", "jsonl.zst", "csv.bz2", "csv.xz"])
def test_packed_outputs_are_read_back(tmp_path, ending):
    given = write(tmp_path / "jobs.csv", jobs(90))
    classify([given], tmp_path / f"out.{ending}", load, batch_rows=20)
    classify([tmp_path / f"out.{ending}"], tmp_path / "again.csv", load)
    assert [row["id"] for row in table_of(tmp_path / "again.csv")] == [str(i) for i in range(90)]


def test_standard_output_and_rejects_on_stderr(tmp_path, capfdbinary):
    (tmp_path / "jobs.csv").write_text("id,title\n1\n2,Head of CX\n")
    classify([tmp_path / "jobs.csv"], "-", load, to="jsonl")
    out, err = capfdbinary.readouterr()
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["2"]
    assert json.loads(err.splitlines()[0])["line"] == 2
    classify([tmp_path / "jobs.csv"], "-", load, to="parquet")
    out, _ = capfdbinary.readouterr()
    assert pq.read_table(pa.BufferReader(out)).num_rows == 1


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("jobs.csv", "also an input"),
        ("link.csv", "also an input"),
        ("nothere/out.csv", "no folder"),
        ("folder", "this is a folder"),
        ("folder/", "other files"),
        ("other.csv/", "a file, not a folder"),
        ("out.xlsx", "no format that can be written"),
        ("out.parquet.gz", "packed inside"),
    ],
)
def test_outputs_that_cannot_be(tmp_path, target, says):
    given = write(tmp_path / "jobs.csv", jobs(5))
    before = given.read_bytes()
    os.symlink(given, tmp_path / "link.csv")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").touch()
    (tmp_path / "other.csv").touch()
    with pytest.raises(FormatError, match=says):
        classify([given], f"{tmp_path}/{target}", load)
    assert given.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_a_folder_of_parts_is_replaced_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("cxjobs.postings.writers.PART_ROWS", 50)
    given = write(tmp_path / "jobs.csv", jobs(170))
    out = tmp_path / "out"
    classify([given], f"{out}/", load, batch_rows=20)
    assert [pq.read_metadata(p).num_rows for p in sorted(out.iterdir())] == [60, 60, 50]
    classify([write(tmp_path / "jobs.csv", jobs(10))], f"{out}/", load)
    assert [p.name for p in out.iterdir()] == ["part-000000.parquet"]


def test_a_full_disk_says_so_and_leaves_the_old_output(tmp_path, monkeypatch):
    given = write(tmp_path / "jobs.csv", jobs(50))
    out = tmp_path / "out.csv"
    out.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cxjobs.postings.writers.TextSink.append", full)
    with pytest.raises(FormatError, match=r"disk is full.*--resume"):
        classify([given], out, load)
    assert out.read_text() == "old"


def test_the_summary_goes_through_json(tmp_path):
    from cxjobs.postings import Summary

    given = write(tmp_path / "jobs.csv", jobs(50))
    summary = classify([given], tmp_path / "out.csv", load, model="m")
    assert Summary.restored(json.loads(json.dumps(summary.to_dict()))) == summary
    assert (summary.files, summary.model) == (1, "m")


def test_gzip_outputs_are_the_same_every_time(tmp_path):
    given = write(tmp_path / "jobs.csv", jobs(50))
    texts = []
    for name in ("a.csv.gz", "b.csv.gz"):
        classify([given], tmp_path / name, load)
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    assert gzip.decompress(texts[0]).startswith(b'"id"')


def test_a_folder_of_pages_is_answered_in_batches_and_in_order(tmp_path):
    pages = tmp_path / "pages"
    pages.mkdir()
    page = (
        '<script type="application/ld+json">{{"@type": "JobPosting", "title": "CX {}"{}}}</script>'
    )
    for i in range(30):
        more = ', "skills": "x"' if i == 17 else ""
        (pages / f"{i:03}.html").write_text(page.format(i, more) if i % 7 else "<p>gone</p>")
    calls = []

    def counting():
        def count(title, description):
            calls.append(len(title))
            return answer(title, description)

        return count

    summary = classify([pages], tmp_path / "out.csv", counting, batch_rows=10)
    rows = table_of(tmp_path / "out.csv")
    assert [row["title"] for row in rows] == [f"CX {i}" for i in range(30) if i % 7]
    assert [row["skills"] for row in rows if row["skills"]] == ["x"]
    assert calls == [10, 10, 5]
    assert (summary.rows_in, summary.rejected[UNPARSED]) == (30, 5)
    files = [row["file"] for row in lines_of(tmp_path / "out.csv.rejects.jsonl")]
    assert files == [str(pages / f"{i:03}.html") for i in range(0, 30, 7)]
