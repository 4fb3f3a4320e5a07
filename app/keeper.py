"""The process that keeps what runs beside the web workers: embedded Redis, simulator, callback listener, own feed.

gunicorn's master may not hold threads when it forks, and its main loop has no place for looking after others; so this
small child of it does. It starts again what ends on its own, with growing pauses, and nothing it started outlives it.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson

from app.cache.embedded import EmbeddedRedis
from app.errors import CacheError
from app.log import configure
from app.processes import end, spawn
from app.settings import get_settings

log = logging.getLogger(__name__)

READY = b"ready\n"
STABLE_S = 10.0
_POLL_S = 0.2
_END_S = 2.0


@dataclass(frozen=True)
class Plan:
    """What to keep.

    Attributes:
        redis_folder: where an embedded Redis has its socket; "" for none.
        commands: a command line by name.
    """

    redis_folder: str = ""
    commands: dict[str, list[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.redis_folder or self.commands)

    def to_argument(self) -> str:
        return orjson.dumps(self).decode()

    @classmethod
    def from_argument(cls, text: str) -> Plan:
        return cls(**orjson.loads(text))


def pause_s(failures: int) -> float:
    """How long to wait before the start after so many failures in a row: 0.5 s, doubling up to half a minute."""
    return min(0.5 * 2.0 ** min(failures - 1, 10), 30.0)


class Kept:
    """A child that is started again when it ends."""

    def __init__(
        self,
        name: str,
        start: Callable[[], subprocess.Popen[bytes]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._start = start
        self._clock = clock
        self._failures = 0
        self._due_at: float | None = None
        self._started_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. Raises CacheError or OSError."""
        self._started_at = self._clock()
        self._due_at = None
        self.process = self._start()

    def tend(self) -> None:
        """Notice its end, and start it again when its pause is over."""
        if self._due_at is not None:
            if self._clock() >= self._due_at:
                self._restart()
        elif self.process is None or self.process.poll() is not None:
            code = "" if self.process is None else f" with exit code {self.process.returncode}"
            self._failed(f"ended{code}")

    def _restart(self) -> None:
        try:
            self.start()
        except (CacheError, OSError) as error:
            self._failed(f"does not start: {error}")

    def _failed(self, what: str) -> None:
        stable = self._clock() - self._started_at >= STABLE_S
        self._failures = 1 if stable else self._failures + 1
        pause = pause_s(self._failures)
        self._due_at = self._clock() + pause
        log.warning("the %s %s; it is started again in %g s", self.name, what, pause)


def main(plan: Plan) -> int:
    """Keep everything until SIGTERM. Says "ready" on stdout when Redis answers; 1 with a line on stderr if it can't."""
    stopping: list[int] = []
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda number, _: stopping.append(number))
    redis = EmbeddedRedis(Path(plan.redis_folder)) if plan.redis_folder else None
    kept = [Kept(name, partial(_spawn, command)) for name, command in plan.commands.items()]
    try:
        if redis is not None:
            kept.insert(0, Kept("embedded Redis", partial(_start_redis, redis)))
        for child in kept:
            child.start()
        sys.stdout.buffer.write(READY)
        sys.stdout.buffer.flush()
        while not stopping:
            time.sleep(_POLL_S)
            for child in kept:
                child.tend()
    except BrokenPipeError:  # whoever waits for the word has ended meanwhile
        return 1
    except (CacheError, OSError) as error:
        log.error("%s %s", error, getattr(error, "cure", ""))
        return 1
    finally:
        _end_all([child.process for child in kept if child.process is not None], redis)
    return 0


def _spawn(command: list[str]) -> subprocess.Popen[bytes]:
    return spawn(command, output=sys.stderr.fileno())


def _start_redis(redis: EmbeddedRedis) -> subprocess.Popen[bytes]:
    redis.start()
    assert redis.process is not None  # noqa: S101 - start() raises otherwise
    return redis.process


def _end_all(processes: list[subprocess.Popen[bytes]], redis: EmbeddedRedis | None) -> None:
    """All at once, Redis last: the others still write to it while they end."""
    others = [process for process in processes if redis is None or process is not redis.process]
    for process in others:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
    deadline = time.monotonic() + _END_S
    for process in others:
        end(process, max(0.05, deadline - time.monotonic()))
    if redis is not None:
        redis.stop()


if __name__ == "__main__":
    _settings = get_settings()
    configure(_settings.log_level, _settings.log_format, _settings.secrets())
    sys.exit(main(Plan.from_argument(sys.argv[1])))
