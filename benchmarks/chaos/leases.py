"""Row 9: a leader that sleeps through its lease and wakes up believing that it still leads."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.cache import open_store
from app.feed.lease import TTL_S
from benchmarks.chaos.rig import Site, percentile, seconds_until, site, status
from benchmarks.chaos.rows import Outcome, row
from tests.support import ROOT, clean_environment, eventually

_SHORT_S = 0.6


@row(
    9,
    "leader stopped for twice its lease, then resumed, 200 times",
    "0 stale writes accepted; take-over within lease + 1 s",
)
def sleepers(quick: bool) -> Outcome:
    """Two feeds of one login; most rounds with a short lease, for there are many, the rest with the real one."""
    rounds = ((_SHORT_S, 3 if quick else 190), (TTL_S, 1 if quick else 10))
    said, fine = [], True
    for lease_s, times in rounds:
        late, stale, slowest = _rounds(lease_s, times)
        fine = fine and not stale and slowest <= lease_s + 1
        said.append(
            f"lease {lease_s:g} s, {times} times: {stale} stale writes, take-over p50 {statistics.median(late):.2f} s, "
            f"p95 {percentile(late, 0.95):.2f} s, longest {slowest:.2f} s"
        )
    return Outcome("; ".join(said), fine)


def _rounds(lease_s: float, times: int) -> tuple[list[float], int, float]:
    with site("--symbols", "AAPL", "--rate-limit", "0") as made, feeders(made, lease_s):
        eventually(lambda: made.store.version("AAPL") is not None, 60, "a chain is published")
        with Watch(made) as watch:
            took = [_round(made, lease_s) for _ in range(times)]
    return took, watch.stale, max(took)


def _round(made: Site, lease_s: float) -> float:
    """Stop whoever leads for twice the lease; seconds until another has written."""
    sleeper = leader(made)
    os.kill(sleeper, signal.SIGSTOP)
    began = time.monotonic()
    try:
        took = seconds_until(lambda: leader(made) != sleeper, 10 * lease_s + 10, "another takes over")
        time.sleep(max(0.0, began + 2 * lease_s - time.monotonic()))
    finally:
        os.kill(sleeper, signal.SIGCONT)
    time.sleep(0.4)  # long enough for whatever it was about to write
    return took


def leader(made: Site) -> int:
    """The process that the status names."""
    return int(status(made.store).leader.rpartition(":")[2])


class Watch:
    """Looks at who wrote last, all the time: a writer of an earlier epoch after a later one is a stale write.

    Status and chain are looked at a hundred times a second; the right leader writes over a stale one four times.
    """

    def __init__(self, made: Site) -> None:
        self._store = open_store(made.redis.url, embedded=True)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._newest = {"chain": 0, "status": 0}
        self._leaders: dict[str, int] = {}
        self.stale = 0

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._store.close()

    def _run(self) -> None:
        while not self._over.wait(0.01):
            version = self._store.version("AAPL")
            if version is not None:
                self._note("chain", version.epoch)

    def _note(self, what: str, epoch: int) -> None:
        self.stale += epoch < self._newest[what]
        self._newest[what] = max(self._newest[what], epoch)


@contextmanager
def feeders(made: Site, lease_s: float) -> Iterator[None]:
    """Two processes that contend."""
    environment = clean_environment(**made.environment(SYMBOLS="AAPL", SWEEP_INTERVAL_S="3600"))
    command = [sys.executable, "-m", "benchmarks.chaos.feeder", str(lease_s)]
    with ExitStack() as stack:
        log = stack.enter_context((made.data / "feeders.log").open("ab"))
        for _ in range(2):
            child = subprocess.Popen(  # noqa: S603 - our own module
                command, cwd=ROOT, env=environment, stdout=log, stderr=log
            )
            stack.callback(_end, child)
        yield


def _end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGCONT)
    child.terminate()
    try:
        child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
