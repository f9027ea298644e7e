"""``cxjobs train``: labelled table in, model folder out."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("data", type=click.Path(path_type=Path), default=Path("data/labeled_jobs.csv"))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="Model folder."
)
@click.option("--name", default="cxjobs", show_default=True, help="Name that answers carry.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
def command(data: Path, output: Path, name: str, quiet: bool) -> None:
    """Train a model folder OUTPUT from the labelled table DATA.

    The same table and library versions give the same bytes. Temperatures, thresholds and figures
    come from grouped cross-validation and are written into OUTPUT/manifest.json; OUTPUT/README.md
    is the model card.
    """
    from cxjobs.card import write_card
    from cxjobs.training import train

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    manifest = train(data, output, name=name, tell=tell)
    write_card(output, manifest)
    if not quiet:
        role, label = (manifest["figures"]["posting"][k] for k in ("role", "label"))
        click.echo(f"{output}: {manifest['name']}, {manifest['data']['rows']} rows", err=True)
        click.echo(f"  role accuracy, out of fold  {_shown(role['accuracy'])}", err=True)
        click.echo(f"  average precision of CX     {_shown(label['average_precision'])}", err=True)


def _shown(interval: dict[str, float]) -> str:
    return f"{interval['estimate']:.3f} [{interval['low']:.3f}, {interval['high']:.3f}]"
