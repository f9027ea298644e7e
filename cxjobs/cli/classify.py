"""``cxjobs classify``: an answer for every posting of files of any size."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cxjobs.cli import options

if TYPE_CHECKING:
    from cxjobs.postings import Reading, Summary
    from cxjobs.postings.workers import Answer


@click.command()
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    default="-",
    show_default=True,
    help="File, - for stdout, or a folder of Parquet parts (OUT/).",
)
@options.format_
@click.option(
    "--output-format",
    type=click.Choice(["csv", "tsv", "jsonl", "parquet"]),
    help="Instead of what the output's name says.",
)
@options.encoding
@options.mapping
@click.option("--columns", help="Columns to write, in this order: id,title,label.")
@click.option("--only", help="Labels to write: cx_management,review.")
@click.option(
    "--jobs", type=int, default=1, show_default=True, help="Worker processes; -1 for all cores."
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted run.")
@click.option("--evidence", is_flag=True, help="Add the terms that decided.")
@options.precision
@options.max_lost
@options.model
@click.option(
    "--summary",
    "summary_file",
    type=click.Path(dir_okay=False),
    help="Write the run's summary as JSON.",
)
@click.option("--quiet", is_flag=True, help="No progress and no summary on stderr.")
def command(
    inputs: tuple[str, ...],
    output: str,
    format_: str | None,
    output_format: str | None,
    encoding: str | None,
    mapping: dict[str, str],
    columns: str | None,
    only: str | None,
    jobs: int,
    resume: bool,
    evidence: bool,
    precision: float | None,
    max_lost: float | None,
    folder: str | None,
    summary_file: str | None,
    quiet: bool,
) -> None:
    """Answer for every posting of INPUTS: files, folders, quoted globs, - for stdin.

    Reads CSV, TSV, JSON, JSON lines, Parquet and HTML pages with job postings in them, packed or
    not, as JobSpy, Scrapy, Greenhouse, Lever and others write them. Every row comes out, in
    order, its own columns first and untouched. What cannot be parsed goes to
    OUTPUT.rejects.jsonl, or to stderr where the output is stdout.

    Exit codes: 0 done; 1 done, with rejected rows; 2 wrong use or unusable input; 130 interrupted.
    """
    _keep_pandas_out()
    from cxjobs.postings.pipeline import classify

    asked = {"precision": precision, "max_lost": max_lost}
    promise = {name: value for name, value in asked.items() if value is not None}
    model = _model(folder, promise)
    try:
        summary = classify(
            inputs,
            output,
            partial(_answer, folder, promise, evidence)
            if jobs != 1
            else lambda: _answering(model, evidence),
            model=model.name,
            format=format_,
            encoding=encoding,
            mapping=mapping,
            to=output_format,
            columns=columns.split(",") if columns else None,
            only=_labels(only),
            jobs=jobs,
            resume=resume,
            progress=None if quiet or not sys.stderr.isatty() else _Progress(),
            settings={**promise, "evidence": evidence},
        )
    except BrokenPipeError:
        # click would make a failure of it; keep the interpreter from complaining, too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from None
    _tell(summary, quiet, summary_file)
    if summary.rejected:
        raise click.exceptions.Exit(1)


def _keep_pandas_out() -> None:
    """Spare half a second: pyarrow imports pandas for its first array unless it isn't there.

    It looks once; after that pandas can be imported by whoever needs it.
    """
    if "pandas" not in sys.modules:
        import pyarrow as pa

        sys.meta_path.insert(0, _NoPandas)
        try:
            pa.array([""])
        finally:
            sys.meta_path.remove(_NoPandas)


class _NoPandas:
    """Finder that does not find pandas."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        """Say that pandas is not there, and nothing of the rest."""
        if name == "pandas":
            raise ModuleNotFoundError(name)


def _model(folder: str | None, promise: dict[str, float]) -> Any:
    from cxjobs.answer import load_model

    return load_model(folder, **promise)


def _answer(folder: str | None, promise: dict[str, float], evidence: bool) -> Answer:
    """Load the model, once a worker process, and give its answer."""
    _keep_pandas_out()
    return _answering(_model(folder, promise), evidence)


def _answering(model: Any, evidence: bool) -> Answer:
    answer: Answer = model.answer_batch
    return partial(model.answer_batch, evidence=True) if evidence else answer


def _labels(only: str | None) -> tuple[str, ...]:
    from cxjobs import taxonomy

    known = (taxonomy.CX, taxonomy.CONFLATED, taxonomy.REVIEW)
    labels = tuple(only.split(",")) if only else ()
    if strange := [label for label in labels if label not in known]:
        raise click.UsageError(f"--only: {strange[0]!r} is not one of {', '.join(known)}.")
    return labels


class _Progress:
    """One line on a terminal: rows, rate, time left."""

    def __init__(self) -> None:
        import time

        self._clock = time.monotonic
        self._start = self._shown = self._clock()

    def __call__(self, rows: int, reading: Reading) -> None:
        now = self._clock()
        if now - self._shown < 0.2:
            return
        self._shown = now
        rate = rows / (now - self._start)
        text = f"{rows:,} postings, {rate:,.0f}/s"
        if reading.size and reading.consumed:
            share = min(reading.consumed / reading.size, 1)
            left = (now - self._start) * (1 - share) / share
            text += f", {share:.0%}, {int(left // 60)}:{int(left % 60):02} left"
        click.echo(f"\r{text}\x1b[K", nl=False, err=True)


def _tell(summary: Summary, quiet: bool, summary_file: str | None) -> None:
    import json

    if summary_file:
        text = json.dumps(summary.to_dict(), indent=2) + "\n"
        if summary_file == "-":
            click.echo(text, nl=False)
        else:
            try:
                with open(summary_file, "w", encoding="utf-8") as file:
                    file.write(text)
            except OSError as error:
                raise click.ClickException(
                    f"{summary_file}: the summary cannot be written: {error.strerror}."
                    " The answers are in their place."
                ) from error
    if quiet:
        return
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    labels = ", ".join(f"{name} {count:,}" for name, count in sorted(summary.labels.items()))
    unique = sum(summary.unique_labels.values())
    lines = [
        f"{summary.rows_in:,} postings in, {summary.rows_out:,} out, {summary.ok:,} ok"
        f" in {summary.seconds:.1f} s ({summary.model})",
        f"labels: {labels or 'none'}",
    ]
    if summary.duplicates:
        per_role = ", ".join(f"{n} {c:,}" for n, c in sorted(summary.unique_labels.items()))
        lines.append(f"duplicates: {summary.duplicates:,}; {unique:,} unique roles: {per_role}")
    if summary.left_out:
        lines.append(f"left out by --only: {summary.left_out:,}")
    lines += summary.notes
    lines += [f"rejected: {count:,} {reason}" for reason, count in summary.rejected.items()]
    click.echo(clear + "\n".join(lines), err=True)
