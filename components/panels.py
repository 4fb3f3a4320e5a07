"""Panels on the one price axis: ladders, contracts and the profile; the heatmap is in components/surfaces.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.snapshot import F64, Snapshot
from components import figures
from components.encode import typed
from components.facts import Crop, Facts, Parts
from components.state import PageState

Bools = NDArray[np.bool_]

_LADDER_TITLES = {
    "net": "Net GEX by strike",
    "split": "Call and put GEX by strike",
    "absolute": "Absolute GEX by strike",
}


def strikes(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """The ladder beside open interest and volume."""
    parts = begun(facts.snapshot, crop)
    add_ladder(parts, facts.snapshot, crop, state)
    _add_contracts(parts, facts.snapshot, within(facts.snapshot.strikes.strike, crop))
    return parts


def profile(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """G(S') alone."""
    parts = begun(facts.snapshot, crop)
    add_profile(parts, facts.snapshot, crop, state)
    return parts


def begun(snapshot: Snapshot, crop: Crop) -> Parts:
    """An answer's parts with no panel yet, but with the table of strikes that the hover reads."""
    rows = within(snapshot.strikes.strike, crop)
    return {"panels": [], "traces": [], "strikes": strike_arrays(snapshot, rows), "columns": "strikes"}


def strike_arrays(snapshot: Snapshot, rows: Bools) -> dict[str, Any]:
    """The table of strikes as typed arrays."""
    table = snapshot.strikes
    names = ("strike", "call_gex", "put_gex", "call_oi", "put_oi", "call_volume", "put_volume")
    return {name: typed(getattr(table, name)[rows]) for name in names}


def panel(id_: str, title: str, axis: str, weight: int) -> dict[str, Any]:
    """A panel's account: its heading, its horizontal axis, and its share of the width."""
    return {"id": id_, "title": title, "axis": axis, "weight": weight}


def add_ladder(parts: Parts, snapshot: Snapshot, crop: Crop, state: PageState) -> None:
    """Exposure by strike as bars."""
    table, scale = snapshot.strikes, scale_of(snapshot)
    rows = within(table.strike, crop)
    title = scale.title(_LADDER_TITLES[state.show], state.params.unit)
    parts["panels"].append(panel("ladder", title, "x", 42))
    calls, puts = table.call_gex[rows], table.put_gex[rows]
    parts["traces"] += figures.ladder(table.strike[rows], calls, puts, scale, show=state.show)


def scale_of(snapshot: Snapshot) -> figures.Scale:
    """The scale in which the strikes' exposures read well."""
    table = snapshot.strikes
    sizes = np.abs(np.concatenate([table.call_gex, table.put_gex]))
    return figures.scale_for(float(np.nanmax(sizes, initial=0.0)))


def _add_contracts(parts: Parts, snapshot: Snapshot, rows: Bools) -> None:
    table = snapshot.strikes
    for axis, part, name, calls, puts in (
        ("x2", "oi", "open interest", table.call_oi, table.put_oi),
        ("x3", "volume", "volume", table.call_volume, table.put_volume),
    ):
        title = f"{name.capitalize()}, contracts: puts left, calls right"
        parts["panels"].append(panel(part, title, axis, 27))
        parts["traces"] += figures.mirrored(part, name, table.strike[rows], calls[rows], puts[rows], axis)


def add_profile(parts: Parts, snapshot: Snapshot, crop: Crop, state: PageState) -> None:
    """G(S') sideways."""
    near = within(snapshot.profile_spot, crop)
    if near.sum() < 2:
        near = np.ones_like(near)
    spot, gex = smooth(snapshot.profile_spot[near], snapshot.profile_gex[near])
    scale = figures.scale_for(float(np.nanmax(np.abs(gex), initial=0.0)))
    made = panel("profile", scale.title("Profile G(S)", state.params.unit), "x2", 26)
    parts["panels"].append(made | {"divisor": scale.divisor})
    parts["traces"] += figures.profile(spot, gex, scale)


def within(price: F64, crop: Crop) -> Bools:
    """Which prices are in the range, shape as `price`."""
    return np.asarray((price >= crop[0]) & (price <= crop[1]))


def smooth(price: F64, value: F64, parts: int = 4) -> tuple[F64, F64]:
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
