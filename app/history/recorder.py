"""Records what the feed sees, whoever is watching: a row a minute, and one at each crossing of flip or wall.

Only the process that holds the lease listens to its feed, so only it records. What is closed, silent or still incomplete
is not recorded: a gap stays a gap.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from app.cache.base import Store
from app.feed.observer import NO_REST, Listener, Rest, Seat, Sight
from app.gex.attribution import Attribution, Holdings, split
from app.gex.quality import comparable
from app.history.files import Folder
from app.history.row import START, Key, Origin, batch_of, day_of
from app.history.tail import Tail
from app.history.watch import Watch
from app.history.writer import Limits, Writer
from app.market.chain import Chain
from app.models import SchwabConnection

log = logging.getLogger(__name__)

# So long a leader waits for a whole chain before it records what it knows of an incomplete one.
_WHOLE_WITHIN_MS = 120_000


@dataclass(frozen=True, slots=True)
class Rules:
    """How often to record, and what may be kept.

    Attributes:
        interval_ms: one row for each; 60,000 for a minute.
    """

    interval_ms: int = 60_000
    limits: Limits = field(default_factory=Limits)


class Recorder(Listener):
    """One leadership's recorder.

    Raises nothing: a disk that is full or read-only is announced, and what could not be written is kept for later.
    """

    tick_s = 30.0

    def __init__(self, folder: Folder, store: Store, seat: Seat, rules: Rules) -> None:
        self._folder = folder
        self._seat = seat
        self._every_ms = rules.interval_ms
        self._tail = Tail(store)
        self._writer = Writer(folder, store, seat, rules.limits)
        self._watches: dict[str, Watch] = {}
        self._before: dict[str, Holdings] = {}  # of the row before, where its chain was whole
        self._began_ms: int | None = None
        self._clock_back: set[str] = set()

    def wants(self, chain: Chain, now_ms: int) -> bool:
        """A new minute of a market that is open and heard, or spot on another side of a level."""
        if self._began_ms is None:
            self._began_ms = now_ms
        if not _trades(chain):
            return False
        watch = self._watch(chain.symbol, chain.as_of_ms)
        slot_ms = self._slot(chain.as_of_ms)
        if slot_ms < watch.last.slot_ms:
            self._tell_clock(chain.symbol)
            return False
        self._clock_back.discard(chain.symbol)
        return (watch.due(slot_ms) or watch.crossing(chain.spot)) and self._recordable(chain)

    def rests(self, symbol: str) -> Rest:
        """Until the minute that was recorded last is over, or spot crosses a level."""
        watch = self._watches.get(symbol)
        if watch is None or symbol in self._clock_back:
            return NO_REST
        began_ms = watch.last.slot_ms
        return Rest(began_ms, began_ms + self._every_ms, *watch.between())

    def seen(self, sight: Sight) -> None:
        """Record it if its minute has no row, or a level was crossed."""
        chain, snapshot = sight.chain, sight.snapshot
        slot_ms = self._slot(sight.at_ms)
        if not self._recordable(chain):
            return
        watch = self._watch(chain.symbol, sight.at_ms)
        crossed = watch.look(comparable(snapshot.levels, snapshot.quality), snapshot.spot)
        if slot_ms < watch.last.slot_ms or not (watch.due(slot_ms) or crossed):
            return
        key = Key(slot_ms, 0 if watch.due(slot_ms) else watch.last.seq + 1)
        change, since_ms = self._change(sight)
        origin = Origin(key, self._seat.epoch, crossed, change, since_ms)
        self._writer.put(chain.symbol, key, batch_of(sight.surface, snapshot, origin))
        watch.recorded(key)

    def tick(self, now_ms: int, status: SchwabConnection) -> None:
        """Let the writer look after what waits, and after days that are over."""
        del status
        self._writer.tick(now_ms)

    def close(self) -> None:
        """Write what waits; at most 1.5 s."""
        self._writer.close()

    def _recordable(self, chain: Chain) -> bool:
        """Open, heard within the interval, and whole, unless it has been incomplete for long."""
        if not _trades(chain):
            return False
        if chain.heard_ms < chain.as_of_ms - self._every_ms:
            return False
        began_ms = chain.as_of_ms if self._began_ms is None else self._began_ms
        return not chain.missing_expiries or chain.as_of_ms - began_ms > _WHOLE_WITHIN_MS

    def _slot(self, at_ms: int) -> int:
        return at_ms // self._every_ms * self._every_ms

    def _watch(self, symbol: str, at_ms: int) -> Watch:
        """The symbol's watch; the first time from what this leader, or another before it, has recorded of the day."""
        watch = self._watches.get(symbol)
        if watch is None:
            day = self._folder.day(symbol, day_of(Key(at_ms)))
            moments = self._tail.moments(symbol)
            watch = self._watches[symbol] = Watch(max([*_keys(day.keys), *moments], default=START))
            self._writer.catch_up(symbol, moments)
        return watch

    def _change(self, sight: Sight) -> tuple[Attribution | None, int | None]:
        """What has changed since the row before, and when that was; remembers this one for the next."""
        symbol = sight.chain.symbol
        before = self._before.pop(symbol, None)
        if sight.chain.missing_expiries:
            return None, None
        now = self._before[symbol] = Holdings.of(sight.surface)
        return (None, None) if before is None else (split(before, now), before.as_of_ms)

    def _tell_clock(self, symbol: str) -> None:
        if symbol not in self._clock_back:
            self._clock_back.add(symbol)
            self._seat.event(
                "clock_back",
                f"{symbol}: this machine's clock went back; recording goes on once it has passed the last row",
            )


def _trades(chain: Chain) -> bool:
    return chain.session != "closed" and chain.spot > 0


def _keys(read: Callable[[], Iterable[Key]]) -> list[Key]:
    """The day's keys; none where the folder can't be read: the writer says so."""
    try:
        return list(read())
    except (OSError, pa.ArrowException) as error:
        log.warning("the recorded day can't be read: %s", error)
        return []
