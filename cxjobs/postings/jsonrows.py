"""JSON: lines, arrays, wrapped objects, files that a scraper has appended to.

A posting keeps its own text beside the parsed object, so that it can come out again unchanged.
Files are read by pieces; only one posting at a time has to fit into memory.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from cxjobs.postings.batch import Reject, overlong, shown, valid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cxjobs.postings.inputs import Stream

CHUNK = 1 << 22
"""Bytes read at a time."""

LONGEST = 1 << 26
"""Bytes that one posting may take."""

WRAPPERS = (
    "jobs", "results", "jobs_results", "data", "@graph", "items", "postings", "jobPostings",
    "json-ld", "microdata", "SearchResult", "SearchResultItems", "listings", "vacancies", "offers",
    "elements", "content", "hits", "itemListElement", "item",
)  # fmt: skip
"""Keys under which objects and lists of postings are found; an object wraps one such list."""

_TITLES = frozenset(("title", "job_title", "jobTitle", "positionName", "PositionTitle"))
_NAMES = _TITLES | {"text", "name"}
_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\r\n]*")
_CONTROL = re.compile(r"[\x00-\x1f]")
_NEXT = re.compile(r"[\n,\[][ \t\r\n]*(?=\{)")


class Row(NamedTuple):
    """One posting of a JSON file."""

    raw: str
    value: dict[str, Any]


def read(stream: Stream, *, lines: bool) -> Iterator[Row | Reject]:
    """Postings of a JSON stream in order, and what could not be parsed."""
    return _of_lines(stream) if lines else _Document(stream).postings()


def _of_lines(stream: Stream) -> Iterator[Row | Reject]:
    rest, number = b"", 0
    while True:
        more = stream.read(CHUNK)
        lines = (rest + more).split(b"\n")
        rest = lines.pop() if more else b""
        for line in lines:
            number += 1
            if not line or line.isspace():
                continue
            if len(line) > LONGEST:
                reason = f"a line of over {LONGEST} bytes"
                yield Reject(stream.path, number, shown(line), reason)
                continue
            yield from _line(line, number, stream.path)
        if len(rest) > LONGEST:
            number += 1
            yield Reject(stream.path, number, shown(rest), overlong(LONGEST))
            stream.skip_past(b"\n")
            rest = b""
        if not more:
            return


def _line(line: bytes, number: int, path: str) -> Iterator[Row | Reject]:
    try:
        text = line.decode().strip("\ufeff\r \t\x1e")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        reason = (
            f"not valid UTF-8 at byte {error.start}; if the whole file is in another encoding,"
            " give it, as in --encoding cp1252"
        )
        yield Reject(path, number, shown(line).rstrip("\r"), reason)
        return
    except (ValueError, RecursionError) as error:
        yield Reject(path, number, shown(line).rstrip("\r"), _reason(error))
        return
    yield from unwrapped(value, text, number, path)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"broken JSON: {error.msg.removesuffix(' at')}, character {error.pos + 1}"
    return f"broken JSON: {error}"


def unwrapped(value: Any, raw: str | None, line: int, path: str) -> Iterator[Row | Reject]:
    """Postings inside a JSON value: itself, or what its wrappers hold."""
    if isinstance(value, dict):
        found = _inner(value)
        if found is None:
            # Line ends part rows, and other controls inside a string are no JSON for most.
            text = raw if raw and not _CONTROL.search(raw) else dumps(value)
            if not all(map(str.isascii, value)):
                value = {valid(key): inner for key, inner in value.items()}
            yield Row(text, value)
        else:
            for inner in found:
                yield from unwrapped(inner, None, line, path)
    elif isinstance(value, list):
        for inner in value:
            yield from unwrapped(inner, None, line, path)
    else:
        text = raw if raw is not None else dumps(value)
        yield Reject(path, line, text, "not a posting: a JSON object was expected")


def _inner(value: dict[str, Any]) -> list[Any] | None:
    """What a wrapper holds, or None where the object is itself a posting."""
    kind = value.get("@type")
    if kind is not None and "JobPosting" in str(kind):
        return None
    if _TITLES.isdisjoint(value) or kind is not None:
        named = not _NAMES.isdisjoint(value) and kind is None
        for key in WRAPPERS:
            inner = value.get(key)
            if isinstance(inner, list):
                first = inner[0] if inner else {}
                # A company has a name, too; its jobs have titles.
                if isinstance(first, dict) and not (named and _NAMES.isdisjoint(first)):
                    return inner
            elif isinstance(inner, dict) and (_inner(inner) is not None or "@type" in inner):
                return [inner]
        if kind is not None and "title" not in value:
            return []  # JSON-LD about something else: the site, the path of menus
    return None


def dumps(value: Any) -> str:
    """JSON on one line, in the writing of people: no escapes where none is needed."""
    return json.dumps(value, ensure_ascii=False)


class _Document:
    """Reads one or more JSON values by pieces, giving out the members of lists one by one."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._text = ""
        self._bytes = b""
        self._at = 0
        self._line = 1
        self._counted = 0
        self._ended = False
        self._keys: frozenset[str] = frozenset()

    def postings(self) -> Iterator[Row | Reject]:
        """All postings of all values up to the end of the stream."""
        while mark := self._mark():
            if mark in "],:}":
                self._at += 1  # between the arrays of a file that was appended to
            elif mark == "[":
                self._at += 1
                yield from self._members()
            elif mark == "{":
                yield from self._object()
            else:
                yield self._skip("broken JSON: an object or a list was expected")

    def _more(self) -> bool:
        """Fetch another piece; drop the text that has been used."""
        if self._ended:
            return False
        data = self._stream.read(max(CHUNK, len(self._text) - self._at))
        self._ended = not data
        self._bytes += data
        # A character may be cut in two at the end of a piece.
        cut = len(self._bytes)
        while not self._ended and cut and cut > len(self._bytes) - 4:
            cut -= 1
            if self._bytes[cut] < 0x80 or self._bytes[cut] >= 0xC0:
                cut += self._bytes[cut] < 0x80
                break
        piece, self._bytes = self._bytes[:cut], self._bytes[cut:]
        self._here()
        self._text = self._text[self._at :] + piece.decode("utf-8", "surrogateescape")
        self._at = self._counted = 0
        return bool(data)

    def _here(self) -> int:
        """Number of the line that has been reached."""
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _mark(self) -> str:
        """The next character that is not white space, not taken; "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                if (mark := self._text[self._at]) not in "\ufeff\x1e":
                    return mark
                self._at += 1
            elif not self._more():
                return ""

    def _value(self) -> tuple[str, Any]:
        """Take the value that begins here, with its text."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except (json.JSONDecodeError, RecursionError) as error:
                if not self._cut(error) or not self._more():
                    raise
            else:
                # A number at the end of a piece may go on in the next.
                if end < len(self._text) - 1 or self._ended:
                    raw, self._at = self._text[self._at : end], end
                    return raw, value
                self._more()

    def _cut(self, error: Exception) -> bool:
        """Whether a value may only seem broken because the rest is still to be read."""
        return (
            isinstance(error, json.JSONDecodeError)
            and (error.msg.startswith("Unterminated") or error.pos > len(self._text) - 16)
            and len(self._text) - self._at <= LONGEST
            and not self._ended
        )

    def _members(self) -> Iterator[Row | Reject]:
        while (mark := self._mark()) not in ("", "]"):
            if mark == ",":
                self._at += 1
                continue
            yield from self._member()
        self._at += mark == "]"

    def _member(self) -> Iterator[Row | Reject]:
        line = self._here()
        try:
            raw, value = self._value()
        except (ValueError, RecursionError) as error:
            yield self._skip(_reason(error).split(", character")[0])
            return
        if not _stored(raw):
            yield Reject(self._stream.path, line, _bytes_shown(raw), "not valid UTF-8")
            return
        if isinstance(value, dict):
            self._keys = frozenset(value)
        yield from unwrapped(value, raw, line, self._stream.path)

    def _object(self) -> Iterator[Row | Reject]:
        """An object: the members of the first list of postings under a wrapper's key, or itself.

        Lists after that one tell of other things: places, filters, what else might please.
        """
        start = self._here()
        if not self._wraps():
            yield from self._member()
            return
        self._at += 1
        rest: dict[str, Any] = {}
        listed = given = False
        while (mark := self._mark()) not in ("", "}"):
            if mark == ",":
                self._at += 1
                continue
            try:
                _, key = self._value()
                if self._mark() == ":":
                    self._at += 1
                if self._mark() == "[" and key in WRAPPERS and not given:
                    self._at += 1
                    listed = True
                    for one in self._members():
                        given = given or isinstance(one, Row)
                        yield one
                    continue
                _, rest[key] = self._value()
            except (ValueError, TypeError, RecursionError) as error:
                yield self._skip(_reason(error).split(", character")[0])
                return
        self._at += mark == "}"
        if not listed:
            yield from unwrapped(rest, None, start, self._stream.path)

    def _wraps(self) -> bool:
        """Whether the object that begins here is no posting: too long, or with a wrapped list."""
        try:
            value, _ = _DECODER.raw_decode(self._text, self._at)
        except (ValueError, RecursionError):
            if not self._ended and len(self._text) - self._at < CHUNK and self._more():
                return self._wraps()
            head = self._text[self._at : self._at + CHUNK]
            return any(re.search(rf'"{re.escape(key)}"\s*:\s*\[', head) for key in WRAPPERS)
        return isinstance(value, dict) and _inner(value) is not None and "@type" not in value

    def _skip(self, reason: str) -> Reject:
        """Reject what stands here, up to the next object that looks like a posting."""
        line = self._here()
        after = 1
        while True:
            match = _NEXT.search(self._text, self._at + after)
            if match is None:
                if len(self._text) - self._at > LONGEST or not self._more():
                    end = len(self._text)
                    break
                continue
            like = self._like_a_posting(match.end())
            if like is None:
                self._more()
            elif like:
                end = match.end()
                break
            else:
                after = match.end() - self._at
        raw, self._at = self._text[self._at : end], end
        return Reject(self._stream.path, line, _bytes_shown(raw.rstrip(", \t\r\n")), reason)

    def _like_a_posting(self, at: int) -> bool | None:
        """Whether what begins here is a posting; None where more has to be read to tell."""
        try:
            value, _ = _DECODER.raw_decode(self._text, at)
        except (ValueError, RecursionError) as error:
            return None if self._cut(error) else False
        if not self._keys:
            return not _NAMES.isdisjoint(value)
        return 2 * len(self._keys & set(value)) >= len(self._keys)


def _stored(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bytes_shown(text: str) -> str:
    return shown(text.encode("utf-8", "surrogateescape"))


def names_of(rows: Iterable[Row | Reject]) -> tuple[list[str], int, int]:
    """Keys in order of first appearance, and the numbers of postings and of rejects."""
    names: dict[str, None] = {}
    postings = rejects = 0
    for row in rows:
        if isinstance(row, Row):
            postings += 1
            if not row.value.keys() <= names.keys():
                names.update(dict.fromkeys(row.value))
        else:
            rejects += 1
    return list(names), postings, rejects
