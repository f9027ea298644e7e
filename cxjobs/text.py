"""One cleaned form of a posting's title and description, as named steps.

Scrapers store postings as plain text, HTML, HTML escaped once or twice, Markdown, and text that
was decoded with the wrong encoding. Every step is a pure ``str -> str`` that leaves clean text
alone, so that most postings pass untouched. White space keeps its place, because lines carry
meaning to a reader; ``tidy`` narrows it where text is shown.

A change of what ``clean`` returns changes what a trained model sees: raise ``VERSION`` with it.
"""

from __future__ import annotations

import re
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = "1"
"""Version of the cleaning; a model folder stores it, and refuses text of another version."""

TOKEN = r"[^\W_]{2,}"  # noqa: S105
"""A token, as a regular expression: two or more letters or digits, underscores excluded."""

FINGERPRINT, PARTED = 8, "\x1f"
"""Bytes of a fingerprint, and what stands between title and description where it is taken."""

DIRTY = (
    r"<[A-Za-z/!?]"
    r"|&(?:#|[A-Za-z][A-Za-z0-9]*;)"
    "|[\x00-\x08\x0b\x0e-\x1f\x7f\u00ad\u200b-\u200f\u2060\ufeff]"
    "|[\u00c2\u00c3\u00e2]"
    "|[\U0001d400-\U0001d7ff\uff01-\uff5e]"
    "|[\ufb00-\ufb06]"
)
"""What a text holds if a step changes it, lone surrogates aside; for ``re`` and RE2 alike."""

_MOJIBAKE = re.compile("[\u00c2\u00c3\u00e2][\u0080-\u00bf\u0152-\u0178\u2013-\u203a\u20ac\u2122]")
_ENTITY = re.compile(r"&(?:amp;)*(#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_TAG = re.compile(r"<(?:/?([A-Za-z][A-Za-z0-9]*)[^<>]*|[!?][^<>]*)>")
_JOINING = frozenset(["b", "big", "em", "i", "mark", "small", "strong", "sub", "sup", "u", "wbr"])
_SPACING = frozenset(["a", "abbr", "code", "font", "label", "span", "time"])
_HIDDEN = tuple(
    (re.compile(opening, re.IGNORECASE), re.compile(closing, re.IGNORECASE))
    for opening, closing in (
        ("<!--", "-->"),
        (r"<script\b", "</script>"),
        (r"<style\b", "</style>"),
    )
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff]")
_STYLED = re.compile("[\U0001d400-\U0001d7ff\uff01-\uff5e\ufb00-\ufb06]+")
_SPACE = re.compile(r"[^\S\n]+")
_BREAKS = re.compile(r"\s*\n\s*")


def repair_encoding(text: str) -> str:
    """Undo text that was decoded with the wrong encoding.

    The work is done by ``ftfy``; it is loaded only for text that shows the signs.

    Examples
    --------
    >>> repair_encoding("weâ€™re a cafÃ©")
    'we’re a café'
    """
    if text.isascii() or not _MOJIBAKE.search(text):
        return text
    from ftfy import fix_encoding

    return fix_encoding(text)


def strip_markup(text: str) -> str:
    r"""Turn HTML, also where it was escaped, into text with line breaks where blocks end.

    Examples
    --------
    >>> strip_markup("&lt;p&gt;Research &amp;amp; design&lt;/p&gt;Lead")
    '\nResearch & design\nLead'
    >>> strip_markup("<5 years, R&D, <b>C</b>X")
    '<5 years, R&D, CX'
    """
    for _ in range(4):
        before = text
        if "&" in text:
            text = _ENTITY.sub(_unescape, text)
        if "<" in text:
            text = _TAG.sub(_blank, _drop_hidden(text))
        if text == before:
            break
    return text


def _unescape(match: re.Match[str]) -> str:
    from html import unescape

    return unescape(f"&{match[1]};")


def _blank(match: re.Match[str]) -> str:
    name = (match[1] or "").lower()
    return "" if name in _JOINING else " " if name in _SPACING else "\n"


def _drop_hidden(text: str) -> str:
    """Cut comments, scripts and styles; what is opened and never closed stays as it is."""
    for opening, closing in _HIDDEN:
        kept, position = [], 0
        while (start := opening.search(text, position)) and (
            end := closing.search(text, start.end())
        ):
            kept.append(text[position : start.start()])
            position = end.end()
        if kept:
            text = "\n".join([*kept, text[position:]])
    return text


def plain_characters(text: str) -> str:
    r"""Drop invisible characters and write styled letters (bold, fullwidth, ligatures) plainly.

    Examples
    --------
    >>> plain_characters("\uff23\uff38 cus\u200btomers")
    'CX customers'
    """
    from unicodedata import normalize

    text = _CONTROL.sub(" ", _INVISIBLE.sub("", text))
    return _STYLED.sub(lambda run: normalize("NFKC", run[0]), text)


STEPS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("encoding", repair_encoding),
    ("markup", strip_markup),
    ("characters", plain_characters),
)
"""Name and function of each step of ``clean``, in order."""


def clean(text: str) -> str:
    """Clean form of a title or description: what the model reads.

    Parameters
    ----------
    text : str
        As a source stores it.

    Returns
    -------
    str
        Equal to `text` wherever `DIRTY` is not found in it.

    Examples
    --------
    >>> clean("<p>Listen to customers&nbsp;&amp; redesign journeys</p>").split()
    ['Listen', 'to', 'customers', '&', 'redesign', 'journeys']
    """
    for _, step in STEPS:
        text = step(text)
    return text


def explain_cleaning(text: str) -> list[tuple[str, str]]:
    """Name each step that changes a text, with the text after it.

    Examples
    --------
    >>> explain_cleaning("Head of <b>CX</b>")
    [('markup', 'Head of CX')]
    """
    changes = []
    for name, step in STEPS:
        after = step(text)
        if after != text:
            changes.append((name, after))
        text = after
    return changes


def tidy(text: str) -> str:
    r"""Narrow white space for showing: single spaces, single line breaks, none at the ends.

    Examples
    --------
    >>> tidy("  Head \t of CX \n\n\n Leads ")
    'Head of CX\nLeads'
    """
    return _BREAKS.sub("\n", _SPACE.sub(" ", text)).strip()


def fingerprint(title: str, description: str) -> str:
    """Hash of a cleaned posting: 16 hex digits that tell whether its text has changed.

    Examples
    --------
    >>> fingerprint("Head of CX", "") == fingerprint("Head of CX", " ")
    False
    """
    return fingerprint_of(f"{title}{PARTED}{description}".encode("utf-8", "replace")).hexdigest()


fingerprint_of = partial(blake2b, digest_size=FINGERPRINT)
"""Hash of the bytes of a cleaned title and description, with `PARTED` between them."""
