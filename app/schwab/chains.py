"""Schwab's answer to /marketdata/v1/chains, read into a Chain. Also what the same document says when kept in a file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.errors import DataError, SymbolError
from app.market.calendar import settle_ms
from app.market.chain import Chain, Contracts, Quotes, Source, Underlying
from app.market.symbols import AM_ROOTS, OptionSymbol, Settlement, canonical, underlying_of

_MAPS = ("callExpDateMap", "putExpDateMap")
_DAY_MS = 86_400_000
# Times outside 2000..2100 are noise, not times.
_FIRST_MS, _LAST_MS = 946_684_800_000, 4_102_444_800_000
NOT_COMPUTED = -999.0
_ROOT = re.compile(r"\A[A-Z0-9]{1,6}\Z")

# Column of Quotes -> wire name of the contract.
_PRICES = {"bid": "bid", "ask": "ask", "last": "last"}
_COUNTS = {
    "bid_size": "bidSize",
    "ask_size": "askSize",
    "last_size": "lastSize",
    "volume": "totalVolume",
    "open_interest": "openInterest",
}
_GREEKS = {"delta": "delta", "gamma": "gamma", "theta": "theta", "vega": "vega"}
_TIMES = {"quote_ms": "quoteTimeInLong", "trade_ms": "tradeTimeInLong"}


class _Identity(NamedTuple):
    """What a contract's symbol, root and settlement say."""

    symbol: str
    root: str
    expiry: date
    right: str
    strike: float
    settlement: Settlement
    settles_ms: int


def parse_chain_json(
    doc: Any,
    *,
    rejected: Counter[str] | None = None,
    as_of_ms: int | None = None,
    source: Source = "file",
) -> Chain:
    """Every contract of a /chains document, once each, ordered by expiry, root, strike and right.

    -999, NaN (also as text) and negative prices are unknown. Where the volatility is unknown the greeks are leftovers, so
    they are unknown too. `interestRate` 0 is what Schwab sends for "none".

    Args:
        doc: the decoded JSON.
        rejected: counts what was left out, by reason: not_an_object, no_symbol, contradictory, duplicate; and truncated
            where Schwab says that it cut the chain short, nobody knows by how much.
        as_of_ms: the instant described; by default the newest quote (or trade) of any contract, 0 where none has a time.
        source: who says this.

    Raises:
        DataError: the document is no option chain, or none of its contracts can be read.
    """
    counts: Counter[str] = Counter()
    rows = _distinct(_readable(_listed(_maps(doc), counts), counts), counts)
    identities = sorted(rows, key=lambda i: (i.expiry, i.root, i.strike, i.right))
    wires = [rows[identity] for identity in identities]
    if rejected is not None:
        rejected.update(counts)
        if is_cut(doc):
            rejected["truncated"] += 1
    if counts and not rows:
        raise DataError("none of the chain's contracts can be read")
    contracts = _contracts(identities, wires)
    quotes = _quotes(wires, contracts.settle_ms)
    symbol = _symbol(doc, contracts)
    underlying = _underlying(doc.get("underlying"), symbol)
    newest = as_of_ms if as_of_ms is not None else _newest(quotes, underlying)
    quotes.updated_ms[:] = newest
    return Chain(
        symbol=symbol,
        spot=_spot(doc, underlying),
        spot_ms=max(underlying.quote_ms, underlying.trade_ms),
        as_of_ms=newest,
        contracts=contracts,
        quotes=quotes,
        rate=_percent(doc.get("interestRate")) if len(contracts) else math.nan,
        dividend_yield=_percent(doc.get("dividendYield"), zero=True) if len(contracts) else math.nan,
        source=source,
        delayed=doc.get("isDelayed") is True,
        underlying=underlying,
    )


def is_cut(doc: dict[str, Any]) -> bool:
    """Whether Schwab says that this /chains document is a part of what was asked for."""
    return doc.get("isChainTruncated") is True


def number(value: Any) -> float:
    """A wire value as a float; NaN for -999, NaN, infinity, null and whatever isn't a number."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
    return found if math.isfinite(found) and found != NOT_COMPUTED else math.nan


def instant(value: Any) -> int:
    """A wire time as ms since the epoch; 0 when it is none."""
    found = number(value)
    return int(found) if _FIRST_MS <= found <= _LAST_MS else 0


def _maps(doc: Any) -> list[dict[str, Any]]:
    if not isinstance(doc, dict):
        raise DataError("an option chain is a JSON object")
    if "errors" in doc or "fault" in doc:
        raise DataError("this is Schwab's error message, not an option chain")
    maps = [doc[name] for name in _MAPS if isinstance(doc.get(name), dict)]
    if not maps:
        raise DataError("the document has neither callExpDateMap nor putExpDateMap")
    if doc.get("status") not in (None, "SUCCESS"):
        raise DataError(f"Schwab marked this chain as {str(doc['status'])[:32]!r}")
    return maps


def _listed(maps: list[dict[str, Any]], counts: Counter[str]) -> Iterator[dict[str, Any]]:
    """Each contract of every list: third Fridays hold two ($SPX: roots SPX and SPXW) at one strike."""
    for strikes in (strikes for dates in maps for strikes in dates.values()):
        for listed in strikes.values() if isinstance(strikes, dict) else [strikes]:
            for contract in listed if isinstance(listed, list) else [listed]:
                if isinstance(contract, dict):
                    yield contract
                else:
                    counts["not_an_object"] += 1


def _readable(
    contracts: Iterator[dict[str, Any]], counts: Counter[str]
) -> Iterator[tuple[_Identity, dict[str, Any]]]:
    for contract in contracts:
        root, settlement = contract.get("optionRoot"), contract.get("settlementType")
        try:
            identity = _identify(
                str(contract["symbol"]),
                root.strip() if isinstance(root, str) else "",
                settlement if isinstance(settlement, str) else "",
            )
        except (KeyError, SymbolError):
            counts["no_symbol"] += 1
            continue
        if _contradicts(contract, identity):
            counts["contradictory"] += 1
            continue
        yield identity, contract


@lru_cache(maxsize=131_072)
def _identify(symbol: str, root: str, settlement: str) -> _Identity:
    option = OptionSymbol.parse(symbol)
    if option.strike <= 0:
        raise SymbolError(f"{symbol[:32]!r} has no strike")
    family = root if _ROOT.match(root) else option.root
    known: Settlement = "A" if family in AM_ROOTS else "P"
    if settlement in ("A", "P"):
        known = "A" if settlement == "A" else "P"
    settles = settle_ms(option.expiry, known)
    return _Identity(str(option), family, option.expiry, option.right, option.strike, known, settles)


def _contradicts(contract: dict[str, Any], identity: _Identity) -> bool:
    """Whether the contract's own strike or side isn't the one its symbol names."""
    strike, side = number(contract.get("strikePrice")), contract.get("putCall")
    if not math.isnan(strike) and abs(strike - identity.strike) > 0.0005:
        return True
    return isinstance(side, str) and side[:1].upper() != identity.right


def _distinct(
    pairs: Iterator[tuple[_Identity, dict[str, Any]]], counts: Counter[str]
) -> dict[_Identity, dict[str, Any]]:
    """One entry per symbol: the one quoted last."""
    kept: dict[str, tuple[_Identity, dict[str, Any]]] = {}
    for identity, contract in pairs:
        before = kept.get(identity.symbol)
        if before is not None:
            counts["duplicate"] += 1
            if instant(before[1].get("quoteTimeInLong")) > instant(contract.get("quoteTimeInLong")):
                continue
        kept[identity.symbol] = (identity, contract)
    return dict(kept.values())


def _contracts(identities: list[_Identity], wires: list[dict[str, Any]]) -> Contracts:
    multiplier = _floats(wires, "multiplier")
    multiplier[~(multiplier > 0)] = np.nan
    return Contracts.build(
        {
            "symbol": [i.symbol for i in identities],
            "root": [i.root for i in identities],
            "expiry": [i.expiry for i in identities],
            "right": [i.right for i in identities],
            "strike": [i.strike for i in identities],
            "multiplier": multiplier,
            "settlement": [i.settlement for i in identities],
            "settle_ms": [i.settles_ms for i in identities],
            "standard": [
                not wire.get("nonStandard", i.root[-1:].isdigit())
                for i, wire in zip(identities, wires, strict=True)
            ],
        }
    )


def _quotes(wires: list[dict[str, Any]], settles_ms: NDArray[np.int64]) -> Quotes:
    columns = {name: _floats(wires, key) for name, key in (_PRICES | _COUNTS).items()}
    for values in columns.values():
        values[values < 0] = np.nan
    iv = _floats(wires, "volatility") / 100
    iv[~(iv > 0)] = np.nan
    columns["iv"] = iv
    for name, key in _GREEKS.items():
        columns[name] = np.where(np.isnan(iv), np.nan, _floats(wires, key))
    times = {name: _instants(wires, key, settles_ms) for name, key in _TIMES.items()}
    with np.errstate(over="ignore"):  # what float32 can't hold is no quote
        quotes = Quotes.build(len(wires), {**columns, **times})
    for name in columns:
        values = getattr(quotes, name)
        values[np.isinf(values)] = np.nan
    return quotes


def _floats(wires: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    """One field of every contract; NaN where it is unknown."""
    values = [wire.get(key) for wire in wires]
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        found = np.empty(0)
    if found.shape != (len(values),):  # somewhere stands what isn't a number
        return np.array([number(value) for value in values], dtype=np.float64)
    found[~np.isfinite(found) | (found == NOT_COMPUTED)] = np.nan
    return found


def _instants(wires: list[dict[str, Any]], key: str, settles_ms: NDArray[np.int64]) -> NDArray[np.int64]:
    """Times; one that lies a day and more past its contract's settlement is noise."""
    found = np.nan_to_num(_floats(wires, key), nan=0.0)
    sane = (found >= _FIRST_MS) & (found <= np.minimum(settles_ms + _DAY_MS, _LAST_MS))
    return np.where(sane, found, 0.0).astype(np.int64)


def _symbol(doc: dict[str, Any], contracts: Contracts) -> str:
    named = doc.get("symbol")
    try:
        return canonical(named if isinstance(named, str) else "")
    except SymbolError:
        if not len(contracts):
            raise DataError("the chain names no underlying and holds no contract") from None
        return underlying_of(contracts.root[0].decode())


def _underlying(quote: Any, symbol: str) -> Underlying:
    """The quote sent with includeUnderlyingQuote; all unknown without it."""
    if not isinstance(quote, dict):
        return Underlying(symbol)

    def price(key: str) -> float | None:
        value = number(quote.get(key))
        return value if value > 0 else None

    def change(key: str) -> float | None:
        value = number(quote.get(key))
        return None if math.isnan(value) else value

    return Underlying(
        symbol=symbol,
        description=str(quote.get("description") or ""),
        last=price("last"),
        bid=price("bid"),
        ask=price("ask"),
        mark=price("mark"),
        close=price("close"),
        change=change("change"),
        percent_change=change("percentChange"),
        volume=change("totalVolume"),
        quote_ms=instant(quote.get("quoteTime")),
        trade_ms=instant(quote.get("tradeTime")),
    )


def _spot(doc: dict[str, Any], underlying: Underlying) -> float:
    for value in (doc.get("underlyingPrice"), underlying.mark, underlying.last):
        spot = number(value)
        if spot > 0:
            return spot
    return math.nan


def _newest(quotes: Quotes, underlying: Underlying) -> int:
    """The newest time of any contract; of the underlying where no contract has one."""
    newest = max((int(times.max()) for times in (quotes.quote_ms, quotes.trade_ms) if len(times)), default=0)
    return newest or max(underlying.quote_ms, underlying.trade_ms)


def _percent(value: Any, *, zero: bool = False) -> float:
    """A percentage as a fraction; 0 is "none" unless `zero`, and nothing beyond -5 .. 50 % is a rate."""
    found = number(value)
    return found / 100 if -5 <= found <= 50 and (zero or found != 0) else math.nan
