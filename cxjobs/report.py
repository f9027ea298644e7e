"""A study drawn: as text for terminals, rows for spreadsheets, and one page to mail or print.

Drawing only; every figure comes from the study. The page is `report.html` filled with the sections
of `cxjobs.page`, and needs nothing from outside.
"""

from __future__ import annotations

import math
from datetime import date
from html import escape
from importlib.resources import files
from pathlib import Path, PurePath
from string import Template
from typing import TYPE_CHECKING, Any

from cxjobs import __version__, page, taxonomy
from cxjobs.charts import best_kind, between, chance, ends, percent, role_bars, svg
from cxjobs.errors import FormatError
from cxjobs.explain import plain, printable
from cxjobs.files import replace
from cxjobs.sheet import guard
from cxjobs.taxonomy import CX, REVIEW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjobs.study import Study
    from cxjobs.survey import Survey

HOW = {
    "audited": "Found by the audited sample",
    "corrected": "Corrected for the model's errors",
    "share": "As answered, not corrected for the model's errors",
}
"""How the share of a headline was found."""

UNITS = {"posting": "postings", "role": "unique roles"}

LISTED = 15
"""Groups, and gaps of either kind, that a terminal shows at most."""

CSV_COLUMNS = (
    "per", "table", "code", "name", "postings", "called", "share", "low", "high",
    "corrected", "corrected_low", "corrected_high", "audited", "audited_low", "audited_high",
    "cx_postings", "cx_share", "cx_low", "cx_high", "examples",
)  # fmt: skip
"""Columns of the CSV: a row a role, label, element, definition or group."""


def headline(survey: Survey, unit: str = "posting") -> str:
    """The one sentence to remember.

    Parameters
    ----------
    survey : Survey
    unit : {"posting", "role"}
        What it counted.
    """
    best = survey.best
    if not survey.counted or math.isnan(best.estimate):
        return f"None of {survey.postings:,} postings could be counted."
    digits = 0 if best.high >= 0.1 else 1
    return (
        f"{percent(best.estimate, digits)} of {survey.counted:,} {UNITS[unit]} are true CX "
        f"management ({survey.confidence:.0%} interval "
        f"{percent(best.low, digits)} to {percent(best.high, digits)})"
    )


def second_line(survey: Survey) -> str:
    """How the headline's share was found, and what counting alone would say."""
    if not survey.counted:
        return "There is nothing to tell."
    kind, naive = best_kind(survey), survey.naive
    open_ = int(survey.labels.loc[survey.labels["label"] == REVIEW, "postings"].iloc[0])
    left = f"{open_:,} of the {survey.counted:,} are left for a person to look at."
    if kind == "share":
        return f"{HOW[kind]}. {left}"
    return (
        f"{HOW[kind]}; counting answers alone would say "
        f"{percent(naive.estimate)} ({between(naive.low, naive.high)}). {left}"
    )


def to_text(study: Study) -> str:
    """Plain text with aligned columns, readable without colour."""
    lines: list[str] = []
    main = study.main
    for unit, survey in study.surveys.items():
        if survey is main or survey.repeated:
            lines += [headline(survey, unit) + ".", second_line(survey), ""]
    left_out = [
        f"{number:,} {what}"
        for number, what in (
            (study.unparsed, "could not be parsed"),
            (main.rejected, "without title and description"),
            (main.distrusted, "not to be trusted (not English, few known words, no title)"),
        )
        if number
    ]
    lines += [f"Left out: {'; '.join(left_out)}.", ""] if left_out else []
    rows = [
        [page.LABELS[r["label"]], f"{r['postings']:,}", _share(r)]
        for r in main.labels.to_dict("records")
    ]
    lines += _aligned(["decided", "postings", "share"], rows)
    for unit, survey in study.surveys.items():
        if survey is main or survey.repeated:
            lines += ["", f"{survey.counted:,} {UNITS[unit]}", *_role_lines(survey)]
        else:
            lines += ["", "No posting repeats another: unique roles have the same shares."]
    if len(main.practice):
        rows = [
            [r["name"], _share(r), _share(r, "cx_share")] for r in main.practice.to_dict("records")
        ]
        rows += [
            [f"all of {r['definition']}", _share(r), _share(r, "cx_share")]
            for r in study.definitions.to_dict("records")
        ]
        heads = ["practice", "all postings", "called CX management"]
        lines += ["", *_aligned(heads, rows)]
    if main.groups is not None:
        rows = [
            [plain(r["group"]), f"{r['postings']:,}", f"{r['called']:,}", _share(r)]
            for r in main.groups.head(LISTED).to_dict("records")
        ]
        heads = [plain(str(study.by)), "postings", "called CX", "CX management"]
        lines += ["", *_aligned(heads, rows)]
        if len(main.groups) > LISTED:
            lines.append(f"... and {len(main.groups) - LISTED:,} more; --csv and --json have all")
    for kind, head in (("name only", "CX in name only"), ("all but name", "CX in all but name")):
        number = int((main.gaps["kind"] == kind).sum())
        lines += ["", f"{head}: {number:,} (probability by title, then by the whole posting)"]
        lines += [
            f"  {chance(one.title_cx_probability):>4} {chance(one.cx_probability):>4}  "
            f"{plain(one.title)}"
            for one in study.examples
            if one.kind == kind
        ]
    lines += ["", *(f"Note: {printable(note)}" for note in study.notes)]
    if study.models:
        lines.append(f"Answered by {', '.join(map(printable, study.models))}.")
    return "\n".join(lines).rstrip()


def _role_lines(survey: Survey) -> list[str]:
    kinds = [k for k in page.KINDS if k == "share" or getattr(survey, k) is not None]
    table = survey.table.sort_values("postings", ascending=False, kind="stable")
    found = sorted(table.to_dict("records"), key=lambda r: r["role"] != CX)
    rows = [[r["name"], f"{r['postings']:,}", *(_share(r, k) for k in kinds)] for r in found]
    return _aligned(["role", "postings", *(page.KINDS[k].lower() for k in kinds)], rows)


def _share(found: Any, kind: str = "share") -> str:
    low, high = ends(kind)
    if math.isnan(found[kind]):
        return f"{'-':>6}"
    return f"{percent(found[kind]):>6} ({between(found[low], found[high])})"


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns side by side: counts to the right, names and shares to the left."""
    columns = []
    for i, column in enumerate(zip(heads, *rows, strict=True)):
        width = max(map(len, column))
        left = i == 0 or any("(" in cell for cell in column)
        columns.append([c.ljust(width) if left else c.rjust(width) for c in column])
    return ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]


def to_rows(study: Study) -> list[dict[str, str]]:
    """Rows of the CSV; text that a spreadsheet would run begins with an apostrophe."""
    rows: list[dict[str, Any]] = []
    for unit, survey in study.surveys.items():
        tables = {
            "role": survey.table.rename(columns={"role": "code"}),
            "label": survey.labels.rename(columns={"label": "code"}),
            "practice": survey.practice.rename(columns={"element": "code"}),
            "definition": study.definitions.rename(
                columns={"definition": "name", "elements": "code"}
            ),
        }
        if unit != next(iter(study.surveys)):
            del tables["definition"]
        if survey.groups is not None:
            tables[f"by {study.by}"] = survey.groups.rename(columns={"group": "name"})
        for name, table in tables.items():
            records: Any = table.to_dict("records")
            rows += [{"per": unit, "table": name, **row} for row in records]
    return [{c: _cell(row.get(c)) for c in CSV_COLUMNS} for row in rows]


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.6f}" if isinstance(value, float) else guard(printable(str(value)))


def to_html(study: Study, made: date | None = None) -> str:
    """The report as one page.

    Parameters
    ----------
    study : Study
    made : date, optional
        Written into it; today by default.
    """
    when = made or date.today()
    main, unit = study.main, next(iter(study.surveys))
    sections: dict[str, tuple[str, str]] = {
        "roles": ("What the postings are", _roles(study)),
        "counted": ("What was counted, and what was left open", page.counts(study)),
    }
    if main.groups is not None and main.counted:
        sections["groups"] = (f"By {printable(str(study.by))}", page.groups(main, str(study.by)))
    if len(main.practice) and main.counted:
        sections["practice"] = ("Practice scorecard", page.practice(study))
    sections["gaps"] = ("Title versus content", page.gaps(study))
    if study.examples:
        sections["examples"] = ("Examples, with the words that decided", _examples(study))
    sections["method"] = ("Method and limits", method(study))
    sections["versions"] = ("Model and data", versions(study))
    sentence = escape(headline(main, unit))
    names = ", ".join(page.said(PurePath(name).name) for name in study.inputs)
    of = f" from {names}" if names else ""
    contents = "".join(f'<li><a href="#{k}">{escape(h)}</a></li>' for k, (h, _) in sections.items())
    body = (
        f'<header><p class="kicker">Survey of job postings{of} · {when.day} {when:%B %Y}</p>'
        f'<h1>{sentence}</h1><p class="lead">{escape(second_line(main))}</p>'
        f'<nav aria-label="Contents"><ol>{contents}</ol></nav></header><main>'
        + "".join(
            f'<section aria-labelledby="{key}"><h2 id="{key}">{escape(head)}</h2>{text}</section>'
            for key, (head, text) in sections.items()
        )
        + f"</main><footer>Made by cxjobs {__version__}. This page loads nothing and runs nothing; "
        "it can be mailed, printed and kept.</footer>"
    )
    template = files("cxjobs").joinpath("report.html").read_text("utf-8")
    return Template(template).substitute(version=__version__, title=sentence, body=body)


def to_fragment(study: Study) -> str:
    """Headline, chart and table for a notebook."""
    main, unit = study.main, next(iter(study.surveys))
    bars = role_bars(main)
    chart = svg(bars, f"cxjobs-{id(study)}", headline(main, unit), second_line(main))
    return (
        f'<div style="max-width:46rem;background:#fff;color:#111;padding:.5rem">'
        f"<p><b>{escape(headline(main, unit))}</b><br>{escape(second_line(main))}</p>"
        f"{chart if main.counted else ''}<pre>{escape(to_text(study))}</pre></div>"
    )


def write(path: str | Path, text: str) -> None:
    """Write a file beside its place, then rename it.

    Raises
    ------
    FormatError
        If it cannot be written.
    """
    path = Path(path)
    try:
        replace(path, text.encode())
    except OSError as error:
        raise FormatError(
            f"{path}: cannot be written: {error.strerror or error}. Try: another place."
        ) from None


def _roles(study: Study) -> str:
    parts = []
    for unit, survey in study.surveys.items():
        if not survey.counted:
            parts.append("<p>No posting could be counted, so there are no shares.</p>")
        elif survey is study.main:
            parts.append(page.role_chart(survey, f"per-{unit}", UNITS[unit]))
            parts.append(page.role_table(survey, UNITS[unit], titles=True))
        elif survey.repeated:
            parts.append(
                f"<h3>Each role counted once</h3><p>{survey.repeated:,} postings put up a role "
                f"again. Without them: {escape(headline(survey, unit))}.</p>"
                + page.role_table(survey, UNITS[unit], titles=False)
            )
        else:
            parts.append(
                "<p>No posting repeats another: counted by unique role, the shares are "
                "the same.</p>"
            )
        if not survey.counted:
            break
    return "".join(parts)


def _examples(study: Study) -> str:
    explained = any(one.why for one in study.examples)
    lead = (
        "<p>Quoted is the passage that weighs most. Words marked + speak for the role answered, "
        "words marked − for the second one; more signs weigh more.</p>"
        if explained
        else "<p>The model that answered is not at hand, so no words are marked.</p>"
    )
    return lead + page.examples(study)


def method(study: Study) -> str:
    """How the figures were made and what they can't tell, in plain words."""
    text = files("cxjobs").joinpath("method.html").read_text("utf-8")
    notes = "".join(f"<li>{page.said(note)}</li>" for note in study.notes)
    said = f'<h3>Of this batch</h3><ul class="plain">{notes}</ul>' if notes else ""
    return (
        Template(text).substitute(
            confidence=f"{study.main.confidence:.0%}", elements=page.elements()
        )
        + said
    )


def versions(study: Study) -> str:
    """What answered, and what it was trained on."""
    about = study.about
    found = {"Answered by": ", ".join(study.models) or "not told"}
    if about:
        data = about.get("data", {})
        label = about.get("figures", {}).get("posting", {}).get("label", {})
        precision = label.get("average_precision")
        found |= {
            "Labelled rows": f"{data.get('rows', 0):,} (SHA-256 {str(data.get('sha256'))[:16]})",
            "Text cleaning": f"version {about.get('text_version')}",
        }
        if about.get("promise"):
            asked = about["promise"].get("posting", {})
            found["Promise of the decision"] = (
                f"of the postings called CX management at least {asked.get('precision', 0):.0%} "
                f"are; of the true ones at most {asked.get('max_lost', 0):.0%} are called another "
                f"role; each with {asked.get('confidence', 0):.0%} confidence, for postings like "
                "the labelled ones (whole postings, unless other thresholds were asked for)"
            )
        if precision:
            found["Average precision for CX management"] = (
                f"{precision['estimate']:.2f} ({precision['low']:.2f} to {precision['high']:.2f}), "
                "on postings of employers that it had not seen"
            )
    found |= {
        "Definitions of roles": f"version {taxonomy.load().version}",
        "Program": f"cxjobs {__version__}",
    }
    return (
        "<dl>"
        + "".join(f"<dt>{escape(k)}</dt><dd>{page.said(v)}</dd>" for k, v in found.items())
        + "</dl>"
    )
