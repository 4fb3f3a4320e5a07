"""Keeps the leader's parts working on what the watchlist names, while they run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from app.cache.base import Store
from app.errors import CacheError
from app.feed.board import Board
from app.feed.planner import Planner
from app.feed.publisher import Publisher
from app.feed.sweep import Sweeper
from app.feed.swept import Swept
from app.market.book import Book


class Following:
    """Begins and ends the work on underlyings. Called by the leader's main thread only.

    Args:
        wanted: what should be followed now.
    """

    def __init__(
        self,
        wanted: Callable[[], list[str]],
        store: Store,
        board: Board,
        sweeper: Sweeper,
        planner: Planner,
        publisher: Publisher,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._wanted = wanted
        self._store = store
        self._board = board
        self._sweeper = sweeper
        self._planner = planner
        self._publisher = publisher
        self._wall = wall

    def begin(self) -> None:
        """Go on from what the leader before published of the underlyings at the start."""
        for swept in self._sweeper.swept.values():
            self._inherit(swept)

    def look(self) -> None:
        """Follow and drop what the watchlist has changed. Raises StaleWriter."""
        wanted = self._wanted()
        for symbol in wanted:
            if symbol not in self._planner.books:
                self._follow(symbol)
        for symbol in self._planner.books:
            if symbol not in wanted:
                self._drop(symbol)

    def _follow(self, symbol: str) -> None:
        swept = Swept(Book(symbol, source=self._board.source))
        self._inherit(swept)
        self._planner.follow(symbol, swept.book)
        self._sweeper.follow(swept)
        self._board.event("followed", f"{symbol} is followed now", symbol=symbol)

    def _drop(self, symbol: str) -> None:
        self._planner.drop(symbol)
        self._sweeper.drop(symbol)
        self._publisher.drop(symbol)
        for where in ("symbol", "sweep"):
            self._board.well(f"{where}:{symbol}")
        self._board.event("dropped", f"{symbol} is followed no longer", symbol=symbol)

    def _inherit(self, swept: Swept) -> None:
        with suppress(CacheError):
            loaded = self._store.load(swept.book.symbol)
            if loaded is not None:
                swept.inherit(loaded.chain, round(self._wall() * 1000))
