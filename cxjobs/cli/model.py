"""``cxjobs model``: show, verify or export a model folder."""

from __future__ import annotations

from pathlib import Path

import click

from cxjobs.cli import options


@click.group()
def command() -> None:
    """Show, verify or export a model folder."""


@command.command()
@options.model
def path(folder: str | None) -> None:
    """Print where the model lies."""
    from cxjobs import store

    click.echo(folder or store.shipped())


@command.command()
@options.model
def card(folder: str | None) -> None:
    """Print the model card: what it is, what it was trained on, how good it is."""
    from cxjobs import store
    from cxjobs.card import card as written

    click.echo(written(store.read(folder or store.shipped()).manifest), nl=False)


@command.command()
@options.model
def verify(folder: str | None) -> None:
    """Check format, sizes, SHA-256 and every value of a model folder.

    A right digest shows that nothing was altered since the folder was written. Whether it holds
    a model is another question: its tables must lead to each term, its numbers be finite, and
    its thresholds promise no more than their counts allow.
    """
    from cxjobs import soundness, store
    from cxjobs.answer import load_model

    model = load_model(folder)
    soundness.check(model.folder)
    click.echo(
        f"{folder or store.shipped()}: {model.name}, complete and unaltered, its values sound."
    )


@command.command()
@options.model
@click.option(
    "--format",
    "form",
    type=click.Choice(["joblib"]),
    default="joblib",
    show_default=True,
    help="What to write.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write."
)
def export(folder: str | None, form: str, output: Path) -> None:
    """Write the model as a plain scikit-learn estimator, for those who serve that way.

    A joblib file can run code when it is loaded: load only what you have written yourself.
    cxjobs never reads one.
    """
    from cxjobs import store

    store.export_joblib(store.read(folder or store.shipped()), output)
    click.echo(
        f"{output}: written as {form}. Load such files only where you trust the source.", err=True
    )
