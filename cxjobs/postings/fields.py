"""Takes title, description and the other parts out of a table or of JSON objects, as raw text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxjobs.postings.batch import valid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxjobs.postings.sources import Alternatives, Fields

JOINT = "\n\n"
"""Stands between the joined parts of a description."""


def texts_of_table(table: pa.Table, fields: Fields, first: int) -> dict[str, pa.Array]:
    """The arrays of a batch from a table; ``first`` is the number of its first row."""
    return _finished(
        {
            part: _first_of_columns(table, getattr(fields, part))
            for part in ("title", "id", "company", "location")
        },
        [_first_of_columns(table, one) for one in fields.description],
        table.num_rows,
        first,
    )


def texts_of_rows(
    rows: Sequence[Mapping[str, Any]], fields: Fields, first: int
) -> dict[str, pa.Array]:
    """The arrays of a batch from JSON objects; ``first`` is the number of the first."""

    def column(paths: Alternatives, *, single: bool) -> pa.Array:
        texts = [_first_of_row(row, paths, single=single) for row in rows]
        return pa.array(texts, pa.string())

    return _finished(
        {
            part: column(getattr(fields, part), single=True)
            for part in ("title", "id", "company", "location")
        },
        [column(one, single=False) for one in fields.description],
        len(rows),
        first,
    )


def _finished(
    parts: dict[str, pa.Array], description: list[pa.Array], rows: int, first: int
) -> dict[str, pa.Array]:
    empty = pa.repeat(pa.scalar(""), rows)
    texts = {part: empty if array is None else array for part, array in parts.items()}
    if len(description) > 1:
        joined = pc.binary_join_element_wise(*description, JOINT)
        texts["description"] = pc.utf8_trim_whitespace(joined)
    else:
        texts["description"] = description[0] if description else empty
    texts["numbered"] = blank(texts["id"])
    numbers = pa.array(np.arange(first, first + rows)).cast(pa.string())
    texts["id"] = pc.if_else(texts["numbered"], numbers, texts["id"])
    return texts


def blank(array: pa.Array) -> pa.Array:
    """Which texts are empty or white space only."""
    return pc.equal(pc.utf8_trim_whitespace(array), "")


def _first_of_columns(table: pa.Table, paths: Alternatives) -> pa.Array | None:
    chosen: pa.Array | None = None
    for path in paths:
        array = _column(table, path)
        if array is None:
            continue
        chosen = array if chosen is None else pc.if_else(blank(chosen), array, chosen)
    return pa.repeat(pa.scalar(""), table.num_rows) if chosen is None else chosen


def _column(table: pa.Table, path: str) -> pa.Array | None:
    names = table.column_names
    if path in names:
        return _strings(table.column(names.index(path)))
    head, _, rest = path.partition(".")
    if not rest or head not in names:
        return None
    column = table.column(names.index(head))
    values = [walk(value, rest) for value in column.to_pylist()]
    return pa.array([valid(flat(value)) for value in values], pa.string())


def _strings(column: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return pa.array([valid(flat(value)) for value in column.to_pylist()], pa.string())
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        texts = [(value or b"").decode("utf-8", "replace") for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    if column.type != pa.string():
        column = column.cast(pa.string())
    if column.null_count:
        column = pc.fill_null(column, "")
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _first_of_row(row: Mapping[str, Any], paths: Alternatives, *, single: bool) -> str:
    """Text of the first path that is not empty; of a list only the first if it is ``single``."""
    for path in paths:
        value = row.get(path)
        if value is None and "." in path:
            head, _, rest = path.partition(".")
            value = walk(row.get(head), rest)
        if single and isinstance(value, list):
            value = next((one for one in value if flat(one).strip()), None)
        if value is not None:
            text = valid(value if isinstance(value, str) else flat(value))
            if text and not text.isspace():
                return text
    return ""


def walk(value: Any, path: str) -> Any:
    """What stands at ``a.b`` inside an object; through a list, from each of its members.

    >>> walk({"address": [{"city": "Bonn"}, {"city": "Ulm"}]}, "address.city")
    ['Bonn', 'Ulm']
    """
    if isinstance(value, list):
        return [found for one in value if (found := walk(one, path)) is not None]
    if not isinstance(value, dict):
        return None
    if path in value or "." not in path:
        return value.get(path)
    head, _, rest = path.partition(".")
    return walk(value.get(head), rest)


def flat(value: Any) -> str:
    r"""All text inside a JSON value, a line each; "" for none. Names and types of JSON-LD stay out.

    >>> flat([{"text": "You have", "content": ["patience", 2]}])
    'You have\npatience\n2'
    """
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool) or value != value:
        return ""  # the last is NaN, which some write for what is missing
    if isinstance(value, dict):
        inner = [flat(one) for key, one in value.items() if not key.startswith("@")]
    elif isinstance(value, list | tuple):
        inner = [flat(one) for one in value]
    else:
        return str(value)
    return "\n".join(text for text in inner if text)
