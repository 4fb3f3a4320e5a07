"""The engine's front: a chain in, a Snapshot out.

surface = fit(chain)                                  # once per chain
snapshot = expose(surface, Params(side="naive"))      # once per convention
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.gex import bell_kernels, node_kernels
from app.gex.exposure import leg_exposures
from app.gex.layout import Layout
from app.gex.levels import absolute_gamma_strike, walls
from app.gex.params import BucketName, Params
from app.gex.profile import Bells, grid, nearest, root_near, roots
from app.gex.quality import quality_of
from app.gex.selection import BUCKETS, buckets, chosen_series
from app.gex.snapshot import Levels, Provenance, Snapshot, StrikeTable
from app.gex.sums import Sums, add_up
from app.gex.surface import Surface, fit
from app.gex.tables import bucket_summaries, heatmap_of, known_or_none, strike_table, summaries
from app.market.chain import Chain

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

_EVERY_BUCKET = np.arange(len(BUCKETS) + 1)


def compute(
    chain: Chain,
    params: Params | None = None,
    *,
    rate: float | None = None,
    default_rate: float | None = None,
) -> Snapshot:
    """Fit the chain and expose it under one convention; see `fit` for the rates."""
    return expose(fit(chain, rate=rate, default_rate=default_rate), params)


def contract_gamma(surface: Surface) -> F64:
    """Gamma of each row of the chain, 1/$, shape (rows,); NaN where unknown or settled."""
    layout = surface.layout
    out = np.full(len(layout.row_node), np.nan)
    known = layout.row_node >= 0
    out[known] = surface.gamma[layout.row_node[known]]
    return out


def expose(surface: Surface, params: Params | None = None, *, tables: bool = True) -> Snapshot:
    """Exposures, levels, profile and quality of a fitted chain under one convention.

    Without `tables` neither the series nor the heatmap are described: `expiries` and `heatmap_expiries` are empty.

    Whatever the chain lacks is None, NaN or empty in the result and counted in its quality; nothing raises.
    """
    params = params or Params()
    series = chosen_series(surface, params)
    legs = leg_exposures(surface, params, series[surface.layout.node_series])
    sums, shown = add_up(surface, params, series, legs), series & surface.alive
    strikes, pain = strike_table(surface, sums)
    held, far = Held.of(surface, legs[0].weight, legs[1].weight), buckets(surface)
    together, greeks = bucket_summaries(surface, sums, shown, far)
    used = [b.name for b in together if b.used]
    spots, values, parts, flips = _profile(surface, params, held, held.buckets(surface.layout, far), used)
    levels = _levels(surface, params, sums, held, strikes, flips)
    heatmap_dates, heatmap = heatmap_of(surface, sums) if tables else ((), np.empty((0, len(strikes.strike))))
    return Snapshot(
        symbol=surface.chain.symbol,
        spot=known_or_none(surface.spot),
        as_of_ms=surface.chain.as_of_ms,
        params=params,
        levels=replace(levels, max_pain=pain, greeks=greeks),
        strikes=strikes,
        expiries=summaries(surface, sums, shown) if tables else (),
        heatmap_expiries=heatmap_dates,
        heatmap=heatmap,
        profile_spot=spots,
        profile_gex=values,
        quality=quality_of(surface, params, series, legs, sums),
        provenance=Provenance.of(surface.chain),
        buckets=together,
        profile_buckets=parts,
    )


def _levels(
    surface: Surface,
    params: Params,
    sums: Sums,
    held: Held,
    strikes: StrikeTable,
    flips: tuple[float, ...],
) -> Levels:
    call_wall, put_wall = walls(strikes.strike, strikes.call_gex, strikes.put_gex, params.walls)
    flip = nearest(flips, surface.spot)
    levels = Levels(
        flip=flip,
        flips=flips,
        flip_band=None if flip is None else _flip_band(surface, held, flip),
        call_wall=call_wall,
        put_wall=put_wall,
        absolute_gamma_strike=absolute_gamma_strike(strikes.strike, strikes.call_gex, strikes.put_gex),
    )
    calls, puts = sums.series.sum(axis=1).tolist()
    if not calls[5] + puts[5]:
        return levels
    net, gross = calls[0] + puts[0], calls[1] + puts[1]
    return replace(levels, net_gex=net, call_gex=calls[0], put_gex=puts[0], gross_gex=gross)


def _profile(
    surface: Surface, params: Params, held: Held, nodes: dict[BucketName, slice], used: list[BucketName]
) -> tuple[F64, F64, dict[str, F64], tuple[float, ...]]:
    """The grid, G on it, its part of each of these buckets, and the roots; empty without contracts."""
    if not used:
        return np.empty(0), np.empty(0), {}, ()
    bells, spots = held.bells(surface.total_vol), grid(surface.spot)
    parts: dict[str, F64] = {name: bells.part(nodes[name]).over(spots) for name in used}
    values = sum(parts.values(), np.zeros(len(spots)))
    flips = roots(bells, spots, values)
    if params.unit == "per_point":
        values, parts = values / (0.01 * spots), {name: part / (0.01 * spots) for name, part in parts.items()}
    return spots, values, parts, flips


@dataclass(frozen=True, eq=False)
class Held:
    """The nodes with weight, a strike's call and put in one, shape (n,) each.

    `lift` and `mass` are as of `node_kernels.collapse`.
    """

    nodes: NDArray[np.int64]
    lift: F64
    mass: F64

    @classmethod
    def of(cls, surface: Surface, call: F64, put: F64) -> Held:
        """From signed shares of the calls and the puts, shape (m,) each."""
        layout = surface.layout
        nodes, (lift, mass) = np.empty(len(layout.strike), np.int64), np.empty((2, len(layout.strike)))
        n = node_kernels.collapse(
            call, put, layout.node_series, surface.forward, surface.discount, layout.strike, surface.spot, nodes, lift,
            mass,
        )  # fmt: skip
        return cls(nodes[:n], lift[:n], mass[:n])

    def buckets(self, layout: Layout, far: I64) -> dict[BucketName, slice]:
        """Which of them are in each bucket, by `selection.buckets`: nodes stand in order of their dates."""
        ends = layout.starts[np.searchsorted(far, _EVERY_BUCKET)]
        places = np.searchsorted(self.nodes, ends).tolist()
        return {name: slice(lo, hi) for name, (lo, hi) in zip(BUCKETS, pairwise(places), strict=True)}

    def bells(self, total_vol: F64) -> Bells:
        """The profile's terms under these total volatilities of all nodes, shape (m,)."""
        slope, offset, height = np.empty((3, len(self.nodes)))
        bell_kernels.held_terms(self.nodes, self.lift, self.mass, total_vol, slope, offset, height)
        return Bells(slope, offset, height)


def _flip_band(surface: Surface, held: Held, flip: float) -> tuple[float, float] | None:
    """The flip with all quotes at bid and at ask; None where one of them has no root."""
    found = [flip]
    for total_vol in surface.band_vols:
        near = root_near(held.bells(total_vol), flip)
        if near is None:
            return None
        found.append(near)
    return min(found), max(found)
