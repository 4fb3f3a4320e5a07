"""What was recorded, for the page: a view at a past minute, and the Time view."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, TypeVar

from app.errors import GexError, HistoryError
from app.gex.params import Params
from app.gex.snapshot import Snapshot
from app.history.moment import Moment
from app.history.reader import History
from app.history.track import MINUTE_MS, Track
from app.history.tracks import track_of
from app.market.calendar import exchange_day, to_ms
from app.trail import Point, point
from app.viewing import require_seen
from callbacks.compare import Followed
from callbacks.request import LiveRequest
from components import time_view
from components.changes import changes
from components.compare import Member, partners
from components.past import NOTHING_THEN, member_at, past_answer, unrecorded
from components.state import PageState

T = TypeVar("T")

_FRESH_S = 2.0
_KEPT = 64
_HOUR_MS = 75 * MINUTE_MS


class Past:
    """Answers from the record. Safe for several threads; what tabs ask every second is read every other second.

    Args:
        history: the reader.
        now_s: seconds since the epoch: only a day that is still going on is shown as the present.
        followed: the symbols that the visitor may compare with.
    """

    def __init__(
        self, history: History, now_s: Callable[[], float] = time.time, followed: Followed = list
    ) -> None:
        self._history = history
        self._now_s = now_s
        self._followed = followed
        self._lock = threading.Lock()
        self._held: OrderedDict[Any, tuple[float, Any]] = OrderedDict()

    # --- a view at a past minute ------------------------------------------------------------------

    def view(self, symbol: str, state: PageState, request: LiveRequest) -> dict[str, Any] | None:
        """One view at the minute that the address names; None where the tab has it. Raises GexError."""
        require_seen(symbol)
        at_ms = state.at_ms
        assert at_ms is not None  # noqa: S101 - the caller has looked
        bar = self._recently(("bar", symbol, at_ms), lambda: self._bar(symbol, at_ms))
        if why := unrecorded(state.params):
            return _worded(symbol, why, bar, request)
        moment = self._recently(
            ("at", symbol, at_ms, state.params), lambda: self._history.at(symbol, at_ms, state.params)
        )
        if moment is None:
            return _worded(symbol, NOTHING_THEN, bar, request)
        members = self._members(moment, state) if state.view == "compare" else []
        shown = [(one.symbol, one.why, one.card.get("as_of")) for one in members]
        etag = _digest("past", symbol, moment.key, moment.snapshot.as_of_ms, bar, shown)
        if request.have == etag:
            return None
        made = past_answer(moment.snapshot, state, request.crop, members)
        moved = self._changes(moment.snapshot, state.params)
        return {
            **made,
            "changed": moved,
            "past": bar | {"at": moment.key.slot_ms},
            "etag": etag,
            "seq": request.seq,
        }

    def _members(self, moment: Moment, state: PageState) -> list[Member]:
        """Who is compared, the page's own symbol first: each from its row of the very same minute, or none."""
        symbol, followed = moment.snapshot.symbol, self._followed()
        others = partners(symbol, state.others, followed)
        at = moment.key.slot_ms
        return [member_at(moment), *(self._member(name, at, state.params, followed) for name in others)]

    def _member(self, symbol: str, at_ms: int, params: Params, followed: list[str]) -> Member:
        try:
            require_seen(symbol)
            found = self._recently(
                ("exactly", symbol, at_ms, params),
                lambda: self._history.at(symbol, at_ms, params, within_ms=0),
            )
            if found is not None:
                return member_at(found)
            known = symbol in followed or bool(self._days(symbol))
        except GexError as error:
            return Member(symbol, None, why=str(error))
        why = "Nothing was recorded of it at this minute." if known else "It is not followed here."
        return Member(symbol, None, why=why)

    def _bar(self, symbol: str, at_ms: int) -> dict[str, Any]:
        """What the slider needs."""
        return time_view.bar(at_ms, self._history.minutes(symbol, exchange_day(at_ms)), self._days(symbol))

    def _changes(self, snapshot: Snapshot, params: Params) -> dict[str, Any] | None:
        """Against what was recorded 5, 15 and 60 minutes before; None under conventions that it isn't kept for."""
        if params != Params():
            return None
        at = snapshot.as_of_ms
        with suppress(HistoryError):
            points = self._history.points(snapshot.symbol, at - _HOUR_MS, at)
            return changes([Point(*row) for row in points], point(snapshot))
        return None

    # --- the Time view ----------------------------------------------------------------------------

    def day(self, symbol: str, state: PageState, request: LiveRequest) -> dict[str, Any] | None:
        """The Time view; None where the tab has it, the new minutes alone where it has the others. Raises GexError."""
        require_seen(symbol)
        if why := unrecorded(state.params):
            return _worded(symbol, why, None, request)
        days = self._days(symbol)
        if not days:
            words = (
                "Nothing is recorded yet. The feed records a row each minute while it runs; "
                "the first appears here within a minute."
            )
            return _worded(symbol, words, None, request)
        day = self._day_of(state, days)
        track, shape = self._recently(
            ("track", symbol, day, _choice(state)), lambda: self._track(symbol, day, state)
        )
        going_on = state.at_ms is None and day == exchange_day(round(self._now_s() * 1000))
        question = _digest("time", symbol, state, day, going_on, shape)
        return self._since(_Asked(symbol, state, request, day, going_on, question), track, days)

    def _since(self, asked: _Asked, track: Track, days: list[dict[str, Any]]) -> dict[str, Any] | None:
        count = len(track.minute_ms)
        last = int(track.minute_ms[-1]) if count else 0
        stamp = f"{count}-{last}-{days[-1]['minutes']}"
        etag = f"{asked.question}-{stamp}"
        if asked.request.have == etag:
            return None
        head = {
            "status": "ok",
            "chainless": True,
            "symbol": asked.symbol,
            "etag": etag,
            "seq": asked.request.seq,
        }
        head |= {
            "as_of": last or to_ms(days[-1]["last"]),
            "summary": time_view.summary(asked.symbol, asked.day, track),
        }
        first = _had(asked, track)
        if first is not None:
            more, told = time_view.columns(track.rows(first)), time_view.calendar(days[-1:])
            return {**head, **self._pointed(asked, track), "more": more, "days": told}
        return {
            **head,
            **self._pointed(asked, track),
            "time": time_view.whole(track, asked.day, asked.state.params),
            "columns": list(time_view.COLUMNS),
            "days": time_view.calendar(days),
        }

    def _pointed(self, asked: _Asked, track: Track) -> dict[str, Any]:
        """What belongs to the minute that is pointed at: the slider in the past, and a comparison where one is asked for."""
        at_ms = asked.state.at_ms
        shown = at_ms if at_ms is not None else int(track.minute_ms[-1]) if len(track.minute_ms) else None
        if shown is None:
            return {}
        found: dict[str, Any] = {}
        if not asked.going_on:
            found["past"] = self._bar(asked.symbol, shown) | {"whole_day": at_ms is None}
        if asked.state.against_ms is not None:
            found["change"] = self._change(asked.symbol, asked.state.against_ms, shown)
        return found

    def _change(self, symbol: str, against_ms: int, at_ms: int) -> dict[str, Any]:
        first, second = sorted((against_ms, at_ms))
        then, now = (self._history.at(symbol, at) for at in (first, second))
        known = then is not None and now is not None
        parts = self._history.change(symbol, first, second) if known else None
        return time_view.change(_snapshot(then), _snapshot(now), parts)

    def _day_of(self, state: PageState, days: list[dict[str, Any]]) -> date:
        if state.at_ms is not None:
            return exchange_day(state.at_ms)
        newest: date = days[-1]["day"]
        return state.day or newest

    def _track(self, symbol: str, day: date, state: PageState) -> tuple[Track, str]:
        """A day's minutes, and what a picture of them must have in common with another to be added to it."""
        track = track_of(self._history, symbol, day, state.params, state.price_range)
        return track, time_view.shape(track, day)

    def _days(self, symbol: str) -> list[dict[str, Any]]:
        return self._recently(("days", symbol), lambda: self._history.days(symbol).to_pylist())

    def _recently(self, key: Any, make: Callable[[], T]) -> T:
        """What was made less than two seconds ago, or made now."""
        now = time.monotonic()
        with self._lock:
            held = self._held.get(key)
        if held is not None and now - held[0] < _FRESH_S:
            return held[1]  # type: ignore[no-any-return]
        made = make()
        with self._lock:
            self._held[key] = now, made
            self._held.move_to_end(key)
            while len(self._held) > _KEPT:
                self._held.popitem(last=False)
        return made


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question about a day; one that is going on is shown up to the present, any other as the past."""

    symbol: str
    state: PageState
    request: LiveRequest
    day: date
    going_on: bool
    question: str


def _had(asked: _Asked, track: Track) -> int | None:
    """The first row to send to a tab that has some: its last one again, for that may have been replaced; None for all."""
    question, _, stamp = asked.request.have.partition("-")
    if question != asked.question:
        return None
    count, last = (int(part) for part in stamp.split("-")[:2])
    return count - 1 if 0 < count <= len(track.minute_ms) and track.minute_ms[count - 1] == last else None


def _choice(state: PageState) -> PageState:
    """What a day's track depends on: without what is only pointed at in it."""
    return replace(state, at_ms=None, against_ms=None, day=None)


def _worded(
    symbol: str, words: str, bar: dict[str, Any] | None, request: LiveRequest
) -> dict[str, Any] | None:
    """An answer that is a sentence: there is no number to show."""
    etag = _digest("words", symbol, words, bar)
    if request.have == etag:
        return None
    said = {"status": "ok", "symbol": symbol, "words": words, "etag": etag, "seq": request.seq}
    return said | ({"chainless": True} if bar is None else {"past": bar})


def _snapshot(moment: Moment | None) -> Snapshot | None:
    return None if moment is None else moment.snapshot


def _digest(*parts: object) -> str:
    text = " ".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()
