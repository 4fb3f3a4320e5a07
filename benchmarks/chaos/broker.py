"""Row 15: what Schwab's REST side answers on bad days."""

from __future__ import annotations

import contextlib
import time

from benchmarks.chaos.rig import Site, seconds_until, site, status, streams
from benchmarks.chaos.rows import Outcome, row
from tests.feeding import oauth_at
from tests.feeding import sign_in as sign_in_again
from tests.support import eventually

_FAULTS = {"429": 429, "401": 401, "403 HTML": 403, '502 "Body buffer overflow"': 502, "500": 500, "503": 503}


@row(
    15,
    'Schwab answers 429, 401, 403 HTML, 502 "Body buffer overflow", 5xx',
    "each recovers without a person, except a dead refresh token",
)
def bad_days(quick: bool) -> Outcome:
    """Every answer of every path fails for a while, at the start and in mid-run, the stream cut as well."""
    said, fine = [], True
    with site("--symbols", "AAPL", "--rate-limit", "0") as made:
        for name, code in _FAULTS.items():
            start = _at_the_start(made, code, 4 if quick else 10)
            said.append(f"{name}: whole {start:.0f} s after its end")
        with made.feed(SYMBOLS="AAPL", SWEEP_INTERVAL_S="5"):
            for name, code in _FAULTS.items():
                seconds = _in_mid_run(made, code, 4 if quick else 10)
                said.append(f"{name} in mid-run: {seconds:.0f} s")
            dead = _dead_login(made)
            said.append(dead)
            fine = "login_expired" in dead
    return Outcome("; ".join(said), fine)


def _at_the_start(made: Site, code: int, seconds: float) -> float:
    """Seconds until all is there, from the end of the fault that a starting feed met."""
    made.schwab.fail(code)
    made.empty_redis()
    with contextlib.ExitStack() as stack:
        stack.callback(made.schwab.clear)
        stack.enter_context(made.feed(wait=False, SYMBOLS="AAPL", SWEEP_INTERVAL_S="5"))
        time.sleep(seconds)
        made.schwab.clear()
        return seconds_until(lambda: _well(made), 180, f"{code}: the chain is whole, nothing is wrong")


def _in_mid_run(made: Site, code: int, seconds: float) -> float:
    made.schwab.fail(code)
    made.schwab.cut("rst")
    time.sleep(seconds)
    made.schwab.clear()
    return seconds_until(lambda: _well(made), 180, f"{code}: live, nothing is wrong")


def _well(made: Site) -> bool:
    now = status(made.store)
    return now.state == "live" and now.problem is None and streams(made.store, "AAPL")


def _dead_login(made: Site) -> str:
    """It must not recover by itself, but as soon as a person has signed in."""
    made.schwab.expire("refresh")
    made.schwab.expire("access")
    made.schwab.cut("rst")
    eventually(lambda: status(made.store).state == "signed_out", 30)
    problem = status(made.store).problem
    assert problem is not None
    sign_in_again(oauth_at(made.url, made.data))
    seconds = seconds_until(lambda: _well(made), 60, "it goes on")
    return f"dead refresh token: {problem.code}, live {seconds:.0f} s after somebody signs in"
