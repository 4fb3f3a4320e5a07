"""Runs the rules beside the feed: what the feed sees comes in, alerts go out. One of it exists, where the feed leads."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app.alerts import words
from app.alerts.alert import Alert, Delivery
from app.alerts.courier import Courier
from app.alerts.evaluate import (
    FeedSeen,
    Firing,
    Levels,
    Memories,
    Memory,
    firing_id,
    look,
    look_at_feed,
    memory_key,
)
from app.alerts.ledger import KEPT, Ledger, delivered
from app.alerts.rulebook import RuleBook
from app.alerts.rules import (
    EVERY,
    Crossing,
    FeedTrouble,
    LevelRule,
    LoginEnding,
    Move,
    RegimeChange,
    RuleSet,
)
from app.errors import CacheError, GexError
from app.gex.quality import comparable
from app.gex.snapshot import Snapshot
from app.market.calendar import from_ms
from app.market.chain import Chain
from app.models import SchwabConnection

log = logging.getLogger(__name__)

_READ_RULES_EVERY_MS = 2_000
_LOOK_AFTER_EVERY_MS = 5_000
_QUIET_SPOT_MS = 120_000
_OLD_SWEEP_MS = 900_000
_STILL_NEWS_MS = 600_000
_FEED = "feed"


class Voice(Protocol):
    """Where the watch says that something is wrong with it."""

    def trouble(self, where: str, error: GexError) -> None: ...

    def well(self, where: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Said:
    """What an alert says beyond its rule and its firing."""

    text: str
    symbol: str | None = None
    level: str | None = None
    spot: float | None = None
    simulated: bool = False
    delayed: bool = False


class Watch:
    """Evaluates the rules; a listener of the feed's observer but for its base class. Called from one thread."""

    def __init__(self, book: RuleBook, ledger: Ledger, voice: Voice) -> None:
        self._book, self._ledger, self._voice = book, ledger, voice
        self._courier: Courier | None = None
        self._rules = RuleSet()
        self._rules_read_ms = self._looked_after_ms = 0
        self._memories: Memories | None = None  # None until the cache has said what is remembered
        self._fired: list[Alert] = []
        self._news: deque[tuple[str, Delivery]] = deque()
        self._status: SchwabConnection | None = None
        self._remember = self._publish = False

    def send_with(self, courier: Courier) -> None:
        """The courier of the webhooks; it reports to `report`."""
        self._courier = courier
        courier.start()

    def report(self, alert_id: str, delivery: Delivery) -> None:
        """How a sending went. From any thread."""
        self._news.append((alert_id, delivery))

    # --- what the feed's observer calls -----------------------------------------------------------

    def wants(self, chain: Chain, now_ms: int) -> bool:
        """Whether a rule looks at this chain, and the chain is fit to be looked at."""
        return (
            self._memories is not None
            and any(True for _ in self._level_rules(chain.symbol))
            and self._fit(chain, now_ms)
        )

    def seen(self, snapshot: Snapshot, chain: Chain, at_ms: int) -> None:
        """A changed chain's numbers under the default conventions."""
        if not self.wants(chain, at_ms) or self._memories is None:
            return
        levels = levels_of(snapshot, at_ms)
        for rule in self._level_rules(chain.symbol):
            key = memory_key(rule, chain.symbol)
            memory, firing = look(rule, self._memories.get(key), levels)
            self._remember |= self._memories.put(key, memory)
            if firing is not None:
                said = _Said(
                    words.of_levels(rule, firing, levels),
                    symbol=chain.symbol,
                    level=None if isinstance(rule, RegimeChange) else rule.level,
                    spot=levels.spot,
                    simulated=chain.source == "simulator",
                    delayed=chain.delayed,
                )
                self._fire(rule, key, memory, firing, said)
        self._write()

    def tick(self, now_ms: int, status: SchwabConnection) -> None:
        """Once a second: the rules on the feed, and all that must not wait for a chain to change."""
        self._status = status
        self._read_rules(now_ms)
        if not self._resumed(now_ms):
            return
        self._look_at_feed(now_ms, status)
        self._take_news()
        if now_ms - self._looked_after_ms >= _LOOK_AFTER_EVERY_MS:
            self._looked_after_ms = now_ms
            self._look_after()
        self._write()

    def close(self) -> None:
        """The leadership ends: what waits is left to the next leader."""
        if self._courier is not None:
            self._courier.close()
        self._take_news()
        self._write()

    # --- evaluation -------------------------------------------------------------------------------

    def _level_rules(self, symbol: str) -> Iterable[LevelRule]:
        for rule in self._rules.rules:
            if (
                isinstance(rule, Crossing | RegimeChange | Move)
                and rule.enabled
                and rule.symbol in (EVERY, symbol)
            ):
                yield rule

    def _fit(self, chain: Chain, now_ms: int) -> bool:
        """Only a whole, fresh chain of an open market says where the levels are."""
        status = self._status
        if status is None or status.state != "live":
            return False
        if chain.session != "open" or chain.missing_expiries or chain.spot is None:
            return False
        if not chain.delayed and now_ms - chain.spot_ms > _QUIET_SPOT_MS:
            return False
        cover = status.coverage.get(chain.symbol)
        oldest = cover.oldest_sweep_at if cover else None
        return oldest is not None and now_ms - _ms(oldest) <= _OLD_SWEEP_MS

    def _look_at_feed(self, now_ms: int, status: SchwabConnection) -> None:
        seen = FeedSeen(now_ms, status.state, _ms(status.since), _login_ends_ms(status))
        for rule in self._rules.rules:
            if not isinstance(rule, FeedTrouble | LoginEnding) or not rule.enabled or self._memories is None:
                continue
            key = memory_key(rule, _FEED)
            memory, firing = look_at_feed(rule, self._memories.get(key), seen)
            self._remember |= self._memories.put(key, memory)
            if firing is not None:
                if isinstance(rule, LoginEnding):
                    text = words.of_login(rule, firing)
                else:
                    text = words.of_feed(firing, status.state, status.problem)
                self._fire(rule, key, memory, firing, _Said(text, simulated=status.source == "simulator"))

    def _fire(
        self,
        rule: LevelRule | FeedTrouble | LoginEnding,
        key: str,
        memory: Memory,
        firing: Firing,
        said: _Said,
    ) -> None:
        alert_id = firing_id(key, memory)
        if any(alert.id == alert_id for alert in self._fired):
            return  # the one before a crash, whose memory was not written any more
        hooks = [hook for hook in self._rules.hooks if hook.enabled] if rule.webhook else []
        alert = Alert(
            id=alert_id,
            at=from_ms(firing.at_ms),
            rule=rule.id,
            kind=rule.kind,
            answer=firing.answer,
            symbol=said.symbol,
            level=said.level,
            text=("Simulated: " if said.simulated else "Delayed quotes: " if said.delayed else "")
            + said.text,
            simulated=said.simulated,
            delayed=said.delayed,
            before=firing.before,
            after=firing.after,
            spot=said.spot,
            deliveries=[Delivery(hook=hook.id) for hook in hooks],
        )
        log.info("alert: %s", alert.text, extra={"rule": rule.id, "alert": alert.id})
        self._fired = [alert, *self._fired][:KEPT]
        self._remember = self._publish = True
        if self._courier is not None and hooks:
            self._courier.send(alert, hooks)

    # --- what is kept -----------------------------------------------------------------------------

    def _read_rules(self, now_ms: int) -> None:
        if now_ms - self._rules_read_ms < _READ_RULES_EVERY_MS:
            return
        self._rules_read_ms = now_ms
        try:
            self._rules = self._book.read()
        except CacheError:
            return  # the last ones go on; the feed says itself that the cache is away
        except GexError as error:
            self._voice.trouble("alerts", error)
            return
        self._voice.well("alerts")
        if self._memories is not None:
            self._remember |= self._memories.keep({rule.id for rule in self._rules.rules if rule.enabled})

    def _resumed(self, now_ms: int) -> bool:
        """Go on from what the leader before remembered, and send what it could not send any more."""
        if self._memories is not None:
            return True
        try:
            memories, self._fired = self._ledger.memories(), self._ledger.fired()
        except CacheError:
            return False
        self._memories = memories
        for alert in self._fired:
            waiting = {news.hook for news in alert.deliveries if news.state == "waiting"}
            hooks = [hook for hook in self._rules.hooks if hook.enabled and hook.id in waiting]
            if self._courier is not None and hooks and now_ms - _ms(alert.at) < _STILL_NEWS_MS:
                self._courier.send(alert, hooks)
        return True

    def _take_news(self) -> None:
        while self._news:
            alert_id, news = self._news.popleft()
            self._fired = [delivered(a, news) if a.id == alert_id else a for a in self._fired]
            self._publish = True

    def _look_after(self) -> None:
        """A cache that came back empty gets everything again."""
        if not self._fired:
            return
        try:
            if not self._ledger.fired():
                self._publish = self._remember = True
        except CacheError:
            return

    def _write(self) -> None:
        """Alerts before memories: a crash between the two repeats a firing, which is known by its id."""
        try:
            if self._publish:
                self._ledger.write_fired(self._fired)
                self._publish = False
            if self._remember and self._memories is not None:
                self._ledger.write_memories(self._memories)
                self._remember = False
        except CacheError as error:
            log.debug("alerts wait for the cache: %s", error)


def levels_of(snapshot: Snapshot, at_ms: int) -> Levels:
    """What the rules look at."""
    levels = comparable(snapshot.levels, snapshot.quality)
    return Levels(
        symbol=snapshot.symbol,
        at_ms=at_ms,
        spot=snapshot.spot,
        flip=levels.flip,
        call_wall=levels.call_wall,
        put_wall=levels.put_wall,
        max_pain=levels.max_pain,
        net_gex=levels.net_gex,
        gross_gex=levels.gross_gex,
    )


def _login_ends_ms(status: SchwabConnection) -> int | None:
    """None where the simulator signs itself in again."""
    ends = status.token.refresh_expires_at
    return None if ends is None or status.source == "simulator" else _ms(ends)


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
