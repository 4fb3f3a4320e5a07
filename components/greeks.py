"""Delta, vanna and charm exposure by strike (ladders on the price axis) and by expiry (bars and a table)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np

from app.gex.snapshot import F64, GreekTotals, Snapshot
from app.market.calendar import exchange_day
from components import figures
from components import panels as price_axis
from components.columns import labels
from components.encode import coarse, typed
from components.facts import Crop, Facts, Parts, known
from components.plain import Panel, Trace, plain
from components.state import PageState


@dataclass(frozen=True, slots=True)
class Kind:
    """One exposure as it is headed: its id, its name, and what its dollars are per."""

    id: str
    name: str
    per: str


DEX, VEX = Kind("dex", "DEX", ""), Kind("vex", "VEX", "per vol point")
# hours and days can't be added up, so charm of what expires today is a kind of its own
HOUR, DAY = Kind("chex_hour", "CHEX 0DTE", "per hour"), Kind("chex_day", "CHEX", "per day")


def view(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """Ladders by strike, or bars and a table by expiry."""
    snapshot = facts.snapshot
    found = kinds(snapshot)
    if state.by == "expiry":
        rows = by_date(snapshot)
        return {
            "columns": "greeks_by_expiry",
            "rows": rows,
            "plain": plain("greeks_by_expiry", *_bars(found, rows, snapshot)),
            "summary": totals_in_words(snapshot),
        }
    return price_axis.begun(snapshot, crop) | {"columns": "greeks"} | _ladders(found, snapshot, crop)


def kinds(snapshot: Snapshot) -> tuple[Kind, ...]:
    """The kinds that these expiries have: none by the hour where nothing expires today, none by the day where all does."""
    days, today = _dates(snapshot), exchange_day(snapshot.as_of_ms)
    hour = (HOUR,) if today in days else ()
    day = (DAY,) if any(each != today for each in days) or not hour else ()
    return (DEX, VEX, *hour, *day)


def by_date(snapshot: Snapshot) -> list[dict[str, Any]]:
    """A row for each date, $; `chex_hour` only for today's, `chex_day` only for the others. None where unknown."""
    today = exchange_day(snapshot.as_of_ms)
    rows = []
    for day in _dates(snapshot):
        series = [row.greeks for row in snapshot.expiries if row.expiry == day]
        charm = "chex_hour" if day == today else "chex_day"
        sums = {name: _sum(series, name) for name in ("dex", "vex", charm)}
        rows.append({"expiry": day.isoformat(), "today": day == today, **sums})
    return rows


def _dates(snapshot: Snapshot) -> list[date]:
    return sorted({row.expiry for row in snapshot.expiries})


def _sum(series: list[GreekTotals], name: str) -> float | None:
    told = [value for one in series if (value := known(getattr(one, name))) is not None]
    return sum(told) if told else None


def _ladders(found: tuple[Kind, ...], snapshot: Snapshot, crop: Crop) -> Parts:
    """The ladders side by side, each in a scale of its own."""
    table = snapshot.strikes
    rows = price_axis.within(table.strike, crop)
    drawn: Parts = {"panels": [], "traces": [], "strikes": price_axis.strike_arrays(snapshot, rows)}
    for number, kind in enumerate(found, 1):
        value: F64 = getattr(table, kind.id)[rows]
        scale = figures.scale_for(_largest(value))
        axis = "x" if number == 1 else f"x{number}"
        made = price_axis.panel(kind.id, _title(kind, scale), axis, 25)
        drawn["panels"].append(made | {"total": getattr(snapshot.levels.greeks, kind.id), "word": kind.name})
        drawn["traces"] += figures.bars(kind.id, kind.name, axis, table.strike[rows], value / scale.divisor)
        drawn["strikes"][kind.id] = typed(value)
    return drawn


def _largest(value: F64) -> float:
    return float(np.nanmax(np.abs(value), initial=0.0))


def _title(kind: Kind, scale: figures.Scale) -> str:
    return " ".join(filter(None, (f"{kind.name}, $", scale.word, kind.per)))


def _bars(
    found: tuple[Kind, ...], rows: list[dict[str, Any]], snapshot: Snapshot
) -> tuple[tuple[int, int], list[Panel]]:
    """A panel for each kind that has more than one date: charm of today is one number, so it stands in the table alone."""
    shown = [kind for kind in found if kind is not HOUR or len(found) == 3]
    today = exchange_day(snapshot.as_of_ms)
    panels = []
    for number, kind in enumerate(shown, 1):
        told = [row for row in rows if kind.id in row]
        value = np.array([np.nan if row[kind.id] is None else row[kind.id] for row in told], float)
        scale = figures.scale_for(_largest(value))
        names = labels([date.fromisoformat(row["expiry"]) for row in told], today)
        panels.append(
            Panel(
                kind.id,
                f"{_title(kind, scale)}, by expiry",
                (0, number - 1, 1, 1),
                number,
                signed_bars(names, value / scale.divisor, f"$ {scale.word} {kind.per}".strip()),
                x={"type": "category", "categoryorder": "array", "categoryarray": names},
                y={"zeroline": True, "tickformat": ",~r"},
            )
        )
    return (1, len(panels)), panels


def signed_bars(names: list[str], value: F64, unit: str) -> list[Trace]:
    """Upright bars, a trace for each sign, so that colour goes with direction."""
    return [
        {
            "type": "bar",
            "x": [name for name, some in zip(names, at, strict=True) if some],
            "y": coarse(value[at]),
            "marker": {"color": f"${sign}"},
            "hovertemplate": f"<b>%{{x}}</b><br>%{{y:+.4~g}} {unit}<extra></extra>",
        }
        for sign, at in (("positive", value > 0), ("negative", value < 0))
    ]


def totals_in_words(snapshot: Snapshot) -> str:
    """What all strikes and dates add up to, in a sentence."""
    said = []
    for kind in kinds(snapshot):
        total = known(getattr(snapshot.levels.greeks, kind.id))
        words = "unknown" if total is None else figures.words_of(total)
        said.append(" ".join(filter(None, (kind.name, words, kind.per))))
    return f"{snapshot.symbol}: {', '.join(said)}."
