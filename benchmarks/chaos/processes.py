"""Row 10: workers and masters that end, in order or not, while they are being asked."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from benchmarks.chaos.rig import Answer, Load, Site, seconds_until, site, status, streams
from benchmarks.chaos.rows import Outcome, row
from tests.product import Running, alive
from tests.support import eventually

_PER_S = 40.0


@row(
    10,
    "SIGTERM and SIGKILL of a worker and of the master under load",
    "SIGTERM: 0 failed requests, over within 10 s; SIGKILL: feed back within 6 s",
)
def ends(quick: bool) -> Outcome:
    """Always the worker that feeds; a master's feed is taken over by a second server on the same Redis."""
    times = 1 if quick else 5
    with site("--symbols", "SPX", "--rate-limit", "0") as made:
        with made.server(SYMBOLS="SPX") as server:
            term = [_worker(made, server, signal.SIGTERM) for _ in range(times)]
            kill = [_worker(made, server, signal.SIGKILL) for _ in range(times)]
        masters = [_master(made, signal.SIGTERM) for _ in range(1 if quick else 3)]
        killed = [_master(made, signal.SIGKILL) for _ in range(1 if quick else 3)]
    failed = [answer for found in term for answer in found[1]] + [a for found in masters for a in found[1]]
    measured = (
        f"worker SIGTERM {times} times: {sum(len(found[1]) for found in term)} failed of "
        f"{sum(found[2] for found in term)} requests, feed back after {max(found[0] for found in term):.1f} s at most; "
        f"worker SIGKILL: feed back after {max(found[0] for found in kill):.1f} s at most, "
        f"{sum(len(found[1]) for found in kill)} of {sum(found[2] for found in kill)} requests lost; "
        f"master SIGTERM {len(masters)} times: {sum(len(found[1]) for found in masters)} failed, over after "
        f"{max(found[2] for found in masters):.1f} s, logged out and lease free; master SIGKILL: another server feeds after "
        f"{max(found[0] for found in killed):.1f} s at most"
    )
    slowest = max(found[0] for found in [*kill, *killed])
    fine = not failed and slowest <= 6 and max(found[2] for found in masters) <= 10
    return Outcome(measured, fine, "; ".join(f"{a.path} {a.status} {a.failure}" for a in failed[:4]))


def _worker(made: Site, server: Running, signum: signal.Signals) -> tuple[float, list[Answer], int]:
    """Seconds until another worker streams; what failed; how many requests there were."""
    eventually(lambda: len(workers(server)) == 2 and streams(made.store, "SPX"), 60, "both workers are there")
    load = Load(server.url, "SPX")
    before = leader(made)
    with load.going(per_s=_PER_S, threads=8):
        time.sleep(1.5)
        os.kill(before, signum)
        took = seconds_until(lambda: _feeds(made, before), 30, "another worker feeds")
        eventually(lambda: not alive(before), 15, "the worker has ended")
        time.sleep(1.5)
    return took, [*load.unanswered, *load.refused], len(load.answers)


def _master(made: Site, signum: signal.Signals) -> tuple[float, list[Answer], float]:
    """Seconds until the second server feeds; what failed; seconds until the first was gone."""
    with made.server(SYMBOLS="SPX") as first, made.server(SYMBOLS="SPX"):
        before = leader(made)
        ours = workers(first)
        assert before in ours, "the server that was first feeds"
        load = Load(first.url, "SPX")
        logouts = made.schwab.state()["commands"].get("ADMIN LOGOUT", 0)
        with load.going(per_s=_PER_S, threads=8):
            time.sleep(1.5)
            at = time.monotonic()
            first.process.send_signal(signum)
            took = seconds_until(lambda: _feeds(made, before), 30, "the other server feeds")
            eventually(lambda: not any(map(alive, ours)), 20, "its workers have ended")
        if signum == signal.SIGTERM:
            first.process.wait(15)
            gone = time.monotonic() - at
            assert made.schwab.state()["commands"].get("ADMIN LOGOUT", 0) == logouts + 1, "it has logged out"
        else:
            gone = 0.0
    # what was never accepted has not failed: nobody listens any more
    lost = [answer for answer in [*load.unanswered, *load.refused] if "refused" not in answer.failure]
    return took, lost, gone


def _feeds(made: Site, before: int) -> bool:
    """Whether somebody else feeds, live, and says so."""
    now = status(made.store)
    return leader(made) != before and now.state == "live" and streams(made.store, "SPX")


def leader(made: Site) -> int:
    """The process that the status names."""
    return int(status(made.store).leader.rpartition(":")[2])


def workers(server: Running) -> list[int]:
    """The web workers of a server."""
    task = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [pid for pid in map(int, task.split()) if b"gunicorn" in Path(f"/proc/{pid}/cmdline").read_bytes()]
