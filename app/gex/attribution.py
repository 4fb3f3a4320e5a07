"""Where a change of net GEX comes from, and what net GEX would be elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gex import greek_kernels
from app.gex.exposure import leg_exposures, unit_factor
from app.gex.params import Params
from app.gex.profile import Bells
from app.gex.selection import chosen_series
from app.gex.surface import Surface
from app.market.chain import Contracts

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Places = I64 | slice


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
class Holdings:
    """What of a surface under one convention is compared with another time's: the contracts in its sum, and their worth.

    Shapes: m nodes, n contracts in the sum, calls before puts.

    Attributes:
        unit: what turns gamma S² into the convention's unit.
        strike, carry, discount, total_vol: K, F/S, D and x of each node, shape (m,).
        density: gamma S² of each node at this spot, $ a share, shape (m,).
        row, node: where each contract stands in the chain and in the layout, shape (n,).
        weight: its signed shares, shape (n,).
    """

    contracts: Contracts
    as_of_ms: int
    spot: float
    unit: float
    strike: F64
    carry: F64
    discount: F64
    total_vol: F64
    density: F64
    row: I64
    node: I64
    weight: F64

    @classmethod
    def of(cls, surface: Surface, params: Params | None = None) -> Holdings:
        """The contracts in a fitted chain's sum."""
        params, layout = params or Params(), surface.layout
        legs = leg_exposures(surface, params, chosen_series(surface, params)[layout.node_series])
        nodes = [np.flatnonzero(leg.used) for leg in legs]
        market = layout.strike, surface.node_forward / surface.spot, surface.node_discount, surface.total_vol
        return cls(
            surface.chain.contracts,
            surface.chain.as_of_ms,
            surface.spot,
            unit_factor(surface, params),
            *market,
            _density(surface.spot, *market),
            row=np.concatenate([leg.row[used] for leg, used in zip(legs, nodes, strict=True)]),
            node=np.concatenate(nodes),
            weight=np.concatenate([leg.weight[used] for leg, used in zip(legs, nodes, strict=True)]),
        )

    def density_at(self, spot: float) -> F64:
        """gamma S² of each node elsewhere, volatilities and carries held, shape (m,)."""
        return _density(spot, self.strike, self.carry, self.discount, self.total_vol)


def attribute(before: Surface, after: Surface, params: Params | None = None) -> Attribution:
    """Split the change of net GEX from one surface of an underlying to a later one. Contracts are matched by symbol."""
    return split(Holdings.of(before, params), Holdings.of(after, params))


def split(old: Holdings, new: Holdings) -> Attribution:
    """The same from what was kept of both, under one convention."""
    at_old, at_new = _matched(old, new)
    weight, node, node_now = old.weight[at_old], old.node[at_old], new.node[at_new]
    start = old.unit * _sum(weight, old.density, node)
    moved = new.unit * _sum(weight, old.density_at(new.spot), node)
    revalued = new.unit * _sum(weight, new.density, node_now)
    final = new.unit * _sum(new.weight[at_new], new.density, node_now)
    gone, gained = _others(old, at_old), _others(new, at_new)
    settled = old.contracts.settle_ms[old.row[gone]] <= new.as_of_ms
    expired, lost = (
        old.unit * _sum(old.weight[part], old.density, old.node[part])
        for part in (gone[settled], gone[~settled])
    )
    found = new.unit * _sum(new.weight[gained], new.density, new.node[gained])
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


def _matched(old: Holdings, new: Holdings) -> tuple[Places, Places]:
    """Where the contracts that both have stand in each."""
    if old.contracts is new.contracts:  # rows are numbers: far faster to match than symbols
        if np.array_equal(old.row, new.row):  # as nearly always from one minute to the next
            return slice(None), slice(None)
        place = np.full(len(old.contracts.strike), -1, np.int64)
        place[new.row] = np.arange(len(new.row))
        at_new = place[old.row]
        at_old = np.flatnonzero(at_new >= 0)
        return at_old, at_new[at_old]
    symbols = old.contracts.symbol[old.row], new.contracts.symbol[new.row]
    _, at_old, at_new = np.intersect1d(*symbols, return_indices=True)
    return at_old, at_new


def _others(holdings: Holdings, at: Places) -> I64:
    """All places but these."""
    other = np.ones(len(holdings.row), bool)
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
    held = Holdings.of(surface, params)
    settle_years = np.maximum(surface.years, 0.0)[surface.layout.node_series[held.node]]
    spots = surface.spot * (1.0 + np.asarray(spot_shifts, np.float64))
    units = np.ones(len(spots)) if params.unit == "per_1pct" else 1.0 / (0.01 * spots)
    out = np.full((len(vol_shifts), len(spots)), np.nan)
    if not len(held.row):
        return out
    strike, carry, discount, total_vol = (
        column[held.node] for column in (held.strike, held.carry, held.discount, held.total_vol)
    )
    for i, shift in enumerate(vol_shifts):
        x = np.maximum(total_vol + shift * np.sqrt(settle_years), 0.1 * total_vol)
        bells = Bells.of(surface.spot, carry * surface.spot, discount, strike, x, held.weight)
        out[i] = [bells.at(spot) for spot in spots] * units
    return out


def _density(spot: float, strike: F64, carry: F64, discount: F64, total_vol: F64) -> F64:
    out = np.empty(len(strike))
    greek_kernels.gamma_density(spot * carry, discount, strike, total_vol, out)
    return out


def _sum(weight: F64, density: F64, node: I64) -> float:
    """Sum of s w M gamma S² of contracts, from the density of all nodes."""
    each = density[node]
    each *= weight
    return float(np.sum(each))  # a dot product would wake BLAS threads
