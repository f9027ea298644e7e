"""Job postings inside HTML pages: JSON-LD scripts and microdata after schema.org/JobPosting."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from cxjobs.postings.batch import Reject
from cxjobs.postings.jsonrows import Row, dumps, unwrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cxjobs.postings.inputs import Stream

LONGEST = 1 << 26
"""Bytes of the largest page that is read."""

_AROUND = re.compile(r"\A(?:\s|//|<!--|<!\[CDATA\[)+|(?:\s|//|;|-->|\]\]>)+\Z")


def read(stream: Stream) -> Iterator[Row | Reject]:
    """Postings of one page, in order; a page without any is a reject."""
    data = stream.read(LONGEST + 1)
    if len(data) > LONGEST:
        yield Reject(stream.path, 1, "", f"a page of over {LONGEST} bytes")
        return
    text = data.decode("utf-8", "replace")
    page = LexborHTMLParser(text)
    found = False
    at = 0
    for script in page.css('script[type*="ld+json"]'):
        code = script.text()
        at = max(text.find(code, at), 0) if code else at
        for row in _script(code, text.count("\n", 0, at) + 1, stream.path):
            found = True
            yield row
    for scope in page.css('[itemscope][itemtype*="schema.org/JobPosting"]'):
        value = _scope(scope)
        found = True
        yield Row(dumps(value), value)
    if not found:
        reason = "no JobPosting in this page, as JSON-LD or as microdata"
        yield Reject(stream.path, 1, "", reason)


def _script(code: str, line: int, path: str) -> Iterator[Row | Reject]:
    try:
        # Line ends and tabs inside strings are common in hand-made templates.
        value = json.loads(_AROUND.sub("", code), strict=False)
    except (ValueError, RecursionError) as error:
        yield Reject(path, line, code, f"broken JSON-LD: {error}")
        return
    for row in unwrapped(value, None, line, path):
        if isinstance(row, Reject) or "JobPosting" in str(row.value.get("@type", "")):
            yield row


def _scope(scope: LexborNode) -> dict[str, Any]:
    """Microdata of one element as JSON-LD would say it."""
    value: dict[str, Any] = {"@type": str(scope.attributes.get("itemtype") or "").split("/")[-1]}
    for node in scope.css("[itemprop]"):
        if node.mem_id == scope.mem_id or not _belongs(node, scope):
            continue
        inner = _scope(node) if "itemscope" in node.attributes else _content(node)
        for name in str(node.attributes.get("itemprop") or "").split():
            if name not in value:
                value[name] = inner
            else:
                before = value[name]
                value[name] = [*(before if isinstance(before, list) else [before]), inner]
    return value


def _belongs(node: LexborNode, scope: LexborNode) -> bool:
    """Whether the nearest scope round a property is this one."""
    parent = node.parent
    while parent is not None and parent.mem_id != scope.mem_id:
        if "itemscope" in parent.attributes:
            return False
        parent = parent.parent
    return parent is not None


def _content(node: LexborNode) -> str:
    attributes = node.attributes
    for name in ("content", "datetime", "href", "src"):
        if (given := attributes.get(name)) is not None and (
            name == "content" or node.tag in ("a", "link", "img", "time")
        ):
            return given
    if attributes.get("itemprop") == "description":
        return node.html or ""  # the scorer reads HTML, and line ends matter to it
    return node.text(separator=" ").strip()
