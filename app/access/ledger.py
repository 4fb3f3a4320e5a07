"""Short lists that the owner keeps: sessions, API keys, share links."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from app.errors import CacheError
from app.slots import Slot

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    R = TypeVar("R", bound=DataclassInstance)
else:
    R = TypeVar("R")

log = logging.getLogger(__name__)


class Ledger(Generic[R]):
    """A list of records in one slot, shared by all processes. While the cache is away, the list as it was last read.

    A value that somebody else wrote there counts as an empty list.

    Args:
        slot: where it is kept.
        kind: the records' dataclass.
        what: the records' name in an error.
    """

    def __init__(self, slot: Slot, kind: type[R], what: str) -> None:
        self._slot = slot
        self._kind = kind
        self._what = what
        self._last: tuple[bytes | None, list[R]] | None = None
        self._lock = threading.Lock()

    def all(self) -> list[R]:
        """Every record, oldest first. Raises CacheError when they can't be read and never were."""
        try:
            return self._read(self._slot.read())
        except CacheError:
            if self._last is None:
                raise
            return self._remembered()

    def find(self, matches: Callable[[R], bool]) -> R | None:
        """The first record that matches. Raises CacheError when it isn't known and the cache can't be asked."""
        try:
            data, away = self._slot.read(), None
        except CacheError as error:
            data, away = None, error
        known = self._remembered() if away else self._read(data)
        found = next(filter(matches, known), None)
        if found is None and away:
            raise away
        return found

    @contextmanager
    def change(self) -> Iterator[list[R]]:
        """The records, to be changed in place; written when the block ends. Raises CacheError."""
        with self._slot.lock():
            records = self._parse(self._slot.read())
            yield records
            self._slot.write(msgspec.json.encode(records))

    def _read(self, data: bytes | None) -> list[R]:
        with self._lock:
            if self._last is None or self._last[0] != data:
                self._last = data, self._parse(data)
            return self._last[1]

    def _remembered(self) -> list[R]:
        with self._lock:
            return self._last[1] if self._last else []

    def _parse(self, data: bytes | None) -> list[R]:
        if data is None:
            return []
        try:
            return msgspec.json.decode(data, type=list[self._kind])  # type: ignore[name-defined]
        except (msgspec.DecodeError, ValueError, RecursionError):
            log.error("the stored %s can't be read and count as none", self._what)
            return []
