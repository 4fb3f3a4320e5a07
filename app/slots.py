"""One small value that several processes share and lock, in a file; app.cache.slot keeps the same in Redis."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from app.errors import AuthError

_LOCK_TIMEOUT_S = 30.0


class Slot(Protocol):
    """Where one small value lives, shared by processes."""

    def read(self) -> bytes | None:
        """The value; None when there is none."""

    def write(self, value: bytes) -> None:
        """Replace the value; readers see the old or the new one, never a part."""

    def delete(self) -> None:
        """Remove the value, if any."""

    def lock(self) -> AbstractContextManager[object]:
        """Exclusive among all processes and threads that share the slot; released when its holder dies."""


class FileSlot:
    """A slot in a file that only its owner can read (0600), replaced atomically.

    Raises AuthError when the file can't be used; `what` names it there.
    """

    def __init__(self, path: Path, what: str = "login") -> None:
        self._path = path
        self._what = what

    def read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuthError(f"The {self._what} file can't be read: {error}.") from error

    def write(self, value: bytes) -> None:
        try:
            private_folder(self._path.parent)
            os.replace(temporary(self._path, value), self._path)
        except OSError as error:
            raise AuthError(
                f"The {self._what} can't be stored: {error}.", cure="Make DATA_DIR writable."
            ) from error

    def delete(self) -> None:
        self._path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        private_folder(self._path.parent)
        handle = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._flock(handle)
            yield
        finally:
            os.close(handle)  # which also unlocks

    def _flock(self, handle: int) -> None:
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise AuthError(
                        f"Another process holds the lock of the {self._what} and doesn't let go."
                    ) from None
                time.sleep(0.02)


def private_folder(folder: Path) -> None:
    """Make a folder for its owner alone, unless it is there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def temporary(path: Path, value: bytes) -> str:
    """A new file beside `path` (0600) that holds the value, safe on the disk."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # created 0600
    with os.fdopen(handle, "wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    return name
