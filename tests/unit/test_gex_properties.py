"""What must hold of every chain: hypothesis looks for one of which it doesn't. GEX_EXAMPLES sets how hard it looks."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.gex import Params, Snapshot, compute, contract_gamma, expose, fit
from app.gex.profile import Bells, grid, roots
from app.market.chain import Chain
from tests import chains
from tests.chains import Listed

settings.register_profile(
    "gex",
    max_examples=int(os.environ.get("GEX_EXAMPLES", "100")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("gex")
if "GEX_EXAMPLES" in os.environ:
    # thousands of examples take minutes a test
    pytestmark = pytest.mark.timeout(0)

SMALL = (
    Listed("SPXW", date(2026, 10, 16), step=20.0, width=3.0),
    Listed("SPX", date(2026, 11, 20), "A", 100.0, 3.0),
    Listed("SPXW", date(2026, 11, 20), "P", 100.0, 3.0),
)
EXACT = chains.synthetic(series=SMALL)[0]
N = len(EXACT)
FINE = np.arange(-8.0, 8.0, 0.02)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def small_chains(draw: st.DrawFn, faults: bool = True) -> Chain:
    """A small chain with drawn open interest, some of its quotes broken when `faults` says so."""
    rng = np.random.default_rng(draw(seeds))
    chain = chains.rounded(EXACT) if draw(st.booleans()) else EXACT
    held = rng.integers(0, 4000, N) * (rng.uniform(size=N) < draw(st.floats(0.05, 1.0)))
    bid, ask = chain.quotes.bid.copy(), chain.quotes.ask.copy()
    if faults:
        hit = rng.uniform(size=N) < draw(st.floats(0.0, 0.6))
        broken = rng.choice([np.nan, -999.0, 0.0, np.inf, 1e300, 1e-300], N)
        bid, ask = np.where(hit, broken, bid), np.where(hit & (rng.uniform(size=N) < 0.5), broken, ask)
        held = np.where(hit & (rng.uniform(size=N) < 0.2), np.nan, held)
    return chains.requoted(chain, bid=bid, ask=ask, open_interest=held)


def net(snapshot: Snapshot) -> float:
    return 0.0 if snapshot.levels.net_gex is None else snapshot.levels.net_gex


def gross(snapshot: Snapshot) -> float:
    return snapshot.levels.gross_gex or 0.0


@given(small_chains(), seeds)
def test_the_order_of_rows_means_nothing(chain: Chain, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(chain))
    one, other = compute(chain), compute(chain.take(order))
    assert net(other) == pytest.approx(net(one), abs=1e-9 * gross(one))
    np.testing.assert_allclose(other.levels.flips, one.levels.flips, rtol=1e-9)
    assert other.quality.excluded == one.quality.excluded
    assert other.quality.fallbacks == one.quality.fallbacks


@given(small_chains(), st.floats(0.01, 100.0))
def test_it_is_linear_in_open_interest(chain: Chain, factor: float) -> None:
    one = compute(chain)
    many = compute(chains.requoted(chain, open_interest=chain.quotes.open_interest * factor))
    assert net(many) == pytest.approx(factor * net(one), abs=1e-6 * factor * gross(one))
    assert many.levels.call_wall == one.levels.call_wall
    np.testing.assert_allclose(many.levels.flips, one.levels.flips, rtol=1e-6)


@given(small_chains())
def test_sides_only_change_signs(chain: Chain) -> None:
    surface = fit(chain)
    naive, inverted, long = (expose(surface, Params(side=side)) for side in ("naive", "inverted", "long"))
    assert not np.any(naive.strikes.put_gex > 0)
    assert not np.any(naive.strikes.call_gex < 0)
    np.testing.assert_allclose(inverted.strikes.net_gex, -naive.strikes.net_gex)
    np.testing.assert_allclose(long.strikes.put_gex, -naive.strikes.put_gex)
    assert net(long) == pytest.approx(gross(naive))
    assert naive.levels.flips == inverted.levels.flips


@given(small_chains(), st.floats(0.05, 20.0))
def test_prices_in_another_currency_scale_levels_and_exposure(chain: Chain, factor: float) -> None:
    one = compute(EXACT)
    scaled = chains.relisted(EXACT, strike=EXACT.contracts.strike * factor, symbol=[b""] * N)
    scaled = chains.requoted(scaled, bid=EXACT.quotes.bid * factor, ask=EXACT.quotes.ask * factor)
    other = compute(replace(scaled, spot=EXACT.spot * factor))
    assert net(other) == pytest.approx(factor * net(one), abs=1e-6 * factor * gross(one))
    np.testing.assert_allclose(other.levels.flips, np.multiply(one.levels.flips, factor), rtol=1e-7)


@given(small_chains(), st.integers(0, N - 1), st.floats(0.0, 1.0))
def test_a_contract_in_two_halves_is_the_whole(chain: Chain, row: int, share: float) -> None:
    """The second half is a contract of its own: another multiplier's, so that it isn't a duplicate."""
    rows = np.append(np.arange(N), row)
    doubled = chain.take(rows)
    held = doubled.quotes.open_interest.copy()
    held[row] *= share
    held[-1] *= 1 - share
    symbols = doubled.contracts.symbol.copy()
    symbols[-1] = b"SECOND HALF"
    standard = doubled.contracts.standard.copy()
    standard[-1] = False
    split = chains.relisted(chains.requoted(doubled, open_interest=held), symbol=symbols, standard=standard)
    one, other = compute(chain), compute(split)
    if not (chain.quotes.bid[row] > 0):
        return  # only a quote of its own makes the second half the same contract
    if one.quality.fallbacks == other.quality.fallbacks == {} and not one.quality.excluded:
        np.testing.assert_allclose(
            other.strikes.net_gex, one.strikes.net_gex, rtol=1e-6, atol=1e-6 * gross(one)
        )


def total_at(chain: Chain, spot: float) -> float:
    """G at one price by NumPy, from forwards and volatilities alone."""
    surface = fit(chain)
    layout, held = surface.layout, chain.quotes.open_interest.astype(float)
    d1 = np.log(surface.node_forward * spot / chain.spot / layout.strike) / surface.total_vol
    d1 += surface.total_vol / 2
    density = surface.node_discount * surface.node_forward * np.exp(-(d1**2) / 2) / surface.total_vol
    net = np.nan_to_num(held[layout.call_row]) - np.nan_to_num(held[layout.put_row])
    return float(np.nansum(net * density))


@given(small_chains())
def test_every_flip_is_bracketed_and_nothing_is_invented(chain: Chain) -> None:
    snapshot = compute(chain)
    levels = snapshot.levels
    assert (levels.flip is None) == (not levels.flips)
    for flip in levels.flips:
        assert total_at(chain, flip * (1 - 1e-7)) * total_at(chain, flip * (1 + 1e-7)) <= 0
    if levels.flip is not None:
        assert abs(levels.flip - chain.spot) == min(abs(f - chain.spot) for f in levels.flips)
    if gross(snapshot) == 0:
        assert levels.call_wall is levels.put_wall is levels.flip is None


@given(small_chains())
def test_an_exposure_is_unknown_where_contracts_are_held_and_none_can_be_used(chain: Chain) -> None:
    known, held = np.isfinite(contract_gamma(fit(chain))), chain.quotes.open_interest
    table = compute(chain).strikes
    for is_call, exposures in ((True, table.call_gex), (False, table.put_gex)):
        for strike, exposure in zip(table.strike, exposures, strict=True):
            here = (chain.contracts.strike == strike) & (chain.contracts.is_call == is_call) & (held != 0)
            used = here & known & np.isfinite(held)
            assert np.isnan(exposure) == (here.any() and not used.any())
            assert exposure != 0 or not used.any()


@given(small_chains())
def test_every_contract_is_used_or_counted_and_every_number_is_finite(chain: Chain) -> None:
    snapshot = compute(chain)
    quality = snapshot.quality
    assert quality.used + sum(quality.excluded.values()) == quality.contracts == len(chain)
    assert quality.open_interest_coverage is None or 0 <= quality.open_interest_coverage <= 1
    assert quality.confidence is None or 0 <= quality.confidence <= 1
    assert np.all(np.isfinite(snapshot.profile_gex))
    by_expiry = sum(e.net_gex or 0.0 for e in snapshot.expiries)
    assert all((e.net_gex is None) == (e.gross_gex is None) == (e.used == 0) for e in snapshot.expiries)
    assert by_expiry == pytest.approx(net(snapshot), abs=1e-9 * gross(snapshot))
    if not quality.excluded:
        assert np.nansum(snapshot.heatmap) == pytest.approx(net(snapshot), abs=1e-9 * gross(snapshot))


@given(st.floats(50.0, 5000.0), st.floats(0.005, 0.5), st.floats(-0.15, 0.15), st.floats(-0.1, 0.1))
def test_a_root_is_exact(spot: float, x: float, first: float, apart: float) -> None:
    """Two opposite bells: their one crossing is where the two are equal."""
    strikes = spot * np.exp([first, first + apart])
    flat = np.full(2, spot)
    bells = Bells.of(spot, flat, np.ones(2), strikes, np.full(2, x), np.array([1.0, -1.0]))
    spots = grid(spot)
    for root in roots(bells, spots, bells.over(spots)):
        middle = np.sqrt(strikes[0] * strikes[1]) * np.exp(-(x**2) / 2)
        assert root == pytest.approx(middle, rel=1e-6)


@given(seeds, st.integers(2, 12), st.floats(-4.0, -1.5))
def test_no_pair_of_roots_is_missed_however_narrow_the_bells(seed: int, n: int, log_width: float) -> None:
    """Strikes of both signs minutes or seconds before they expire, against a scan a hundred times as fine."""
    rng = np.random.default_rng(seed)
    x = 10 ** rng.uniform(log_width, log_width + 1.0, n)
    strikes = 100.0 * np.exp(rng.uniform(-0.05, 0.05, n))
    weight = rng.choice([-1.0, 1.0], n) * rng.uniform(0.1, 10.0, n)
    bells = Bells.of(100.0, np.full(n, 100.0), np.ones(n), strikes, x, weight)
    spots = grid(100.0)
    found = np.array(roots(bells, spots, bells.over(spots)))
    scan = np.unique(
        np.concatenate([spots, *(np.exp(np.log(k) + v * FINE) for k, v in zip(strikes, x, strict=True))])
    )
    scan = scan[(scan >= spots[0]) & (scan <= spots[-1])]
    d = bells.slope[:, None] * np.log(scan) + bells.offset[:, None]
    sums = np.sum(bells.height[:, None] * np.exp(-(d**2) / 2), axis=0)
    clear = np.abs(sums) > 1e-3 * np.min(np.abs(bells.height))
    places, signs = scan[clear], np.sign(sums[clear])
    turns = np.flatnonzero(signs[1:] != signs[:-1])
    for i in turns:
        inside = (found >= places[i]) & (found <= places[i + 1])
        assert inside.sum() % 2 == 1, (places[i], places[i + 1], found)
