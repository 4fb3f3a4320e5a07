"""Brings recorded moments to the cache and to the disk, in a thread of its own, and keeps the folder in order."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa

from app.cache.base import Store
from app.errors import CacheError, HistoryError, StaleWriter
from app.feed.observer import Seat
from app.history import tail
from app.history.files import DayFolder, Folder, read_file
from app.history.row import START, Key, day_of
from app.market.calendar import EXCHANGE_TZ, close_time, exchange_day, from_ms

log = logging.getLogger(__name__)

_MERGE_AT = 30  # loose files of a day
_WAITING_MOST = 4000  # moments: some 120 MB
_RETRY_S = 5.0
_CLOSE_S = 1.5
_HOUSEKEEPING_MS = 60_000
_RETENTION_MS = 3_600_000
_QUIET_MS = 15 * 60_000
MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be kept; 0 is no limit.

    Attributes:
        days: trading days older than this are deleted.
        max_mb: the oldest days are deleted while all of them take more.
        min_free_mb: nothing is written while the disk has less left.
    """

    days: int = 0
    max_mb: int = 0
    min_free_mb: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class _Moment:
    symbol: str
    key: Key
    batch: pa.RecordBatch


@dataclass(frozen=True, eq=False, slots=True)
class _Known:
    """What is known of a day on disk: its moments, and what its loose files hold of those that were written here."""

    keys: set[Key]
    loose: dict[Path, pa.RecordBatch] = field(default_factory=dict)

    def read(self, file: Path) -> pa.Table:
        """What a file holds."""
        batch = self.loose.get(file)
        return read_file(file) if batch is None else pa.Table.from_batches([batch])


class Writer:
    """Takes moments with `put` and returns at once.

    A moment goes to the cache first, which refuses it where another leader has recorded it; then to the disk. What either
    can't take now waits, in order.
    """

    def __init__(self, folder: Folder, store: Store, seat: Seat, limits: Limits) -> None:
        self._folder = folder
        self._store = store
        self._seat = seat
        self._limits = limits
        self._unsent: deque[_Moment] = deque()
        self._unwritten: deque[_Moment] = deque()
        self._news = threading.Condition()
        self._over = False
        self._now_ms = self._kept_ms = self._retained_ms = 0
        self._swept: set[DayFolder] = set()
        self._known: dict[DayFolder, _Known] = {}
        self._thread = threading.Thread(target=self._run, name="history-write", daemon=True)
        self._thread.start()

    def put(self, symbol: str, key: Key, batch: pa.RecordBatch) -> None:
        """Record a moment."""
        with self._news:
            self._unsent.append(_Moment(symbol, key, batch))
            self._news.notify()

    def catch_up(self, symbol: str, moments: tail.Moments) -> None:
        """Write to this disk what leaders on other machines have recorded."""
        with self._news:
            self._unwritten.extend(_Moment(symbol, key, batch) for key, batch in moments.items())
            self._news.notify()

    def tick(self, now_ms: int) -> None:
        """What time it is, twice a minute or oftener."""
        with self._news:
            self._now_ms = now_ms
            if self._is_house_due():
                self._news.notify()

    def close(self) -> None:
        """Write what waits and end, within 1.5 s."""
        with self._news:
            self._over = True
            self._news.notify()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        refused = False
        while not self._over:
            with self._news:
                if not self._over and (refused or not self._unsent) and not self._is_house_due():
                    self._news.wait(_RETRY_S if self._unsent or self._unwritten else None)
            try:
                refused = not self._send()
                self._write()
                self._keep_house()
            except Exception:  # a bug must not end the recording of what follows
                log.exception("recording failed")
        self._send()
        self._write()

    # --- to the cache -----------------------------------------------------------------------------

    def _send(self) -> bool:
        """Give the cache what it has not; False while it is away, when asking again at once would be of no use."""
        while self._unsent:
            moment = self._unsent[0]
            try:
                added = tail.append(self._store, moment.symbol, moment.key, moment.batch, self._seat.epoch)
            except StaleWriter:
                log.warning("another leader records now: %s is left to it", moment.key)
                self._unsent.popleft()
                continue
            except CacheError:
                self._write_unsent()
                return False
            self._unsent.popleft()
            if added and not self._holds(moment):
                self._unwritten.append(moment)
        return True

    def _write_unsent(self) -> None:
        """While the cache is away nobody else can take over: the disk must not wait for it."""
        with self._news:
            for moment in self._unsent:
                if moment not in self._unwritten and not self._holds(moment):
                    self._unwritten.append(moment)
            while len(self._unsent) > _WAITING_MOST:
                self._unsent.popleft()

    # --- to the disk ------------------------------------------------------------------------------

    def _write(self) -> None:
        while self._unwritten:
            moment = self._unwritten[0]
            try:
                self._require_space()
                day = self._folder.day(moment.symbol, day_of(moment.key))
                known = self._known_of(day)
                if moment.key not in known.keys:
                    known.loose[day.write(moment.key, moment.batch)] = moment.batch
                    known.keys.add(moment.key)
                if len(day.loose()) >= _MERGE_AT:
                    day.merge(known.read)
                    known.loose.clear()
            except OSError as error:
                self._tell(error)
                self._forget_oldest()
                return
            self._unwritten.popleft()
        self._seat.well("history")

    def _holds(self, moment: _Moment) -> bool:
        return moment.key in self._known_of(self._folder.day(moment.symbol, day_of(moment.key))).keys

    def _known_of(self, day: DayFolder) -> _Known:
        """Where the disk can't be read its moments are written again, and readers take one of the two."""
        if day not in self._known:
            self._known = {kept: known for kept, known in self._known.items() if kept.symbol != day.symbol}
            try:
                self._known[day] = _Known(day.keys())
            except (OSError, pa.ArrowException):
                self._known[day] = _Known(set())
        return self._known[day]

    def _require_space(self) -> None:
        """Raises OSError while the disk has less left than it should."""
        self._folder.path.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._folder.path).free < self._limits.min_free_mb * MB:
            raise OSError(errno.ENOSPC, f"less than {self._limits.min_free_mb} MB are left")

    def _tell(self, error: OSError) -> None:
        trouble = HistoryError(
            f"The history can't be written: {error.strerror or error}.",
            cure="Free space, or permit writing, in the folder history of DATA_DIR; HISTORY_DAYS and HISTORY_MAX_MB limit "
            "what it takes. Rows wait in memory meanwhile.",
        )
        trouble.code = "history_unwritable"
        self._seat.trouble("history", trouble)

    def _forget_oldest(self) -> None:
        lost = len(self._unwritten) - _WAITING_MOST
        if lost > 0:
            for _ in range(lost):
                self._unwritten.popleft()
            self._seat.event("history_lost", f"{lost} recorded moments could not be kept any longer")

    # --- order ------------------------------------------------------------------------------------

    def _is_house_due(self) -> bool:
        """Whether it is time to put the folder in order, and nothing waits that has to be written before."""
        kept = 0 <= self._now_ms - self._kept_ms < _HOUSEKEEPING_MS
        return self._now_ms > 0 and not kept and not self._unwritten

    def _keep_house(self) -> None:
        if not self._is_house_due():
            return
        now_ms = self._kept_ms = self._now_ms
        today = exchange_day(now_ms)
        try:
            for day in self._folder.all_days():
                if day not in self._swept:
                    day.sweep()
                    self._swept.add(day)
                if _over(day, now_ms, today) and day.files() and not day.compacted:
                    day.compact()
            if not 0 <= now_ms - self._retained_ms < _RETENTION_MS:
                self._retained_ms = now_ms
                self._retain(today)
        except (OSError, pa.ArrowException) as error:
            log.warning("the history's folder can't be put in order: %s", error)

    def _retain(self, today: date) -> None:
        """Delete what is too old, and the oldest days of what is too much; never today's."""
        days = [day for day in self._folder.all_days() if day.day < today]
        oldest = today - timedelta(days=self._limits.days)
        for day in days:
            if self._limits.days and day.day < oldest:
                self._folder.remove(day)
        if not self._limits.max_mb:
            return
        sizes = [(day, day.bytes()) for day in self._folder.all_days()]
        total = sum(size for _, size in sizes)
        for day, size in sizes:
            if total <= self._limits.max_mb * MB or day.day >= today:
                break
            self._folder.remove(day)
            total -= size
            self._seat.event("history_trimmed", f"{day.symbol} {day.day}: deleted, HISTORY_MAX_MB is reached")


def _over(day: DayFolder, now_ms: int, today: date) -> bool:
    """Whether nothing more is to come: the day has passed, or its session has ended and nothing came since."""
    if day.day < today:
        return True
    now = from_ms(now_ms).astimezone(EXCHANGE_TZ)
    if day.day > today or now.time() <= close_time(day.day):
        return False
    return now_ms - max(day.keys(), default=START).slot_ms > _QUIET_MS
