"""``cxjobs review``: pick postings for a person, code them, merge them, see what it brought."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cxjobs.cli import options
from cxjobs.errors import CxjobsError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from cxjobs.answer import Model
    from cxjobs.model import JobClassifier


@click.group()
def command() -> None:
    """Have people look where it helps most, and learn from their answers.

    \b
    The round trip:
      cxjobs classify postings.csv -o answered.csv
      cxjobs review pick answered.csv -n 100 -o sheet.xlsx
      cxjobs review code sheet.xlsx                  (or fill it in a spreadsheet)
      cxjobs review merge sheet.xlsx --into data/labeled_jobs.csv --coder ann -o union.csv
      cxjobs train union.csv -o model
      cxjobs review curve union.csv
    """  # noqa: D301


@command.command()
@click.argument("answered")
@click.option("-n", "number", type=click.IntRange(1), default=100, show_default=True)
@click.option("-o", "--output", default="-", show_default=True, help="CSV or .xlsx; - for stdout.")
@click.option("--labels", metavar="COLUMN", help="Column of roles given before, to find errors in.")
@click.option("--random", is_flag=True, help="Draw at random instead, for an audit.")
@click.option("--seed", default=0, show_default=True, help="Of the random draw.")
@options.mapping
@click.option("--model", "folder", metavar="FOLDER", help="For evidence, if the file has none.")
@options.quiet
def pick(
    answered: str,
    number: int,
    output: str,
    labels: str | None,
    random: bool,
    seed: int,
    mapping: dict[str, str],
    folder: str | None,
    quiet: bool,
) -> None:
    """Pick the postings of ANSWERED that are worth a person's time, as a sheet to fill in.

    ANSWERED is an output of classify, or a labelled table, which is answered out of fold. Where
    roles were given before (the table's own, or --labels), suspected errors come first; then come
    postings that the model doubts and that differ from each other. Repeated, rejected and foreign
    ones are left out.

    With --random they are drawn by chance from all that a survey counts, and the sheet keeps the
    model's answers to itself: what 'cxjobs survey --audit' needs.
    """
    from cxjobs import review, sheet
    from cxjobs.answered import read

    if random and labels:
        raise click.UsageError("--labels is for suspected errors; leave out --random.")
    table = _labelled(answered)
    if table is not None and random:
        frame = table.assign(company="", status="ok", flags="")
    elif table is not None:
        frame = review.answer_out_of_fold(table, _estimator(answered), tell=options.teller(quiet))
    else:
        extra = {"coded": labels} if labels else None
        frame = read(answered, needed=review.NEEDED, extra=extra, mapping=mapping)
    if random:
        chosen, told = review.draw(frame, number, seed=seed), "drawn at random"
    else:
        chosen, told = review.pick(frame, number), "picked"
        if suspected := int(chosen["why"].str.startswith("coded ").sum()):
            told += f", {suspected} of them suspected errors"
        if "evidence" not in chosen:
            chosen["evidence"] = _evidence(chosen, folder)
    if not len(chosen):
        raise DataError(f"{answered}: no posting to review: all are rejected, repeated or foreign.")
    rows = [_row(one, blind=random) for one in chosen.to_dict("records")]
    if output == "-":
        click.echo(sheet.to_csv(sheet.table(rows)), nl=False)
    else:
        if Path(output).exists():
            _keep_coded(output)
        sheet.write(output, rows)
    options.teller(quiet)(f"{len(rows)} of {len(frame)} postings {told}")


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def code(file: str) -> None:
    """Code the postings of a sheet at the terminal, one key a role.

    Every answer is saved at once; the next call goes on where this one stopped. The keys are shown
    below each posting; ? explains the roles, u takes the last answer back, s skips, q ends. What
    the model says is hidden until m is pressed, because it would sway the answer.
    """
    from cxjobs.cli.coding import Loop

    Loop(file).run()


@command.command()
@click.argument("sheets", nargs=-1, required=True, metavar="SHEET...")
@click.option("--into", required=True, type=click.Path(path_type=Path), help="Labelled table.")
@click.option("--coder", required=True, help="Name or id of who coded, for the log.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The union.")
@click.option("--overwrite", is_flag=True, help="Where a coding differs, take the sheet's.")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="Of the coding; default: today.")
@options.quiet
def merge(
    sheets: tuple[str, ...],
    into: Path,
    coder: str,
    output: Path,
    overwrite: bool,
    date: Any,
    quiet: bool,
) -> None:
    """Merge coded SHEETs into a labelled table that train can read.

    Who coded what, when and by which codebook goes to a log beside the table
    (labeled_jobs.reviews.jsonl). A coding that differs from the table's is reported, and the
    table's kept unless --overwrite is given.

    Exit codes: 0 all merged; 1 merged, but there were conflicts or rows that broke a rule; 2
    wrong use or unusable input.
    """
    from datetime import date as calendar

    from cxjobs import dataset, sheet
    from cxjobs import merge as merging

    if not coder.strip():
        raise click.UsageError("--coder needs a name or an id.")
    log = merging.read_log(into)
    found = merging.merge(
        dataset.read(into),
        {Path(one).name: sheet.read(one) for one in dict.fromkeys(sheets)},
        coder=coder.strip(),
        date=(date.date() if date else calendar.today()).isoformat(),
        log=log,
        overwrite=overwrite,
    )
    if not found.outcomes:
        raise DataError("No sheet has a row with a role. Try: cxjobs review code SHEET.")
    merging.write(output, found, log)
    bad = [one for one in found.outcomes if one.kind in ("kept", "refused")]
    for one in bad:
        click.echo(str(one), err=True)
    counts = Counter(one.kind for one in found.outcomes)
    told = ", ".join(f"{counts[kind]} {kind}" for kind in merging.KINDS if counts[kind])
    options.teller(quiet)(f"{output}: {len(found.table)} rows; {told}")
    raise click.exceptions.Exit(1 if bad else 0)


@command.command()
@click.argument("data", default="data/labeled_jobs.csv")
@options.folds
@click.option("--seed", default=0, show_default=True, help="Of the folds and shares.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a point.")
@options.quiet
def curve(data: str, folds: int, seed: int, as_json: bool, quiet: bool) -> None:
    """Draw the learning curve of the labelled table DATA, before and after its review.

    Accuracy of roles and average precision of CX management, by grouped cross-validation, against
    the share of employers trained on. Rows that came from a sheet train only in the second half
    of the table, and are never scored: they were picked for being hard.
    """
    from cxjobs import dataset, learning

    table = dataset.load(data)
    found = learning.curve(
        table, _estimator(data), n_splits=folds, seed=seed, tell=options.teller(quiet)
    )
    if as_json:
        click.echo(found.to_json(orient="records", lines=True), nl=False)
        return
    click.echo("training  share   rows  accuracy [95 %]         average precision [95 %]")
    for p in found.to_dict("records"):
        scores = (
            f"{p[name]:.3f} [{p[f'{name}_low']:.3f}, {p[f'{name}_high']:.3f}]"
            for name in ("accuracy", "average_precision")
        )
        click.echo(f"{p['training']:<8} {p['share']:>6.0%} {p['rows']:>6}  {'    '.join(scores)}")


def _labelled(path: str) -> pd.DataFrame | None:
    """The labelled table that a file is, if it is one."""
    from cxjobs import dataset

    try:
        with open(path, encoding="utf-8-sig") as file:
            header = file.readline().strip().split(",")
    except (OSError, UnicodeDecodeError):
        return None
    return dataset.load(path) if header == list(dataset.COLUMNS) else None


def _estimator(data: str) -> JobClassifier:
    """What ``train`` would fit on this table."""
    from cxjobs import dataset
    from cxjobs.model import JobClassifier

    beside = dataset.background_beside(data)
    return JobClassifier(background=None if beside is None else dataset.load_background(beside))


def _row(one: dict[Any, Any], *, blind: bool) -> dict[str, str]:
    """A posting on a sheet; blind, without what the model says of it."""
    from cxjobs.review import shown

    parts = {part: shown(one[part]) for part in ("title", "company", "description")}
    if blind:
        return {"id": one["id"], **parts}
    return {
        "id": one["id"],
        **parts,
        "model_role": one["role"],
        "model_probability": f"{one['role_probability']:.3f}",
        "evidence": one["evidence"],
        "why": one["why"],
    }


def _evidence(picked: pd.DataFrame, folder: str | None) -> list[str]:
    """Evidence of the picked postings, if the model that answered is at hand."""
    import pyarrow as pa

    from cxjobs.answer import load_model

    try:
        model: Model = load_model(folder)
    except CxjobsError:
        if folder:
            raise
        return [""] * len(picked)
    if set(picked.get("model", ())) != {model.name}:
        return [""] * len(picked)
    texts = (pa.array(picked[part].tolist(), pa.string()) for part in ("title", "description"))
    found: list[str] = model.answer_batch(*texts, evidence=True)["evidence"].to_pylist()
    return found


def _keep_coded(output: str) -> None:
    """Refuse to write over answers."""
    from cxjobs import sheet

    coded = sum(bool(row["role"]) for row in sheet.read(output))
    if coded:
        raise DataError(f"{output}: holds {coded} coded rows. Try: another name, or move it away.")
