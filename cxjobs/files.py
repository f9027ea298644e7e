"""Files written whole or not at all: beside their place, then renamed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replace(path: Path, data: bytes) -> None:
    """Write a file; an older one stays until the new one is complete.

    Raises
    ------
    OSError
        If it cannot be written. The older one is untouched, and nothing of the new one left.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
