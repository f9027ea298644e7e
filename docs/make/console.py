"""Run the examples of a page and put what they print beneath them.

A fence of ``console`` holds commands, each after ``$ ``; a fence of ``python`` holds code. The
blocks of a page run in order, in one folder that begins with what is in ``docs/files``, ``data``
and ``models``. Words after the language change how:

``exit=1``
    Exit code that the last command must have; 0 otherwise.
``has=TEXT``
    What must be printed: a claim that the page makes. May stand several times.
``keep=FILE``
    Publish a file that the block has written, beside the page's other files.
``norun``
    Only show it.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "docs"
_FENCE = re.compile(r"^```(console|python)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fence of a page: its language, its code, what is asked of it."""

    language: str
    code: str
    exit: int
    has: tuple[str, ...]
    keep: tuple[str, ...]
    norun: bool
    span: tuple[int, int]

    @property
    def commands(self) -> list[str]:
        """Commands of a console, without their prompts."""
        joined = self.code.replace("\\\n", "\\\0")
        lines = [line.replace("\\\0", "\\\n") for line in joined.splitlines() if line]
        return [line.removeprefix("$ ") for line in lines]


@dataclass
class Result:
    """What a block printed, one text a command; what is wrong; files to publish."""

    printed: list[str] = field(default_factory=list)
    problem: str = ""
    kept: dict[str, str] = field(default_factory=dict)


def blocks(markdown: str) -> list[Block]:
    """Fences of a page, in order."""
    found = []
    for match in _FENCE.finditer(markdown):
        words = [word.partition("=") for word in shlex.split(match[2])]
        told = [(name, value) for name, _, value in words]
        found.append(
            Block(
                language=match[1],
                code=match[3],
                exit=int(dict(told).get("exit", "0")),
                has=tuple(value for name, value in told if name == "has"),
                keep=tuple(value for name, value in told if name == "keep"),
                norun="norun" in dict(told),
                span=match.span(),
            )
        )
    return found


def run(markdown: str) -> list[Result]:
    """Run a page's blocks; results are kept until the page, the package or the model changes."""
    todo = blocks(markdown)
    if not any(not block.norun for block in todo):
        return [Result() for _ in todo]
    state = json.dumps([_package(), [asdict(block) for block in todo]])
    store = CACHE / f"{hashlib.sha256(state.encode()).hexdigest()[:24]}.json"
    if store.exists():
        return [Result(**one) for one in json.loads(store.read_text("utf-8"))]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "work"
        shutil.copytree(ROOT / "docs" / "files", place)
        shutil.copy(ROOT / "data" / "examples.jsonl", place)
        for name in ("data", "models"):
            shutil.copytree(ROOT / name, place / name)
        environment = _environment(Path(folder))
        names: dict[str, object] = {"__name__": "__main__"}
        results = [_result(block, place, environment, names) for block in todo]
    if not any(one.problem for one in results):
        CACHE.mkdir(parents=True, exist_ok=True)
        store.write_text(json.dumps([asdict(one) for one in results]), "utf-8")
    return results


def rendered(markdown: str, results: list[Result]) -> str:
    """The page with what its blocks printed."""
    parts, at = [], 0
    for block, result in zip(blocks(markdown), results, strict=True):
        parts.append(markdown[at : block.span[0]])
        at = block.span[1]
        if block.language == "console" and not block.norun:
            shown = "".join(
                f"$ {command}\n{printed}"
                for command, printed in zip(block.commands, result.printed, strict=True)
            )
            parts.append(f"```console\n{shown.rstrip()}\n```")
        else:
            parts.append(f"```{block.language}\n{block.code}```")
            if printed := "".join(result.printed).rstrip():
                parts.append(f"\n\n```text\n{printed}\n```")
    return "".join([*parts, markdown[at:]])


@cache
def _package() -> str:
    """Hash of all that an example's output depends on."""
    known = hashlib.sha256(sys.version.encode())
    roots = [ROOT / "cxjobs", ROOT / "docs" / "files", ROOT / "data", ROOT / "models"]
    for path in sorted(path for root in roots for path in root.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            known.update(str(path.relative_to(ROOT)).encode())
            known.update(path.read_bytes())
    return known.hexdigest()


def _environment(folder: Path) -> dict[str, str]:
    """A plain shell's environment in which ``cxjobs`` is this checkout's."""
    command = folder / "bin" / "cxjobs"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cxjobs "$@"\n')
    command.chmod(0o755)
    return {
        "PATH": f"{command.parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _result(
    block: Block, place: Path, environment: dict[str, str], names: dict[str, object]
) -> Result:
    result = Result()
    if block.norun:
        return result
    code = 0
    if block.language == "console":
        for command in block.commands:
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=place,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                text=True,
                timeout=120,
            )
            printed, code = done.stdout, done.returncode
            result.printed.append(printed + ("\n" if printed and printed[-1] != "\n" else ""))
    else:
        printed, code = _executed(block.code, place, names)
        result.printed.append(printed)
    everything = "".join(result.printed)
    if code != block.exit:
        result.problem = f"exit code {code} instead of {block.exit}: {block.code}\n{everything}"
    elif missing := [text for text in block.has if text not in everything]:
        result.problem = f"{missing[0]!r} is not printed by: {block.code}\n{everything}"
    else:
        result.kept = {name: (place / name).read_text("utf-8") for name in block.keep}
    return result


def _executed(code: str, place: Path, names: dict[str, object]) -> tuple[str, int]:
    """What Python code prints; the value of a last expression is shown, as a notebook does."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    before, path = Path.cwd(), list(sys.path)
    sys.path.insert(0, str(ROOT))
    os.chdir(place)
    with io.StringIO() as out, contextlib.redirect_stdout(out):
        try:
            exec(compile(tree, "<page>", "exec"), names)
            if last is not None:
                value = eval(compile(ast.Expression(last.value), "<page>", "eval"), names)
                if value is not None:
                    print(value)
            return out.getvalue(), 0
        except Exception:
            return out.getvalue() + traceback.format_exc(), 1
        finally:
            os.chdir(before)
            sys.path[:] = path
