"""What files hold, before any work: format, encoding, source, field map, samples, shares."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from cxjobs.features import FUNCTION_WORDS
from cxjobs.flags import JUDGED_FROM, LEAST_FUNCTION, cut_off
from cxjobs.postings.duplicates import Duplicates
from cxjobs.postings.sources import PARTS, known

if TYPE_CHECKING:
    import pyarrow as pa

    from cxjobs.postings.batch import Batch, Reject
    from cxjobs.postings.reading import File, Reading

SAMPLES = 3
"""Values shown of each part."""

SHOWN = 60
"""Characters shown of each value."""

JUDGED = 1000
"""Characters of a text by which its language is judged."""

_words = re.compile(r"\w+").findall


@dataclass
class Overview:
    """One file, read through.

    Attributes
    ----------
    path, format, encoding : str
    packed, delimiter : str or None
        Compression; how a table's fields are parted.
    source, about : str
        Name of the known source, or ``generic``, and what it is.
    fields : dict of str to str
        Part to where it stands, as ``--map`` would say it; "" where nowhere.
    columns : list of str
        The source's own.
    samples : dict of str to list of str
        First values of each part.
    rows, unparsed : int
        Postings, and pieces that could not be parsed.
    without_title, without_description, truncated, duplicates, not_english : int
        Postings of which this is true. Language is judged by English function words where there
        are enough words; ``truncated`` as the flag of the answer has it.
    problems : list of str
        The first reasons why something could not be parsed.
    """

    path: str
    format: str
    encoding: str
    packed: str | None
    delimiter: str | None
    source: str
    about: str
    fields: dict[str, str]
    columns: list[str]
    samples: dict[str, list[str]] = field(default_factory=lambda: {part: [] for part in PARTS})
    rows: int = 0
    unparsed: int = 0
    without_title: int = 0
    without_description: int = 0
    truncated: int = 0
    duplicates: int = 0
    not_english: int = 0
    problems: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def add(self, batch: Batch, originals: list[str | None]) -> None:
        """Count a batch."""
        self.rows += len(batch)
        self.duplicates += sum(one is not None for one in originals)
        blank = pc.equal(pc.utf8_trim_whitespace(batch.title), "")
        self.without_title += _count(blank)
        bare = pc.equal(pc.utf8_trim_whitespace(batch.description), "")
        self.without_description += _count(bare)
        self.truncated += int(cut_off(batch.description).sum())
        starts = pc.utf8_slice_codeunits(
            pc.binary_join_element_wise(batch.title, batch.description, " "), 0, JUDGED
        )
        self.not_english += sum(map(foreign, starts.to_pylist()))
        for part, shown in self.samples.items():
            for text in getattr(batch, part).to_pylist() if len(shown) < SAMPLES else ():
                if len(shown) < SAMPLES and text.strip() and self.fields[part]:
                    shown.append(" ".join(text[: 4 * SHOWN].split())[:SHOWN])
        self.unparsed += len(batch.rejects)
        for one in batch.rejects[: SAMPLES - len(self.problems)]:
            self.problems.append(_problem(one))


def overviews(reading: Reading) -> list[Overview]:
    """Read all inputs through, without answering.

    Duplicates count across files: a posting whose role stands in an earlier file is one.
    """
    by_path = {file.path: _empty(file) for file in reading.files}
    seen = Duplicates(None)
    try:
        for batch in reading.batches():
            by_path[batch.file].add(batch, seen.of(batch))
    finally:
        seen.close()
    return list(by_path.values())


def _empty(file: File) -> Overview:
    source = file.fields.source if file.fields else ""
    about = next((one.about for one in known() if one.name == source), "")
    shown = file.fields.shown() if file.fields else dict.fromkeys(PARTS, "")
    delimiter = file.dialect.delimiter if file.dialect else None
    return Overview(
        path=file.path,
        format=file.format,
        encoding=file.encoding,
        packed=file.packed,
        delimiter=delimiter,
        source=source,
        about=about,
        fields=shown,
        columns=list(file.schema.names),
    )


def _count(mask: pa.Array) -> int:
    return int(pc.sum(mask).as_py() or 0)


def _problem(one: Reject) -> str:
    return f"line {one.line}: {one.reason}" if one.line else one.reason


def foreign(text: str) -> bool:
    """Whether a text of enough words has fewer function words than English has.

    >>> foreign("Wir suchen eine Leitung des Kundendienstes mit Erfahrung und Freude am Beruf " * 2)
    True
    """
    words = _words(text.lower())
    known_words = sum(word in FUNCTION_WORDS for word in words)
    return len(words) >= JUDGED_FROM and known_words < LEAST_FUNCTION * len(words)
