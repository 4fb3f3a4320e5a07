"""A tape on the stage: what Schwab would answer at the tape's present, and the frames that come next."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from app.errors import SymbolError
from app.history.tape import lines
from app.market.symbols import canonical

_MAPS = ("callExpDateMap", "putExpDateMap")
# At the start, answers of this long are known at once: the taped feed had read them one after the other.
_AHEAD_MS = 180_000


@dataclass(frozen=True, slots=True)
class TapeClock:
    """The tape's time, seconds since the epoch: `start_ms` until the wall clock's `began_ms`, then `speed` times as fast."""

    start_ms: int
    began_ms: int
    speed: float = 1.0

    def __call__(self) -> float:
        elapsed_ms = max(0.0, time.time() * 1000 - self.began_ms)
        return (self.start_ms + elapsed_ms * self.speed) / 1000


@dataclass
class _Held:
    """One underlying: the newest document's head, and the contracts by side and expiry."""

    head: dict[str, Any] = field(default_factory=dict)
    sides: dict[str, dict[str, Any]] = field(default_factory=lambda: {name: {} for name in _MAPS})

    def take(self, told: dict[str, Any], *, only_new: bool = False) -> None:
        document = told["document"]
        if not (only_new and self.head):
            self.head = {name: value for name, value in document.items() if name not in _MAPS}
        for name, side in self.sides.items():
            fresh = document.get(name) or {}
            if only_new:
                fresh = {key: strikes for key, strikes in fresh.items() if key not in side}
            else:
                for key in [key for key in side if told["first"] <= key[:10] <= told["last"]]:
                    del side[key]
            side.update(fresh)


class Stage:
    """Plays a tape up to whatever time it is told. For one thread.

    Args:
        path: the tape.
        start_ms: the tape's time to begin at; what came before is taken in at once.

    Raises HistoryError.
    """

    def __init__(self, path: Path, start_ms: int) -> None:
        self._lines = iter(lines(path))
        self._held: dict[str, _Held] = {}
        self._next: dict[str, Any] | None = next(self._lines, None)
        self.session = "open"
        self.over = False
        for _ in self.play(start_ms):
            pass
        self._look_ahead(path, start_ms)

    def play(self, until_ms: float) -> Iterator[dict[str, Any]]:
        """Take in what the tape holds up to a time; the frames of the stream among it."""
        while self._next is not None and self._next["t"] <= until_ms:
            line = self._next
            self._next = next(self._lines, None)
            if "frame" in line:
                yield line["frame"]
            elif "chain" in line:
                self._of(line["chain"]["symbol"]).take(line["chain"])
            elif "mark" in line:
                self.session = line["mark"]["session"]
        self.over = self._next is None

    def symbols(self) -> list[str]:
        """The underlyings, as the tape names them."""
        return list(self._held)

    def chain(self, wire: str, first: str, last: str, side: str) -> dict[str, Any] | None:
        """The /chains document of a window; None for a symbol that isn't on the tape."""
        held = self._held.get(_name(wire))
        if held is None:
            return None
        wanted = {"CALL": _MAPS[:1], "PUT": _MAPS[1:]}.get(side, _MAPS)
        inside = {
            name: {key: strikes for key, strikes in held.sides[name].items() if first <= key[:10] <= last}
            if name in wanted
            else {}
            for name in _MAPS
        }
        return held.head | inside

    def expirations(self, wire: str) -> dict[str, Any] | None:
        """The /expirationchain document; None for a symbol that isn't on the tape."""
        held = self._held.get(_name(wire))
        if held is None:
            return None
        found = sorted(
            {series for side in held.sides.values() for key in side for series in _series(key, side[key])}
        )
        return {
            "status": "SUCCESS",
            "expirationList": [
                {"expirationDate": day, "optionRoots": root, "settlementType": settlement, "standard": True}
                for day, root, settlement in found
            ],
        }

    def hours(self, now_s: float) -> dict[str, Any]:
        """A /markets document that says of the session what the tape says."""
        now = datetime.fromtimestamp(now_s, UTC)
        span = {
            "start": (now - timedelta(hours=12)).isoformat(),
            "end": (now + timedelta(hours=12)).isoformat(),
        }
        is_open = self.session != "closed"
        entry = {"isOpen": is_open, "sessionHours": {"regularMarket": [span]} if is_open else None}
        return {"option": {"IND": entry, "EQO": entry}, "equity": {"EQ": entry}}

    def _of(self, symbol: str) -> _Held:
        return self._held.setdefault(symbol, _Held())

    def _look_ahead(self, path: Path, start_ms: int) -> None:
        """Expiries that the tape reads within the next minutes: a feed that asks for them now shall not think them gone."""
        for line in lines(path):
            if line["t"] > start_ms + _AHEAD_MS:
                return
            if "chain" in line and line["t"] > start_ms:
                self._of(line["chain"]["symbol"]).take(line["chain"], only_new=True)


def first_ms(path: Path) -> int:
    """When a tape begins, ms since the epoch. Raises HistoryError."""
    return int(next(lines(path))["t"])


def _series(key: str, strikes: dict[str, Any]) -> set[tuple[str, str, str]]:
    contracts = [contract for listed in strikes.values() for contract in listed]
    return {
        (key[:10], str(c.get("optionRoot") or ""), str(c.get("settlementType") or "P")) for c in contracts
    }


def _name(wire: str) -> str:
    try:
        return canonical(wire)
    except SymbolError:
        return ""
