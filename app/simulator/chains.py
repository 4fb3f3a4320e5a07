"""The JSON of GET /chains."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.simulator import contracts
from app.simulator.asset import Asset
from app.simulator.book import Book, Fields
from app.simulator.fields import Eq, Opt
from app.simulator.market import Instant, Market
from app.simulator.query import ChainQuery
from app.simulator.surface import Rows

_NEAR = 8  # strikes on either side of the money that "near the money" means
_DOUBLES = (
    ("bid", Opt.BID), ("ask", Opt.ASK), ("last", Opt.LAST), ("mark", Opt.MARK), ("highPrice", Opt.HIGH),
    ("lowPrice", Opt.LOW), ("openPrice", Opt.OPEN), ("netChange", Opt.NET_CHANGE), ("volatility", Opt.VOLATILITY),
    ("delta", Opt.DELTA), ("gamma", Opt.GAMMA), ("theta", Opt.THETA), ("vega", Opt.VEGA), ("rho", Opt.RHO),
    ("timeValue", Opt.TIME_VALUE), ("theoreticalOptionValue", Opt.THEORETICAL), ("percentChange", Opt.NET_PERCENT),
    ("markChange", Opt.MARK_CHANGE), ("markPercentChange", Opt.MARK_PERCENT), ("intrinsicValue", Opt.INTRINSIC),
    ("high52Week", Opt.HIGH_52), ("low52Week", Opt.LOW_52),
)  # fmt: skip
_WHOLES = (
    ("bidSize", Opt.BID_SIZE), ("askSize", Opt.ASK_SIZE), ("lastSize", Opt.LAST_SIZE), ("totalVolume", Opt.VOLUME),
    ("tradeTimeInLong", Opt.TRADE_TIME), ("quoteTimeInLong", Opt.QUOTE_TIME),
)  # fmt: skip
# Decimals where the chain has fewer than the stream: the greeks are what costs gamma exposure its digits.
_DECIMALS = {Opt.NET_PERCENT: 2, Opt.MARK_PERCENT: 2, Opt.NET_CHANGE: 2, Opt.MARK_CHANGE: 2}


def choose(book: Book, query: ChainQuery, at_ms: int, share: float = 1.0) -> Rows:
    """The rows that the query asks for, calls first, by expiry, strike and root.

    Args:
        share: the part of the chain that is listed at all: a fault hides the rest.
    """
    listing = book.listing
    wanted = book.alive(at_ms) & _series_wanted(book, query)[listing.of]
    if query.rights != "ALL":
        wanted &= listing.is_call == (query.rights == "CALL")
    if query.strike is not None:
        wanted &= np.abs(listing.strike - query.strike) < 5e-4
    spot = book.asset.spot(at_ms)
    wanted &= _in_range(listing.strike, listing.is_call, spot, query.range)
    near = {"NTM": _NEAR, "SNK": _NEAR}.get(query.range, 0)
    count = query.strike_count or 2 * near
    if count:
        wanted &= _around_the_money(book, wanted, spot, count)
    if share < 1.0:
        strikes = np.arange(len(book)) % max(len(book) // 2, 1)  # a call and its put stay together
        wanted &= strikes * 617 % 1000 < share * 1000
    return np.flatnonzero(wanted)


def _series_wanted(book: Book, query: ChainQuery) -> NDArray[np.bool_]:
    def wanted(number: int) -> bool:
        series = book.listing.series[number]
        return (
            (query.first is None or series.expiry >= query.first)
            and (query.last is None or series.expiry <= query.last)
            and (query.month is None or series.expiry.month == query.month)
            and query.option_type != "NS"  # nothing here has an adjusted deliverable
        )

    return np.array([wanted(number) for number in range(len(book.listing.series))])


def _in_range(
    strike: NDArray[np.float64], is_call: NDArray[np.bool_], spot: float, name: str
) -> NDArray[np.bool_]:
    if name in ("ITM", "OTM"):
        inside = np.where(is_call, strike < spot, strike > spot)
        return inside if name == "ITM" else ~inside
    if name in ("SAK", "SBK"):
        return strike > spot if name == "SAK" else strike < spot
    return np.ones(len(strike), np.bool_)


def _around_the_money(book: Book, wanted: NDArray[np.bool_], spot: float, count: int) -> NDArray[np.bool_]:
    """The `count` strikes nearest the money of each expiry date."""
    keep = np.zeros(len(book), np.bool_)
    dates = np.array([s.expiry.toordinal() for s in book.listing.series])[book.listing.of]
    for expiry in np.unique(dates[wanted]):
        rows = np.flatnonzero(wanted & (dates == expiry))
        strikes = np.unique(book.listing.strike[rows])
        chosen = strikes[np.argsort(np.abs(strikes - spot), kind="stable")[:count]]
        keep[rows] = np.isin(book.listing.strike[rows], chosen)
    return keep


class ChainPage:
    """The columns of one answer, taken at one instant, so that writing them out can happen in another thread.

    Args:
        most: how many contracts it may hold, None for all: a fault cuts it short.
    """

    def __init__(
        self, market: Market, book: Book, query: ChainQuery, at: Instant, most: int | None = None
    ) -> None:
        book.advance(at.market_ms)
        self._book, self._query, self._at = book, query, at
        chosen = choose(book, query, at.market_ms, market.listed_share)
        self.rows = chosen[:most]
        self._truncated = len(self.rows) < len(chosen)
        known = at.greeks_known and not market.no_greeks
        greeks = book.greeks(self.rows, at.market_ms, known, query.assumptions)
        self._columns = {**book.quotes(self.rows, at.market_ms, at.phase), **greeks}
        self._underlying = underlying(book.asset, at.market_ms) if query.with_underlying else None

    def json(self) -> bytes:
        """The whole document."""
        book, listing = self._book, self._book.listing
        moving = _moving(self._columns, listing.strike[self.rows], listing.is_call[self.rows])
        names, fixed = tuple(moving), book.fixed_json
        keys = [facts.key for facts in book.series_facts]
        calls: dict[str, dict[str, list[Any]]] = {}
        puts: dict[str, dict[str, list[Any]]] = {}
        columns = (listing.is_call[self.rows], listing.of[self.rows], listing.strike[self.rows])
        places = zip(self.rows.tolist(), *(column.tolist() for column in columns), strict=True)
        for (row, is_call, series, strike), values in zip(
            places, zip(*moving.values(), strict=True), strict=True
        ):
            if row not in fixed:
                fixed[row] = _fixed(book, row)
            text = fixed[row] + b"," + orjson.dumps(dict(zip(names, values, strict=True)))[1:]
            strikes = (calls if is_call else puts).setdefault(keys[series], {})
            strikes.setdefault(str(strike), []).append(orjson.Fragment(text))
        return orjson.dumps({**self._head(), "callExpDateMap": calls, "putExpDateMap": puts})

    def _head(self) -> dict[str, Any]:
        profile, some = self._book.profile, len(self.rows) > 0
        spot = self._query.assumptions.spot or self._book.asset.spot(self._at.market_ms)
        return {
            "symbol": profile.wire, "status": "SUCCESS", "underlying": self._underlying,
            "strategy": self._query.strategy, "interval": 0.0, "isDelayed": False, "isIndex": profile.cash_settled,
            "interestRate": round(100 * self._book.model.rate, 3) if some else 0.0,
            "underlyingPrice": spot if some else 0.0, "volatility": 29.0 if some else 0.0, "daysToExpiration": 0.0,
            "dividendYield": round(100 * profile.dividend, 3), "numberOfContracts": len(self.rows),
            "assetMainType": "INDEX" if profile.cash_settled else "EQUITY",
            "assetSubType": {"INDEX": "", "ETF": "ETF", "EQUITY": "COE"}[profile.kind],
            "isChainTruncated": self._truncated,
            "ethOptionEligible": profile.symbol in ("SPX", "XSP", "VIX"), "hasBinaryOptions": False,
        }  # fmt: skip


def underlying(asset: Asset, at_ms: int) -> dict[str, Any]:
    """The chain's `underlying` object."""
    quote, profile = asset.quote(at_ms), asset.profile
    spot = float(quote[Eq.LAST])
    return {
        "symbol": profile.wire, "description": profile.description, "change": float(quote[Eq.NET_CHANGE]),
        "percentChange": round(float(quote[Eq.NET_PERCENT]), 2), "close": float(quote[Eq.CLOSE]),
        "quoteTime": quote[Eq.QUOTE_TIME], "tradeTime": quote[Eq.TRADE_TIME], "bid": float(quote.get(Eq.BID, spot)),
        "ask": float(quote.get(Eq.ASK, spot)), "last": spot, "mark": float(quote[Eq.MARK]),
        "markChange": float(quote[Eq.MARK_CHANGE]), "markPercentChange": round(float(quote[Eq.MARK_PERCENT]), 2),
        "bidSize": quote.get(Eq.BID_SIZE, 0), "askSize": quote.get(Eq.ASK_SIZE, 0),
        "highPrice": float(quote[Eq.HIGH]), "lowPrice": float(quote[Eq.LOW]), "openPrice": float(quote[Eq.OPEN]),
        "totalVolume": quote[Eq.VOLUME], "exchangeName": profile.exchange_name,
        "fiftyTwoWeekHigh": float(quote[Eq.HIGH_52]), "fiftyTwoWeekLow": float(quote[Eq.LOW_52]), "delayed": False,
    }  # fmt: skip


def _moving(columns: Fields, strike: NDArray[np.float64], is_call: NDArray[np.bool_]) -> dict[str, list[Any]]:
    """What moves about each contract, by its name on the wire; lists of shape (n,)."""
    named: dict[str, NDArray[Any]] = {
        name: np.round(columns[field], _DECIMALS.get(field, 3)) for name, field in _DOUBLES
    }
    mark, intrinsic = named["mark"], named["intrinsicValue"]
    named |= {name: columns[field].astype(np.int64) for name, field in _WHOLES}
    named["extrinsicValue"] = np.round(mark - np.maximum(intrinsic, 0.0), 2)
    named["breakEven"] = np.round(np.where(is_call, strike + mark, strike - mark), 3)
    named["inTheMoney"] = intrinsic > 0
    lists: dict[str, list[Any]] = {name: column.tolist() for name, column in named.items()}
    sizes = zip(lists["bidSize"], lists["askSize"], strict=True)
    lists["bidAskSize"] = [f"{bid}X{ask}" for bid, ask in sizes]
    return lists


def _fixed(book: Book, row: int) -> bytes:
    """What stays the same all day about one contract: its JSON object without the closing brace."""
    listing, profile = book.listing, book.profile
    facts = book.series_facts[listing.of[row]]
    delivered = {
        "symbol": profile.wire,
        "assetType": "STOCK",
        "deliverableUnits": 100.0,
        "currencyType": None,
    }
    return orjson.dumps({
        "putCall": "CALL" if listing.is_call[row] else "PUT", "symbol": book.symbols[row],
        "description": contracts.description(book, row), "exchangeName": "OPR", "closePrice": float(book.close[row]),
        "openInterest": int(listing.open_interest[row]), "theoreticalVolatility": 29.0,
        "optionDeliverablesList": [delivered], "strikePrice": float(listing.strike[row]),
        "expirationDate": facts.instant, "daysToExpiration": facts.days, "expirationType": facts.series.kind,
        "lastTradingDay": facts.last_trading_ms, "multiplier": 100.0, "settlementType": facts.series.settlement,
        "deliverableNote": contracts.deliverable(book), "optionRoot": facts.series.root,
        "exerciseType": contracts.exercise(book), "ssid": 1_000_000_000 + row, "mini": False, "nonStandard": False,
        "pennyPilot": contracts.is_penny(book),
    })[:-1]  # fmt: skip


def too_big(contracts_wanted: int, limit: int) -> bool:
    """Whether an answer would pass the gateway's limit for certain: no need to write it out then."""
    return contracts_wanted * 1000 > limit
