"""The roles and practice elements, read from ``taxonomy.toml`` into frozen dataclasses.

Definitions change by editorial decision, code by engineering: that is why they are data.
The order of roles and elements here is the order of columns in every array of the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

CX = "cx_management"
"""The role, and the label, of true customer experience management."""

CONFLATED = "conflated"
"""The label of every other role."""

REVIEW = "review"
"""The answer where a person should look."""

ROLES = (
    "cx_management",
    "call_center",
    "retail_service",
    "account_management",
    "market_research",
    "satisfaction_research",
    "digital_marketing",
    "marketing",
    "sales",
    "usability",
    "product_management",
    "technical_support",
    "other",
)
"""Codes of the 13 roles; a test holds them against ``taxonomy.toml``."""

PRACTICES = ("understand", "design", "manage", "outcome", "whole")
"""Codes of the 5 practice elements; a test holds them against ``taxonomy.toml``."""


@dataclass(frozen=True)
class Entry:
    """One role or practice element.

    Attributes
    ----------
    code : str
        As it stands in data and answers.
    name : str
        As a reader sees it.
    definition : str
        One or two sentences after the codebook.
    include, exclude : tuple of str
        Examples that belong here, and near ones that don't.
    """

    code: str
    name: str
    definition: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class Taxonomy:
    """All roles and practice elements of one version.

    Attributes
    ----------
    version : str
        Raised whenever a definition changes.
    roles : tuple of Entry
        The 13 roles, in the order of ``ROLES``.
    practices : tuple of Entry
        The 5 practice elements, in the order of ``PRACTICES``.
    """

    version: str
    roles: tuple[Entry, ...]
    practices: tuple[Entry, ...]

    def name(self, code: str) -> str:
        """Name of a role or element as a reader sees it.

        Examples
        --------
        >>> load().name("call_center")
        'Call center'
        """
        return next(e.name for e in self.roles + self.practices if e.code == code)


def label_of(role: str) -> str:
    """Label that follows from a role.

    Examples
    --------
    >>> label_of("cx_management"), label_of("sales")
    ('cx_management', 'conflated')
    """
    return CX if role == CX else CONFLATED


def name_of(code: str) -> str:
    """Name of a role or practice element, without reading the file; a test compares.

    Examples
    --------
    >>> name_of("cx_management"), name_of("call_center")
    ('CX management', 'Call center')
    """
    return "CX management" if code == CX else code.replace("_", " ").capitalize()


@cache
def load() -> Taxonomy:
    """Read the packaged taxonomy.

    Examples
    --------
    >>> len(load().roles) == len(ROLES), len(load().practices) == len(PRACTICES)
    (True, True)
    """
    import tomllib
    from pathlib import Path

    raw = tomllib.loads(Path(__file__).with_name("taxonomy.toml").read_text(encoding="utf-8"))

    def entries(kind: str) -> tuple[Entry, ...]:
        return tuple(
            Entry(
                e["code"],
                e["name"],
                e["definition"],
                tuple(e.get("include", ())),
                tuple(e.get("exclude", ())),
            )
            for e in raw[kind]
        )

    return Taxonomy(raw["version"], entries("role"), entries("practice"))
