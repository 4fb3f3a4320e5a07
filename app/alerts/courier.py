"""Sends alerts to webhooks from a thread of its own: tried again with backoff, from a bounded queue."""

from __future__ import annotations

import heapq
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.alerts.alert import Alert, Delivery
from app.alerts.hosts import AllowList, Resolve
from app.alerts.rules import Hook
from app.alerts.webhook import Answer, Cipher, post, unseal
from app.errors import GexError

log = logging.getLogger(__name__)

MOST_WAITING = 100
ATTEMPTS = 6
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 120.0

Report = Callable[[str, Delivery], None]


def pause_s(attempt: int, chance: float) -> float:
    """How long to wait after so many failed attempts: 2 s doubled to two minutes, of which `chance` (0..1) decides half."""
    full = min(_FIRST_PAUSE_S * 2.0 ** (attempt - 1), _LONGEST_PAUSE_S)
    return full * (0.5 + 0.5 * chance)


@dataclass(order=True, slots=True)
class _Parcel:
    due_at: float
    number: int
    alert: Alert = field(compare=False)
    hook: Hook = field(compare=False)
    attempts: int = field(default=0, compare=False)


class Courier:
    """`send` never waits; `report` is called, from the courier's thread, with the news of each sending.

    A webhook that doesn't answer holds up nobody for longer than one attempt. Where too many wait, the oldest is given up.
    """

    def __init__(
        self,
        allowed: AllowList,
        cipher: Cipher,
        report: Report,
        *,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
        hurry: float = 1.0,
    ) -> None:
        self._allowed, self._cipher, self._report = allowed, cipher, report
        self._resolve, self._clock, self._chance, self._hurry = resolve, clock, chance, hurry
        self._waiting: list[_Parcel] = []
        self._number = 0
        self._over = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="alerts-courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout_s: float = 1.0) -> None:
        """Take no more; what is being sent is sent, what waits stays waiting for the next leader."""
        with self._news:
            self._over = True
            self._news.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def send(self, alert: Alert, hooks: list[Hook]) -> None:
        """Take an alert for these webhooks."""
        given_up: list[_Parcel] = []
        with self._news:
            for hook in hooks:
                self._number += 1
                heapq.heappush(self._waiting, _Parcel(self._clock(), self._number, alert, hook))
            while len(self._waiting) > MOST_WAITING:
                oldest = min(self._waiting, key=lambda parcel: parcel.number)
                self._waiting.remove(oldest)
                heapq.heapify(self._waiting)
                given_up.append(oldest)
            self._news.notify()
        for parcel in given_up:
            self._tell(parcel, "failed", "Given up: too many alerts were waiting.")

    def _run(self) -> None:
        while (parcel := self._next()) is not None:
            try:
                self._attempt(parcel)
            except Exception:  # one alert's bug must not end the sending of the others
                log.exception("an alert could not be sent")

    def _next(self) -> _Parcel | None:
        """The next parcel, once it is due; None when it is over."""
        with self._news:
            while not self._over:
                wait = self._waiting[0].due_at - self._clock() if self._waiting else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._waiting)
                self._news.wait(wait)
        return None

    def _attempt(self, parcel: _Parcel) -> None:
        parcel.attempts += 1
        answer = self._post(parcel)
        if answer.delivered:
            self._tell(parcel, "delivered", answer.detail)
        elif answer.again and parcel.attempts < ATTEMPTS:
            parcel.due_at = self._clock() + pause_s(parcel.attempts, self._chance()) / self._hurry
            self._tell(parcel, "waiting", answer.detail)
            with self._news:
                heapq.heappush(self._waiting, parcel)
        else:
            log.warning("an alert was not delivered: %s", answer.detail)
            self._tell(parcel, "failed", answer.detail)

    def _post(self, parcel: _Parcel) -> Answer:
        """The rules may be older than the setting: the address is checked again with each attempt."""
        try:
            target = self._allowed.target(parcel.hook.url)
            secret = unseal(self._cipher, parcel.hook.sealed)
            return post(target, secret, parcel.alert, resolve=self._resolve)
        except GexError as error:
            return Answer(400, str(error))

    def _tell(self, parcel: _Parcel, state: str, detail: str) -> None:
        at = datetime.now(UTC)
        news = {
            "hook": parcel.hook.id,
            "state": state,
            "attempts": parcel.attempts,
            "at": at,
            "detail": detail,
        }
        self._report(parcel.alert.id, Delivery.model_validate(news))
