"""The compiled loops over nodes against plain NumPy, on a chain with every kind of fault."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from app.gex import Params, bell_kernels, fit, node_kernels, root_kernels
from app.gex.black import otm_total_vol
from app.gex.exposure import LegExposure, Legs, leg_exposures
from app.gex.quotes import leg_of
from app.gex.sums import add_up
from app.gex.surface import Surface
from app.gex.tables import heatmap_of, strike_table, summaries
from app.market.chain import Chain
from tests import chains

F64 = NDArray[np.float64]


def faulty(seed: int = 5) -> Chain:
    chain = chains.rounded(chains.synthetic()[0])
    rng = np.random.default_rng(seed)
    bid, ask, held, traded = (
        getattr(chain.quotes, name).copy() for name in ("bid", "ask", "open_interest", "volume")
    )
    for column in (bid, ask):
        hit = rng.uniform(size=len(bid)) < 0.1
        column[hit] = rng.choice([np.nan, -999.0, 0.0, np.inf, 1e300], hit.sum())
    held[rng.uniform(size=len(held)) < 0.3] = 0.0
    held[rng.uniform(size=len(held)) < 0.1] = np.nan
    traded[rng.uniform(size=len(traded)) < 0.5] = np.nan
    return chains.requoted(chain, bid=bid, ask=ask, open_interest=held, volume=traded)


def exposed() -> tuple[Surface, Legs, NDArray[np.bool_]]:
    surface = fit(faulty())
    live = surface.node_alive
    return surface, leg_exposures(surface, Params(), np.ones(len(live), bool)), live


def test_usable_quotes_are_those_with_a_bid_an_ask_above_it_and_a_sane_spread() -> None:
    chain = faulty()
    rows = np.arange(-1, len(chain))
    bid, ask = np.append(np.nan, chain.quotes.bid), np.append(np.nan, chain.quotes.ask)
    sane = (np.abs(bid) <= 1e8) & (np.abs(ask) <= 1e8)
    mid = (bid + ask) / 2
    usable = sane & (bid > 0) & (ask >= bid) & ((ask - bid <= mid) | (ask - bid <= 0.25))
    found = leg_of(np.arange(len(rows)), rows, chain.quotes)
    np.testing.assert_array_equal(found.mid, np.where(usable, mid, np.nan))
    np.testing.assert_array_equal(found.bid, np.where(usable, bid, np.nan))
    np.testing.assert_array_equal(found.offered, np.where(sane & (bid == 0) & (ask > 0), ask, np.nan))


def test_exposure_is_signed_shares_times_density() -> None:
    surface, legs, live = exposed()
    d1 = surface.d1
    phi = np.exp(-0.5 * d1**2) / np.sqrt(2 * np.pi)
    density = surface.node_discount * surface.node_forward * phi / surface.total_vol
    np.testing.assert_allclose(surface.density, density, rtol=1e-13)
    for sign, leg in zip((1.0, -1.0), legs, strict=True):
        shares = sign * leg.open_interest * surface.layout.multiplier
        used = np.isfinite(shares) & np.isfinite(density)
        np.testing.assert_array_equal(leg.used, used)
        np.testing.assert_allclose(leg.gex, np.where(used, 0.01 * shares * density, 0.0), rtol=1e-13)
        np.testing.assert_array_equal(leg.lost, live & (leg.row >= 0) & ~used & (leg.open_interest != 0))


def known_sums(group: NDArray[np.int64], leg: LegExposure, n: int) -> F64:
    """Exposure by group; NaN where contracts are held and none is in the sums."""
    total, held, lost = (
        np.bincount(group, v, n) for v in (leg.gex, leg.used & (leg.open_interest != 0), leg.lost)
    )
    return np.where((lost > 0) & (held == 0), np.nan, total)


def test_strikes_cells_and_series_add_up_as_in_numpy() -> None:
    surface, legs, live = exposed()
    layout = surface.layout
    n = len(layout.strikes)
    shown = np.bincount(layout.node_strike, live, n) > 0
    added = add_up(surface, Params(), np.ones(len(layout.series), bool), legs)
    table, _ = strike_table(surface, added)
    for leg, gex, held in zip(
        legs, (table.call_gex, table.put_gex), (table.call_oi, table.put_oi), strict=True
    ):
        np.testing.assert_allclose(gex, known_sums(layout.node_strike, leg, n)[shown], rtol=1e-12)
        known = live & ~np.isnan(leg.open_interest)
        counts = np.bincount(layout.node_strike, np.where(known, leg.open_interest, 0.0), n)
        some = np.bincount(layout.node_strike, known, n) > 0
        np.testing.assert_allclose(held, np.where(some, counts, np.nan)[shown], rtol=1e-12)
    _, grid = heatmap_of(surface, added)
    cells = sum(known_sums(layout.node_cell, leg, len(layout.dates) * n) for leg in legs)
    used = np.bincount(layout.node_cell, legs[0].used | legs[1].used, len(layout.dates) * n) > 0
    expected = np.where(used, cells, np.nan).reshape(-1, n)[:, shown]
    np.testing.assert_allclose(
        grid, expected[surface.alive[: len(grid)]] if len(grid) < len(expected) else expected
    )
    rows = summaries(surface, added, surface.alive)
    for row, s in zip(rows, np.flatnonzero(surface.alive), strict=True):
        mine = layout.node_series == s
        assert row.net_gex == pytest.approx(sum(leg.gex[mine].sum() for leg in legs))
        assert row.gross_gex == pytest.approx(sum(np.abs(leg.gex[mine]).sum() for leg in legs))
        assert row.used == sum(leg.used[mine].sum() for leg in legs)
        assert row.open_interest == pytest.approx(sum(np.nansum(leg.open_interest[mine]) for leg in legs))


def test_trusts_are_weighted_means_and_collapsing_keeps_every_weight() -> None:
    surface, (call, put), _ = exposed()
    layout = surface.layout
    m, spot = len(layout.strike), surface.spot
    nodes, lift, mass, (slope, offset, height) = (
        np.empty(m, np.int64),
        np.empty(m),
        np.empty(m),
        np.empty((3, m)),
    )
    n = node_kernels.collapse(
        call.weight, put.weight, layout.node_series, surface.forward, surface.discount, layout.strike, spot, nodes, lift,
        mass,
    )  # fmt: skip
    held = np.flatnonzero(call.weight + put.weight)
    np.testing.assert_array_equal(nodes[:n], held)
    bell_kernels.held_terms(nodes[:n], lift, mass, surface.total_vol, slope[:n], offset[:n], height[:n])
    x, forward, strike = surface.total_vol[held], surface.node_forward[held], layout.strike[held]
    np.testing.assert_allclose(slope[:n], 1 / x)
    np.testing.assert_allclose(
        slope[:n] * np.log(spot) + offset[:n], np.log(forward / strike) / x + x / 2, atol=1e-9
    )
    expected = 0.01 * (call.weight + put.weight)[held] * surface.node_discount[held] * forward / (spot * x)
    np.testing.assert_allclose(height[:n], expected / np.sqrt(2 * np.pi))
    rng, r = np.random.default_rng(1), len(surface.chain)
    quoted = rng.integers(0, 2, r) * rng.integers(1, 10**7, r)
    trust, out = np.array([0.0, 1.0, 0.9, 0.7, 0.4, 0.4]), np.empty(4)
    low, high = surface.band_vols
    node_kernels.mean_trusts(
        call.gex, put.gex, trust, surface.vol_source, trust, surface.forward_source, layout.node_series, low, high,
        surface.total_vol, layout.call_row, layout.put_row, quoted, 10**7, 9e5, out,
    )  # fmt: skip
    gross = np.abs(call.gex) + np.abs(put.gex)
    newest = np.maximum(
        np.where(call.row >= 0, quoted[call.row], 0), np.where(put.row >= 0, quoted[put.row], 0)
    )
    age = np.where(newest > 0, 10**7 - newest, 9e5)
    spread = 1 / (1 + 0.5 * (high - low) / surface.total_vol)
    expected = [
        np.average(values, weights=gross)
        for values in (
            trust[surface.vol_source],
            trust[surface.forward_source][layout.node_series],
            np.nan_to_num(spread),
            1 / (1 + age / 9e5),
        )
    ]
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_a_bells_derivatives_are_those_of_its_sum() -> None:
    rng = np.random.default_rng(2)
    slope, height = rng.uniform(5, 50, 300), rng.normal(size=300)
    offset = -slope * 8.5 + rng.normal(size=300)
    total, rise, bend = root_kernels.bell_slope(8.5, slope, offset, height)
    d = slope * 8.5 + offset
    np.testing.assert_allclose(total, np.sum(height * np.exp(-0.5 * d**2)), rtol=1e-12)
    np.testing.assert_allclose(rise, np.sum(-height * d * slope * np.exp(-0.5 * d**2)), rtol=1e-12)
    expected = np.sum(height * (d**2 - 1) * slope**2 * np.exp(-0.5 * d**2))
    np.testing.assert_allclose(bend, expected, rtol=1e-11)


def test_every_contract_left_out_has_one_reason() -> None:
    chain = faulty()
    surface = fit(replace(chain, rate=0.045))
    legs = leg_exposures(surface, Params(weight="oi_plus_volume"), np.ones(len(surface.total_vol), bool))
    counts = np.zeros(7, np.int64)
    expected = np.zeros(7, np.int64)
    chosen = np.ones(len(surface.total_vol), bool)
    for leg in legs:
        node_kernels.count_reasons(
            leg.row, chosen, leg.used, surface.node_alive, True, surface.node_forward, surface.total_vol, True,
            leg.open_interest, True, leg.volume, counts,
        )  # fmt: skip
        left = (leg.row >= 0) & ~leg.used
        holds = (
            ~surface.node_alive,
            np.zeros_like(left),
            np.isnan(surface.node_forward),
            np.isnan(surface.total_vol),
            np.isnan(leg.open_interest),
            np.isnan(leg.volume),
        )
        for i, reason in enumerate(holds):
            expected[i] += (left & reason).sum()
            left &= ~reason
        assert not left.any()
    np.testing.assert_array_equal(counts, expected)


def test_volatilities_at_bid_and_ask_are_those_of_their_prices() -> None:
    surface = fit(faulty())
    strike, forward, discount = surface.layout.strike, surface.node_forward, surface.node_discount
    call_out, apart = strike >= forward, np.abs(forward - strike)
    for found, call, put, bound in (
        (surface.band_vols[0], surface.call.bid, surface.put.bid, np.fmin),
        (surface.band_vols[1], surface.call.ask, surface.put.ask, np.fmax),
    ):
        otm, itm = np.where(call_out, call, put) / discount, np.where(call_out, put, call) / discount - apart
        value = np.select([surface.vol_source == 1, surface.vol_source == 2], [otm, itm], np.nan)
        expected = bound(otm_total_vol(value, forward, strike), surface.total_vol)
        np.testing.assert_allclose(found, expected, rtol=2e-6)
