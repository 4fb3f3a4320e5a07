"""Looks at what the feed has, for those who must see it whoever else is watching: the recorder and the alerts.

Only the process that holds the lease observes. A thread of its own looks at most once a second; it computes a symbol's
numbers when its chain has changed and one of the listeners wants them, and hands the same ones to all. A listener may say
what it doesn't want to be asked about: while nobody has a question the thread sleeps.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import GexError
from app.feed.board import Board
from app.feed.lease import Lease
from app.gex import Surface, expose, fit
from app.gex.snapshot import Snapshot
from app.market.chain import Chain
from app.models import SchwabConnection

log = logging.getLogger(__name__)

_EVERY_S = 1.0


@dataclass(frozen=True, eq=False, slots=True)
class Sight:
    """One symbol's numbers under the default conventions, with what they come from.

    Attributes:
        at_ms: when the chain was copied, wall clock; the same as `chain.as_of_ms`.
    """

    snapshot: Snapshot
    surface: Surface
    chain: Chain
    at_ms: int


@dataclass(frozen=True, slots=True)
class Rest:
    """Chains of a symbol that a listener doesn't want to be asked about: as of these times, at these prices.

    Attributes:
        from_ms, until_ms: ms since the epoch (UTC), the first included, the second not.
        low, high: spot, $, the first included, the second not.
    """

    from_ms: int
    until_ms: int
    low: float
    high: float

    def covers(self, chain: Chain) -> bool:
        """Whether the listener need not be asked about this chain."""
        return self.from_ms <= chain.as_of_ms < self.until_ms and self.low <= chain.spot < self.high


NO_REST = Rest(0, 0, 0.0, 0.0)


class Listener:
    """Who wants to see what the feed sees. All calls come from one thread; what takes long belongs in another.

    Whatever a listener raises is logged and goes no further.

    Attributes:
        tick_s: seconds from one `tick` to the next, at least 1.
    """

    tick_s = 1.0

    def wants(self, chain: Chain, now_ms: int) -> bool:
        """Whether to compute this chain's numbers now; asked at most once a second, of a chain that has changed.

        True unless overridden. Computing 20,000 contracts takes some 20 ms of one core.
        """
        del chain, now_ms
        return True

    def rests(self, symbol: str) -> Rest:
        """Of which chains it need not be asked, until it has been asked or shown something of this symbol again."""
        del symbol
        return NO_REST

    def seen(self, sight: Sight) -> None:
        """A changed chain's numbers; also when only another listener wanted them."""

    def tick(self, now_ms: int, status: SchwabConnection) -> None:
        """Every `tick_s`, also when nothing changed."""

    def close(self) -> None:
        """The leadership ends: finish within two seconds."""


@dataclass(frozen=True, eq=False, slots=True)
class Seat:
    """What a listener may know and say as long as this process feeds."""

    lease: Lease
    board: Board

    @property
    def epoch(self) -> int:
        """The leadership's number: a later leader has a higher one."""
        return self.lease.epoch

    def event(self, kind: str, message: str, **data: Any) -> None:
        """Add to the feed's timeline."""
        self.board.event(kind, message, **data)

    def trouble(self, where: str, error: GexError) -> None:
        """Something is wrong at `where` (history, tape, alerts) until `well(where)`; the connection's status shows it."""
        self.board.trouble(where, error)

    def well(self, where: str) -> None:
        """Nothing is wrong there any more."""
        self.board.well(where)


Listeners = Callable[[Seat], Sequence[Listener]]


def together(*makers: Callable[[Seat], Listener]) -> Listeners:
    """A factory of several listeners; one that can't be made is logged, and the feed goes on without it."""

    def make(seat: Seat) -> list[Listener]:
        made = (_guarded(maker, seat) for maker in makers)
        return [listener for listener in made if listener is not None]

    return make


class Observer:
    """One leadership's listeners, and the thread that serves them: `start`, then `close`.

    Args:
        chains: the newest chain of each symbol as the publisher made it; never changed in place.
        status: the feed's newest account of itself; None before the first.
        rate: for chains that have no interest rate of their own.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        listeners: Sequence[Listener],
        chains: Mapping[str, Chain],
        status: Callable[[], SchwabConnection | None],
        *,
        rate: float | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listeners = listeners
        self._chains = chains
        self._status = status
        self._rate = rate
        self._wall = wall
        self._clock = clock
        self._looked_at: dict[str, Chain] = {}
        self._rests: dict[str, list[Rest]] = {}  # by symbol, in the order of the listeners
        self._restless = [NO_REST] * len(listeners)
        self._tick_at = [float("-inf")] * len(listeners)
        self._over = threading.Event()
        self._called = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed-observe", daemon=True)

    def start(self) -> None:
        """Begin to look; nothing happens without listeners."""
        if self._listeners:
            self._thread.start()

    def end(self) -> None:
        """Look no more; returns at once."""
        self._over.set()
        self._called.set()

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop looking and close the listeners."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        for listener in self._listeners:
            _guarded(listener.close)

    def notice(self) -> None:
        """Have the thread look if somebody has to be asked about one of the chains as they are now.

        Takes microseconds. For the thread that changes the chains, whenever it may have.
        """
        for symbol, chain in self._chains.items():
            if chain is not self._looked_at.get(symbol):
                for rest in self._rests.get(symbol, self._restless):
                    if not rest.covers(chain):
                        self._called.set()
                        return

    def look(self) -> None:
        """One round: what changed is computed if somebody wants it; then the ticks that are due."""
        now_ms = round(self._wall() * 1000)
        for symbol, chain in dict(self._chains).items():
            if chain is not self._looked_at.get(symbol):
                self._consider(chain, now_ms)
        status = self._status()
        if status is not None:
            self._tick(now_ms, status)

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S):
            self._called.wait(self._until_tick_s())
            self._called.clear()
            if self._over.is_set():
                return
            try:
                self.look()
            except Exception:  # a bug here must not end the observing, far less the feed
                log.exception("looking at the chains failed")

    def _tick(self, now_ms: int, status: SchwabConnection) -> None:
        now = self._clock()
        for place, listener in enumerate(self._listeners):
            if now >= self._tick_at[place]:
                self._tick_at[place] = now + listener.tick_s
                _guarded(listener.tick, now_ms, status)

    def _until_tick_s(self) -> float:
        """Seconds until the next tick; without a status yet, which it takes, until it is worth to ask for one again."""
        return _EVERY_S if self._status() is None else max(0.0, min(self._tick_at) - self._clock())

    def _consider(self, chain: Chain, now_ms: int) -> None:
        rests = self._rests.get(chain.symbol, self._restless)
        to_ask = [
            listener for listener, rest in zip(self._listeners, rests, strict=True) if not rest.covers(chain)
        ]
        if not to_ask:
            return
        self._looked_at[chain.symbol] = chain
        if any(_guarded(listener.wants, chain, now_ms) for listener in to_ask):
            surface = fit(chain, default_rate=self._rate)
            sight = Sight(expose(surface), surface, chain, chain.as_of_ms)
            for listener in self._listeners:
                _guarded(listener.seen, sight)
        self._rests[chain.symbol] = [
            _guarded(listener.rests, chain.symbol) or NO_REST for listener in self._listeners
        ]


def _guarded(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except Exception:  # a listener's bug is its own
        log.exception("%s failed", getattr(call, "__qualname__", call))
        return None
