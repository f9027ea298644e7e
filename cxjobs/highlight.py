"""An explanation as HTML: the text itself with the words marked that decided.

The fragment stands alone, without script or outside file. Whatever comes from a posting is escaped.
Signs are written out and strength is shown by their number, so that colour only repeats both.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from cxjobs.explain import LISTED, named, plain, tokens_of
from cxjobs.taxonomy import load

if TYPE_CHECKING:
    from cxjobs.explain import Explanation

LEVELS = (0.7, 0.35, 0.12)
"""Shares of the strongest word's weight from which a word gets three signs, two, and one."""

_FOR, _AGAINST = "0,114,178", "213,94,0"  # told apart by all kinds of colour vision


def word_weights(why: Explanation, block: str) -> dict[tuple[int, int], float]:
    """How strongly each word of a block speaks, wherever it stands.

    Parameters
    ----------
    why : Explanation
        Of one posting.
    block : {"title", "description"}
        Which text.

    Returns
    -------
    dict of (int, int) to float
        Weight by start and end in the cleaned text. A term's weight is shared out over the words
        that one place of it covers; the places of a repeated term all have it in full.
    """
    words = [(start, end) for _, start, end in tokens_of(getattr(why, block))]
    last = {end: i for i, (_, end) in enumerate(words)}
    first = {start: i for i, (start, _) in enumerate(words)}
    weights: dict[tuple[int, int], float] = {}
    for term in why.terms:
        for start, end in term.spans if term.block == block else ():
            covered = words[first[start] : last[end] + 1]
            for word in covered:
                weights[word] = weights.get(word, 0.0) + term.weight / len(covered)
    return weights


def marked(why: Explanation, block: str) -> str:
    """Escaped text of a block, its weightier words in ``<mark>`` with signs."""
    text = getattr(why, block)
    both = {name: word_weights(why, name) for name in ("title", "description")}
    top = max((abs(w) for weights in both.values() for w in weights.values()), default=0.0)
    parts, done = [], 0
    for (start, end), weight in sorted(both[block].items()):
        level = sum(abs(weight) >= share * top for share in LEVELS) if top else 0
        if not level:
            continue
        sign = "+" if weight > 0 else "−"
        colour = _FOR if weight > 0 else _AGAINST
        line = "solid" if weight > 0 else "dashed"
        style = (
            f"color:inherit;background:rgba({colour},{0.12 * level:.2f});"
            f"border-bottom:{level}px {line} rgb({colour})"
        )
        parts.append(
            f"{escape(text[done:start])}<mark style='{style}' title='{weight:+.2f}'>"
            f"{escape(text[start:end])}<sup style='line-height:0'>{sign * level}</sup></mark>"
        )
        done = end
    return "".join([*parts, escape(text[done:])])


def to_html(why: Explanation) -> str:
    """The whole explanation as a fragment: sentence, marked text, terms, practice elements."""
    names = load()
    role, against = escape(names.name(why.role)), escape(names.name(why.against))
    lead = (
        f"<p><b>Why {role} and not {against}:</b> {why.score:+.2f} log-odds, of which"
        f" {why.intercept:+.2f} before any word is read. Marked with + is what speaks for {role},"
        f" with − what speaks for {against}.</p>"
    )
    box = (
        "white-space:pre-line;max-height:30em;overflow:auto;overflow-wrap:anywhere;line-height:1.7"
    )
    body = f"<p><b><bdi>{marked(why, 'title')}</bdi></b></p>"
    if why.basis == "posting":
        body += f"<div style='{box}'><bdi>{marked(why, 'description').strip()}</bdi></div>"
    rows = "".join(
        f"<tr><td style='text-align:right'>{t.weight:+.2f}</td>"
        f"<td style='text-align:left'><bdi>{escape(plain(t.quote))}</bdi></td>"
        f"<td style='text-align:left'>{t.block}</td>"
        f"<td style='text-align:right'>{len(t.spans)}</td></tr>"
        for t in why.terms[:LISTED]
    )
    rest = why.terms[LISTED:]
    foot = f"<p>{len(rest)} weaker terms: {sum(t.weight for t in rest):+.2f} together.</p>"
    table = (
        "<table><thead><tr><th>log-odds</th><th>words</th><th>in the</th><th>times</th></tr>"
        f"</thead><tbody>{rows}</tbody></table>{foot if rest else ''}"
        if rows
        else "<p>No word of the text is known to the model.</p>"
    )
    practice = "".join(
        f"<li>{escape(names.name(p.element))}: {'yes' if p.present else 'no'} ({p.probability:.0%})"
        + (": " if p.present and p.terms else "")
        + ("; ".join(f"<bdi>{escape(named(t))}</bdi>" for t in p.terms) if p.present else "")
        + "</li>"
        for p in why.practice
    )
    elements = f"<p>Practice elements:</p><ul>{practice}</ul>" if why.basis == "posting" else ""
    return f"<div class='cxjobs-explanation'>{lead}{body}{table}{elements}</div>"
