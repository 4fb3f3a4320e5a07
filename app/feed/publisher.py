"""Writes what the feed has into the cache: chains that changed, the feed's account of itself, and its events."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from app.cache.base import Store
from app.errors import CacheError, StaleWriter
from app.feed.board import Board
from app.feed.journal import Journal
from app.feed.lease import Lease
from app.feed.planner import Planner
from app.feed.sweep import Sweeper
from app.feed.swept import Swept
from app.market.calendar import from_ms
from app.market.chain import Chain
from app.models import Coverage, SchwabConnection, TokenLife
from app.schwab.oauth import OAuth

_WARN_BEFORE = timedelta(days=1)
_EVENTS_AT_ONCE = 20


class Publisher:
    """Called by the feed's main thread only. StaleWriter goes through: another process feeds now."""

    def __init__(
        self,
        store: Store,
        oauth: OAuth,
        lease: Lease,
        board: Board,
        sweeper: Sweeper,
        planner: Planner,
        *,
        journal: Journal | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._oauth = oauth
        self._lease = lease
        self._board = board
        self._sweeper = sweeper
        self._planner = planner
        self._journal = journal or Journal()
        self._wall = wall
        self._published: set[str] = set()
        self.chains: dict[
            str, Chain
        ] = {}  # the newest of each symbol, whether or not the cache could be written
        self.status: SchwabConnection | None = None

    def publish(self) -> None:
        """Write every chain that is worth a look and has changed."""
        for symbol, swept in self._sweeper.swept.items():
            if swept.ready and swept.book.dirty and len(swept.book):
                self._publish(symbol, swept)

    def drop(self, symbol: str) -> None:
        """Take a chain that nobody follows any more out of the cache."""
        self._published.discard(symbol)
        self.chains.pop(symbol, None)
        try:
            self._store.forget(symbol, self._lease.epoch)
        except StaleWriter:
            raise
        except CacheError as error:
            self._failed(error)

    def heartbeat(self) -> None:
        """Write the status and the events that wait; chains that the cache has lost are written again."""
        life = self._oauth.life()
        self._warn(life)
        self._board.keys_limit = self._planner.limit
        status = self.status = self._board.connection(life, self._coverage())
        try:
            self._store.put_status(status.json_bytes(), self._lease.epoch)
            self._write_events()
            self._refill()
        except StaleWriter:
            raise
        except CacheError as error:
            self._failed(error)
            return
        self._board.well("cache")

    def _failed(self, error: CacheError) -> None:
        self._board.writes_failed += 1
        self._board.known_trouble("cache", "cache_down", f"({error})")

    def _publish(self, symbol: str, swept: Swept) -> None:
        with self._journal.turn():
            chain = self.chains[symbol] = swept.book.snapshot(round(self._wall() * 1000))
            self._journal.mark(chain)
        try:
            self._store.publish(chain, self._lease.epoch)
            self._published.add(symbol)
        except StaleWriter:
            raise
        except CacheError as error:
            swept.book.dirty = True
            self._failed(error)

    def _refill(self) -> None:
        for symbol in self._published:
            if not self._store.holds(symbol):
                self._sweeper.swept[symbol].book.dirty = True

    def _write_events(self) -> None:
        for _ in range(_EVENTS_AT_ONCE):
            event = self._board.take_event()
            if event is None:
                return
            try:
                self._store.add_event(event)
            except CacheError:
                self._board.put_back(event)
                raise

    def _coverage(self) -> dict[str, Coverage]:
        return {symbol: self._cover(symbol, swept) for symbol, swept in self._sweeper.swept.items()}

    def _cover(self, symbol: str, swept: Swept) -> Coverage:
        contracts, streaming = swept.book.streaming()
        weights = self._planner.weights.get(symbol)
        known = weights is not None and weights.contracts is contracts  # else the next plan will tell
        oldest = swept.oldest_ms
        return Coverage(
            contracts=len(contracts),
            streaming=int(streaming.sum()),
            gamma_share=weights.streaming(streaming) if weights is not None and known else None,
            oldest_sweep_at=None if oldest is None else from_ms(oldest),
        )

    def _warn(self, life: TokenLife) -> None:
        """Say a day ahead that the login ends."""
        ends = life.refresh_expires_at
        now = from_ms(round(self._wall() * 1000))
        if ends is not None and now < ends <= now + _WARN_BEFORE:
            self._board.known_trouble("life", "login_ends_soon")
        else:
            self._board.well("life")
