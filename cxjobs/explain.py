"""Why an answer is what it is: the terms that add up to it, quoted from the text.

A role's score is an intercept plus what each term adds, so the distance between two roles is a sum
over terms, exact and complete. Each term is led back to the words of the cleaned text it came
from. Numbers and text only: drawing is `cxjobs.highlight`, colour belongs to the command line.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cxjobs.features import FUNCTION_WORDS, fold
from cxjobs.taxonomy import PRACTICES, ROLES, load
from cxjobs.text import TOKEN, clean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cxjobs.scorer import Contribution, Scorer

SHOWN = 8
"""Terms that the ``evidence`` column lists at most."""

LISTED = 12
"""Terms that a printed explanation lists at most."""

QUOTED = 4
"""Terms named for a practice element at most."""

CONTEXT = 28
"""Characters of text shown on either side of a quoted term."""

LONGEST = 60
"""Characters of a shown quote; a pair's two words can stand far apart."""

_find_tokens = re.compile(TOKEN).finditer
_words = re.compile(r"[^\W_]+(?:['’&/-][^\W_]+)*").findall


@dataclass(frozen=True)
class Term:
    """What one term adds, and where it stands.

    Attributes
    ----------
    block : str
        ``title`` or ``description``.
    term : str
        One or two words, as the features write them.
    quote : str
        The first place as the cleaned text has it, with any words dropped in between.
    spans : tuple of (int, int)
        Start and end of every place, in characters of the cleaned title or description.
    weight : float
        Added to the score by all the places together; below 0 it speaks against.
    """

    block: str
    term: str
    quote: str
    spans: tuple[tuple[int, int], ...]
    weight: float


@dataclass(frozen=True)
class Practice:
    """One practice element, and the words that speak for it most.

    Attributes
    ----------
    element : str
        Code, as in `cxjobs.taxonomy.PRACTICES`.
    probability : float
        That the job shows it, 0 to 1.
    present : bool
        Whether that is at least 0.5.
    terms : tuple of Term
        At most `QUOTED`, the strongest first; all speak for it, and their weights add to its
        log-odds.
    """

    element: str
    probability: float
    present: bool
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Explanation:
    """The terms that add up to one role's lead over another.

    Attributes
    ----------
    role, against : str
        Most and second most probable role.
    basis : str
        ``posting`` or ``title``.
    score : float
        Log of the ratio of the two roles' probabilities; the sum of `intercept` and the weights.
    intercept : float
        What the lead is before any word is read.
    terms : tuple of Term
        Every known term, the weightiest first.
    practice : tuple of Practice
        All five elements, in the order of `cxjobs.taxonomy.PRACTICES`.
    title, description : str
        The cleaned texts that `Term.spans` points into.
    """

    role: str
    against: str
    basis: str
    score: float
    intercept: float
    terms: tuple[Term, ...]
    practice: tuple[Practice, ...]
    title: str
    description: str

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values that ``json`` can write."""
        return asdict(self)

    def __str__(self) -> str:
        names = load()
        lines = [
            f"why {names.name(self.role)} and not {names.name(self.against)}: "
            f"{self.score:+.2f} log-odds, of which {self.intercept:+.2f} before any word is read",
        ]
        shown = self.terms[:LISTED]
        top = max((abs(t.weight) for t in shown), default=1.0)
        for t in shown:
            strength = ("+" if t.weight >= 0 else "-") * max(1, round(5 * abs(t.weight) / top))
            where = "title: " if t.block == "title" else ""
            often = f" ({len(t.spans)} times)" if len(t.spans) > 1 else ""
            lines.append(f"  {strength:<5} {t.weight:+.2f}  {where}{self._in_context(t)}{often}")
        rest = self.terms[LISTED:]
        if rest:
            lines.append(f"  {len(rest)} weaker terms: {sum(t.weight for t in rest):+.2f} together")
        if not self.terms:
            lines.append("  no word of the text is known to the model")
        if self.basis == "posting":
            lines.append("practice elements and the words that speak for them most")
        for p in self.practice if self.basis == "posting" else ():
            mark = "yes" if p.present else "no"
            quotes = "; ".join(map(named, p.terms)) if p.present else ""
            lines.append(f"  {mark:<3} {p.element:<10} {p.probability:>4.0%}  {quotes}".rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from cxjobs.highlight import to_html

        return to_html(self)

    def _in_context(self, term: Term) -> str:
        """First place of a term in square brackets, with a little text on either side."""
        text = getattr(self, term.block)
        start, end = term.spans[0]
        before, after = plain(text[:start][-2 * CONTEXT :]), plain(text[end:][: 2 * CONTEXT])
        space = (text[start - 1 : start].isspace(), text[end : end + 1].isspace())
        left = _cut(before[::-1], CONTEXT)[::-1] + " " * space[0]
        return f"{left}[{plain(term.quote)}]{' ' * space[1]}{_cut(after, CONTEXT)}".strip()


def explain(scorer: Scorer, title: str, description: str = "") -> Explanation:
    """Explain the most probable role of a posting against the second one.

    Parameters
    ----------
    scorer : Scorer
        Of a model folder.
    title, description : str
        As a source stores them.

    Returns
    -------
    Explanation
        Its terms and intercept sum to its score, which is the log of the ratio of the two
        probabilities that the scorer gives, within 1e-9.

    Examples
    --------
    >>> import cxjobs
    >>> why = cxjobs.load_model().explain("Call Center Agent")
    >>> total = why.intercept + sum(term.weight for term in why.terms)
    >>> why.role, round(why.score - total, 9)
    ('call_center', 0.0)
    """
    scored = scorer.score_one(title, description)
    order = sorted(range(len(ROLES)), key=lambda k: -scored.roles[k])
    first, second = order[:2]
    found = scorer.contributions(title, description)
    level = scorer.intercept(scored.posting_basis)
    texts = {"title": clean(title), "description": clean(description)}
    spans = {block: spans_of(text) for block, text in texts.items()}

    def term(one: Contribution, weight: float) -> Term:
        places = spans[one.block][one.term]
        start, end = places[0]
        quote = texts[one.block][start:end]
        return Term(one.block, one.term, quote, tuple(places), weight)

    terms = [term(one, one.scores[first] - one.scores[second]) for one in found]
    practice = []
    for k, element in enumerate(PRACTICES, start=len(ROLES)):
        strongest = sorted(found, key=lambda one: -one.scores[k])[:QUOTED]
        chance = scored.practice[k - len(ROLES)]
        speaking = tuple(term(one, one.scores[k]) for one in strongest if one.scores[k] > 0)
        practice.append(Practice(element, chance, chance >= 0.5, speaking))
    intercept = level[first] - level[second]
    return Explanation(
        role=ROLES[first],
        against=ROLES[second],
        basis="posting" if scored.posting_basis else "title",
        score=intercept + sum(t.weight for t in terms),
        intercept=intercept,
        terms=tuple(sorted(terms, key=lambda t: -abs(t.weight))),
        practice=tuple(practice),
        title=texts["title"],
        description=texts["description"],
    )


def evidence(scorer: Scorer, title: str, description: str, first: int, second: int) -> str:
    """Cell that names the terms which decided between two roles.

    A cell never begins with a sign, because a spreadsheet would take it for a formula.

    Parameters
    ----------
    scorer : Scorer
        Of a model folder.
    title, description : str
        As a source stores them.
    first, second : int
        Positions in `cxjobs.taxonomy.ROLES`; what speaks for the first one is ``+``.

    Returns
    -------
    str
        At most `SHOWN` terms, the weightiest first, as in
        ``journey +0.81; title: head of cx +0.60; calls -0.22``.
    """
    texts = {"title": clean(title), "description": clean(description)}
    margins = scorer.margins(texts["title"], texts["description"], first, second)
    shown = sorted(margins, key=lambda one: -abs(one[2]))[:SHOWN]
    shown = [one for one in shown if abs(one[2]) >= 0.005]
    places = {
        block: first_places(text, {term for where, term, _ in shown if where == block})
        for block, text in texts.items()
    }
    cells = []
    for block, term, weight in shown:
        start, end = places[block][term]
        quote = " ".join(_words(plain(texts[block][start:end])))
        cells.append(f"{'title: ' if block == 'title' else ''}{quote} {weight:+.2f}")
    return "; ".join(cells)


def tokens_of(text: str) -> Iterator[tuple[str, int, int]]:
    """Tokens of a cleaned text as `cxjobs.features.tokens` gives them, each with its place.

    Examples
    --------
    >>> list(tokens_of("Head of Customers"))
    [('head', 0, 4), ('customer', 8, 17)]
    """
    lower = text.lower()
    origin: range | list[int] = range(len(text))
    if len(lower) != len(text):  # some letters, such as İ, are longer in lower case
        origin = [i for i, letter in enumerate(text) for _ in letter.lower()]
    for match in _find_tokens(lower):
        if match[0] not in FUNCTION_WORDS:
            yield fold(match[0]), origin[match.start()], origin[match.end() - 1] + 1


def spans_of(text: str) -> dict[str, list[tuple[int, int]]]:
    """Every term of a cleaned text with its places; a pair's place spans what was dropped.

    Examples
    --------
    >>> spans_of("Voice of customers")["voice customer"]
    [(0, 18)]
    """
    places: dict[str, list[tuple[int, int]]] = {}
    tokens = list(tokens_of(text))
    for word, start, end in tokens:
        places.setdefault(word, []).append((start, end))
    for (a, start, _), (b, _, end) in pairwise(tokens):
        places.setdefault(f"{a} {b}", []).append((start, end))
    return places


def first_places(text: str, terms: Collection[str]) -> dict[str, tuple[int, int]]:
    """First place of each of these terms in a cleaned text: what `spans_of` has first.

    Examples
    --------
    >>> first_places("Voice of the customers, voice of all", ["voice customer", "voice"])
    {'voice': (0, 5), 'voice customer': (0, 22)}
    """
    missing, places = set(terms), {}
    before, begun = "", 0
    tokens = tokens_of(text)
    while missing:
        word, start, end = next(tokens)
        for term, at in ((word, start), (f"{before} {word}", begun)):
            if term in missing:
                missing.remove(term)
                places[term] = (at, end)
        before, begun = word, start
    return places


def printable(text: str) -> str:
    r"""One line that can't steer a terminal.

    Examples
    --------
    >>> printable("Head\n of\x1b CX")
    'Head of CX'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def named(term: Term) -> str:
    """A term's words on one line, marked where they stand in the title."""
    return ("title: " if term.block == "title" else "") + plain(term.quote)


def plain(text: str) -> str:
    """As `printable`; what is too long loses its middle."""
    line = printable(text)
    if len(line) > LONGEST:
        return f"{line[: LONGEST // 2 - 1]}…{line[-(LONGEST // 2) :]}"
    return line


def _cut(text: str, length: int) -> str:
    """Whole words from the start of a text, at most so many characters."""
    if len(text) <= length:
        return text
    kept, _, _ = text[: length + 1].rpartition(" ")
    return kept or text[:length]
