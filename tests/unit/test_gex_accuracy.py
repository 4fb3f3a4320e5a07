"""The engine against independent oracles: QuantLib, SciPy, and chains whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - its own documentation's name
from scipy.optimize import brentq

from app.gex import Params, compute, contract_gamma, expose, fit
from app.gex.black import black, total_vol
from app.gex.vols import VOL_SOURCES
from app.market.chain import Chain
from tests import chains
from tests.chains import Listed, Truth

# Three hours, ten minutes and thirty seconds before the close of the first series; and a half-day's morning.
INSTANTS = [
    datetime(2026, 10, 16, 17, 0, tzinfo=UTC),
    datetime(2026, 10, 16, 19, 50, tzinfo=UTC),
    datetime(2026, 10, 16, 19, 59, 30, tzinfo=UTC),
    datetime(2026, 11, 27, 16, 30, tzinfo=UTC),
]


def live(chain: Chain) -> np.ndarray:
    return chain.contracts.settle_ms > chain.as_of_ms


def oracle_gamma(chain: Chain, truth: Truth, row: int) -> float:
    c = chain.contracts
    kind = ql.Option.Call if c.is_call[row] else ql.Option.Put
    payoff = ql.PlainVanillaPayoff(kind, float(c.strike[row]))
    calculator = ql.BlackCalculator(
        payoff, float(truth.forward[row]), float(truth.total_vol[row]), float(truth.discount[row])
    )
    return float(calculator.gamma(chain.spot))


def true_profile(chain: Chain, truth: Truth, spot: float) -> float:
    """Sum of s OI M gamma S² 0.01, every contract revalued at `spot` with x and F/S held."""
    rows = live(chain)
    forward = truth.forward[rows] * spot / chain.spot
    x = truth.total_vol[rows]
    d1 = np.log(forward / chain.contracts.strike[rows]) / x + x / 2
    density = truth.discount[rows] * forward * np.exp(-(d1**2) / 2) / np.sqrt(2 * np.pi) / x
    sign = np.where(chain.contracts.is_call[rows], 1.0, -1.0)
    return float(np.sum(sign * chain.quotes.open_interest[rows] * 100.0 * 0.01 * density))


@pytest.mark.parametrize("as_of", INSTANTS, ids=["3 h", "10 min", "30 s", "half-day"])
def test_every_gamma_is_quantlibs(as_of: datetime) -> None:
    chain, truth = chains.synthetic(as_of=as_of)
    gamma = contract_gamma(fit(chain))
    rows = np.flatnonzero(live(chain))
    expected = np.array([oracle_gamma(chain, truth, int(row)) for row in rows])
    seen = expected > 1e-9 * expected.max()
    assert seen.sum() > 400
    assert np.all(np.isnan(gamma[~live(chain)]))
    np.testing.assert_allclose(gamma[rows][seen], expected[seen], rtol=1e-7)


@pytest.mark.parametrize("as_of", INSTANTS, ids=["3 h", "10 min", "30 s", "half-day"])
def test_total_and_flip_are_the_true_ones_on_exact_prices(as_of: datetime) -> None:
    chain, truth = chains.synthetic(as_of=as_of)
    levels = compute(chain).levels
    assert levels.net_gex is not None
    assert levels.gross_gex is not None
    assert levels.net_gex == pytest.approx(
        true_profile(chain, truth, chain.spot), abs=1e-8 * levels.gross_gex
    )
    # so fine that seconds before a close it sees each strike's bell
    spots = np.geomspace(0.8 * chain.spot, 1.2 * chain.spot, 20_000)
    values = np.array([true_profile(chain, truth, s) for s in spots])
    turns = np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1]))
    expected = [
        brentq(lambda s: true_profile(chain, truth, s), spots[i], spots[i + 1], xtol=1e-10) for i in turns
    ]
    np.testing.assert_allclose(levels.flips, expected, atol=1e-6 * chain.spot)


def test_forwards_and_the_rate_come_from_parity_alone() -> None:
    chain, truth = chains.synthetic()
    surface = fit(replace(chain, rate=float("nan")))
    assert surface.rate_source == "parity"
    assert surface.rate == pytest.approx(chains.RATE, abs=1e-7)
    by_row = surface.forward[surface.layout.row_series]
    np.testing.assert_allclose(by_row[live(chain)], truth.forward[live(chain)], rtol=1e-8)


def test_am_and_pm_series_of_one_date_have_their_own_clocks_and_forwards() -> None:
    chain, _ = chains.synthetic()
    third_friday = [e for e in compute(chain).expiries if e.expiry == date(2026, 11, 20)]
    assert [(e.root, e.settlement) for e in third_friday] == [("SPX", "AM"), ("SPXW", "PM")]
    assert third_friday[1].settle_ms - third_friday[0].settle_ms == 6.5 * 3600 * 1000
    assert third_friday[0].forward != third_friday[1].forward


def test_cent_rounded_quotes_move_the_total_little() -> None:
    exact, truth = chains.synthetic()
    levels = compute(chains.rounded(exact)).levels
    assert levels.net_gex is not None
    assert levels.gross_gex is not None
    assert levels.net_gex == pytest.approx(
        true_profile(exact, truth, exact.spot), abs=0.01 * levels.gross_gex
    )
    expected = compute(exact).levels.flip
    assert expected is not None
    assert levels.flip == pytest.approx(expected, rel=1e-3)
    assert levels.flip_band is not None
    assert levels.flip_band[0] <= levels.flip <= levels.flip_band[1]


def faulty(seed: int = 3) -> tuple[Chain, Truth]:
    """Quotes as an exchange shows them, one in ten of them broken in one way or another."""
    exact, truth = chains.synthetic()
    chain = chains.rounded(exact)
    rng = np.random.default_rng(seed)
    bid, ask = chain.quotes.bid.copy(), chain.quotes.ask.copy()
    fault = rng.integers(0, 60, len(chain))
    bid[fault == 0], ask[fault == 0] = np.nan, np.nan
    bid[fault == 1] = 0.0
    bid[fault == 2], ask[fault == 2] = ask[fault == 2] + 0.1, bid[fault == 2]
    bid[fault == 3], ask[fault == 3] = -999.0, -999.0
    ask[fault == 4] = np.inf
    ask[fault == 5] *= 50
    return chains.requoted(chain, bid=bid, ask=ask), truth


def test_faulty_quotes_neither_stop_nor_move_it() -> None:
    chain, truth = faulty()
    snapshot = compute(chain)
    levels = snapshot.levels
    assert levels.net_gex is not None
    assert levels.gross_gex is not None
    assert levels.net_gex == pytest.approx(
        true_profile(chain, truth, chain.spot), abs=0.02 * levels.gross_gex
    )
    quality = snapshot.quality
    assert quality.contracts == len(chain)
    assert quality.used + sum(quality.excluded.values()) == len(chain)
    assert quality.fallbacks["interpolated"] > 0
    assert quality.fallbacks["other_leg"] > 0


def test_a_series_without_one_leg_takes_the_neighbours_carry() -> None:
    chain, truth = chains.synthetic()
    one_sided = chain.contracts.expiry == np.datetime64("2026-11-27")
    lost = one_sided & ~chain.contracts.is_call
    snapshot = compute(chains.requoted(chain, bid=np.where(lost, np.nan, chain.quotes.bid)))
    row = next(e for e in snapshot.expiries if e.expiry == date(2026, 11, 27))
    assert row.forward_source == "carry"
    assert row.forward == pytest.approx(truth.forward[one_sided][0], rel=1e-9)
    assert snapshot.quality.fallbacks["forward_carry"] == 1
    assert any("parity forward" in text for text in snapshot.quality.warnings)


def test_without_any_pair_the_forward_is_the_rates_and_says_so() -> None:
    chain, _ = chains.synthetic()
    calls_only = compute(chain.take(chain.contracts.is_call))
    assert {e.forward_source for e in calls_only.expiries} == {"rate"}
    first = calls_only.expiries[-1]
    years = (first.settle_ms - chain.as_of_ms) / chains.YEAR_MS
    assert first.forward == pytest.approx(chain.spot * np.exp(chains.RATE * years))


def test_duplicates_count_once_and_adjusted_contracts_by_their_multiplier() -> None:
    chain, truth = chains.synthetic()
    n = len(chain)
    doubled = chain.take(np.concatenate([np.arange(n), np.arange(0, n, 7)]))
    snapshot = compute(doubled)
    assert snapshot.quality.excluded["duplicate"] == len(range(0, n, 7))
    assert snapshot.levels.net_gex == pytest.approx(compute(chain).levels.net_gex)
    minis = chains.relisted(
        chain,
        multiplier=np.where(np.arange(n) % 10 == 0, 10.0, 100.0),
        standard=np.arange(n) % 10 != 0,
    )
    weight = np.where(np.arange(n) % 10 == 0, 0.1, 1.0)
    same = chains.requoted(chain, open_interest=chain.quotes.open_interest * weight)
    levels = compute(minis).levels
    assert levels.gross_gex is not None
    assert levels.net_gex == pytest.approx(true_profile(same, truth, chain.spot), abs=1e-6 * levels.gross_gex)


def test_black_and_its_inverse_are_quantlibs() -> None:
    forward = 5000.0
    strikes = np.array([2000.0, 4000.0, 4990.0, 5000.0, 5005.0, 6000.0, 9000.0])
    for x in (1e-4, 0.003, 0.05, 0.4, 1.5, 3.0):
        for kind, right in ((ql.Option.Call, "C"), (ql.Option.Put, "P")):
            expected = [ql.blackFormula(kind, k, forward, x) for k in strikes.tolist()]
            np.testing.assert_allclose(black(forward, strikes, x, right), expected, rtol=1e-9, atol=1e-9)
        right_out = np.where(strikes >= forward, "C", "P")
        price = black(forward, strikes, x, right_out)
        priced = price > 1e-40
        np.testing.assert_allclose(total_vol(price, forward, strikes, right_out)[priced], x, rtol=1e-8)


def test_a_price_that_no_volatility_gives_is_unknown() -> None:
    assert np.isnan(total_vol([0.0, -1.0, np.nan, 5000.0, 1e9], 5000.0, 5100.0, "C")).all()
    assert np.isnan(total_vol(99.0, 5000.0, 4900.0, "C"))


def test_black_of_nothing_known_is_unknown_and_of_no_volatility_intrinsic() -> None:
    assert np.isnan(black([np.nan, -1.0, 5000.0], [100.0, 100.0, np.nan], 0.1, "C")).all()
    np.testing.assert_array_equal(black(5000.0, [4900.0, 5100.0], 0.0, "C"), [100.0, 0.0])


def test_total_vols_do_not_depend_on_the_clock_but_settlement_does() -> None:
    chain, _ = chains.synthetic()
    later = replace(chain, as_of_ms=chain.as_of_ms + 4 * 3600 * 1000)
    before, after = fit(chain, rate=0.0), fit(later, rate=0.0)
    gone = ~after.alive[after.layout.node_series]
    assert gone.any()
    np.testing.assert_allclose(after.total_vol[~gone], before.total_vol[~gone])
    assert not any(e.expiry == date(2026, 10, 16) for e in expose(after, Params()).expiries)


def test_an_american_options_right_to_exercise_is_no_time_value() -> None:
    """Deep puts at their exercise value, their calls without a bid: parity would read a volatility out of the interest."""
    exact, _ = chains.synthetic(series=(Listed("SPY", date(2027, 6, 17), step=50.0, width=4.0),))
    chain = chains.rounded(exact)
    strike, bid, ask = chain.contracts.strike, chain.quotes.bid.copy(), chain.quotes.ask.copy()
    exercise = np.where(chain.contracts.is_call, 0.0, strike - chain.spot)
    bid, ask = np.maximum(bid, exercise - 0.05), np.maximum(ask, exercise + 0.05)
    far = chain.contracts.is_call & (strike > 1.35 * chain.spot)
    bid[far], ask[far] = 0.0, 0.05
    traded = fit(chains.requoted(chain, bid=bid, ask=ask))
    assert far.sum() > 10
    assert not np.any(traded.vol_source == VOL_SOURCES.index("other_leg"))
    beyond = traded.layout.strike > 1.35 * chain.spot
    x_at_edge = traded.total_vol[~beyond][-1]
    assert np.all(traded.total_vol[beyond] <= x_at_edge)


def test_a_dear_in_the_money_option_that_its_offered_twin_contradicts_tells_nothing() -> None:
    exact, truth = chains.synthetic()
    chain = chains.rounded(exact)
    c = chain.contracts
    deep = ~c.is_call & (c.strike > 1.05 * chain.spot) & (truth.years > 0.02)
    twins = c.is_call & (c.strike > 1.05 * chain.spot) & (truth.years > 0.02)
    bid, ask = chain.quotes.bid.copy(), chain.quotes.ask.copy()
    bid[deep], ask[deep] = bid[deep] + 4.0, ask[deep] + 4.0
    bid[twins], ask[twins] = 0.0, 0.05
    surface = fit(chains.requoted(chain, bid=bid, ask=ask))
    found = surface.vol_source[surface.layout.row_node[deep]]
    assert deep.sum() > 20
    assert not np.any(found == VOL_SOURCES.index("other_leg"))


def test_unknown_open_interest_is_said_and_is_not_the_same_as_none() -> None:
    chain, _ = chains.synthetic()
    unknown, none = (
        compute(chains.requoted(chain, open_interest=np.full(len(chain), value))) for value in (np.nan, 0.0)
    )
    assert (unknown.levels.net_gex, none.levels.net_gex) == (None, 0.0)
    assert unknown.quality.warnings == ("No open interest is known.",)
    assert none.quality.warnings == ("The open interest of every chosen contract is 0.",)
    for snapshot in (unknown, none):
        levels = snapshot.levels
        assert (levels.flip, levels.call_wall, levels.put_wall, levels.max_pain) == (None,) * 4
        assert (snapshot.regime, snapshot.quality.confidence) == (None, None)
