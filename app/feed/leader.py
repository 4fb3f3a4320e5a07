"""What the process that holds the lease does: reads, streams, publishes, and says how it is doing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.cache.base import Store
from app.errors import CacheError
from app.feed.board import Board
from app.feed.following import Following
from app.feed.journal import Journal
from app.feed.lease import Lease
from app.feed.link import Link
from app.feed.observer import Listeners, Observer, Seat
from app.feed.planner import Planner
from app.feed.publisher import Publisher
from app.feed.sweep import Sweeper
from app.market.book import Book
from app.market.updates import OptionChanges
from app.schwab.frames import Frame
from app.schwab.oauth import OAuth
from app.schwab.pacing import Pacer
from app.schwab.rest import Rest
from app.settings import Settings
from app.watchlist import Watchlist

log = logging.getLogger(__name__)

_HEARTBEAT_S = 1.0
_GOODBYE_S = 4.0
_BURST_S = 0.03  # a burst of frames comes within so much; what is later waits for the next publication


class Leader:
    """One leadership: made when the lease was taken, closed when it is lost or the process ends."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        oauth: OAuth,
        lease: Lease,
        board: Board,
        *,
        sign_in: Callable[[], None] | None,
        listeners: Listeners | None = None,
        tape: Callable[[Seat], Journal] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = lease
        self._board = board
        wall = self._wall = board.skew.wall  # the exchange's time, should this machine's clock be wrong
        self._clock = clock
        self._interval_s = settings.publish_interval_s
        self._over = threading.Event()
        self._arrived = threading.Event()  # a frame, since the last publication
        source = board.source
        watchlist = Watchlist(store, settings)
        books = {symbol: Book(symbol, source=source) for symbol in watchlist.symbols()}
        seat = Seat(lease, board)
        self._journal = tape(seat) if tape else Journal()
        pacer = Pacer(settings.rest_per_minute, clock=clock)
        self._rests = [
            Rest(oauth, api_url=oauth.api_url, pacer=pacer, stop=self._over),
            Rest(oauth, api_url=oauth.api_url),  # the stream's few requests don't queue behind the sweep's
        ]
        self._sweeper = Sweeper(
            self._rests[0],
            books,
            board,
            interval_s=settings.sweep_interval_s,
            stop=self._over,
            journal=self._journal,
            wall=wall,
            clock=clock,
        )
        self._planner = Planner(books, settings.stream_keys, rate=settings.rate, wall=wall, clock=clock)
        self._publisher = Publisher(
            store, oauth, lease, board, self._sweeper, self._planner, journal=self._journal, wall=wall
        )
        self._following = Following(
            watchlist.symbols, store, board, self._sweeper, self._planner, self._publisher, wall=wall
        )
        self._following.begin()
        self._link = self._make_link(oauth, sign_in)
        self._observer = Observer(
            listeners(seat) if listeners else (),
            self._publisher.chains,
            lambda: self._publisher.status,
            rate=settings.rate,
            wall=wall,
        )
        self._threads = {
            name: threading.Thread(target=work, name=f"feed-{name}", daemon=True)
            for name, work in {
                "stream": self._link.run,
                "sweep": self._sweeper.run,
                "plan": lambda: self._planner.run(self._over, self._link),
            }.items()
        }

    def _make_link(self, oauth: OAuth, sign_in: Callable[[], None] | None) -> Link:
        return Link(
            oauth,
            self._rests[1],
            self._board,
            deliver=self._deliver,
            wanted=lambda: self._planner.wanted,
            lost=self._unstream,
            dropped=self._drop,
            back=self._sweeper.kick,
            may_connect=lambda: self._lease.confirmed,
            sign_in=sign_in,
            owed=lambda: self._sweeper.open,
            stop=self._over,
            clock=self._clock,
        )

    def run(self, stop: threading.Event) -> None:
        """Feed until `stop` is set or the lease is lost. Raises StaleWriter when another has published since."""
        self._board.event("leading", "This process feeds now")
        for thread in self._threads.values():
            thread.start()
        self._observer.start()
        kept_at = float("-inf")
        while not stop.is_set():
            began = self._clock()
            due = began - kept_at >= _HEARTBEAT_S
            if due:
                kept_at = began
                if not self._lease.keep():
                    log.warning("the lease is lost")
                    return
            if due or self._board.news.is_set():
                self._beat()
            self._publisher.publish()
            self._observer.notice()
            stop.wait(max(0.01, self._interval_s - (self._clock() - began)))
            self._await_news(stop)

    def _await_news(self, stop: threading.Event) -> None:
        """In a quiet moment, wait for the next frame rather than for the clock: it is then published at once."""
        if not self._arrived.is_set() and self._arrived.wait(self._interval_s):
            stop.wait(_BURST_S)
        self._arrived.clear()

    def close(self) -> None:
        """Log out and end the threads. A REST request under way is left to its own time-out."""
        self._over.set()
        self._sweeper.kick()
        self._observer.end()  # what it is at ends while the streamer says goodbye
        stream = self._threads["stream"]
        if stream.is_alive():
            stream.join(_GOODBYE_S)
        if stream.is_alive():
            self._link.abort()
            stream.join(1.0)
        self._observer.close()
        self._board.turn("stopped")
        try:
            self._publisher.heartbeat()
        except CacheError as error:
            log.info("the last status was not written: %s", error)
        for rest in self._rests:
            rest.close()
        self._journal.close()

    def _beat(self) -> None:
        self._board.news.clear()
        self._tell_skew()
        now_ms = round(self._wall() * 1000)
        self._following.look()
        for book in self._planner.books.values():
            book.drop_settled(now_ms)
        self._sweeper.tell_sessions()
        self._publisher.heartbeat()

    def _tell_skew(self) -> None:
        skew = self._board.skew.seconds
        if skew is not None and self._board.skew.too_far:
            way = "ahead" if skew > 0 else "behind"
            self._board.known_trouble("clock", "clock_skewed", f"({abs(skew):.0f} s {way})")
        else:
            self._board.well("clock")

    # --- between the stream and the books ---------------------------------------------------------

    def _deliver(self, frame: Frame) -> None:
        with self._journal.turn():
            at_ms = round(self._wall() * 1000)
            self._journal.frame(frame.text, at_ms)
            self._apply(frame, at_ms)
        self._arrived.set()

    def _apply(self, frame: Frame, at_ms: int) -> None:
        for update in frame.equities:
            book = self._planner.book_of_wire(update.key)
            if book is None:
                self._board.reject({"unknown_key": 1})
            else:
                book.apply_underlying(update)
        for book, changes in self._sorted(frame.options):
            refused = book.apply(changes, at_ms)
            if refused:
                self._board.reject({"unknown_key": refused})

    def _sorted(self, changes: OptionChanges) -> list[tuple[Book, OptionChanges]]:
        """The changes by book. What was subscribed once and is dropped now trickles in for a moment: it is left out."""
        by_symbol: dict[str, list[int]] = {}
        owner, books = self._planner.owner, self._planner.books
        owners = set(map(owner.get, changes.keys))
        if len(owners) == 1 and (whose := owners.pop()) in books:  # as nearly always
            return [(books[whose], changes)]
        for place, key in enumerate(changes.keys):
            symbol = owner.get(key)
            if symbol in books:
                by_symbol.setdefault(symbol, []).append(place)
            elif not any(key in book for book in books.values()):
                self._board.reject({"unknown_key": 1})
        return [(books[symbol], changes.take(places)) for symbol, places in by_symbol.items()]

    def _unstream(self) -> None:
        self._drop(None)

    def _drop(self, keys: tuple[str, ...] | None) -> None:
        with self._journal.turn():
            self._journal.unstreamed(keys, round(self._wall() * 1000))
            for book in self._planner.books.values():
                book.unstream(keys)
