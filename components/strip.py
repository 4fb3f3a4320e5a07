"""The numbers of the levels strip, and how old they are."""

from __future__ import annotations

from typing import Any

from app.gex.snapshot import Snapshot
from app.market.calendar import exchange_day
from components.axis import expected_move
from components.facts import Facts, known


def times(facts: Facts) -> dict[str, Any]:
    """Whose chain it is, how old, and from where: what the browser judges freshness by."""
    chain = facts.chain
    return {
        "symbol": chain.symbol,
        "version": facts.version,
        "as_of": chain.as_of_ms,
        "spot_at": chain.spot_ms or None,
        "published": facts.published_ms,
        # on the publisher's clock, whichever the market's is
        "heard": facts.published_ms - (chain.as_of_ms - chain.heard_ms) if chain.heard_ms else None,
        "session": chain.session,
        "source": chain.source,
        "delayed": chain.delayed,
        "missing": facts.snapshot.quality.missing_expiries,
        "stale": facts.stale,
        "error": facts.error,
    }


def levels(facts: Facts) -> dict[str, Any]:
    """The numbers of the levels strip."""
    quote, spot = facts.chain.underlying, facts.snapshot.spot
    close = quote.close if quote.close and quote.close > 0 else None
    return levels_of(facts.snapshot, spot - close if spot is not None and close else quote.change, close)


def levels_of(snapshot: Snapshot, change: float | None = None, close: float | None = None) -> dict[str, Any]:
    """The same of a snapshot whose change since the last close is known, or not."""
    found = snapshot.levels
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
        "regime": snapshot.regime,
        "move": _move(snapshot),
    }


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
