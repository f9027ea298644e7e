"""``cxjobs train``: labelled table in, model folder out."""

from __future__ import annotations

from pathlib import Path

import click

from cxjobs.cli import options


@click.command()
@click.argument("data", type=click.Path(path_type=Path), default=Path("data/labeled_jobs.csv"))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Model folder."
)
@click.option("--name", default="cxjobs", show_default=True, help="Name that answers carry.")
@options.quiet
def command(data: Path, output: Path, name: str, quiet: bool) -> None:
    """Train a model folder OUTPUT from the labelled table DATA.

    The same table and library versions give the same bytes. Temperatures, thresholds and figures
    come from grouped cross-validation and are written into OUTPUT/manifest.json; OUTPUT/README.md
    is the model card.
    """
    from cxjobs.card import write_card
    from cxjobs.intervals import shown
    from cxjobs.training import train

    tell = options.teller(quiet)
    manifest = train(data, output, name=name, tell=tell)
    write_card(output, manifest)
    role, label = (manifest["figures"]["posting"][k] for k in ("role", "label"))
    tell(f"{output}: {manifest['name']}, {manifest['data']['rows']} rows")
    tell(f"  role accuracy, out of fold  {shown(role['accuracy'])}")
    tell(f"  average precision of CX     {shown(label['average_precision'])}")
