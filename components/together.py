"""An index and its funds added up: every strike scaled to the index's price, every dollar counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.gex.levels import absolute_gamma_strike, walls
from app.gex.snapshot import F64, Snapshot
from components import figures
from components.axis import padded, suggested_range
from components.compare import Member, apart, beside, related
from components.encode import typed
from components.facts import Crop, Parts
from components.panels import panel, smooth, within
from components.state import PageState

_ONE_INSTANT_MS = 180_000  # a chain is read again every minute
_COUNTS = ("call_oi", "put_oi", "call_volume", "put_volume")


@dataclass(frozen=True, eq=False, slots=True)
class Sum:
    """What several snapshots add up to on the first one's price axis.

    Attributes:
        strike: the first one's strikes, shape (k,); each strike of the others counts at the nearest of them.
        call_gex, put_gex: $ in the convention's unit, shape (k,); NaN where nothing is known.
        counts: open interest and volume of calls and puts, contracts, shape (k,) each. They aren't scaled.
        profile_spot, profile_gex: G(S') of all, shape (levels,).
        parts: each member's own part of the profile, shape (levels,).
        flips: where that changes sign, between two levels of its grid, ascending.
        net_gex: $; None where a member's is unknown.
    """

    strike: F64
    call_gex: F64
    put_gex: F64
    counts: dict[str, F64]
    profile_spot: F64
    profile_gex: F64
    parts: dict[str, F64]
    flips: tuple[float, ...]
    net_gex: float | None


def compared(members: Sequence[Member], state: PageState, crop: Crop | None) -> Parts:
    """The members as the reader wants them: side by side, or added up where that means something."""
    if state.join != "together":
        return apart(members)
    summed = together(members, crop or state.price_range)
    if summed is not None:
        return {"plain": None, "rows": None, **summed}
    return apart(members) | {"note": _why_not(members)}


def _why_not(members: Sequence[Member]) -> str:
    if len(members) < 2 or not related(one.symbol for one in members):
        return "Only an index and its funds can be added up; these stand side by side."
    part = [one.symbol for one in members if one.snapshot and one.snapshot.quality.missing_expiries]
    if part:
        return f"Nothing is added up: {' and '.join(part)} {'is' if len(part) == 1 else 'are'} read in part."
    without = [one.symbol for one in members if one.snapshot is None or not _is_whole(one.snapshot)]
    if without:
        return f"Nothing is added up: there are no numbers of {', '.join(without)}."
    late = ", ".join(_late([one.snapshot for one in members if one.snapshot]))
    return f"Nothing is added up: the numbers of {late} are older than the others'."


def _late(told: Sequence[Snapshot]) -> list[str]:
    """Who is so far behind the newest, while a market is open, that a sum would be of no one instant."""
    if not any(one.provenance.session == "open" for one in told):
        return []
    newest = max(one.as_of_ms for one in told)
    return [one.symbol for one in told if newest - one.as_of_ms > _ONE_INSTANT_MS]


def _is_whole(snapshot: Snapshot) -> bool:
    """Whether it can be added to others: at a price, of every date, with a known total."""
    found = snapshot.levels.net_gex
    return bool(snapshot.spot) and not snapshot.quality.missing_expiries and found is not None


def together(members: Sequence[Member], crop: Crop | None) -> Parts | None:
    """The sum on one price axis; None where there is nothing to add, or it would be of no one time, or in part unknown."""
    told = [one.snapshot for one in members if one.snapshot]
    if (
        not all(map(_is_whole, told))
        or _late(told)
        or len(told) < 2
        or told[0].symbol != members[0].symbol
        or not related(one.symbol for one in told)
    ):
        return None
    found, base = added(told), told[0]
    shown = suggested_range(base) or (0.0, 1.0)
    wanted = crop or padded(shown)
    rows = within(found.strike, wanted)
    names = " + ".join(one.symbol for one in told)
    scale = figures.scale_for(_largest(found.call_gex[rows] + found.put_gex[rows]))
    heading = scale.title(f"{names}, net GEX by strike", base.params.unit)
    strikes: dict[str, Any] = {"strike": typed(found.strike[rows])}
    strikes |= {"call_gex": typed(found.call_gex[rows]), "put_gex": typed(found.put_gex[rows])}
    strikes |= {name: typed(values[rows]) for name, values in found.counts.items()}
    ladder = figures.ladder(found.strike[rows], found.call_gex[rows], found.put_gex[rows], scale, show="net")
    curves, marks = _profile(found, base, wanted), _marks(found, base)
    parts: Parts = {
        "panels": [panel("ladder", heading, "x", 60), *curves["panels"]],
        "traces": [*ladder, *curves["traces"]],
        "strikes": strikes,
        "columns": "strikes",
        "marks": marks,
        "note": _note(told),
        "sum": {"symbol": names, "levels": _levels(found, members[0], marks["flip"])},
    }
    cards = beside(members)
    return parts | {"beside": cards["beside"], "summary": _summary(found, names, cards["summary"])}


def added(told: list[Snapshot]) -> Sum:
    """The sum on the first one's price axis. Per 1 % dollars add up as they are; per point, a point is the first one's."""
    base = told[0]
    strike = base.strikes.strike
    calls, puts = (np.full(len(strike), np.nan) for _ in range(2))
    counts = {name: np.full(len(strike), np.nan) for name in _COUNTS}
    curves: dict[str, F64] = {}
    for one in told:
        ratio, factor = scales(one, base)
        at = _nearest(strike, one.strikes.strike * ratio)
        calls = _plus(calls, at, factor * one.strikes.call_gex)
        puts = _plus(puts, at, factor * one.strikes.put_gex)
        counts = {name: _plus(values, at, getattr(one.strikes, name)) for name, values in counts.items()}
        # every grid is the same multiples of its own spot, so scaled grids coincide
        curves[one.symbol] = factor * one.profile_gex
    whole = [curve for curve in curves.values() if len(curve) == len(base.profile_gex)]
    profile = np.sum(whole, axis=0) if len(whole) == len(told) else np.empty(0)
    spot = base.profile_spot if len(profile) else np.empty(0)
    return Sum(
        strike,
        calls,
        puts,
        counts,
        spot,
        profile,
        curves if len(profile) else {},
        crossings(spot, profile),
        _net(told, base),
    )


def scales(one: Snapshot, base: Snapshot) -> tuple[float, float]:
    """What a member's prices and its dollars are multiplied by."""
    ratio = (base.spot or 1.0) / (one.spot or 1.0)
    return ratio, 1.0 if base.params.unit == "per_1pct" else 1.0 / ratio


def _net(told: list[Snapshot], base: Snapshot) -> float | None:
    values = [one.levels.net_gex for one in told]
    if any(value is None for value in values):
        return None
    return sum(scales(one, base)[1] * (value or 0.0) for one, value in zip(told, values, strict=True))


def _nearest(strike: F64, wanted: F64) -> Any:
    """The position of the nearest strike for each wanted price; -1 for prices beyond the last strikes."""
    if len(strike) < 2:
        return np.full(len(wanted), -1)
    right = np.clip(np.searchsorted(strike, wanted), 1, len(strike) - 1)
    left = right - 1
    at = np.where(wanted - strike[left] <= strike[right] - wanted, left, right)
    return np.where((wanted < strike[0]) | (wanted > strike[-1]), -1, at)


def _plus(total: F64, at: Any, values: F64) -> F64:
    told = (at >= 0) & np.isfinite(values)
    sums = np.bincount(at[told], values[told], len(total))
    some = np.bincount(at[told], minlength=len(total)) > 0
    return np.where(some, np.nan_to_num(total) + sums, total)


def crossings(price: F64, value: F64) -> tuple[float, ...]:
    """Where a curve changes sign, by the straight line between its finely smoothed points; ascending."""
    dense_price, dense = smooth(price, value, 16)
    turns = np.flatnonzero(dense[:-1] * dense[1:] < 0)
    share = dense[turns] / (dense[turns] - dense[turns + 1])
    return tuple((dense_price[turns] + share * (dense_price[turns + 1] - dense_price[turns])).tolist())


def _marks(found: Sum, base: Snapshot) -> dict[str, Any]:
    """The lines of the sum, in the words of the levels."""
    spot = base.spot or 0.0
    call_wall, put_wall = walls(found.strike, found.call_gex, found.put_gex, base.params.walls)
    flip = min(found.flips, key=lambda at: abs(at - spot), default=None)
    return {
        "spot": base.spot,
        "flip": flip,
        "flips": list(found.flips),
        "flip_band": None,
        "call_wall": call_wall,
        "put_wall": put_wall,
        "absolute": absolute_gamma_strike(found.strike, found.call_gex, found.put_gex),
    }


def _profile(found: Sum, base: Snapshot, crop: Crop) -> dict[str, list[Any]]:
    near = within(found.profile_spot, crop)
    if near.sum() < 2:
        return {"panels": [], "traces": []}
    scale = figures.scale_for(_largest(found.profile_gex[near]))
    price, value = smooth(found.profile_spot[near], found.profile_gex[near])
    made = panel("profile", scale.title("Profile G(S) of all", base.params.unit), "x2", 40)
    made |= {"divisor": scale.divisor, "buckets": list(found.parts), "flips": True}
    traces = figures.profile(price, value, scale)
    for look, (symbol, curve) in zip(figures.BUCKET_LOOKS, found.parts.items(), strict=False):
        traces.append(
            figures.bucket(look, symbol, *smooth(found.profile_spot[near], curve[near] / scale.divisor))
        )
    return {"panels": [made], "traces": traces}


def _levels(found: Sum, first: Member, flip: float | None) -> dict[str, Any]:
    """What the sum's card says: the first one's price, and what is of all."""
    net, sided = found.net_gex, first.snapshot is not None and first.snapshot.params.side != "long"
    regime = ("long" if net > 0 else "short") if net and sided else None
    price = {name: first.card["levels"][name] for name in ("spot", "change_share")}
    return price | {"flip": flip, "net_gex": net, "regime": regime}


def _note(told: list[Snapshot]) -> str:
    """By what each member is scaled, for the reader."""
    base = told[0]
    said = [f"1 {one.symbol} = {scales(one, base)[0]:,.4g} {base.symbol}" for one in told[1:]]
    return (
        f"Prices of the others are scaled by the ratio of the spots: {', '.join(said)}. Each of their strikes counts at "
        f"the nearest strike of {base.symbol}."
    )


def _summary(found: Sum, names: str, each: str) -> str:
    net = "unknown" if found.net_gex is None else figures.words_of(found.net_gex)
    return f"{names} together: net GEX {net}. {each}"


def _largest(value: F64) -> float:
    return float(np.nanmax(np.abs(value), initial=0.0))
