"""What one connection streams: its keys, and of each key what has changed since it was last told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.simulator.book import Book, Fields
from app.simulator.contracts import stream_facts
from app.simulator.fields import Eq, Opt
from app.simulator.market import Instant, Market
from app.simulator.quotes import cusip
from app.simulator.surface import Rows

FieldList = tuple[int, ...]
Item = dict[str, Any]
Group = tuple[Book, FieldList, Rows]
_GREEKS = frozenset({Opt.VOLATILITY, Opt.DELTA, Opt.GAMMA, Opt.THETA, Opt.VEGA, Opt.RHO, Opt.THEORETICAL})
_OPTION_HEAD = {"delayed": False, "assetMainType": "OPTION"}


class Lines(Protocol):
    """The subscription of one service. `keys` is replaced as a whole, never changed in place."""

    keys: dict[str, FieldList]

    def forget(self, keys: Iterable[str]) -> None:
        """These keys get a whole image again when they are next subscribed."""
        ...

    def collect(self, at: Instant) -> list[Item]:
        """What to send now."""
        ...


class OptionLines:
    """LEVELONE_OPTIONS of one connection.

    Args:
        slots: greeks of a contract go out every so many ticks, a different share of the contracts on each.
    """

    def __init__(self, market: Market, slots: int) -> None:
        self.keys: dict[str, FieldList] = {}
        self._market, self._slots, self._tick = market, max(slots, 1), 0
        self._told: dict[int, Told] = {}
        self._grouped: list[Group] = []
        self._grouped_for: dict[str, FieldList] | None = None

    def forget(self, keys: Iterable[str]) -> None:
        """See Lines."""
        for key in keys:
            found = self._market.find_option(key)
            if found is not None and id(found[0]) in self._told:
                self._told[id(found[0])].imaged[found[1]] = False

    def collect(self, at: Instant) -> list[Item]:
        """See Lines."""
        self._tick += 1
        items: list[Item] = []
        told: dict[int, Told] = {}
        for book, fields, rows in self._groups():
            told[id(book)] = state = self._told.get(id(book)) or Told(book)
            live = rows[book.settle_ms[rows] > at.market_ms]
            if len(live):
                items += self._changes(state, live, fields, self._market.instant(book.profile))
        self._told = told  # of books that were replaced nothing is remembered: the new day starts with images
        return items

    def _groups(self) -> list[Group]:
        """The keys by book and field list, worked out again when keys or books have changed."""
        replaced = any(self._market.book(book.profile.symbol) is not book for book, _, _ in self._grouped)
        if self._grouped_for is not self.keys or replaced:
            groups: dict[tuple[int, FieldList], tuple[Book, list[int]]] = {}
            for key, fields in self.keys.items():
                found = self._market.find_option(key)
                if found is not None:
                    groups.setdefault((id(found[0]), fields), (found[0], []))[1].append(found[1])
            self._grouped = [(book, fields, np.array(rows)) for (_, fields), (book, rows) in groups.items()]
            self._grouped_for = self.keys
        return self._grouped

    def _changes(self, told: Told, rows: Rows, fields: FieldList, at: Instant) -> list[Item]:
        book, wanted = told.book, frozenset(fields)
        book.advance(at.market_ms)
        items: list[Item | None] = [None] * len(rows)
        fresh = ~told.imaged[rows]
        told.imaged[rows] = True
        self._facts(told, items, rows, fresh, wanted, at)
        everything = np.arange(len(rows))
        told.put(items, rows, everything, wanted, book.quotes(rows, at.market_ms, at.phase), fresh)
        due = np.flatnonzero(fresh | ((rows + self._tick) % self._slots == 0))
        if len(due) and wanted & _GREEKS:
            known = at.greeks_known and not self._market.no_greeks
            told.put(items, rows, due, wanted, book.greeks(rows[due], at.market_ms, known), fresh)
        return [item for item in items if item is not None]

    def _facts(
        self,
        told: Told,
        items: list[Item | None],
        rows: Rows,
        fresh: NDArray[np.bool_],
        wanted: frozenset[int],
        at: Instant,
    ) -> None:
        """Whole images of fresh rows; of the others what a VIEW has added, and a status that has changed."""
        added = wanted - told.fields if told.fields else frozenset()
        if at.status != told.status and told.status:
            added |= wanted & {Opt.STATUS}
        told.fields |= wanted
        told.status = at.status
        for place in range(len(rows)) if added else np.flatnonzero(fresh).tolist():
            head = _OPTION_HEAD if fresh[place] else {}
            facts = self._words(told.book, int(rows[place]), wanted if fresh[place] else added, at)
            if facts or head:
                items[place] = {**facts, "key": told.book.symbols[rows[place]], **head}

    def _words(self, book: Book, row: int, wanted: frozenset[int], at: Instant) -> Item:
        facts = stream_facts(book, row, at.status)
        return {str(int(field)): plain(value) for field, value in facts.items() if field in wanted}


class Told:
    """What a connection was last told of each contract of a book."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.imaged = np.zeros(len(book), np.bool_)
        self.fields: frozenset[int] = frozenset()
        self.status = ""
        self._sent: dict[Opt, NDArray[np.float64]] = {}

    def put(
        self, items: list[Item | None], rows: Rows, places: Rows, wanted: frozenset[int], values: Fields,
        fresh: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """Add to the items what has changed.

        Args:
            places: positions in `rows` (and `items`) that `values` are of.
            fresh: whether a row gets its whole image, changed or not; shape of `rows`.
        """
        at = rows[places]
        for field, column in values.items():
            if field not in wanted:
                continue
            sent = self._sent.setdefault(field, np.full(len(self.book), np.nan))
            changed = np.flatnonzero((sent[at] != column) | fresh[places])
            sent[at] = column
            name = str(int(field))
            for place, row, value in zip(
                places[changed].tolist(), at[changed].tolist(), column[changed].tolist(), strict=True
            ):
                item = items[place]
                if item is None:
                    items[place] = item = {"key": self.book.symbols[row]}
                item[name] = int(value) if value == int(value) else value


class EquityLines:
    """LEVELONE_EQUITIES of one connection: stocks, funds and indices."""

    def __init__(self, market: Market) -> None:
        self.keys: dict[str, FieldList] = {}
        self._market = market
        self._sent: dict[str, dict[int, Any]] = {}

    def forget(self, keys: Iterable[str]) -> None:
        """See Lines."""
        for key in keys:
            self._sent.pop(key, None)

    def collect(self, at: Instant) -> list[Item]:
        """See Lines."""
        found = (self._item(key, fields, at) for key, fields in self.keys.items())
        return [item for item in found if item is not None]

    def _item(self, key: str, fields: FieldList, at: Instant) -> Item | None:
        asset = self._market.find_asset(key)
        if asset is None:
            return None
        first = key not in self._sent
        sent = self._sent.setdefault(key, {})
        values: dict[Eq, Any] = dict(asset.quote(at.market_ms))
        values |= _words(asset.profile.kind, asset.profile.description, asset.profile.exchange_name, at)
        values[Eq.EXCHANGE_ID] = asset.profile.exchange
        if asset.profile.kind == "INDEX":
            del values[Eq.VOLUME]
        changed = {int(f): v for f, v in values.items() if f in fields and sent.get(int(f)) != v}
        sent.update(changed)
        item = {str(field): plain(value) for field, value in changed.items()}
        if not item and not first:
            return None
        head = _head(asset.profile.kind, asset.profile.symbol) if first else {}
        return {**item, "key": key, **head}


def plain(value: Any) -> Any:
    """Whole numbers without a decimal point, as the streamer writes them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _head(kind: str, symbol: str) -> Item:
    if kind == "INDEX":
        return {"delayed": False, "assetMainType": "INDEX"}
    subtype = "ETF" if kind == "ETF" else "COE"
    return {"delayed": False, "assetMainType": "EQUITY", "assetSubType": subtype, "cusip": cusip(symbol)}


def _words(kind: str, description: str, exchange_name: str, at: Instant) -> dict[Eq, Any]:
    words: dict[Eq, Any] = {
        Eq.DESCRIPTION: description, Eq.EXCHANGE_NAME: exchange_name,
        Eq.STATUS: "Normal" if at.phase == "open" else "Closed",
    }  # fmt: skip
    if kind == "INDEX":
        return words
    return words | {
        Eq.ASK_ID: "P", Eq.BID_ID: "Q", Eq.LAST_ID: "D", Eq.MARGINABLE: True, Eq.REGULAR_QUOTE: True,
        Eq.REGULAR_TRADE: True, Eq.ASK_MIC: "ARCX", Eq.BID_MIC: "XNAS", Eq.LAST_MIC: "XADF", Eq.HTB_QUANTITY: -1,
        Eq.HARD_TO_BORROW: 0, Eq.SHORTABLE: 1, Eq.POST_NET_CHANGE: 0, Eq.POST_PERCENT: 0, Eq.PE_RATIO: 0, Eq.NAV: 0,
    }  # fmt: skip
