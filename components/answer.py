"""What the browser is sent when something changed: numbers for the tiles, and the parts of the chosen view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.gex.snapshot import Snapshot
from app.market.chain import Chain
from components import compare, expiries, greeks, overview, panels, surfaces, volatility
from components.axis import padded, suggested_range
from components.facts import Crop, Facts, Parts, known
from components.state import PageState, View
from components.strip import levels, times
from components.words import CLOSED_VOLS

Make = Callable[[Facts, PageState, Crop], Parts]

# Views of one symbol's chain: what makes the parts of their answers.
VIEW_PARTS: dict[View, Make] = {
    "overview": overview.view,
    "strikes": panels.strikes,
    "surface": surfaces.surface,
    "profile": panels.profile,
    "greeks": greeks.view,
    "volatility": volatility.view,
    "expiries": expiries.view,
    "compare": compare.alone,
}


def answer(facts: Facts, state: PageState, crop: Crop | None = None) -> dict[str, Any]:
    """Everything that one view shows of one chain, JSON-ready; unknown numbers are None.

    Args:
        crop: the price range whose strikes are wanted, $; None takes the default range with a margin.
    """
    shown = suggested_range(facts.snapshot)
    if shown is None:
        return {"status": "empty", **times(facts), "quality": quality(facts.snapshot)}
    wanted = crop or padded(state.price_range or shown)
    return {
        "status": "ok",
        **times(facts),
        "levels": levels(facts),
        "quality": quality(facts.snapshot),
        "range": list(shown),
        "crop": list(wanted),
        "dates": _dates(facts.chain),
        **VIEW_PARTS[state.view](facts, state, wanted),
        **_closed_vols(facts.chain, state),
        **_without_expiries(facts.snapshot, state),
    }


def _closed_vols(chain: Chain, state: PageState) -> dict[str, str]:
    """What to think of volatilities a year while the market is closed."""
    shown = state.view in ("volatility", "expiries") and chain.session == "closed"
    return {"note": CLOSED_VOLS} if shown else {}


def _without_expiries(snapshot: Snapshot, state: PageState) -> dict[str, str]:
    """Words in place of an empty picture: an address that was kept names days that have settled meanwhile."""
    if snapshot.expiries or state.view == "compare":
        return {}
    said = (
        "the chosen days have settled or aren't listed" if state.params.expiries else "nothing else is listed"
    )
    return {
        "words": f"No expiry of {snapshot.symbol} is left under this choice: {said}. Choose other expiries above."
    }


def _dates(chain: Chain) -> list[str]:
    """Every expiry that has not settled, whatever is chosen."""
    alive = chain.contracts.settle_ms > chain.as_of_ms
    return [str(day) for day in np.unique(chain.contracts.expiry[alive])]


def quality(snapshot: Snapshot) -> dict[str, Any]:
    """How much of the chain the numbers rest on."""
    counts = snapshot.quality
    return {
        "contracts": counts.contracts,
        "used": counts.used,
        "coverage": known(counts.open_interest_coverage),
        "confidence": known(counts.confidence),
        "fallbacks": dict(counts.fallbacks),
        "excluded": dict(counts.excluded),
        "warnings": list(counts.warnings)[:8],
    }
