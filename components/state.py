"""What the reader has chosen, as a value and as a query string: a pasted address shows the same page."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl, quote

from app.errors import SymbolError
from app.gex.params import Bucket, Params, Side, Unit, Walls, Weight
from app.market.symbols import canonical

View = Literal[
    "overview",
    "strikes",
    "surface",
    "profile",
    "greeks",
    "volatility",
    "expiries",
    "time",
    "compare",
    "status",
]
Show = Literal["net", "split", "absolute"]
By = Literal["strike", "expiry"]
Join = Literal["apart", "together"]
Measure = Literal["gex", "dex", "vex", "chex", "oi", "volume"]

VIEWS: tuple[View, ...] = get_args(View)
# The key of every view, also of those to come: a key keeps its meaning when a view is added.
KEYS = {
    "overview": "1",
    "strikes": "2",
    "surface": "3",
    "profile": "4",
    "greeks": "5",
    "volatility": "6",
    "expiries": "7",
    "time": "H",
    "compare": "8",
    "status": "9",
}
_MAX_DATES = 100
_MAX_OTHERS = 3
_MAX_QUERY = 4096
_MINUTE_MS = 60_000
_INSTANTS = ("at", "against")

# The words that each choice may take, in the order in which the address names them; the first is the default.
_WORDS: dict[str, tuple[str, ...]] = {
    "view": get_args(View),
    "side": get_args(Side),
    "weight": get_args(Weight),
    "unit": get_args(Unit),
    "walls": get_args(Walls),
    "show": get_args(Show),
    "by": get_args(By),
    "measure": get_args(Measure),
    "join": get_args(Join),
}
_PARAMS = ("side", "weight", "unit", "walls")


@dataclass(frozen=True, slots=True)
class PageState:
    """Everything that the page's address says after the symbol.

    Attributes:
        view: which of the views.
        params: conventions and expiries.
        show: whether the ladder draws the net, calls and puts apart, or the size of both added.
        by: whether the greeks are added up by strike or by expiry; of the volatility, which of them the table lists.
        measure: what the surface shows.
        others: the symbols that Compare shows beside this one; empty leaves the choice to it.
        join: whether Compare shows them side by side or added up on one price axis.
        price_range: the zoomed range of the price axis in $, None while it follows spot.
        at_ms: the recorded minute that is shown in place of the present, ms since the epoch (UTC); None is the present.
        against_ms: the minute that it is compared with in the Time view; None compares nothing.
        day: the trading day of the Time view; None is that of `at_ms`, else the last recorded one.
        ignored: what the address said that means nothing, in words, for the reader.
    """

    view: View = "overview"
    params: Params = field(default_factory=Params)
    show: Show = "net"
    by: By = "strike"
    measure: Measure = "gex"
    others: tuple[str, ...] = ()
    join: Join = "apart"
    price_range: tuple[float, float] | None = None
    at_ms: int | None = None
    against_ms: int | None = None
    day: date | None = None
    ignored: tuple[str, ...] = ()

    @classmethod
    def from_query(cls, search: str | None) -> PageState:
        """Read a query string, with or without its `?`. Never fails: what means nothing is left out and named."""
        state, ignored = cls(), []
        for name, text in parse_qsl((search or "").removeprefix("?")[:_MAX_QUERY]):
            try:
                state = _read(state, name, text)
            except ValueError:
                ignored.append(f"{name[:24]}={text[:24]}")
        return replace(state, ignored=tuple(ignored[:5]))

    def query(self) -> str:
        """The shortest query string that says this: `?...`, or nothing where all is default."""
        said = {name: self.choice(name) for name in _WORDS}
        parts = {name: word for name, word in said.items() if word != _WORDS[name][0]}
        if self.params.expiries:
            parts["expiries"] = ",".join(day.isoformat() for day in self.params.expiries)
        elif self.params.bucket != "all":
            parts["expiries"] = self.params.bucket
        if self.others:
            parts["with"] = ",".join(self.others)
        if self.price_range:
            parts["range"] = ",".join(f"{price:g}" for price in self.price_range)
        parts |= {
            name: minute_text(ms) for name in _INSTANTS if (ms := getattr(self, f"{name}_ms")) is not None
        }
        if self.day:
            parts["day"] = self.day.isoformat()
        text = "&".join(f"{name}={quote(word, safe=',:')}" for name, word in parts.items())
        return f"?{text}" if text else ""

    def choice(self, name: str) -> str:
        """The word chosen for one of view, side, weight, unit, walls, show, by, measure, join."""
        return str(getattr(self.params if name in _PARAMS else self, name))

    def choose(self, name: str, word: str) -> PageState:
        """The same page with one choice made as the address would make it. Raises ValueError on a word that isn't one."""
        return _read(self, name, word)


def _read(state: PageState, name: str, text: str) -> PageState:
    if name == "expiries":
        return replace(state, params=_expiries(state.params, text))
    if name == "with":
        return replace(state, others=_others(text))
    if name == "range":
        return replace(state, price_range=_range(text))
    if name in _INSTANTS:
        return replace(state, **{f"{name}_ms": _minute(text)})  # type: ignore[arg-type]
    if name == "day":
        return replace(state, day=date.fromisoformat(text))
    if text not in _WORDS.get(name, ()):
        raise ValueError(name)
    value: Any = {name: text}
    if name in _PARAMS:
        return replace(state, params=replace(state.params, **value))
    return replace(state, **value)


def _expiries(params: Params, text: str) -> Params:
    """A bucket's word, or dates separated by commas."""
    buckets: dict[str, Bucket] = {word: word for word in get_args(Bucket)}
    if text in buckets:
        return replace(params, bucket=buckets[text], expiries=())
    days = sorted({date.fromisoformat(part) for part in text.split(",") if part})
    if not 0 < len(days) <= _MAX_DATES:
        raise ValueError(text)
    return replace(params, bucket="all", expiries=tuple(days))


def _others(text: str) -> tuple[str, ...]:
    """Symbols separated by commas, each once."""
    try:
        found = tuple(dict.fromkeys(canonical(part) for part in text.split(",") if part))
    except SymbolError:
        raise ValueError(text) from None
    if len(found) > _MAX_OTHERS:
        raise ValueError(text)
    return found


def minute_text(ms: int) -> str:
    """A minute as the address writes it, UTC: `2026-11-24T18:42Z`."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%MZ}"


def _minute(text: str) -> int:
    """The begin of the minute that an instant lies in; UTC where it names no zone. Raises ValueError."""
    instant = datetime.fromisoformat(text)
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if not 2000 <= aware.year < 2200:
        raise ValueError(text)
    return int(aware.timestamp() * 1000) // _MINUTE_MS * _MINUTE_MS


def _range(text: str) -> tuple[float, float]:
    low, high = (float(part) for part in text.split(","))
    if not (math.isfinite(low) and math.isfinite(high) and 0 <= low < high):
        raise ValueError(text)
    return low, high
