"""The feed: one process keeps the chains and publishes them; the others wait for its lease to end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from app.cache.base import Store
from app.errors import StaleWriter
from app.feed.board import Board
from app.feed.contender import Contender
from app.feed.journal import Journal
from app.feed.leader import Leader
from app.feed.lease import TTL_S, Lease
from app.feed.observer import Listeners, Seat
from app.feed.skew import NoSkew, Skew
from app.market import scatter
from app.schwab import contents
from app.schwab.oauth import OAuth
from app.settings import SCHWAB_API, Settings

log = logging.getLogger(__name__)

_CONTEND_EVERY_S = 0.5


class Feed:
    """Starts with `start`, works in daemon threads of its own, ends with `stop`.

    Every process may have one: whichever gets the lease feeds, with one connection to Schwab; another takes over within the
    lease's life when that process dies.

    Args:
        sign_in: makes a login without a person, for the demo. Raises GexError when it can't.
        listeners: makes those who see what the feed sees, anew for each leadership.
        tape: makes what keeps all that is heard, likewise.
        wall: seconds since the epoch.
        market: the same where the market lives while that is another time, as a replayed tape's.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        oauth: OAuth,
        *,
        sign_in: Callable[[], None] | None = None,
        listeners: Listeners | None = None,
        tape: Callable[[Seat], Journal] | None = None,
        lease_s: float = TTL_S,
        wall: Callable[[], float] = time.time,
        market: Callable[[], float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._oauth = oauth
        self._sign_in = sign_in
        self._listeners = listeners
        self._tape = tape
        self._wall = wall
        self._market = market
        self._clock = clock
        self._lease = Lease(store, ttl_s=lease_s, clock=clock)
        self._contender = Contender(store, self._lease, lease_s, clock=clock)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to contend for the lease; returns at once. A second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float = 8.0) -> None:
        """Log out of the streamer, give the lease back, end the threads; within `timeout_s`."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():  # a call that hangs: others shouldn't wait for it
                self._lease.release()
            self._thread = None

    @property
    def leading(self) -> bool:
        """Whether this process feeds now."""
        return self._lease.confirmed

    def _run(self) -> None:
        scatter.warm_up()  # before there is a lease to keep
        contents.warm_up()
        while not self._stop.is_set():
            if self._contender.acquired():
                try:
                    self._lead()
                except (
                    Exception
                ):  # a bug must not leave the product without a feed: another try, or another process
                    log.exception("the feed failed")
                finally:
                    self._lease.release()
            self._stop.wait(_CONTEND_EVERY_S)

    def _lead(self) -> None:
        board = Board(
            "schwab" if self._oauth.api_url == SCHWAB_API else "simulator",
            self._lease.leader,
            wall=self._wall,
            skew=Skew(self._wall) if self._market is None else NoSkew(self._market),
        )
        leader = Leader(
            self._settings,
            self._store,
            self._oauth,
            self._lease,
            board,
            sign_in=self._sign_in,
            listeners=self._listeners,
            tape=self._tape,
            clock=self._clock,
        )
        log.info("this process feeds now", extra={"leader": self._lease.leader, "epoch": self._lease.epoch})
        try:
            leader.run(self._stop)
        except StaleWriter:
            log.warning("another process has taken over the feed")
        finally:
            leader.close()
