"""One underlying as the sweep sees it: what is listed, what was read when, and when it is its turn again."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

import numpy as np

from app.feed.backoff import full_jitter
from app.feed.windows import Window
from app.market.book import Book
from app.market.chain import Chain
from app.schwab.rest import Expiration

_INHERITED_MS = 60_000  # about one round: what is older than that isn't worth going on from


@dataclass(eq=False)
class Swept:
    """What the sweeper knows of one underlying.

    Attributes:
        ready: the near expiries have been read, so the book is worth a look.
        read_ms: when each listed date was read last, wall clock; dates never read are absent.
        inherited: dates that the leader before had read; nobody knows when.
        due_at: when it is to be read again, monotonic seconds.
        resting_until: before this moment nothing brings the reading forward: Schwab doesn't know it, or it fails.
        failures: rounds in a row that failed.
        unreadable: windows of this round that couldn't be read.
        troubled: dates that Schwab failed on when they were asked for last, with when that was, ms.
    """

    book: Book
    listed: list[Expiration] = field(default_factory=list)
    read_ms: dict[date, int] = field(default_factory=dict)
    inherited: set[date] = field(default_factory=set)
    ready: bool = False
    due_at: float = float("-inf")
    resting_until: float = float("-inf")
    failures: int = 0
    unreadable: int = 0
    troubled: dict[date, int] = field(default_factory=dict)

    @property
    def dates(self) -> set[date]:
        """The listed expiry dates."""
        return {expiration.expiry for expiration in self.listed}

    @property
    def oldest_ms(self) -> int | None:
        """When the date read longest ago was read; None before the first, and while one is as the leader before left it."""
        if self.dates & self.inherited - self.read_ms.keys():
            return None
        return min(self.read_ms.values(), default=None)

    @property
    def missing(self) -> set[date]:
        """Listed dates whose contracts nobody has read."""
        return self.dates - self.read_ms.keys() - self.inherited

    def read(self, dates: Iterable[date], now_ms: int) -> None:
        """These dates were read just now."""
        for day in dates:
            self.read_ms[day] = now_ms
            self.troubled.pop(day, None)

    def refused(self, dates: Iterable[date], now_ms: int) -> None:
        """Schwab failed on a window of these dates just now."""
        self.troubled |= dict.fromkeys(dates, now_ms)

    def keep_listed(self) -> None:
        """Forget what was noted of dates that are not listed any more."""
        self.read_ms = {day: at for day, at in self.read_ms.items() if day in self.dates}
        self.troubled = {day: at for day, at in self.troubled.items() if day in self.dates}

    def order(self, windows: Iterable[Window], fresh_after_ms: int) -> list[Window]:
        """The windows of a round. What was read longest ago comes first, for a round may be cut short.

        What Schwab failed on comes last, in halves, until a single date is left that costs nothing but itself. While there
        is such a one, what was read after `fresh_after_ms` is left alone: the next try isn't about that.
        """
        parts = [part for window in windows for part in self._parted(window)]
        fine = [part for part in parts if part.dates[0] not in self.troubled]
        if self.troubled:
            fine = [part for part in fine if self._age(part) <= fresh_after_ms]
        failing = [part for part in parts if part.dates[0] in self.troubled]
        return [
            *sorted(fine, key=self._age),
            *sorted(failing, key=lambda part: self.troubled[part.dates[0]]),
        ]

    def _parted(self, window: Window) -> Iterator[Window]:
        for troubled, dates in groupby(window.dates, key=self.troubled.__contains__):
            part = Window(tuple(dates))
            halves = part.halves() if troubled else None
            yield from halves or (part,)

    def _age(self, window: Window) -> int:
        """When its oldest date was read, wall clock in ms; 0 where one never was."""
        return min(self.read_ms.get(day, 0) for day in window.dates)

    def is_due(self, now: float) -> bool:
        """Whether it is its turn."""
        return now >= self.next_at

    @property
    def next_at(self) -> float:
        """When it is its turn, monotonic seconds."""
        return max(self.due_at, self.resting_until)

    def succeeded(self, due_at: float) -> None:
        """Everything was read; the next time is at `due_at`."""
        self.due_at, self.failures = due_at, 0

    def failed(self, now: float) -> None:
        """Schwab failed on it: it waits for its own next try, whatever the others do."""
        wait = full_jitter(self.failures + 2, random.uniform(0.5, 1))
        self.due_at = self.resting_until = now + wait
        self.failures += 1

    def inherit(self, chain: Chain, now_ms: int) -> None:
        """Go on from the chain of the leader before, if it is recent: else all totals would shrink to what is read first."""
        if 0 <= now_ms - chain.as_of_ms <= _INHERITED_MS and chain.source == self.book.source:
            self.book.inherit(chain)
            self.inherited = set(np.unique(chain.contracts.expiry).tolist())
