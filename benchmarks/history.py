"""What recording and looking back cost.

    python -m benchmarks.history CHAINFILE [--year] [--kills 200] [--feed SECONDS]

CHAINFILE is a real SPX chain (Cboe CSV): a made-up day is quoted around it, recorded minute by minute as the feed would,
and read back. Prints a line per figure, and writes benchmarks/results/history.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from app.cache.memory import MemoryStore
from app.errors import HistoryError
from app.gex import expose, fit
from app.gex.attribution import Holdings, split
from app.history import tail
from app.history.files import DayFolder, Folder, ordered, read_file, write
from app.history.reader import History, StrikeGrid
from app.history.rollup import roll_up
from app.history.row import Key, Origin, batch_of, day_of
from app.market.calendar import to_ms
from benchmarks.history_child import moved, small_batch
from benchmarks.market_day import MINUTE_MS, trading_days
from benchmarks.market_day import day_of as chains_of

DAY = date(2024, 1, 8)
RESULTS = Path(__file__).parent / "results" / "history.json"
found: dict[str, object] = {}


def say(name: str, value: object) -> None:
    """Print a figure and keep it."""
    found[name] = value
    print(f"{name}: {value}", flush=True)


def p95(times_s: list[float]) -> str:
    """Median and 95th percentile in ms."""
    cut = statistics.quantiles(times_s, n=20)[-1] if len(times_s) > 2 else max(times_s)
    return f"median {statistics.median(times_s) * 1000:.1f} ms, p95 {cut * 1000:.1f} ms over {len(times_s)}"


def record_day(folder: Folder, chain: Path) -> list[pa.RecordBatch]:
    """A day as the feed records it; what each step takes."""
    store, batches, before = MemoryStore(), list[pa.RecordBatch](), None
    spent: dict[str, list[float]] = {"compute": [], "tail": [], "disk": []}
    for seen in chains_of(chain, DAY):
        clock = [time.thread_time()]
        surface = fit(seen)
        snapshot = expose(surface)
        held = Holdings.of(surface)
        change = split(before, held) if before else None
        since = before.as_of_ms if before else None
        key = Key(seen.as_of_ms // MINUTE_MS * MINUTE_MS)
        batch = batch_of(surface, snapshot, Origin(key, 1, (), change, since))
        clock.append(time.thread_time())
        tail.append(store, "SPX", key, batch, 1)
        clock.append(time.thread_time())
        day = folder.day("SPX", day_of(key))
        day.write(key, batch)
        if len(day.loose()) >= 30:
            day.merge()
        clock.append(time.thread_time())
        for name, at in zip(spent, (0, 1, 2), strict=True):
            spent[name].append(clock[at + 1] - clock[at])
        before = held
        batches.append(batch)
    whole = sum(map(sum, spent.values())) / len(batches)
    say("recording a minute of SPX, CPU", f"{whole * 1000:.1f} ms ({whole / 60:.3%} of a core)")
    for name, times in spent.items():
        say(f"  {name}", f"median {statistics.median(times) * 1000:.1f} ms")
    return batches


def to_json(grid: StrikeGrid) -> bytes:
    """As REST sends it."""
    columns = {
        name: np.ascontiguousarray(getattr(grid, name))
        for name in ("spot", "flip", "strike", "call_gex", "put_gex")
    }
    return orjson.dumps(
        {"minute": grid.minute_ms.astype("M8[ms]"), **columns}, option=orjson.OPT_SERIALIZE_NUMPY
    )


def timed(rounds: int, work: Callable[[], object]) -> list[float]:
    """How long each round took."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def read_day(folder: Folder, start: int, end: int, label: str) -> None:
    """Strike x time of a day, by a reader that has read nothing, and by the next one in the same process."""

    def cold() -> bytes:
        return to_json(History(folder.path).strikes("SPX", start, end))

    size = len(cold())
    say(f"strike x time, {label}, disk to JSON", f"{p95(timed(40, cold))} ({size / 1e6:.1f} MB)")
    kept = History(folder.path)
    kept.strikes("SPX", start, end)
    say(
        f"strike x time, {label}, from memo, without JSON",
        p95(timed(40, lambda: kept.strikes("SPX", start, end))),
    )
    say(
        f"strike x time, {label}, from memo to JSON",
        p95(timed(40, lambda: to_json(kept.strikes("SPX", start, end)))),
    )
    say(
        f"one moment, {label}, from memo",
        p95(timed(40, lambda: kept.at("SPX", start + random.randrange(390) * MINUTE_MS))),
    )


def read_year(folder: Folder, batches: list[pa.RecordBatch], kinds: int = 252) -> None:
    """A year of levels, by readers that have read nothing."""
    first = batches[0]["minute"].cast(pa.int64())[0].as_py()
    for day in trading_days(date(2024, 1, 9), kinds - 1):
        shift = to_ms_of(day) - to_ms_of(DAY)
        table = pa.Table.from_batches(
            [moved(batch, first + at * MINUTE_MS + shift) for at, batch in enumerate(batches)]
        )
        made = folder.day("SPX", day)
        made.path.mkdir(parents=True, exist_ok=True)
        write(ordered(table), made.path / "day.parquet")
    roll_up(folder, folder.days("SPX"))
    end = to_ms_of(date(2026, 1, 1))

    def levels(interval_ms: int) -> int:
        fields = ["spot", "flip", "flip_low", "flip_high", "call_wall", "put_wall", "net_gex"]
        return len(History(folder.path).levels("SPX", 0, end, interval_ms=interval_ms, fields=fields))

    levels(86_400_000)  # imports DuckDB
    for name, interval_ms in (("day", 86_400_000), ("minute", MINUTE_MS)):
        rows = levels(interval_ms)
        say(
            f"a year of levels by {name}", f"{p95(timed(15, lambda ms=interval_ms: levels(ms)))}, {rows} rows"
        )
    say("the calendar of that year", p95(timed(10, lambda: History(folder.path).days("SPX"))))


def to_ms_of(day: date) -> int:
    """Noon, UTC."""
    from datetime import UTC, datetime

    return to_ms(datetime(day.year, day.month, day.day, 12, tzinfo=UTC))


def kill_writers(rounds: int) -> None:
    """SIGKILL at random moments of writing, merging and compacting; nothing told as written may be missing or double."""
    with tempfile.TemporaryDirectory() as place:
        folder, told, start = Folder(Path(place)), set[int](), to_ms_of(DAY)
        batch = small_batch()
        unread = extra = 0
        for _ in range(rounds):
            began_s = time.time() - 1.0
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(reading)
                for number, slot_ms in enumerate(itertools.count(start, MINUTE_MS), 1):
                    key = Key(slot_ms)
                    day = folder.day("SPX", day_of(key))
                    day.write(key, moved(batch, slot_ms))
                    os.write(writing, b"%d\n" % key.slot_ms)
                    if number % 23 == 0:
                        day.compact()
                    elif number % 5 == 0:
                        day.merge()
                os._exit(0)
            os.close(writing)
            time.sleep(random.uniform(0.02, 0.4))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            with os.fdopen(reading, "rb") as pipe:
                fresh = [int(line) for line in pipe.read().split(b"\n") if line]
            told |= set(fresh)
            touched = [day for day in folder.days("SPX") if day.day >= day_of(Key(start))]
            try:
                rows = _rows_of(touched, began_s)
            except (HistoryError, OSError, pa.ArrowException) as error:
                unread += 1
                print("unreadable:", error)
                continue
            assert set(fresh) <= rows, "a row is missing"
            extra += len(rows - told)
            told |= rows
            start = max(told, default=start - MINUTE_MS) + MINUTE_MS  # the next one goes on behind the last
        assert _rows_of(folder.days("SPX")) == told
        table = (
            History(folder.path).levels("SPX", 0, 2**42, interval_ms=1)["minute"].cast(pa.int64()).to_pylist()
        )
        assert sorted(told) == table, "a row is there twice, or missing"
        say(
            f"SIGKILL while writing, {rounds} times",
            f"{len(told)} rows, {unread} unreadable, 0 missing, 0 double, {extra} written but not told",
        )


def _rows_of(days: list[DayFolder], since_s: float = 0.0) -> set[int]:
    """The minutes of these days; every file written since then is read in full."""
    for file in (file for day in days for file in day.files()):
        if file.stat().st_mtime >= since_s:
            read_file(file)
    return {key.slot_ms for day in days for key in day.keys()}  # noqa: SIM118 - no dictionary


def feed_share(seconds: float, *, taping: bool) -> None:
    """What the observer and the writer take of a feed's CPU time, with SPX and SPY, 3,000 keys, a row a minute."""
    from app.feed.observer import together
    from app.feed.service import Feed
    from app.history.recorder import Recorder, Rules
    from app.history.tape import Tape
    from tests.feeding import default_settings_at, signed_in_at
    from tests.simulation import running_simulator

    with tempfile.TemporaryDirectory() as place, running_simulator("--symbols", "SPX,SPY") as base:
        path, store = Path(place), MemoryStore()
        feed = Feed(
            default_settings_at(base, path),
            store,
            signed_in_at(base, path),
            listeners=together(lambda seat: Recorder(Folder(path / "history"), store, seat, Rules())),
            tape=(lambda seat: Tape(path / "tape", seat)) if taping else None,
        )
        feed.start()
        time.sleep(45)  # the first sweep, and the kernels' first use
        before, size, began = thread_times(), _bytes_in(path / "tape"), time.monotonic()
        time.sleep(seconds)
        spent = {name: at - before.get(name, 0.0) for name, at in thread_times().items()}
        grown, elapsed = _bytes_in(path / "tape") - size, time.monotonic() - began
        rows = len(store.entries("history:SPX"))
        feed.stop()
    whole = sum(spent.values())
    mine = spent.get("feed-observe", 0.0) + spent.get("history-write", 0.0)
    share = f"{mine / whole:.2%} ({mine:.2f} of {whole:.1f} s in {elapsed:.0f} s, {rows} rows)"
    say(f"recording's share of the feed's CPU time, {'with' if taping else 'without'} a tape", share)
    if not taping:
        return
    say(
        "tape at 3,000 keys and 28,000 swept contracts",
        f"{grown / elapsed * 23_400 / 1e9:.2f} GB in 6.5 hours",
    )


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*"))


def thread_times() -> dict[str, float]:
    """CPU seconds of each thread of this process by name; what belongs to none is `rest`."""
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    times: dict[str, float] = {}
    for task in Path("/proc/self/task").iterdir():
        on_cpu_ns = int((task / "schedstat").read_text().split()[0])
        name = names.get(int(task.name), "rest")
        times[name] = times.get(name, 0.0) + on_cpu_ns / 1e9
    return times


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chain", type=Path)
    parser.add_argument("--year", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--feed", type=float, default=0.0)
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp())
    try:
        folder = Folder(place)
        if options.kills:
            kill_writers(options.kills)
        batches = record_day(folder, options.chain)
        day = folder.day("SPX", DAY)
        start = batches[0]["minute"].cast(pa.int64())[0].as_py()
        end = start + 390 * MINUTE_MS
        say("files of the day before compaction", len(day.files()))
        read_day(folder, start, end, "as it came")
        day.compact()
        say("disk, one day of SPX", f"{day.bytes() / 1e6:.2f} MB for {len(batches)} minutes")
        read_day(folder, start, end, "compacted")
        if options.year:
            read_year(folder, batches)
        if options.feed:
            for taping in (False, True):
                feed_share(options.feed, taping=taping)
    finally:
        shutil.rmtree(place)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
