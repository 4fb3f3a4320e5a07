"""Reads a recorded day as one track."""

from __future__ import annotations

from datetime import date, time

import numpy as np
import pyarrow as pa

from app.gex.params import Params
from app.history.reader import History
from app.history.track import DAY_MS, F64, I64, LINES, Track, band, instant, nearest, turned
from app.market.calendar import exchange_day


def track_of(
    history: History, symbol: str, day: date, params: Params, prices: tuple[float, float] | None = None
) -> Track:
    """A trading day's recorded minutes; no rows where nothing is recorded.

    Args:
        params: a convention that is recorded (app.history.moment.require_recorded).
        prices: the strikes to keep, $; by default where spot and the levels near it went. At most 240 are kept.

    Raises HistoryError.
    """
    start = instant(day, time(12)) - DAY_MS // 2
    grid = history.strikes(symbol, start, start + DAY_MS, bucket=params.bucket)
    grid = grid.take(np.array([exchange_day(int(at)) == day for at in grid.minute_ms], bool))
    lines = {name: getattr(grid, name) for name in LINES}
    if params.walls == "net":
        lines |= _net_walls(history, symbol, start, grid.minute_ms, params)
    low, high = prices or band(lines)
    inside = np.flatnonzero((grid.strike >= low) & (grid.strike <= high))
    some = grid.take(slice(None), inside[nearest(grid.strike[inside], (low + high) / 2)])
    track = Track(some.minute_ms, lines, some.net_gex, some.strike, some.net)
    return turned(track, some.call_gex, some.gross_gex, params)


def _net_walls(
    history: History, symbol: str, start_ms: int, minute_ms: I64, params: Params
) -> dict[str, F64]:
    """Walls by net exposure at these minutes; unknown counting both sides long, for then they stand elsewhere."""
    fields = ("call_wall_net", "put_wall_net")
    names = ("put_wall", "call_wall") if params.side == "inverted" else ("call_wall", "put_wall")
    found = {name: np.full(len(minute_ms), np.nan) for name in names}
    if params.side == "long":
        return found
    table = history.levels(symbol, start_ms, start_ms + DAY_MS, bucket=params.bucket, fields=fields)
    minutes = table["minute"].cast(pa.int64()).to_numpy()
    _, here, there = np.intersect1d(minute_ms, minutes, return_indices=True)
    for name, column in zip(names, fields, strict=True):
        found[name][here] = table[column].to_numpy().astype(np.float64)[there]
    return found
