"""How fast it is, side by side in one run: medians of paired ratios, and peak memory.

    python benchmarks/speed/run.py --postings FILE.jsonl.gz --titles FILE.csv --write

Without files, texts are made up from the labelled table. In every round all take the same slice
of the texts, one after the other; ratios are taken within a round. One thread each.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import texts

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
LABELLED = ROOT / "data" / "labeled_jobs.csv"
LAUNCH = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss, status)
"""
"""A small process that starts another: a large one would pass its own peak on to it."""

TITLE = "Head of Customer Experience"
SCORER, STOCK = "cxjobs scorer", "cxjobs reference (scikit-learn)"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def spread(values, digits=1):
    """Median, and the quartiles around it."""
    low, mid, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{mid:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def run(command):
    """Seconds and peak megabytes of a process."""
    done = subprocess.run(
        [sys.executable, "-c", LAUNCH, *command], capture_output=True, text=True, cwd=ROOT
    )
    seconds, kilobytes, status = done.stdout.split()
    if int(status):
        raise SystemExit(f"failed: {' '.join(command)}\n{done.stderr}")
    return float(seconds), int(kilobytes) / 1024


def makers(folder):
    """Rivals by name: how to build each."""
    import rivals

    return {
        STOCK: lambda: rivals.by_reference(folder),
        "the same, joblib, 2 processes": lambda: rivals.by_reference_in_two(folder),
        "plain scikit-learn, words and pairs": lambda: rivals.by_pipeline(folder, LABELLED, (1, 2)),
        "plain scikit-learn, single words": lambda: rivals.by_pipeline(folder, LABELLED, (1, 1)),
        "fastText": lambda: rivals.by_fasttext(LABELLED),
        SCORER: lambda: rivals.by_scorer(folder),
    }


def all_built(folder):
    """Rivals ready to be called, and a note on those that are not installed."""
    built, note = {}, ""
    for name, make in makers(folder).items():
        try:
            built[name] = make()
        except ImportError:
            note += f" {name} is not installed and was left out."
    return built, note


def in_process(folder, rows, rounds, built, note):
    """Each rival's speed, and how many times the reference's that is."""
    import rivals

    size = len(rows) // rounds
    took = {name: ([], []) for name in built}
    for k in range(-1, rounds):  # the first round warms up
        part = rows[max(k, 0) * size : (max(k, 0) + 1) * size]
        titles, told = [r[0] for r in part], [r[1] for r in part]
        columns = rivals.arrow(titles), rivals.arrow(told)
        for name, predict in built.items():
            start, busy = time.perf_counter(), time.process_time()
            predict(*(columns if name == SCORER else (titles, told)))
            if k >= 0:
                took[name][0].append(time.perf_counter() - start)
                took[name][1].append(time.process_time() - busy)
    out = []
    for name, (clock, busy) in took.items():
        alone = "joblib" not in name
        out.append(
            (
                name,
                f"{size / statistics.median(clock):,.0f}",
                f"{size / statistics.median(busy):,.0f}" if alone else "",
                spread(ratios(took[STOCK][0], clock)),
                spread(ratios(clock, took[SCORER][0])),
                spread(ratios(busy, took[SCORER][1])) if alone else "",
                f"{run(peak_command(folder, name, len(told[0])))[1]:.0f}" if alone else "",
            )
        )
    worst = rivals.difference(folder, titles[:500], told[:500])
    said = f"Largest difference from the reference over 500 rows: {worst:.1e}."
    heads = ["", "rows/s", "rows/s of CPU time", "times the reference"]
    heads += ["scorer is faster by", "by CPU time", "peak MB"]
    return f"{table(heads, out)}\n\n{said}{note}"


def ratios(above, below):
    return [a / b for a, b in zip(above, below, strict=True)]


def peak_command(folder, name, whole):
    """A process of its own in which one rival reads 2,000 rows, for its memory."""
    return [sys.executable, __file__, "--model", folder, "--peak", name, *["--whole"] * bool(whole)]


def peak(folder, name, whole):
    import rivals

    rows = texts.made_postings(LABELLED, 2000)
    titles = [title for title, _ in rows]
    told = [body if whole else "" for _, body in rows]
    predict = makers(folder)[name]()
    predict(*((rivals.arrow(titles), rivals.arrow(told)) if name == SCORER else (titles, told)))


def classify_command(folder, path, out):
    command = [sys.executable, "-m", "cxjobs", "classify", path, "-o", out, "--quiet"]
    return [*map(str, command), "--model", folder]


def whole_process(folder, rows, rounds, scratch):
    """`cxjobs classify` from CSV to CSV against a process in which pandas only reads the file."""
    path = scratch / "in.csv"
    texts.write_csv(path, rows, ("title", "description"))
    read = [sys.executable, "-c", f"import pandas; pandas.read_csv({str(path)!r})"]
    classify = classify_command(folder, path, scratch / "out.csv")
    took = [(run(read), run(classify)) for _ in range(rounds)]
    floor, ours = ([pair[k][0] for pair in took] for k in (0, 1))
    megabytes = path.stat().st_size / 1e6
    return (
        f"{len(rows):,}",
        f"{megabytes:.0f}",
        f"{statistics.median(floor):.2f}",
        f"{statistics.median(ours):.2f}",
        spread(ratios(ours, floor), 2),
        f"{statistics.median(p[0][1] for p in took):.0f}",
        f"{statistics.median(p[1][1] for p in took):.0f}",
    )


def cold_start(folder, home, rounds=21):
    python, command = str(home / "python"), home / "cxjobs"
    predict = [str(command)] if command.exists() else [python, "-m", "cxjobs"]
    called = "cxjobs predict TITLE" if command.exists() else "python -m cxjobs predict TITLE"
    ways = {
        "python -c pass": [python, "-c", "pass"],
        "python -c 'import click'": [python, "-c", "import click"],
        called: [*predict, "predict", TITLE, "--model", folder],
        "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
        "python -c 'import sklearn.linear_model'": [
            sys.executable,
            "-c",
            "import sklearn.linear_model",
        ],
    }
    took = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            took[name].append(run(way)[0])
    base = took["python -c pass"]
    rows = [
        (
            f"`{name}`",
            f"{statistics.median(t) * 1e3:.0f}",
            spread(ratios(t, base)),
        )
        for name, t in took.items()
    ]
    return table(["", "ms", "times `python -c pass`"], rows)


def opening(folder, rounds=41):
    from cxjobs import store

    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        store.read(folder)
        took.append((time.perf_counter() - start) * 1e3)
    size = Path(folder, store.ARRAYS).stat().st_size / 1e6
    return f"Model opened and verified: {spread(took, 2)} ms for {size:.1f} MB."


def growth(folder, postings, most, scratch):
    """Time and memory from a thousand rows to `most`: descriptions cut to 300 characters."""
    import rivals

    predict = rivals.by_scorer(folder)
    rows = []
    for count in (10**k for k in range(3, 10) if 10**k <= most):
        some = [(t, d[-300:]) for t, d in texts.repeated_postings(postings, count)]
        columns = [rivals.arrow([row[k] for row in some]) for k in (0, 1)]
        start = time.perf_counter()
        for i in range(0, count, 20_000):
            predict(*(c[i : i + 20_000] for c in columns))
        inside = (time.perf_counter() - start) / count * 1e6
        path = scratch / "growth.csv"
        texts.write_csv(path, some, ("title", "description"))
        del some, columns
        seconds, megabytes = run(classify_command(folder, path, scratch / "out.csv"))
        rows.append((f"{count:,}", f"{inside:.1f}", f"{seconds:.2f}", f"{megabytes:.0f}"))
    heads = ["rows", "scorer, µs a row", "classify, s", "classify, peak MB"]
    return table(heads, rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--postings", type=Path, help="JSONL, plain or .gz")
    parser.add_argument("--titles", type=Path, help="CSV with a column title")
    parser.add_argument("--model", help="folder; default: the shipped model")
    parser.add_argument(
        "--bin", type=Path, default=Path(sys.executable).parent, help="of an installed cxjobs"
    )
    parser.add_argument("--n-postings", type=int, default=50_000)
    parser.add_argument("--n-titles", type=int, default=1_000_000)
    parser.add_argument("--n-growth", type=int, default=1_000_000)
    parser.add_argument("--slices", type=int, default=40, help="rounds within one process")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of whole processes")
    parser.add_argument("--sections", default="process,whole,start,growth")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[threads] = "1"
    sys.path.insert(0, str(ROOT))
    from cxjobs import store

    folder = str(given.model or store.shipped())
    if given.peak:
        return peak(folder, given.peak, given.whole)
    postings = texts.read_postings(given.postings) if given.postings else None
    postings = postings or texts.made_postings(LABELLED)
    titles = texts.read_titles(given.titles) if given.titles else [t for t, _ in postings]
    told = texts.repeated_postings(postings, given.n_postings)
    bare = [(title, "") for title in texts.repeated_titles(titles, given.n_titles)]
    mean = sum(len(d) for _, d in told) / len(told)

    def report(name, part):
        print(f"## {name}\n\n{part}\n", flush=True)
        if given.write:
            page = (HERE / "README.md").read_text(encoding="utf-8")
            start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
            before, rest = page.split(start)
            page = before + start + part + "\n" + end + rest.split(end)[1]
            (HERE / "README.md").write_text(page, encoding="utf-8")

    if "process" in given.sections:
        built = all_built(folder)
        part = in_process(folder, told, given.slices, *built)
        report("postings", f"{mean:,.0f} characters on average.\n\n{part}")
        report("titles", in_process(folder, bare, given.slices, *built))
    with tempfile.TemporaryDirectory() as scratch:
        if "start" in given.sections:
            report("start", f"{cold_start(folder, given.bin)}\n\n{opening(folder)}")
        if "whole" in given.sections:
            heads = ["rows", "MB", "pandas reads, s", "classify, s", "ratio"]
            rows = [whole_process(folder, r, given.rounds, Path(scratch)) for r in (told, bare)]
            report("whole", table([*heads, "pandas, peak MB", "classify, peak MB"], rows))
        if "growth" in given.sections:
            del told, bare
            report("growth", growth(folder, postings, given.n_growth, Path(scratch)))
    return None


if __name__ == "__main__":
    main()
