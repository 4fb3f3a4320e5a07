"""Synthetic chains whose truth is known, priced by SciPy and not by this project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from app.market.calendar import settle_ms, to_ms
from app.market.chain import Chain, Contracts, Quotes

F64 = NDArray[np.float64]
YEAR_MS = 365 * 86_400_000

# A trading Friday that is a third Friday, with AM and PM series; 13:00 New York, so three hours before the close.
AS_OF = datetime(2026, 10, 16, 17, 0, tzinfo=UTC)
SPOT, RATE, CARRY = 5000.0, 0.045, 0.03


@dataclass(frozen=True)
class Listed:
    """One series to make: strikes reach `width` total volatilities to both sides in `step` dollars."""

    root: str
    expiry: date
    settlement: str = "P"
    step: float = 5.0
    width: float = 5.0


SERIES = (
    Listed("SPXW", date(2026, 10, 16)),
    Listed("SPXW", date(2026, 10, 19)),
    Listed("SPX", date(2026, 11, 20), "A", 10.0),
    Listed("SPXW", date(2026, 11, 20), "P", 10.0),
    Listed("SPXW", date(2026, 11, 27), "P", 10.0),  # the half-day after Thanksgiving
    Listed("SPX", date(2026, 12, 18), "A", 25.0),
    Listed("SPX", date(2027, 6, 17), "A", 50.0, 3.0),
    Listed("SPX", date(2028, 12, 15), "A", 100.0, 2.0),
)


@dataclass(frozen=True)
class Truth:
    """What is known of each row of a synthetic chain: forward, discount factor, total volatility, years."""

    forward: F64
    discount: F64
    total_vol: F64
    years: F64


def skew(forward: F64 | float, strike: F64, years: F64 | float) -> F64:
    """A volatility per year that falls with the strike and with time."""
    base = 0.14 + 0.05 * np.exp(-2.0 * np.asarray(years))
    z = np.log(strike / forward) / np.sqrt(np.asarray(years) + 0.02)
    return np.asarray(base - 0.06 * np.tanh(z) + 0.02 * np.tanh(z) ** 2)


def black(forward: F64, strike: F64, x: F64, is_call: NDArray[np.bool_]) -> F64:
    """Undiscounted Black price by SciPy's normal integral; the smaller leg directly, the larger by parity."""
    d1 = np.log(forward / strike) / x + 0.5 * x
    otm_is_call = strike >= forward
    otm = np.where(
        otm_is_call,
        forward * ndtr(d1) - strike * ndtr(d1 - x),
        strike * ndtr(x - d1) - forward * ndtr(-d1),
    )
    intrinsic = np.where(is_call, forward - strike, strike - forward)
    return np.where(is_call == otm_is_call, otm, otm + intrinsic)


def synthetic(
    *,
    as_of: datetime = AS_OF,
    spot: float = SPOT,
    series: tuple[Listed, ...] = SERIES,
    rate: float = RATE,
    carry: float = CARRY,
    vol: Callable[[Any, F64, Any], F64] = skew,
    seed: int = 7,
) -> tuple[Chain, Truth]:
    """A chain at exact prices (bid = ask) with random open interest and volume, and its truth."""
    rng = np.random.default_rng(seed)
    as_of_ms = to_ms(as_of)
    parts: list[dict[str, Any]] = []
    for listed in series:
        settles = settle_ms(listed.expiry, "A" if listed.settlement == "A" else "P")
        years = (settles - as_of_ms) / YEAR_MS
        forward = spot * np.exp(carry * years)
        at_money = float(vol(forward, np.array([forward]), max(years, 1e-3))[0])
        reach = listed.width * at_money * np.sqrt(max(years, 1e-9))
        low = np.floor(forward * np.exp(-reach) / listed.step) - 2
        high = np.ceil(forward * np.exp(reach) / listed.step) + 3
        strikes = np.repeat(np.arange(max(low, 1), high) * listed.step, 2)
        parts.append(_part(listed, settles, years, float(forward), strikes, vol))
    columns = {name: np.concatenate([np.asarray(p[name]) for p in parts]) for name in parts[0]}
    truth = Truth(
        columns.pop("forward"),
        np.exp(-rate * columns["years"]),
        columns.pop("total_vol"),
        columns.pop("years"),
    )
    contracts = Contracts.build(columns)
    n = len(contracts)
    price = truth.discount * black(truth.forward, contracts.strike, truth.total_vol, contracts.is_call)
    quotes = Quotes.build(
        n,
        {
            "bid": price,
            "ask": price,
            "open_interest": open_interest(rng, contracts, spot),
            "volume": rng.integers(0, 900, n),
            "flow": rng.integers(-500, 500, n),
        },
    )
    return Chain("SPX", spot, as_of_ms, as_of_ms, contracts, quotes, rate=rate, session="open"), truth


def open_interest(rng: np.random.Generator, contracts: Contracts, spot: float) -> F64:
    """Thinning out with the distance from spot; calls lie above it, puts below, as customers hold them."""
    z = np.log(contracts.strike / spot)
    side = np.where(contracts.is_call, z - 0.01, 0.01 - z)
    return np.round(rng.uniform(500, 3000, len(z)) * np.exp(-8 * np.abs(z)) / (1 + np.exp(-40 * side)))


def _part(
    listed: Listed,
    settles: int,
    years: float,
    forward: float,
    strikes: F64,
    vol: Callable[[Any, F64, Any], F64],
) -> dict[str, Any]:
    n = len(strikes)
    right = np.tile(np.array([b"C", b"P"]), n // 2)
    symbols = [
        f"{listed.root:<6}{listed.expiry:%y%m%d}{r.decode()}{round(k * 1000):08d}"
        for r, k in zip(right, strikes, strict=True)
    ]
    return {
        "symbol": symbols,
        "root": [listed.root] * n,
        "expiry": np.full(n, np.datetime64(listed.expiry)),
        "right": right,
        "strike": strikes,
        "multiplier": np.full(n, 100.0),
        "settlement": [listed.settlement] * n,
        "settle_ms": np.full(n, settles),
        "standard": np.ones(n, bool),
        "forward": np.full(n, forward),
        "years": np.full(n, years),
        "total_vol": vol(forward, strikes, years) * np.sqrt(years) if years > 0 else np.full(n, 0.01),
    }


def requoted(chain: Chain, **columns: Any) -> Chain:
    """The same chain with other quote columns."""
    typed = {name: np.asarray(v, getattr(chain.quotes, name).dtype) for name, v in columns.items()}
    return replace(chain, quotes=replace(chain.quotes, **typed))


def rounded(
    chain: Chain, *, half_spread: float = 0.003, tick: float = 0.05, level: float | F64 = 1.0
) -> Chain:
    """Quotes as an exchange shows them: around `level` times the price, in ticks, zero bids below half a tick."""
    price = chain.quotes.bid * level
    half = np.maximum(tick / 2, half_spread * price)
    bid = np.floor((price - half) / tick + 0.5) * tick
    ask = np.maximum(np.ceil((price + half) / tick - 0.5) * tick, tick)
    return requoted(chain, bid=np.maximum(bid, 0.0), ask=ask)


def relisted(chain: Chain, **columns: Any) -> Chain:
    """The same chain with other contract columns."""
    typed = {name: np.asarray(v, getattr(chain.contracts, name).dtype) for name, v in columns.items()}
    return replace(chain, contracts=replace(chain.contracts, **typed))


def fund(chain: Chain, symbol: str, ratio: float) -> Chain:
    """The same market a `ratio` smaller, under another name: what an index's fund is to it."""
    quotes = replace(chain.quotes, bid=chain.quotes.bid * ratio, ask=chain.quotes.ask * ratio)
    contracts = replace(chain.contracts, strike=chain.contracts.strike * ratio)
    return replace(chain, symbol=symbol, contracts=contracts, quotes=quotes, spot=chain.spot * ratio)
