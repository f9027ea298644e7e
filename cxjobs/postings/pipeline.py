"""From inputs to output: read, answer, mark duplicates, write, count."""

from __future__ import annotations

import os
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from cxjobs.errors import FormatError
from cxjobs.postings.batch import BATCH_BYTES, together
from cxjobs.postings.duplicates import flagged
from cxjobs.postings.layout import Layout, united
from cxjobs.postings.outlets import Outlet, outlet
from cxjobs.postings.reading import BATCH_ROWS, Reading
from cxjobs.postings.summary import Summary
from cxjobs.postings.workers import Answer, Load, answered
from cxjobs.postings.workspace import explained
from cxjobs.postings.writers import output_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cxjobs.postings.batch import Batch


def classify(
    inputs: Iterable[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    load: Load,
    *,
    model: str = "",
    format: str | None = None,  # noqa: A002
    encoding: str | None = None,
    mapping: Mapping[str, str] | None = None,
    to: str | None = None,
    columns: Sequence[str] | None = None,
    only: Sequence[str] = (),
    jobs: int = 1,
    batch_rows: int = BATCH_ROWS,
    resume: bool = False,
    progress: Callable[[int, Reading], None] | None = None,
    every: float = 5.0,
    settings: Mapping[str, Any] | None = None,
) -> Summary:
    """Answer for every posting of ``inputs`` and write the rows with the answer beside them.

    Parameters
    ----------
    inputs, format, encoding, mapping, batch_rows
        See ``postings.read``.
    output : path
        File; a folder of Parquet parts where it ends in ``/``; ``-`` for standard output. What
        could not be parsed goes to ``OUTPUT.rejects.jsonl``, or to stderr.
    load : callable
        Makes the answer, see ``workers.Load``.
    model : str
        Name of the model, for the summary and for ``resume``.
    to : str, optional
        One of ``writers.OUTPUT_FORMATS``, instead of what the output's name says.
    columns : sequence of str, optional
        Columns to keep, in this order.
    only : sequence of str
        Labels to keep; all by default.
    jobs : int
        Worker processes, see ``workers.answered``.
    resume : bool
        Go on with an interrupted run, or begin where there is none.
    progress : callable, optional
        Called after each batch with the rows so far and the reading.
    every : float
        Seconds between the points from which a run can be resumed.
    settings : mapping, optional
        What else decides the answers; a run is resumed only with the same.

    Returns
    -------
    Summary

    Raises
    ------
    FormatError
        Where an input cannot be read or the output cannot be written.
    """
    started = time.monotonic()
    inputs, target = [os.fspath(one) for one in inputs], os.fspath(output)
    if resume and "-" in (target, *inputs):
        raise FormatError("--resume needs files: standard input and output cannot be gone back to.")
    reading = Reading(inputs, format=format, encoding=encoding, mapping=mapping)
    first = reading.files[0].format
    kind = output_format(target, to, "jsonl" if reading.files[0].is_json else first)
    deciding = {
        "inputs": [[f.path, *f.state] for f in reading.files],
        "options": [format, encoding, dict(mapping or {}), kind, columns, list(only)],
        "batch size": [batch_rows, BATCH_BYTES],
        "model": [model, dict(settings or {})],
    }
    with explained(target):
        out = outlet(target, kind, reading, deciding, resume=resume)
        run = _Run(reading, out, columns, only)
        summary = run.through(load, jobs, batch_rows, progress, every)
    summary.model, summary.files, summary.notes = model, len(reading.files), reading.notes
    summary.seconds = round(time.monotonic() - started, 3)
    return summary


class _Run:
    """One way through all batches, into one output."""

    def __init__(
        self, reading: Reading, out: Outlet, columns: Sequence[str] | None, only: Sequence[str]
    ) -> None:
        self._reading, self._out, self._columns = reading, out, columns
        self._only = pa.array(only, pa.string()) if only else None
        self._layout: Layout | None = None

    def through(
        self,
        load: Load,
        jobs: int,
        batch_rows: int,
        progress: Callable[[int, Reading], None] | None,
        every: float,
    ) -> Summary:
        """Answer and write all batches that have not been."""
        state = self._out.state
        summary = Summary.restored(state["summary"]) if state else Summary()
        failed = True
        try:
            if not state.get("whole"):
                self._answer(load, jobs, batch_rows, progress, every, summary)
            failed = False
        finally:
            self._out.close(failed=failed)
        self._out.deliver(summary)
        return summary

    def _answer(
        self,
        load: Load,
        jobs: int,
        batch_rows: int,
        progress: Callable[[int, Reading], None] | None,
        every: float,
        summary: Summary,
    ) -> None:
        done: int = self._out.state.get("batches", 0)
        saved = time.monotonic()
        batches = islice(together(self._reading.batches(batch_rows), batch_rows), done, None)
        for batch, answer in answered(batches, load, jobs):
            self._take(batch, answer, summary)
            done += 1
            if progress:
                progress(summary.rows_in, self._reading)
            if time.monotonic() - saved >= every and self._out.sink.settled:
                self._out.save(done, summary)
                saved = time.monotonic()
        self._out.finish(self._layout or self._laid_out(_no_answer(load())), done, summary)

    def _laid_out(self, answer: pa.Table) -> Layout:
        if self._layout is None:
            source = united([file.schema for file in self._reading.files if file.fields])
            self._layout = Layout(source, answer.schema, self._columns)
        return self._layout

    def _take(self, batch: Batch, answer: pa.Table, summary: Summary) -> None:
        layout = self._laid_out(answer)
        originals = self._out.duplicates.of(batch)
        answer = flagged(answer, originals)
        rows = None
        if self._only is not None:
            kept = pc.is_in(answer["label"], value_set=self._only)
            rows = pc.indices_nonzero(kept)
        self._out.sink.write(layout, batch, answer, rows)
        self._out.report(batch.rejects)
        summary.add(batch, answer, originals, len(batch) if rows is None else len(rows))


def _no_answer(answer: Answer) -> pa.Table:
    """The answer for no posting: its columns."""
    none = pa.array([], pa.string())
    return answer(none, none)
