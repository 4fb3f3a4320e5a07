"""One underlying's chain while it changes: swept windows are merged in, streamed changes applied, settled contracts dropped.

`snapshot` copies it into an immutable Chain. The book keeps the wire's own values (-999 included) and cleans the copy: a
greek that the vendor didn't compute is NaN in the chain from that moment on, and no older value stands in for it. The
product's numbers come from prices; the vendor's greeks are a cross-check, and an aged one would be a wrong one.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.chain import Chain, Contracts, Quotes, Session, Source, Underlying
from app.market.scatter import Rows, cleaned, columns_of, scatter
from app.market.updates import UNSET, OptionChanges, UnderlyingUpdate

_DAY_MS = 86_400_000
_NOT_COMPUTED = -999.0
# A swept quote this much newer than the streamed one means that the stream missed it.
_STREAM_LAG_MS = 15_000
# A contract that this many sweeps in a row did not list has gone; one may have been a malformed answer.
_ABSENCES = 2
# Kept by the stream alone, or by the book itself.
_NOT_SWEPT = frozenset({"flow", "streaming"})
_UNDERLYING = ("bid", "ask", "last", "volume", "close", "change", "mark", "percent_change")
_UNDERLYING_TIMES = ("quote_ms", "trade_ms")


class Merged(NamedTuple):
    """What a swept window did to the book, in contracts."""

    added: int
    vanished: int


class Book:
    """The mutable chain of one underlying. Safe to share between threads; every method takes microseconds to a few ms.

    Attributes:
        dirty: something changed since the last snapshot.
        session: whether its market is open.
        missing_expiries, missing_dates: as the chain's.
    """

    def __init__(self, symbol: str, *, source: Source = "schwab") -> None:
        self.symbol = symbol
        self.source: Source = source
        self.session: Session = "unknown"
        self.missing_expiries = 0
        self.missing_dates: tuple[date, ...] = ()
        self.dirty = False
        self._lock = threading.RLock()
        self._spot, self._spot_ms = math.nan, 0
        self._rate, self._yield = math.nan, math.nan
        self._delayed = False
        self._underlying = Underlying(symbol)
        self._rejected: dict[tuple[date, date], dict[str, int]] = {}
        self._rows(Contracts.empty(), Quotes.unknown(0), np.zeros(0, np.int8))

    def __len__(self) -> int:
        return len(self._contracts)

    def __contains__(self, key: str) -> bool:
        """Whether a contract of this symbol is in the book."""
        return key in self._index

    @property
    def contracts(self) -> Contracts:
        """The contracts now; never changed in place."""
        return self._contracts

    @property
    def spot(self) -> float:
        """The underlying's price; NaN when unknown."""
        return self._spot

    def streaming(self) -> tuple[Contracts, NDArray[np.bool_]]:
        """The contracts, and which of them the stream keeps now, shape (n,)."""
        with self._lock:
            return self._contracts, self._quotes.streaming & (self.session != "closed")

    # --- from the sweep ---------------------------------------------------------------------------

    def inherit(self, chain: Chain) -> None:
        """Begin with what another book published.

        Nothing streams yet, and the first sweep that doesn't name a contract drops it.
        """
        with self._lock:
            self._take_header(chain)
            quotes = chain.quotes.take(np.arange(len(chain)))
            quotes.streaming[:] = False
            self._rows(chain.contracts, quotes, np.full(len(chain), _ABSENCES - 1, np.int8))

    def merge(self, window: Chain, first: date, last: date) -> Merged:
        """Take in the contracts that expire from `first` to `last`, as read just now.

        Streamed rows keep their quotes, which are newer, unless the swept quote shows that the stream missed something.
        Listed contracts of that window that two sweeps in a row did not name are dropped. A window that was cut short
        (`rejected` counts it as truncated) names only a part, so of what it doesn't name nothing follows.
        """
        with self._lock:
            self._take_header(window)
            self._note_rejected(window, first, last)
            names = window.contracts.symbol.astype(str).tolist()
            rows = np.array([self._index.get(name, -1) for name in names], np.int64)
            known = rows >= 0
            cut = "truncated" in window.rejected
            vanished = 0 if cut else self._note_absent(rows[known], first, last)
            self._update(rows[known], window.quotes.take(known))
            added = int((~known).sum())
            gone = self._absent >= _ABSENCES
            if added or gone.any():
                self._rebuild(window.take(~known), ~gone)
            self.dirty = True
            return Merged(added, vanished)

    def keep_expiries(self, listed: Iterable[date]) -> int:
        """Drop contracts of dates that the broker doesn't list any more; how many."""
        with self._lock:
            keep = np.isin(self._contracts.expiry, np.array(list(listed), "M8[D]"))
            return self._keep(keep)

    def _take_header(self, window: Chain) -> None:
        if not math.isnan(window.rate):
            self._rate = window.rate
        if not math.isnan(window.dividend_yield):
            self._yield = window.dividend_yield
        self._delayed = window.delayed
        if window.underlying.description:
            self._underlying = replace(self._underlying, description=window.underlying.description)
        if window.spot > 0 and (window.spot_ms > self._spot_ms or not self._spot_ms):
            self._spot, self._spot_ms = window.spot, window.spot_ms
            self._underlying = replace(window.underlying, symbol=self.symbol)

    def _note_rejected(self, window: Chain, first: date, last: date) -> None:
        """What the last sweep of each window could not read; other windows over the same dates are out of date."""
        others = {
            span: counts for span, counts in self._rejected.items() if span[1] < first or span[0] > last
        }
        self._rejected = {**others, (first, last): window.rejected}

    def _note_absent(self, present: NDArray[np.int64], first: date, last: date) -> int:
        expiry = self._contracts.expiry
        absent = (expiry >= np.datetime64(first)) & (expiry <= np.datetime64(last))
        absent[present] = False
        self._absent[absent] += 1
        self._absent[present] = 0
        return int(absent.sum())

    def _update(self, rows: NDArray[np.int64], swept: Quotes) -> None:
        quotes = self._quotes
        fresh = ~quotes.streaming[rows] | (swept.quote_ms > quotes.quote_ms[rows] + _STREAM_LAG_MS)
        counted = ~np.isnan(swept.open_interest)
        quotes.open_interest[rows[counted]] = swept.open_interest[counted]
        new_day = rows[fresh & (swept.volume < quotes.volume[rows]) & ~np.isnan(quotes.flow[rows])]
        quotes.flow[new_day] = 0.0
        for f in fields(Quotes):
            if f.name not in _NOT_SWEPT:
                getattr(quotes, f.name)[rows[fresh]] = getattr(swept, f.name)[fresh]

    def _rebuild(self, new: Chain, keep: NDArray[np.bool_]) -> None:
        contracts = _joined(Contracts, self._contracts.take(keep), new.contracts)
        quotes = _joined(Quotes, self._quotes.take(keep), new.quotes)
        absent = np.concatenate([self._absent[keep], np.zeros(len(new), np.int8)])
        order = np.lexsort((contracts.right, contracts.strike, contracts.root, contracts.expiry))
        self._rows(contracts.take(order), quotes.take(order), absent[order])

    def _rows(self, contracts: Contracts, quotes: Quotes, absent: NDArray[np.int8]) -> None:
        self._contracts, self._quotes, self._absent = contracts, quotes, absent
        names = contracts.symbol.astype(str).tolist()
        self._index = Rows(zip(names, range(len(names)), strict=True))
        self._columns = columns_of(quotes)

    # --- from the stream --------------------------------------------------------------------------

    def apply(self, changes: OptionChanges, at_ms: int) -> int:
        """Streamed changes of contracts, heard at `at_ms`; how many were of contracts not in the book, or unusable.

        The first message of a contract is its image: from then on the stream keeps the row.
        """
        with self._lock:
            self.dirty = True
            return scatter(changes, self._index, self._columns, at_ms)

    def apply_underlying(self, update: UnderlyingUpdate) -> None:
        """Streamed changes of the underlying's own quote."""
        with self._lock:
            changes = _changes(update)
            quote = self._underlying = replace(self._underlying, **changes)
            spot = _spot_after(changes, quote)
            if spot is not None:
                self._spot = spot
                self._spot_ms = max(quote.quote_ms, quote.trade_ms)
            self.dirty = True

    def unstream(self, keys: Iterable[str] | None = None) -> None:
        """The stream keeps these rows (by default all) no longer; their values stay, with their age."""
        with self._lock:
            rows = slice(None) if keys is None else [self._index[key] for key in keys if key in self._index]
            self._quotes.streaming[rows] = False
            self.dirty = True

    # --- the clock and the way out ----------------------------------------------------------------

    def drop_settled(self, now_ms: int) -> int:
        """Drop contracts whose settlement instant has come; how many."""
        with self._lock:
            return self._keep(self._contracts.settle_ms > now_ms)

    def set_session(self, session: Session) -> None:
        if session != self.session:
            self.session, self.dirty = session, True

    def set_missing(self, dates: Collection[date], count: int | None = None) -> None:
        """These listed dates have not been read; `count` is how many where nobody knows which."""
        missing = len(dates) if count is None else count, tuple(sorted(dates))
        with self._lock:
            if missing != (self.missing_expiries, self.missing_dates):
                self.missing_expiries, self.missing_dates = missing
                self.dirty = True

    def _keep(self, keep: NDArray[np.bool_]) -> int:
        gone = int((~keep).sum())
        if gone:
            self._rows(self._contracts.take(keep), self._quotes.take(keep), self._absent[keep])
            self.dirty = True
        return gone

    def snapshot(self, as_of_ms: int) -> Chain:
        """The chain as it is now, cleaned and copied; the book counts as unchanged from here on."""
        with self._lock:
            self.dirty = False
            return self.peek(as_of_ms)

    def peek(self, as_of_ms: int) -> Chain:
        """The same, and the book stays dirty if it was."""
        with self._lock:
            quotes = cleaned(self._quotes, as_of_ms + _DAY_MS)
            if self.session == "closed":  # subscribed, yet nothing comes that would keep them
                quotes.streaming[:] = False
            return Chain(
                symbol=self.symbol,
                spot=self._spot,
                spot_ms=self._spot_ms,
                as_of_ms=as_of_ms,
                contracts=self._contracts,
                quotes=quotes,
                rate=self._rate,
                dividend_yield=self._yield,
                session=self.session,
                source=self.source,
                delayed=self._delayed,
                underlying=self._underlying,
                missing_expiries=self.missing_expiries,
                missing_dates=self.missing_dates,
                rejected=dict(sum(map(Counter, self._rejected.values()), Counter[str]())),
            )


def _joined(kind: type[Any], left: Any, right: Any) -> Any:
    return kind(
        **{f.name: np.concatenate([getattr(left, f.name), getattr(right, f.name)]) for f in fields(kind)}
    )


def _changes(update: UnderlyingUpdate) -> dict[str, Any]:
    said = {name: getattr(update, name) for name in (*_UNDERLYING, *_UNDERLYING_TIMES)}
    return {
        name: _time(value) if name in _UNDERLYING_TIMES else _known(value)
        for name, value in said.items()
        if value is not UNSET
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) and value != _NOT_COMPUTED else None


def _time(value: int) -> int:
    return value if 0 <= value < 2**62 else 0


def _spot_after(changes: dict[str, Any], quote: Underlying) -> float | None:
    """The price that an update brings, None when it brings none: the mark, else a last that the quote doesn't contradict."""
    mark, last = changes.get("mark"), changes.get("last")
    if mark is not None and mark > 0:
        return float(mark)
    if last is None or last <= 0:
        return None
    bid, ask = quote.bid, quote.ask
    if (
        quote.mark is not None
        and bid is not None
        and ask is not None
        and 0 < bid <= ask
        and not bid <= last <= ask
    ):
        return None
    return float(last)
