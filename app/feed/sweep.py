"""The REST side of the feed: reads every contract of every underlying, window by window, round after round.

It fills the books at the start, nearest expiries first and one underlying after the other, and afterwards renews whatever
the stream doesn't keep, open interest included.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np

from app.errors import AuthError, BrokerError, DataError, GexError, RateLimited, ResponseTooBig, SignInNeeded
from app.feed.backoff import full_jitter
from app.feed.board import Board
from app.feed.hours import seconds_to_refresh, session_at
from app.feed.journal import Journal
from app.feed.swept import Swept
from app.feed.windows import FIRST_CONTRACTS, TARGET_CONTRACTS, Window, cut
from app.market.book import Book
from app.market.calendar import exchange_day, from_ms
from app.market.symbols import INDICES
from app.schwab.chains import is_cut, parse_chain_json
from app.schwab.rest import Rest

log = logging.getLogger(__name__)

_NEAR = timedelta(days=8)  # the first picture needs these
_HOURS_EVERY_S = 300.0
_HOURS_GOOD_S = 3600.0
_UNKNOWN_SYMBOL_EVERY_S = 600.0
_CLOSED_SLOWER = 5  # nothing moves while the market is closed
_AUTH_PAUSE_S = 60.0


class Sweeper:
    """One thread's work: `run` until stopped. `kick` starts the next round at once."""

    def __init__(
        self,
        rest: Rest,
        books: dict[str, Book],
        board: Board,
        *,
        interval_s: float,
        stop: threading.Event,
        journal: Journal | None = None,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rest = rest
        self._board = board
        self._journal = journal or Journal()
        self._interval_s = interval_s
        self._stop = stop
        self._wall = wall
        self._clock = clock
        self._kicked = threading.Event()
        self._failures = 0
        self._hours: dict[str, Any] = {}
        self._hours_at = float("-inf")
        self.swept = {symbol: Swept(book) for symbol, book in books.items()}

    def run(self) -> None:
        """Sweep until stopped; no failure ends it."""
        while not self._stop.is_set():
            if self._kicked.is_set():
                self._bring_forward()
            try:
                self._round()
            except GexError as error:
                self._pause_after(error)
                continue
            except Exception:  # a bug must not end the feed: it is logged, and the next round tries again
                log.exception("the sweep failed")
                self._board.known_trouble("sweep", "outage", "(unexpected answer; see the log)")
                self._rest_until(self._clock() + self._interval_s)
                continue
            self._rest_until(min((swept.next_at for swept in self.swept.values()), default=float("inf")))

    def _bring_forward(self) -> None:
        self._kicked.clear()
        for swept in self.swept.values():
            swept.due_at = float("-inf")

    def follow(self, swept: Swept) -> None:
        """Read one more underlying, at once."""
        self.swept = {
            **self.swept,
            swept.book.symbol: swept,
        }  # a new one: another thread may look through the old
        self.kick()

    def drop(self, symbol: str) -> None:
        """Read it no longer."""
        self.swept = {name: swept for name, swept in self.swept.items() if name != symbol}

    def kick(self) -> None:
        """Sweep again now: the stream has a gap to fill."""
        self._kicked.set()

    @property
    def open(self) -> bool:
        """Whether any of the markets is certainly open."""
        return any(swept.book.session == "open" for swept in self.swept.values())

    def tell_sessions(self) -> None:
        """Tell the books whether their markets are open now, from the hours read last.

        A market that opens is read again at once: what was read before it had no quotes, or old ones.
        """
        now = from_ms(self._now_ms())
        for symbol, swept in self.swept.items():
            product = "IND" if symbol in INDICES else "EQO"
            session = session_at(self._hours, product, now)
            opens = swept.book.session == "closed" and session == "open"
            swept.book.set_session(session)
            if opens:
                self.kick()

    # --- one round --------------------------------------------------------------------------------

    def _round(self) -> None:
        """Read whoever's turn it is. An underlying that fails waits for a turn of its own; the others go on."""
        self._read_hours()
        began = self._clock()
        failed: set[str] = set()
        later: deque[tuple[Swept, Window]] = deque()
        begun: list[Swept] = []
        while self._begin(begun, later, failed):
            swept, window = later.popleft()
            if swept.book.symbol not in failed and self._follows(swept):
                with self._failing(swept, failed):
                    self._read(swept, window)
        for swept in begun:
            if swept.book.symbol not in failed:
                self._done(swept, began)
        self._failures = 0
        self._board.well("sweep")

    def _done(self, swept: Swept, began: float) -> None:
        slower = _CLOSED_SLOWER if swept.book.session == "closed" else 1
        refresh = self._clock() + seconds_to_refresh(from_ms(self._now_ms()))
        swept.succeeded(min(began + self._interval_s * slower, refresh))
        if not swept.unreadable:
            self._board.well(f"sweep:{swept.book.symbol}")

    def _begin(self, begun: list[Swept], later: deque[tuple[Swept, Window]], failed: set[str]) -> bool:
        """List what this round has not begun with: everything first, later who was followed meanwhile. False at the end."""
        for swept in [swept for swept in self._awake() if swept not in begun]:
            begun.append(swept)
            swept.unreadable = 0
            with self._failing(swept, failed):
                if self._list(swept):
                    later += [(swept, window) for window in self._near_first(swept)]
        return bool(later)

    def _follows(self, swept: Swept) -> bool:
        return self.swept.get(swept.book.symbol) is swept

    @contextmanager
    def _failing(self, swept: Swept, failed: set[str]) -> Iterator[None]:
        """Note a failure of one underlying. "Too many requests" and a refused login concern all, and end the round."""
        try:
            yield
        except RateLimited:
            raise
        except BrokerError as error:
            failed.add(swept.book.symbol)
            swept.failed(self._clock())
            self._board.trouble(f"sweep:{swept.book.symbol}", error, about=swept.book.symbol)

    def _awake(self) -> list[Swept]:
        now = self._clock()
        return [swept for swept in self.swept.values() if swept.is_due(now)]

    def _read_hours(self) -> None:
        if self._clock() - self._hours_at < _HOURS_EVERY_S:
            return
        try:
            self._hours = self._rest.markets()
            self._hours_at = self._clock()
        except BrokerError as error:
            log.warning("the market's hours could not be read: %s", error)
            if self._clock() - self._hours_at > _HOURS_GOOD_S:
                self._hours = {}

    def _list(self, swept: Swept) -> bool:
        """Read which expiries there are; False when Schwab doesn't know the symbol."""
        symbol = swept.book.symbol
        try:
            found = self._rest.expirations(symbol)
        except BrokerError as error:
            if error.status not in (400, 404):
                raise
            self._board.known_trouble(f"symbol:{symbol}", "unknown_symbol", f"({symbol})")
            swept.resting_until = self._clock() + _UNKNOWN_SYMBOL_EVERY_S
            return False
        if not found:
            self._board.known_trouble(f"symbol:{symbol}", "no_options", f"({symbol})")
            swept.resting_until = self._clock() + _UNKNOWN_SYMBOL_EVERY_S
            return False
        self._board.well(f"symbol:{symbol}")
        today = exchange_day(self._now_ms())
        before = swept.dates
        swept.listed = [expiration for expiration in found if expiration.expiry >= today]
        swept.keep_listed()
        kept = swept.dates | before  # one answer that leaves a date out may be a faulty one
        with self._journal.turn():
            self._journal.listed(symbol, kept, self._now_ms())
            swept.book.keep_expiries(kept)
        if swept.ready:  # else the first window tells
            swept.book.set_missing(swept.missing)
        return True

    def _near_first(self, swept: Swept) -> list[Window]:
        """Windows of this round. In the first, near ones are read here and now; the others are returned."""
        windows = cut(
            [(expiration.expiry, expiration.root) for expiration in swept.listed],
            _counted(swept.book),
            first_contracts=TARGET_CONTRACTS if swept.ready else FIRST_CONTRACTS,
        )
        horizon = exchange_day(self._now_ms()) + _NEAR
        near = [window for window in windows if window.first <= horizon] or windows[:1]
        if not swept.ready and self._is_all_there_is(swept, near):
            self._show(swept)
        if swept.ready:
            return swept.order(windows, self._now_ms() - round(self._interval_s * 1000))
        for window in swept.order(near, 0):
            self._read(swept, window)
        self._show(swept)
        return [window for window in windows if window not in near]

    def _is_all_there_is(self, swept: Swept, near: list[Window]) -> bool:
        """Whether what is missing of the first picture is only what Schwab fails on: the chain says that it is missing."""
        unread = {day for window in near for day in window.dates} - swept.read_ms.keys()
        return bool(swept.read_ms) and unread <= swept.troubled.keys()

    def _show(self, swept: Swept) -> None:
        swept.ready = True
        self._board.event("first_picture", f"{swept.book.symbol}: the nearest expiries are read")

    def _read(self, swept: Swept, window: Window) -> None:
        """One window, and a note where Schwab fails on it."""
        try:
            self._read_window(swept, window)
        except RateLimited:
            raise
        except BrokerError:
            swept.refused(window.dates, self._now_ms())
            raise

    def _read_window(self, swept: Swept, window: Window) -> None:
        """One window: asked for, cut in two where it is too big, merged into the book."""
        document = self._whole(swept.book.symbol, window)
        if document is not None:
            self._merge(swept, window, document)
        elif halves := window.halves():
            for half in halves:
                self._read(swept, half)
        else:
            self._merge(swept, window, self._by_side(swept.book.symbol, window))

    def _whole(self, symbol: str, window: Window) -> dict[str, Any] | None:
        """The window's document; None where it is too big for one answer, or comes cut short."""
        try:
            document = self._ask(symbol, window)
        except ResponseTooBig:
            return None
        return None if is_cut(document) else document

    def _by_side(self, symbol: str, window: Window) -> dict[str, Any]:
        """A single date's document, its calls and its puts asked for apart."""
        calls, puts = (self._ask(symbol, window, side) for side in ("CALL", "PUT"))
        cut = is_cut(calls) or is_cut(puts)
        return calls | {"putExpDateMap": puts.get("putExpDateMap"), "isChainTruncated": cut}

    def _ask(self, symbol: str, window: Window, side: str = "ALL") -> dict[str, Any]:
        """The window's document. "Too many requests" is waited out once; every other failure ends the round."""
        try:
            return self._rest.chain(symbol, window.first, window.last, side)
        except RateLimited as error:
            self._board.trouble("sweep", error)
            if self._stop.wait(error.retry_after_s):
                raise
        return self._rest.chain(symbol, window.first, window.last, side)

    def _merge(self, swept: Swept, window: Window, document: dict[str, Any]) -> None:
        now_ms = self._now_ms()
        rejected: Counter[str] = Counter()
        try:
            chain = parse_chain_json(document, rejected=rejected, as_of_ms=now_ms, source=swept.book.source)
        except DataError as error:  # this window keeps its age; the others go on
            swept.unreadable += 1
            self._board.reject({"chain_unreadable": 1})
            self._board.trouble(f"sweep:{swept.book.symbol}", error, about=swept.book.symbol)
            return
        finally:
            self._board.reject({f"chain_{reason}": count for reason, count in rejected.items()})
        unsettled = replace(chain.take(chain.contracts.settle_ms > now_ms), rejected=dict(rejected))
        with self._journal.turn():
            self._journal.chain(swept.book.symbol, window.first, window.last, document, now_ms)
            swept.book.merge(unsettled, window.first, window.last)
        if not is_cut(document):
            swept.read(window.dates, now_ms)
        swept.book.set_missing(swept.missing)

    # --- waiting ----------------------------------------------------------------------------------

    def _pause_after(self, error: GexError) -> None:
        if self._stop.is_set():
            return
        if isinstance(error, SignInNeeded):
            self._stop.wait(1.0)  # the stream's thread sees to the login
            return
        self._board.trouble("sweep", error)
        wait = full_jitter(self._failures + 2, random.uniform(0.5, 1))
        if isinstance(error, AuthError):
            wait = _AUTH_PAUSE_S
        elif isinstance(error, RateLimited):
            wait = max(wait, error.retry_after_s)
        self._failures += 1
        self._rest_until(self._clock() + wait)

    def _rest_until(self, moment: float) -> None:
        while not self._stop.is_set() and not self._kicked.is_set():
            left = moment - self._clock()
            if left <= 0:
                return
            self._kicked.wait(min(left, 0.2))

    def _now_ms(self) -> int:
        return round(self._wall() * 1000)


def _counted(book: Book) -> dict[date, int]:
    """Contracts by expiry date that the book holds."""
    days, counts = np.unique(book.contracts.expiry, return_counts=True)
    return dict(zip(days.tolist(), counts.tolist(), strict=True))
