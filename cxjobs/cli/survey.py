"""``cxjobs survey``: what a batch of postings says, as tables and as a report to mail."""

from __future__ import annotations

import click


@click.command()
@click.argument("inputs", nargs=-1, required=True)
def command(inputs: tuple[str, ...]) -> None:
    """Survey the postings of INPUTS."""
    raise click.UsageError(f"Not yet: {inputs[0]}.")
