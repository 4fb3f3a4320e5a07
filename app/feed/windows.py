"""An underlying's expiry dates cut into windows that one /chains request each can answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

# Schwab's gateway cuts answers at about 10 MB, some 8,000 contracts; smaller ones also hold the interpreter less long.
TARGET_CONTRACTS = 3000
# The first window of all is small: the picture begins with it.
FIRST_CONTRACTS = 800
# What an unread series is taken to hold.
GUESS_PER_SERIES = 350


class Window(NamedTuple):
    """Expiry dates that are asked for together, ascending."""

    dates: tuple[date, ...]

    @property
    def first(self) -> date:
        return self.dates[0]

    @property
    def last(self) -> date:
        return self.dates[-1]

    def halves(self) -> tuple[Window, Window] | None:
        """The window cut in two; None for a single date."""
        middle = len(self.dates) // 2
        return (Window(self.dates[:middle]), Window(self.dates[middle:])) if middle else None


def cut(
    series: Iterable[tuple[date, str]], known: Mapping[date, int], *, first_contracts: int = TARGET_CONTRACTS
) -> list[Window]:
    """Windows over all dates, nearest first, each of about TARGET_CONTRACTS contracts (the first of `first_contracts`).

    Args:
        series: (date, root) of every listed series.
        known: contracts by date, where an earlier sweep has counted them.
    """
    expected: dict[date, int] = {}
    for day, _ in sorted(series):
        expected[day] = known.get(day, 0) or expected.get(day, 0) + GUESS_PER_SERIES
    windows: list[Window] = []
    group: list[date] = []
    size, target = 0, first_contracts
    for day, contracts in expected.items():
        if group and size + contracts > target:
            windows.append(Window(tuple(group)))
            group, size, target = [], 0, TARGET_CONTRACTS
        group.append(day)
        size += contracts
    return [*windows, Window(tuple(group))] if group else windows
