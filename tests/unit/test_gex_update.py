"""The compiled way from changed rows to the sums, pass by pass, against plain NumPy and computing everything anew."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.gex import bell_kernels, fit, series_kernels, update_kernels
from app.gex.incremental import Engine
from app.gex.profile import grid
from app.gex.quotes import leg_of
from tests import chains
from tests.unit.test_gex_nodes import faulty

F64 = NDArray[np.float64]


def test_changed_rows_change_the_quotes_of_their_own_legs_alone() -> None:
    chain, rng = faulty(), np.random.default_rng(4)
    engine = Engine(
        chain.take(np.r_[0 : len(chain), 0:900])
    )  # rows listed twice count for nothing the second time
    layout, quotes, kept = engine._surface.layout, engine._quotes, engine._prices.quotes
    listed = {int(row) for rows in (layout.call_row, layout.put_row) for row in rows}
    rows = rng.integers(0, len(layout.row_node), 90)
    quotes.bid[rows], quotes.ask[rows] = rng.uniform(-1, 9, (2, 90))
    before = kept.copy()
    held = engine._listed.row_place, quotes.bid, quotes.ask
    nodes = update_kernels.take_quotes(rows, *held, True, kept)
    counted = np.array([row for row in rows if int(row) in listed])
    assert 0 < len(counted) < 90
    np.testing.assert_array_equal(nodes, np.unique(layout.row_node[counted]))
    some = counted[:7]
    quotes.bid[some[:5]] = quotes.ask[some[:5]] = 3.25
    nodes = update_kernels.take_quotes(some, *held, False, kept)  # the others say what they said before
    np.testing.assert_array_equal(nodes, np.unique(layout.row_node[some[:5]]))
    for leg, leg_rows in enumerate((layout.call_row, layout.put_row)):
        whole = leg_of(layout.nodes, leg_rows, quotes)
        now = [whole.bid, whole.ask, whole.mid, whole.offered]
        touched = np.isin(leg_rows, rows) & (leg_rows >= 0)
        np.testing.assert_array_equal(kept[leg], np.where(touched, now, before[leg]))


def test_what_has_to_follow_is_what_changed_and_all_of_a_moved_series() -> None:
    layout = fit(faulty()).layout
    nodes = np.unique(np.random.default_rng(4).integers(0, len(layout.strike), 90))
    moved, stale = np.arange(len(layout.series)) % 3 == 1, np.empty(len(layout.strike), bool)
    found = update_kernels.with_series(nodes, moved, layout.starts, stale)
    expected = moved[layout.node_series] | np.isin(layout.nodes, nodes)
    np.testing.assert_array_equal(stale, expected)
    np.testing.assert_array_equal(found, np.flatnonzero(expected))


@pytest.mark.parametrize("seed", range(20))
def test_gaps_beside_changed_nodes_are_filled_as_if_all_were_filled_anew(seed: int) -> None:
    rng = np.random.default_rng(seed)
    starts = np.array([0, 40, 41, 60, 100, 130])
    log_strike = np.concatenate([np.sort(rng.uniform(0, 1, n)) for n in np.diff(starts)])
    vendor = np.where(rng.uniform(0, 1, 130) < 0.2, 0.3, np.nan)
    limit = np.where(rng.uniform(0, 1, 130) < 0.5, 0.15, np.nan)

    def quoted(share: float) -> tuple[F64, NDArray[np.int8]]:
        known = rng.uniform(0, 1, 130) < share
        known[41:60] &= seed % 2 == 0  # every other time a series without any
        return np.where(known, rng.uniform(0.1, 0.2, 130), np.nan), known.astype(np.int8)

    def filled(priced: F64, quotes: NDArray[np.int8]) -> tuple[F64, NDArray[np.int8]]:
        x, source = priced.copy(), quotes.copy()
        series_kernels.fill(np.arange(5), starts, log_strike, vendor, limit, x, source)
        return x, source

    priced, quotes = quoted(0.4)
    x, source = filled(priced, quotes)
    before = x.copy()
    changed = rng.uniform(0, 1, 130) < 0.08
    changed[100:] = True  # a series whose forward has moved
    after, after_quotes = quoted(0.6)
    priced, quotes = np.where(changed, after, priced), np.where(changed, after_quotes, quotes)
    stale = changed.copy()
    more = update_kernels.refill(
        np.flatnonzero(changed), starts, log_strike, vendor, limit, priced, quotes, x, source, stale
    )
    expected, sources = filled(priced, quotes)
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(source, sources)
    differs = ~((x == before) | (np.isnan(x) & np.isnan(before)))
    np.testing.assert_array_equal(stale, changed | differs)
    assert more == bool((differs & ~changed).any())


def test_what_was_added_to_a_grids_points_can_be_taken_out_again() -> None:
    rng = np.random.default_rng(3)
    spots = np.log(grid(5000.0))
    x = np.exp(rng.uniform(np.log(3e-4), np.log(1.0), 900))
    bells = 1 / x, (np.log(5000.0) - 8.5 - rng.uniform(-0.2, 0.2, 900)) / x + x / 2, rng.normal(0, 1e6, 900)
    points = np.zeros((bell_kernels.STRIDES, len(spots) + bell_kernels.PADDING))

    def add(part: slice, sign: float) -> None:
        slope, offset, height = (column[part] for column in bells)
        bell_kernels.add_points(spots[0], spots[1] - spots[0], slope, offset, sign * height, points)

    add(slice(None), 1.0)
    add(slice(100, 500), -1.0)
    left, out = np.r_[0:100, 500:900], np.empty(len(spots))
    bell_kernels.spread_points(points, out)
    d = np.outer(spots, bells[0][left]) + bells[1][left]
    expected = np.sum(bells[2][left] * np.exp(-(d**2) / 2), axis=1)
    np.testing.assert_allclose(out, expected, atol=1e-12 * np.abs(bells[2]).sum())


def exposures(engine: Engine) -> tuple[F64, F64, F64, F64]:
    """By NumPy from what the engine holds of prices: a share's exposure, both legs', and the heights of its bells."""
    prices, sums = engine._prices, engine._sums
    series, discount = engine._listed.node_series, engine._listed.discount
    with np.errstate(all="ignore"):
        d1 = np.log(prices.forward[series] / engine._listed.strike) / prices.x + prices.x / 2
        top = (discount * prices.carry)[series] / np.sqrt(2 * np.pi) / prices.x
        each = np.nan_to_num(0.01 * engine._spot * top * np.exp(-(d1**2) / 2))
    heights = np.nan_to_num(0.01 * (sums.call_shares + sums.put_shares) * top)
    return each, sums.call_shares * each, sums.put_shares * each, heights


@pytest.mark.parametrize("few", [3, 400])  # of a series: replaced one by one, and all of it added up anew
def test_exposures_and_bells_are_those_of_the_new_volatilities(few: int) -> None:
    engine = Engine(chains.synthetic()[0])
    prices, sums = engine._prices, engine._sums
    nodes = np.arange(engine._listed.starts[1])[:few]
    prices.x[nodes] *= 1.3
    prices.x[nodes[1]] = np.nan
    engine._revalue(nodes)
    _, call, put, heights = exposures(engine)
    for mine, theirs in ((sums.call, call), (sums.put, put), (sums.height, heights)):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11 * np.abs(theirs).max())
    for mine, theirs in ((sums.by_call, call), (sums.by_put, put)):
        expected = np.bincount(engine._listed.node_strike, theirs, len(mine))
        np.testing.assert_allclose(mine, expected, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())
    assert engine._gross == pytest.approx(np.abs(call).sum() + np.abs(put).sum(), rel=1e-12)
    d = np.outer(np.log(engine._grid), sums.slope) + sums.offset
    expected = np.sum(sums.height * np.exp(-(d**2) / 2), axis=1)
    np.testing.assert_allclose(sums.levels, expected, atol=1e-12 * np.abs(sums.height).sum())


def test_at_another_spot_exposures_follow_the_bells() -> None:
    engine = Engine(chains.synthetic()[0])
    engine.move(engine._spot * 1.01)
    _, call, put, _ = exposures(engine)
    np.testing.assert_allclose(engine._sums.call, call, rtol=1e-11, atol=1e-11 * np.abs(call).max())
    np.testing.assert_allclose(engine._sums.put, put, rtol=1e-11, atol=1e-11 * np.abs(put).max())
    _, by_call, by_put = engine.strikes()
    for mine, theirs in ((by_call, call), (by_put, put)):
        np.testing.assert_allclose(
            mine, np.bincount(engine._listed.node_strike, theirs, len(mine)), rtol=1e-9
        )
    assert engine._gross == pytest.approx(np.abs(call).sum() + np.abs(put).sum(), rel=1e-12)
