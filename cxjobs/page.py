"""The sections of the report as HTML. Whatever comes from a posting or a file is escaped.

No section holds a script, an address to fetch from, or a link that leads out of the page.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from cxjobs import taxonomy
from cxjobs.charts import Bar, best_kind, between, chance, ends, percent, role_bars, svg
from cxjobs.explain import plain, printable
from cxjobs.highlight import marked, word_weights
from cxjobs.study import definitions
from cxjobs.tables import MIN_GROUP
from cxjobs.taxonomy import CONFLATED, CX, PRACTICES, REVIEW, ROLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from cxjobs.examples import Example
    from cxjobs.explain import Explanation
    from cxjobs.study import Study
    from cxjobs.survey import Survey

QUOTE = 360
"""Characters of a posting that are quoted at most."""

GROUPS = 40
"""Groups shown at most; the CSV and JSON have all."""

NAME = 25
"""Characters of a group's name in a chart at most; the table has all."""

WORDS = 4
"""Words quoted with a gap at most."""

LABELS = {
    CX: "CX management",
    REVIEW: "for a person to look at",
    CONFLATED: "another role",
}
"""What was decided, as a reader sees it."""

KINDS = {"audited": "By the audit", "corrected": "Corrected", "share": "As answered"}
"""Kinds of shares, from the one that leans least on assumptions."""

_sentence_ends = re.compile(r"(?<=[.!?:;])\s+|\n+")


def said(text: object) -> str:
    """Any text of a source on one line, escaped, kept from turning the line around."""
    return f"<bdi>{escape(printable(str(text)))}</bdi>"


def table(
    caption: str, note: str, heads: Sequence[str], rows: Iterable[str], numbers: int = 1
) -> str:
    """A table that scrolls in itself; columns from ``numbers`` on hold numbers."""
    cells = "".join(
        f'<th scope="col"{" class=number" if i >= numbers else ""}>{head}</th>'
        for i, head in enumerate(heads)
    )
    small = f"<small>{note}</small>" if note else ""
    return (
        f'<div class="scroll" role="region" aria-label="{escape(caption)}" tabindex="0"><table>'
        f"<caption>{escape(caption)}{small}</caption><thead><tr>{cells}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def row(head: str, cells: Iterable[str], *, first: bool = False) -> str:
    """A row of a table of numbers."""
    body = "".join(f'<td class="number">{cell}</td>' for cell in cells)
    return f'<tr{" class=first" if first else ""}><th scope="row">{head}</th>{body}</tr>'


def share_cell(found: Any, kind: str = "share") -> str:
    """Share with its interval below."""
    low, high = ends(kind)
    if math.isnan(found[kind]):
        return "–"
    return f"{percent(found[kind])}<small>{between(found[low], found[high])}</small>"


def counts(study: Study) -> str:
    """Every posting that was read, and what became of it."""
    main = study.main
    read = main.postings + study.unparsed
    rows = [row("Read", [f"{read:,}", ""])]
    for name, number in (
        ("Could not be parsed", study.unparsed),
        ("Without title and description", main.rejected),
        ("Text that can't be trusted (not English, few known words, no title)", main.distrusted),
        ("Repeats of another posting", main.repeated),
    ):
        if number:
            rows.append(row(f"{name}: left out", [f"−{number:,}", ""]))
    rows.append(row("Counted", [f"{main.counted:,}", "100%"], first=True))
    rows += [
        row(f"Decided: {LABELS[found['label']]}", [f"{found['postings']:,}", share_cell(found)])
        for found in main.labels.to_dict("records")
    ]
    return table(
        "What became of the postings",
        f"With {main.confidence:.0%} intervals, in %.",
        ["", "Postings", "Share"],
        rows,
    )


def role_chart(survey: Survey, key: str, unit: str) -> str:
    """Bars of the roles."""
    kind = best_kind(survey)
    ring = "" if kind == "share" else " The ring is the share as answered."
    note = (
        f"{KINDS[kind]}, of {survey.counted:,} {unit}. Whiskers are {survey.confidence:.0%} "
        f"intervals.{ring}"
    )
    bars = role_bars(survey)
    told = "; ".join(
        f"{b.name} {percent(b.share)} ({between(b.low, b.high)})"
        for b in bars
        if not math.isnan(b.share)
    )
    drawn = svg(bars, key, f"Share of each role among {survey.counted:,} {unit}", f"{told}.")
    return f"<figure><figcaption>Share of each role<span>{note}</span></figcaption>{drawn}</figure>"


def role_table(survey: Survey, unit: str, *, titles: bool) -> str:
    """Table of the roles; of the shares the one that leans least on assumptions comes first."""
    kinds = [k for k in KINDS if k == "share" or getattr(survey, k) is not None]
    order = survey.table.sort_values("postings", ascending=False, kind="stable")
    found = sorted(order.to_dict("records"), key=lambda r: r["role"] != CX)
    rows = []
    for r in found:
        shown = f'<small class="wide">{said(r["examples"])}</small>'
        head = escape(r["name"]) + (shown if titles and r["examples"] else "")
        cells = [f"{r['postings']:,}", *(share_cell(r, k) for k in kinds)]
        rows.append(row(head, cells, first=r["role"] == CX))
    small = (
        f"Each posting under its most probable role. Below each share its {survey.confidence:.0%} "
        "interval, in %."
    )
    if titles:
        small += " <span class='wide'>Small print: the surest titles.</span>"
    heads = ["Role", "Postings", *(KINDS[k] for k in kinds)]
    return table(f"Roles of {survey.counted:,} {unit}", small, heads, rows)


def groups(survey: Survey, by: str) -> str:
    """Chart and table of the groups; months in order of time."""
    found: pd.DataFrame = survey.groups  # type: ignore[assignment]
    told = found[found["share"].notna()]
    if by == "month":
        told = told.sort_values("group")
    rest = len(told) - GROUPS
    told, withheld = told.head(GROUPS), found[found["share"].isna()]
    parts = [
        "<p>Shares of small groups are drawn towards the overall one: what few postings "
        "happen to say counts for little. The intervals leave out the uncertainty of the "
        f"overall share. Groups of fewer than {MIN_GROUP} are withheld.</p>"
    ]
    if len(told):
        bars = [
            Bar(_short(r["group"]), r["share"], r["low"], r["high"])
            for r in told.to_dict("records")
        ]
        title = f"Share of true CX management by {printable(by)}"
        desc = "; ".join(f"{b.name} {percent(b.share)} ({between(b.low, b.high)})" for b in bars)
        parts.append(
            f"<figure><figcaption>{escape(title)}<span>With {survey.confidence:.0%} intervals."
            f"</span></figcaption>{svg(bars, 'groups', title, desc + '.')}</figure>"
        )
    rows = [
        row(said(r["group"]), [f"{r['postings']:,}", f"{r['called']:,}", share_cell(r)])
        for r in [*told.to_dict("records"), *withheld.to_dict("records")]
    ]
    heads = [said(by.capitalize()), "Postings", "Called CX", "CX share"]
    parts.append(table(f"CX management by {printable(by)}", "", heads, rows))
    if rest > 0:
        parts.append(f'<p class="note">{rest:,} more groups are in the CSV and JSON.</p>')
    return "".join(parts)


def _short(name: str) -> str:
    """A name that leaves room for figures beside it, on a phone too."""
    line = printable(name)
    return line if len(line) <= NAME else f"{line[: NAME - 1].rstrip()}…"


def practice(study: Study) -> str:
    """Which elements the postings show, and which published definitions they meet."""
    survey, names = study.main, taxonomy.load()
    called = int(survey.labels.loc[survey.labels["label"] == CX, "postings"].iloc[0])
    meaning = {entry.code: entry.definition for entry in names.practices}
    rows = []
    for r in survey.practice.to_dict("records"):
        asked = "; ".join(
            f"{escape(d.name)}: “{escape(d.words[r['element']])}”"
            for d in definitions()
            if r["element"] in d.words
        )
        head = (
            f"{escape(r['name'])}<small>{escape(meaning[r['element']])}</small>"
            f'<small class="wide">{asked}</small>'
        )
        rows.append(row(head, [share_cell(r), share_cell(r, "cx_share")]))
    score = survey.practice_score
    if score:
        cells = ["–" if math.isnan(v) else f"{v:.1f} of 5" for v in (score["all"], score[CX])]
        rows.append(row("Elements expected, on average", cells, first=True))
    heads = ["Element", "All", "Called CX"]
    small = (
        f"Share of the {survey.counted:,} postings, and of the {called:,} called CX management, "
        f"with {survey.confidence:.0%} intervals, in %. As answered, not corrected for errors."
    )
    parts = [table("Elements of the practice that the postings show", small, heads, rows)]
    rows = []
    for r in study.definitions.to_dict("records"):
        asked = ", ".join(names.name(e).lower() for e in r["elements"].split(","))
        head = f"{escape(r['definition'])}<small>{escape(asked)}</small>"
        rows.append(row(head, [share_cell(r), share_cell(r, "cx_share")]))
    small = "A posting meets a definition if it shows every element that the definition names."
    heads = ["Definition", "All", "Called CX"]
    parts.append(table("Postings that meet each published definition", small, heads, rows))
    return "".join(parts)


def gaps(study: Study) -> str:
    """Two lists: titles that promise more than the content holds, and the reverse."""
    parts = []
    for kind, head, lead in (
        (
            "name only",
            "CX in name only",
            "The title promises CX management; the content describes another job.",
        ),
        (
            "all but name",
            "CX in all but name",
            "The title names another job; the content describes CX management.",
        ),
    ):
        number = int((study.main.gaps["kind"] == kind).sum())
        shown = [one for one in study.examples if one.kind == kind]
        parts.append(f"<h3>{head}: {number:,}</h3><p>{lead}</p>")
        rows = [
            row(
                f"{said(one.title)}<small>{_gap(one)}</small>",
                [chance(one.title_cx_probability), chance(one.cx_probability)],
            )
            for one in shown
        ]
        if rows:
            parts.append(
                table(
                    f"{head}: the widest gaps",
                    "Probability of CX management by the title alone, and by the whole posting. "
                    "Quoted: words of the content that speak most for the role answered.",
                    ["Title, and the role answered", "By title", "By all"],
                    rows,
                )
            )
        if rows and number > len(rows):
            parts.append(f'<p class="note">The {len(rows)} widest; the JSON has all.</p>')
    return "".join(parts)


def examples(study: Study) -> str:
    """A posting or a few of each role, with the words that decided."""
    names = taxonomy.load()
    parts = []
    kinds = [k for k in (*ROLES, REVIEW) if any(one.kind == k for one in study.examples)]
    for kind in kinds:
        head = "For a person to look at" if kind == REVIEW else names.name(kind)
        parts.append(f"<h3>{escape(head)}</h3>")
        parts += [_article(one) for one in study.examples if one.kind == kind]
    return "".join(parts)


def _article(one: Example) -> str:
    names = taxonomy.load()
    title, quote = said(one.title), ""
    told = [said(one.company)] if one.company else []
    told.append(f"{escape(names.name(one.role))} {escape(chance(one.role_probability))}")
    if one.role != CX:
        told.append(f"CX management {escape(chance(one.cx_probability))}")
    if one.why is not None:
        why = excerpt(one.why)
        title = f"<bdi>{marked(why, 'title')}</bdi>"
        told.append(f"second {escape(names.name(why.against))}")
        if why.basis == "posting" and why.description.strip():
            before = "" if one.why.description.startswith(why.description) else "… "
            after = "" if one.why.description.endswith(why.description) else " …"
            words = marked(why, "description")
            quote = f'<p class="quote">{before}<bdi>{words}</bdi>{after}</p>'
    if one.id:
        told.append(f"posting {said(one.id)}")
    return (
        f"<article{' class=first' if one.kind == CX else ''}><h4>{title}</h4>"
        f'<p class="small">{" · ".join(told)}</p>{quote}</article>'
    )


def _gap(one: Example) -> str:
    """Company, role and the words that speak for it, on the second line of a gap."""
    told = [said(one.company)] if one.company else []
    told.append(escape(taxonomy.load().name(one.role)))
    if one.why is not None:
        quotes = [t.quote for t in one.why.terms if t.block == "description" and t.weight > 0]
        told.append(", ".join(f"“{said(plain(quote))}”" for quote in quotes[:WORDS]))
    return " · ".join(filter(None, told))


def excerpt(why: Explanation, length: int = QUOTE) -> Explanation:
    """An explanation of the passage of the description that weighs most, and of the title.

    The weight of a word stays what it is in the whole posting.

    Examples
    --------
    >>> from cxjobs.answer import load_model
    >>> why = load_model().explain("CX Lead", "We are nice. " * 60 + "Redesign journeys.")
    >>> excerpt(why, 40).description[-18:]
    'Redesign journeys.'
    """
    text = why.description
    weights = sorted((span, abs(w)) for span, w in word_weights(why, "description").items())
    starts = [0, *(match.end() for match in _sentence_ends.finditer(text))]

    def passage(start: int) -> int:
        if len(text) - start <= length:
            return len(text)
        space = text.rfind(" ", start, start + length + 1)
        return space if space > start else start + length

    windows = [(start, passage(start)) for start in starts if start < len(text)] or [(0, 0)]
    sums = [sum(w for (a, b), w in weights if start <= a and b <= end) for start, end in windows]
    start, end = windows[sums.index(max(sums))]
    terms = []
    for term in why.terms:
        if term.block == "title":
            terms.append(term)
            continue
        spans = tuple((a - start, b - start) for a, b in term.spans if start <= a and b <= end)
        if spans:
            kept = term.weight * len(spans) / len(term.spans)
            terms.append(replace(term, spans=spans, weight=kept))
    return replace(why, description=text[start:end], terms=tuple(terms))


def elements() -> str:
    """Names of the practice elements, for a sentence."""
    names = taxonomy.load()
    *most, last = [names.name(code).lower() for code in PRACTICES]
    return f"{', '.join(most)} and {last}"
