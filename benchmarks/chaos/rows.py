"""The table of faults: each row is a function that does one to the product and says what was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

QUICK_HELP = "fewer repetitions and shorter outages: does every row still run, not what the figures are"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        number: its place in the table.
        fault: what was done.
        figure: what is promised.
        measured: what was seen.
        ok: whether the promise was kept.
        note: what qualifies the measurement.
    """

    number: int
    fault: str
    figure: str
    measured: str
    ok: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row's function returns."""

    measured: str
    ok: bool
    note: str = ""


Measure = Callable[[bool], Outcome]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row that can be run; `measure` takes whether a quick run is enough."""

    number: int
    fault: str
    figure: str
    measure: Measure

    def run(self, quick: bool) -> Row:
        """Measure. A failure of the measurement itself is a row that says so."""
        try:
            outcome = self.measure(quick)
        except Exception as error:  # noqa: BLE001 - whatever it was belongs into the table
            outcome = Outcome(f"not measured: {type(error).__name__}: {error}"[:300], ok=False)
        return Row(self.number, self.fault, self.figure, outcome.measured, outcome.ok, outcome.note)


ENTRIES: dict[int, Entry] = {}


def row(number: int, fault: str, figure: str) -> Callable[[Measure], Measure]:
    """Put the function into the table."""

    def register(measure: Measure) -> Measure:
        ENTRIES[number] = Entry(number, fault, figure, measure)
        return measure

    return register
