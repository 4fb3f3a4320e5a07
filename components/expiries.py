"""Every expiry as a row, and its exposure as a bar."""

from __future__ import annotations

from typing import Any

from app.gex.snapshot import ExpirySummary, Snapshot
from app.market.calendar import exchange_day
from components.facts import Crop, Facts, Parts, known
from components.state import PageState


def view(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """The table of expiries; it is the view."""
    del state, crop
    return {"columns": "expiries", "rows": [row_of(row, facts.snapshot) for row in facts.snapshot.expiries]}


def row_of(row: ExpirySummary, snapshot: Snapshot) -> dict[str, Any]:
    """One series (a root on a date) as the table lists it."""
    return {
        "expiry": row.expiry.isoformat(),
        "today": row.expiry == exchange_day(snapshot.as_of_ms),
        "root": row.root,
        "settlement": "AM" if row.settlement.startswith("A") else "PM",
        "settles": row.settle_ms,
        "forward": known(row.forward),
        "forward_source": row.forward_source,
        "atm_vol": known(row.atm_vol),
        "move": known(row.straddle or row.sigma_move),
        "net_gex": known(row.net_gex),
        "gross_gex": known(row.gross_gex),
        "open_interest": known(row.open_interest),
        "coverage": row.used / row.contracts if row.contracts else None,
    }
