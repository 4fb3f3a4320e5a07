"""What the Status view is made of, gathered from feed, cache, engine and door. Works while any of them is away."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from app import __version__
from app.access.visitor import visitor
from app.alerts.alert import Alert
from app.alerts.service import Alerts
from app.cache.base import wall_ms
from app.cache.results import Results
from app.errors import CacheError
from app.models import CacheStats, Event
from components.status_view import Account, Engine, SessionSeen, status_view

_REMEMBERED = 200
_EVENTS = 300

T = TypeVar("T")
Sessions = Callable[[], list[SessionSeen] | None]


def nobody() -> None:
    """Where nothing is known of sessions."""


class Bureau:
    """Makes the Status view. Remembers the last events, for when the cache is away.

    Args:
        sessions: who is signed in, None for whoever may not know. Raises CacheError.
    """

    def __init__(
        self,
        results: Results,
        alerts: Alerts,
        followed: Callable[[], list[str]],
        sessions: Sessions,
    ) -> None:
        self._results, self._alerts, self._followed = results, alerts, followed
        self._sessions = sessions
        self._started_ms = wall_ms()
        self._events: Sequence[Event] = ()
        self._fired: Sequence[Alert] = ()
        self._known: list[str] = []
        self._computed = 0
        self._times: dict[str, deque[float]] = {
            "fit": deque(maxlen=_REMEMBERED),
            "expose": deque(maxlen=_REMEMBERED),
        }
        counted = results.observe

        def observe(stage: str, seconds: float) -> None:
            counted(stage, seconds)
            self._computed += stage == "expose"
            self._times[stage].append(seconds)

        results.observe = observe

    def view(self) -> dict[str, Any]:
        """The answer of the view."""
        with suppress(CacheError):
            self._events = self._results.events(_EVENTS)
            self._fired = self._alerts.recent().alerts
            self._known = self._followed()
        stats = self._results.stats()
        return status_view(
            Account(
                now_ms=wall_ms(),
                connection=_or_none(self._results.connection),
                stats=stats,
                events=self._events,
                alerts=self._fired,
                followed=self._known or sorted(stats.versions),
                engine=self._engine(),
                published_ms=_published(stats),
                sessions=_or_none(self._sessions),
                owner=_or_none(lambda: visitor().kind == "owner") or False,
            )
        )

    def _engine(self) -> Engine:
        fit, expose = (_median_ms(list(self._times[stage])) for stage in ("fit", "expose"))
        return Engine(__version__, self._started_ms, fit, expose, self._computed)


def _or_none(ask: Callable[[], T | None]) -> T | None:
    try:
        return ask()
    except CacheError:
        return None


def _published(stats: CacheStats) -> dict[str, int]:
    """When each chain was published: the same instant however often it is asked for, to a tenth of a second."""
    now_ms = time.time() * 1000
    return {
        symbol: round((now_ms - age * 1000) / 100) * 100
        for symbol, age in stats.ages_s.items()
        if age is not None
    }


def _median_ms(seconds: list[float]) -> float | None:
    return round(1000 * statistics.median(seconds), 1) if seconds else None
