"""Whether a rule fires: pure functions of what was known before and what is seen now.

Every rule is a question with a few answers (above or below; long or short; well or in trouble), or a distance. An answer
counts once it is clear of a margin, and what was told last is remembered: a rule fires when the answer differs from what was
told and its cool-down is over. So noise around a level fires once, and a reader is never left with what is no longer so.

What is unknown is no answer: it neither fires nor changes what is remembered. The first answer is taken as known.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from app.alerts.rules import Crossing, FeedTrouble, LevelRule, LoginEnding, Move, RegimeChange, Rule
from app.models import FeedState

_PARTS_OF_WINDOW = 15  # a moving window remembers about that many values
_WELL_AFTER_MS = 5_000  # a feed that is live for a moment only is not well
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Levels:
    """What a level rule looks at: one underlying's levels at an instant, $; None is unknown."""

    symbol: str
    at_ms: int
    spot: float | None = None
    flip: float | None = None
    call_wall: float | None = None
    put_wall: float | None = None
    max_pain: float | None = None
    net_gex: float | None = None
    gross_gex: float | None = None

    def of(self, name: str) -> float | None:
        """The level of that name."""
        value: float | None = getattr(self, name)
        return value


@dataclass(frozen=True, slots=True)
class FeedSeen:
    """What a feed rule looks at.

    Attributes:
        state_ms: since when the feed is in that state.
        login_ends_ms: None where nobody has signed in, or the simulator needs no person.
    """

    at_ms: int
    state: FeedState
    state_ms: int
    login_ends_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What one rule remembers of one underlying.

    Attributes:
        born_ms: when it began to remember: after a cache that lost everything, alerts get other ids than those before.
        answer: the last clear answer; told: the one that the reader knows of.
        since_ms: since when the answer stands against what was told (feed rules).
        fired_ms: when it fired last; count: how often.
        spot, level: what was seen last, for the words.
        window: values of the last minutes, oldest first (move rules).
    """

    born_ms: int | None = None
    answer: str | None = None
    told: str | None = None
    since_ms: int | None = None
    fired_ms: int | None = None
    count: int = 0
    spot: float | None = None
    level: float | None = None
    window: tuple[tuple[int, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Memory:
        """Raises TypeError for what `to_dict` didn't make."""
        window = tuple((int(at), float(value)) for at, value in kept.pop("window", ()))
        return cls(**kept, window=window)


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule fires.

    Attributes:
        answer: above, below, long, short, moved, trouble, well, ending.
        before, after: of the level (moves: over the window; crossings: since the last look), $; of the feed None.
        span_ms: the time between the two, or how long the feed has been in that state, or how long the login lasts.
        level_crossed: in a crossing, whether it was the level that moved across spot.
    """

    answer: str
    at_ms: int
    before: float | None = None
    after: float | None = None
    span_ms: int = 0
    level_crossed: bool = False


Outcome = tuple[Memory, Firing | None]


def memory_key(rule: Rule, symbol: str) -> str:
    """What a rule's memory of a symbol is kept under; another one once the rule asks something else."""
    asked = rule.model_dump_json(exclude={"enabled", "webhook", "cooldown_s", "symbol"})
    return f"{rule.id}:{symbol}:{hashlib.blake2b(asked.encode(), digest_size=4).hexdigest()}"


def firing_id(key: str, memory: Memory) -> str:
    """The id of the alert of a memory that has just fired.

    It is the same when a firing is repeated from the memory before it, as after a crash between two writes.
    """
    text = f"{key}:{memory.born_ms}:{memory.count}:{memory.told}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def look(rule: LevelRule, memory: Memory, seen: Levels) -> Outcome:
    """A level rule's new memory, and whether it fires."""
    if isinstance(rule, Crossing):
        outcome = _crossing(rule, memory, seen)
    elif isinstance(rule, RegimeChange):
        outcome = _settle(rule, memory, _regime(rule, seen), Firing("", seen.at_ms, after=seen.net_gex))
    else:
        outcome = _move(rule, memory, seen)
    return _dated(memory, outcome, seen.at_ms)


def look_at_feed(rule: FeedTrouble | LoginEnding, memory: Memory, seen: FeedSeen) -> Outcome:
    """A feed rule's new memory, and whether it fires."""
    outcome = _trouble(rule, memory, seen) if isinstance(rule, FeedTrouble) else _login(rule, memory, seen)
    return _dated(memory, outcome, seen.at_ms)


def _dated(before: Memory, outcome: Outcome, at_ms: int) -> Outcome:
    """The outcome, its memory dated once it remembers anything."""
    memory, firing = outcome
    if memory == before or memory.born_ms is not None:
        return outcome
    return replace(memory, born_ms=at_ms), firing


def _login(rule: LoginEnding, memory: Memory, seen: FeedSeen) -> Outcome:
    if seen.login_ends_ms is None:
        return memory, None
    left = seen.login_ends_ms - seen.at_ms
    answer = "ending" if left <= rule.hours * _HOUR_MS else "fine"
    # the reader need not be told that a login is fine, and a login that is ending at the first look is news
    known = replace(memory, told="fine") if memory.told is None or answer == "fine" else memory
    return _settle(rule, known, answer, Firing("", seen.at_ms, span_ms=left))


def _settle(rule: Rule, memory: Memory, answer: str | None, firing: Firing, silent: str = "") -> Outcome:
    """Remember an answer; fire where it is news and may be told. `silent` is an answer that is never told."""
    if answer is None:
        return memory, None
    now = replace(memory, answer=answer)
    if memory.told is None or answer == silent:
        return replace(now, told=answer), None
    if answer == memory.told or not _may(rule, memory, firing.at_ms):
        return now, None
    return _fired(now, replace(firing, answer=answer)), replace(firing, answer=answer)


def _may(rule: Rule, memory: Memory, at_ms: int) -> bool:
    return memory.fired_ms is None or at_ms - memory.fired_ms >= rule.cooldown_s * 1000


def _fired(memory: Memory, firing: Firing) -> Memory:
    return replace(memory, told=firing.answer, fired_ms=firing.at_ms, count=memory.count + 1)


# --- levels ---------------------------------------------------------------------------------------


def _crossing(rule: Crossing, memory: Memory, seen: Levels) -> Outcome:
    level = seen.of(rule.level)
    if seen.spot is None or level is None:
        return memory, None
    silent = {"up": "below", "down": "above", "either": ""}[rule.direction]
    firing = Firing(
        "",
        seen.at_ms,
        before=memory.level,
        after=level,
        level_crossed=_moved_more(memory, seen.spot, level),
    )
    now, fired = _settle(rule, memory, _side(seen.spot, level, rule.margin_percent), firing, silent)
    if _side(seen.spot, level, rule.margin_percent) is not None:  # for the words of the next crossing
        now = replace(now, spot=seen.spot, level=level)
    return now, fired


def _side(spot: float, level: float, margin_percent: float) -> str | None:
    """Where spot stands; None within the margin."""
    beyond = spot - level
    if abs(beyond) <= spot * margin_percent / 100:
        return None
    return "above" if beyond > 0 else "below"


def _moved_more(memory: Memory, spot: float, level: float) -> bool:
    """Whether the level has moved further than spot since the last clear answer."""
    if memory.spot is None or memory.level is None:
        return False
    return abs(level - memory.level) > abs(spot - memory.spot)


def _regime(rule: RegimeChange, seen: Levels) -> str | None:
    """The sign of net exposure in a word; None while it is too near zero, or unknown."""
    if seen.net_gex is None or seen.gross_gex is None or seen.gross_gex <= 0:
        return None
    if abs(seen.net_gex) <= seen.gross_gex * rule.margin_percent / 100:
        return None
    return "long" if seen.net_gex > 0 else "short"


def _move(rule: Move, memory: Memory, seen: Levels) -> Outcome:
    value = seen.of(rule.level)
    if value is None:
        return memory, None
    span_ms = rule.minutes * 60_000
    kept = tuple(point for point in memory.window if 0 <= seen.at_ms - point[0] <= span_ms)
    farthest = max(kept, key=lambda point: _distance(rule, point[1], value), default=None)
    if (
        farthest is not None
        and _distance(rule, farthest[1], value) > rule.by
        and _may(rule, memory, seen.at_ms)
    ):
        firing = Firing(
            "moved", seen.at_ms, before=farthest[1], after=value, span_ms=seen.at_ms - farthest[0]
        )
        # the next one is measured from here
        return replace(_fired(memory, firing), window=((seen.at_ms, value),)), firing
    step = span_ms // _PARTS_OF_WINDOW
    if not kept or seen.at_ms - kept[-1][0] >= step:
        kept = (*kept, (seen.at_ms, value))
    return replace(memory, window=kept), None


def _distance(rule: Move, before: float, after: float) -> float:
    away = abs(after - before)
    if rule.unit == "points":
        return away
    return 100 * away / abs(before) if before else 0.0


# --- the feed -------------------------------------------------------------------------------------


def _trouble(rule: FeedTrouble, memory: Memory, seen: FeedSeen) -> Outcome:
    """In trouble after `seconds` in any state but live; well after a few seconds live.

    A feed reconnecting again and again changes its state all the time: what counts is since when it was not live.
    """
    live = seen.state == "live"
    said = "live" if live else "not live"
    began = memory.since_ms if memory.answer == said and memory.since_ms is not None else seen.state_ms
    now = replace(memory, answer=said, since_ms=began, told=memory.told or "well")
    lasted = seen.at_ms - began
    if lasted < (_WELL_AFTER_MS if live else rule.seconds * 1000):
        return now, None
    answer = "well" if live else "trouble"
    if answer == now.told or not _may(rule, now, seen.at_ms):
        return now, None
    firing = Firing(answer, seen.at_ms, span_ms=seen.at_ms - (memory.fired_ms or began) if live else lasted)
    return _fired(now, firing), firing


@dataclass(slots=True)
class Memories:
    """Every rule's memory, by its key."""

    by_key: dict[str, Memory] = field(default_factory=dict)

    def get(self, key: str) -> Memory:
        return self.by_key.get(key, Memory())

    def put(self, key: str, memory: Memory) -> bool:
        """Keep a memory; whether it differs from the one before in more than what was seen last."""
        before = self.get(key)
        self.by_key[key] = memory
        return replace(before, spot=None, level=None) != replace(memory, spot=None, level=None)

    def keep(self, ids: set[str]) -> bool:
        """Forget what belongs to other rules than these; whether there was any."""
        gone = [key for key in self.by_key if key.partition(":")[0] not in ids]
        for key in gone:
            del self.by_key[key]
        return bool(gone)
