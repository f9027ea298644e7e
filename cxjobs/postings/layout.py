"""The answer's columns beside the source's own: their names, order and types."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cxjobs.errors import FormatError
from cxjobs.naming import own_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxjobs.postings.batch import Batch


def united(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Columns of several files in order of first appearance; text where their types differ."""
    if len(schemas) == 1:
        return schemas[0]
    types: dict[str, pa.DataType] = {}
    for schema in schemas:
        for one in schema:
            known = types.setdefault(one.name, one.type)
            if known != one.type:
                types[one.name] = _common(known, one.type)
    return pa.schema(list(types.items()))


def _common(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    try:
        return (
            pa.unify_schemas(
                [pa.schema([("x", a)]), pa.schema([("x", b)])], promote_options="permissive"
            )
            .field("x")
            .type
        )
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()


class Layout:
    """Which columns come out, and in which form.

    Parameters
    ----------
    source : pyarrow.Schema
        All columns of all inputs.
    answer : pyarrow.Schema
        Ours, as the model gives them.
    columns : sequence of str, optional
        Names to keep, in this order; all by default.

    Raises
    ------
    FormatError
        Where a wanted column does not exist.
    """

    def __init__(
        self, source: pa.Schema, answer: pa.Schema, columns: Sequence[str] | None = None
    ) -> None:
        self._source = source
        self._own = own_names(answer.names, source.names)
        own = [one.with_name(name) for name, one in zip(self._own, answer, strict=True)]
        full = self._full = pa.schema([*source, *own], metadata=source.metadata)
        self._columns = list(columns) if columns else None
        if missing := [name for name in columns or () if name not in full.names]:
            raise FormatError(
                f"--columns: no column {missing[0]!r}. There are: {', '.join(full.names)}."
            )
        self.schema = full if not columns else pa.schema([full.field(name) for name in columns])
        """Columns of the output."""

    def table(self, batch: Batch, answer: pa.Table, rows: pa.Array | None = None) -> pa.Table:
        """Source's columns and ours as one table; only ``rows`` (their numbers) where given."""
        source = self._fitted(batch.table)
        table = pa.Table.from_arrays([*source.columns, *answer.columns], schema=self._full)
        if self._columns:
            table = table.select(self._columns).replace_schema_metadata(None)
        return table if rows is None else table.take(rows)

    def _fitted(self, table: pa.Table) -> pa.Table:
        if table.schema.equals(self._source):
            return table
        columns = []
        for one in self._source:
            index = table.schema.get_field_index(one.name)
            if index < 0:
                columns.append(pa.nulls(table.num_rows, one.type))
            else:
                columns.append(_cast(table.column(index), one.type))
        return pa.Table.from_arrays(columns, schema=self._source)

    def lines(self, batch: Batch, answer: pa.Table, rows: pa.Array | None = None) -> bytes:
        """The same as JSON lines; a JSON posting keeps its own text."""
        if batch.raw is None or self._columns:
            if batch.rows is not None and self._columns:
                return self._picked(batch, answer, rows)
            return json_lines(self.table(batch, answer, rows))
        raw: Sequence[str] = batch.raw
        if rows is not None:
            raw, answer = [raw[i] for i in rows.to_pylist()], answer.take(rows)
        added = json_members(answer.rename_columns(self._own))
        pieces = []
        for text, members in zip(raw, added, strict=True):
            body = text.rstrip()[:-1].rstrip()
            pieces.append(f"{body}{'' if body == '{' else ', '}{members}}}\n")
        return "".join(pieces).encode("utf-8", "replace")

    def _picked(self, batch: Batch, answer: pa.Table, rows: pa.Array | None) -> bytes:
        numbers = range(len(batch)) if rows is None else rows.to_pylist()
        own = answer.rename_columns(self._own).to_pylist()
        values = batch.rows or ()
        return "".join(
            json.dumps(
                {name: {**values[i], **own[i]}.get(name) for name in self._columns or ()},
                ensure_ascii=False,
            )
            + "\n"
            for i in numbers
        ).encode("utf-8", "replace")


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    if pa.types.is_nested(column.type):
        return pa.chunked_array([json_texts(column)])
    return column.cast(kind)


def json_texts(column: pa.ChunkedArray) -> pa.Array:
    """Any values as JSON text, null where they are null."""
    texts = [
        None if v is None else json.dumps(_plain(v), ensure_ascii=False, default=_other)
        for v in column.to_pylist()
    ]
    return pa.array(texts, pa.string())


def json_members(table: pa.Table) -> list[str]:
    """Rows of a table as the inside of JSON objects."""
    columns = []
    encode = json.encoder.encode_basestring
    for name, column in zip(table.column_names, table.columns, strict=True):
        key = encode(name) + ": "
        values = column.to_pylist()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            columns.append([key + ("null" if v is None else encode(v)) for v in values])
        else:
            columns.append(
                [key + json.dumps(_plain(v), ensure_ascii=False, default=_other) for v in values]
            )
    return [", ".join(cells) for cells in zip(*columns, strict=True)]


def json_lines(table: pa.Table) -> bytes:
    """Rows of a table as JSON lines."""
    return "".join(f"{{{members}}}\n" for members in json_members(table)).encode()


def _plain(value: Any) -> Any:
    """JSON has no NaN: it becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value


def _other(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
