from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import DataError
from app.market.chain import CONTRACT_COLUMNS, QUOTE_COLUMNS, Chain, Contracts, Quotes, Underlying
from app.market.codec import (
    decode_contracts,
    decode_quotes,
    encode_contracts,
    encode_quotes,
)


def small_chain(bids: list[float]) -> Chain:
    n = len(bids)
    contracts = Contracts.build(
        {
            "symbol": [f"SPXW  261016C{7000 + i:05d}000" for i in range(n)],
            "root": ["SPXW"] * n,
            "expiry": [date(2026, 10, 16)] * n,
            "right": ["C"] * n,
            "strike": [7000.0 + i for i in range(n)],
            "multiplier": [100.0] * n,
            "settlement": ["P"] * n,
            "settle_ms": [1_792_180_800_000] * n,
            "standard": [True] * n,
        }
    )
    quotes = Quotes.build(n, {"bid": bids, "open_interest": [float(i) for i in range(n)]})
    underlying = Underlying(symbol="SPX", last=7001.25, quote_ms=1_792_000_000_000)
    return Chain("SPX", 7001.25, 1, 2, contracts, quotes, rate=0.04, session="open", underlying=underlying)


@given(st.lists(st.floats(width=64), max_size=40))
def test_a_chain_survives_the_cache_bit_for_bit(bids: list[float]) -> None:
    chain = small_chain(bids)
    again = decode_quotes(encode_quotes(chain), decode_contracts(encode_contracts(chain.contracts)))
    for name in CONTRACT_COLUMNS:
        assert getattr(again.contracts, name).tobytes() == getattr(chain.contracts, name).tobytes()
    for name in QUOTE_COLUMNS:
        assert getattr(again.quotes, name).tobytes() == getattr(chain.quotes, name).tobytes()
    assert (again.symbol, again.spot, again.rate, again.session) == ("SPX", 7001.25, 0.04, "open")
    assert again.underlying.last == 7001.25


def test_unknown_stays_unknown() -> None:
    chain = small_chain([1.0])
    again = decode_quotes(encode_quotes(chain), chain.contracts)
    assert np.isnan(again.quotes.ask[0])
    assert np.isnan(again.dividend_yield)
    assert again.quotes.quote_ms[0] == 0
    assert again.underlying.bid is None


def test_what_could_not_be_read_is_still_counted_behind_the_cache() -> None:
    chain = replace(small_chain([1.0]), rejected={"duplicate": 2})
    again = decode_quotes(encode_quotes(chain), chain.contracts)
    assert again.rejected == {"duplicate": 2}


def test_which_dates_are_missing_is_known_behind_the_cache() -> None:
    days = (date(2026, 10, 19), date(2028, 12, 15))
    chain = replace(small_chain([1.0]), missing_expiries=2, missing_dates=days)
    again = decode_quotes(encode_quotes(chain), chain.contracts)
    assert (again.missing_expiries, again.missing_dates) == (2, days)


def with_header(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Encoded quotes under a changed header."""
    end = 8 + int.from_bytes(data[4:8], "little")
    header = orjson.loads(data[8:end])
    change(header)
    head = orjson.dumps(header)
    return data[:4] + len(head).to_bytes(4, "little") + head + data[end:]


def test_a_chain_of_the_version_before_tells_only_how_many_dates_are_missing() -> None:
    chain = replace(small_chain([1.0]), missing_expiries=1, missing_dates=(date(2028, 12, 15),))
    again = decode_quotes(
        with_header(encode_quotes(chain), lambda head: head.pop("missing_dates")), chain.contracts
    )
    assert (again.missing_expiries, again.missing_dates) == (1, ())


@pytest.mark.parametrize("dates", [5, [5], ["soon"], "2028-12-15"])
def test_missing_dates_that_are_none_are_refused(dates: object) -> None:
    chain = small_chain([1.0])
    with pytest.raises(DataError):
        decode_quotes(
            with_header(encode_quotes(chain), lambda head: head.update(missing_dates=dates)), chain.contracts
        )


def test_quotes_are_not_read_with_other_contracts() -> None:
    chain, other = small_chain([1.0, 2.0]), small_chain([1.0, 2.0]).take([1, 0])
    with pytest.raises(DataError):
        decode_quotes(encode_quotes(chain), other.contracts)


@settings(max_examples=300)
@given(st.integers(0, 400), st.binary(max_size=60))
def test_damaged_bytes_are_an_error_and_nothing_else(cut: int, junk: bytes) -> None:
    chain = small_chain([1.0, 2.0])
    data = encode_quotes(chain)
    damaged = data[: min(cut, len(data) - 1)] + junk
    if damaged == data:
        return
    try:
        decode_quotes(damaged, chain.contracts)
    except DataError:
        return
    assert len(damaged) == len(data)  # only the columns' own bytes may differ unnoticed


@given(st.binary(max_size=200))
def test_what_somebody_planted_is_an_error(data: bytes) -> None:
    with pytest.raises(DataError):
        decode_contracts(data)
