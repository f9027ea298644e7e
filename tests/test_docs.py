"""The documentation says what is so: its commands exist, its examples run, its pages build."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from cxjobs import cli

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "make"))

import console  # noqa: E402
import pages  # noqa: E402

PAGES = sorted(path.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md"))
EXAMPLES = [
    page
    for page in PAGES
    if any(not block.norun for block in console.blocks((ROOT / page).read_text("utf-8")))
]
_FENCE = re.compile(r"^```(?:sh|console)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def shown(markdown: str) -> list[list[str]]:
    """Every call of ``cxjobs`` in the fences of a page, as the shell would split it."""
    found = []
    for fence in _FENCE.findall(markdown):
        for line in fence.replace("\\\n", " ").splitlines():
            if "cxjobs" not in line or not re.match(r"[$\w.(]", line):
                continue
            words = list(shlex.shlex(line, posix=True, punctuation_chars=True))
            # shlex parts words at a bracket or an equals sign; a plain split is right within calls.
            if "`" in line or "venv" in line:
                continue
            for part in re.split(r"\s(?:\||&&|;)\s|;\s|\s[12]?>\s?\S+", line):
                call = shlex.split(part.removeprefix("$ "), comments=True)
                if call and call[0] == "cxjobs":
                    found.append(call[1:])
            assert words
    return found


def parse(command: click.Command, words: list[str], name: str = "cxjobs") -> None:
    """Let click read a call's options, down to the command, without running it."""
    context = click.Context(command, info_name=name)
    options, rest, _ = command.make_parser(context).parse_args(list(words))
    known = {one.name: one for one in command.params}
    for key, value in options.items():
        kind = known[key].type
        if isinstance(kind, click.Choice) and isinstance(value, str):
            kind.convert(value, known[key], context)
    if isinstance(command, click.Group) and rest:
        child = command.get_command(context, rest[0])
        assert child is not None, f"{name} has no command {rest[0]!r}"
        parse(child, rest[1:], f"{name} {rest[0]}")


@pytest.mark.parametrize("page", ["README.md", *PAGES])
def test_every_command_shown_exists_and_parses(page):
    for words in shown((ROOT / page).read_text("utf-8")):
        parse(cli.group, words)


def test_commands_are_found_and_strange_ones_refused():
    text = "```console exit=1\n$ head x | cxjobs classify - --quiet > out; cxjobs model card\n```\n"
    assert shown(text) == [["classify", "-", "--quiet"], ["model", "card"]]
    assert sum(len(shown((ROOT / page).read_text("utf-8"))) for page in PAGES) > 40
    with pytest.raises(click.NoSuchOption):
        parse(cli.group, ["classify", "x", "--colour", "red"])
    with pytest.raises(AssertionError):
        parse(cli.group, ["model", "sell"])
    with pytest.raises(click.BadParameter):
        parse(cli.group, ["classify", "x", "--format", "pdf"])


@pytest.mark.parametrize("page", EXAMPLES)
def test_examples_run_and_print_what_the_page_claims(page):
    for result in console.run((ROOT / page).read_text("utf-8")):
        assert not result.problem


@pytest.mark.parametrize(
    ("fence", "problem"),
    [
        ("```console\n$ echo yes\n```\n", ""),
        ("```console has=no\n$ echo yes\n```\n", "'no' is not printed"),
        ("```console\n$ false\n```\n", "exit code 1"),
        ("```console exit=3\n$ exit 3\n```\n", ""),
        ("```python has=42\n6 * 7\n```\n", ""),
        ("```python\n1 / 0\n```\n", "ZeroDivisionError"),
        ("```python norun\n1 / 0\n```\n", ""),
    ],
)
def test_a_false_claim_is_noticed(fence, problem, tmp_path, monkeypatch):
    monkeypatch.setattr(console, "CACHE", tmp_path)
    (result,) = console.run(fence)
    assert (problem in result.problem) if problem else not result.problem
    assert len(list(tmp_path.iterdir())) == (not problem and "norun" not in fence)


def test_outputs_stand_below_their_commands():
    page = "Before\n\n```console has=a\n$ echo a\n$ echo b\n```\n\nafter\n"
    told = console.rendered(page, [console.Result(["a\n", "b\n"])])
    assert told == "Before\n\n```console\n$ echo a\na\n$ echo b\nb\n```\n\nafter\n"


@pytest.mark.skipif(version("click") < "8.2", reason="the site is made by a newer click")
def test_reference_tells_every_command_and_option():
    told = pages.command_reference()
    for name, command in pages.commands():
        assert f" {name}\n" in told
        for option in command.params:
            if isinstance(option, click.Option):
                assert f"`{option.opts[0]}`" in told
    assert "\\b" not in told


def test_reference_tells_every_module():
    told = "".join(pages.module_reference().values())
    for path in (ROOT / "cxjobs").glob("*.py"):
        assert path.stem.startswith("_") or f"::: cxjobs.{path.stem}\n" in told


def test_included_files_keep_their_links():
    assert "](codebook.md)" in pages.included("data/README.md", "", "data.md")
    assert "](../codebook.md)" in pages.included("data/README.md", "", "howto/labels.md")
    section = pages.included("data/README.md", "Known skews", "limits.md")
    assert section.strip()
    assert "Licence" not in section
    with pytest.raises(LookupError, match="no section"):
        pages.included("data/README.md", "Weather", "data.md")


class Assets(HTMLParser):
    """Collects what a page loads by itself when it is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag in ("script", "img", "iframe", "source") and told.get("src"):
            self.loaded.append(told["src"])
        if tag == "link" and told.get("rel") in ("stylesheet", "preconnect", "icon", "preload"):
            self.loaded.append(told["href"])


@pytest.mark.skipif(
    find_spec("mkdocs") is None and not os.environ.get("CI"), reason="needs the extra 'docs'"
)
def test_site_builds_strictly_and_loads_nothing_from_outside(tmp_path):
    site = tmp_path / "site"
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", site],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "true"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = list(site.rglob("*.html"))
    assert len(built) > 25
    for path in built:
        assets = Assets()
        text = path.read_text("utf-8")
        assets.feed(text)
        assert not [one for one in assets.loaded if re.match(r"(https?:)?//", one)], path
        assert 'class="arithmatex"' not in text
        assert "<!-- write" not in text
        assert "<!-- include" not in text
    assert "<math" in (site / "method.html").read_text("utf-8")
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", path.read_text("utf-8")), path


@pytest.mark.skipif(
    find_spec("pyspark") is None or shutil.which("java") is None, reason="needs Spark and Java"
)
def test_spark_example_answers_a_parquet_file(tmp_path):
    import pandas as pd
    import pyspark

    frame = pd.read_csv(DOCS / "files/postings.csv", dtype=str, keep_default_na=False)
    frame[["id", "title", "description"]].to_parquet(tmp_path / "in.parquet")
    done = subprocess.run(
        [
            Path(pyspark.__file__).parent / "bin/spark-submit",
            *("--master", "local[1]", "--conf", "spark.ui.enabled=false"),
            *("--conf", "spark.driver.bindAddress=127.0.0.1"),
            *("--conf", "spark.driver.host=127.0.0.1"),
            *(DOCS / "files/answer_on_spark.py", tmp_path / "in.parquet", tmp_path / "out"),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answered = pd.read_parquet(tmp_path / "out")
    assert len(answered) == len(frame)
    assert set(answered["label"]) <= {"cx_management", "conflated", "review", ""}
