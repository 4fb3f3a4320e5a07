"""The product as a user starts it: `python -m app run` with everything below it, ended by its own process ids."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support import ROOT, clean_environment, eventually, free_port

END_S = 10.0


@dataclass
class Running:
    """A server that was started as a user starts it."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, timeout=5)

    def serves(self, path: str = "/api/v1/health/live") -> bool:
        assert self.process.poll() is None, self.log.read_text()
        return self.get(path).ok


@contextlib.contextmanager
def started(
    folder: Path, *arguments: str, command: list[str] | None = None, port: int = 0, **settings: str
) -> Iterator[Running]:
    """The product with these settings, on a free port unless one is given; everything below it ends with the block."""
    port = port or free_port()
    log = folder / "log"
    environment = clean_environment(
        PORT=str(port), DATA_DIR=str(folder / "data"), PYTHONPATH=str(ROOT), **settings
    )
    with log.open("ab") as out:
        process = subprocess.Popen(
            command or [sys.executable, "-m", "app", *(arguments or ("run",))],
            cwd=folder,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Running(process, port, log)
    except BaseException:
        sys.stderr.write(log.read_text())  # which pytest shows with the failure
        raise
    finally:
        below = descendants(process.pid)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        for pid in filter(alive, below):
            os.kill(pid, signal.SIGKILL)
        process.wait()


def descendants(pid: int) -> list[int]:
    """The process and all below it, parents first."""
    found = [pid]
    for parent in found:
        found += children(parent)
    return found


def children(pid: int) -> list[int]:
    """The processes that this one started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def names(pids: list[int]) -> list[str]:
    return [
        f"{pid} {Path(f'/proc/{pid}/cmdline').read_text().replace(chr(0), ' ')[:90]}"
        for pid in pids
        if alive(pid)
    ]


def ended(pids: list[int]) -> float:
    """Seconds until all have ended; fails when they take too long."""
    began = time.monotonic()
    eventually(lambda: not any(map(alive, pids)), END_S, f"all ended, left: {names(pids)}")
    return time.monotonic() - began
