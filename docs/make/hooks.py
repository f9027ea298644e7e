"""What mkdocs calls: fill pages, run their examples, set formulas as MathML."""

from __future__ import annotations

import html
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, Files

# Here and not before: the package of this checkout, whatever else is installed.
sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]

import console
import pages

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.cxjobs")
_results: dict[str, list[console.Result]] = {}
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_config(config: MkDocsConfig) -> None:
    """List pages that the navigation doesn't name under "More"."""
    named = set(re.findall(r"[\w/-]+\.md", str(config.nav)))
    docs = Path(config.docs_dir)
    there = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    if rest := sorted(there - named):
        config.nav.append({"More": rest})


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and the files that examples have written."""
    written = {"reference/cli.md": pages.command_reference(), **pages.module_reference()}
    for path, text in written.items():
        files.append(File.generated(config, path, content=text))
    for file in list(files.documentation_pages()):
        _results[file.src_uri] = console.run(file.content_string)
        for result in _results[file.src_uri]:
            for name, text in result.kept.items():
                files.append(File.generated(config, f"files/{name}", content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Run the examples, then fill the marks."""
    results = _results.get(page.file.src_uri) or console.run(markdown)
    for result in results:
        if result.problem:
            log.warning("%s: %s", page.file.src_uri, result.problem)
    return pages.filled(console.rendered(markdown, results), page.file.src_uri)


def on_page_content(content: str, **_: Any) -> str:
    """Formulas as MathML, which browsers set by themselves."""
    return _FORMULA.sub(
        lambda m: convert(html.unescape(m[3]), display="block" if m[2] == "[" else "inline"),
        content,
    )
