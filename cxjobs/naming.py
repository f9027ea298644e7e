"""Names of the answer's columns beside the source's own: prefixed where a name is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

PREFIX = "cxjobs_"
"""Put before a column of ours as often as the source takes its name."""


def own_names(names: Iterable[str], taken: Collection[str]) -> list[str]:
    """Our columns' names, with a prefix where the source takes a name.

    Examples
    --------
    >>> own_names(["label", "status"], ["title", "status"])
    ['label', 'cxjobs_status']
    """
    result = []
    for name in names:
        while name in taken:
            name = PREFIX + name
        result.append(name)
    return result


def own_name(name: str, columns: Collection[str]) -> str | None:
    """What a column of ours is called among these, if it is there: the most prefixed is ours.

    Examples
    --------
    >>> own_name("status", ["status", "cxjobs_status"]), own_name("role", ["title"])
    ('cxjobs_status', None)
    """
    while PREFIX + name in columns:
        name = PREFIX + name
    return name if name in columns else None
