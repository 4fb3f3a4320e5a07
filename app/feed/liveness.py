"""Whether the stream is alive, judged by what was heard and when. Pure: times are monotonic seconds given by the caller."""

from __future__ import annotations

from typing import Literal

PING_EVERY_S = 4.0
# A peer that answers no ping for this long is gone, whatever the socket says.
DEAD_AFTER_S = 11.0
# Schwab's heartbeat comes about every ten seconds on a quiet connection; three missing ones are silence.
_HEARTBEAT_S = 10.0
_SHORTEST_S, _LONGEST_S = 15.0, 30.0

Verdict = Literal["alive", "ping", "silent", "half_open"]


class Liveness:
    """Watches one connection. A quiet market with heartbeats is alive; silence is not, even where pings are answered."""

    def __init__(self, now: float) -> None:
        self._any = self._text = self._pinged = now
        self._heartbeat_at: float | None = None
        self._cadence = _HEARTBEAT_S

    def heard(self, now: float, *, text: bool, heartbeat: bool = False) -> None:
        """A frame arrived: `text` for one with content, else a ping or pong."""
        self._any = now
        if not text:
            return
        if heartbeat and self._heartbeat_at is not None and self._heartbeat_at == self._text:
            self._cadence = now - self._heartbeat_at  # nothing came between the two
        self._text = now
        self._heartbeat_at = now if heartbeat else None

    @property
    def heard_at(self) -> float:
        """When anything was heard last."""
        return self._any

    @property
    def silence_s(self) -> float:
        """How long the stream may send nothing with content: three heartbeats, within 15 to 30 s."""
        return min(max(3 * self._cadence, _SHORTEST_S), _LONGEST_S)

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
