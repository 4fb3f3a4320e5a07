"""Up to four symbols beside each other, or an index and its funds added up on the index's price axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.gex.snapshot import F64, Snapshot
from components import figures, strip
from components.axis import padded, suggested_range
from components.encode import coarse, typed
from components.facts import Crop, Facts, Parts
from components.panels import within
from components.plain import Panel, Trace, plain
from components.state import PageState

# Underlyings of the same index: only their dollars may be added up. The first followed one lends the price axis.
FAMILIES = (
    ("SPX", "XSP", "SPY", "IVV", "VOO"),
    ("NDX", "XND", "QQQ", "QQQM"),
    ("RUT", "MRUT", "IWM"),
    ("DJX", "DIA"),
)
MOST = 4
_IN_PART = "read in part"  # in the place of a regime
_LABEL_GAP = 0.06  # of a panel's height: the room that a label needs, on a phone

COLUMNS = (
    {"id": "symbol", "name": "Symbol", "left": True},
    {"id": "spot", "name": "Spot", "as": "price"},
    {"id": "change_share", "name": "Change", "as": "share", "signed": True},
    {"id": "flip", "name": "Flip", "as": "price"},
    {"id": "flip_away", "name": "Flip from spot", "as": "share"},
    {"id": "call_wall", "name": "Call wall", "as": "strike"},
    {"id": "put_wall", "name": "Put wall", "as": "strike"},
    {"id": "net_gex", "name": "Net GEX", "as": "dollars", "signed": True},
    {"id": "gross_gex", "name": "Gross GEX", "as": "gross"},
    {"id": "regime", "name": "Regime", "left": True},
    {"id": "move_share", "name": "Expected move", "as": "percent"},
    {"id": "instant", "name": "As of", "as": "clock"},
)


@dataclass(frozen=True, eq=False, slots=True)
class Member:
    """One symbol of a comparison: its snapshot, or in words why there is none.

    Attributes:
        card: whose moment it is and when, and its levels, as an answer about this symbol alone has them.
    """

    symbol: str
    snapshot: Snapshot | None
    card: Parts = field(default_factory=dict)
    why: str = ""

    @classmethod
    def of(cls, facts: Facts) -> Member:
        """The present of one symbol."""
        card = {**strip.times(facts), "levels": strip.levels(facts)}
        return cls(facts.chain.symbol, facts.snapshot, card)


def partners(symbol: str, chosen: Iterable[str], followed: Iterable[str]) -> tuple[str, ...]:
    """Who is compared with a symbol: the chosen ones; else its family, else the next of those followed."""
    others = tuple(name for name in chosen if name != symbol)
    if others:
        return others[: MOST - 1]
    names = [name for name in followed if name != symbol]
    family = [name for name in names if related((symbol, name))]
    return tuple(family or names)[: MOST - 1]


def related(symbols: Iterable[str]) -> bool:
    """Whether all stand for one index."""
    names = set(symbols)
    return any(names <= set(family) for family in FAMILIES)


def alone(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """A comparison before its other members are known."""
    del state, crop
    return apart([Member.of(facts)])


def apart(members: Iterable[Member]) -> Parts:
    """A small ladder for each, on its own price axis."""
    shown = list(members)
    told = [
        (one.snapshot, found) for one in shown if one.snapshot and (found := suggested_range(one.snapshot))
    ]
    panels = [_ladder(snapshot, found, number) for number, (snapshot, found) in enumerate(told, 1)]
    return {**beside(shown), "plain": plain("compare", (max(len(panels), 1), 1), panels)}


def beside(members: Iterable[Member]) -> Parts:
    """A card for each member, and the same as a table."""
    cards = [_card(one) for one in members]
    rows = [_row(card) for card in cards if "levels" in card]
    return {"beside": cards, "columns": list(COLUMNS), "rows": rows, "summary": _summary(rows)}


def _card(member: Member) -> dict[str, Any]:
    return {"symbol": member.symbol, "why": member.why} if member.snapshot is None else member.card


def _row(card: dict[str, Any]) -> dict[str, Any]:
    levels = card["levels"]
    spot, flip, move = levels["spot"], levels["flip"], levels["move"]
    names = ("spot", "change_share", "flip", "call_wall", "put_wall", "net_gex", "gross_gex")
    return {
        "symbol": card["symbol"],
        **{name: levels[name] for name in names},
        "regime": _IN_PART if card["missing"] else levels["regime"],
        "flip_away": (flip - spot) / spot if spot and flip else None,
        "move_share": move["value"] / spot if spot and move else None,
        "instant": card["spot_at"] or card["as_of"],
    }


def _summary(rows: list[dict[str, Any]]) -> str:
    said = []
    for row in rows:
        spot = "unknown" if row["spot"] is None else f"{row['spot']:,.2f}"
        net = "unknown" if row["net_gex"] is None else figures.words_of(row["net_gex"])
        part = ", read in part" if row["regime"] == _IN_PART else ""
        said.append(f"{row['symbol']}: spot {spot}, net GEX {net}{part}")
    return f"{'; '.join(said)}."


def _ladder(snapshot: Snapshot, found: Crop, number: int) -> Panel:
    table = snapshot.strikes
    rows = within(table.strike, padded(found, 0.05))
    net = table.net_gex[rows]
    scale = figures.scale_for(float(np.nanmax(np.abs(net), initial=0.0)))
    spot = snapshot.spot or math.nan
    reach = float(np.nanmax(np.abs(net), initial=0.0)) / scale.divisor or 1.0
    return Panel(
        snapshot.symbol,
        scale.title(f"{snapshot.symbol} net GEX", snapshot.params.unit),
        (number - 1, 0, 1, 1),
        number,
        _bars(table.strike[rows], net / scale.divisor, spot, scale),
        x={"range": [-1.1 * reach, 1.1 * reach], "zeroline": True, "tickformat": ",~r"},
        y={"range": list(found), "tickformat": ",~f"},
        shapes=tuple(_line(at, color, dash) for _, at, color, dash in _marks(snapshot)),
        notes=tuple(_labels(snapshot, found)),
    )


def _bars(strike: F64, net: F64, spot: float, scale: figures.Scale) -> list[Trace]:
    unit = f"$ {scale.word}".strip()
    return [
        {
            "type": "bar",
            "orientation": "h",
            "x": coarse(net[at]),
            "y": typed(strike[at]),
            "customdata": typed(100 * (strike[at] / spot - 1)),
            "marker": {"color": f"${sign}", "line": {"width": 0}},
            "hovertemplate": f"<b>Strike %{{y:,~f}}</b>  %{{customdata:+.2f}} %<br>%{{x:+.3~g}} {unit}<extra></extra>",
        }
        for sign, at in (("positive", net > 0), ("negative", net < 0))
    ]


def _marks(snapshot: Snapshot) -> list[tuple[str, float, str, str]]:
    levels = snapshot.levels
    every = (
        ("Call wall", levels.call_wall, "$positive", "2px,3px"),
        ("Put wall", levels.put_wall, "$negative", "2px,3px"),
        ("Flip", levels.flip, "$flip", "9px,7px"),
        ("Spot", snapshot.spot, "$spot", "solid"),
    )
    return [(name, at, color, dash) for name, at, color, dash in every if at is not None]


def _line(at: float, color: str, dash: str) -> dict[str, Any]:
    """A line through its own panel."""
    across = {"type": "line", "across": True, "y0": at, "y1": at}
    return across | {"line": {"color": color, "width": 1, "dash": dash}}


def _labels(snapshot: Snapshot, shown: Crop) -> list[dict[str, Any]]:
    """Names of the lines at the right edge, each over its line, and under it where the next line is close above."""
    gap = _LABEL_GAP * (shown[1] - shown[0])
    seen = sorted(
        (mark for mark in _marks(snapshot) if shown[0] <= mark[1] <= shown[1]), key=lambda mark: mark[1]
    )
    notes, free = [], -math.inf  # from where on upwards there is room
    for (name, at, color, _), above in zip(seen, [*(mark[1] for mark in seen[1:]), math.inf], strict=True):
        under = above - at < gap and at - gap >= max(free, shown[0])
        y = at if under else max(at, free)
        free = y if under else y + gap
        place = {"across": True, "x": 1, "y": y, "xanchor": "right", "yanchor": "top" if under else "bottom"}
        font = {"size": 11, "color": color}
        notes.append(
            place | {"text": _words(name, at), "showarrow": False, "font": font, "bgcolor": "$cardcc"}
        )
    return notes


def _words(name: str, at: float) -> str:
    """As assets/format.js writes a price, a computed level, and a strike."""
    if name == "Spot":
        return f"{name} {at:,.2f}"
    if name == "Flip":
        return f"{name} {at:,.2f}" if abs(at) < 1000 else f"{name} {at:,.1f}"
    return f"{name} {at:,.10g}"
