"""What the browser is sent when something changed: numbers for the tiles, typed arrays for the panels of the chosen view."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.snapshot import ExpirySummary, Snapshot
from app.gex.surface import Surface
from app.market.calendar import exchange_day
from app.market.chain import Chain
from components import figures, greeks
from components.axis import expected_move, padded, suggested_range
from components.columns import Columns, columns
from components.encode import typed
from components.state import PageState

_OVERVIEW_COLUMNS, _SURFACE_COLUMNS = 16, 80


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """A snapshot, the surface and the chain it came from, as the cache had them.

    Attributes:
        published_ms: when the feed published the chain, ms since the epoch (UTC).
        stale: True when the cache can't be read now and this is the last copy; `error` says why.
    """

    snapshot: Snapshot
    surface: Surface
    chain: Chain
    version: int
    published_ms: int
    stale: bool
    error: str


def answer(facts: Facts, state: PageState, crop: tuple[float, float] | None = None) -> dict[str, Any]:
    """Everything that one view shows of one chain, JSON-ready; unknown numbers are None.

    Args:
        crop: the price range whose strikes are wanted, $; None takes the default range with a margin.
    """
    shown = suggested_range(facts.snapshot)
    if shown is None:
        return {"status": "empty", **_times(facts), "quality": _quality(facts.snapshot)}
    wanted = crop or padded(state.price_range or shown)
    return {
        "status": "ok",
        **_times(facts),
        "levels": _levels(facts),
        "quality": _quality(facts.snapshot),
        "range": list(shown),
        "crop": list(wanted),
        "dates": _dates(facts.chain),
        **_view(facts, state, wanted),
    }


def _times(facts: Facts) -> dict[str, Any]:
    chain = facts.chain
    return {
        "symbol": chain.symbol,
        "version": facts.version,
        "as_of": chain.as_of_ms,
        "spot_at": chain.spot_ms or None,
        "published": facts.published_ms,
        "session": chain.session,
        "source": chain.source,
        "delayed": chain.delayed,
        "missing": chain.missing_expiries,
        "stale": facts.stale,
        "error": facts.error,
    }


def _dates(chain: Chain) -> list[str]:
    """Every expiry that has not settled, whatever is chosen."""
    alive = chain.contracts.settle_ms > chain.as_of_ms
    return [str(day) for day in np.unique(chain.contracts.expiry[alive])]


def _levels(facts: Facts) -> dict[str, Any]:
    snapshot = facts.snapshot
    levels, quote = snapshot.levels, facts.chain.underlying
    close = quote.close if quote.close and quote.close > 0 else None
    change = snapshot.spot - close if snapshot.spot is not None and close else quote.change
    return {
        "spot": snapshot.spot,
        "change": _known(change),
        "change_share": _known(change / close if change is not None and close else None),
        "flip": levels.flip,
        "flips": list(levels.flips),
        "flip_band": list(levels.flip_band) if levels.flip_band else None,
        "call_wall": levels.call_wall,
        "put_wall": levels.put_wall,
        "absolute": levels.absolute_gamma_strike,
        "max_pain": levels.max_pain,
        "net_gex": levels.net_gex,
        "call_gex": levels.call_gex,
        "put_gex": levels.put_gex,
        "gross_gex": levels.gross_gex,
        "regime": _regime(snapshot),
        "move": _move(snapshot),
    }


def _regime(snapshot: Snapshot) -> str | None:
    """The sign of G(S) in a word; None where it is unknown or the convention gives dealers no side."""
    net = snapshot.levels.net_gex
    if net is None or net == 0 or snapshot.params.side == "long":
        return None
    return "long" if net > 0 else "short"


def _move(snapshot: Snapshot) -> dict[str, Any] | None:
    found = expected_move(snapshot.expiries)
    if found is None:
        return None
    move, row = found
    return {
        "value": move,
        "expiry": row.expiry.isoformat(),
        "today": row.expiry == exchange_day(snapshot.as_of_ms),
        "source": "straddle" if row.straddle else "one standard deviation",
    }


def _quality(snapshot: Snapshot) -> dict[str, Any]:
    quality = snapshot.quality
    return {
        "contracts": quality.contracts,
        "used": quality.used,
        "coverage": _known(quality.open_interest_coverage),
        "confidence": _known(quality.confidence),
        "fallbacks": dict(quality.fallbacks),
        "excluded": dict(quality.excluded),
        "warnings": list(quality.warnings)[:8],
    }


def _view(facts: Facts, state: PageState, crop: tuple[float, float]) -> dict[str, Any]:
    """The panels of the view and their traces; a table of strikes for the hover; expiries where they are listed."""
    snapshot = facts.snapshot
    rows = _within(snapshot.strikes.strike, crop)
    scale = figures.scale_for(_largest(snapshot))
    parts: dict[str, Any] = {
        "panels": [],
        "traces": [],
        "strikes": _strikes(snapshot, rows),
        "columns": "strikes",
    }
    if state.view in ("overview", "strikes"):
        _add_ladder(parts, snapshot, rows, state, scale)
    if state.view == "strikes":
        _add_contracts(parts, snapshot, rows)
    if state.view in ("overview", "profile"):
        _add_profile(parts, snapshot, crop, state)
    if state.view in ("overview", "surface"):
        _add_heatmap(parts, snapshot, rows, state, scale)
    if state.view == "greeks":
        _add_greeks(parts, facts, rows, state)
    if state.view == "expiries":
        parts["columns"] = "expiries"
        parts["rows"] = [_expiry(row, snapshot) for row in snapshot.expiries]
    return parts


def _add_ladder(
    parts: dict[str, Any],
    snapshot: Snapshot,
    rows: NDArray[np.bool_],
    state: PageState,
    scale: figures.Scale,
) -> None:
    table = snapshot.strikes
    what = "Net GEX by strike" if state.show == "net" else "Call and put GEX by strike"
    parts["panels"].append(_panel("ladder", scale.title(what, state.params.unit), "x", 42))
    parts["traces"] += figures.ladder(
        table.strike[rows],
        table.call_gex[rows],
        table.put_gex[rows],
        scale,
        split=state.show == "split",
    )


def _add_contracts(parts: dict[str, Any], snapshot: Snapshot, rows: NDArray[np.bool_]) -> None:
    table = snapshot.strikes
    for axis, part, name, calls, puts in (
        ("x2", "oi", "open interest", table.call_oi, table.put_oi),
        ("x3", "volume", "volume", table.call_volume, table.put_volume),
    ):
        title = f"{name.capitalize()}, contracts: puts left, calls right"
        parts["panels"].append(_panel(part, title, axis, 27))
        parts["traces"] += figures.mirrored(part, name, table.strike[rows], calls[rows], puts[rows], axis)


def _add_profile(
    parts: dict[str, Any], snapshot: Snapshot, crop: tuple[float, float], state: PageState
) -> None:
    near = _within(snapshot.profile_spot, crop)
    if near.sum() < 2:
        near = np.ones_like(near)
    spot, gex = smooth(snapshot.profile_spot[near], snapshot.profile_gex[near])
    scale = figures.scale_for(float(np.nanmax(np.abs(gex), initial=0.0)))
    panel = _panel("profile", scale.title("Profile G(S)", state.params.unit), "x2", 26)
    parts["panels"].append(panel | {"divisor": scale.divisor})
    parts["traces"] += figures.profile(spot, gex, scale)


def _add_heatmap(
    parts: dict[str, Any],
    snapshot: Snapshot,
    rows: NDArray[np.bool_],
    state: PageState,
    scale: figures.Scale,
) -> None:
    limit = _OVERVIEW_COLUMNS if state.view == "overview" else _SURFACE_COLUMNS
    days, today = snapshot.heatmap_expiries, exchange_day(snapshot.as_of_ms)
    held = Counter[date]()
    for row in snapshot.expiries:
        held[row.expiry] += int(row.open_interest or 0)
    grid = columns(days, tuple(held[day] for day in days), snapshot.heatmap[:, rows], today, limit)
    full = figures.color_limit(grid.z)
    words = f"Strike x expiry, full colour at ±{full / scale.divisor:g} {scale.word}".rstrip()
    panel = _panel("heatmap", words, "x3", 32)
    panel |= {"labels": list(grid.labels), "rest": grid.rest, "full": full, "divisor": scale.divisor}
    parts["panels"].append(panel)
    parts["traces"].append(figures.heatmap(*_steps(snapshot.strikes.strike[rows], grid), full, scale))


def _add_greeks(parts: dict[str, Any], facts: Facts, rows: NDArray[np.bool_], state: PageState) -> None:
    table = greeks.greek_table(facts.surface, facts.snapshot)
    if state.by == "expiry":
        parts["columns"] = "greeks_by_expiry"
        parts["rows"] = list(table.dates)
        return
    parts["columns"] = "greeks"
    parts |= greeks.panels(table, facts.snapshot.strikes.strike, rows)
    parts["strikes"] |= {name: typed(values[rows]) for name, values in table.strikes.items()}


def _steps(strike: NDArray[np.float64], grid: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Only the strikes that some expiry lists: an empty row would make its neighbours' cells thin."""
    some = np.isfinite(grid.z).any(axis=1)
    return strike[some], grid.z[some]


def _panel(id_: str, title: str, axis: str, weight: int) -> dict[str, Any]:
    return {"id": id_, "title": title, "axis": axis, "weight": weight}


def _strikes(snapshot: Snapshot, rows: NDArray[np.bool_]) -> dict[str, Any]:
    table = snapshot.strikes
    names = ("strike", "call_gex", "put_gex", "call_oi", "put_oi", "call_volume", "put_volume")
    return {name: typed(getattr(table, name)[rows]) for name in names}


def _expiry(row: ExpirySummary, snapshot: Snapshot) -> dict[str, Any]:
    covered = row.used / row.contracts if row.contracts else None
    return {
        "expiry": row.expiry.isoformat(),
        "today": row.expiry == exchange_day(snapshot.as_of_ms),
        "root": row.root,
        "settlement": "AM" if row.settlement.startswith("A") else "PM",
        "settles": row.settle_ms,
        "forward": _known(row.forward),
        "forward_source": row.forward_source,
        "atm_vol": _known(row.atm_vol),
        "move": _known(row.straddle or row.sigma_move),
        "net_gex": _known(row.net_gex),
        "gross_gex": _known(row.gross_gex),
        "open_interest": _known(row.open_interest),
        "coverage": covered,
    }


def smooth(price: NDArray[np.float64], value: NDArray[np.float64], parts: int = 4) -> tuple[Any, Any]:
    """The same curve with `parts` times the points, by Catmull-Rom, for drawing only; every given point stays on it."""
    if len(price) < 4 or not np.isfinite(value).all():
        return price, value
    slope = np.gradient(value, price)
    step = np.diff(price)[:, None]
    t = np.arange(parts)[None, :] / parts
    hermite = (
        (2 * t**3 - 3 * t**2 + 1) * value[:-1, None]
        + (t**3 - 2 * t**2 + t) * step * slope[:-1, None]
        + (3 * t**2 - 2 * t**3) * value[1:, None]
        + (t**3 - t**2) * step * slope[1:, None]
    )
    dense = price[:-1, None] + t * step
    return np.append(dense.ravel(), price[-1]), np.append(hermite.ravel(), value[-1])


def _largest(snapshot: Snapshot) -> float:
    table = snapshot.strikes
    sizes = np.abs(np.concatenate([table.call_gex, table.put_gex]))
    return float(np.nanmax(sizes, initial=0.0))


def _within(price: NDArray[np.float64], crop: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((price >= crop[0]) & (price <= crop[1]))


def _known(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
