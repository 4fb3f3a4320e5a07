"""Recorded tables as JSON rows, CSV and Arrow."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from flask import request

from app.api.problems import ApiError
from app.api.rows import CSV, JSON, to_csv
from app.history.reader import StrikeGrid

ARROW = "application/vnd.apache.arrow.stream"


def form() -> str:
    """JSON, CSV or Arrow, by Accept. Raises ApiError (406) when it allows none of them."""
    best = request.accept_mimetypes.best_match([JSON, CSV, ARROW]) if request.accept_mimetypes else JSON
    if best is None:
        raise ApiError(406, f"This is {JSON}, {CSV} or {ARROW}.", cure="Ask for one of them in Accept.")
    return best


def arrow_of(table: pa.Table) -> bytes:
    """An Arrow IPC stream: what pyarrow.ipc.open_stream, polars and DuckDB read."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def csv_of(table: pa.Table) -> bytes:
    """A header and a line a row; times in UTC, lists separated by spaces, unknown empty."""
    return to_csv(
        table.schema.names, ({name: _cell(value) for name, value in row.items()} for row in json_rows(table))
    )


def json_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows without NaN; instants as 2026-11-20T18:42:00Z."""
    return [{name: _plain(value) for name, value in row.items()} for row in table.to_pylist()]


def strike_table(grid: StrikeGrid) -> pa.Table:
    """A row per minute and strike that was there."""
    held = ~(np.isnan(grid.call_gex) & np.isnan(grid.put_gex))
    rows, columns = np.nonzero(held)
    return pa.table(
        {
            "minute": pa.array(grid.minute_ms[rows], pa.timestamp("ms", "UTC")),
            "spot": pa.array(grid.spot[rows], from_pandas=True),
            "strike": grid.strike[columns],
            "call_gex": pa.array(grid.call_gex[rows, columns], from_pandas=True),
            "put_gex": pa.array(grid.put_gex[rows, columns], from_pandas=True),
        }
    )


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        exact = "milliseconds" if value.microsecond else "seconds"
        return value.isoformat(timespec=exact).replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def _cell(value: Any) -> Any:
    return " ".join(str(part) for part in value) if isinstance(value, list) else value
