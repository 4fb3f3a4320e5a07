"""Strike by expiry: one measure of every listed strike on every date, as a heatmap on the price axis."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from app.gex.greeks import exposures
from app.gex.params import Unit
from app.gex.snapshot import F64
from app.market.calendar import exchange_day
from components import figures, panels
from components.columns import Columns, columns
from components.facts import Crop, Facts, Parts
from components.state import PageState

Bools = NDArray[np.bool_]

_OVERVIEW_COLUMNS, _SURFACE_COLUMNS = 16, 80
_TODAY = 10  # the share of the width that charm of today takes beside the other dates' 90


@dataclass(frozen=True, slots=True)
class Meaning:
    """How a measure is headed and what its colours say.

    Attributes:
        per: what its dollars are per; empty for contracts and for delta.
        positive, negative: what a positive and a negative cell means; contracts have no sign.
    """

    name: str
    per: str
    positive: str
    negative: str = ""


MEANINGS = {
    "gex": Meaning(
        "GEX",
        "",
        "Dealers hedge against the move here: they sell rises and buy falls.",
        "Dealers hedge with the move here: they buy rises and sell falls.",
    ),
    "dex": Meaning(
        "DEX",
        "",
        "These options move like so many dollars held; the dealers' hedge is sold.",
        "These options move like so many dollars sold short; the dealers' hedge is bought.",
    ),
    "vex": Meaning(
        "VEX",
        "per vol point",
        "Rising volatility adds delta, so dealers sell; falling volatility makes them buy.",
        "Rising volatility takes delta away, so dealers buy; falling volatility makes them sell.",
    ),
    "chex": Meaning(
        "CHEX",
        "per day",
        "Passing time adds delta, so dealers sell.",
        "Passing time takes delta away, so dealers buy.",
    ),
    "oi": Meaning("Open interest", "", "Contracts held at last night's count, calls and puts."),
    "volume": Meaning("Volume", "", "Contracts traded today, calls and puts."),
}
_CHARM = MEANINGS["chex"]
CHARM_TODAY = Meaning("CHEX 0DTE", "per hour", _CHARM.positive, _CHARM.negative)


def surface(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """Every expiry, in the chosen measure; charm of what expires today is by the hour and stands in a panel of its own."""
    parts = panels.begun(facts.snapshot, crop) | {"columns": "grid"}
    sheet = _Sheet.of(parts, facts, crop)
    cells, days = cells_of(facts, state.measure), facts.snapshot.heatmap_expiries
    today = exchange_day(facts.snapshot.as_of_ms)
    if state.measure != "chex" or today not in days:
        sheet.add(cells, np.ones(len(days), bool), MEANINGS[state.measure], "x", 100)
        return parts
    ending = np.array([day == today for day in days], bool)
    sheet.add(cells, ending, CHARM_TODAY, "x", _TODAY)
    if not ending.all():
        sheet.add(cells, ~ending, MEANINGS["chex"], "x2", 100 - _TODAY)
    return parts


def add_overview(parts: Parts, facts: Facts, crop: Crop) -> None:
    """Net GEX of the expiries that matter most, and of the rest as one column."""
    sheet = _Sheet.of(parts, facts, crop)
    grid = sheet.columns(facts.snapshot.heatmap, _OVERVIEW_COLUMNS)
    scale, full = panels.scale_of(facts.snapshot), figures.color_limit(grid.z)
    words = f"Strike x expiry, full colour at ±{full / scale.divisor:g} {scale.word}".rstrip()
    sheet.draw(grid, words, Place("x3", 32), scale, full, MEANINGS["gex"])


def cells_of(facts: Facts, measure: str) -> F64:
    """One measure by date and strike, shape (dates, strikes) as the snapshot's heatmap; NaN where unknown or not listed.

    Exposures are in $, open interest and volume in contracts, calls and puts added.
    """
    snapshot = facts.snapshot
    if measure == "gex":
        return snapshot.heatmap
    if measure in ("oi", "volume"):
        return _contracts(facts, measure)
    found = exposures(facts.surface, snapshot.params)
    # of a date, charm counts either by the hour or by the day: the other part is 0 there
    cells = (
        found.chex_day.by_cell + found.chex_hour.by_cell
        if measure == "chex"
        else getattr(found, measure).by_cell
    )
    at = np.array([found.expiries.index(day) for day in snapshot.heatmap_expiries], np.int64)
    part = cells[np.ix_(at, np.searchsorted(found.strike, snapshot.strikes.strike))]
    return np.where(np.isnan(snapshot.heatmap), np.nan, part)


def _contracts(facts: Facts, measure: str) -> F64:
    layout, snapshot = facts.surface.layout, facts.snapshot
    sides = facts.surface.open_interest if measure == "oi" else facts.surface.volume
    told = (np.isfinite(sides[0]) | np.isfinite(sides[1])) & facts.surface.node_alive
    cell, count = layout.node_cell[told], np.nansum(sides, axis=0)[told]
    shape = (len(layout.dates), len(layout.strikes))
    size = shape[0] * shape[1]
    some = np.bincount(cell, minlength=size) > 0
    cells = np.where(some, np.bincount(cell, count, size), np.nan).reshape(shape)
    at = np.array([layout.dates.index(day) for day in snapshot.heatmap_expiries], np.int64)
    return cells[np.ix_(at, np.searchsorted(layout.strikes, snapshot.strikes.strike))]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a heatmap stands: its horizontal axis, and its share of the width."""

    axis: str
    weight: int


@dataclass(frozen=True, eq=False, slots=True)
class _Sheet:
    """What heatmaps of one answer have in common: the strikes in sight, shape (k,), and how much each date holds."""

    parts: Parts
    facts: Facts
    rows: Bools
    held: Counter[date]

    @classmethod
    def of(cls, parts: Parts, facts: Facts, crop: Crop) -> _Sheet:
        held = Counter[date]()
        for row in facts.snapshot.expiries:
            held[row.expiry] += int(row.open_interest or 0)
        return cls(parts, facts, panels.within(facts.snapshot.strikes.strike, crop), held)

    def columns(self, cells: F64, limit: int, dates: Bools | None = None) -> Columns:
        """The columns that are drawn; `dates` says which of the snapshot's dates are wanted."""
        snapshot = self.facts.snapshot
        wanted = np.ones(len(cells), bool) if dates is None else dates
        days = tuple(day for day, some in zip(snapshot.heatmap_expiries, wanted, strict=True) if some)
        held = tuple(self.held[day] for day in days)
        return columns(days, held, cells[wanted][:, self.rows], exchange_day(snapshot.as_of_ms), limit)

    def add(self, cells: F64, dates: Bools, meaning: Meaning, axis: str, weight: int) -> None:
        """One measure of some dates, headed by what full colour stands for."""
        grid = self.columns(cells, _SURFACE_COLUMNS, dates)
        full = figures.color_limit(grid.z)
        scale = figures.scale_for(_largest(grid.z)) if meaning.negative else figures.Scale(1.0, "")
        words = f"{meaning.name}, {_unit(meaning, scale, self.facts.snapshot.params.unit)}"
        if weight > _TODAY:
            mark = "±" if meaning.negative else ""
            words += f", full colour at {mark}{full / scale.divisor:,.12g}"
        self.draw(grid, words, Place(axis, weight), scale, full, meaning)
        # the table of cells is this view's own: its columns are headed by whole dates
        self.parts["panels"][-1] |= {"dates": list(grid.dates), "per": meaning.per}

    def draw(
        self, grid: Columns, words: str, place: Place, scale: figures.Scale, full: float, meaning: Meaning
    ) -> None:
        """A panel with its trace."""
        made = panels.panel(
            "heatmap_days" if place.axis == "x2" else "heatmap", words, place.axis, place.weight
        )
        made |= {"labels": list(grid.labels), "rest": grid.rest, "full": full, "divisor": scale.divisor}
        made |= {name: getattr(meaning, name) for name in ("name", "positive", "negative")}
        made |= {"contracts": not meaning.negative}
        self.parts["panels"].append(made)
        strike, z = _listed(self.facts.snapshot.strikes.strike[self.rows], grid.z)
        signed = bool(meaning.negative)
        self.parts["traces"].append(
            figures.heatmap(strike, z, full, scale, made["id"], place.axis, signed=signed)
        )


def _unit(meaning: Meaning, scale: figures.Scale, unit: Unit) -> str:
    if not meaning.negative:
        return "contracts"
    per = figures.UNIT_WORDS[unit] if meaning is MEANINGS["gex"] else meaning.per
    return " ".join(filter(None, ("$", scale.word, per)))


def _largest(z: F64) -> float:
    return float(np.nanmax(np.abs(z), initial=0.0))


def _listed(strike: F64, z: F64) -> tuple[F64, F64]:
    """Only the strikes that some expiry lists: an empty row would make its neighbours' cells thin."""
    some = np.isfinite(z).any(axis=1)
    return strike[some], z[some]
