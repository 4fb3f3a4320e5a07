"""Delta, vanna, charm and vega of every strike, and the exposures they add up to (gex-math sections 2 and 3)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from app.gex import greek_kernels
from app.gex.exposure import leg_exposures
from app.gex.params import Params
from app.gex.selection import BUCKETS, buckets, chosen_series
from app.gex.sums import add_up, totals
from app.gex.surface import Surface

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

DAYS = 365.0
HOURS = 365.0 * 24.0


@dataclass(frozen=True, eq=False)
class Greeks:
    """Of each node (a strike of a series), shape (m,) each; NaN where its total volatility is unknown.

    Attributes:
        call_delta, put_delta: per $ of spot, 1.
        gamma: 1/$.
        vanna: delta per unit of sigma; a strike's call and put share it.
        call_charm, put_charm: delta per year as time passes.
        vega: $ per unit of sigma.
    """

    call_delta: F64
    put_delta: F64
    gamma: F64
    vanna: F64
    call_charm: F64
    put_charm: F64
    vega: F64


def greeks(surface: Surface) -> Greeks:
    """All greeks from F, D, x and T; the dividend yield is the one the forward implies, exp(-qT) = D F / S."""
    x, d1, spot = surface.total_vol, surface.d1, surface.spot
    series = surface.layout.node_series
    years = np.where(surface.alive, surface.years, np.nan)[series]
    carried = surface.node_discount * surface.node_forward / spot
    with np.errstate(all="ignore"):
        drift = np.log(surface.node_forward / spot) / years
        q = surface.rate - drift
        d2 = d1 - x
        phi = np.exp(-0.5 * d1**2) / math.sqrt(2 * math.pi)
        up, down = _cdf(d1), _cdf(-d1)
        decay = carried * phi * (2 * drift * years - d2 * x) / (2 * years * x)
        return Greeks(
            call_delta=carried * up,
            put_delta=-carried * down,
            gamma=surface.gamma,
            vanna=-carried * phi * d2 * np.sqrt(years) / x,
            call_charm=q * carried * up - decay,
            put_charm=-q * carried * down - decay,
            vega=surface.node_discount * surface.node_forward * phi * np.sqrt(years),
        )


def _cdf(d: F64) -> F64:
    out = np.empty_like(d)
    known = np.isfinite(d)
    out[~known] = np.nan
    values = np.empty(int(known.sum()))
    greek_kernels.normal_cdf(d[known], values)
    out[known] = values
    return out


@dataclass(frozen=True, eq=False)
class Exposure:
    """One kind of exposure, $, added up in every way it is looked at.

    Attributes:
        total: over everything chosen.
        by_strike: shape (k,), as `Exposures.strike`.
        by_expiry: by date, shape (dates,), as `Exposures.expiries`.
        by_cell: by date and strike, shape (dates, k).
        by_bucket: 0dte (today), week (the rest of this week), month (the rest of 31 days), rest.
    """

    total: float
    by_strike: F64
    by_expiry: F64
    by_cell: F64
    by_bucket: dict[str, float]


@dataclass(frozen=True, eq=False)
class Exposures:
    """What dealers must trade: when spot moves (gex), at once (dex), when volatility moves (vex), as time passes (chex).

    Attributes:
        strike: all strikes of the chain, ascending, shape (k,); expiries: its dates.
        gex: in the convention's unit, $.
        dex: $ of delta.
        vex: $ of delta per volatility point.
        chex_day: $ of delta per day, of contracts that don't expire on the exchange day of as_of.
        chex_hour: $ of delta per hour, of those that do. The two are never added up.
    """

    strike: F64
    expiries: tuple[date, ...]
    gex: Exposure
    dex: Exposure
    vex: Exposure
    chex_day: Exposure
    chex_hour: Exposure


def exposures(surface: Surface, params: Params | None = None) -> Exposures:
    """All exposures under one convention; a contract that isn't in the gamma sums is in none."""
    params = params or Params()
    chosen, series = chosen_series(surface, params), surface.layout.node_series
    legs = leg_exposures(surface, params, chosen[series])
    dex, vex, charm = add_up(surface, params, chosen, legs).values
    today = surface.ending[series]
    return Exposures(
        strike=surface.layout.strikes,
        expiries=surface.layout.dates,
        gex=_added(surface, legs[0].gex + legs[1].gex),
        dex=_added(surface, dex),
        vex=_added(surface, vex),
        chex_day=_added(surface, np.where(today, 0.0, charm / DAYS)),
        chex_hour=_added(surface, np.where(today, charm / HOURS, 0.0)),
    )


def _added(surface: Surface, values: F64) -> Exposure:
    layout = surface.layout
    shape = len(layout.dates), len(layout.strikes)
    cells = totals(layout.node_cell, values, shape[0] * shape[1]).reshape(shape)
    by_bucket = totals(buckets(surface)[layout.node_series], values, len(BUCKETS))
    return Exposure(
        total=float(values.sum()),
        by_strike=cells.sum(axis=0),
        by_expiry=cells.sum(axis=1),
        by_cell=cells,
        by_bucket=dict(zip(BUCKETS, by_bucket.tolist(), strict=True)),
    )
