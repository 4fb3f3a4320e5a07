"""Which expiries get a column of the heatmap: where there are too many, the near ones, the heavy ones, one for the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from app.gex.snapshot import F64

_NEAR = 9


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """The heatmap's columns: a label each, and z with shape (strikes, columns)."""

    labels: tuple[str, ...]
    z: F64
    rest: int  # how many dates the last column adds up; 0 where each has its own


def columns(
    days: tuple[date, ...], open_interest: tuple[float, ...], grid: F64, today: date, limit: int
) -> Columns:
    """`limit` columns at most; grid has shape (dates, strikes). Open interest changes once a day, so nothing jumps."""
    kept = _kept(open_interest, limit)
    labels = [label(days[i], today) for i in kept]
    z = grid[kept].T if kept else np.empty((grid.shape[-1], 0))
    left = [i for i in range(len(days)) if i not in set(kept)]
    if left:
        rest = grid[left]
        some = np.isfinite(rest).any(axis=0)
        total = np.where(some, np.nansum(rest, axis=0), np.nan)
        z = np.column_stack([z, total])
        labels.append(f"{len(left)} more")
    return Columns(tuple(labels), z, len(left))


def label(day: date, today: date) -> str:
    """A date as a column's label: 0DTE today, else `Jan 08`, with the year where it isn't the coming twelve months."""
    if day == today:
        return "0DTE"
    return f"{day:%b %d}" if (day - today).days < 320 else f"{day:%b ’%y}"


def _kept(weight: tuple[float, ...], limit: int) -> list[int]:
    if len(weight) <= limit:
        return list(range(len(weight)))
    near = min(_NEAR, limit - 1)
    heavy = sorted(range(near, len(weight)), key=lambda i: -weight[i])
    return sorted([*range(near), *heavy[: limit - 1 - near]])
