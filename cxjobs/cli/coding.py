"""The terminal loop of ``cxjobs review code``: a posting, a key, the next posting."""

from __future__ import annotations

import shutil
import textwrap

import click

from cxjobs import sheet, taxonomy
from cxjobs.errors import DataError
from cxjobs.explain import printable
from cxjobs.taxonomy import CX, PRACTICES, ROLES

ROLE_KEYS = dict(zip("123456789abcd", ROLES, strict=True))
ELEMENT_KEYS = dict(zip("udmow", PRACTICES, strict=True))
GONE = ("", "\x04")
"""What is read where nobody types any more."""


class Loop:
    """Coding of one sheet.

    Parameters
    ----------
    file : str
        The sheet; saved after every answer.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.rows = sheet.read(file)
        if not self.rows:
            raise DataError(f"{file}: has no postings.")
        self.done: list[int] = []
        """Positions of rows coded or skipped since the start, the last one for undo."""
        self.notice = ""
        """Shown once, below the keys."""
        self.whole = False
        """Whether all of the description is shown."""
        self.ahead: list[str] = []
        """Keys typed ahead."""

    def run(self) -> None:
        """Ask until all rows are coded or the person ends it."""
        skipped: set[int] = set()
        while (at := self._next(skipped)) is not None:
            answer = self._ask(at)
            if answer == "quit":
                break
            if answer == "undo":
                self._undo(skipped)
                continue
            self.done.append(at)
            if answer == "skip":
                skipped.add(at)
        coded = sum(bool(row["role"]) for row in self.rows)
        left = len(self.rows) - coded
        click.echo(f"\n{self.file}: {coded} coded, {left} left.", err=True)

    def _next(self, skipped: set[int]) -> int | None:
        return next(
            (i for i, row in enumerate(self.rows) if not row["role"] and i not in skipped), None
        )

    def _undo(self, skipped: set[int]) -> None:
        if not self.done:
            self.notice = "Nothing to undo since the start."
            return
        at = self.done.pop()
        skipped.discard(at)
        self._save(at, dict.fromkeys(sheet.ASKED, ""))

    def _save(self, at: int, answers: dict[str, str]) -> None:
        self.rows[at] |= answers
        sheet.write(self.file, self.rows)

    def _ask(self, at: int) -> str:
        """Ask for one posting's role and elements; what the person wants instead, or ``coded``."""
        row = self.rows[at]
        menu = [f"[{key}] {taxonomy.load().name(role)}" for key, role in ROLE_KEYS.items()]
        keys = "[u] undo  [s] skip  [m] model's answer  [?] codebook  [q] quit"
        self.whole = False
        while True:
            self._show(at, menu, keys)
            key = self._key()
            if key in ROLE_KEYS:
                answers = self._elements(at, ROLE_KEYS[key])
                if answers is None:
                    continue
                self._save(at, answers)
                return "coded"
            if key in ("q", *GONE):
                return "quit"
            if key in ("u", "s"):
                return {"u": "undo", "s": "skip"}[key]
            if key == "m":
                said = f"{row['model_role']} {row['model_probability']}. {row['evidence']}"
                self.notice = (
                    f"model: {said}\npicked because {row['why']}"
                    if row["model_role"]
                    else "Drawn at random; the model's answer is not told."
                )
            else:
                self._common(key, taxonomy.load().roles)

    def _elements(self, at: int, role: str) -> dict[str, str] | None:
        """Ask for the practice elements; None where the person goes back."""
        answers = {"role": role, "confidence": "high", **dict.fromkeys(PRACTICES, "")}
        if not self.rows[at]["description"].strip():
            return answers
        chosen: set[str] = set()
        keys = "[Enter] save  [-] save without elements  [Backspace] another role  [?] codebook"
        name = taxonomy.load().name(role)
        while True:
            marks = [
                f"[{key}] {element}{' ✓' if element in chosen else ''}"
                for key, element in ELEMENT_KEYS.items()
            ]
            self._show(at, [*marks, f"[l] {answers['confidence']} confidence"], f"{name}: {keys}")
            key = self._key()
            if key in ELEMENT_KEYS:
                chosen ^= {ELEMENT_KEYS[key]}
            elif key == "l":
                low = answers["confidence"] == "high"
                answers["confidence"] = "low" if low else "high"
            elif key == "-":
                return answers
            elif key in ("\x7f", "\x08", "\x1b"):
                return None
            elif key in GONE:
                raise click.Abort
            elif key in ("\r", "\n"):
                central = len(chosen & {"understand", "design", "manage"})
                if role != CX or ("whole" in chosen and central > 1):
                    return answers | {e: str(int(e in chosen)) for e in PRACTICES}
                self.notice = "CX management needs whole, and two of understand, design, manage."
            else:
                self._common(key, taxonomy.load().practices)

    def _common(self, key: str, entries: tuple[taxonomy.Entry, ...]) -> None:
        """Keys that do the same everywhere."""
        if key == "?":
            self._codebook(entries)
        elif key == " ":
            self.whole = not self.whole
        else:
            self.notice = f"{key!r} is no key here."

    def _key(self) -> str:
        """One key; what is typed ahead comes in one piece, as does an arrow key."""
        if not self.ahead:
            typed = click.getchar()
            self.ahead = [typed] if typed.startswith("\x1b") else list(typed)
        return self.ahead.pop(0) if self.ahead else ""

    def _show(self, at: int, menu: list[str], keys: str) -> None:
        row = self.rows[at]
        width, height = shutil.get_terminal_size((100, 40))
        column = max(map(len, menu)) + 2
        across = max((width - 1) // column, 1)
        bottom = [
            "".join(f"{cell:<{column}}" for cell in menu[i : i + across]).rstrip()
            for i in range(0, len(menu), across)
        ]
        bottom.append(keys)
        bottom += [part for line in self.notice.split("\n") for part in _lines(line, width)]
        body = [
            part
            for line in (row["description"] or "(no description)").split("\n")
            for part in _lines(line, width)
        ]
        room = max(height - len(bottom) - 6, 3)
        if not self.whole and len(body) > room:
            more = len(body) - room + 1
            body = [*body[: room - 1], f"... {more} more lines: [space] shows them"]
        coded = sum(bool(one["role"]) for one in self.rows)
        title = " · ".join(filter(None, (printable(row["title"]), printable(row["company"]))))
        click.clear()
        click.echo(f"{at + 1} of {len(self.rows)}, {coded} coded")
        click.echo(click.style(title, bold=True) + "\n")
        click.echo("\n".join(body) + "\n")
        click.echo("\n".join(bottom))
        self.notice = ""

    def _codebook(self, entries: tuple[taxonomy.Entry, ...]) -> None:
        width = shutil.get_terminal_size((100, 40)).columns
        click.clear()
        for one in entries:
            click.echo(click.style(one.name, bold=True))
            for line in (
                one.definition,
                "Yes: " + "; ".join(one.include) if one.include else "",
                "No: " + "; ".join(one.exclude) if one.exclude else "",
            ):
                if line:
                    click.echo(textwrap.indent("\n".join(_lines(line, width - 3)), "   "))
        click.echo("\nAny key goes back.")
        self._key()


def _lines(text: str, width: int) -> list[str]:
    return textwrap.wrap(printable(text), max(min(width, 110) - 1, 20))
