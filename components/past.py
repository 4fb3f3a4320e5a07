"""A recorded moment in the place of the present: the same parts of an answer, as far as the record holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from app.gex.params import Params
from app.gex.snapshot import F64, GreekTotals, Snapshot
from app.gex.surface import Surface
from app.history.moment import Moment
from app.market.calendar import exchange_day
from app.market.chain import Chain
from components import expiries, greeks, panels, surfaces, volatility
from components.answer import quality
from components.axis import padded, suggested_range
from components.compare import Member
from components.facts import Crop, Facts, Parts
from components.state import PageState, View
from components.strip import levels_of
from components.together import compared

Make = Callable[[Facts, PageState, Crop], Parts]

_BEYOND = "What lies beyond is unknown, not zero."
_PRESENT = "Go back to live (L) to see it."
NOTHING_THEN = (
    "Nothing was recorded at this minute. The arrows (, and .) go to the recorded minutes beside it."
)


def unrecorded(params: Params) -> str:
    """Why nothing is recorded under a choice; nothing where it is."""
    if params.weight != "oi":
        return "Only exposure by open interest is recorded. Choose OI, or go back to live (L)."
    if params.expiries:
        return "Single dates aren't recorded. Choose one of the groups of expiries, or go back to live (L)."
    return ""


def past_answer(
    snapshot: Snapshot, state: PageState, crop: Crop | None = None, members: Sequence[Member] = ()
) -> dict[str, Any]:
    """What one view shows of a recorded moment, JSON-ready.

    What the record doesn't hold is in no part of it: `words` says so in its place.

    Args:
        members: the symbols that Compare shows, this one first, at the same minute.
    """
    told = {"status": "ok", **times(snapshot), "levels": levels_of(snapshot), "quality": quality(snapshot)}
    if snapshot.levels.net_gex is None and snapshot.quality.warnings:
        told["error"] = snapshot.quality.warnings[0]  # why nothing is known of the whole
    shown = suggested_range(snapshot)
    why = _missing(snapshot, state)
    if shown is None or why:
        return told | {"words": why or "The recorded moment holds no strike under this choice."}
    wanted = crop or padded(state.price_range or shown)
    if state.view == "compare":
        parts = compared(members, state, crop)
    else:
        parts = _PARTS[state.view](_facts(snapshot), state, wanted)
    return told | {"range": list(shown), "crop": list(wanted), **parts}


def times(snapshot: Snapshot) -> dict[str, Any]:
    """Whose moment it is and when. It has no version: nothing of it is in the cache."""
    return {
        "symbol": snapshot.symbol,
        "version": None,
        "as_of": snapshot.as_of_ms,
        "spot_at": None,
        "published": snapshot.as_of_ms,
        "session": "unknown",
        "source": snapshot.provenance.source,
        "delayed": snapshot.provenance.delayed,
        "missing": snapshot.quality.missing_expiries,
        "stale": False,
        "error": "",
    }


def _missing(snapshot: Snapshot, state: PageState) -> str:
    """Why this view can't stand in the past; nothing where it can."""
    if state.view == "greeks" and (why := _without_greeks(snapshot, state)):
        return f"{why} {_PRESENT}"
    if state.view == "surface" and state.measure != "gex":
        return f"By strike and date only gamma exposure is recorded. Choose GEX. {_PRESENT}"
    if state.view == "surface" and not snapshot.heatmap.size:
        return f"The recorded map of strike by date can't be turned to this convention. {_PRESENT}"
    if state.view == "profile" and not len(snapshot.profile_spot):
        return f"The recorded profile can't be turned to this convention. {_PRESENT}"
    return ""


def _without_greeks(snapshot: Snapshot, state: PageState) -> str:
    """Why delta, vanna and charm exposure can't be drawn; nothing where they can."""
    if state.by == "expiry":
        there = any(row.greeks != GreekTotals() for row in snapshot.expiries)
    else:
        there = len(snapshot.strikes.dex) > 0
    if there:
        return ""
    if state.params.side == "long":
        return "The recorded sums of calls and puts can't be turned to this convention."
    if state.by == "strike" and state.params.bucket != "all":
        return "By strike, delta, vanna and charm exposure are recorded of all expiries together. Choose All or By expiry."
    return (
        f"Delta, vanna and charm exposure by {state.by} aren't recorded of this minute, their totals are. "
        f"{greeks.totals_in_words(snapshot)}"
    )


def _greeks(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """The same as live; by strike with the range that is recorded."""
    parts, table = greeks.view(facts, state, crop), facts.snapshot.strikes
    if state.by == "expiry" or not (reach := _reach(table.strike, np.isfinite(table.dex))):
        return parts
    return parts | {"note": f"Recorded are strikes {reach}. {_BEYOND} Totals are of all strikes."}


def member_at(moment: Moment) -> Member:
    """One symbol of a comparison at a recorded minute."""
    snapshot, slot_ms = moment.snapshot, moment.key.slot_ms
    card = {
        **times(snapshot),
        "levels": levels_of(snapshot),
        "past": {"at": slot_ms, "day": exchange_day(slot_ms).isoformat()},
    }
    return Member(snapshot.symbol, snapshot, card)


def _overview(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """The overview without the panels that the record can't fill."""
    snapshot = facts.snapshot
    parts = panels.begun(snapshot, crop)
    panels.add_ladder(parts, snapshot, crop, state)
    if len(snapshot.profile_spot):
        panels.add_profile(parts, snapshot, crop, state)
    if np.isfinite(snapshot.heatmap).any():
        surfaces.add_overview(parts, facts, crop)
    return parts | {"note": _of_map(snapshot)}


def _strikes(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """The same as live; volume where it is recorded."""
    parts = panels.strikes(facts, state, crop)
    if state.params.bucket == "all":
        return parts
    return parts | {"note": "Volume by strike is recorded of all expiries together: choose All to see it."}


def _surface(facts: Facts, state: PageState, crop: Crop) -> Parts:
    return surfaces.surface(facts, state, crop) | {"note": _of_map(facts.snapshot)}


def _profile(facts: Facts, state: PageState, crop: Crop) -> Parts:
    note = "What each group of expiries adds to the profile isn't recorded."
    return panels.profile(facts, state, crop) | {"note": note}


def _of_map(snapshot: Snapshot) -> str:
    """How far the recorded map of strike by date reaches."""
    reach = _reach(snapshot.strikes.strike, np.asarray(np.isfinite(snapshot.heatmap).any(axis=0)))
    if not reach:
        return "There is no recorded map of strike by date for this choice."
    every = len({row.expiry for row in snapshot.expiries})
    return f"The recorded map holds strikes {reach} on {len(snapshot.heatmap)} of {every} dates. {_BEYOND}"


def _reach(strike: F64, known: NDArray[np.bool_]) -> str:
    """From where to where something is known, in words; nothing where it is nowhere."""
    held = strike[known] if len(known) else known
    return f"from {held[0]:,.10g} to {held[-1]:,.10g}" if len(held) else ""


_PARTS: dict[View, Make] = {
    "overview": _overview,
    "strikes": _strikes,
    "surface": _surface,
    "profile": _profile,
    "greeks": _greeks,
    "expiries": expiries.view,
    "volatility": lambda facts, _state, _crop: volatility.recorded(facts.snapshot),
}


def _facts(snapshot: Snapshot) -> Facts:
    """A snapshot as those parts take it that read nothing else."""
    nothing = cast(Any, None)
    return Facts(
        snapshot,
        cast(Surface, nothing),
        cast(Chain, nothing),
        version=0,
        published_ms=snapshot.as_of_ms,
        stale=False,
        error="",
    )
