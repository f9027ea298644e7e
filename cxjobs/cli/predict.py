"""``cxjobs predict``: the answer for one title."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from cxjobs.cli import options


def _text(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    """Take a description as it is, from ``@FILE``, or from stdin for ``-``."""
    if value is None or not (value == "-" or value.startswith("@")):
        return value
    try:
        if value == "-":
            raw = sys.stdin.buffer.read()
        else:
            with open(value[1:], "rb") as file:
                raw = file.read()
    except OSError as error:
        raise click.BadParameter(f"{value[1:]}: {error.strerror}.") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise click.BadParameter(
            f"{value}: byte {error.start} is not UTF-8. Try: iconv -t utf-8."
        ) from None


def _title(ctx: click.Context, param: click.Parameter, value: str) -> str:  # noqa: ARG001
    """Take what was typed as UTF-8, also where the locale knows no such letters."""
    return os.fsencode(value).decode("utf-8", "replace")


@click.command()
@click.argument("title", callback=_title)
@click.option("--description", callback=_text, help="Text, @FILE, or - for stdin.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--explain", is_flag=True, help="Show the terms that decided.")
@options.precision
@options.max_lost
@options.model
def command(
    title: str, description: str | None, as_json: bool, explain: bool, **asked: Any
) -> None:
    """Answer whether TITLE is a true customer experience management job.

    \b
    Examples:
      cxjobs predict "Director of Customer Experience"
      cxjobs predict "CX Manager" --description @posting.txt --explain
    """  # noqa: D301
    from cxjobs.answer import load_model

    model = load_model(asked.pop("folder"), **asked)
    answer = model.predict(title, description)
    why = model.explain(title, description) if explain else None
    if as_json:
        from json import dumps

        record = answer.to_dict()
        if why is not None:
            record["explanation"] = why.to_dict()
        click.echo(dumps(record, ensure_ascii=False))
        return
    click.echo(str(answer))
    if why is not None:
        _show(str(why))


def _show(explanation: str) -> None:
    """Print an explanation, coloured by sign where that is wanted; the signs are in the text."""
    lines = []
    for line in explanation.split("\n"):
        colour = {"+": "green", "-": "red"}.get(line.lstrip()[:1])
        lines.append(click.style(line, fg=colour) if colour else line)
    click.echo("\n".join(lines), color=False if os.environ.get("NO_COLOR") else None)
