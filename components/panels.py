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

BUCKET_NAMES = {"0dte": "0DTE", "week": "This week", "month": "This month", "rest": "Later"}
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
    """G(S') of all that is chosen, and of each bucket of expiries; the table lists the levels."""
    snapshot = facts.snapshot
    parts = begun(snapshot, crop)
    add_profile(parts, snapshot, crop, state)
    spot, near = snapshot.profile_spot, _near(snapshot, crop)
    buckets = snapshot.profile_buckets if len(snapshot.profile_buckets) > 1 else {}
    made = parts["panels"][0] | {"buckets": [BUCKET_NAMES[name] for name in buckets], "flips": True}
    parts["panels"] = [made]
    for name, gex in buckets.items():
        price, value = smooth(spot[near], gex[near])
        parts["traces"].append(figures.bucket(name, BUCKET_NAMES[name], price, value / made["divisor"]))
    unit = "$ per 1 %" if state.params.unit == "per_1pct" else "$ per point"
    columns = [{"id": "price", "name": "Price", "as": "price"}, _level("gex", f"G(S), {unit}", bar=True)]
    columns += [_level(name, BUCKET_NAMES[name]) for name in buckets]
    listed = {"price": spot[near], "gex": snapshot.profile_gex[near]}
    listed |= {name: gex[near] for name, gex in buckets.items()}
    return parts | {"columns": columns, "listed": {name: typed(values) for name, values in listed.items()}}


def _level(id_: str, name: str, *, bar: bool = False) -> dict[str, Any]:
    return {"id": id_, "name": name, "as": "dollars", "signed": True, "bar": bar}


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
        if not (np.isfinite(calls).any() or np.isfinite(puts).any()):
            continue  # an empty panel would read as none
        title = f"{name.capitalize()}: puts left, calls right"
        parts["panels"].append(panel(part, title, axis, 27))
        parts["traces"] += figures.mirrored(part, name, table.strike[rows], calls[rows], puts[rows], axis)


def add_profile(parts: Parts, snapshot: Snapshot, crop: Crop, state: PageState) -> None:
    """G(S') sideways."""
    near = _near(snapshot, crop)
    spot, gex = smooth(snapshot.profile_spot[near], snapshot.profile_gex[near])
    scale = figures.scale_for(float(np.nanmax(np.abs(gex), initial=0.0)))
    made = panel("profile", scale.title("Profile G(S)", state.params.unit), "x2", 26)
    parts["panels"].append(made | {"divisor": scale.divisor})
    parts["traces"] += figures.profile(spot, gex, scale)


def _near(snapshot: Snapshot, crop: Crop) -> Bools:
    """Which levels of the profile's grid are drawn; all where fewer than two are in sight."""
    near = within(snapshot.profile_spot, crop)
    return near if near.sum() > 1 else np.ones_like(near)


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
