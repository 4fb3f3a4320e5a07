"""The JSON of GET /quotes and GET /{symbol}/quotes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from app.simulator import contracts
from app.simulator.asset import Asset
from app.simulator.book import Book
from app.simulator.fields import Eq, Opt
from app.simulator.market import Instant, Market

MAX_SYMBOLS = 500
PARTS = ("quote", "fundamental", "extended", "reference", "regular")
_OPTION_QUOTE = (
    ("52WeekHigh", Opt.HIGH_52), ("52WeekLow", Opt.LOW_52), ("askPrice", Opt.ASK), ("bidPrice", Opt.BID),
    ("delta", Opt.DELTA), ("gamma", Opt.GAMMA), ("highPrice", Opt.HIGH), ("lastPrice", Opt.LAST), ("lowPrice", Opt.LOW),
    ("mark", Opt.MARK), ("markChange", Opt.MARK_CHANGE), ("markPercentChange", Opt.MARK_PERCENT),
    ("moneyIntrinsicValue", Opt.INTRINSIC), ("netChange", Opt.NET_CHANGE), ("netPercentChange", Opt.NET_PERCENT),
    ("openPrice", Opt.OPEN), ("rho", Opt.RHO), ("theoreticalOptionValue", Opt.THEORETICAL), ("theta", Opt.THETA),
    ("timeValue", Opt.TIME_VALUE), ("underlyingPrice", Opt.UNDERLYING_PRICE), ("vega", Opt.VEGA),
    ("volatility", Opt.VOLATILITY),
)  # fmt: skip
_OPTION_WHOLE = (
    ("askSize", Opt.ASK_SIZE), ("bidSize", Opt.BID_SIZE), ("lastSize", Opt.LAST_SIZE), ("quoteTime", Opt.QUOTE_TIME),
    ("totalVolume", Opt.VOLUME), ("tradeTime", Opt.TRADE_TIME),
)  # fmt: skip
_INDEX_QUOTE = (
    ("52WeekHigh", Eq.HIGH_52), ("52WeekLow", Eq.LOW_52), ("closePrice", Eq.CLOSE), ("highPrice", Eq.HIGH),
    ("lastPrice", Eq.LAST), ("lowPrice", Eq.LOW), ("netChange", Eq.NET_CHANGE), ("netPercentChange", Eq.NET_PERCENT),
    ("openPrice", Eq.OPEN), ("totalVolume", Eq.VOLUME), ("tradeTime", Eq.TRADE_TIME),
)  # fmt: skip
_EQUITY_QUOTE = (
    *_INDEX_QUOTE, ("askPrice", Eq.ASK), ("askSize", Eq.ASK_SIZE), ("askTime", Eq.ASK_TIME), ("bidPrice", Eq.BID),
    ("bidSize", Eq.BID_SIZE), ("bidTime", Eq.BID_TIME), ("lastSize", Eq.LAST_SIZE), ("mark", Eq.MARK),
    ("markChange", Eq.MARK_CHANGE), ("markPercentChange", Eq.MARK_PERCENT), ("quoteTime", Eq.QUOTE_TIME),
)  # fmt: skip


def quotes(market: Market, symbols: list[str], parts: tuple[str, ...]) -> dict[str, Any]:
    """The quotes of these symbols by symbol; those that don't exist are named under errors.invalidSymbols."""
    found: dict[str, dict[str, Any]] = {}
    rows: dict[int, tuple[Book, list[int]]] = {}
    unknown: list[str] = []
    for symbol in dict.fromkeys(symbols):
        asset = market.find_asset(symbol)
        option = None if asset else market.find_option(symbol)
        if asset is not None:
            found[symbol] = _asset_quote(asset, market.instant(), parts)
        elif option is not None:
            rows.setdefault(id(option[0]), (option[0], []))[1].append(option[1])
        else:
            unknown.append(symbol)
    for book, wanted in rows.values():
        found |= _option_quotes(market, book, wanted, parts)
    return {**found, "errors": {"invalidSymbols": unknown}} if unknown else found


def _asset_quote(asset: Asset, at: Instant, parts: tuple[str, ...]) -> dict[str, Any]:
    profile, index = asset.profile, asset.profile.kind == "INDEX"
    values = asset.quote(at.market_ms)
    status = "Normal" if at.phase == "open" else "Closed"
    quoted = {name: values[field] for name, field in (_INDEX_QUOTE if index else _EQUITY_QUOTE)}
    all_parts: dict[str, dict[str, Any]] = {"quote": {**quoted, "securityStatus": status}}
    if index:
        all_parts["reference"] = {
            "description": profile.description,
            "exchange": "0",
            "exchangeName": "Index",
        }
    else:
        all_parts["quote"] |= {"askMICId": "ARCX", "bidMICId": "XNAS", "lastMICId": "XADF",
                               "postMarketChange": 0.0, "postMarketPercentChange": 0.0}  # fmt: skip
        all_parts |= _equity_parts(asset, values)
    head = {
        "assetMainType": "INDEX" if index else "EQUITY",
        **({} if index else {"assetSubType": "ETF" if profile.kind == "ETF" else "COE"}),
        "quoteType": "NFL" if index else "NBBO", "realtime": True, "ssid": zlib.crc32(profile.symbol.encode()) % 10**7,
        "symbol": profile.wire,
    }  # fmt: skip
    return {**head, **{name: part for name, part in all_parts.items() if name in parts}}


def _equity_parts(asset: Asset, values: dict[Eq, Any]) -> dict[str, dict[str, Any]]:
    profile, spot = asset.profile, values[Eq.LAST]
    extended_names = ("askPrice", "bidPrice", "lastPrice", "mark")
    return {
        "extended": {**dict.fromkeys(extended_names, 0.0), "askSize": 0, "bidSize": 0, "lastSize": 0, "quoteTime": 0,
                     "totalVolume": 0, "tradeTime": 0},
        "fundamental": {"avg10DaysVolume": float(round(profile.open_interest * 6)),
                        "avg1YearVolume": float(round(profile.open_interest * 6)), "divFreq": 4,
                        "divPayAmount": round(profile.dividend * spot / 4, 4),
                        "divAmount": round(profile.dividend * spot, 4),
                        "divYield": round(100 * profile.dividend, 4), "eps": 0.0, "fundLeverageFactor": 0.0, "peRatio": 0.0},
        "reference": {"cusip": cusip(profile.symbol), "description": profile.description, "exchange": profile.exchange,
                      "exchangeName": profile.exchange_name, "isHardToBorrow": False, "isShortable": True,
                      "htbQuantity": 0, "htbRate": 0.0},
        "regular": {"regularMarketLastPrice": spot, "regularMarketLastSize": values[Eq.REGULAR_LAST_SIZE],
                    "regularMarketNetChange": values[Eq.NET_CHANGE],
                    "regularMarketPercentChange": values[Eq.NET_PERCENT],
                    "regularMarketTradeTime": values[Eq.REGULAR_TRADE_TIME]},
    }  # fmt: skip


def cusip(symbol: str) -> str:
    """Nine digits that stay with the symbol."""
    return f"{zlib.crc32(symbol.encode()) % 10**9:09d}"


def _option_quotes(
    market: Market, book: Book, wanted: list[int], parts: tuple[str, ...]
) -> dict[str, dict[str, Any]]:
    """The quotes of many rows of one book, priced together."""
    at, rows = market.instant(book.profile), np.array(wanted)
    book.advance(at.market_ms)
    known = at.greeks_known and not market.no_greeks
    columns = {**book.quotes(rows, at.market_ms, at.phase), **book.greeks(rows, at.market_ms, known)}
    names = [name for name, _ in (*_OPTION_QUOTE, *_OPTION_WHOLE)]
    lists = [columns[field].astype(np.float64).tolist() for _, field in _OPTION_QUOTE]
    lists += [columns[field].astype(np.int64).tolist() for _, field in _OPTION_WHOLE]
    moving = (dict(zip(names, values, strict=True)) for values in zip(*lists, strict=True))
    return {
        book.symbols[row]: _option_quote(book, row, quoted, at.status, parts)
        for row, quoted in zip(wanted, moving, strict=True)
    }


def _option_quote(
    book: Book, row: int, moving: dict[str, Any], status: str, parts: tuple[str, ...]
) -> dict[str, Any]:
    quoted = moving | {
        "closePrice": float(book.close[row]), "openInterest": int(book.listing.open_interest[row]),
        "impliedYield": 0.0, "indAskPrice": 0.0, "indBidPrice": 0.0, "indQuoteTime": 0, "securityStatus": status,
    }  # fmt: skip
    all_parts = {"quote": quoted, "reference": _option_reference(book, row)}
    head = {
        "assetMainType": "OPTION",
        "realtime": True,
        "ssid": 1_000_000_000 + row,
        "symbol": book.symbols[row],
    }
    return {
        **head, **({} if book.profile.cash_settled else {"quoteType": "NBBO"}),
        **{name: part for name, part in all_parts.items() if name in parts},
    }  # fmt: skip


def _option_reference(book: Book, row: int) -> dict[str, Any]:
    facts = book.series_facts[book.listing.of[row]]
    series = facts.series
    return {
        "contractType": "C" if book.listing.is_call[row] else "P", "daysToExpiration": facts.days,
        "deliverables": contracts.deliverable(book), "description": contracts.description(book, row), "exchange": "O",
        "exchangeName": "OPR", "exerciseType": contracts.exercise(book), "expirationDay": series.expiry.day,
        "expirationMonth": series.expiry.month, "expirationYear": series.expiry.year, "expirationType": series.kind,
        "isPennyPilot": contracts.is_penny(book), "lastTradingDay": facts.last_trading_ms, "multiplier": 100.0,
        "settlementType": series.settlement, "strikePrice": float(book.listing.strike[row]),
        "underlying": book.profile.wire, "underlyingAssetType": "INDEX" if book.profile.cash_settled else "EQUITY",
    }  # fmt: skip
