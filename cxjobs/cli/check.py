"""``cxjobs check``: every broken rule of a labelled table."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("data", type=click.Path(path_type=Path), default=Path("data/labeled_jobs.csv"))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a problem.")
@click.pass_context
def command(ctx: click.Context, data: Path, as_json: bool) -> None:
    """Check every rule of the labelled table DATA and list each that is broken.

    Columns, allowed values, label follows role, ids unique and sorted, near-duplicates in one
    group. Exit code 1 if a rule is broken.
    """
    from cxjobs import dataset

    frame = dataset.read(data)
    problems = dataset.check(frame)
    for problem in problems:
        if as_json:
            click.echo(json.dumps(problem.to_dict(), ensure_ascii=False))
        else:
            click.echo(f"{data}: {problem}")
    if problems:
        click.echo(f"{len(problems)} broken rules in {len(frame)} rows.", err=True)
        ctx.exit(1)
    click.echo(f"{data}: {len(frame)} rows, every rule holds.", err=True)
