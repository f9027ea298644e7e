"""Which fields hold title, description, id: known sources and generic names, from one table."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from cxjobs.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PARTS = ("title", "description", "id", "company", "location")
"""What a field map tells."""

Alternatives = tuple[str, ...]
"""Paths of which the first that is not empty counts."""


@dataclass(frozen=True)
class Fields:
    """Where a posting's parts stand in a row.

    Attributes
    ----------
    source : str
        Name of the source in ``sources.toml``, ``generic``, or ``given`` by the user.
    title, id, company, location : tuple of str
        Paths of which the first that is not empty counts; empty where there is none.
    description : tuple of tuple of str
        The same for each of the parts that are joined.
    """

    source: str
    title: Alternatives = ()
    description: tuple[Alternatives, ...] = ()
    id: Alternatives = ()
    company: Alternatives = ()
    location: Alternatives = ()

    def shown(self) -> dict[str, str]:
        """The map as it would be given on the command line."""
        parts = {part: "|".join(getattr(self, part)) for part in PARTS if part != "description"}
        parts["description"] = "+".join("|".join(one) for one in self.description)
        return {part: parts[part] for part in PARTS}


@dataclass(frozen=True)
class Source:
    """One entry of ``sources.toml``."""

    name: str
    about: str
    needs: tuple[frozenset[str], ...]
    fields: Fields


@cache
def known() -> tuple[Source, ...]:
    """The sources that are known by their columns.

    >>> [source.name for source in known()][:3]
    ['jobspy', 'usajobs', 'usajobs-flat']
    """
    return tuple(
        Source(
            name=entry["name"],
            about=entry["about"],
            needs=tuple(frozenset(need) for need in entry["needs"]),
            fields=_fields(entry["name"], entry),
        )
        for entry in _table()["source"]
    )


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("cxjobs.postings").joinpath("sources.toml").read_text("utf-8"))


def _fields(name: str, entry: Mapping[str, str | Sequence[str]]) -> Fields:
    paths = {
        part: tuple(str(entry[part]).split("|"))
        for part in PARTS
        if part != "description" and entry.get(part)
    }
    description = tuple(tuple(one.split("|")) for one in entry.get("description", ()))
    return Fields(name, description=description, **paths)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def fields_of(
    columns: Iterable[str], mapping: Mapping[str, str] | None = None, *, where: str
) -> Fields:
    """Field map for a file with these columns.

    Parameters
    ----------
    columns : iterable of str
        Top-level names.
    mapping : mapping, optional
        The user's own: part to field, ``a+b`` for several joined, ``a|b`` for alternatives.
    where : str
        The file, for messages.

    Returns
    -------
    Fields
        Paths that are not among the columns are left out.

    Raises
    ------
    FormatError
        Where no column holds the title, or the mapping names what is not there.

    Examples
    --------
    >>> fields_of(["Job Title", "company_description"], where="a.csv").title
    ('Job Title',)
    """
    names = list(columns)
    fields = _pruned(_detected(names), names)
    if mapping:
        fields = _with_mapping(fields, mapping, names, where)
    if not fields.title:
        alone = " If there is no header line, put one in: title." if len(names) == 1 else ""
        raise FormatError(
            f"{where}: no column holds the title. Columns: {_listed(names)}."
            f" Say which one with --map title=COLUMN, and --map description=COLUMN.{alone}"
        )
    return fields


def _detected(names: list[str]) -> Fields:
    present = set(names)
    for source in known():
        if any(need <= present for need in source.needs):
            return source.fields
    by_bare: dict[str, str] = {}
    for name in names:
        by_bare.setdefault(_bare(name), name)
    found = {
        part: tuple(by_bare[_bare(alias)] for alias in aliases if _bare(alias) in by_bare)
        for part, aliases in _table()["generic"].items()
    }
    otherwise, description = found.pop("title_else"), found.pop("description")
    found["title"] = found["title"] or otherwise
    return Fields("generic", description=(description,) if description else (), **found)


def _pruned(fields: Fields, names: list[str]) -> Fields:
    def there(paths: Alternatives) -> Alternatives:
        return tuple(path for path in paths if _present(path, names))

    parts: dict[str, Any] = {
        part: there(getattr(fields, part)) for part in PARTS if part != "description"
    }
    description = tuple(kept for one in fields.description if (kept := there(one)))
    return replace(fields, description=description, **parts)


def _present(path: str, names: Sequence[str]) -> bool:
    return path in names or path.split(".", 1)[0] in names


def _with_mapping(
    fields: Fields, mapping: Mapping[str, str], names: list[str], where: str
) -> Fields:
    for part, spec in mapping.items():
        if part not in PARTS:
            raise FormatError(f"--map {part}={spec}: {part!r} is not one of {', '.join(PARTS)}.")
        # A column may itself have a + or | in its name.
        joined = [[spec]] if spec in names else [one.split("|") for one in spec.split("+")]
        if missing := [p for one in joined for p in one if not _present(p, names)]:
            raise FormatError(
                f"{where}: --map {part}={spec}: no column {missing[0]!r}."
                f" Columns: {_listed(names)}."
            )
        if part != "description" and len(joined) > 1:
            raise FormatError(f"--map {part}={spec}: only the description joins columns with +.")
        value: Any = tuple(map(tuple, joined)) if part == "description" else tuple(joined[0])
        fields = replace(fields, source="given", **{part: value})
    return fields


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 40} more" if len(names) > 40 else ""
    return ", ".join(map(repr, names[:40])) + more or "none"
