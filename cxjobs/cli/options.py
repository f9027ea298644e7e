"""Options that several commands have, each declared once; imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable

FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "html")
"""Formats that are read; here once more, so that --help imports nothing heavy. A test compares."""


def _pairs(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:  # noqa: ARG001
    """Take ``PART=FIELD`` as a mapping."""
    mapping = {}
    for one in given:
        part, equals, field = one.partition("=")
        if not (part and equals and field):
            raise click.UsageError(f"--map {one}: write PART=FIELD, as in --map title=text.")
        mapping[part] = field
    return mapping


mapping = click.option(
    "--map",
    "mapping",
    multiple=True,
    callback=_pairs,
    metavar="PART=FIELD",
    help="Where title, description, id, company or location stand: title=text, description=a+b.",
)
format_ = click.option(
    "--format",
    "format_",
    type=click.Choice(FORMATS),
    help="Format of the input, instead of what it seems to be.",
)
encoding = click.option("--encoding", help="Encoding of the input, as cp1252.")
model = click.option(
    "--model", "folder", metavar="FOLDER", help="Model folder; the shipped one by default."
)
precision = click.option(
    "--precision",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Least share of cx_management that is true.",
)
max_lost = click.option(
    "--max-lost",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Largest share of true ones called conflated.",
)
folds = click.option(
    "--folds",
    default=5,
    show_default=True,
    type=click.IntRange(2),
    help="Of the cross-validation.",
)
replicates = click.option(
    "--replicates",
    default=1000,
    show_default=True,
    type=click.IntRange(100),
    help="Of the bootstrap.",
)
quiet = click.option("--quiet", is_flag=True, help="Say nothing but errors.")


def teller(quiet: bool) -> Callable[[str], None]:
    """What says a line of progress on stderr, or keeps it."""

    def tell(line: str) -> None:
        if not quiet:
            click.echo(line, err=True)

    return tell
