"""The simulated market itself: no arbitrage, the same for the same seed, shaped like a real one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from app.gex import compute
from app.gex.snapshot import Levels
from app.market.calendar import to_ms
from app.simulator.book import Book
from app.simulator.clock import Clock
from app.simulator.fields import Opt
from app.simulator.market import Market
from app.simulator.options import Options
from app.simulator.path import Path
from app.simulator.pricing import Terms, greeks, price
from app.simulator.surface import Ssvi
from app.simulator.underlyings import KNOWN, profile_of
from app.simulator.universe import list_contracts
from tests.simulation import shown

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
DAY = START.date()


def market(*symbols: str, seed: int = 1, start: datetime = START) -> Market:
    """A market whose clock stands still."""
    clock = Clock(start=start, source=lambda: 1e9)
    return Market(Options(symbols=symbols, seed=seed), clock)


def book_of(symbol: str, seed: int = 1, start: datetime = START) -> Book:
    book = market(symbol, seed=seed, start=start).book(symbol)
    assert book is not None
    return book


@cache
def levels_of(symbol: str, seed: int) -> Levels:
    """The levels that a client computes when the simulator starts."""
    return compute(shown(market(symbol, seed=seed), symbol)).levels


@pytest.mark.parametrize("symbol", sorted(KNOWN))
def test_total_variance_never_falls_with_time_so_there_is_no_calendar_arbitrage(symbol: str) -> None:
    vol = KNOWN[symbol].vol
    surface = Ssvi(vol, 0.72 * vol)
    k = np.linspace(-1.5, 1.5, 121)
    years = np.geomspace(1e-5, 6, 80)[:, None]
    variance = surface.total_vol(None, k, years) ** 2
    assert (np.diff(variance, axis=0) > 0).all()


@pytest.mark.parametrize("symbol", sorted(KNOWN))
def test_the_implied_density_is_never_negative_so_there_is_no_butterfly_arbitrage(symbol: str) -> None:
    """Durrleman's condition: g(k) >= 0 (Gatheral and Jacquier 2014, equation 2.1), by finite differences."""
    vol = KNOWN[symbol].vol
    surface = Ssvi(vol, 0.72 * vol)
    h = 1e-4
    k = np.linspace(-1.2, 1.2, 481)
    for years in (1 / 365, 7 / 365, 0.1, 0.5, 1.0, 5.0):
        at = np.full_like(k, years)
        below, here, above = (surface.total_vol(None, k + shift, at) ** 2 for shift in (-h, 0.0, h))
        slope, curve = (above - below) / (2 * h), (above - 2 * here + below) / h**2
        g = (1 - k * slope / (2 * here)) ** 2 - slope**2 / 4 * (1 / here + 0.25) + curve / 2
        assert g.min() > -1e-6, years


def test_index_options_keep_put_call_parity_within_the_spread() -> None:
    book = book_of("SPX")
    at = to_ms(START)
    n = len(book) // 2
    calls, puts = np.arange(n), np.arange(n, 2 * n)
    assert (book.listing.strike[:n] == book.listing.strike[n:]).all()
    (call_bid, call_ask), (put_bid, put_ask) = book.bid_ask(calls, at), book.bid_ask(puts, at)
    years = (book.settle_ms[:n] - at) / 1000 / 86_400 / 365
    forward = 7680.0 * np.exp(book.model.carry[book.listing.of[:n]] * years)
    worth = np.exp(-book.model.rate * years) * (forward - book.listing.strike[:n])
    assert (call_bid - put_ask <= worth + 1e-6).all()
    assert (call_ask - put_bid >= worth - 1e-6).all()


def test_markets_are_never_crossed_and_sit_on_their_ticks() -> None:
    for symbol, tick in (("SPX", 0.05), ("SPY", 0.01), ("AAPL", 0.01)):
        book = book_of(symbol)
        bid, ask = book.bid_ask(np.arange(len(book)), to_ms(START))
        assert (bid >= 0).all()
        assert (ask > bid).all()
        assert np.allclose(np.rint(bid / tick) * tick, bid, atol=1e-9)
        assert (bid == 0).any(), "somebody has no bid far from the money"


def test_greeks_are_the_derivatives_of_the_price() -> None:
    def at(spot: float = 100.0, years: float = 0.4, rate: float = 0.04, vol: float = 0.2) -> Terms:
        strike, call = np.array([80.0, 100.0, 125.0] * 2), np.array([True] * 3 + [False] * 3)
        t = np.full(6, years)
        forward = spot * np.exp((rate - 0.01) * t)
        return Terms(spot, forward, strike, np.exp(-rate * t), t, vol * np.sqrt(t), call, rate)

    g, h = greeks(at()), 1e-4
    up, here, down = price(at(spot=100 + h)), price(at()), price(at(spot=100 - h))
    assert np.allclose(g.delta, (up - down) / (2 * h), atol=1e-7)
    wide = price(at(spot=100.01)) - 2 * here + price(at(spot=99.99))
    assert np.allclose(g.gamma, wide / 1e-4, atol=1e-6)
    assert np.allclose(g.vega, (price(at(vol=0.2001)) - price(at(vol=0.1999))) / 0.0002 / 100, atol=1e-6)
    assert np.allclose(
        g.theta, -(price(at(years=0.4001)) - price(at(years=0.3999))) / 0.0002 / 365, atol=1e-6
    )
    assert np.allclose(g.rho, (price(at(rate=0.0401)) - price(at(rate=0.0399))) / 0.0002 / 100, atol=1e-6)
    assert np.allclose(g.volatility, 20.0)


def test_the_same_seed_gives_the_same_market_and_another_one_another() -> None:
    def picture(seed: int) -> list[np.ndarray]:
        book = book_of("SPY", seed)
        rows = np.arange(len(book))
        later = to_ms(START) + 3_600_000
        return [book.listing.open_interest, book.tape.volume, *book.bid_ask(rows, later)]

    first, again, other = picture(1), picture(1), picture(2)
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert not any((a == b).all() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize(
    ("symbol", "count"), [("SPX", 20_000), ("SPY", 8_000), ("AAPL", 2_000), ("ZYX", 2_000)]
)
def test_chains_are_as_large_as_real_ones(symbol: str, count: int) -> None:
    listing = list_contracts(profile_of(symbol), DAY, 1)
    assert len(listing) == pytest.approx(count, rel=0.01)
    symbols = listing.symbols()
    assert len(set(symbols)) == len(symbols)
    assert {len(text) for text in symbols} == {21}


@pytest.mark.parametrize("symbol", ["SPX", "SPY", "AAPL"])
def test_there_is_an_expiry_on_each_of_the_next_seven_days_then_weeklies_monthlies_and_leaps(
    symbol: str,
) -> None:
    series = list_contracts(profile_of(symbol), DAY, 1).series
    dates = {s.expiry for s in series}
    assert {DAY + timedelta(days=n) for n in range(8)} <= dates
    assert {date(2026, 12, 4), date(2026, 12, 11), date(2026, 12, 18), date(2027, 1, 15)} <= dates
    assert max(dates) > DAY + timedelta(days=2 * 365)
    assert {s.kind for s in series} >= {"S", "W"}


def test_third_fridays_of_spx_hold_an_am_and_a_pm_series() -> None:
    series = list_contracts(KNOWN["SPX"], DAY, 1).series
    third_friday = [(s.root, s.settlement, s.kind) for s in series if s.expiry == date(2026, 12, 18)]
    assert third_friday == [("SPX", "A", "S"), ("SPXW", "P", "W")]
    assert all(s.root == "SPXW" for s in series if s.settlement == "P")


def test_a_third_friday_that_is_a_holiday_moves_to_the_day_before() -> None:
    expiries = {s.expiry for s in list_contracts(KNOWN["SPX"], DAY, 1).series if s.root == "SPX"}
    assert date(2027, 6, 17) in expiries  # the 18th is Juneteenth, observed
    assert date(2027, 6, 18) not in expiries


def test_open_interest_is_held_like_a_real_chains() -> None:
    listing = list_contracts(KNOWN["SPX"], DAY, 1)
    oi, strike, call = listing.open_interest, listing.strike, listing.is_call
    below, above = strike < 0.98 * 7680, strike > 1.02 * 7680
    assert oi[~call & below].sum() > 2 * oi[call & below].sum()
    assert oi[call & above].sum() > 2 * oi[~call & above].sum()
    near = np.abs(strike / 7680 - 1) < 0.05
    hundreds, fives = near & (strike % 100 == 0), near & (strike % 25 != 0)
    assert oi[hundreds].mean() > 4 * oi[fives].mean()
    am = np.array([s.settlement == "A" for s in listing.series])[listing.of]
    assert 0.7 < oi[am].sum() / oi.sum() < 0.85
    assert (oi >= 0).all()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("symbol", ["SPX", "SPY", "AAPL"])
def test_the_levels_lie_where_a_real_chains_do(symbol: str, seed: int) -> None:
    levels, spot = levels_of(symbol, seed), KNOWN[symbol].spot
    assert None not in (levels.put_wall, levels.call_wall, levels.net_gex, levels.gross_gex)
    assert 0.85 * spot < levels.put_wall < 1.005 * spot  # type: ignore[operator]
    assert 0.995 * spot < levels.call_wall < 1.15 * spot  # type: ignore[operator]
    assert abs(levels.net_gex) < 0.15 * levels.gross_gex  # type: ignore[arg-type, operator]
    assert levels.flips == (pytest.approx(spot, rel=0.03),)
    assert levels.max_pain == pytest.approx(spot, rel=0.12 * KNOWN[symbol].vol)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_gamma_exposure_of_spx_has_its_real_size(seed: int) -> None:
    levels = levels_of("SPX", seed)
    assert levels.gross_gex is not None
    assert levels.net_gex is not None
    assert 250e9 < levels.gross_gex < 450e9
    assert abs(levels.net_gex) < 40e9


def test_positions_follow_the_price_overnight() -> None:
    now = [1e9]
    traded = Market(Options(symbols=("SPY",)), Clock(start=START, source=lambda: now[0]))
    traded.jump("SPY", -5)
    fallen = compute(shown(traded, "SPY")).levels
    assert fallen.net_gex is not None
    assert fallen.gross_gex is not None
    assert fallen.net_gex < -0.15 * fallen.gross_gex
    now[0] += 86_400
    chain = shown(traded, "SPY")
    levels = compute(chain).levels
    assert chain.spot == pytest.approx(0.95 * KNOWN["SPY"].spot, rel=0.02)
    assert levels.put_wall is not None
    assert levels.call_wall is not None
    assert levels.put_wall < 1.005 * chain.spot
    assert levels.call_wall > 0.995 * chain.spot
    assert levels.flip == pytest.approx(chain.spot, rel=0.03)


def test_the_price_moves_like_a_real_one_and_stays_near() -> None:
    for seed in range(3):
        path = Path(seed, 0.15)
        minutes = path.log_returns(np.arange(0, 5 * 86_400, 60.0))
        assert np.diff(minutes).std() * np.sqrt(365 * 1440) == pytest.approx(0.15, rel=0.1)
        days = path.log_returns(np.arange(0, 400 * 86_400, 3600.0))
        assert np.abs(days).max() < 0.06


def test_one_instant_and_many_give_the_same_price() -> None:
    path = Path(7, 0.2)
    instants = np.array([-1e6, -0.5, 0.0, 0.25, 12345.678, 9e6])
    assert path.log_returns(instants) == pytest.approx([path.log_return(t) for t in instants], abs=1e-15)


def test_trades_grow_the_volume_at_bid_or_ask() -> None:
    book = book_of("SPX")
    at, rows = to_ms(START), np.arange(len(book))
    before = book.tape.volume.copy()
    for second in range(1, 61):
        book.advance(at + 1000 * second)
    traded = np.flatnonzero(book.tape.volume > before)
    assert len(traded) > 50
    assert (book.tape.volume >= before).all()
    recent = traded[book.tape.trade_ms[traded] == at + 60_000]
    bid, ask = book.bid_ask(recent, at + 60_000)
    last = book.tape.last[recent]
    assert ((last == bid) | (last == ask)).all()
    fields = book.quotes(rows, at + 60_000)
    assert (fields[Opt.HIGH] >= fields[Opt.LOW]).all()


def test_contracts_leave_when_they_settle() -> None:
    book = book_of("SPX", start=datetime(2026, 12, 18, 14, 0, tzinfo=UTC))
    am = np.array([s.settlement == "A" and s.expiry == date(2026, 12, 18) for s in book.listing.series])
    rows = am[book.listing.of]
    assert book.alive(to_ms(datetime(2026, 12, 18, 14, 29, tzinfo=UTC)))[rows].all()
    assert not book.alive(to_ms(datetime(2026, 12, 18, 14, 30, tzinfo=UTC)))[rows].any()


def test_a_new_day_lists_a_new_expiry() -> None:
    now = [1e9]
    clock = Clock(start=START, source=lambda: now[0])
    traded = Market(Options(symbols=("SPY",)), clock)
    first = traded.book("SPY")
    now[0] += 86_400
    second = traded.book("SPY")
    assert first is not None
    assert second is not None
    eighth = DAY + timedelta(days=8)
    assert eighth in {s.expiry for s in second.listing.series}
    assert eighth not in {s.expiry for s in first.listing.series}
    assert all(facts.days >= 0 for facts in second.series_facts)


def test_all_numbers_of_all_chains_are_finite() -> None:
    at = to_ms(START)
    for symbol in ("SPX", "VIX", "NVDA", "ZYX"):
        book = book_of(symbol)
        rows = np.flatnonzero(book.alive(at))
        for fields in (book.quotes(rows, at), book.greeks(rows, at)):
            for name, column in fields.items():
                assert np.isfinite(column).all(), (symbol, name)


def test_neighbouring_expiries_have_no_gap_in_total_variance_between_am_and_pm() -> None:
    book = book_of("SPX")
    at = to_ms(START)
    totals = []
    for number, series in enumerate(book.listing.series):
        if book.series_facts[number].days > 3 and series.settle_ms > at:
            years = (series.settle_ms - at) / 1000 / 86_400 / 365
            totals.append(
                float(book.model.surface.total_vol(np.zeros(1, int), np.zeros(1), np.array([years]))[0])
            )
    assert all(a < b for a, b in pairwise(totals))


def test_a_share_class_has_its_own_root_and_is_found_by_it() -> None:
    traded = market("BRK/B")
    book = traded.book("BRK/B")
    assert book is not None
    assert book.symbols[0].startswith("BRKB  26")
    assert traded.find_option(book.symbols[7]) == (book, 7)
    assert traded.find_asset("BRK/B") is book.asset


def test_a_jump_moves_the_price_from_now_on_and_leaves_the_past() -> None:
    traded = market("SPX")
    book = traded.book("SPX")
    assert book is not None
    at = to_ms(START)
    before, close = book.asset.spot(at - 60_000), book.asset.day(at).close
    here = book.asset.spot(at)
    assert traded.jump("SPX", -3)
    assert book.asset.spot(at) == pytest.approx(0.97 * here, rel=1e-5)
    assert book.asset.spots(np.array([at - 60_000.0, at])).tolist() == [before, book.asset.spot(at)]
    assert book.asset.day(at).close == close
    assert not traded.jump("NOSUCH", 1)
