"""Recorded tables as JSON rows and CSV."""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from app.api.rows import to_csv
from app.history.reader import StrikeGrid


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
