"""A /chains document becomes a Chain, whatever is wrong with single contracts."""

from __future__ import annotations

import copy
import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.errors import DataError
from app.market.calendar import to_ms
from app.schwab.chains import parse_chain_json
from tests.support import data_file


def contract(symbol: str = "SPXW  261016C07685000", **changes: Any) -> dict[str, Any]:
    """A contract as the wire sends it, with some fields changed."""
    side = "CALL" if symbol[12] == "C" else "PUT"
    wire: dict[str, Any] = {
        "putCall": side,
        "symbol": symbol,
        "bid": 10.0,
        "ask": 10.4,
        "last": 10.2,
        "bidSize": 27,
        "askSize": 36,
        "lastSize": 1,
        "totalVolume": 12,
        "openInterest": 345,
        "volatility": 14.25,
        "delta": 0.412,
        "gamma": 0.002,
        "theta": -2.1,
        "vega": 1.3,
        "quoteTimeInLong": 1_791_000_000_000,
        "tradeTimeInLong": 1_790_999_000_000,
        "strikePrice": int(symbol[13:]) / 1000,
        "multiplier": 100.0,
        "settlementType": "P",
        "optionRoot": symbol[:6].strip(),
        "nonStandard": False,
    }
    return wire | changes


def document(*contracts: Any, **changes: Any) -> dict[str, Any]:
    """A chain whose contracts lie in one list of one strike of one date."""
    base: dict[str, Any] = {
        "symbol": "$SPX",
        "status": "SUCCESS",
        "underlying": None,
        "interestRate": 4.037,
        "underlyingPrice": 7685.5,
        "isDelayed": False,
        "callExpDateMap": {"2026-10-16:8": {"7685.0": list(contracts)}},
        "putExpDateMap": {},
    }
    return base | changes


def test_the_genuine_chain_is_read_whole() -> None:
    doc = json.loads(data_file("schwab_spx_0dte_2024-10-15.json").read_bytes())
    chain = parse_chain_json(doc)
    assert (chain.symbol, len(chain), chain.spot) == ("SPX", 20, 5843.81)
    assert chain.rate == pytest.approx(0.04738)
    assert set(chain.contracts.root) == {b"SPXW"}
    assert set(chain.contracts.settlement) == {b"P"}
    assert chain.as_of_ms == to_ms(datetime(2024, 10, 15, 15, 15, 56, 560_000, UTC))
    assert set(chain.contracts.settle_ms) == {to_ms(datetime(2024, 10, 15, 20, tzinfo=UTC))}
    call = chain.take(chain.contracts.symbol == b"SPXW  241015C05820000")
    assert call.quotes.bid[0] == 25.3
    assert call.quotes.open_interest[0] == 445
    assert call.quotes.iv[0] == pytest.approx(0.15237)


def test_both_series_of_a_third_friday_are_kept() -> None:
    monthly = contract("SPX   261016C07685000", settlementType="A")
    chain = parse_chain_json(document(monthly, contract()))
    assert list(chain.contracts.root) == [b"SPX", b"SPXW"]
    opening, closing = chain.contracts.settle_ms
    assert closing - opening == 6.5 * 3600 * 1000


@pytest.mark.parametrize("sentinel", [-999.0, -999, "NaN", float("nan"), None, "n/a", [], float("inf")])
def test_what_was_not_computed_is_unknown(sentinel: Any) -> None:
    wire = contract(volatility=sentinel, gamma=0.01, openInterest=sentinel, bid=sentinel)
    chain = parse_chain_json(document(wire))
    quotes = chain.quotes
    assert np.isnan([quotes.iv[0], quotes.open_interest[0], quotes.bid[0]]).all()
    assert np.isnan(quotes.gamma[0]), "greeks without a volatility are leftovers"
    assert quotes.ask[0] == 10.4


def test_a_contract_without_bid_keeps_its_zero() -> None:
    assert parse_chain_json(document(contract(bid=0.0))).quotes.bid[0] == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("text", "not_an_object"),
        ({}, "no_symbol"),
        (contract(symbol="SPXW  261016C07685000") | {"symbol": "SPXW 99"}, "no_symbol"),
        (contract(strikePrice=1.0), "contradictory"),
        (contract(putCall="PUT"), "contradictory"),
    ],
)
def test_a_malformed_contract_is_counted_and_the_rest_kept(bad: Any, reason: str) -> None:
    rejected: Counter[str] = Counter()
    chain = parse_chain_json(document(contract("SPXW  261016C07690000"), bad), rejected=rejected)
    assert len(chain) == 1
    assert rejected == {reason: 1}


def test_a_duplicate_keeps_the_newest_quote() -> None:
    older = contract(bid=1.0, quoteTimeInLong=1_790_000_000_000)
    rejected: Counter[str] = Counter()
    chain = parse_chain_json(document(contract(bid=2.0), older), rejected=rejected)
    assert list(chain.quotes.bid) == [2.0]
    assert rejected == {"duplicate": 1}


def test_missing_fields_are_unknown_and_unknown_fields_ignored() -> None:
    bare = {"symbol": "SPY   261016P00500000", "somethingNew": {"a": 1}}
    chain = parse_chain_json({"putExpDateMap": {"2026-10-16:8": {"500.0": [bare]}}})
    assert (chain.symbol, len(chain)) == ("SPY", 1)
    assert np.isnan([chain.spot, chain.rate, chain.quotes.bid[0], chain.contracts.multiplier[0]]).all()
    assert (chain.as_of_ms, chain.spot_ms) == (0, 0)
    assert chain.contracts.expiry[0] == np.datetime64(date(2026, 10, 16))


def test_an_empty_range_is_a_chain_without_contracts_and_without_rate() -> None:
    empty = document(callExpDateMap={}, interestRate=0.0, underlyingPrice=0.0)
    chain = parse_chain_json(empty)
    assert len(chain) == 0
    assert np.isnan([chain.rate, chain.spot]).all()


def test_the_underlying_quote_gives_spot_and_its_time() -> None:
    quote = {"last": 7684.0, "mark": 7684.5, "quoteTime": 1_791_000_000_500, "tradeTime": 1_791_000_000_100}
    chain = parse_chain_json(document(contract(), underlying=quote, underlyingPrice=-999.0))
    assert (chain.spot, chain.spot_ms) == (7684.5, 1_791_000_000_500)
    assert chain.underlying.last == 7684.0


def test_an_absurd_quote_time_does_not_move_the_chain_into_the_future() -> None:
    far = contract("SPXW  261016C07690000", quoteTimeInLong=4_000_000_000_000)
    chain = parse_chain_json(document(contract(), far))
    assert chain.as_of_ms == 1_791_000_000_000
    assert chain.quotes.quote_ms[1] == 0


@pytest.mark.parametrize(
    "doc",
    [
        [],
        "chain",
        {},
        {"errors": [{"title": "Not Found"}]},
        {"callExpDateMap": []},
        document(contract(), status="FAILED"),
        document({"symbol": "nothing"}),
    ],
)
def test_what_is_no_chain_is_refused(doc: Any) -> None:
    with pytest.raises(DataError):
        parse_chain_json(doc)


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(field=st.sampled_from(sorted(contract())), value=JUNK)
@example(field="optionRoot", value="\x80")
@example(field="optionRoot", value="S\x00")
def test_any_value_in_any_field_of_a_contract_is_survived(field: str, value: Any) -> None:
    good, bad = contract("SPXW  261016C07690000"), contract() | {field: value}
    chain = parse_chain_json(document(good, bad))
    assert 7690.0 in chain.contracts.strike
    assert not np.isinf(chain.quotes.gamma).any()
    assert not (chain.quotes.bid < 0).any()


@settings(max_examples=200, deadline=None)
@given(field=st.sampled_from(sorted(document())), value=JUNK)
def test_any_value_in_any_field_of_the_document_is_a_chain_or_a_data_error(field: str, value: Any) -> None:
    doc = copy.deepcopy(document(contract())) | {field: value}
    try:
        chain = parse_chain_json(doc)
    except DataError:
        return
    assert not chain.spot <= 0
