"""A tape played into books of its own: the chains that the feed had, at the marks where it had them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from app.errors import SymbolError
from app.history.tape import lines
from app.market.book import Book
from app.market.chain import Chain
from app.market.symbols import canonical
from app.schwab.chains import parse_chain_json
from app.schwab.frames import decode_frame


def played(path: Path, wanted: Callable[[str, int], bool]) -> Iterator[Chain]:
    """The chains of a tape in order.

    Args:
        wanted: whether to give the chain of a symbol at a mark, ms since the epoch; others cost nothing.

    Raises HistoryError.
    """
    player = Player()
    for line in lines(path):
        chain = player.hear(line, wanted)
        if chain is not None:
            yield chain


class Player:
    """Books, and what a tape's lines do to them: the same as the feed did."""

    def __init__(self) -> None:
        self.books: dict[str, Book] = {}
        self._source: Any = "schwab"

    def hear(self, line: dict[str, Any], wanted: Callable[[str, int], bool]) -> Chain | None:
        """Take one line in; the chain where it is a mark that is wanted."""
        at_ms = line["t"]
        if "frame" in line:
            self._frame(line["frame"], at_ms)
        elif "mark" in line:
            mark = line["mark"]
            return self._mark(mark, at_ms) if wanted(mark["symbol"], at_ms) else None
        elif "chain" in line:
            self._chain(line["chain"], at_ms)
        elif "listed" in line:
            told = line["listed"]
            self._book(told["symbol"]).keep_expiries([date.fromisoformat(day) for day in told["expiries"]])
        elif "unstreamed" in line:
            for book in self.books.values():
                book.unstream(line["unstreamed"]["keys"])
        elif "tape" in line:
            self._source = line["source"]
        return None

    def _book(self, symbol: str) -> Book:
        return self.books.setdefault(symbol, Book(symbol, source=self._source))

    def _chain(self, told: dict[str, Any], at_ms: int) -> None:
        rejected: Counter[str] = Counter()
        chain = parse_chain_json(told["document"], rejected=rejected, as_of_ms=at_ms, source=self._source)
        unsettled = replace(chain.take(chain.contracts.settle_ms > at_ms), rejected=dict(rejected))
        first, last = date.fromisoformat(told["first"]), date.fromisoformat(told["last"])
        self._book(told["symbol"]).merge(unsettled, first, last)

    def _frame(self, document: dict[str, Any], at_ms: int) -> None:
        frame = decode_frame(orjson.dumps(document))
        for update in frame.equities:
            book = self.books.get(_symbol_of(update.key))
            if book is not None:
                book.apply_underlying(update)
        for book in self.books.values():
            mine = [place for place, key in enumerate(frame.options.keys) if key in book]
            if mine:
                book.apply(frame.options.take(mine), at_ms)

    def _mark(self, mark: dict[str, Any], at_ms: int) -> Chain:
        book = self._book(mark["symbol"])
        book.drop_settled(at_ms)
        book.set_session(mark["session"])
        dates = map(
            date.fromisoformat, mark.get("missing_dates", ())
        )  # absent from an earlier version's tape
        book.set_missing(list(dates), mark["missing"])
        return book.snapshot(at_ms)


def _symbol_of(wire: str) -> str:
    try:
        return canonical(wire)
    except SymbolError:
        return ""
