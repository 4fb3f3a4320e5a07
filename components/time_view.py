"""The Time view: a recorded day's net GEX by strike and minute, with its levels; packed small, drawn by assets/time_view.js.

Minutes without a row aren't sent, and stay empty where they are drawn.
"""

from __future__ import annotations

import hashlib
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.attribution import Attribution
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.history.track import LINES, MINUTE_MS, Track, instant
from app.market.calendar import EXCHANGE_TZ, OPEN, close_time, exchange_day, to_ms
from components import figures
from components.encode import typed
from components.facts import known

I64 = NDArray[np.int64]

_HOUR_MS = 3_600_000
_FULL = 98.5  # percentile of the sizes that takes full colour
_LATE = 15  # minutes: index options trade so much longer than their shares

COLUMNS = (
    {"id": "minute", "name": "Time", "as": "clock", "left": True},
    {"id": "spot", "name": "Spot", "as": "price"},
    {"id": "flip", "name": "Flip", "as": "price"},
    {"id": "flip_low", "name": "Flip from", "as": "price"},
    {"id": "flip_high", "name": "Flip to", "as": "price"},
    {"id": "call_wall", "name": "Call wall", "as": "strike"},
    {"id": "put_wall", "name": "Put wall", "as": "strike"},
    {"id": "net_gex", "name": "Net GEX", "as": "dollars", "signed": True, "bar": True},
    {"id": "regime", "name": "Regime", "left": True},
)
NAMES = (
    ("spot", "Spot", "price"),
    ("flip", "Flip", "price"),
    ("call_wall", "Call wall", "strike"),
    ("put_wall", "Put wall", "strike"),
    ("net_gex", "Net GEX", "dollars"),
    ("gross_gex", "Gross GEX", "gross"),
)
PARTS = (
    ("spot", "Spot moved"),
    ("volatility", "Volatilities moved"),
    ("weight", "Open interest changed"),
    ("expired", "Contracts expired"),
    ("coverage", "Contracts newly or no longer priced"),
)


def frame(day: date, minute_ms: I64) -> dict[str, Any]:
    """The time axis: the session, and whole hours beyond it where there are rows; ms since the epoch (UTC).

    `shift` is what turns an instant into exchange time.
    """
    begin, end = instant(day, OPEN), instant(day, close_time(day)) + _LATE * MINUTE_MS
    if len(minute_ms):
        first, last = int(minute_ms[0]), int(minute_ms[-1])
        if last < begin or first >= end:
            begin, end = first // _HOUR_MS * _HOUR_MS, first // _HOUR_MS * _HOUR_MS + 2 * _HOUR_MS
        begin = min(begin, first // _HOUR_MS * _HOUR_MS) if first < begin else begin
        end = max(end, (last // _HOUR_MS + 1) * _HOUR_MS) if last >= end else end
    noon = datetime.combine(day, time(12), EXCHANGE_TZ).utcoffset()
    shift = 0 if noon is None else round(noon.total_seconds() * 1000)
    return {"day": day.isoformat(), "begin": begin, "end": end, "shift": shift}


def whole(track: Track, day: date, params: Params) -> dict[str, Any]:
    """An answer's `time` with every minute."""
    full = _full(track)
    scale, cell = figures.scale_for(_largest(track.net)), figures.scale_for(_largest(track.cells))
    return {
        **frame(day, track.minute_ms),
        "title": cell.title("Net GEX by strike over time", params.unit),
        "below": scale.title("Net GEX", params.unit),
        "sided": params.side != "long",  # else dealers have no side, so there is no regime
        "divisor": scale.divisor,
        "cell": cell.divisor,
        "full": full or 1.0,
        "strike": typed(track.strike),
        **columns(track),
    }


def shape(track: Track, day: date) -> str:
    """What a tab's picture must have in common with this one, so that new minutes can be added to it."""
    scales = [figures.scale_for(_largest(values)) for values in (track.net, track.cells)]
    strikes = hashlib.blake2b(track.strike.tobytes(), digest_size=9).hexdigest()
    return f"{frame(day, track.minute_ms)} {strikes} {scales} {_power(track)}"


def _largest(values: NDArray[Any]) -> float:
    """The largest size that is known, 0 where none is."""
    return float(np.nanmax(np.abs(values), initial=0.0))


def _power(track: Track) -> int:
    """The full colour's size to a power of two: where it grows out of it, all is coloured anew."""
    full = _full(track)
    return round(math.log2(full)) if full > 0 else 0


def _full(track: Track) -> float:
    sizes = np.abs(track.cells[np.isfinite(track.cells)])
    return float(np.percentile(sizes, _FULL)) if len(sizes) else 0.0


def columns(track: Track) -> dict[str, Any]:
    """Some minutes: what is sent of those that are new, too."""
    unit = _largest(track.cells) / 32_000 or 1.0
    cells = np.where(np.isfinite(track.cells), np.round(track.cells / unit), -32_768).astype("<i2")
    return {
        "minutes": (track.minute_ms // MINUTE_MS).tolist(),
        **{name: typed(track.lines[name]) for name in LINES},
        "net": typed(track.net),
        "unit": unit,
        "cells": {"dtype": "i2", "bdata": b64encode(cells.tobytes()).decode()},
    }


def summary(symbol: str, day: date, track: Track) -> str:
    """One sentence on what is drawn."""
    if not len(track.minute_ms):
        return f"{symbol}: nothing is recorded of {day:%b %d, %Y}."
    spot, net = track.lines["spot"], known(float(track.net[-1]))
    moved = ", ".join(f"{value:,.2f}" for value in (spot[0], spot[-1]))
    words = "unknown" if net is None else figures.words_of(net)
    return f"{symbol} on {day:%b %d, %Y}: {len(spot)} recorded minutes; first and last spot {moved}; last net GEX {words}."


def bar(at_ms: int, minutes: I64, days: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the slider needs: the recorded minutes of its day as runs, the last one before that day, the first after it."""
    day = exchange_day(at_ms)
    before = [row for row in days if row["day"] < day]
    after = [row for row in days if row["day"] > day]
    return {
        "at": at_ms,
        "day": day.isoformat(),
        "runs": _runs(minutes // MINUTE_MS),
        "before": to_ms(before[-1]["last"]) if before else None,
        "after": to_ms(after[0]["first"]) if after else None,
    }


def _runs(minutes: I64) -> list[list[int]]:
    """[first, how many] of each run of minutes without a gap."""
    if not len(minutes):
        return []
    parts = np.split(minutes, np.flatnonzero(np.diff(minutes) != 1) + 1)
    return [[int(part[0]), len(part)] for part in parts]


def calendar(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The recorded days with their closing levels, the newest first."""
    names = ("spot", "flip", "call_wall", "put_wall", "net_gex", "max_pain", "minutes")
    return [
        {"day": row["day"].isoformat(), "last": to_ms(row["last"]), **{name: row[name] for name in names}}
        for row in reversed(rows)
    ]


def change(then: Snapshot | None, now: Snapshot | None, parts: Attribution | None) -> dict[str, Any]:
    """Two recorded moments beside each other, and where the change of net GEX comes from; None is unknown."""
    sides = [None if one is None else {"at": one.as_of_ms} | _levels(one) for one in (then, now)]
    told = None
    if parts is not None:
        told = [{"name": name, "value": known(getattr(parts, id_))} for id_, name in PARTS]
    return {
        "names": [{"id": id_, "name": name, "as": how} for id_, name, how in NAMES],
        "then": sides[0],
        "now": sides[1],
        "parts": told,
    }


def _levels(snapshot: Snapshot) -> dict[str, float | None]:
    found = {id_: getattr(snapshot.levels, id_) for id_, _, _ in NAMES[1:]}
    return {"spot": known(snapshot.spot), **{id_: known(value) for id_, value in found.items()}}
