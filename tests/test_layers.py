"""Imports go downwards only; the answering path stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cxjobs

PACKAGE = Path(cxjobs.__file__).parent

LAYERS = [
    ["errors", "__init__"],
    ["files", "taxonomy", "text", "binomial", "intervals"],
    ["features", "vectorizer", "frame", "lexicon", "columns", "naming", "spans", "metrics"],
    ["shares", "prevalence"],
    ["dataset", "decision", "agreement", "model", "calibrate"],
    ["batch_scorer", "evaluate", "soundness", "store"],
    ["scorer"],
    ["card", "flags", "training", "explain", "highlight", "tables", "survey"],
    ["answer"],
    ["postings", "spark"],
    ["answered", "diff", "sheet", "review", "learning", "merge"],
    ["intake", "examples", "study", "charts", "page", "report"],
    ["cli"],
    ["__main__"],
]
"""From the bottom up. A module imports from lower layers, or from its own."""


def layer_of(module: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if module in names)


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports when it is itself imported."""
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only or not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        parts = node.module.split(".")
        if parts[0] == "cxjobs":
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found - {"__version__"}


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_downwards(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    upwards = {name for name in imported(path) if layer_of(name) > layer_of(own)}
    assert not upwards, f"{own} must not import {upwards}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_outgrows_its_room(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import cxjobs", "click numpy pandas pyarrow scipy sklearn json"),
        ("import cxjobs.cli", "numpy pandas pyarrow scipy sklearn"),
        ("import cxjobs.answer", "click numpy pandas pyarrow scipy sklearn"),
        (
            "import cxjobs; cxjobs.load_model().predict('Head of Customer Experience', 'x')",
            "click numpy pandas pyarrow scipy sklearn",
        ),
        (
            "import cxjobs; str(cxjobs.load_model().explain('Head of Customer Experience', 'x'))",
            "click numpy pandas pyarrow scipy sklearn",
        ),
    ],
)
def test_nothing_heavy_is_imported(statement, heavy):
    code = f"{statement}\nimport sys\nprint(*[m for m in {heavy.split()!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == []
