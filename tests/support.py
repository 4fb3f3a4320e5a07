"""What tests share: waiting without sleeping blindly, free ports, the real chains, and processes that are ended."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("GEX_TEST_DATA", ROOT.parent / "shared" / "data"))

T = TypeVar("T")


def eventually(predicate: Callable[[], T], timeout_s: float = 10.0, what: str = "") -> T:
    """The first true value of `predicate`, polled; fails after `timeout_s`. Exceptions of the last try are shown."""
    deadline = time.monotonic() + timeout_s
    last: Exception | None = None
    while True:
        try:
            value = predicate()
            if value:
                return value
            last = None
        except Exception as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what or predicate}") from last
        time.sleep(0.02)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def data_file(name: str) -> Path:
    """A real chain; skips the test, by name, where it is missing."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs the real chain {name} in {DATA}")
    return path


def clean_environment(**extra: str) -> dict[str, str]:
    """The environment without this project's settings, plus `extra`."""
    from app.settings import Settings

    names = {name.upper() for name in Settings.model_fields}
    kept = {key: value for key, value in os.environ.items() if key.upper() not in names}
    return {**kept, "PYTHONUNBUFFERED": "1", **extra}


@contextlib.contextmanager
def process(
    *arguments: str, env: dict[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m app ARGUMENTS` in the project's folder, ended by its own process id."""
    out = log.open("ab") if log else subprocess.DEVNULL
    child = subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=env or clean_environment(),
        stdout=out,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(5)
        if log:
            out.close()  # type: ignore[union-attr]
