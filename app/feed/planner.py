"""The thread that decides what to stream: contracts weighed by their gamma, following spot and the roll of expiries."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from app.errors import SymbolError
from app.feed.plan import Weights, choose, weigh
from app.feed.subscription import Wanted
from app.gex import contract_gamma, fit
from app.market.book import Book
from app.market.symbols import canonical, wire

if TYPE_CHECKING:
    from app.feed.link import Link

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.5
_PLAN_EVERY_S = 30.0
_CALM_S = 4.0  # while the first sweep fills the books they change every second: keys shouldn't
_SPOT_MOVE = 0.002  # a plan is made anew when spot has moved by so much


class Planner:
    """Keeps `wanted`, the subscription that the stream works towards.

    Attributes:
        books: the chains by symbol; a new dictionary whenever one comes or goes.
        wanted: what should stream; a new object whenever it changes.
        owner: the symbol whose book a streamed option key belongs to.
        weights: by symbol, what each contract weighs; of the contracts at the time of the plan.
    """

    def __init__(
        self,
        books: dict[str, Book],
        limit: int,
        *,
        rate: float | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.books = books
        self._limit = limit
        self._rate = rate
        self._wall = wall
        self._clock = clock
        self._lock = threading.Lock()
        self._planned: dict[str, tuple[object, float]] = {}
        self._planned_at = float("-inf")
        self._planned_limit = limit
        self.weights: dict[str, Weights] = {}
        self.owner: dict[str, str] = {}
        self.wanted = Wanted(equities=tuple(map(wire, books)))

    @property
    def limit(self) -> int:
        """How many option keys may be used."""
        return self._planned_limit

    def book_of_wire(self, symbol: str) -> Book | None:
        """The book of an underlying as the wire writes it."""
        try:
            return self.books.get(canonical(symbol))
        except SymbolError:
            return None

    def follow(self, symbol: str, book: Book) -> None:
        """Stream one more underlying; its options follow with the next plan."""
        with self._lock:
            self.books = {**self.books, symbol: book}
            self._want(self.wanted.options)

    def drop(self, symbol: str) -> None:
        """Stream neither the underlying nor its options any more; the next plan gives their keys to others."""
        with self._lock:
            self.books = {name: book for name, book in self.books.items() if name != symbol}
            self._planned.pop(symbol, None)
            self._planned_at = float("-inf")
            self._want(tuple(key for key in self.wanted.options if self.owner.get(key) != symbol))

    def _want(self, options: tuple[str, ...]) -> None:
        equities = tuple(map(wire, self.books))
        if (set(options), equities) != (set(self.wanted.options), self.wanted.equities):
            self.wanted = Wanted(equities, options)

    def run(self, stop: threading.Event, link: Link) -> None:
        """Plan until stopped; no failure ends it."""
        while not stop.wait(_LOOK_EVERY_S):
            limit = min(self._limit, link.key_limit or self._limit)
            try:
                if self._is_due(limit):
                    self.plan(limit)
            except Exception:  # the stream goes on with the plan it has
                log.exception("the subscription plan failed")

    def plan(self, limit: int) -> None:
        """Choose what to stream from the books as they are now."""
        self._planned_at, self._planned_limit = self._clock(), limit
        weights = {}
        for symbol, book in self.books.items():
            if len(book):
                weights[symbol] = self._weigh(book, first=symbol not in self._planned)
                self._planned[symbol] = (book.contracts, book.spot)
        with self._lock:
            self.weights = {symbol: weights[symbol] for symbol in self.books if symbol in weights}
            chosen = choose(self.weights, limit, frozenset(self.wanted.options))
            self.owner = {key: symbol for symbol, keys in chosen.items() for key in keys}
            self._want(tuple(key for keys in chosen.values() for key in keys))

    def _weigh(self, book: Book, *, first: bool) -> Weights:
        chain = book.peek(round(self._wall() * 1000))
        if first:  # at once, by the vendor's gamma: compiling our own may take seconds
            return weigh(chain, np.full(len(chain), np.nan))
        try:
            gamma = contract_gamma(fit(chain, default_rate=self._rate))
        except Exception:  # the vendor's gamma ranks well enough
            log.exception("gamma could not be computed for the plan")
            gamma = np.full(len(chain), np.nan)
        return weigh(chain, gamma)

    def _is_due(self, limit: int) -> bool:
        age = self._clock() - self._planned_at
        if age < _CALM_S:
            return False
        if limit != self._planned_limit or age >= _PLAN_EVERY_S:
            return True
        return any(self._has_moved(symbol, book) for symbol, book in self.books.items())

    def _has_moved(self, symbol: str, book: Book) -> bool:
        contracts, spot = self._planned.get(symbol, (None, math.nan))
        if contracts is not book.contracts and len(book):
            return True
        return not math.isclose(book.spot, spot, rel_tol=_SPOT_MOVE) and not math.isnan(book.spot)
