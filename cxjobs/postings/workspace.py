"""The folder beside the output in which a run keeps its unfinished files and where it stands.

Nothing of the output's name exists until the run is whole: then files are put on the disk and
renamed. A run that was killed leaves the folder, from which another can go on.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cxjobs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX = ".partial"
"""Added to the output's name for the folder."""


class Workspace:
    """Unfinished files of one output.

    Parameters
    ----------
    output : path
        File, or folder for Parquet parts.
    settings : dict
        All that decides the output's bytes; a run goes on only where they are the same.
    resume : bool
        Go on from what is there, if anything; otherwise begin anew.

    Raises
    ------
    FormatError
        Where the folder cannot be written, or belongs to a run with other settings.
    """

    def __init__(self, output: Path, settings: dict[str, Any], *, resume: bool) -> None:
        self._output = output
        self.folder = output.parent / (output.name + SUFFIX)
        self._settings: dict[str, Any] = json.loads(json.dumps(settings))
        self._checkpoint = self.folder / "checkpoint.json"
        self.state: dict[str, Any] = self._kept() if resume else {}
        if not self.state:
            with explained(output):
                shutil.rmtree(self.folder, ignore_errors=True)
                self.folder.mkdir()

    def _kept(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(self._checkpoint.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        before = kept.pop("settings", {})
        if other := [key for key in self._settings if before.get(key) != self._settings[key]]:
            raise FormatError(
                f"--resume: the interrupted run of {self._output} had other {', '.join(other)}."
                " Run it with the same, or begin anew without --resume."
            )
        return kept

    def save(self, state: dict[str, Any]) -> None:
        """Note where the run stands; what it tells of must be on the disk already."""
        self.state = state
        beside = self.folder / "checkpoint.new"
        with open(beside, "w", encoding="utf-8") as file:
            json.dump({"settings": self._settings, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._checkpoint)

    def deliver(self, moves: list[tuple[str, Path]]) -> None:
        """Give the finished files their names, in this order, and drop the folder."""
        for name, target in moves:
            source = self.folder / name
            if not source.exists():
                continue  # done before the run was killed
            if source.is_dir() and target.is_dir():
                old = self.folder / "replaced"
                target.rename(old)
            os.replace(source, target)
            _sync_folder(target.parent)
        shutil.rmtree(self.folder)

    def drop(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def explained(output: Path | str) -> Iterator[None]:
    """Turn the disk's errors into messages with a mend."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        mend = {
            errno.ENOSPC: "The disk is full: make room, then run again with --resume.",
            errno.EDQUOT: "The quota is used up: make room, then run again with --resume.",
            errno.EACCES: "No permission: choose another folder with -o.",
            errno.EROFS: "The disk is read-only: choose another folder with -o.",
            errno.ENOENT: "The folder does not exist: make it first.",
            errno.EFBIG: "Larger than a file may be here: try a folder of parts, -o OUT/.",
        }.get(error.errno or 0, "")
        text = error.strerror or str(error)
        raise FormatError(f"{output}: cannot be written: {text}. {mend}".rstrip()) from error
