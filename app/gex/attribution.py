"""Where a change of net GEX comes from, and what net GEX would be elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from app.gex import greek_kernels
from app.gex.exposure import Legs, leg_exposures, unit_factor
from app.gex.params import Params
from app.gex.profile import Bells
from app.gex.selection import chosen_series
from app.gex.surface import Surface

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Attribution:
    """The parts of a change of net GEX, $; they add up to it exactly.

    They are taken one after the other, in this order: each part is what changes when its cause alone moves on from where the
    parts before left off.

    Attributes:
        before, after: net GEX of the reference and of the present.
        expired: contracts of the reference that have settled since.
        spot: the rest at the present spot, with volatilities, carries and weights as they were.
        volatility: their present volatilities, carries and discount factors.
        weight: their present open interest, volume or flow, whichever the convention counts by.
        coverage: contracts that are in only one of the two sums for another reason: newly listed, newly or no longer priced.

    Where nothing is in one of the two sums its net GEX and all parts are NaN.
    """

    before: float
    after: float
    expired: float
    spot: float
    volatility: float
    weight: float
    coverage: float


@dataclass(frozen=True, eq=False)
class _Terms:
    """The contracts in one sum, shape (n,) each."""

    row: I64
    strike: F64
    weight: F64
    carry: F64
    discount: F64
    total_vol: F64

    def take(self, at: I64) -> _Terms:
        return _Terms(**{field.name: getattr(self, field.name)[at] for field in fields(self)})


def attribute(before: Surface, after: Surface, params: Params | None = None) -> Attribution:
    """Split the change of net GEX from one surface of an underlying to a later one. Contracts are matched by symbol."""
    params = params or Params()
    old, new = _terms(before, params), _terms(after, params)
    at_old, at_new = _matched(before, old, after, new)
    kept, now = old.take(at_old), new.take(at_new)
    unit, unit_now = unit_factor(before, params), unit_factor(after, params)
    start = unit * _sum(kept, before.spot, kept, kept)
    moved = unit_now * _sum(kept, after.spot, kept, kept)
    revalued = unit_now * _sum(kept, after.spot, now, kept)
    final = unit_now * _sum(kept, after.spot, now, now)
    gone, gained = old.take(_others(old, at_old)), new.take(_others(new, at_new))
    settled = before.chain.contracts.settle_ms[gone.row] <= after.chain.as_of_ms
    expired, lost = (
        unit * _sum(part, before.spot, part, part)
        for part in (gone.take(np.flatnonzero(settled)), gone.take(np.flatnonzero(~settled)))
    )
    found = unit_now * _sum(gained, after.spot, gained, gained)
    total_before = start + expired + lost if len(old.row) else math.nan
    total_after = final + found if len(new.row) else math.nan
    if not (len(old.row) and len(new.row)):
        return Attribution(total_before, total_after, *[math.nan] * 5)
    return Attribution(
        before=total_before,
        after=total_after,
        expired=-expired,
        spot=moved - start,
        volatility=revalued - moved,
        weight=final - revalued,
        coverage=found - lost,
    )


def _matched(before: Surface, old: _Terms, after: Surface, new: _Terms) -> tuple[I64, I64]:
    """Where the contracts that both have stand in each."""
    contracts = before.chain.contracts
    if contracts is after.chain.contracts:  # rows are numbers: far faster to match than symbols
        place = np.full(len(contracts.strike), -1, np.int64)
        place[new.row] = np.arange(len(new.row))
        at_new = place[old.row]
        at_old = np.flatnonzero(at_new >= 0)
        return at_old, at_new[at_old]
    symbols = contracts.symbol[old.row], after.chain.contracts.symbol[new.row]
    _, at_old, at_new = np.intersect1d(*symbols, return_indices=True)
    return at_old, at_new


def _others(terms: _Terms, at: I64) -> I64:
    """All places but these."""
    other = np.ones(len(terms.row), bool)
    other[at] = False
    return np.flatnonzero(other)


def scenario(surface: Surface, spot_shifts: F64, vol_shifts: F64, params: Params | None = None) -> F64:
    """Net GEX if spot and volatility stood elsewhere, shape (len(vol_shifts), len(spot_shifts)), $.

    Args:
        surface: a fitted chain.
        spot_shifts: relative, -0.05 for 5 % lower; F/S is held (sticky strike).
        vol_shifts: added to every volatility per year, 0.02 for two points; none falls below a tenth of itself.
        params: the convention; per point it is per point at the shifted spot.

    NaN where nothing is in the sums.
    """
    params = params or Params()
    terms = _terms(surface, params)
    settle_years = np.maximum(surface.years, 0.0)[surface.layout.row_series[terms.row]]
    spots = surface.spot * (1.0 + np.asarray(spot_shifts, np.float64))
    units = np.ones(len(spots)) if params.unit == "per_1pct" else 1.0 / (0.01 * spots)
    out = np.full((len(vol_shifts), len(spots)), np.nan)
    if not len(terms.row):
        return out
    for i, shift in enumerate(vol_shifts):
        x = np.maximum(terms.total_vol + shift * np.sqrt(settle_years), 0.1 * terms.total_vol)
        forward = terms.carry * surface.spot
        bells = Bells.of(surface.spot, forward, terms.discount, terms.strike, x, terms.weight)
        out[i] = [bells.at(spot) for spot in spots] * units
    return out


def _sum(contracts: _Terms, spot: float, market: _Terms, held: _Terms) -> float:
    """Sum of s w M gamma S²: strikes of `contracts`, carries and volatilities of `market`, weights of `held`."""
    density = np.empty(len(contracts.strike))
    greek_kernels.gamma_density(
        spot * market.carry, market.discount, contracts.strike, market.total_vol, density
    )
    return float(np.sum(held.weight * density))  # a dot product would wake BLAS threads


def _terms(surface: Surface, params: Params) -> _Terms:
    chosen = chosen_series(surface, params)[surface.layout.node_series]
    return _of_legs(surface, leg_exposures(surface, params, chosen))


def _of_legs(surface: Surface, legs: Legs) -> _Terms:
    layout = surface.layout
    nodes = np.concatenate([np.flatnonzero(leg.used) for leg in legs])
    rows = np.concatenate(
        [rows[leg.used] for rows, leg in zip((layout.call_row, layout.put_row), legs, strict=True)]
    )
    return _Terms(
        row=rows,
        strike=layout.strike[nodes],
        weight=np.concatenate([leg.weight[leg.used] for leg in legs]),
        carry=surface.node_forward[nodes] / surface.spot,
        discount=surface.node_discount[nodes],
        total_vol=surface.total_vol[nodes],
    )
