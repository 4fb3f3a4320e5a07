"""What the stream carries against what it should carry: the next command, and what its answer means.

One command is under way at a time: commands sent in parallel are what makes Schwab answer 22 to 25.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from app.errors import StreamClosed
from app.schwab.fields import EQUITIES, EQUITY_NUMBERS, OPTION_NUMBERS, OPTIONS, subscription
from app.schwab.frames import Answer
from app.schwab.stream import chunks, symbol_limit

_FIELDS = {OPTIONS: subscription(OPTION_NUMBERS), EQUITIES: subscription(EQUITY_NUMBERS)}
_RETRY_S = 2.0
_TRIES = 3
ANSWER_WITHIN_S = 12.0
_LIMIT, _NO_SERVICE = 19, 11
# Login denied, displaced by another connection, no such connection, stop: whatever they answer, the connection is over.
SEVERING = frozenset({3, 12, 20, 30})
_DISCARDED = re.compile(r"DISCARDED=(\d+)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should stream: wire symbols of underlyings, and option keys, the most important first."""

    equities: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One request to the streamer."""

    service: str
    command: Literal["SUBS", "ADD", "UNSUBS"]
    keys: tuple[str, ...]

    @property
    def parameters(self) -> dict[str, str]:
        fields = {} if self.command == "UNSUBS" else {"fields": _FIELDS[self.service]}
        return {"keys": ",".join(self.keys), **fields}


class Subscription:
    """The key sets of one connection. Times are monotonic seconds given by the caller.

    Attributes:
        limit: how many option keys this connection takes, once the server has said that it is full.
        stated_limit: how many it says that it allows.
        unavailable: services that this login doesn't get (code 11).
    """

    def __init__(self) -> None:
        self.limit: int | None = None
        self.stated_limit: int | None = None
        self.unavailable: set[str] = set()
        self._held: dict[str, dict[str, None]] = {OPTIONS: {}, EQUITIES: {}}
        self._begun: set[str] = set()
        self._under_way: tuple[str, Command, float] | None = None
        self._reached: Wanted | None = None
        self._not_before = 0.0
        self._failures = 0

    @property
    def options_held(self) -> int:
        """How many option keys the server has accepted."""
        return len(self._held[OPTIONS])

    def next(self, wanted: Wanted, now: float) -> Command | None:
        """The command that brings the stream nearer to what is wanted; None when there is none to send now.

        Raises StreamClosed when the answer to the last one is overdue.
        """
        if self._under_way is not None:
            if now - self._under_way[2] > ANSWER_WITHIN_S:
                raise StreamClosed("the streamer doesn't answer a command", reason="command_silent")
            return None
        if now < self._not_before:
            return None
        if wanted is self._reached:
            return None
        options = wanted.options if self.limit is None else wanted.options[: self.limit]
        command = self._step(EQUITIES, wanted.equities) or self._step(OPTIONS, options)
        self._reached = wanted if command is None else None
        return command

    def renew(self) -> None:
        """Subscribe to everything again: the server seems to have forgotten it."""
        for held in self._held.values():
            held.clear()
        self._begun.clear()
        self._reached = None

    def sent(self, command: Command, request: str, now: float) -> None:
        """The command left under this request id."""
        self._under_way = (request, command, now)

    def answered(self, answer: Answer, now: float) -> tuple[str, ...]:
        """Take an answer in; the keys that the stream no longer carries because of it. Raises StreamClosed.

        A second answer to the same request, such as the 24 that may follow a 19, belongs to nothing any more. A code that
        ends the connection does so whatever it answers: Schwab says 12 to whom a later login displaces.
        """
        if answer.code in SEVERING:
            raise StreamClosed(
                f"the streamer ends the connection: {answer.msg[:80]}", reason=f"code_{answer.code}"
            )
        if self._under_way is None or answer.requestid != self._under_way[0]:
            return ()
        command = self._under_way[1]
        self._under_way = None
        if answer.ok:
            self._failures = 0
            return self._carried_out(command)
        if answer.code == _LIMIT:
            self._cut_off(command, answer)
        elif answer.code == _NO_SERVICE:
            self.unavailable.add(command.service)
        else:
            self._failed(answer, now)
        return ()

    def _step(self, service: str, wanted: tuple[str, ...]) -> Command | None:
        if service in self.unavailable:
            return None
        held = self._held[service]
        missing = [key for key in wanted if key not in held]
        if service not in self._begun:
            return Command(service, "SUBS", tuple(next(chunks(missing)))) if missing else None
        fits = missing[: max(0, len(wanted) - len(held))]
        if fits:  # while there is room: dropped before, keys would be missed until others are added
            return Command(service, "ADD", tuple(next(chunks(fits))))
        surplus = list(held.keys() - set(wanted))
        return Command(service, "UNSUBS", tuple(next(chunks(surplus)))) if surplus else None

    def _carried_out(self, command: Command) -> tuple[str, ...]:
        held = self._held[command.service]
        if command.command == "UNSUBS":
            for key in command.keys:
                held.pop(key, None)
            return command.keys
        if command.command == "SUBS":
            held.clear()
            self._begun.add(command.service)
        held.update(dict.fromkeys(command.keys))
        return ()

    def _cut_off(self, command: Command, answer: Answer) -> None:
        """Code 19: the keys up to the limit are kept, the rest were dropped."""
        stated = symbol_limit(answer) if command.service == OPTIONS else None
        kept = command.keys[: len(command.keys) - self._discarded(command, answer, stated)]
        self._carried_out(Command(command.service, command.command, kept))
        if command.service == OPTIONS:
            # what is full takes no more, whatever its limit is said to be: to ask again would be to ask for ever
            self.limit = max(1, self.options_held)
            self.stated_limit = stated or self.limit
        else:
            self.unavailable.add(command.service)

    def _discarded(self, command: Command, answer: Answer, stated: int | None) -> int:
        """How many of the command's keys were dropped; all of them where nothing tells."""
        found = _DISCARDED.search(answer.msg)
        if found:
            return min(int(found[1]), len(command.keys))
        before = 0 if command.command == "SUBS" else len(self._held[command.service])
        return max(0, len(command.keys) - max(0, (stated or 0) - before))

    def _failed(self, answer: Answer, now: float) -> None:
        self._failures += 1
        if self._failures >= _TRIES:
            raise StreamClosed(
                f"commands fail: {answer.code} {answer.msg[:80]}", reason=f"code_{answer.code}"
            )
        self._not_before = now + _RETRY_S
