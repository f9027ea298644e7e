"""A long fuzzing run, guided by coverage: a million inputs over every target by default.

    python benchmarks/fuzz/run.py --inputs 1000000

Needs atheris (`pip install atheris`); without it inputs are made by blind mutation of the seeds.
The inputs are divided by the targets' speed. Stops at the first failure of a target, keeps the
input in benchmarks/fuzz/failures, and goes on with the next target. Prints a line per target;
exit code 1 if any failed.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FAILURES = HERE / "failures"

SHARES = {
    "cleaner": 700, "html": 60, "csv": 50, "tsv": 40, "jsonl": 35, "json": 30, "any": 30,
    "manifest": 25, "parquet": 15, "table": 8, "scorer": 7,
}  # fmt: skip
"""Of a thousand inputs, about as a second of each target gives them."""

LONGEST = {"manifest": 50_000, "parquet": 3000}
"""Bytes of an input, 400 unless told otherwise: small ones are quick and reach as far."""

ODD = [
    b'"', b'""', b"\n", b"\r\n", b"\r", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"{", b"[",
    b"]", b"}", b",", b":", b"\\", b"\\u", b"<", b">", b"&amp;", b"&#", b"\xef\xbb\xbf",
    b"\xff\xfe", b"\x1f\x8b", b"PAR1", b"<script", b"itemscope", b"\xe2\x80\x99",
    b"NaN", b"1e999", b"title",
]  # fmt: skip


def seeds() -> dict[str, list[bytes]]:
    """Small inputs to begin with, per target."""
    sys.path.insert(0, str(ROOT))
    import pyarrow as pa
    import pyarrow.parquet as pq

    from cxjobs import store

    files = [p for p in (ROOT / "tests/files/postings").rglob("*") if p.is_file()]
    heads = [p.read_bytes()[:400] for p in files]
    lines = [line[:400] for p in files for line in p.read_bytes().splitlines()[:3]]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"title": ["Head of CX", None], "n": [1, 2]}), sink)
    found = dict.fromkeys(SHARES, heads + lines)
    found["parquet"] = [sink.getvalue().to_pybytes()]
    found["manifest"] = [(Path(store.shipped()) / store.MANIFEST).read_bytes(), b"{}", b"[]"]
    return found


def guided(name: str, runs: int, corpus: list[bytes]) -> tuple[int, str]:
    """One target under atheris, in a process of its own: inputs tried, and what failed."""
    with tempfile.TemporaryDirectory() as folder:
        for number, one in enumerate(corpus):
            (Path(folder) / str(number)).write_bytes(one)
        (Path(folder) / "words.txt").write_text(
            "".join('"' + "".join(f"\\x{b:02x}" for b in one) + '"\n' for one in ODD)
        )
        dictionary = Path(folder) / "words.txt"
        dictionary = dictionary.rename(Path(folder).with_suffix(".dict"))
        done = subprocess.run(
            [
                sys.executable, __file__, "--target", name, f"-runs={runs}",
                f"-max_len={LONGEST.get(name, 400)}", "-timeout=20", "-rss_limit_mb=4096",
                f"-dict={dictionary}", f"-artifact_prefix={FAILURES}/{name}-", folder,
            ],
            capture_output=True, text=True, errors="replace", cwd=ROOT,
        )  # fmt: skip
        dictionary.unlink()
    tried = [int(n) for n in re.findall(r"^(?:#|Done )(\d+)", done.stderr, re.MULTILINE)]
    told = done.stdout.find("Uncaught Python exception")
    failed = "" if done.returncode == 0 else done.stdout[max(told, 0) :][:2000] + done.stderr[-600:]
    return max(tried, default=0), failed


def blind(name: str, runs: int, corpus: list[bytes]) -> tuple[int, str]:
    """One target by blind mutation."""
    from targets import TARGETS

    draw = random.Random(name)
    for tried in range(runs):
        data = bytearray(draw.choice(corpus))
        for _ in range(draw.randrange(6)):
            at = draw.randrange(len(data) + 1)
            data[at : at + draw.randrange(4)] = draw.choice([draw.randbytes(2), *ODD])
        try:
            TARGETS[name](bytes(data))
        except Exception as error:
            FAILURES.mkdir(exist_ok=True)
            (FAILURES / f"{name}-crash").write_bytes(data)
            return tried + 1, repr(error)
    return runs, ""


def single(name: str) -> None:
    """What `guided` starts: libFuzzer's loop, which ends the process."""
    import atheris

    sys.path[:0] = [str(ROOT), str(HERE)]
    with atheris.instrument_imports(include=["cxjobs"]):
        from targets import TARGETS
    atheris.Setup([sys.argv[0], *sys.argv[3:]], TARGETS[name])
    atheris.Fuzz()


def main() -> None:
    """Run the targets one after the other."""
    if sys.argv[1:2] == ["--target"]:
        single(sys.argv[2])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000, help="in all")
    parser.add_argument("targets", nargs="*", default=list(SHARES), help="some only")
    asked = parser.parse_args()
    sys.path.insert(0, str(HERE))
    FAILURES.mkdir(exist_ok=True)
    try:
        import atheris  # noqa: F401

        way = guided
    except ImportError:
        way = blind
    corpora, total, failures = seeds(), 0, 0
    for name in asked.targets:
        began = time.monotonic()
        runs = asked.inputs * SHARES[name] // sum(SHARES[n] for n in asked.targets)
        tried, failed = way(name, runs, corpora[name])
        total, failures = total + tried, failures + bool(failed)
        state = f"FAILED\n{failed}" if failed else "ok"
        print(f"{name:9} {tried:9,} inputs {time.monotonic() - began:6.0f} s  {state}", flush=True)
    print(f"{total:,} inputs, {failures} targets failed, {way.__name__}")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
