"""Which expiries get a column of the heatmap: where there are too many, the near ones, the heavy ones, one for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from app.gex.snapshot import F64

_NEAR = 9


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """The heatmap's columns: a label each, its date in ISO form (for the rest the label), z of shape (strikes, columns)."""

    labels: tuple[str, ...]
    dates: tuple[str, ...]
    z: F64
    rest: int  # how many dates the last column adds up; 0 where each has its own


def columns(
    days: tuple[date, ...], open_interest: tuple[float, ...], grid: F64, today: date, limit: int
) -> Columns:
    """`limit` columns at most; grid has shape (dates, strikes). Open interest changes once a day, so nothing jumps."""
    kept = _kept(open_interest, limit)
    names = labels([days[i] for i in kept], today)
    dates = [days[i].isoformat() for i in kept]
    z = grid[kept].T if kept else np.empty((grid.shape[-1], 0))
    left = [i for i in range(len(days)) if i not in set(kept)]
    if left:
        rest = grid[left]
        some = np.isfinite(rest).any(axis=0)
        total = np.where(some, np.nansum(rest, axis=0), np.nan)
        z = np.column_stack([z, total])
        names.append(f"{len(left)} more")
        dates.append(names[-1])
    return Columns(tuple(names), tuple(dates), z, len(left))


def labels(days: Sequence[date], today: date) -> list[str]:
    """Dates as labels, a different one for each date: a chart of categories would draw two of one name in one place.

    0DTE today, `Jan 08` within the year, beyond it `Jan ’28`, and `Jan 21 ’28` where its month has another of these dates.
    """
    months = Counter(f"{day:%b ’%y}" for day in set(days))
    return [_label(day, today, alone=months[f"{day:%b ’%y}"] == 1) for day in days]


def _label(day: date, today: date, *, alone: bool) -> str:
    if day == today:
        return "0DTE"
    if (day - today).days < 320:
        return f"{day:%b %d}"
    return f"{day:%b ’%y}" if alone else f"{day:%b %d ’%y}"


def _kept(weight: tuple[float, ...], limit: int) -> list[int]:
    if len(weight) <= limit:
        return list(range(len(weight)))
    near = min(_NEAR, limit - 1)
    heavy = sorted(range(near, len(weight)), key=lambda i: -weight[i])
    return sorted([*range(near), *heavy[: limit - 1 - near]])
