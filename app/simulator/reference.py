"""REST answers that aren't quotes: market hours, price history, movers and instruments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np

from app.market.calendar import (
    CLOSE,
    EXCHANGE_TZ,
    OPEN,
    close_time,
    is_trading_day,
    previous_trading_day,
    to_ms,
)
from app.simulator.answers import Refusal
from app.simulator.asset import Asset
from app.simulator.candles import candles_of
from app.simulator.fields import Eq
from app.simulator.market import Market
from app.simulator.query import bad, choice, flag, number, whole
from app.simulator.quotes import cusip
from app.simulator.underlyings import KNOWN

MARKETS = ("equity", "option", "bond", "future", "forex")
_PERIODS = {
    "day": ((1, 2, 3, 4, 5, 10), 10, ("minute",)),
    "month": ((1, 2, 3, 6), 1, ("daily", "weekly")),
    "year": ((1, 2, 3, 5, 10, 15, 20), 1, ("daily", "weekly", "monthly")),
    "ytd": ((1,), 1, ("daily", "weekly")),
}
_MINUTES = (1, 5, 10, 15, 30)
# How far back there is anything, as with Schwab: minutes for weeks, days for years.
_MINUTES_KEPT_MS, _DAYS_KEPT_MS = 20 * 86_400_000, 5 * 365 * 86_400_000


def market_hours(market: Market, names: list[str], when: date | None) -> dict[str, Any]:
    """The body of GET /markets. Raises Refusal for an unknown market or a date out of reach."""
    today = market.clock.listing_day(market.clock.now_ms())
    chosen = when or today
    if chosen < today - timedelta(days=7):
        raise bad("date", "Date cannot be more than 7 days in the past.")
    if chosen > today + timedelta(days=365):
        raise bad("date", "Date cannot be beyond 1 year from today")
    for name in names:
        if name not in MARKETS:
            raise bad("markets", f"markets must be some of {', '.join(MARKETS)}")
    always = market.options.hours == "always"
    return {name: _products(name, chosen, always) for name in dict.fromkeys(names)}


def _products(name: str, when: date, always: bool) -> dict[str, Any]:
    if name not in ("equity", "option") or not (always or is_trading_day(when)):
        # on a closed day the inner key is the market's own name; the simulator has no bonds, futures and forex
        return {name: {"date": str(when), "marketType": name.upper(), "product": name, "isOpen": False}}
    close = time(23, 59, 59) if always else close_time(when)
    late = close if always else _after(close, 15)
    open_ = time(0) if always else OPEN
    if name == "option":
        return {
            "EQO": _product(
                when, "OPTION", "EQO", "equity option", {"regularMarket": _span(when, open_, close)}
            ),
            "IND": _product(
                when, "OPTION", "IND", "index option", {"regularMarket": _span(when, open_, late)}
            ),
        }
    hours = {"regularMarket": _span(when, open_, close)}
    if not always:
        hours = {"preMarket": _span(when, time(7), OPEN), **hours, "postMarket": _span(when, close, time(20))}
    return {"EQ": _product(when, "EQUITY", "EQ", "equity", hours)}


def _product(when: date, kind: str, product: str, name: str, hours: dict[str, Any]) -> dict[str, Any]:
    return {
        "date": str(when), "marketType": kind, "product": product, "productName": name, "isOpen": True,
        "sessionHours": hours,
    }  # fmt: skip


def _span(when: date, start: time, end: time) -> list[dict[str, str]]:
    at = (datetime.combine(when, clock, EXCHANGE_TZ).isoformat() for clock in (start, end))
    return [dict(zip(("start", "end"), at, strict=True))]


def _after(clock: time, minutes: int) -> time:
    return (datetime.combine(date(2000, 1, 1), clock) + timedelta(minutes=minutes)).time()


def price_history(market: Market, query: Mapping[str, str]) -> dict[str, Any]:
    """The body of GET /pricehistory. Raises Refusal."""
    asset = market.find_asset(query.get("symbol", ""))
    if asset is None:
        raise Refusal(404, "no such symbol")
    now = market.instant().market_ms
    first, last, step = _window(query, now)
    starts = [] if last <= first else _starts(first, min(last, now), step, market.options.hours == "always")
    candles = candles_of(asset, np.array(starts, np.float64), step, now)
    body = {"candles": candles, "symbol": query["symbol"], "empty": not candles}
    if flag(query, "needPreviousClose"):
        before = previous_trading_day(
            datetime.fromtimestamp(first / 1000, EXCHANGE_TZ).date() - timedelta(days=1)
        )
        closed = to_ms(datetime.combine(before, CLOSE, EXCHANGE_TZ))
        body |= {"previousClose": asset.spot(closed), "previousCloseDate": closed}
    flag(query, "needExtendedHoursData")
    return body


def _window(query: Mapping[str, str], now: int) -> tuple[int, int, int]:
    """First instant, last instant and candle length, ms."""
    kind = choice(query, "periodType", ("DAY", "MONTH", "YEAR", "YTD")).lower()
    allowed, default, frequencies = _PERIODS[kind]
    period = whole(query, "period") or default
    if period not in allowed:
        raise bad("period", f"period must be one of {', '.join(map(str, allowed))} for {kind}")
    frequency = choice(
        query, "frequencyType", tuple(f.upper() for f in (frequencies[-1], *frequencies))
    ).lower()
    count = whole(query, "frequency") or 1
    if count not in (_MINUTES if frequency == "minute" else (1,)):
        raise bad("frequency", f"frequency {count} doesn't go with {frequency}")
    days = {"minute": 1, "daily": 1, "weekly": 7, "monthly": 30}[frequency]
    step = count * 60_000 if frequency == "minute" else days * 86_400_000
    last = number(query, "endDate")
    end = now if last is None else int(last)
    start = number(query, "startDate")
    kept = _MINUTES_KEPT_MS if frequency == "minute" else _DAYS_KEPT_MS
    return max(_back(kind, period, end) if start is None else int(start), now - kept), end, step


def _back(kind: str, period: int, end: int) -> int:
    if kind == "ytd":
        return to_ms(datetime(datetime.fromtimestamp(end / 1000, EXCHANGE_TZ).year, 1, 1, tzinfo=EXCHANGE_TZ))
    moment = datetime.fromtimestamp(end / 1000, EXCHANGE_TZ)
    if kind == "day":
        return to_ms(datetime.combine(moment.date() - timedelta(days=period - 1), time(0), EXCHANGE_TZ))
    return end - period * {"month": 30, "year": 365}[kind] * 86_400_000


def _starts(first: int, last: int, step: int, always: bool) -> list[int]:
    """Where candles begin: on multiples of their length, within trading hours."""
    if step >= 86_400_000:
        begin = datetime.fromtimestamp(first / 1000, EXCHANGE_TZ).date()
        end = datetime.fromtimestamp(last / 1000, EXCHANGE_TZ).date()
        days = (
            begin + timedelta(days=n) for n in range(0, max((end - begin).days + 1, 0), step // 86_400_000)
        )
        open_days = (d for d in days if always or step > 86_400_000 or is_trading_day(d))
        return [to_ms(datetime.combine(d, time(0), EXCHANGE_TZ)) for d in open_days]
    begin_ms = -(-first // step) * step
    return [at for at in range(begin_ms, last, step) if always or _trades(at)]


def _trades(at_ms: int) -> bool:
    moment = datetime.fromtimestamp(at_ms / 1000, EXCHANGE_TZ)
    return is_trading_day(moment.date()) and OPEN <= moment.time() < close_time(moment.date())


def movers(market: Market, symbol: str) -> dict[str, Any]:
    """The body of GET /movers/{symbol}: the stocks of the simulator by their move today."""
    if symbol not in ("$DJI", "$COMPX", "$SPX", "NYSE", "NASDAQ", "OTCBB", "INDEX_ALL", "EQUITY_ALL"):
        raise Refusal(404, f"no movers for {symbol[:32]}")
    at = market.instant().market_ms
    rows = [_mover(market.asset(name), at) for name, profile in KNOWN.items() if profile.kind == "EQUITY"]
    total = sum(row["volume"] for row in rows) or 1
    for row in rows:
        row |= {"totalVolume": total, "marketShare": round(100 * row["volume"] / total, 2)}
    return {"screeners": sorted(rows, key=lambda row: -abs(row["netPercentChange"]))[:10]}


def _mover(asset: Asset | None, at: int) -> dict[str, Any]:
    assert asset is not None  # noqa: S101 - KNOWN symbols are always traded
    quote = asset.quote(at)
    return {
        "description": asset.profile.description, "volume": quote[Eq.VOLUME], "lastPrice": quote[Eq.LAST],
        "netChange": quote[Eq.NET_CHANGE], "netPercentChange": float(quote[Eq.NET_PERCENT]),
        "symbol": asset.profile.wire, "trades": int(float(quote[Eq.VOLUME]) / 90),
    }  # fmt: skip


def instruments(market: Market, symbols: list[str], projection: str) -> dict[str, Any]:
    """The body of GET /instruments: exact symbols, or a search in symbols or descriptions."""
    profiles = {**KNOWN, **{name: asset.profile for name in market.symbols if (asset := market.asset(name))}}
    wanted = [text.upper() for text in symbols]

    def matches(wire: str, description: str) -> bool:
        if projection in ("desc-search", "desc-regex"):
            return any(text in description.upper() for text in wanted)
        if projection == "symbol-regex":
            return any(wire.startswith(text.removesuffix(".*").removesuffix("*")) for text in wanted)
        return wire in wanted

    found = [p for p in profiles.values() if matches(p.wire, p.description)]
    return {
        "instruments": [
            {
                "cusip": cusip(p.symbol), "symbol": p.wire, "description": p.description, "exchange": p.exchange_name,
                "assetType": {"INDEX": "INDEX", "ETF": "ETF", "EQUITY": "EQUITY"}[p.kind],
            }
            for p in found
        ]
    }  # fmt: skip
