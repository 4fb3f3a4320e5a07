"""The volatility that the exposures rest on: smiles, term structure, expected move, and the vendor's beside ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.smile import Smile, smiles
from app.gex.snapshot import F64, ExpirySummary, Snapshot
from app.gex.vols import OTHER_LEG, OTM, VOL_SOURCES
from app.market.calendar import exchange_day
from components.columns import labels
from components.encode import coarse, typed
from components.facts import Crop, Facts, Parts, known
from components.plain import Panel, Trace, plain
from components.state import PageState

Bools = NDArray[np.bool_]

# Of all expiries, the nearest to each of these days is drawn; more would hide each other.
_TARGET_DAYS = (0, 7, 30, 91, 270)
_MOST_SMILES, _MOST_POINTS = 6, 110
_COLORS = ("$text", "$first", "$positive", "$second", "$third", "$negative")
_DASHES = ("solid", "solid", "dash", "dot", "dashdot", "longdash")
_SIGHT = 4.0  # standard deviations of the longest smile in sight, either way
_WIDEST = 0.35  # of ln(K/F): beyond it near expiries would be a needle
_DAY_TICKS = (0, 1, 2, 7, 14, 30, 60, 90, 180, 365, 730, 1095, 1825)
_CONE_DAYS = 400.0

_SMILE_COLUMNS = (
    {"id": "expiry", "name": "Expiry", "left": True},
    {"id": "root", "name": "Root", "left": True},
    {"id": "strike", "name": "Strike", "as": "strike"},
    {"id": "moneyness", "name": "ln(K/F)", "as": "number"},
    {"id": "vol", "name": "Vol", "as": "percent"},
    {"id": "bid_vol", "name": "At bid", "as": "percent"},
    {"id": "ask_vol", "name": "At ask", "as": "percent"},
    {"id": "vendor", "name": "Vendor's", "as": "percent"},
    {"id": "residual", "name": "Ours less vendor's", "as": "share", "signed": True},
    {"id": "source", "name": "From", "left": True},
)
_TERM_COLUMNS = (
    {"id": "expiry", "name": "Expiry", "left": True},
    {"id": "root", "name": "Root", "left": True},
    {"id": "days", "name": "Days", "as": "days"},
    {"id": "forward", "name": "Forward", "as": "price"},
    {"id": "atm_vol", "name": "ATM vol", "as": "percent"},
    {"id": "straddle", "name": "Straddle", "as": "move"},
    {"id": "sigma", "name": "One sigma", "as": "move"},
    {"id": "residual", "name": "Median less vendor's", "as": "share", "signed": True},
    {"id": "points", "name": "Quoted strikes", "as": "integer"},
)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A smile with the name, the colour and the dash that it has in every panel."""

    smile: Smile
    name: str
    color: str
    dash: str


def view(facts: Facts, state: PageState, crop: Crop) -> Parts:
    """Four panels, and the points of the drawn smiles or the term structure as the table."""
    del crop
    snapshot = facts.snapshot
    every = _in_choice(smiles(facts.surface), snapshot)
    shown = drawn(every, snapshot, explicit=bool(state.params.expiries))
    rows = snapshot.expiries
    panels = [_smile(shown), _residuals(shown), _term(rows, snapshot), _cone(rows, snapshot)]
    table = _term_table(every, snapshot) if state.by == "expiry" else _smile_table(shown)
    return {"plain": plain("volatility", (2, 2), panels), "summary": summary(snapshot), **table}


def recorded(snapshot: Snapshot) -> Parts:
    """What is kept of a past minute: the term structure and the cone; smiles aren't recorded."""
    rows = snapshot.expiries
    panels = [
        replace(_term(rows, snapshot), at=(0, 0, 1, 1)),
        replace(_cone(rows, snapshot), at=(1, 0, 1, 1)),
    ]
    note = "Smiles aren't recorded: each date's volatility at the money and its expected move are."
    table = _term_table([], snapshot)
    return {"plain": plain("term", (2, 1), panels), "summary": summary(snapshot), "note": note, **table}


def _in_choice(found: Iterable[Smile], snapshot: Snapshot) -> list[Smile]:
    chosen = {(row.root, row.expiry, row.settlement[:1]) for row in snapshot.expiries}
    return [s for s in found if (s.root, s.expiry, s.settlement[:1]) in chosen and quoted(s).sum() > 2]


def quoted(smile: Smile) -> Bools:
    """The strikes whose volatility comes from a quote of their own, shape (n,)."""
    return np.asarray((smile.source == OTM) | (smile.source == OTHER_LEG))


def drawn(found: list[Smile], snapshot: Snapshot, *, explicit: bool) -> list[Drawn]:
    """The chosen expiries where some were chosen by date; else the ones nearest to a few usual terms."""
    kept = found if explicit else _spread(found)
    today = exchange_day(snapshot.as_of_ms)
    roots = len({smile.root for smile in found}) > 1
    days = labels([smile.expiry for smile in kept], today)
    names = [f"{day} {smile.root}" if roots else day for day, smile in zip(days, kept, strict=True)]
    return [
        Drawn(smile, name, color, dash)
        for smile, name, color, dash in zip(kept[:_MOST_SMILES], names, _COLORS, _DASHES, strict=False)
    ]


def _spread(found: list[Smile]) -> list[Smile]:
    at = {min(range(len(found)), key=lambda i: abs(found[i].years * 365 - d)) for d in _TARGET_DAYS if found}
    return [found[i] for i in sorted(at)]


def _reach(shown: list[Drawn]) -> float:
    """How far from the forward the smiles are in sight at first, ln(K/F)."""
    widths = [_SIGHT * _atm(one.smile) for one in shown]
    return min(max([w for w in widths if math.isfinite(w)], default=0.1), _WIDEST)


def _atm(smile: Smile) -> float:
    """Total volatility near the forward."""
    near = np.argmin(np.abs(smile.log_moneyness)) if len(smile.strike) else None
    return math.nan if near is None else float(smile.total_vol[near])


def _smile(shown: list[Drawn]) -> Panel:
    reach = _reach(shown)
    traces = [trace for one in shown for trace in _smile_traces(one, reach)]
    tops = [_highest(one.smile) for one in shown]
    top = max((t for t in tops if math.isfinite(t)), default=1.0)
    return Panel(
        "smile",
        "Implied volatility, % a year, by our own inversion",
        (0, 0, 1, 1),
        1,
        traces,
        below="ln(K/F): 0 is the forward",
        x={"range": [-reach, reach], "zeroline": True},
        y={"range": [0, 108 * top], "ticksuffix": " %"},
        legend=True,
    )


def _highest(smile: Smile) -> float:
    """The highest volatility of strikes that matter: those a cent wide must not flatten all else."""
    seen = quoted(smile) & (np.abs(smile.log_moneyness) <= _SIGHT * _atm(smile))
    return float(smile.vol[seen].max(initial=0.0)) or math.nan


def _sight(smile: Smile, reach: float) -> Bools:
    """The quoted strikes in sight and a little beyond, shape (n,); far ones thinned out to as many as can be told apart."""
    seen = np.flatnonzero(quoted(smile) & (np.abs(smile.log_moneyness) <= 1.1 * reach))
    kept = np.zeros(len(smile.strike), bool)
    kept[seen[:: max(1, math.ceil(len(seen) / _MOST_POINTS))]] = True
    return kept


def _smile_traces(one: Drawn, reach: float) -> list[Trace]:
    smile, at = one.smile, _sight(one.smile, reach)
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": one.name,
        "showlegend": True,
        "x": coarse(smile.log_moneyness[at]),
        "y": coarse(100 * smile.vol[at]),
        "customdata": typed(smile.strike[at]),
        "line": {"color": one.color, "width": 1.4, "dash": one.dash},
        "marker": {"color": one.color, "size": 3},
        "hovertemplate": f"<b>{one.name}</b> strike %{{customdata:,~f}}<br>ln(K/F) %{{x:.4f}}<br>%{{y:.2f}} %"
        "<extra></extra>",
    }
    return [_band(one, at), line]


def _band(one: Drawn, at: Bools) -> Trace:
    """Between bid and ask, as an area."""
    smile = one.smile
    x, low, high = smile.log_moneyness[at], smile.bid_vol[at], smile.ask_vol[at]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": coarse(np.concatenate([x, x[::-1]])),
        "y": coarse(100 * np.concatenate([low, high[::-1]])),
        "fill": "toself",
        "fillcolor": f"{one.color}1c",
        "line": {"width": 0},
        "hoverinfo": "skip",
    }


def _residuals(shown: list[Drawn]) -> Panel:
    reach = _reach(shown)
    traces, sizes = [], [np.zeros(1)]
    for one in shown:
        at = _sight(one.smile, reach) & np.isfinite(one.smile.vendor_vol)
        apart = 100 * _apart(one.smile)[at]
        sizes.append(np.abs(apart[np.abs(one.smile.log_moneyness[at]) <= reach]))
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": one.name,
                "x": coarse(one.smile.log_moneyness[at]),
                "y": coarse(apart),
                "customdata": typed(one.smile.strike[at]),
                "marker": {"color": one.color, "size": 4},
                "hovertemplate": f"<b>{one.name}</b> strike %{{customdata:,~f}}<br>%{{y:+.2f}} points<extra></extra>",
            }
        )
    told = any(len(sizes_of) for sizes_of in sizes[1:])
    far = float(np.percentile(np.concatenate(sizes), 97)) if len(sizes) > 1 else 0.0
    return Panel(
        "residuals",
        f"Ours less the vendor’s, {'volatility points' if told else 'which gives none now'}",
        (0, 1, 1, 1),
        2,
        traces,
        below="ln(K/F)",
        x={"range": [-reach, reach], "matches": "x"},
        y={"range": [-max(1.2 * far, 0.5), max(1.2 * far, 0.5)], "zeroline": True},
    )


def _apart(smile: Smile) -> F64:
    return np.asarray(smile.vol - smile.vendor_vol)


def _days(row: ExpirySummary, snapshot: Snapshot) -> float:
    return (row.settle_ms - snapshot.as_of_ms) / 86_400_000


def _term(rows: Iterable[ExpirySummary], snapshot: Snapshot) -> Panel:
    told = [row for row in rows if known(row.atm_vol) is not None]
    days = np.array([_days(row, snapshot) for row in told])
    values = np.array([100 * float(row.atm_vol or math.nan) for row in told])
    trace = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": typed(np.sqrt(days)),
        "y": coarse(values),
        "text": _labels(told),
        "line": {"color": "$text", "width": 1.2},
        "marker": {"color": "$text", "size": 4},
        "hovertemplate": "<b>%{text}</b><br>%{y:.2f} %<extra></extra>",
    }
    return Panel(
        "term",
        "At-the-money volatility, % a year",
        (1, 0, 1, 1),
        3,
        [trace],
        below="Days to settlement, on a square-root scale",
        x=_root_axis(float(days.max(initial=1.0))),
        y={"ticksuffix": " %", "rangemode": "tozero"},
    )


def _labels(rows: Iterable[ExpirySummary]) -> list[str]:
    return [f"{row.expiry:%a %b %d, %Y} {row.root}" for row in rows]


def _root_axis(last: float) -> dict[str, Any]:
    """Days by their square root, as volatility counts them: a flat term structure makes the cone a straight wedge."""
    ticks = [day for day in _DAY_TICKS if day <= last * 1.02]
    kept: list[int] = []
    for day in ticks:
        if not kept or math.sqrt(day) - math.sqrt(kept[-1]) > 0.05 * math.sqrt(last):
            kept.append(day)
    return {
        "range": [0, 1.03 * math.sqrt(max(last, 1e-3))],
        "tickvals": [math.sqrt(day) for day in kept],
        "ticktext": [str(day) for day in kept],
    }


def _cone(rows: Iterable[ExpirySummary], snapshot: Snapshot) -> Panel:
    told = [
        row for row in rows if row.forward and known(row.sigma_move) and _days(row, snapshot) <= _CONE_DAYS
    ]
    days = np.array([0.0, *(_days(row, snapshot) for row in told)])
    spot = snapshot.spot or math.nan
    forward = np.array([spot, *(row.forward or math.nan for row in told)])
    x_atm = np.array([0.0, *(row.atm_total_vol or math.nan for row in told)])
    x = np.sqrt(days)
    traces = []
    for sigmas, shade in ((2, "12"), (1, "24")):
        low, high = forward * np.exp(-sigmas * x_atm), forward * np.exp(sigmas * x_atm)
        traces.append(_wedge(x, low, high, shade, f"{sigmas} standard deviation{'s' if sigmas > 1 else ''}"))
    traces += [_middle(x, forward), *_straddles(told, days[1:], spot)]
    return Panel(
        "cone",
        "Expected move, $, one and two standard deviations: straddles as ticks",
        (1, 1, 1, 1),
        4,
        traces,
        below="Days to settlement, on a square-root scale",
        x=_root_axis(float(days.max(initial=1.0))),
        y={"tickformat": ",~f"},
        shapes=_spot_line(spot),
    )


def _spot_line(spot: float) -> tuple[dict[str, Any], ...]:
    if not math.isfinite(spot):
        return ()
    line = {"color": "$spot", "width": 1}
    return ({"type": "line", "across": True, "y0": spot, "y1": spot, "line": line},)


def _wedge(x: F64, low: F64, high: F64, shade: str, name: str) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": typed(np.concatenate([x, x[::-1]])),
        "y": typed(np.concatenate([low, high[::-1]])),
        "fill": "toself",
        "fillcolor": f"$positive{shade}",
        "line": {"color": "$positive60", "width": 1},
        "hoverinfo": "skip",
    }


def _middle(x: F64, forward: F64) -> Trace:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": typed(x),
        "y": typed(forward),
        "line": {"color": "$muted", "width": 1, "dash": "dot"},
        "hovertemplate": "Forward %{y:,.2f}<extra></extra>",
    }


def _straddles(rows: list[ExpirySummary], days: F64, spot: float) -> list[Trace]:
    """What each expiry's at-the-money straddle costs, up and down from its forward."""
    move = np.array([row.straddle or math.nan for row in rows])
    forward = np.array([row.forward or math.nan for row in rows])
    words = [
        f"{name}<br>straddle ±{m:,.2f}, {m / spot:.2%} of spot<br>one sigma ±{row.sigma_move:,.2f}"
        for name, m, row in zip(_labels(rows), move, rows, strict=True)
    ]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": typed(np.sqrt(days)),
            "y": typed(forward + side * move),
            "text": words,
            "marker": {"symbol": "line-ew", "size": 9, "line": {"color": "$text", "width": 1.5}},
            "hovertemplate": "<b>%{text}</b><extra></extra>",
        }
        for side in (1, -1)
    ]


def _smile_table(shown: list[Drawn]) -> Parts:
    """The strikes in sight of every drawn smile, as columns; each with where its volatility comes from."""
    kept = [
        (one.smile, np.flatnonzero(np.abs(one.smile.log_moneyness) <= _listed_reach(one.smile)))
        for one in shown
    ]
    series = np.repeat(np.arange(len(kept)), [len(at) for _, at in kept])

    def column(values: Callable[[Smile], F64]) -> dict[str, Any]:
        return typed(np.concatenate([values(smile)[at] for smile, at in kept] or [np.empty(0)]))

    listed = {
        "expiry": {"words": [smile.expiry.isoformat() for smile, _ in kept], **typed(series)},
        "root": {"words": [smile.root for smile, _ in kept], **typed(series)},
        "strike": typed(np.concatenate([smile.strike[at] for smile, at in kept] or [np.empty(0)])),
        "moneyness": column(lambda smile: smile.log_moneyness),
        "vol": column(lambda smile: smile.vol),
        "bid_vol": column(lambda smile: _own(smile, smile.bid_vol)),
        "ask_vol": column(lambda smile: _own(smile, smile.ask_vol)),
        "vendor": column(lambda smile: smile.vendor_vol),
        "residual": column(lambda smile: _own(smile, _apart(smile))),
        "source": {
            "words": [(name or "unknown").replace("_", " ") for name in VOL_SOURCES],
            **column(lambda smile: smile.source.astype(float)),
        },
    }
    return {"columns": list(_SMILE_COLUMNS), "listed": listed}


def _own(smile: Smile, values: F64) -> F64:
    """Unknown where the strike has no quote of its own: the vendor's volatility agrees with itself, which tells nothing."""
    return np.where(quoted(smile), values, np.nan)


def _listed_reach(smile: Smile) -> float:
    return min(_SIGHT * _atm(smile), _WIDEST)


def _rounded(value: float) -> float | None:
    """To a thousandth of a volatility point."""
    return round(float(value), 5) if math.isfinite(value) else None


def _term_table(every: list[Smile], snapshot: Snapshot) -> Parts:
    fits = {(s.root, s.expiry, s.settlement[:1]): s for s in every}
    rows = [
        _term_row(row, fits.get((row.root, row.expiry, row.settlement[:1])), snapshot)
        for row in snapshot.expiries
    ]
    return {"columns": list(_TERM_COLUMNS), "rows": rows}


def _term_row(row: ExpirySummary, smile: Smile | None, snapshot: Snapshot) -> dict[str, Any]:
    residual, points = None, None
    if smile is not None:
        at = quoted(smile)
        apart = _apart(smile)[at]
        told = apart[np.isfinite(apart)]
        residual, points = _rounded(float(np.median(told))) if len(told) else None, int(at.sum())
    return {
        "expiry": row.expiry.isoformat(),
        "root": row.root,
        "days": round(_days(row, snapshot), 2),
        "forward": known(row.forward),
        "atm_vol": known(row.atm_vol),
        "straddle": known(row.straddle),
        "sigma": known(row.sigma_move),
        "residual": residual,
        "points": points,
    }


def summary(snapshot: Snapshot) -> str:
    """One sentence: at-the-money volatility of the nearest and of the last expiry that have one."""
    told = [row for row in snapshot.expiries if known(row.atm_vol) is not None]
    if not told:
        return f"{snapshot.symbol}: no expiry under this choice has a volatility."
    words = [
        f"{100 * float(row.atm_vol or 0):.1f} % for {row.expiry:%b %d, %Y}" for row in (told[0], told[-1])
    ]
    return f"{snapshot.symbol}: at-the-money volatility {', '.join(dict.fromkeys(words))}."
