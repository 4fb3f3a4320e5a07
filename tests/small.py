"""Small made-up chains for tests that care how a chain travels, not what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from app.market.calendar import settle_ms
from app.market.chain import Chain, Contracts, Quotes, Underlying

AS_OF_MS = 1_700_000_000_000


def small_chain(
    symbol: str = "SPX", spot: float = 100.0, strikes: int = 5, expiry: date = date(2023, 12, 15)
) -> Chain:
    """Calls and puts at `strikes` strikes around 100, with quotes that parity holds for."""
    ladder = np.arange(strikes, dtype=float) + 100 - strikes // 2
    strike = np.repeat(ladder, 2)
    right = np.tile(np.array([b"C", b"P"]), strikes)
    n = len(strike)
    contracts = Contracts.build(
        {
            "symbol": [
                f"{symbol:<6}{expiry:%y%m%d}{r.decode()}{round(k * 1000):08d}".encode()
                for k, r in zip(strike, right, strict=True)
            ],
            "root": [symbol.encode()] * n,
            "expiry": [np.datetime64(expiry)] * n,
            "right": right,
            "strike": strike,
            "multiplier": [100.0] * n,
            "settlement": [b"P"] * n,
            "settle_ms": [settle_ms(expiry, "P")] * n,
            "standard": [True] * n,
        }
    )
    intrinsic = np.maximum(np.where(right == b"C", spot - strike, strike - spot), 0.0)
    quotes = Quotes.build(
        n,
        {
            "bid": intrinsic + 1.9,
            "ask": intrinsic + 2.1,
            "open_interest": np.arange(n) + 10.0,
            "volume": np.arange(n) + 1.0,
            "updated_ms": np.full(n, AS_OF_MS),
        },
    )
    return Chain(
        symbol=symbol,
        contracts=contracts,
        quotes=quotes,
        underlying=Underlying(symbol, last=spot, quote_ms=AS_OF_MS),
        spot=spot,
        spot_ms=AS_OF_MS,
        as_of_ms=AS_OF_MS,
        session="open",
        source="simulator",
    )


def moved(chain: Chain, spot: float) -> Chain:
    """The same contracts with another spot."""
    return replace(chain, spot=spot, underlying=replace(chain.underlying, last=spot))
