"""``cxjobs diff``: which answers changed between two runs or two models, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cxjobs.cli import options

if TYPE_CHECKING:
    import pandas as pd

    from cxjobs.diff import Change, Diff


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="OLD NEW")
@click.option(
    "--models",
    nargs=2,
    metavar="A B",
    help="Compare two model folders on one file of postings instead.",
)
@click.option("--key", help="Column that names a posting. Default: its id, else its text.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(0), help="Rows listed.")
@options.mapping
def command(
    files: tuple[str, ...],
    models: tuple[str, str] | None,
    key: str | None,
    as_json: bool,
    limit: int,
    mapping: dict[str, str],
) -> None:
    """Show which answers differ between two files that classify has written, and why.

    A reason is one of: text (the posting differs), model (another model, another probability),
    threshold (the same probability, judged otherwise), flags (the same, for other doubts about the
    text), unknown. Postings in one file only are listed as well.

    Exit codes: 0 nothing differs; 1 something does; 2 wrong use or unusable input.

    \b
    Examples:
      cxjobs diff may.csv june.csv
      cxjobs diff --models models/default trial postings.csv --json
    """  # noqa: D301
    import json

    from cxjobs.diff import NEEDED, diff

    wanted = 1 if models else 2
    if len(files) != wanted:
        raise click.UsageError(
            f"{'With --models, give one file' if models else 'Give two files'}, not {len(files)}."
        )
    extra = {"key": key} if key else {}
    if models:
        old, new = _by_models(files[0], models, extra, mapping)
    else:
        from cxjobs.answered import read

        old, new = (read(file, needed=NEEDED, extra=extra, mapping=mapping) for file in files)
    found = diff(old, new, key="key" if key else None)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        click.echo(_report(found, limit))
    raise click.exceptions.Exit(1 if found else 0)


def _by_models(
    file: str, models: tuple[str, str], extra: dict[str, str], mapping: dict[str, str]
) -> list[pd.DataFrame]:
    """The answers of two models for the same postings."""
    import pandas as pd
    import pyarrow as pa

    from cxjobs.answer import COLUMNS, load_model
    from cxjobs.answered import PARTS, read

    postings = read(file, extra=extra, mapping=mapping)
    source = postings[[*PARTS, *extra]]
    texts = [
        pa.array(source[part].tolist(), pa.large_string()) for part in ("title", "description")
    ]
    frames = []
    for folder in models:
        answer = load_model(folder).answer_batch(*texts).to_pandas()[list(COLUMNS)]
        frame: Any = pd.concat([source, answer], axis=1)
        frame.attrs["ids"] = postings.attrs["ids"]
        frames.append(frame)
    return frames


def _report(found: Diff, limit: int) -> str:
    lines = [
        f"{found.matched:,} postings in both, {len(found.changed):,} with another answer; "
        f"{len(found.only_old):,} only in the old file, {len(found.only_new):,} only in the new"
    ]
    if found.moved:
        lines.append(
            f"{found.moved:,} more with another probability of CX management only, "
            f"by {found.largest_move:.3f} at most"
        )
    for name, counts in (("label", found.labels), ("reason", found.reasons)):
        lines += [f"  {name}: {what}  {count:,}" for what, count in counts.items()]
    for change in found.changed[:limit]:
        lines.append(_line(change))
    if len(found.changed) > limit:
        lines.append(f"... and {len(found.changed) - limit:,} more; --limit or --json lists them")
    for sign, names in (("-", found.only_old), ("+", found.only_new)):
        lines += [f"{sign} {name}" for name in names[:limit]]
        if len(names) > limit:
            lines.append(f"{sign} ... and {len(names) - limit:,} more")
    return "\n".join(lines)


def _line(change: Change) -> str:
    from cxjobs.explain import plain

    parts = [f"{c} {change.old[c] or '-'} -> {change.new[c] or '-'}" for c in change.old]
    old, new = (
        "-" if p is None else f"{p:.3f}" for p in (change.old_probability, change.new_probability)
    )
    return (
        f"! {plain(change.key)}  {plain(change.title)}: {', '.join(parts)}; "
        f"probability {old} -> {new} ({', '.join(change.reasons)})"
    )
