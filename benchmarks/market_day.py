"""A made-up trading day around a real chain: its strikes, open interest and volatilities, and a spot that wanders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from app.chainfile import read_chain
from app.gex import fit
from app.gex.black import black
from app.market.calendar import EXCHANGE_TZ, OPEN, to_ms
from app.market.chain import Chain

MINUTE_MS = 60_000
YEAR_MS = 365 * 86_400_000


def day_of(
    path: Path, day: date, *, minutes: int = 390, seed: int = 1, every_ms: int = MINUTE_MS
) -> Iterator[Chain]:
    """One chain a minute from 09:30 New York, quoted around the file's volatilities with the clock running."""
    rng = np.random.default_rng(seed)
    base = read_chain(path)
    start_ms = to_ms(datetime.combine(day, OPEN, EXCHANGE_TZ))
    base = replace(
        base, as_of_ms=start_ms, spot_ms=start_ms, session="open", source="simulator", delayed=False
    )
    base = base.take(base.contracts.settle_ms > start_ms)
    fitted = fit(base)
    rows = fitted.layout.row_node >= 0
    node = fitted.layout.row_node
    x0 = np.where(rows, fitted.total_vol[node], np.nan)
    carry = np.where(rows, fitted.node_forward[node] / fitted.spot, np.nan)
    discount = np.where(rows, fitted.node_discount[node], np.nan)
    known = np.isfinite(x0) & np.isfinite(carry)
    contracts, settle = base.contracts, base.contracts.settle_ms
    years0 = np.maximum((settle - start_ms) / YEAR_MS, 1e-9)
    spot = base.spot
    volume = np.zeros(len(base), np.float32)
    rate = np.nan_to_num(base.quotes.volume.astype(float)) / minutes
    for minute in range(minutes):
        as_of = start_ms + minute * every_ms + 1_234
        spot *= float(np.exp(0.15 / np.sqrt(252 * 390) * rng.standard_normal()))
        years = np.maximum((settle - as_of) / YEAR_MS, 1e-9)
        shake = np.exp(0.002 * rng.standard_normal())
        x = x0 * np.sqrt(years / years0) * shake
        mid = np.where(known, discount * black(spot * carry, contracts.strike, x, contracts.is_call), np.nan)
        tick = np.where(mid < 3, 0.05, 0.1)
        half = np.maximum(tick, 0.004 * mid)
        volume = volume + rng.poisson(rate).astype(np.float32)
        quotes = replace(
            base.quotes,
            bid=np.maximum(np.floor((mid - half) / tick) * tick, 0.0),
            ask=np.ceil((mid + half) / tick) * tick,
            volume=volume,
            updated_ms=np.full(len(base), as_of - 300, np.int64),
        )
        yield replace(base, spot=spot, spot_ms=as_of, as_of_ms=as_of, quotes=quotes)


def trading_days(first: date, count: int) -> list[date]:
    """So many trading days from `first` on."""
    from app.market.calendar import is_trading_day

    days: list[date] = []
    while len(days) < count:
        if is_trading_day(first):
            days.append(first)
        first += timedelta(days=1)
    return days
