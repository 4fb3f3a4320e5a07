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

POSITIVE, NEGATIVE, TEXT, MUTED = "#56b4e9", "#e69f00", "#e6ebf1", "#8b98a9"
CARD = "#121820"

# from which size on, what it is divided by, and the word; billions are what readers know, so they reach far
_SCALES = ((5e12, 1e12, "Tn"), (1e8, 1e9, "Bn"), (1e5, 1e6, "M"), (1e2, 1e3, "K"))
_UNIT_WORDS: dict[Unit, str] = {"per_1pct": "per 1 %", "per_point": "per point"}

Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scale:
    """What dollars are divided by before they are drawn, and the word for it."""

    divisor: float
    word: str

    def title(self, what: str, unit: Unit) -> str:
        """A panel's heading with its unit: `Net GEX by strike, $ Bn per 1 %`."""
        return f"{what}, $ {self.word}{' ' if self.word else ''}{_UNIT_WORDS[unit]}"


def scale_for(largest: float) -> Scale:
    """The scale at which `largest` dollars read well: 0.1 or more."""
    for least, divisor, word in _SCALES:
        if largest >= least:
            return Scale(divisor, word)
    return Scale(1.0, "")


def ladder(strike: F64, calls: F64, puts: F64, scale: Scale, *, split: bool, axis: str = "x") -> list[Trace]:
    """Exposure per strike as horizontal bars: the net, or calls and puts with the net as a tick. All shape (k,), $."""
    net = (calls + puts) / scale.divisor
    if not split:
        return bars("net", "Net GEX", axis, strike, net)
    return [
        *bars("call", "Call GEX", axis, strike, calls / scale.divisor),
        *bars("put", "Put GEX", axis, strike, puts / scale.divisor),
        _tick("net", "Net GEX", axis, strike, net),
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


def heatmap(strike: F64, z: F64, limit: float, scale: Scale, axis: str = "x3") -> Trace:
    """Strike by expiry, z with shape (strikes, columns); one colour scale, symmetric about 0, full at +-limit $."""
    top = limit / scale.divisor
    return {
        "type": "heatmap",
        "name": "Net GEX",
        "meta": {"panel": "heatmap", "part": "z"},
        "xaxis": axis,
        "yaxis": "y",
        "y": typed(strike),
        "z": coarse(z / scale.divisor),
        "zmin": -top,
        "zmax": top,
        "zmid": 0,
        "colorscale": [[0, NEGATIVE], [0.5, CARD], [1, POSITIVE]],
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
