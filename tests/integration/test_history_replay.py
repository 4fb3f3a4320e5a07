"""A tape replayed through a feed: at the tape's time, and with nothing refused that isn't wrong."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from app.cache import Store
from app.cache.memory import MemoryStore
from app.feed.service import Feed
from app.history.replay_server import serve
from app.history.stage import Stage, TapeClock, first_ms
from app.history.tape import Tape, lines
from app.market.calendar import to_ms
from app.simulator.commands import OPTIONS
from tests.feeding import Running, settings_at, signed_in_at
from tests.simulation import Broker, Stream, options_of, simulator_in_a_thread
from tests.support import eventually


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds of AAPL, nine days ago: some of its contracts have settled since."""
    folder, store = tmp_path_factory.mktemp("taped"), MemoryStore()
    start = datetime.now(UTC) - timedelta(days=9)
    arguments = ("--symbols", "AAPL", "--rate-limit", "0", "--tick", "0.2", "--start", start.isoformat())
    with simulator_in_a_thread(*arguments) as base:
        settings, oauth = settings_at(base, folder), signed_in_at(base, folder)
        clock = TapeClock(to_ms(start), round(time.time() * 1000))
        feed = Feed(settings, store, oauth, tape=lambda seat: Tape(folder / "tape", seat), market=clock)
        feed.start()
        Running(feed, store, oauth, settings).whole()
        began = time.monotonic()
        eventually(lambda: time.monotonic() - began > 2.5, 10, "so much is taped")
        feed.stop()
    (file,) = (folder / "tape").iterdir()
    return file


class Held:
    """A tape's clock that stands at its start until it is let go."""

    def __init__(self, tape: Path, speed: float = 1.0) -> None:
        self.start_ms, self._speed = first_ms(tape), speed
        self._clock: TapeClock | None = None

    def go(self) -> None:
        self._clock = TapeClock(self.start_ms, round(time.time() * 1000), self._speed)

    def __call__(self) -> float:
        return self._clock() if self._clock else self.start_ms / 1000


@contextlib.contextmanager
def replayed(tape: Path, clock: Held) -> Iterator[str]:
    """The address of a stand-in for Schwab that plays the tape."""
    started: queue.SimpleQueue[tuple[int, Callable[[], None]]] = queue.SimpleQueue()

    async def serve_here() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        end = functools.partial(loop.call_soon_threadsafe, stop.set)
        options = options_of("--symbols", "SPY", "--rate-limit", "0", "--heartbeat", "0.3")
        stage, ready = Stage(tape, clock.start_ms), lambda port: started.put((port, end))
        await serve(options, stage, cast(TapeClock, clock), ready, stop)

    thread = threading.Thread(target=lambda: asyncio.run(serve_here()), daemon=True)
    thread.start()
    port, end = started.get(timeout=30)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        end()
        thread.join(15)


def stream_keys(tape: Path) -> list[str]:
    """The option keys of the tape's frames, in order."""
    blocks = [block for line in lines(tape) for block in line.get("frame", {}).get("data", [])]
    return [one["key"] for block in blocks if block["service"] == OPTIONS for one in block["content"]]


@pytest.mark.parametrize("speed", [1.0, 3.0])
def test_a_replayed_day_is_not_skewed_and_nothing_of_it_is_refused(
    tape: Path, memory: Store, tmp_path: Path, speed: float
) -> None:
    clock = Held(tape, speed)
    ends_ms = max(line["t"] for line in lines(tape))
    with replayed(tape, clock) as base:
        settings, oauth = settings_at(base, tmp_path, stream_keys=100), signed_in_at(base, tmp_path)
        feed = Feed(settings, memory, oauth, market=clock)
        feed.start()
        try:
            running = Running(feed, memory, oauth, settings)
            eventually(lambda: running.status().keys_used == 100, 30, "it has subscribed")
            clock.go()
            chain = running.whole()
            assert chain.contracts.settle_ms.min() < to_ms(datetime.now(UTC)), "it is a day of then"
            eventually(lambda: clock() * 1000 > ends_ms, 30, "the tape has been played")
            eventually(lambda: running.chain().spot_ms > clock.start_ms, 5, "prices come from the stream")
            assert clock.start_ms < running.chain().as_of_ms <= clock() * 1000
            assert (running.problem(), running.status().rejected) == ("", {})
        finally:
            feed.stop()


def test_a_reader_hears_of_what_it_subscribed_to_alone_and_at_the_tapes_time(tape: Path) -> None:
    taped = Counter(stream_keys(tape))
    key, _ = taped.most_common(1)[0]
    assert len(taped) > 1
    clock = Held(tape)
    with replayed(tape, clock) as base, Stream(Broker(base)) as stream:
        stream.ask(OPTIONS, "SUBS", {"keys": key, "fields": "0,2,3"})
        clock.go()
        assert {item["key"] for item in stream.items(4)} == {key}
        beats = (frame["notify"][0].get("heartbeat") for frame in stream.frames if "notify" in frame)
        assert all(0 <= int(beat) - first_ms(tape) <= 60_000 for beat in beats)
