"""The book: sweeps and streams come in, consistent chains go out."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.book import Book
from app.market.calendar import settle_ms
from app.market.chain import Chain, Contracts, Quotes, Underlying
from app.market.scatter import cleaned, signed_size
from app.market.symbols import OptionSymbol
from app.market.updates import OptionChanges, OptionUpdate
from app.schwab.frames import EquityContent

NOW = 1_791_000_000_000  # 2026-10-03
DAY = date(2026, 10, 16)
LATER = date(2026, 11, 20)
CALL, PUT = "SPXW  261016C07685000", "SPXW  261016P07685000"
MONTHLY = "SPX   261016C07685000"
FAR = "SPXW  261120C07700000"


def window(*symbols: str, spot: float = 7685.0, spot_ms: int = NOW, **columns: Any) -> Chain:
    """A swept window with these contracts; quote columns are given once for all."""
    options = [OptionSymbol.parse(symbol) for symbol in symbols]
    styles = ["A" if option.root == "SPX" else "P" for option in options]
    n = len(options)
    contracts = Contracts.build(
        {
            "symbol": symbols,
            "root": [option.root for option in options],
            "expiry": [option.expiry for option in options],
            "right": [option.right for option in options],
            "strike": [option.strike for option in options],
            "multiplier": [100.0] * n,
            "settlement": styles,
            "settle_ms": [settle_ms(o.expiry, s) for o, s in zip(options, styles, strict=True)],  # type: ignore[arg-type]
            "standard": [True] * n,
        }
    )
    quotes = {"bid": 10.0, "ask": 10.4, "quote_ms": NOW, "open_interest": 100.0, "iv": 0.15} | columns
    return Chain(
        symbol="SPX",
        spot=spot,
        spot_ms=spot_ms,
        as_of_ms=NOW,
        contracts=contracts,
        quotes=Quotes.build(n, {name: [value] * n for name, value in quotes.items()}),
        rate=0.04,
        underlying=Underlying("SPX", last=spot, quote_ms=spot_ms),
    )


def book_of(*symbols: str) -> Book:
    """A book that one sweep has filled."""
    book = Book("SPX")
    book.merge(window(*symbols), DAY, LATER)
    return book


def row(book: Book, symbol: str) -> Chain:
    """The snapshot's row of one contract."""
    chain = book.snapshot(NOW + 1000)
    return chain.take(chain.contracts.symbol == symbol.encode())


def test_windows_join_in_order_of_expiry_root_strike_and_right() -> None:
    book = book_of(FAR)
    merged = book.merge(window(PUT, CALL, MONTHLY), DAY, DAY)
    assert merged == (3, 0)
    names = book.snapshot(NOW).contracts.symbol.astype(str).tolist()
    assert names == [MONTHLY, CALL, PUT, FAR]


def test_a_second_sweep_renews_quotes_and_keeps_the_contracts() -> None:
    book = book_of(CALL, PUT)
    before = book.contracts
    book.merge(window(CALL, PUT, bid=11.0, open_interest=150.0), DAY, DAY)
    assert book.contracts is before
    assert row(book, CALL).quotes.bid[0] == 11.0
    assert row(book, PUT).quotes.open_interest[0] == 150.0


def test_a_contract_that_two_sweeps_miss_is_dropped_and_others_stay() -> None:
    book = book_of(CALL, PUT, FAR)
    assert book.merge(window(CALL), DAY, DAY).vanished == 1
    assert len(book) == 3
    book.merge(window(CALL), DAY, DAY)
    assert book.snapshot(NOW).contracts.symbol.astype(str).tolist() == [CALL, FAR]


def test_a_contract_that_comes_back_in_time_is_kept() -> None:
    book = book_of(CALL, PUT)
    for names in ((CALL,), (CALL, PUT), (CALL,)):
        book.merge(window(*names), DAY, DAY)
    assert PUT in book


def test_streamed_changes_reach_the_row_and_leave_the_rest() -> None:
    book = book_of(CALL, PUT)
    refused = book.apply(
        OptionChanges.of([OptionUpdate(CALL, bid=9.5, quote_ms=NOW + 500), OptionUpdate("X", bid=1.0)]),
        NOW + 600,
    )
    assert refused == 1
    quotes = row(book, CALL).quotes
    assert (quotes.bid[0], quotes.ask[0], quotes.quote_ms[0]) == (9.5, 10.4, NOW + 500)
    assert (bool(quotes.streaming[0]), quotes.updated_ms[0]) == (True, NOW + 600)
    assert not row(book, PUT).quotes.streaming[0]


def test_volatility_comes_in_percent_and_is_kept_as_a_fraction() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, volatility=14.25, gamma=0.00124244)]), NOW)
    quotes = row(book, CALL).quotes
    assert quotes.iv[0] == pytest.approx(0.1425)
    assert quotes.gamma[0] == pytest.approx(0.00124244)


def test_greeks_that_were_not_computed_are_unknown_until_they_are() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, volatility=14.0, gamma=0.002)]), NOW)
    book.apply(OptionChanges.of([OptionUpdate(CALL, volatility=-999.0)]), NOW)
    quotes = row(book, CALL).quotes
    assert np.isnan([quotes.iv[0], quotes.gamma[0]]).all()
    book.apply(OptionChanges.of([OptionUpdate(CALL, volatility=14.0)]), NOW)
    assert row(book, CALL).quotes.gamma[0] == pytest.approx(0.002)


@pytest.mark.parametrize("bad", [-999.0, -1.0, 1e300])
def test_a_price_that_is_none_is_unknown(bad: float) -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=bad, open_interest=bad)]), NOW)
    quotes = row(book, CALL).quotes
    assert np.isnan(quotes.open_interest[0])
    assert np.isnan(quotes.bid[0]) or bad > 0


@given(
    st.lists(
        st.tuples(
            *[st.sampled_from([-999.0, -1.0, -0.0, 0.0, 0.5, 7.0, 1e30, math.nan, math.inf, -math.inf])] * 3
        ),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_the_wire_leaves_in_a_column_only_what_is_known_comes_out(
    rows: list[tuple[float, float, float]],
) -> None:
    quotes = Quotes.unknown(len(rows))
    quotes.bid[:], quotes.iv[:], quotes.gamma[:] = np.transpose(rows)
    quotes.open_interest[:] = quotes.bid
    quotes.quote_ms[:] = np.clip(np.nan_to_num(quotes.bid), -1e18, 2e18)
    kept = quotes.take(slice(None))
    clean = cleaned(kept, 1000)
    for i, (bid, iv, gamma) in enumerate(rows):
        usable = 0 <= bid < math.inf
        assert clean.bid[i] == bid if usable else np.isnan(clean.bid[i])
        assert clean.open_interest[i] == np.float32(bid) if usable else np.isnan(clean.open_interest[i])
        known = 0 < iv < math.inf
        assert clean.iv[i] == np.float32(iv) if known else np.isnan(clean.iv[i])
        finite = known and math.isfinite(gamma) and gamma != -999
        assert clean.gamma[i] == np.float32(gamma) if finite else np.isnan(clean.gamma[i])
        assert clean.quote_ms[i] == (int(bid) if 0 <= bid <= 1000 else 0)
    assert np.array_equal(quotes.bid, np.transpose(rows)[0], equal_nan=True), (
        "the book keeps the wire's values"
    )


def test_a_time_beyond_all_bounds_costs_one_update() -> None:
    book = book_of(CALL, PUT)
    updates = [OptionUpdate(CALL, quote_ms=2**70), OptionUpdate(PUT, bid=3.0)]
    assert book.apply(OptionChanges.of(updates), NOW) == 1
    assert row(book, PUT).quotes.bid[0] == 3.0


def test_a_sweep_does_not_turn_back_what_streams_but_renews_its_open_interest() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=12.0, quote_ms=NOW + 5000)]), NOW + 5000)
    book.merge(window(CALL, bid=10.0, quote_ms=NOW + 3000, open_interest=777.0), DAY, DAY)
    quotes = row(book, CALL).quotes
    assert (quotes.bid[0], quotes.open_interest[0]) == (12.0, 777.0)


def test_a_much_newer_sweep_mends_what_the_stream_missed() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=12.0, quote_ms=NOW)]), NOW)
    book.merge(window(CALL, bid=13.0, quote_ms=NOW + 60_000), DAY, DAY)
    assert row(book, CALL).quotes.bid[0] == 13.0


def test_when_the_stream_is_lost_the_sweep_keeps_every_row() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=12.0, quote_ms=NOW + 5000)]), NOW + 5000)
    book.unstream()
    assert not row(book, CALL).quotes.streaming[0]
    book.merge(window(CALL, bid=10.0, quote_ms=NOW + 6000), DAY, DAY)
    assert row(book, CALL).quotes.bid[0] == 10.0


def test_settled_contracts_leave_at_their_instant() -> None:
    book = book_of(MONTHLY, CALL, FAR)
    assert book.drop_settled(settle_ms(DAY, "A") - 1) == 0
    assert book.drop_settled(settle_ms(DAY, "A")) == 1
    assert MONTHLY not in book
    assert book.drop_settled(settle_ms(DAY, "P")) == 1
    assert book.snapshot(NOW).contracts.symbol.astype(str).tolist() == [FAR]


def test_dates_no_longer_listed_are_dropped() -> None:
    book = book_of(CALL, FAR)
    assert book.keep_expiries([LATER]) == 1
    assert CALL not in book


def test_a_snapshot_never_changes_afterwards_and_leaves_the_book_clean() -> None:
    book = book_of(CALL)
    assert book.dirty
    chain = book.snapshot(NOW)
    assert not book.dirty
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=1.0)]), NOW)
    assert book.dirty
    assert chain.quotes.bid[0] == 10.0
    assert (chain.as_of_ms, chain.rate, chain.symbol) == (NOW, 0.04, "SPX")


def test_the_session_makes_dirty_only_when_it_changes() -> None:
    book = book_of(CALL)
    book.set_session("open")
    assert book.snapshot(NOW).session == "open"
    book.set_session("open")
    assert not book.dirty


def test_while_the_market_is_closed_nothing_counts_as_streaming() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=12.0)]), NOW)
    for session, streams in (("open", True), ("closed", False), ("unknown", True), ("open", True)):
        book.set_session(session)  # type: ignore[arg-type]
        assert row(book, CALL).quotes.streaming.tolist() == [streams]
        assert book.streaming()[1].tolist() == [streams]


# --- spot ----------------------------------------------------------------------------------------


def test_spot_follows_the_stream_and_an_older_sweep_does_not_turn_it_back() -> None:
    book = book_of(CALL)
    book.apply_underlying(EquityContent("$SPX", last=7690.0, mark=7690.0, trade_ms=NOW + 1000))
    book.merge(window(CALL, spot=7680.0, spot_ms=NOW + 500), DAY, DAY)
    chain = book.snapshot(NOW)
    assert (chain.spot, chain.spot_ms, chain.underlying.last) == (7690.0, NOW + 1000, 7690.0)


def test_a_message_without_a_price_leaves_spot_and_its_time_alone() -> None:
    book = book_of(CALL)
    book.apply_underlying(EquityContent("$SPX", volume=5.0, quote_ms=NOW + 9000))
    chain = book.snapshot(NOW)
    assert (chain.spot, chain.spot_ms) == (7685.0, NOW)


@pytest.mark.parametrize("bad", [0.0, -999.0, float("nan"), float("inf")])
def test_no_spot_is_ever_made_of_what_is_none(bad: float) -> None:
    book = book_of(CALL)
    book.apply_underlying(EquityContent("$SPX", last=bad, mark=bad))
    assert book.snapshot(NOW).spot == 7685.0


def test_a_last_outside_the_quote_does_not_replace_the_mark() -> None:
    book = Book("SPY")
    book.apply_underlying(EquityContent("SPY", bid=100.0, ask=100.2, mark=100.1, quote_ms=NOW))
    book.apply_underlying(EquityContent("SPY", last=95.0, trade_ms=NOW + 10))
    assert book.snapshot(NOW).spot == 100.1


def test_a_book_without_anything_knows_nothing() -> None:
    chain = Book("SPX").snapshot(NOW)
    assert len(chain) == 0
    assert np.isnan(chain.spot)
    assert chain.spot_ms == 0


# --- flow ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "before", "expected"),
    [
        (10.4, 10.2, 5),  # at the ask
        (10.6, 10.2, 5),  # above it
        (10.0, 10.2, -5),  # at the bid
        (10.3, 10.2, 5),  # nearer the ask
        (10.1, 10.2, -5),
        (10.2, 10.1, 5),  # on the mid, uptick
        (10.2, 10.3, -5),
        (10.2, 10.2, 0),
        (float("nan"), 10.2, 0),
    ],
)
def test_a_trade_is_signed_by_the_quote_before_it(price: float, before: float, expected: float) -> None:
    assert signed_size(5, price, before, 10.0, 10.4) == expected


def test_without_a_two_sided_quote_the_tick_tells() -> None:
    assert signed_size(5, 2.0, 1.0, 0.0, 10.4) == 5
    assert signed_size(5, 2.0, 1.0, float("nan"), float("nan")) == 5


def test_flow_counts_what_trades_while_the_stream_watches() -> None:
    book = book_of(CALL)
    assert np.isnan(row(book, CALL).quotes.flow[0])
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=10.0, ask=10.4, last=10.2, volume=100.0)]), NOW)
    assert row(book, CALL).quotes.flow[0] == 0, "the image's volume was traded before"
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=10.4, ask=10.8, last=10.4, volume=107.0)]), NOW)
    book.apply(OptionChanges.of([OptionUpdate(CALL, last=10.4, volume=110.0)]), NOW)
    assert row(book, CALL).quotes.flow[0] == 7 - 3


def test_flow_begins_anew_with_the_day_and_does_not_guess_across_a_gap() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=10.0, ask=10.4, last=10.2, volume=100.0)]), NOW)
    book.apply(OptionChanges.of([OptionUpdate(CALL, last=10.4, volume=101.0)]), NOW)
    book.unstream()
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=10.0, ask=10.4, last=10.4, volume=500.0)]), NOW)
    assert row(book, CALL).quotes.flow[0] == 1, "nobody saw the trades of the gap"
    book.apply(OptionChanges.of([OptionUpdate(CALL, volume=0.0)]), NOW)
    book.apply(OptionChanges.of([OptionUpdate(CALL, last=10.4, volume=4.0)]), NOW)
    assert row(book, CALL).quotes.flow[0] == 4


def test_a_new_day_that_a_sweep_tells_of_begins_flow_anew() -> None:
    book = book_of(CALL)
    book.apply(OptionChanges.of([OptionUpdate(CALL, bid=10.0, ask=10.4, last=10.2, volume=100.0)]), NOW)
    book.apply(OptionChanges.of([OptionUpdate(CALL, last=10.4, volume=101.0)]), NOW)
    book.unstream()
    book.merge(window(CALL, volume=3.0, quote_ms=NOW + 1), DAY, DAY)
    assert row(book, CALL).quotes.flow[0] == 0


def test_missing_expiries_travel_with_the_chain() -> None:
    book = book_of(CALL)
    chain = book.snapshot(NOW)
    assert (chain.missing_expiries, chain.missing_dates) == (0, ())
    book.set_missing({LATER, DAY})
    assert book.dirty
    chain = book.snapshot(NOW)
    assert (chain.missing_expiries, chain.missing_dates) == (2, (DAY, LATER))
    book.set_missing({DAY, LATER})
    assert not book.dirty, "nothing new was said"
    book.set_missing((), 2)
    chain = book.snapshot(NOW)
    assert (chain.missing_expiries, chain.missing_dates) == (2, ()), "how many, nobody knows which"


def test_a_book_goes_on_from_what_another_published() -> None:
    before = book_of(CALL, PUT, FAR)
    before.apply(OptionChanges.of([OptionUpdate(CALL, bid=11.0)]), NOW)
    book = Book("SPX")
    book.inherit(before.snapshot(NOW))
    chain = book.snapshot(NOW)
    assert set(chain.contracts.symbol) == {CALL.encode(), PUT.encode(), FAR.encode()}
    assert chain.spot == 7685.0
    assert not chain.quotes.streaming.any(), "nothing streams before this book's own stream has said so"
    book.merge(window(CALL), DAY, DAY)
    left = set(book.snapshot(NOW).contracts.symbol)
    assert left == {CALL.encode(), FAR.encode()}, "what the first sweep of its dates doesn't name is gone"


def test_what_a_window_could_not_read_is_counted_until_it_is_read_again() -> None:
    book = Book("SPX")
    book.merge(replace(window(CALL), rejected={"contradictory": 2}), DAY, DAY)
    book.merge(replace(window(FAR), rejected={"contradictory": 1, "duplicate": 1}), LATER, LATER)
    assert book.snapshot(NOW).rejected == {"contradictory": 3, "duplicate": 1}
    book.merge(window(CALL, FAR), DAY, LATER)
    assert book.snapshot(NOW).rejected == {}
