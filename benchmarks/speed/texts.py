"""Texts to time with: from files, or made up; repeated with variation to any number."""

from __future__ import annotations

import csv
import gzip
import json
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TAILS = ("", " - Remote", " (m/f/d)", " II", " | Berlin", ", EMEA", " – Full-Time", " #{i}")
"""What boards add to titles; `{i}` is the row."""


def read_postings(path: Path) -> list[tuple[str, str]]:
    """Title and description of each posting of a JSONL file, plain or gzipped."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        rows = map(json.loads, file)
        return [(row["title"] or "", row["description"] or "") for row in rows]


def read_titles(path: Path) -> list[str]:
    """The column ``title`` of a CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["title"] for row in csv.DictReader(file)]


def made_postings(labelled: Path, count: int = 2000, length: int = 2500) -> list[tuple[str, str]]:
    """Postings put together from sentences of the labelled table and made-up words.

    One word in eight is made up, so that a realistic share is unknown to the model.
    """
    draw = random.Random(1)
    with labelled.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sentences = [s for row in rows for s in row["description"].split(". ") if s]
    out = []
    for _ in range(count):
        title = draw.choice(rows)["title"]
        body: list[str] = []
        while sum(map(len, body)) < length:
            words = draw.choice(sentences).split(" ")
            words = [_made_up(draw) if draw.random() < 1 / 8 else w for w in words]
            body.append(" ".join(words))
        out.append((title, "•\u00a0" + ".\n".join(body)))
    return out


def _made_up(draw: random.Random) -> str:
    return "".join(draw.choice("bdfgklmnprst") + draw.choice("aeiou") for _ in range(3))


def repeated_titles(titles: list[str], count: int) -> list[str]:
    """So many titles, each repeat with another tail."""
    return [
        titles[i % len(titles)] + TAILS[(i // len(titles) + i) % len(TAILS)].format(i=i)
        for i in range(count)
    ]


def repeated_postings(postings: list[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    """So many postings, each repeat with its sentences in another order; no two are equal."""
    out = []
    for i in range(count):
        title, body = postings[i % len(postings)]
        parts = body.split(". ")
        turn = i // len(postings) % len(parts)
        out.append((title, ". ".join([*parts[turn:], *parts[:turn], f"Ref {i}"])))
    return out


def write_csv(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...]) -> None:
    """A CSV file of rows."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
