"""The panels as plain-dict figures. The browser adds what depends on its width, its theme and the zoom (assets/chart.js).

Every panel has price on the vertical axis `y`, so they share its range; its own horizontal axis is x, x2 or x3. A trace's
`meta` names its panel and its part, which is how the browser finds it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from app.gex.params import Unit
from app.gex.snapshot import F64
from components.encode import coarse, typed
from components.state import Show

POSITIVE, NEGATIVE, TEXT, MUTED = "#56b4e9", "#e69f00", "#e6ebf1", "#8b98a9"
CARD = "#121820"

# from which size on, what it is divided by, and the word; billions are what readers know, so they reach far
_SCALES = ((5e12, 1e12, "Tn"), (1e8, 1e9, "Bn"), (1e5, 1e6, "M"), (1e2, 1e3, "K"))
UNIT_WORDS: dict[Unit, str] = {"per_1pct": "per 1 %", "per_point": "per point"}

Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scale:
    """What dollars are divided by before they are drawn, and the word for it."""

    divisor: float
    word: str

    def title(self, what: str, unit: Unit) -> str:
        """A panel's heading with its unit: `Net GEX by strike, $ Bn per 1 %`."""
        return f"{what}, $ {self.word}{' ' if self.word else ''}{UNIT_WORDS[unit]}"


def scale_for(largest: float) -> Scale:
    """The scale at which `largest` dollars read well: 0.1 or more."""
    for least, divisor, word in _SCALES:
        if largest >= least:
            return Scale(divisor, word)
    return Scale(1.0, "")


def ladder(strike: F64, calls: F64, puts: F64, scale: Scale, *, show: Show, axis: str = "x") -> list[Trace]:
    """Exposure per strike as horizontal bars: the net, calls and puts with the net as a tick, or both sizes added.

    All shape (k,), $.
    """
    net = (calls + puts) / scale.divisor
    if show == "absolute":
        return _sizes(strike, np.abs(calls) / scale.divisor, np.abs(puts) / scale.divisor, axis)
    if show == "net":
        return bars("net", "Net GEX", axis, strike, net)
    return [
        *bars("call", "Call GEX", axis, strike, calls / scale.divisor),
        *bars("put", "Put GEX", axis, strike, puts / scale.divisor),
        _tick("net", "Net GEX", axis, strike, net),
    ]


def _sizes(strike: F64, calls: F64, puts: F64, axis: str) -> list[Trace]:
    """Calls from zero on and puts beyond them: drawn as the sum with the calls over it."""
    both = calls + puts
    return [
        _bar("absolute", "negative", "Absolute GEX", axis, strike[both > 0], both[both > 0], NEGATIVE),
        _bar("absolute_call", "positive", "Calls", axis, strike[calls > 0], calls[calls > 0], POSITIVE),
    ]


def mirrored(part: str, name: str, strike: F64, calls: F64, puts: F64, axis: str) -> list[Trace]:
    """Contracts per strike, calls to the right and puts to the left of zero: open interest or volume, shape (k,)."""
    return [
        *bars(f"{part}_call", f"Call {name}", axis, strike, calls),
        *bars(f"{part}_put", f"Put {name}", axis, strike, -puts),
    ]


def profile(spot: F64, gex: F64, scale: Scale, axis: str = "x2") -> list[Trace]:
    """G(S') sideways: price up, exposure across. Shape (levels,) each. The browser fills the area to zero by sign."""
    price, value = _with_crossings(spot, gex / scale.divisor)
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": "G(S')",
        "meta": {"panel": "profile", "part": "line"},
        "xaxis": axis,
        "yaxis": "y",
        "x": coarse(value),
        "y": typed(price),
        "line": {"color": TEXT, "width": 1.6},
        "hoverinfo": "none",
        "showlegend": False,
    }
    return [line]


BUCKET_LOOKS = {
    "0dte": ("first", "dash"),
    "week": ("second", "dot"),
    "month": ("third", "dashdot"),
    "rest": ("fourth", "longdash"),
}


def bucket(id_: str, name: str, price: F64, value: F64, axis: str = "x2") -> Trace:
    """The part of the profile that one bucket of expiries makes up; its colour is the name of a token."""
    color, dash = BUCKET_LOOKS[id_]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "meta": {"panel": "profile", "part": "bucket", "color": color},
        "xaxis": axis,
        "yaxis": "y",
        "x": coarse(value),
        "y": typed(price),
        "line": {"color": MUTED, "width": 1.4, "dash": dash},
        "hoverinfo": "none",
        "showlegend": True,
    }


def heatmap(
    strike: F64,
    z: F64,
    limit: float,
    scale: Scale,
    panel: str = "heatmap",
    axis: str = "x3",
    *,
    signed: bool = True,
) -> Trace:
    """Strike by expiry, z with shape (strikes, columns); one colour scale, full at `limit`.

    Signed values diverge from 0, symmetric; counts, which have no sign, go from the card's colour to the text's.
    """
    top = limit / scale.divisor
    colors = [[0, NEGATIVE], [0.5, CARD], [1, POSITIVE]] if signed else [[0, CARD], [1, TEXT]]
    return {
        "type": "heatmap",
        "name": panel,
        "meta": {"panel": panel, "part": "z", "signed": signed},
        "xaxis": axis,
        "yaxis": "y",
        "y": typed(strike),
        "z": coarse(z / scale.divisor)
        if signed
        else typed(z / scale.divisor),  # contracts are named one by one
        "zmin": -top if signed else 0,
        "zmax": top,
        "colorscale": colors,
        "showscale": False,
        "xgap": 1,
        "ygap": 1,
        "hoverinfo": "none",
        "hoverongaps": False,
    }


def color_limit(z: F64) -> float:
    """Where the heatmap's colour is full, $: the 98th percentile, rounded up to 1, 2 or 5 times a power of ten.

    One outlying monthly would leave all else black; rounding keeps colours from flickering between updates.
    """
    size = np.abs(z[np.isfinite(z) & (z != 0)])
    if not len(size):
        return 1.0
    top = float(np.percentile(size, 98))
    power = 10.0 ** np.floor(np.log10(top))
    return float(next((step * power for step in (1, 2, 5) if step * power >= top), 10 * power))


def bars(part: str, name: str, axis: str, strike: F64, value: F64) -> list[Trace]:
    """Bars by sign, a trace each: plotly.js 4.1 warns about every bar whose colour comes from an array, which is slow."""
    return [
        _bar(part, "positive", name, axis, strike[value > 0], value[value > 0], POSITIVE),
        _bar(part, "negative", name, axis, strike[value < 0], value[value < 0], NEGATIVE),
    ]


def _bar(part: str, sign: str, name: str, axis: str, strike: F64, value: F64, color: str) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "meta": {"panel": "ladder", "part": part, "sign": sign},
        "xaxis": axis,
        "yaxis": "y",
        "x": coarse(value),
        "y": typed(strike),
        "marker": {"color": color, "line": {"width": 0}},
        "hoverinfo": "none",
        "showlegend": False,
    }


def _tick(part: str, name: str, axis: str, strike: F64, value: F64) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "meta": {"panel": "ladder", "part": part},
        "xaxis": axis,
        "yaxis": "y",
        "x": coarse(value),
        "y": typed(strike),
        "marker": {"symbol": "line-ns", "size": 7, "line": {"color": TEXT, "width": 1.5}},
        "hoverinfo": "none",
        "showlegend": False,
    }


def _with_crossings(price: F64, value: F64) -> tuple[F64, F64]:
    """The same curve with its zeros as points of their own, so that the two fills meet on the axis."""
    turns = np.flatnonzero(value[:-1] * value[1:] < 0)
    share = value[turns] / (value[turns] - value[turns + 1])
    zeros = price[turns] + share * (price[turns + 1] - price[turns])
    return np.insert(price, turns + 1, zeros), np.insert(value, turns + 1, 0.0)


def words_of(dollars: float) -> str:
    """An amount in words for a sentence: `-$10.4 Bn`."""
    scale = scale_for(abs(dollars))
    size = abs(dollars) / scale.divisor
    return f"{'-' if dollars < 0 else ''}${size:.3g} {scale.word}".rstrip()
