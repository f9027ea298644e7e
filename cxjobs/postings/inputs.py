"""Files as streams of UTF-8 bytes: which files, unpacking, encodings, which format.

Everything is streamed, so that a small packed file cannot fill the memory, and nothing is ever
executed: no pickle, no XML.
"""

from __future__ import annotations

import codecs
import glob
import io
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cxjobs.errors import FormatError
from cxjobs.postings.formats import FORMATS, by_extension, encoding_of, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable

HEAD = 1 << 20
"""Bytes looked at to tell encoding, format and dialect."""

_MAGIC = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\x28\xb5\x2f\xfd", "zstd"))
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Input:
    """One file to read.

    Attributes
    ----------
    path : str
        As the user named it, or ``-``.
    explicit : bool
        False where it was found in a directory: then a file that is no table of postings becomes
        a reject instead of an error.
    """

    path: str
    explicit: bool = True


def find(inputs: Iterable[str | os.PathLike[str]]) -> list[Input]:
    """Files meant by paths, directories (read through, sorted) and quoted globs.

    Raises
    ------
    FormatError
        Where a path does not exist or a directory has no file that can be read.
    """
    found: list[Input] = []
    for given in [os.fspath(one) for one in inputs]:
        if given == "-" or os.path.isfile(given):
            found.append(Input(given))
        elif os.path.isdir(given):
            found += _in_directory(given)
        elif os.path.exists(given):
            found.append(Input(given))  # a named pipe
        elif matches := sorted(m for m in glob.glob(given, recursive=True) if os.path.isfile(m)):
            found += [Input(match) for match in matches]
        else:
            raise FormatError(f"{given}: no such file, and no file fits it as a pattern.")
    if not found:
        raise FormatError("No input: name a file, a directory, or - for standard input.")
    if sum(one.path == "-" for one in found) > 1:
        raise FormatError("Standard input (-) can be read only once.")
    return found


def _in_directory(folder: str) -> list[Input]:
    paths = sorted(p for p in Path(folder).rglob("*") if p.is_file())
    known = [
        p
        for p in paths
        if by_extension(p.name)
        and not p.name.endswith(".rejects.jsonl")
        and not any(
            part.startswith(".") or part.endswith(".partial")
            for part in p.relative_to(folder).parts
        )
    ]
    if not known:
        seen = sorted({p.suffix or p.name for p in paths})[:8]
        raise FormatError(
            f"{folder}: no file here is {', '.join(FORMATS)} by its name"
            f" (found: {', '.join(seen) or 'nothing'}). Name the files and give --format."
        )
    return [Input(str(p), explicit=False) for p in known]


class Stream:
    """Bytes of one input, unpacked and as UTF-8, with a look ahead.

    Attributes
    ----------
    path : str
        As the user named it.
    encoding : str
        What the text was decoded from; ``binary`` for Parquet.
    damage : str or None
        Set when the packed file ends early or is broken: what was wrong.
    """

    def __init__(self, path: str, encoding: str | None = None) -> None:
        self.path = path
        self.damage: str | None = None
        self._counted = _Counted(path)
        self._buffer = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ended = False
        self.packed = _packing_of(self._counted.head(8))
        self._raw = _unpack(self._counted, self.packed)
        self.binary = self._fill(4) == b"PAR1"
        self.encoding = "binary" if self.binary else self._decode(encoding)

    def _fill(self, size: int) -> bytes:
        if len(self._buffer) < size and not self._ended:
            pieces, length = [self._buffer], len(self._buffer)
            while length < size and not self._ended:
                pieces.append(self._piece(size - length))
                length += len(pieces[-1])
            self._buffer = b"".join(pieces)
        return self._buffer[:size]

    def _piece(self, size: int) -> bytes:
        """Up to ``size`` more bytes, b"" at the end; a broken packing ends the stream."""
        try:
            piece: bytes = self._raw.read1(size)  # what came before the damage is kept
        except (EOFError, OSError, *_packing_errors()) as error:
            if self.packed is None:
                raise FormatError(f"{self.path}: cannot be read: {error}.") from error
            self.damage = f"the {self.packed} file is damaged or ends early: {error}"
            piece = b""
        if not piece:
            self._ended = True
        if self._decoder is None:
            return piece
        return self._decoder.decode(piece, not piece).encode("utf-8", "surrogateescape")

    def _decode(self, encoding: str | None) -> str:
        head = self._fill(HEAD)
        refuse(head, self.path)
        marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
        name = encoding or marked or encoding_of(head, ended=self._ended)
        try:
            info = codecs.lookup(name)
            "x".encode(name)  # refuses codecs that are not of text, as zlib is
        except (LookupError, UnicodeError):
            raise FormatError(
                f"{self.path}: unknown encoding {name!r}; for instance utf-8, cp1252, utf-16."
            ) from None
        if info.name in {"utf-8", "ascii", "utf-8-sig"}:
            self._buffer = self._buffer.removeprefix(codecs.BOM_UTF8)
            return "utf-8"
        wide = info.name.startswith(("utf-16", "utf-32"))
        self._decoder = info.incrementaldecoder("replace" if wide else "surrogateescape")
        try:
            text = self._decoder.decode(self._buffer, self._ended).removeprefix("\ufeff")
        except UnicodeError as error:
            raise FormatError(
                f"{self.path}: cannot be read as {name}: {error}. Give another --encoding;"
                " for UTF-16 without a mark utf-16-le or utf-16-be."
            ) from None
        self._buffer = text.encode("utf-8", "surrogateescape")
        return info.name

    def head(self, size: int = HEAD) -> bytes:
        """The next bytes without taking them; fewer only at the end."""
        return self._fill(size)

    def read(self, size: int) -> bytes:
        """Take up to ``size`` bytes; fewer only at the end."""
        data = self._fill(size)
        self._buffer = self._buffer[len(data) :]
        return data

    def skip_past(self, mark: bytes) -> None:
        """Take all up to the next ``mark``, one byte, and the mark; all there is without one."""
        at = -1
        while at < 0 and (data := self._fill(HEAD)):
            at = data.find(mark)
            self._buffer = self._buffer[at + 1 if at >= 0 else len(data) :]

    @property
    def consumed(self) -> int:
        """Bytes of the file that have been read, packed as they are."""
        return self._counted.count

    def file(self) -> IO[bytes]:
        """The whole unpacked input as a seekable file, for formats that need one."""
        if self.path != "-" and self.packed is None and os.path.isfile(self.path):
            return open(self.path, "rb")
        spool = tempfile.TemporaryFile()  # noqa: SIM115
        while data := self.read(HEAD):
            spool.write(data)
        spool.seek(0)
        return spool

    def close(self) -> None:
        """Let the file go."""
        self._counted.close()


class _Counted(io.RawIOBase):
    """A raw file that counts what has been read of it and gives back what was looked at."""

    def __init__(self, path: str) -> None:
        self.count = 0
        self._kept = b""
        try:
            self.raw: IO[bytes] = sys.stdin.buffer if path == "-" else open(path, "rb")  # noqa: SIM115
        except OSError as error:
            raise FormatError(f"{path}: cannot be read: {error.strerror}.") from error

    def head(self, size: int) -> bytes:
        self._kept = self.raw.read(size) or b""
        return self._kept

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._kept[: len(buffer)] or self.raw.read(len(buffer)) or b""
        self._kept = self._kept[len(buffer) :]
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

    def close(self) -> None:
        if self.raw is not sys.stdin.buffer:
            self.raw.close()
        super().close()


def _packing_of(head: bytes) -> str | None:
    if head.startswith(b"\xfd7zXZ\x00"):
        return "xz"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def _unpack(raw: _Counted, packed: str | None) -> Any:
    buffered: Any = io.BufferedReader(raw, HEAD)
    if packed == "gzip":
        import gzip

        buffered = gzip.GzipFile(fileobj=buffered)
    if packed == "bzip2":
        import bz2

        buffered = bz2.BZ2File(buffered)
    if packed == "xz":
        import lzma

        buffered = lzma.LZMAFile(buffered)  # noqa: SIM115
    if packed == "zstd":
        import zstandard

        buffered = zstandard.ZstdDecompressor(max_window_size=1 << 27).stream_reader(
            buffered, read_across_frames=True
        )
    return buffered


def _packing_errors() -> Any:
    """The error of a broken zstd or xz stream, without importing what is not in use."""
    zstandard, lzma = sys.modules.get("zstandard"), sys.modules.get("lzma")
    zlib = sys.modules.get("zlib")
    kinds = [(zstandard, "ZstdError"), (lzma, "LZMAError"), (zlib, "error")]
    return tuple(getattr(module, name) for module, name in kinds if module)
