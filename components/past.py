"""A recorded moment in the place of the present: the same parts of an answer, as far as the record holds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.gex.surface import Surface
from app.market.chain import Chain
from components import expiries, panels, surfaces, volatility
from components.answer import quality
from components.axis import padded, suggested_range
from components.facts import Crop, Facts, Parts
from components.state import PageState, View
from components.strip import levels_of

Make = Callable[[Facts, PageState, Crop], Parts]

_PRESENT = "Go back to live (L) to see it."
NOT_RECORDED: dict[View, str] = {
    "greeks": "Delta, vanna and charm exposure by strike aren't recorded; their totals are, and REST has them.",
    "compare": "Comparisons show the present only.",
}


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


def past_answer(snapshot: Snapshot, state: PageState, crop: Crop | None = None) -> dict[str, Any]:
    """What one view shows of a recorded moment, JSON-ready.

    What the record doesn't hold is in no part of it: `words` says so in its place.
    """
    told = {"status": "ok", **times(snapshot), "levels": levels_of(snapshot), "quality": quality(snapshot)}
    shown = suggested_range(snapshot)
    why = _missing(snapshot, state)
    if shown is None or why:
        return told | {"words": why or "The recorded moment holds no strike under this choice."}
    wanted = crop or padded(state.price_range or shown)
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
        "missing": 0,
        "stale": False,
        "error": "",
    }


def _missing(snapshot: Snapshot, state: PageState) -> str:
    """Why this view can't stand in the past; nothing where it can."""
    if state.view in NOT_RECORDED:
        return f"{NOT_RECORDED[state.view]} {_PRESENT}"
    if state.view == "surface" and state.measure != "gex":
        return f"By strike and date only gamma exposure is recorded. Choose GEX. {_PRESENT}"
    if state.view == "surface" and not snapshot.heatmap.size:
        return f"The recorded map of strike by date can't be turned to this convention. {_PRESENT}"
    if state.view == "profile" and not len(snapshot.profile_spot):
        return f"The recorded profile can't be turned to this convention. {_PRESENT}"
    return ""


def _overview(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """The overview without the panels that the record can't fill."""
    snapshot = facts.snapshot
    parts = panels.begun(snapshot, crop)
    panels.add_ladder(parts, snapshot, crop, state)
    if len(snapshot.profile_spot):
        panels.add_profile(parts, snapshot, crop, state)
    if np.isfinite(snapshot.heatmap).any():
        surfaces.add_overview(parts, facts, crop)
    return parts


_PARTS: dict[View, Make] = {
    "overview": _overview,
    "strikes": panels.strikes,
    "surface": surfaces.surface,
    "profile": panels.profile,
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
