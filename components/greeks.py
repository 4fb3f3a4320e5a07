"""Delta, vanna and charm exposure by strike (ladders on the price axis) and by expiry (a table)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.greeks import Exposures, exposures
from app.gex.snapshot import F64, Snapshot
from app.gex.surface import Surface
from app.market.calendar import exchange_day
from components import figures


@dataclass(frozen=True, slots=True)
class Kind:
    """One exposure as it is headed: its id, its name, and what its dollars are per."""

    id: str
    name: str
    per: str


_DEX, _VEX = Kind("dex", "DEX", ""), Kind("vex", "VEX", "per vol point")
_HOUR, _DAY = Kind("chex_hour", "CHEX 0DTE", "per hour"), Kind("chex_day", "CHEX", "per day")


@dataclass(frozen=True, eq=False, slots=True)
class GreekTable:
    """Exposures of `kinds` in $: by strike, aligned with the snapshot's strikes; by date; and their totals.

    Charm is kept apart for what expires today, where it counts by the hour: hours and days can't be added up. NaN or None
    where contracts are held and none could be used.
    """

    kinds: tuple[Kind, ...]
    strikes: dict[str, F64]
    dates: tuple[dict[str, Any], ...]
    totals: dict[str, float | None]


def greek_table(surface: Surface, snapshot: Snapshot) -> GreekTable:
    """All exposures of a fitted chain under the snapshot's convention."""
    found, today = exposures(surface, snapshot.params), exchange_day(snapshot.as_of_ms)
    kinds = _kinds(snapshot.heatmap_expiries, today)
    cells, unknown = _cells(found), _unknown(snapshot, today)
    columns = np.searchsorted(found.strike, snapshot.strikes.strike)
    by_strike = {
        kind.id: np.where(unknown[kind.id], np.nan, cells[kind.id].sum(axis=0)[columns]) for kind in kinds
    }
    totals = {
        kind.id: None if unknown[kind.id].all() else _known(float(cells[kind.id].sum())) for kind in kinds
    }
    return GreekTable(kinds, by_strike, _dates(found, cells, snapshot, today), totals)


def _unknown(snapshot: Snapshot, today: date) -> dict[str, NDArray[np.bool_]]:
    """At which strikes nothing that a kind adds up is known, shape (k,): 0 would be a made-up number there."""
    ending = np.array([day == today for day in snapshot.heatmap_expiries], bool)
    blank = np.isnan(snapshot.heatmap)
    net = np.isnan(snapshot.strikes.net_gex)
    hour, day = blank[ending].all(axis=0), blank[~ending].all(axis=0)
    return {"dex": net, "vex": net, "chex_hour": hour, "chex_day": day}


def _kinds(days: tuple[date, ...], today: date) -> tuple[Kind, ...]:
    """The kinds that these expiries have: none by the hour where nothing expires today, none by the day where all does."""
    hour = (_HOUR,) if today in days else ()
    day = (_DAY,) if any(each != today for each in days) or not hour else ()
    return (_DEX, _VEX, *hour, *day)


def _cells(found: Exposures) -> dict[str, F64]:
    """By date and strike, shape (dates, k), charm split by how it is counted."""
    return {
        "dex": found.dex.by_cell,
        "vex": found.vex.by_cell,
        "chex_hour": found.chex_hour.by_cell,
        "chex_day": found.chex_day.by_cell,
    }


def _dates(
    found: Exposures, cells: dict[str, F64], snapshot: Snapshot, today: date
) -> tuple[dict[str, Any], ...]:
    """A row for each date; `chex_hour` only for today's, `chex_day` only for the others."""
    used = {row.expiry for row in snapshot.expiries if row.used}
    rows = []
    for day in snapshot.heatmap_expiries:
        at = found.expiries.index(day)
        names = ("dex", "vex", "chex_hour" if day == today else "chex_day")
        values = {name: _known(float(cells[name][at].sum())) if day in used else None for name in names}
        rows.append({"expiry": day.isoformat(), "today": day == today, **values})
    return tuple(rows)


def panels(table: GreekTable, strike: F64, rows: NDArray[np.bool_]) -> dict[str, list[Any]]:
    """The ladders side by side, each in a scale of its own: `{panels, traces}`; `rows` says which strikes are drawn."""
    drawn: dict[str, list[Any]] = {"panels": [], "traces": []}
    for number, kind in enumerate(table.kinds, 1):
        value = table.strikes[kind.id][rows]
        scale = figures.scale_for(float(np.nanmax(np.abs(value), initial=0.0)))
        axis = "x" if number == 1 else f"x{number}"
        title = " ".join(filter(None, (f"{kind.name}, $", scale.word, kind.per)))
        total = table.totals[kind.id]
        drawn["panels"].append(
            {"id": kind.id, "title": title, "axis": axis, "weight": 25, "total": total, "word": kind.name}
        )
        drawn["traces"] += figures.bars(kind.id, kind.name, axis, strike[rows], value / scale.divisor)
    return drawn


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
