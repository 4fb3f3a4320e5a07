"""Tables of rows as CSV or as an Arrow stream, where Accept asks for one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, get_args

import pyarrow as pa
from flask import request
from pydantic import BaseModel
from werkzeug.datastructures import MIMEAccept

from app.api.problems import ApiError
from app.api.respond import JSON, Body
from app.api.rows import CSV, to_csv

ARROW = "application/vnd.apache.arrow.stream"
_TYPES: dict[Any, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    datetime: pa.timestamp("ms", "UTC"),
}


def chosen_format() -> str:
    """JSON, CSV or Arrow, by Accept. Raises ApiError (406) when it allows none of them."""
    accepted = request.accept_mimetypes
    best = _plain(accepted).best_match([JSON, CSV, ARROW]) if accepted else JSON
    if best is None:
        raise ApiError(406, f"This is {JSON}, {CSV} or {ARROW}.", cure="Ask for one of them in Accept.")
    return best


def _plain(accepted: MIMEAccept) -> MIMEAccept:
    """Without parameters such as `charset=utf-8`, which each of these formats has or can do without."""
    return MIMEAccept((kind.partition(";")[0].strip(), quality) for kind, quality in accepted)


def table_of(
    kind: str, model: type[BaseModel], rows: Iterable[Mapping[str, Any]], names: Iterable[str] = ()
) -> Body:
    """Rows of a model as CSV or Arrow; unknown is empty or null.

    Args:
        names: the columns, where they aren't the model's own; one that the model doesn't have is a number.
    """
    columns = list(names) or list(model.model_fields)
    if kind == CSV:
        return Body(to_csv(columns, rows), CSV)
    kept = list(rows)
    arrays = [_column([row[name] for row in kept], _type(model, name)) for name in columns]
    return Body(arrow_of(pa.table(arrays, names=columns)), ARROW)


def arrow_of(table: pa.Table) -> bytes:
    """An Arrow IPC stream: what pyarrow.ipc.open_stream, polars and DuckDB read."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _type(model: type[BaseModel], name: str) -> pa.DataType:
    """The Arrow type of a field; nullable fields as what they are when they are known."""
    field = model.model_fields.get(name)
    annotation = float if field is None else field.annotation
    known = [part for part in get_args(annotation) if part is not type(None)]
    return _TYPES.get(annotation) or _TYPES.get(known[0] if known else None) or pa.string()


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    known = next((value for value in values if value is not None), None)
    if isinstance(known, str) and kind != pa.string():  # dates and instants as JSON has them
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, kind)
