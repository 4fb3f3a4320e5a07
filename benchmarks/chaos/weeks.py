"""Rows 11 and 14: a week of the login on a clock of our own, and a week of ticks."""

from __future__ import annotations

import gc
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import psutil

from app.cache.embedded import EmbeddedRedis
from app.cache.redis_store import RedisStore
from app.cache.results import Results
from app.cache.slot import RedisSlot
from app.errors import CacheError
from app.schwab.frames import decode_frame
from app.schwab.oauth import OAuth
from app.schwab.tokens import REFRESH_LIFE_S, TokenCipher, TokenStore
from benchmarks.chain import STREAMED_KEYS, book, contents
from benchmarks.chaos.rows import Outcome, row

WORKERS = 4
ACCESS_LIFE_S, STEP_S = 1800.0, 60.0
SESSION_S, SESSIONS = 23_400, 5
PUBLISHED_EVERY, READ_EVERY = 10, 1000  # frames: one comes each second


class Endpoint:
    """Schwab's token endpoint on a clock of our own, counting who asks at the same time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.asked = self.inside = self.most_inside = 0
        self.good_until: dict[str, float] = {}

    def exchange(self, *_: object) -> dict[str, Any]:
        return self._issue()

    def refresh(self, *_: object) -> dict[str, Any]:
        with self._lock:
            self.asked += 1
            self.inside += 1
            self.most_inside = max(self.most_inside, self.inside)
        time.sleep(0.005)
        with self._lock:
            self.inside -= 1
            return self._issue()

    def _issue(self) -> dict[str, Any]:
        token = f"access-{len(self.good_until)}"
        self.good_until[token] = self._clock() + ACCESS_LIFE_S
        return {"access_token": token, "refresh_token": "refresh", "expires_in": ACCESS_LIFE_S}


@row(
    11,
    "7 days on an injected clock",
    "336 refreshes, one at a time across workers, no gap; banner a day before the end",
)
def week_of_logins(quick: bool) -> Outcome:
    """Workers with nothing in common but Redis ask for the access token every minute of a week."""
    now = [1_790_000_000.0]
    endpoint = Endpoint(lambda: now[0])
    days = 1 if quick else 7
    gaps: list[float] = []
    with EmbeddedRedis() as server:
        stores = [RedisStore(server.url) for _ in range(WORKERS)]
        workers = [_worker(store, endpoint, lambda: now[0]) for store in stores]
        workers[0].exchange("code")
        steps = round(days * 86_400 / STEP_S) - 1
        barrier = threading.Barrier(WORKERS, action=lambda: now.__setitem__(0, now[0] + STEP_S))

        def work(oauth: OAuth) -> None:
            for _ in range(steps):
                barrier.wait()
                token = oauth.access_token()
                if endpoint.good_until[token] <= now[0]:
                    gaps.append(now[0])

        threads = [threading.Thread(target=work, args=(oauth,)) for oauth in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for store in stores:
            store.close()
    least = round(days * 86_400 / ACCESS_LIFE_S)
    most = round(days * 86_400 / (ACCESS_LIFE_S - 300 - STEP_S)) + 1
    return Outcome(
        f"{endpoint.asked} refreshes by {WORKERS} workers, at most {endpoint.most_inside} at a time, {len(gaps)} gaps",
        least - 1 <= endpoint.asked <= most and endpoint.most_inside == 1 and not gaps,
        f"tokens of 30 minutes are renewed 5 minutes ahead, so every 25: {days} days need {days * 86_400 // 1500}; the "
        f"banner is a test of its own (tests/integration/test_feed_live.py); a login lasts {REFRESH_LIFE_S // 86_400} days",
    )


def _worker(store: RedisStore, endpoint: Endpoint, clock: Callable[[], float]) -> OAuth:
    cipher = TokenCipher(["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="])
    oauth = OAuth(
        "k" * 32, "s" * 16, "https://127.0.0.1", TokenStore(RedisSlot(store, "login"), cipher), clock=clock
    )
    oauth._endpoint = endpoint  # type: ignore[assignment]
    return oauth


@row(
    14,
    "a week of ticks replayed",
    "memory growth under 5 % after warm-up; threads and file descriptors constant",
)
def week_of_ticks(quick: bool) -> Outcome:
    """Five sessions, a frame of 100 contents for each second: decoded, written, published, read and computed."""
    seconds = SESSION_S * SESSIONS // (20 if quick else 1)
    dice = random.Random(14)
    frames = [_frame(dice) for _ in range(200)]
    process = psutil.Process()
    with EmbeddedRedis() as server:
        writer, reader = RedisStore(server.url), RedisStore(server.url)
        results, target = Results(reader), book()
        warm: tuple[float, int, int] | None = None
        for second in range(seconds):
            target.apply(decode_frame(frames[second % len(frames)]).options, 1_790_000_000_000 + second)
            with suppress(CacheError):  # a busy machine: the next publication makes up for it, as in the feed
                if second % PUBLISHED_EVERY == 0:
                    writer.publish(target.snapshot(1_790_000_000_000 + second), 1)
                    reader.load("SPX")
                if second % READ_EVERY == 0:
                    results.get("SPX")
            if second == seconds // 10:
                warm = _held(process)
        after = _held(process)
        writer.close()
        reader.close()
    assert warm is not None
    growth = after[0] / warm[0] - 1
    return Outcome(
        f"memory {warm[0] / 2**20:.0f} MB after warm-up, {after[0] / 2**20:.0f} MB at the end ({growth:+.1%}); "
        f"threads {warm[1]} and {after[1]}, descriptors {warm[2]} and {after[2]}",
        growth < 0.05 and warm[1:] == after[1:],
        f"{seconds:,} frames, {seconds * 100:,} contents, accelerated; published every {PUBLISHED_EVERY} frames",
    )


def _frame(dice: random.Random) -> bytes:
    found = contents(dice.sample(STREAMED_KEYS, 100), 8, dice)
    body = {"service": "LEVELONE_OPTIONS", "timestamp": 1, "command": "SUBS", "content": found}
    return orjson.dumps({"data": [body]})


def _held(process: psutil.Process) -> tuple[float, int, int]:
    gc.collect()
    return float(process.memory_info().rss), process.num_threads(), len(list(Path("/proc/self/fd").iterdir()))
