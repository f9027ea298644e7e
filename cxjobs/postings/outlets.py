"""Where a run's results go: a place on the disk that can be gone back to, or a pipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cxjobs.errors import FormatError
from cxjobs.postings.duplicates import Duplicates
from cxjobs.postings.summary import UNPARSED, Summary
from cxjobs.postings.workspace import Workspace
from cxjobs.postings.writers import PartsSink, Sink, StreamSink, TextSink, packer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjobs.postings.batch import Reject
    from cxjobs.postings.layout import Layout
    from cxjobs.postings.reading import Reading

REJECTS = ".rejects.jsonl"
"""Added to the output's name for what could not be parsed."""


class Outlet:
    """Standard output: nothing is kept, rejects go to stderr as JSON lines."""

    def __init__(self, kind: str) -> None:
        self.state: dict[str, Any] = {}
        self._open(kind)

    sink: Sink
    duplicates: Duplicates

    def _open(self, kind: str) -> None:
        out = sys.stdout.buffer
        self.sink = StreamSink(out) if kind == "parquet" else TextSink(out, kind, bytes, 0)
        self.duplicates = Duplicates(None)

    def report(self, rejects: Sequence[Reject]) -> None:
        """Tell what could not be parsed."""
        for one in rejects:
            sys.stderr.buffer.write(one.to_line())

    def save(self, done: int, summary: Summary, *, whole: bool = False) -> None:
        """Note that so many batches are written."""

    def finish(self, layout: Layout, done: int, summary: Summary) -> None:  # noqa: ARG002
        """End the output and hand it over."""
        self.sink.finish(layout)

    def deliver(self, summary: Summary) -> None:
        """Give the finished files their names."""

    def close(self, *, failed: bool) -> None:  # noqa: ARG002
        """Let the files go."""
        self.duplicates.close()


class Place(Outlet):
    """A file, or a folder of Parquet parts, written beside and renamed at the end.

    Parameters
    ----------
    target : str
        The output's path.
    kind : str
        One of ``writers.OUTPUT_FORMATS``.
    settings : dict
        See ``Workspace``.
    resume : bool
        Go on with an interrupted run.
    """

    def __init__(self, target: str, kind: str, settings: dict[str, Any], *, resume: bool) -> None:
        self._target, self._path = target, Path(target)
        self._space = Workspace(self._path, settings, resume=resume)
        self._files: list[IO[bytes]] = []
        super().__init__(kind)

    def _open(self, kind: str) -> None:
        self.state = self._space.state
        at = self.state.get("output", {})
        folder = self._space.folder
        if self.state.get("whole"):
            return
        if kind == "parquet":
            joined = not self._target.endswith("/")
            parts = folder / ("parts" if joined else "output")
            self.sink = PartsSink(parts, at.get("parts", 0), joined=joined)
        else:
            size = at.get("bytes", 0)
            self.sink = TextSink(self._opened("output", size), kind, packer(self._target), size)
        size = self.state.get("rejects", {}).get("bytes", 0)
        self._rejects = TextSink(self._opened("rejects.jsonl", size), "jsonl", bytes, size)
        self.duplicates = Duplicates(folder, self.state.get("roles"))

    def _opened(self, name: str, size: int) -> IO[bytes]:
        path = self._space.folder / name
        file = open(path, "r+b" if path.exists() else "w+b")  # noqa: SIM115
        self._files.append(file)
        file.truncate(size)
        file.seek(size)
        return file

    def report(self, rejects: Sequence[Reject]) -> None:
        """Write what could not be parsed to the rejects file."""
        self._rejects.append(b"".join(one.to_line() for one in rejects))

    def save(self, done: int, summary: Summary, *, whole: bool = False) -> None:
        """Put everything on the disk and note that so many batches are."""
        self._space.save(
            {
                "output": self.sink.settle(),
                "rejects": self._rejects.settle(),
                "roles": self.duplicates.settle(),
                "batches": done,
                "summary": summary.to_dict(),
                "whole": whole,
            }
        )

    def finish(self, layout: Layout, done: int, summary: Summary) -> None:
        """End the output; from here on only names are missing."""
        self.sink.finish(layout)
        self.save(done, summary, whole=True)

    def deliver(self, summary: Summary) -> None:
        """Give the finished files their names, the output last."""
        rejects = self._path.parent / (self._path.name + REJECTS)
        moves = [("output", self._path)]
        if summary.rejected.get(UNPARSED):
            moves.insert(0, ("rejects.jsonl", rejects))
        else:
            # Those of an earlier run would tell of rows that are now fine.
            rejects.unlink(missing_ok=True)
        self._space.deliver(moves)

    def close(self, *, failed: bool) -> None:
        """Let the files go; a run that failed before there was anything to go back to, entirely."""
        if not self.state.get("whole"):
            super().close(failed=failed)
        for file in self._files:
            file.close()
        if failed and not self._space.state:
            self._space.drop()


def outlet(
    target: str, kind: str, reading: Reading, settings: dict[str, Any], *, resume: bool
) -> Outlet:
    """Where the results go.

    Raises
    ------
    FormatError
        Where the target cannot be an output: it is an input, a folder, or in none.
    """
    if target == "-":
        return Outlet(kind)
    path = Path(target)
    if not path.parent.is_dir():
        raise FormatError(f"{target}: there is no folder {path.parent}; make it first.")
    for file in reading.files:
        if file.path != "-" and path.exists() and path.samefile(file.path):
            raise FormatError(f"{target}: this is also an input; choose another output.")
    if not target.endswith("/"):
        if path.is_dir():
            raise FormatError(
                f"{target}: this is a folder; end it in / for a folder of Parquet parts,"
                " or name a file in it."
            )
    elif path.exists() and not path.is_dir():
        raise FormatError(f"{target}: this is a file, not a folder; leave out the / or rename it.")
    elif path.is_dir() and (
        others := [p.name for p in path.iterdir() if not p.name.startswith("part-")]
    ):
        raise FormatError(f"{target}: the folder holds other files ({others[0]}); name a new one.")
    if target.endswith("/") and kind != "parquet":
        raise FormatError(f"{target}: only Parquet is written as a folder of parts, not {kind}.")
    return Place(target, kind, settings, resume=resume)
