"""Every expiry as a row of a table, and its exposure as a bar."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.gex.snapshot import ExpirySummary, Snapshot
from app.market.calendar import exchange_day
from components import figures
from components.columns import labels
from components.facts import Crop, Facts, Parts, known
from components.greeks import signed_bars
from components.plain import Panel, plain
from components.state import PageState


def view(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """The table of expiries, with bars of net and gross exposure as its picture."""
    del state, crop
    snapshot = facts.snapshot
    drawn = plain("expiries", (1, 2), _panels(snapshot))
    rows = [row_of(row, snapshot) for row in snapshot.expiries]
    return {
        "columns": "expiries",
        "rows": rows,
        "plain": drawn,
        "prefer": "table",
        "summary": _summary(snapshot),
    }


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
        "skew": known(row.risk_reversal),
        "move": known(row.straddle or row.sigma_move),
        "net_gex": known(row.net_gex),
        "gross_gex": known(row.gross_gex),
        "open_interest": known(row.open_interest),
        "coverage": row.used / row.contracts if row.contracts else None,
    }


def _panels(snapshot: Snapshot) -> list[Panel]:
    unit = figures.UNIT_WORDS[snapshot.params.unit]
    names = _names(snapshot)
    panels = []
    for number, (what, values) in enumerate((("Net", "net_gex"), ("Gross", "gross_gex")), 1):
        told = [known(getattr(row, values)) for row in snapshot.expiries]
        value = np.array([np.nan if one is None else one for one in told], float)
        scale = figures.scale_for(float(np.nanmax(np.abs(value), initial=0.0)))
        panels.append(
            Panel(
                values,
                scale.title(f"{what} GEX by expiry", snapshot.params.unit),
                (0, number - 1, 1, 1),
                number,
                signed_bars(names, value / scale.divisor, f"$ {scale.word} {unit}"),
                x={"type": "category", "categoryorder": "array", "categoryarray": names},
                y={"zeroline": True, "tickformat": ",~r"},
            )
        )
    return panels


def _names(snapshot: Snapshot) -> list[str]:
    """Each series by its date, and by its root where there are several."""
    days = labels([row.expiry for row in snapshot.expiries], exchange_day(snapshot.as_of_ms))
    roots = [row.root for row in snapshot.expiries]
    if len(set(roots)) == 1:
        return days
    return [f"{day} {root}" for day, root in zip(days, roots, strict=True)]


def _summary(snapshot: Snapshot) -> str:
    told = [(known(row.net_gex), row) for row in snapshot.expiries]
    some = [(value, row) for value, row in told if value is not None]
    if not some:
        return f"{snapshot.symbol}: no expiry under this choice has a known exposure."
    value, row = max(some, key=lambda pair: abs(pair[0]))
    words = figures.words_of(value)
    return f"{snapshot.symbol}: {len(told)} expiries; the most net GEX, {words}, on {row.expiry:%b %d, %Y}."
