"""``cxjobs survey``: what a batch of postings says, as tables and as a report to mail."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import click

from cxjobs.cli import options

if TYPE_CHECKING:
    from cxjobs.study import Study, Unit

UNITS: dict[str, tuple[Unit, ...]] = {
    "posting": ("posting",),
    "role": ("role",),
    "both": ("posting", "role"),
}


@click.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "--by",
    metavar="COLUMN",
    help="Groups to tell apart: company, location, any column, month, or month:COLUMN of dates.",
)
@click.option(
    "--audit",
    metavar="FILE",
    help="Columns id and role of a random part of the postings, coded by people.",
)
@click.option(
    "--per",
    type=click.Choice(list(UNITS)),
    default="both",
    show_default=True,
    help="Count every posting, or each role once, however often it was put up.",
)
@click.option(
    "--cluster",
    metavar="COLUMN",
    help="Postings that resemble each other, as company does; intervals widen.",
)
@click.option(
    "--confidence",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.95,
    show_default=True,
    help="Of every interval.",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@click.option("--csv", "csv_file", metavar="FILE", help="Write every share to a CSV; - for stdout.")
@click.option("--html", "html_file", metavar="FILE", help="Write the report; - for stdout.")
@options.model
@options.format_
@options.encoding
@options.mapping
@options.quiet
def command(
    inputs: tuple[str, ...],
    by: str | None,
    audit: str | None,
    per: str,
    cluster: str | None,
    confidence: float,
    as_json: bool,
    csv_file: str | None,
    html_file: str | None,
    folder: str | None,
    format_: str | None,
    encoding: str | None,
    mapping: dict[str, str],
    quiet: bool,
) -> None:
    """Survey INPUTS: shares of true CX management and of each other role, with intervals.

    INPUTS are postings in any format that classify reads, answered on the way, or what classify
    wrote, which is taken as it stands. Shares are given as answered, corrected for the errors of
    the model, and by the audit if there is one.

    \b
    Examples:
      cxjobs survey postings.csv
      cxjobs survey answered.parquet --html report.html --by company
      cxjobs survey may.jsonl june.jsonl --by month --csv shares.csv
      cxjobs survey answered.csv --audit coded.csv --json

    Exit codes: 0 done; 1 done, with rows that were left out as unreadable; 2 wrong use or
    unusable input.
    """  # noqa: D301
    import json

    if [as_json, csv_file == "-", html_file == "-"].count(True) > 1:
        raise click.UsageError("stdout holds one of --json, --csv - and --html -.")
    found = _study(inputs, by, audit, per, cluster, confidence, folder, format_, encoding, mapping)
    # Everything is drawn before anything is written.
    drawn = {path: draw(found) for path, draw in ((csv_file, _csv), (html_file, _html)) if path}
    from cxjobs.report import to_text, write

    for path, text in drawn.items():
        if path != "-":
            write(path, text)
            options.teller(quiet)(f"Wrote {path}.")
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=1, ensure_ascii=False, default=str))
    elif "-" in drawn:
        click.echo(drawn["-"], nl=False)
    else:
        click.echo(to_text(found))
    if found.unparsed or found.main.rejected:
        raise click.exceptions.Exit(1)


def _study(
    inputs: tuple[str, ...],
    by: str | None,
    audit: str | None,
    per: str,
    cluster: str | None,
    confidence: float,
    folder: str | None,
    format_: str | None,
    encoding: str | None,
    mapping: dict[str, str],
) -> Study:
    from cxjobs import intake, study
    from cxjobs.answer import load_model

    load = cache(lambda: load_model(folder))
    coded = None if audit is None else intake.read_audit(audit)
    groups = [one for one in (by, cluster) if one is not None]
    got = intake.read(
        inputs, load, groups=groups, format=format_, encoding=encoding, mapping=mapping
    )
    found = study.survey(
        got.frame,
        model=load() if folder or not got.answered else None,
        audit=coded,
        by=by and got.groups[by],
        cluster=cluster and got.groups[cluster],
        per=UNITS[per],
        confidence=confidence,
    )
    return replace(found, inputs=inputs, unparsed=got.unparsed, notes=(*got.notes, *found.notes))


def _csv(found: Study) -> str:
    import csv
    import io

    from cxjobs.report import CSV_COLUMNS, to_rows

    text = io.StringIO()
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(to_rows(found))
    return text.getvalue()


def _html(found: Study) -> str:
    return found.to_html()
