"""More of the compiled loops against plain NumPy: time values, counts, greeks, bells; and a start that can keep nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.gex import Params, fit, node_kernels, rate_kernels, root_kernels, sum_kernels, surface_kernels
from app.gex.black import otm_total_vol
from app.gex.exposure import leg_exposures
from app.gex.greeks import greeks
from app.gex.jit import sources_stamp
from app.gex.quotes import leg_of
from app.gex.sums import add_up
from app.gex.vols import price_nodes
from tests import chains
from tests.support import ROOT, clean_environment
from tests.unit.test_gex_nodes import exposed, faulty

F64 = NDArray[np.float64]


def test_time_values_come_from_the_leg_out_of_the_money_else_from_an_uncontradicted_other() -> None:
    surface = fit(faulty())
    layout, call, put = surface.layout, surface.call, surface.put
    strike, forward, discount = layout.strike, surface.node_forward, surface.node_discount
    american = np.random.default_rng(0).uniform(size=len(strike)) < 0.5
    call_out, apart = strike >= forward, np.abs(forward - strike)

    def pick(first: F64, second: F64) -> tuple[F64, F64]:
        return np.where(call_out, first, second) / discount, np.where(call_out, second, first) / discount

    otm, itm = pick(call.mid, put.mid)
    least = pick(call.bid, put.bid)[1] - apart
    most = pick(call.offered, put.offered)[0]
    priced = (otm > 0) & np.isfinite(forward)
    other = ~priced & ~american & (least > 0) & ~(itm - apart > most)
    expected = np.select([priced, other], [otm, itm - apart], np.nan)
    quotes = (call.mid, put.mid, call.bid, put.bid, call.offered, put.offered)
    for nodes in (layout.nodes, layout.nodes[::3]):
        columns, source = np.empty((4, len(nodes))), np.empty(len(nodes), np.int8)
        node_kernels.time_values(
            nodes, layout.node_series, strike, surface.forward, surface.discount, american, *quotes, strike * 2, columns,
            source,
        )  # fmt: skip
        np.testing.assert_allclose(
            columns, [expected[nodes], forward[nodes], strike[nodes], strike[nodes] * 2], rtol=1e-12
        )
        np.testing.assert_array_equal(source, np.select([priced, other], [1, 2], 0)[nodes])
        assert {0, 1, 2} <= set(source.tolist())


def robust_line(x: F64, y: F64, base: F64) -> tuple[float, float]:
    """Slope and standard error by four rounds of Tukey's biweight."""
    weight = base
    for _ in range(4):
        xm, ym = np.average(x, weights=weight), np.average(y, weights=weight)
        slope = np.sum(weight * (x - xm) * (y - ym)) / np.sum(weight * (x - xm) ** 2)
        residual = (y - ym - slope * (x - xm)) * np.sqrt(base)
        scale = 1.4826 * np.median(np.abs(residual)) + 1e-9
        weight = base * np.clip(1 - (residual / (6 * scale)) ** 2, 1e-12, None) ** 2
    squares = np.sum(base * (x - np.average(x, weights=base)) ** 2)
    return slope, (scale + 1e-6) / np.sqrt(squares)


def test_lines_through_parity_are_robust_and_need_enough_pairs() -> None:
    rng = np.random.default_rng(4)
    counts, discount = [40, 9, 7, 30], [0.99, 0.97, 0.96, 0.95]
    starts = np.concatenate([[0], np.cumsum(counts)])
    strike = np.concatenate([np.linspace(80.0, 120.0, n) for n in counts])
    of = np.repeat(np.arange(4), counts)
    gap = np.asarray(discount)[of] * (100.5 - strike) + rng.normal(0, 0.02, len(strike))
    gap[[3, 20]] += [5.0, -8.0]
    gap[30] = np.nan
    spread = rng.uniform(0.05, 0.4, len(strike))
    wanted = np.array([True, True, True, False])
    slope, error = np.empty((2, 4))
    rate_kernels.parity_lines(starts, strike, gap, spread, wanted, 81.0, 119.5, 7, slope, error)
    for s in range(2):
        use = (of == s) & np.isfinite(gap) & (strike > 81.0) & (strike < 119.5)
        expected = robust_line(strike[use], gap[use], 1.0 / (spread[use] + 0.01) ** 2)
        np.testing.assert_allclose((slope[s], error[s]), expected, rtol=1e-9)
        # a plain line is off by 0.01 and more where two of its pairs are dollars off
        assert slope[s] == pytest.approx(-discount[s], abs=2e-3)
    assert np.isnan(slope[2:]).all()
    assert np.isnan(error[2:]).all()


@pytest.mark.parametrize("unknown", [0.0, 0.3, 1.0])
def test_walls_and_the_strikes_of_most_gamma_and_least_worth(unknown: float) -> None:
    rng = np.random.default_rng(9)
    call, put = rng.normal(size=(2, 40)) * np.where(rng.uniform(size=(2, 40)) < unknown, np.nan, 1.0)
    strike, shares = np.sort(rng.uniform(50, 150, 40)), rng.integers(0, 900, (2, 40)) * 100.0

    def largest(size: F64) -> int:
        size = np.nan_to_num(size)
        return int(np.argmax(size)) if size.max() > 0 else -1

    assert sum_kernels.walls(call, put, False) == (largest(np.abs(call)), largest(np.abs(put)))
    assert sum_kernels.walls(call, put, True) == (largest(call + put), largest(-call - put))
    assert sum_kernels.most_gamma(call, put) == largest(
        np.abs(np.nan_to_num(call)) + np.abs(np.nan_to_num(put))
    )
    call_worth = (np.maximum(strike[:, None] - strike, 0.0) * shares[0]).sum(axis=1)
    put_worth = (np.maximum(strike - strike[:, None], 0.0) * shares[1]).sum(axis=1)
    assert sum_kernels.least_worth(strike, *shares) == np.argmin(call_worth + put_worth)
    assert sum_kernels.least_worth(strike, *np.zeros((2, 40))) == -1


def test_nodes_are_priced_by_their_quotes_and_the_rest_told_what_may_stand_in() -> None:
    chain = faulty(3)
    rng = np.random.default_rng(7)
    iv = np.where(rng.uniform(size=len(chain)) < 0.5, rng.choice([0.15, 0.2, 50.0], len(chain)), np.nan)
    chain = chains.requoted(chain, iv=iv)
    surface = fit(chain)
    layout, call, put = surface.layout, surface.call, surface.put
    m = len(layout.strike)
    strike, forward, discount = layout.strike, surface.node_forward, surface.node_discount
    call_out, apart = strike >= forward, np.abs(forward - strike)
    otm, itm = (
        np.where(call_out, call.mid, put.mid) / discount,
        np.where(call_out, put.mid, call.mid) / discount,
    )
    x, vendor, limit = np.full((3, m), np.nan)
    source = np.empty(m, np.int8)
    series = surface.forward, surface.discount, surface.years
    price_nodes(layout.nodes, layout, call, put, chain.quotes.iv, series, (x, source, vendor, limit))
    value = np.select([source == 1, source == 2], [otm, itm - apart], np.nan)
    np.testing.assert_allclose(x, otm_total_vol(value, forward, strike), rtol=1e-12)
    bare = source == 0
    vols = [
        np.where(rows >= 0, np.where((v := chain.quotes.iv[rows].astype(float)) <= 10, v, np.nan), np.nan)
        for rows in (layout.call_row, layout.put_row)
    ]
    first, second = np.where(call_out, vols[0], vols[1]), np.where(call_out, vols[1], vols[0])
    years = np.maximum(surface.years, 0.0)[layout.node_series]
    expected = np.where(np.isnan(first), second, first) * np.sqrt(years)
    np.testing.assert_allclose(vendor, np.where(bare & np.isfinite(forward), expected, np.nan), rtol=1e-6)
    offered = np.where(call_out, call.offered, put.offered) / discount
    np.testing.assert_allclose(limit, np.where(bare, otm_total_vol(offered, forward, strike), np.nan))
    assert np.isfinite(vendor).sum() > 5
    assert np.isfinite(limit).sum() > 5
    # some nodes alone, from near values: the same
    again, sources = x * 1.01, np.zeros(m, np.int8)
    some = layout.nodes[::3]
    surface_kernels.price_nodes(
        some, layout.node_series, layout.strike, *series, layout.american, call.mid, put.mid, call.bid, put.bid,
        call.offered, put.offered, layout.call_row, layout.put_row, chain.quotes.iv, True, again, sources,
        vendor.copy(), limit.copy(),
    )  # fmt: skip
    np.testing.assert_allclose(again[some], x[some], rtol=1e-9)
    np.testing.assert_array_equal(sources[some], source[some])
    np.testing.assert_array_equal(again[1::3], (x * 1.01)[1::3])


def test_some_nodes_quotes_are_those_of_all() -> None:
    chain = faulty()
    surface = fit(chain)
    layout = surface.layout
    nodes = np.arange(0, len(layout.strike), 2)
    for rows in (layout.call_row, layout.put_row):
        whole = leg_of(np.arange(len(rows)), rows, chain.quotes)
        bid, ask, mid, offered = np.full((4, len(rows)), 7.0)
        node_kernels.read_quotes(nodes, rows, chain.quotes.bid, chain.quotes.ask, bid, ask, mid, offered)
        for found, expected in zip(
            (bid, ask, mid, offered), (whole.bid, whole.ask, whole.mid, whole.offered), strict=True
        ):
            np.testing.assert_array_equal(found[nodes], expected[nodes])
            assert np.all(found[1::2] == 7.0)


def test_sources_and_coverage_are_counted_as_in_numpy() -> None:
    surface, (call, put), live = exposed()
    counts = np.empty(6, np.int64)
    node_kernels.count_sources(surface.vol_source, call.used, put.used, counts)
    np.testing.assert_array_equal(
        counts, np.bincount(surface.vol_source, call.used.astype(int) + put.used, 6).astype(int)
    )
    for leg in (call, put):
        held = np.nan_to_num(leg.open_interest)
        found = node_kernels.covered(live, leg.used, leg.open_interest)
        assert found == pytest.approx((held[live].sum(), held[leg.used].sum()))


def test_dealers_greeks_are_signed_shares_times_each_greek() -> None:
    surface = fit(faulty())
    layout, found, spot = surface.layout, greeks(surface), surface.spot
    legs = leg_exposures(surface, Params(side="long"), np.ones(len(layout.strike), bool))
    call, put = (leg.weight for leg in legs)
    known = np.isfinite(found.vega)
    expected = [
        spot * (call * found.call_delta + put * found.put_delta),
        0.01 * spot * (call + put) * found.vanna,
        spot * (call * found.call_charm + put * found.put_charm),
    ]
    added = add_up(surface, Params(side="long"), np.ones(len(layout.series), bool), legs)
    values, today = added.values, surface.ending
    charm = np.where(today, added.series_greeks[3] * 8760, added.series_greeks[2] * 365)
    for mine, theirs, total in zip(values, expected, [*added.series_greeks[:2], charm], strict=True):
        np.testing.assert_allclose(
            mine, np.where(known, theirs, 0.0), rtol=1e-9, atol=1e-9 * np.nanmax(np.abs(theirs))
        )
        by_series = np.bincount(layout.node_series, mine, len(layout.series))
        np.testing.assert_allclose(total, by_series, rtol=1e-9, atol=1e-9 * np.abs(mine).sum())
    k = len(layout.strikes)
    lost = np.zeros(k, bool)
    for leg in legs:
        missing, held = (np.bincount(layout.node_strike, v, k) for v in (leg.lost, leg.weight != 0))
        lost |= (missing > 0) & (held == 0)
    dex = added.strike_greeks[0]
    np.testing.assert_allclose(dex, np.where(lost, np.nan, np.bincount(layout.node_strike, values[0], k)))


@pytest.mark.parametrize(
    "narrowest", [4e-3, 1e-3, 1e-7]
)  # no point between levels; a lattice of marks; a sorted one
def test_between_levels_narrow_bells_are_summed_and_wide_ones_smooth(narrowest: float) -> None:
    rng = np.random.default_rng(6)
    levels = np.linspace(8.4, 8.8, 200)
    step = (levels[-1] - levels[0]) / 199
    widths = np.concatenate([rng.uniform(narrowest, 0.01, 40), rng.uniform(0.02, 0.2, 60)])
    slope = 1 / widths
    offset, height = -slope * rng.uniform(8.35, 8.85, 100), rng.normal(size=100)

    def plain(points: F64, which: NDArray[np.bool_]) -> F64:
        d = slope[which, None] * points + offset[which, None]
        return np.sum(height[which, None] * np.exp(-(d**2) / 2), axis=0)

    narrow, narrower = slope * step > 0.25, slope * step > 0.5
    sums = plain(levels, slope > 0)
    points, values = np.empty((2, 200 + 21 * narrow.sum()))
    n = root_kernels.sample(levels, step, sums, slope[narrow], offset[narrow], height[narrow], points, values)
    points, values = points[:n], values[:n]

    apart = 0.5 / slope.max()
    looks = (-offset[narrower, None] + np.linspace(-5, 5, 21)) / slope[narrower, None]
    places = np.unique(np.round((looks - levels[0]) / apart)) * apart
    off_level = np.abs(places - np.round(places / step) * step) > 1e-6 * apart
    between = places[off_level & (places > 0) & (places < levels[-1] - levels[0])] + levels[0]
    expected = np.sort(np.append(levels, between if narrower.any() else []))
    np.testing.assert_allclose(points, expected, rtol=1e-14)
    assert (n > 200) == (narrowest < 0.004)
    np.testing.assert_array_equal(values[np.isin(points, levels)], sums)
    # a cubic through levels of bells wider than ten of them is that close
    np.testing.assert_allclose(values, plain(points, slope > 0), atol=2e-3)
    inner = ~np.isin(points, levels)
    at = np.clip(((points[inner] - levels[0]) / step).astype(int), 1, 197)
    wide = plain(levels, ~narrow)
    cubic = [
        np.polyval(np.polyfit(levels[i - 1 : i + 3] - levels[i], wide[i - 1 : i + 3], 3), x - levels[i])
        for i, x in zip(at, points[inner], strict=True)
    ]
    np.testing.assert_allclose(values[inner], plain(points[inner], narrow) + cubic, atol=1e-9)


def test_a_compiled_form_is_another_when_any_file_of_compiled_code_is(tmp_path: Path) -> None:
    for name in ("special.py", "jit.py", "some_kernels.py"):
        (tmp_path / name).write_text(name)
    first = sources_stamp(tmp_path)
    sources_stamp.cache_clear()
    assert sources_stamp(tmp_path) == first
    (tmp_path / "some_kernels.py").write_text("changed")
    sources_stamp.cache_clear()
    assert sources_stamp(tmp_path) != first


def test_kernels_that_can_be_kept_nowhere_compute_all_the_same(tmp_path: Path) -> None:
    """Files stand where the folders of compiled forms would have to be: not even root can write there."""
    shutil.copytree(ROOT / "app", tmp_path / "app", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "app" / "gex" / "__pycache__").write_text("")
    (tmp_path / "file").write_text("")
    nowhere = str(tmp_path / "file" / "cache")
    script = (
        "from app.gex import black; x = black.total_vol(black.black(100, 105, 0.2, 'C'), 100, 105, 'C')\n"
        "print(black.__file__, round(float(x), 9))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=clean_environment(
            NUMBA_CACHE_DIR=nowhere, HOME=nowhere, XDG_CACHE_HOME=nowhere, PYTHONPATH=str(tmp_path)
        ),
        capture_output=True,
        check=False,
        timeout=170,
    )
    assert done.stdout.decode().split() == [str(tmp_path / "app" / "gex" / "black.py"), "0.2"], (
        done.stderr.decode()
    )
    assert not list(tmp_path.rglob("*.nb?"))
