"""Break the code in one small place at a time: do the tests notice?

    python benchmarks/mutation/run.py decision agreement            # every mutant
    python benchmarks/mutation/run.py postings.delimited --sample 60

Works on a copy of the last commit. One mutant changes one operator, comparison, number, condition
or truth value; it is killed where a test (or a doctest of the module) fails or takes five times
as long as it should. Prints the score and each survivor as a line of code before and after.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent.parent

TESTS = {
    "binomial": ["test_binomial.py"],
    "decision": ["test_decision.py"],
    "agreement": ["test_agreement.py", "test_cli_agree.py"],
    "survey": ["test_survey.py"],
    "shares": ["test_shares.py"],
    "prevalence": ["test_prevalence.py"],
    "postings.delimited": ["test_postings_delimited.py"],
    "postings.jsonrows": ["test_postings_json.py", "test_postings_sources.py"],
    "postings.inputs": ["test_postings_inputs.py"],
    "postings.formats": ["test_postings_formats.py", "test_postings_inputs.py"],
    "postings.fields": ["test_postings_fields.py", "test_postings_sources.py"],
    "postings.layout": ["test_postings_layout.py", "test_postings_pipeline.py"],
    "postings.duplicates": ["test_postings_duplicates.py"],
    "postings.sources": ["test_postings_sources.py"],
    "postings.pages": ["test_postings_pages.py", "test_postings_sources.py"],
    "postings.parquet": ["test_postings_inputs.py"],
    "postings.batch": ["test_postings_batch.py"],
    "postings.reading": [
        "test_postings_reading.py",
        "test_postings_sources.py",
        "test_postings_inputs.py",
        "test_postings_pipeline.py",
    ],
    "postings.overview": ["test_postings_overview.py"],
    "postings.summary": ["test_postings_summary.py"],
    "postings.workers": ["test_postings_workers.py"],
    "postings.pipeline": ["test_postings_pipeline.py", "test_postings_resume.py"],
    "postings.outlets": ["test_postings_outlets.py"],
    "postings.workspace": ["test_postings_workspace.py"],
    "postings.writers": ["test_postings_writers.py"],
}
"""Tests of a module; the quick ones first."""

SWAPS: dict[type, list[type]] = {
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.In: [ast.NotIn], ast.NotIn: [ast.In],
    ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.Add: [ast.Sub], ast.Sub: [ast.Add],
    ast.Mult: [ast.Div], ast.Div: [ast.Mult], ast.FloorDiv: [ast.Mult], ast.Mod: [ast.FloorDiv],
    ast.Pow: [ast.Mult], ast.And: [ast.Or], ast.Or: [ast.And], ast.BitAnd: [ast.BitOr],
    ast.BitOr: [ast.BitAnd], ast.UAdd: [ast.USub],
}  # fmt: skip


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Changed copies of one node."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign):
        for kind in SWAPS.get(type(node.op), []):
            yield _with(node, op=kind())
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        for kind in SWAPS.get(type(node.ops[0]), []):
            yield _with(node, ops=[kind()])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield _with(node, value=not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield _with(node, value=node.value + 1)
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Return) and node.value is not None:
        yield _with(node, value=ast.Constant(None))
    elif isinstance(node, ast.Break | ast.Continue):
        yield ast.Pass()


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def mutants(source: str) -> Iterator[tuple[int, str]]:
    """Line and whole text of every mutant. Types, decorators and doc strings are left alone."""
    tree = ast.parse(source)
    quiet = set()
    for node in ast.walk(tree):
        parts: list[Any] = []
        if isinstance(node, ast.FunctionDef):
            parts = [*node.decorator_list, node.returns, *(a.annotation for a in node.args.args)]
            parts += [a.annotation for a in node.args.kwonlyargs]
        elif isinstance(node, ast.ClassDef):
            parts = list(node.decorator_list)
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            parts = [node]
        quiet |= {id(inner) for part in parts if part for inner in ast.walk(part)}
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            places = enumerate(value) if isinstance(value, list) else [(None, value)]
            for at, node in places:
                if not isinstance(node, ast.AST) or id(node) in quiet:
                    continue
                for changed in variants(node):
                    _put(parent, name, at, ast.copy_location(changed, node))
                    text = ast.unparse(ast.fix_missing_locations(tree))
                    _put(parent, name, at, node)
                    yield getattr(node, "lineno", 0), text


def _put(parent: ast.AST, name: str, at: int | None, node: ast.AST) -> None:
    if at is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[at] = node


def passes(place: Path, arguments: list[str], limit: float) -> bool:
    """Whether the tests pass, in a fork of this process, which has the libraries loaded."""
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(place)
        sys.path[:0] = [str(place), str(place / "tests")]
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.environ["PYTHONPATH"] = str(place)
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        sys.dont_write_bytecode = True
        import pytest

        code = pytest.main([*arguments, "-x", "-q", "-p", "no:cacheprovider", "--no-header"])
        os._exit(int(code))
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status == 0
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def difference(before: str, after: str) -> str:
    """What a mutant changed of a line, with some words around."""
    for old, new in zip(before.splitlines(), after.splitlines(), strict=False):
        if old != new:
            same = (a == b for a, b in zip(old, new, strict=False))
            at = max(sum(takewhile(bool, same)) - 60, 0)
            return f"{old[at:].strip()[:120]}  ->  {new[at:].strip()[:120]}"
    return "?"


def run(place: Path, module: str, sample: int, seed: int) -> tuple[int, int]:
    """Try the mutants of one module; how many there were, and how many were killed."""
    path = place / "cxjobs" / f"{module.replace('.', '/')}.py"
    source = path.read_text("utf-8")
    arguments = [str(path), *(str(place / "tests" / one) for one in TESTS[module])]
    began = time.monotonic()
    if not passes(place, arguments, 600):
        sys.exit(f"{module}: its tests fail as it is")
    limit = 5 * (time.monotonic() - began) + 5
    all_ = [one for one in mutants(source) if one[1] != ast.unparse(ast.parse(source))]
    chosen = (
        random.Random(f"{module} {seed}").sample(all_, min(sample, len(all_))) if sample else all_
    )
    plain, killed = ast.unparse(ast.parse(source)), 0
    for line, text in sorted(chosen, key=lambda one: one[0]):
        path.write_text(text, "utf-8")
        if passes(place, arguments, limit):
            print(f"  survived  {module}:{line}  {difference(plain, text)}", flush=True)
        else:
            killed += 1
    path.write_text(source, "utf-8")
    # A draw that hypothesis has failed on once is tried again for ever, and kills whatever comes.
    if not passes(place, arguments, 600):
        sys.exit(f"{module}: its tests fail now and then, so that their score says nothing")
    share = killed / max(len(chosen), 1)
    print(
        f"{module}: {killed} of {len(chosen)} killed ({share:.0%}), of {len(all_)} mutants,"
        f" {time.monotonic() - began:.0f} s",
        flush=True,
    )
    return len(chosen), killed


def main() -> None:
    """Copy, break, test, count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", default=list(TESTS))
    parser.add_argument("--sample", type=int, default=0, help="mutants of each; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    asked = parser.parse_args()
    # Loaded once; every mutant's tests run in a fork.
    import hypothesis  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        archive = subprocess.run(
            ["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True
        ).stdout
        (place / "head.tar").write_bytes(archive)
        shutil.unpack_archive(place / "head.tar", place)
        counts = [run(place, module, asked.sample, asked.seed) for module in asked.modules]
    tried, killed = (sum(column) for column in zip(*counts, strict=True))
    print(f"all: {killed} of {tried} killed ({killed / tried:.1%})")


if __name__ == "__main__":
    main()
