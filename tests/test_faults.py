"""Every fault of docs/faults.md: a clear error or the right answer, no traceback, nothing lost."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import postings_fake
import pytest
from conftest import ROOT

from cxjobs import load_model, store
from cxjobs.errors import CxjobsError, FormatError
from cxjobs.postings import delimited, jsonrows
from cxjobs.postings.pipeline import classify
from cxjobs.postings.reading import Reading

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, limits, mounts")

HUGE = int(os.environ.get("CXJOBS_HUGE_LINE", "50")) * 10**6
"""Bytes of the huge line; a run with CXJOBS_HUGE_LINE=1000 tries 1 GB."""

START = "import sys\nfrom cxjobs.cli import main\n{}\nsys.exit(main())"


def start(*arguments, fault="", env=None, **options) -> subprocess.Popen:
    """The command in a process of its own, with a fault set up in it."""
    command = [sys.executable, "-c", START.format(fault), *map(str, arguments)]
    env = {**os.environ, "NO_COLOR": "1", "PYTHONPATH": str(ROOT)} if env is None else env
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
    return subprocess.Popen(command, env=env, **{**streams, **options})


def run(*arguments, **options) -> subprocess.CompletedProcess:
    process = start(*arguments, **options)
    out, errors = process.communicate(timeout=600)
    return subprocess.CompletedProcess(
        arguments, process.returncode, (out or b"").decode(), (errors or b"").decode()
    )


def assert_told(done, *says) -> None:
    """Exit code 2 and one line that says what is wrong."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    for text in says:
        assert text in done.stderr


@pytest.fixture
def jobs(tmp_path) -> Path:
    path = tmp_path / "jobs.csv"
    rows = (f"{i},Head of CX {i},Own the journey of customers {i}" for i in range(4000))
    path.write_text("\n".join(["id,title,description", *rows]) + "\n")
    return path


@pytest.fixture
def disk(tmp_path):
    """A disk of 2 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True
    ).returncode:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Disks


def test_disk_full(jobs, disk):
    (disk / "other").write_bytes(bytes(1_600_000))
    assert_told(run("classify", jobs, "-o", disk / "out.csv"), "disk is full", "--resume")
    assert files_in(disk) == ["other"]
    (disk / "other").unlink()
    again = run("classify", jobs, "-o", disk / "out.csv", "--resume")
    assert again.returncode == 0, again.stderr
    assert (disk / "out.csv").read_text().count("\n") == 4001


def test_disk_full_half_way_is_resumed_to_the_same_bytes(jobs, tmp_path):
    whole = tmp_path / "whole.csv"
    classify([jobs], whole, postings_fake.load, batch_rows=100)
    code = (
        "import resource, postings_fake\n"
        "from cxjobs.postings.pipeline import classify\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
        "classify(sys.argv[1:2], sys.argv[2], postings_fake.load, batch_rows=100, every=0.0)"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    out = tmp_path / "out.csv"
    done = run(jobs, out, fault=code, env={**os.environ, "PYTHONPATH": path})
    assert "File too large" in done.stderr
    assert not out.exists()
    seen = []

    def counting():
        def answer(title, description):
            seen.append(len(title))
            return postings_fake.answer(title, description)

        return answer

    classify([jobs], out, counting, batch_rows=100, resume=True)
    assert out.read_bytes() == whole.read_bytes()
    assert sum(seen) < 4000


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "Head of CX"],
        ["predict", "Head of CX", "--json", "--explain"],
        ["classify", "JOBS"],
        ["inspect", "JOBS"],
        ["classify", "JOBS", "-o", "OUT", "--summary", "/dev/full"],
    ],
    ids=" ".join,
)
def test_disk_full_behind_a_stream(jobs, tmp_path, arguments):
    names = {"JOBS": jobs, "OUT": tmp_path / "out.csv"}
    with open("/dev/full", "wb") as full:
        done = run(*(names.get(a, a) for a in arguments), stdout=full)
    assert_told(done, "No space left")
    if "OUT" in arguments:
        assert (tmp_path / "out.csv").read_text().count("\n") == 4001


def test_temporary_folder_full(tmp_path, disk):
    line = json.dumps({"title": "Head of CX", "description": "journeys " * 400_000})
    (tmp_path / "in.jsonl").write_text(line + "\n")
    with open(tmp_path / "in.jsonl", "rb") as given:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(disk)}
        done = run("classify", "-", "--format", "jsonl", stdin=given, env=env)
    assert_told(done, "No space left", "TMPDIR")


def test_output_is_read_only(jobs, disk):
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    for arguments in (
        ("classify", jobs, "-o", disk / "out.csv"),
        ("classify", jobs, "-o", f"{disk}/parts/"),
        ("model", "export", "-o", disk / "m.joblib"),
    ):
        assert_told(run(*arguments), "cannot be written", "ead-only")


# Inputs


def changed_bytes(path):
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[len(data) // 2 :].replace(b"CX", b"UX"))


def longer(path):
    with open(path, "ab") as file:
        file.write(b"9999,Late,one\n")


def shorter(path):
    os.truncate(path, path.stat().st_size // 2)


def replaced(path):
    beside = path.with_suffix(".new")
    shutil.copy2(path, beside)
    os.replace(beside, path)


@pytest.mark.parametrize("change", [changed_bytes, longer, shorter, replaced])
def test_input_changes_under_way(jobs, tmp_path, change):
    def load():
        change(jobs)
        return postings_fake.answer

    out = tmp_path / "out.csv"
    summary = classify([jobs], out, load)
    told = (tmp_path / "out.csv.rejects.jsonl").read_text()
    assert "changed while it was read" in told
    assert sum(summary.rejected.values()) >= 1
    assert summary.rows_out == out.read_text().count("\n") - 1


def test_input_that_rests_is_not_said_to_change(jobs, tmp_path):
    assert not classify([jobs, jobs], tmp_path / "out.csv", postings_fake.load).rejected


@pytest.mark.parametrize("change", [shorter, Path.unlink])
def test_columns_on_disk_change_under_way(jobs, tmp_path, change):
    classify([jobs], tmp_path / "jobs.parquet", postings_fake.load)
    reading = Reading([tmp_path / "jobs.parquet"])
    change(tmp_path / "jobs.parquet")
    with pytest.raises(FormatError, match=r"jobs\.parquet: (not a Parquet file|cannot be read)"):
        list(reading.batches())


def test_windows_line_ends(tmp_path):
    rows = [{"title": "Café Lead", "description": "Own journeys.\nAll."}, {"title": "Agent"}]
    for end in ("\n", "\r\n"):
        name = f"w{len(end)}"
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (tmp_path / f"{name}.jsonl").write_bytes((end.join(lines) + end).encode())
        table = ["title,description", '"Café Lead","Own journeys.\nAll."', "Agent,"]
        (tmp_path / f"{name}.csv").write_bytes((end.join(table) + end).encode())
        for kind in ("jsonl", "csv"):
            classify(
                [tmp_path / f"{name}.{kind}"], tmp_path / f"{name}.out.{kind}", postings_fake.load
            )
    for kind in ("jsonl", "csv"):
        answers = [(tmp_path / f"w{n}.out.{kind}").read_bytes() for n in (1, 2)]
        assert answers[0] == answers[1]
        assert answers[0].count(b"status") == (1 if kind == "csv" else 2)


def test_a_hundred_thousand_columns(tmp_path):
    names = ["title", "description", *(f"column_{i}" for i in range(99_998))]
    cells = ",x" * 99_998
    text = ",".join(names) + f"\nHead of CX,journeys{cells}\nAgent,calls{cells}\n"
    (tmp_path / "wide.csv").write_text(text)
    out = tmp_path / "out.csv"
    assert classify([tmp_path / "wide.csv"], out, postings_fake.load).ok == 2
    head, first, _ = out.read_text().splitlines()
    assert head.count(",") == first.count(",") == 99_999 + len(postings_fake.COLUMNS)
    assert first.startswith('"Head of CX","journeys","x"')


def test_the_same_name_a_hundred_thousand_times(tmp_path):
    (tmp_path / "wide.csv").write_text("title" + ",x" * 100_000 + "\nCX" + "," * 100_000 + "\n")
    names = Reading([tmp_path / "wide.csv"]).files[0].schema.names
    assert names[:4] == ["title", "x", "x_2", "x_3"]
    assert len(set(names)) == 100_001


def test_a_header_of_many_megabytes_is_no_table(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST", 1 << 21)
    (tmp_path / "x.csv").write_text("title," + "x" * (1 << 22))
    with pytest.raises(FormatError, match="line 1 has over 2097152 bytes"):
        Reading([tmp_path / "x.csv"])


@pytest.mark.parametrize("quote", ["", '"'])
def test_one_huge_line_of_a_table(tmp_path, quote):
    path, word = tmp_path / "huge.csv", b"word, and " * 10_000
    with open(path, "wb") as file:
        file.write(b"id,title,description\n1,Head of CX,journeys\n2,Big," + quote.encode())
        for _ in range(HUGE // len(word)):
            file.write(word)
        file.write(f"{quote}\n3,Agent,calls\n".encode())
    done = run("classify", path, "-o", tmp_path / "out.csv")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "3 postings in, 2 out" in done.stderr
    told = [json.loads(x) for x in (tmp_path / "out.csv.rejects.jsonl").read_text().splitlines()]
    assert [(one["line"], one["reason"][:14]) for one in told] == [(3, "a line of over")]
    assert told[0]["raw"].startswith(f"2,Big,{quote}word")


def test_one_huge_line_of_json(tmp_path, monkeypatch):
    monkeypatch.setattr(jsonrows, "LONGEST", 1 << 23)
    with open(tmp_path / "huge.jsonl", "w") as file:
        file.write('{"title": "Head of CX"}\n{"title": "' + "word " * 4_000_000)
        file.write('"}\n{"title": "Agent"}\n{broken\n')
    classify([tmp_path / "huge.jsonl"], tmp_path / "out.jsonl", postings_fake.load)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["title"] for line in lines] == ["Head of CX", "Agent"]
    told = (tmp_path / "out.jsonl.rejects.jsonl").read_text().splitlines()
    assert [json.loads(one)["line"] for one in told] == [2, 4]


# Processes


def deadly(act):
    """An answer that does something terrible in a worker once it meets a certain title."""

    def load():
        def answer(title, description):
            if "Head of CX 3000" in title.to_pylist():
                act()
            return postings_fake.answer(title, description)

        return answer

    return load


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def exhausted():
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 10**8, -1))
    np.ones(10**9)


@pytest.mark.parametrize(("act", "error"), [(killed, CxjobsError), (exhausted, MemoryError)])
def test_a_worker_is_killed_or_out_of_memory(jobs, tmp_path, act, error):
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    options = {"batch_rows": 400, "every": 0.0}
    classify([jobs], whole, postings_fake.load, **options)
    with pytest.raises(error, match=r"worker process died|allocate"):
        classify([jobs], out, deadly(act), jobs=2, **options)
    assert not out.exists()
    classify([jobs], out, postings_fake.load, resume=True, **options)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("MemoryError('Unable to allocate')", "out of memory"),
        ("OSError(28, 'No space left on device', 'x.tmp')", "x.tmp: No space left"),
        ("CxjobsError('A worker process died')", "A worker process died"),
    ],
)
def test_what_a_run_dies_of_is_told(jobs, error, says):
    fault = (
        "from cxjobs.errors import CxjobsError\n"
        "import cxjobs.postings.pipeline as pipeline\n"
        f"def fail(*_, **__): raise {error}\n"
        "pipeline.classify = fail"
    )
    assert_told(run("classify", jobs, fault=fault), says)


@pytest.mark.parametrize(
    "arguments",
    [["predict", "CX", "--description", "-"], ["classify", "-", "--format", "csv"]],
    ids=" ".join,
)
def test_ctrl_c_while_waiting_for_input(arguments):
    process = start(*arguments, fault="print(end='-', flush=True)", stdin=subprocess.PIPE)
    assert process.stdout.read(1) == b"-"
    time.sleep(0.6)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.decode().strip() == "Interrupted."
    assert process.returncode == 130


@pytest.mark.parametrize(
    "arguments", [["predict", "CX"], ["inspect", "JOBS"], ["classify", "JOBS", "--quiet"]]
)
def test_a_closed_pipe_is_silent(jobs, arguments):
    read, write = os.pipe()
    os.close(read)
    done = run(*(jobs if a == "JOBS" else a for a in arguments), stdout=write)
    os.close(write)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "closed", "says"),
    [
        (["predict", "CX"], "<&- >&-", ""),
        (["predict", "CX", "--description", "-"], "<&-", ""),
        (["classify", "JOBS"], ">&-", "4,000 postings in"),
        (["classify", "-"], "<&-", "the file is empty"),
        (["classify", "JOBS"], "2>&-", ""),
    ],
    ids=lambda one: one if isinstance(one, str) else " ".join(one),
)
def test_streams_that_are_closed_from_the_start(jobs, arguments, closed, says):
    words = [str(jobs) if a == "JOBS" else a for a in arguments]
    shell = f'exec {sys.executable} -m cxjobs "$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", shell, "-", *words], capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert says in done.stderr
    assert done.returncode == (2 if "empty" in says else 0)


def test_the_clock_jumps(jobs, tmp_path, monkeypatch):
    classify([jobs], tmp_path / "a.csv", postings_fake.load, batch_rows=100)
    years = iter(range(10**9, 0, -(10**6)))
    for name in ("time", "time_ns"):
        monkeypatch.setattr(time, name, lambda: next(years) * 10**3)
    shown = []
    summary = classify(
        [jobs], tmp_path / "b.csv", postings_fake.load, batch_rows=100, every=0.0,
        progress=lambda rows, _: shown.append(rows),
    )  # fmt: skip
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert 0 <= summary.seconds < 60
    assert shown[-1] == 4000


# Surroundings


def bare(**variables):
    """An environment with nothing in it."""
    return {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], **variables}


OLD_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize("variables", [{"LC_ALL": "C"}, OLD_C], ids=str)
def test_locale_c(tmp_path, variables):
    place = tmp_path / "ü"
    place.mkdir()
    (place / "é.csv").write_text("title,description\nCafé Manager,naïve\n", "utf-8")
    wanted = load_model().predict("Café Manager").to_dict()
    done = run("predict", "Café Manager", "--json", env=bare(**variables))
    assert json.loads(done.stdout) == wanted, done.stderr
    done = run("classify", place / "é.csv", "-o", place / "ö.csv", env=bare(**variables))
    assert done.returncode == 0, done.stderr
    assert '"Café Manager","naïve"' in (place / "ö.csv").read_text("utf-8")


@pytest.mark.parametrize("home", [None, "/proc"])
def test_no_home_to_write_to(jobs, tmp_path, home):
    env = bare() if home is None else bare(HOME=home)
    workers = "2" if home else "1"
    done = run("classify", jobs, "-o", tmp_path / "out.csv", "--jobs", workers, env=env, cwd="/")
    assert done.returncode == 0, done.stderr
    assert files_in(tmp_path) == ["jobs.csv", "out.csv"]


# Model folders


def rewritten(change):
    def act(folder):
        manifest = json.loads((folder / store.MANIFEST).read_text())
        change(manifest)
        (folder / store.MANIFEST).write_text(json.dumps(manifest))

    return act


def one_bit(folder):
    data = bytearray((folder / store.ARRAYS).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / store.ARRAYS).write_bytes(data)


def giant(folder):
    (folder / store.MANIFEST).unlink()
    with open(folder / store.MANIFEST, "wb") as file:
        file.truncate(2**34)  # sparse


def giant_arrays(folder):
    os.truncate(folder / store.ARRAYS, 2**40)
    rewritten(lambda m: m["arrays"].update(bytes=2**40))(folder)


def pipe(name):
    def act(folder):
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return act


def elsewhere(folder):
    shutil.move(folder / store.ARRAYS, folder.parent / "stolen.bin")
    rewritten(lambda m: m["arrays"].update(file="../stolen.bin"))(folder)


def deceptive(folder):
    """No empty slot, so that a search would go round for ever; the digest is made anew."""
    opened = store.read(folder)
    arrays = {name: opened.array(name).copy() for name in opened.manifest["arrays"]["index"]}
    arrays["words.keys"][arrays["words.keys"] == 0] = 7
    store.write(folder, arrays, {k: v for k, v in opened.manifest.items() if k != "arrays"})


MODELS = {
    "made to deceive": (deceptive, "no empty slot"),
    "missing": (shutil.rmtree, "is not a model folder"),
    "a bit altered": (one_bit, "SHA-256"),
    "cut": (lambda f: os.truncate(f / store.ARRAYS, 1000), "cut or altered"),
    "newer": (rewritten(lambda m: m.update(format=store.FORMAT + 1)), "upgrade"),
    "path traversing": (elsewhere, "index of arrays is damaged"),
    "oversized manifest": (giant, "larger than any manifest"),
    "oversized arrays": (giant_arrays, "index of arrays is damaged"),
    "a pipe for a manifest": (pipe(store.MANIFEST), "not a plain file"),
    "a pipe for arrays": (pipe(store.ARRAYS), "not a plain file"),
    "no thresholds": (rewritten(lambda m: m.pop("thresholds")), "lacks 'thresholds'"),
    "thresholds of text": (rewritten(lambda m: m.update(thresholds="x")), "manifest"),
    "a promise of text": (rewritten(lambda m: m["promise"].update(title="x")), "manifest"),
    "no name": (rewritten(lambda m: m.pop("name")), "lacks 'name'"),
    "a missing array": (
        rewritten(lambda m: m["arrays"]["index"].pop("title.coef")),
        "no array 'title.coef'",
    ),
    "an array of another shape": (
        rewritten(lambda m: m["arrays"]["index"]["title.intercept"].update(shape=[3])),
        "title.intercept",
    ),
    "an array of another type": (
        rewritten(lambda m: m["arrays"]["index"]["words.numbers"].update(dtype="<f4")),
        "words.numbers",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_model_folder(folder, name, jobs, monkeypatch):
    damage, says = MODELS[name]
    damage(folder)
    from click.testing import CliRunner

    from cxjobs.cli import group

    for arguments in (["predict", "Head of CX"], ["classify", str(jobs)], ["model", "verify"]):
        done = CliRunner().invoke(group, [*arguments, "--model", str(folder)])
        assert done.exit_code == 2, done.output
        assert says in done.stderr
        assert isinstance(done.exception, SystemExit)


def test_a_joblib_file_is_no_model(tmp_path):
    path = tmp_path / "m.joblib"
    path.write_bytes(b"\x80\x04.")
    assert_told(run("predict", "CX", "--model", path), "is not a model folder")


# The table


def test_the_table_names_every_test_and_no_other():
    told = re.findall(r"`(test_\w+)`", (ROOT / "docs" / "faults.md").read_text("utf-8"))
    mine = re.findall(r"^def (test_\w+)", Path(__file__).read_text("utf-8"), re.MULTILINE)
    assert sorted(told) == sorted(mine[:-1])
