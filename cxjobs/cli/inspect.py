"""``cxjobs inspect``: what classify would read from files, before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cxjobs.cli import options

if TYPE_CHECKING:
    from cxjobs.postings.overview import Overview


@click.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file, a line each.")
@options.format_
@options.encoding
@options.mapping
def command(
    inputs: tuple[str, ...],
    as_json: bool,
    format_: str | None,
    encoding: str | None,
    mapping: dict[str, str],
) -> None:
    """Show what classify would read from INPUTS: format, fields, samples, and what is missing.

    Exit codes: 0 all can be read; 1 something cannot be parsed; 2 wrong use or unusable input.
    """
    import json

    from cxjobs.postings import Reading
    from cxjobs.postings.overview import overviews

    found = overviews(Reading(inputs, format=format_, encoding=encoding, mapping=mapping))
    for one in found:
        if as_json:
            click.echo(json.dumps(one.to_dict(), ensure_ascii=False))
        else:
            click.echo(_told(one))
    if any(one.unparsed for one in found):
        raise click.exceptions.Exit(1)


def _told(one: Overview) -> str:
    kind = ", ".join(filter(None, (one.format, one.packed, one.encoding)))
    if one.delimiter not in (None, ","):
        kind += f", parted by {one.delimiter!r}"
    lines = [
        one.path,
        f"  format       {kind}",
        f"  source       {one.source}" + (f" ({one.about})" if one.about else ""),
    ]
    for part, path in one.fields.items():
        values = " | ".join(one.samples[part])
        lines.append(f"  {part:<12} {path or '-'}{': ' + values if values else ''}")
    lines.append(f"  rows         {one.rows:,}")
    for name in ("without_title", "without_description", "truncated", "duplicates", "not_english"):
        count = getattr(one, name)
        if count:
            lines.append(f"    {name.replace('_', ' ')} {count:,} ({count / one.rows:.1%})")
    if one.unparsed:
        lines.append(f"  not parsed   {one.unparsed:,}")
        lines += [f"    {problem}" for problem in one.problems]
    return "\n".join(lines)
