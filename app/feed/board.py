"""What the feed knows of itself, kept by its threads and published as one SchwabConnection."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any, Literal

from app.errors import GexError
from app.feed.skew import Skew
from app.market.calendar import from_ms
from app.models import Coverage, Event, FeedProblem, FeedState, SchwabConnection, TokenLife
from app.schwab.cures import TROUBLES
from app.schwab.frames import Frame

log = logging.getLogger(__name__)

_EVENTS_WAITING = 200
# Which problem is shown when there are several: the one that hides the others.
_RANK = ("login", "stream", "sweep", "symbol", "cache", "clock", "life", "history", "tape", "alerts")


class Board:
    """Counters, state, problems and events. Safe to share between threads."""

    def __init__(
        self,
        source: Literal["schwab", "simulator"],
        leader: str,
        *,
        wall: Callable[[], float] = time.time,
        skew: Skew | None = None,
    ) -> None:
        self.source: Literal["schwab", "simulator"] = source
        self._leader = leader
        self._wall = wall
        self.skew = skew or Skew(wall)
        self._lock = threading.Lock()
        self._state: FeedState = "starting"
        self._since = wall()
        self._problems: dict[str, FeedProblem] = {}
        self._events: deque[Event] = deque(maxlen=_EVENTS_WAITING)
        self._rejected: Counter[str] = Counter()
        self._frames = 0
        self._last_frame = self._last_data = 0.0
        self.news = threading.Event()  # set when the status should be written before the next heartbeat
        self.reconnects = 0
        self.writes_failed = 0
        self.keys_used = 0
        self.keys_limit = 0

    @property
    def state(self) -> FeedState:
        return self._state

    def turn(self, state: FeedState) -> None:
        """Enter a state; the same one again changes nothing."""
        with self._lock:
            if state != self._state:
                self._state, self._since = state, self._wall()
                self.news.set()

    def heard(self, frame: Frame) -> None:
        """A frame arrived. Pongs don't count: a peer that sends nothing else has fallen silent."""
        now = self._wall()
        self.skew.heard(frame.server_ms)
        with self._lock:
            self._last_frame = now
            self._frames += 1
            self._rejected.update(frame.rejected)
            if frame.has_data:
                self._last_data = now

    def reject(self, counts: Mapping[str, int]) -> None:
        """Count what was thrown away, by reason."""
        with self._lock:
            self._rejected.update(counts)

    # --- problems ---------------------------------------------------------------------------------

    def trouble(self, where: str, error: GexError, *, about: str = "") -> None:
        """Something is wrong at `where` (one of _RANK; symbol:X for one underlying) until `well(where)`."""
        text = f"{about}: {error}" if about else str(error)
        self._raise(where, error.code or type(error).__name__, text, error.cure)

    def known_trouble(self, where: str, code: str, detail: str = "") -> None:
        """The same for a problem of app/schwab/cures.py."""
        known = TROUBLES[code]
        self._raise(where, code, f"{known.message} {detail}".strip(), known.cure)

    def well(self, where: str) -> bool:
        """Nothing is wrong there any more; whether something was."""
        with self._lock:
            gone = self._problems.pop(where, None)
        if gone is not None:
            self.event("cured", f"Over: {gone.message}")
        return gone is not None

    def _raise(self, where: str, code: str, message: str, cure: str) -> None:
        with self._lock:
            before = self._problems.get(where)
            since = before.since if before is not None and before.code == code else from_ms(self._ms())
            self._problems[where] = FeedProblem(code=code, message=message, cure=cure, since=since)
        if before is None or before.code != code:
            log.warning("%s", message, extra={"problem": code})
            self.event(code, message)

    def _worst(self) -> FeedProblem | None:
        ranked = sorted(self._problems, key=lambda where: _RANK.index(where.partition(":")[0]))
        return self._problems[ranked[0]] if ranked else None

    # --- events and the whole ---------------------------------------------------------------------

    def event(self, kind: str, message: str, **data: Any) -> None:
        """Something happened; the cache's timeline gets it with the next heartbeat."""
        with self._lock:
            self.news.set()
            self._events.append(Event(at=from_ms(self._ms()), kind=kind, message=message, data=data))

    def take_event(self) -> Event | None:
        """The oldest event that waits to be written."""
        with self._lock:
            return self._events.popleft() if self._events else None

    def put_back(self, event: Event) -> None:
        """The event could not be written yet."""
        with self._lock:
            self._events.appendleft(event)

    def connection(self, token: TokenLife, coverage: dict[str, Coverage]) -> SchwabConnection:
        """The feed's account of itself, now."""
        with self._lock:
            return SchwabConnection(
                state=self._state,
                since=from_ms(round(self._since * 1000)),
                source=self.source,
                leader=self._leader,
                reconnects=self.reconnects,
                last_frame_at=from_ms(round(self._last_frame * 1000)) if self._last_frame else None,
                last_data_at=from_ms(round(self._last_data * 1000)) if self._last_data else None,
                heartbeat_at=from_ms(self._ms()),
                frames=self._frames,
                rejected=dict(self._rejected),
                writes_failed=self.writes_failed,
                clock_skew_s=None if (skew := self.skew.seconds) is None else round(skew, 1),
                keys_used=self.keys_used,
                keys_limit=self.keys_limit,
                coverage=coverage,
                token=token,
                problem=self._worst(),
            )

    def _ms(self) -> int:
        return round(self._wall() * 1000)
