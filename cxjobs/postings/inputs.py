"""Files as streams of UTF-8 bytes: which files, unpacking, encodings, which format.

Everything is streamed, so that a small packed file cannot fill the memory, and nothing is ever
executed: no pickle, no XML.
"""

from __future__ import annotations

import codecs
import glob
import io
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cxjobs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "html")
"""Names of the formats that are read."""

HEAD = 1 << 20
"""Bytes looked at to tell encoding, format and dialect."""

_EXTENSIONS = {
    ".csv": "csv",
    ".txt": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jl": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
}
_PACKED = {".gz": "gzip", ".bz2": "bzip2", ".zst": "zstd", ".xz": "xz"}
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\x28\xb5\x2f\xfd", "zstd"))
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ENCODINGS = [
    *("utf_8", "utf_16", "utf_16_le", "utf_16_be", "cp1252", "cp1250", "cp1251", "cp1253"),
    *("cp1254", "iso8859_15", "iso8859_2", "shift_jis", "cp932", "gb18030", "big5", "euc_kr"),
]
_CONTROLS = [bytes([code]) for code in range(32) if code not in b"\t\n\v\f\r\x1e"]
_NOT_OURS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV"),
    (b"%PDF", "a PDF: its text has to be taken out first"),
    (b"SQLite format 3", "an SQLite database: export the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Office file: save it as CSV"),
    (b"\x80\x04", "a pickle, which can run code: save it as Parquet or CSV"),
    (b"\x80\x05", "a pickle, which can run code: save it as Parquet or CSV"),
    (b"ARROW1", "an Arrow file: save it as Parquet"),
    (b"\x89PNG", "a picture"),
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


def by_extension(name: str) -> str | None:
    """Format that a file's name promises, or None.

    >>> by_extension("jobs.csv.gz"), by_extension("Jobs.JL"), by_extension("notes.md")
    ('csv', 'jsonl', None)
    """
    path = Path(name.lower())
    if path.suffix in _PACKED:
        path = path.with_suffix("")
    return _EXTENSIONS.get(path.suffix)


def packing(name: str) -> str | None:
    """Compression that a file's name promises, or None."""
    return _PACKED.get(Path(name.lower()).suffix)


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
        for magic, what in _NOT_OURS:
            if head.startswith(magic):
                raise FormatError(f"{self.path}: this is {what}.")
        marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
        name = encoding or marked or sniff_encoding(head, ended=self._ended)
        try:
            info = codecs.lookup(name)
        except LookupError:
            raise FormatError(
                f"{self.path}: unknown encoding {name!r}; for instance utf-8, cp1252, utf-16."
            ) from None
        if info.name in {"utf-8", "ascii", "utf-8-sig"}:
            self._buffer = self._buffer.removeprefix(codecs.BOM_UTF8)
            return "utf-8"
        wide = info.name.startswith(("utf-16", "utf-32"))
        self._decoder = info.incrementaldecoder("replace" if wide else "surrogateescape")
        text = self._decoder.decode(self._buffer, self._ended).removeprefix("\ufeff")
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


def sniff_encoding(head: bytes, *, ended: bool = True) -> str:
    """Name of the encoding of the first bytes of a text.

    UTF-8 with a few broken rows stays UTF-8: its own many-byte characters outnumber what does
    not fit. Otherwise charset-normalizer guesses.

    >>> sniff_encoding("Müller".encode())
    'utf-8'
    """
    for start, wide in ((1, "utf-16-le"), (0, "utf-16-be")):
        if head[start::2].count(0) * 4 > len(head):
            return wide  # every other byte of most letters is nought
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head, ended)
        return "utf-8"
    except UnicodeDecodeError:
        text = head.decode("utf-8", "surrogateescape")
        strange = sum("\udc80" <= c <= "\udcff" for c in text)
        if sum(c > "\x7f" for c in text) >= 2 * strange:
            return "utf-8"
    from charset_normalizer import from_bytes

    strange_lines = b"\n".join(line for line in head.split(b"\n") if not line.isascii())
    guesses = from_bytes((strange_lines or head)[: 1 << 16], cp_isolation=_ENCODINGS)
    best = guesses.best()
    if best is None:
        return "cp1252"
    western = [g for g in guesses if "cp1252" in (g.encoding, *g.could_be_from_charset)]
    if western and western[0].chaos <= best.chaos:
        return "cp1252"  # by far the commonest of those that read equally well
    return best.encoding


def tell_format(stream: Stream, wanted: str | None) -> str:
    """Format of a stream: the one asked for, or by its first bytes and its name.

    Raises
    ------
    FormatError
        For an empty file, or bytes that are no text.
    """
    name = by_extension(stream.path)
    if stream.binary:
        if wanted not in (None, "parquet"):
            raise FormatError(f"{stream.path}: this is Parquet, not {wanted}.")
        return "parquet"
    if "parquet" in (wanted, name if wanted is None else None):
        raise FormatError(f"{stream.path}: not a Parquet file, or a damaged one.")
    head = stream.head()
    text = head.lstrip()
    if not text:
        raise FormatError(f"{stream.path}: the file is empty.")
    if wanted is not None:
        return wanted
    if name == "html" or text[:1] == b"<":
        return "html"
    if text[:1] in b"[{" and (name in ("json", "jsonl") or _opens_json(text)):
        return _json_or_lines(text, name)
    if name in ("json", "jsonl"):
        # A broken first line must not turn a file of JSON lines into a table.
        return name
    if sum(map(head.count, _CONTROLS)) * 20 > len(head):
        raise FormatError(f"{stream.path}: this is no text; give --format or --encoding.")
    return name or "csv"


def _opens_json(text: bytes) -> bool:
    rest = text[1:64].lstrip()
    return rest[:1] in b'"{[]}' or not rest


def _json_or_lines(text: bytes, name: str | None) -> str:
    if text[:1] == b"[":
        return "json"
    lines = [line for line in text.split(b"\n", 12)[:12] if line.strip()]
    if len(lines) == 1:
        return "json"  # one value, whatever it holds; or lines too long to tell
    if name == "jsonl" or _is_object(lines[0]):
        return "jsonl"
    return "jsonl" if 2 * sum(map(_is_object, lines)) > len(lines) else "json"


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
