"""What the browser is sent when something changed: numbers for the tiles, and the parts of the chosen view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from app.gex.snapshot import Snapshot
from app.market.calendar import exchange_day
from app.market.chain import Chain
from components import expiries, greeks, overview, panels, surfaces, volatility
from components.axis import expected_move, padded, suggested_range
from components.facts import Crop, Facts, Parts, known
from components.state import PageState, View

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
}


def answer(facts: Facts, state: PageState, crop: Crop | None = None) -> dict[str, Any]:
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
        "levels": levels(facts),
        "quality": _quality(facts.snapshot),
        "range": list(shown),
        "crop": list(wanted),
        "dates": _dates(facts.chain),
        **VIEW_PARTS[state.view](facts, state, wanted),
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


def levels(facts: Facts) -> dict[str, Any]:
    """The numbers of the levels strip."""
    snapshot = facts.snapshot
    found, quote = snapshot.levels, facts.chain.underlying
    close = quote.close if quote.close and quote.close > 0 else None
    change = snapshot.spot - close if snapshot.spot is not None and close else quote.change
    return {
        "spot": snapshot.spot,
        "change": known(change),
        "change_share": known(change / close if change is not None and close else None),
        "flip": found.flip,
        "flips": list(found.flips),
        "flip_band": list(found.flip_band) if found.flip_band else None,
        "call_wall": found.call_wall,
        "put_wall": found.put_wall,
        "absolute": found.absolute_gamma_strike,
        "max_pain": found.max_pain,
        "net_gex": found.net_gex,
        "call_gex": found.call_gex,
        "put_gex": found.put_gex,
        "gross_gex": found.gross_gex,
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
        "coverage": known(quality.open_interest_coverage),
        "confidence": known(quality.confidence),
        "fallbacks": dict(quality.fallbacks),
        "excluded": dict(quality.excluded),
        "warnings": list(quality.warnings)[:8],
    }
