"""Whether the stream is alive, judged by what was heard and when. Pure: times are monotonic seconds given by the caller."""

from __future__ import annotations

from typing import Literal

PING_EVERY_S = 4.0
# A peer that answers no ping for this long is gone, whatever the socket says.
DEAD_AFTER_S = 11.0
# Schwab's heartbeat comes about every ten seconds on a quiet connection; three missing ones are silence.
_HEARTBEAT_S = 10.0
_SHORTEST_S, _LONGEST_S = 15.0, 30.0
# The longest gap between frames counts for less with every frame that follows it.
_FADING = 0.9

# Data of an open market come every second. A minute without means that the subscription was lost; that goes on after it
# was renewed, and the connection is of no use.
DATA_IDLE_S = 60.0
_RENEWED_S = 20.0

Verdict = Literal["alive", "ping", "silent", "half_open"]


class Liveness:
    """Watches one connection. A quiet market with heartbeats is alive; silence is not, even where pings are answered."""

    def __init__(self, now: float) -> None:
        self._any = self._text = self._pinged = now
        self._gap = _HEARTBEAT_S

    def heard(self, now: float, *, text: bool) -> None:
        """A frame arrived: `text` for one with content, a heartbeat included, else a ping or pong."""
        self._any = now
        if text:
            self._gap = max(now - self._text, self._gap * _FADING)
            self._text = now

    @property
    def heard_at(self) -> float:
        """When anything was heard last."""
        return self._any

    @property
    def silence_s(self) -> float:
        """How long the stream may send nothing with content: three of its longest recent gaps, within 15 to 30 s."""
        return min(max(3 * self._gap, _SHORTEST_S), _LONGEST_S)

    def verdict(self, now: float) -> Verdict:
        """What to do now; "ping" means that one is due, and counts as sent."""
        if now - self._any > DEAD_AFTER_S:
            return "half_open"
        if now - self._text > self.silence_s:
            return "silent"
        if now - max(self._any, self._pinged) >= PING_EVERY_S:
            self._pinged = now
            return "ping"
        return "alive"


class DataWatch:
    """Watches for data on a connection that is alive. Only an open market that is subscribed to owes any."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._renewed = False

    def heard(self, now: float) -> None:
        """Data arrived."""
        self._since, self._renewed = now, False

    def verdict(self, now: float, *, owed: bool) -> Literal["fine", "resubscribe", "lost"]:
        """What to do now; "resubscribe" counts as done."""
        if not owed:
            self.heard(now)
        if now - self._since <= (_RENEWED_S if self._renewed else DATA_IDLE_S):
            return "fine"
        if self._renewed:
            return "lost"
        self._since, self._renewed = now, True
        return "resubscribe"
