"""From the wire into the cache: what a frame costs and how long it takes, against plain clients, in one run.

    python -m benchmarks.ingest

Writes benchmarks/results/ingest.json and prints

- contents per second from bytes onto columns, against decoding into dicts of dicts (messages of 4, 8 and 13 fields);
- frames per second off the socket, against websocket-client with wsaccel;
- milliseconds from the sender to the chain in Redis, and the share of a core that takes (benchmarks/latency.py).

Times of the first two are this thread's own, medians of interleaved rounds.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import websocket

from app.market import scatter
from app.market.book import Book
from app.schwab import contents as reader
from app.schwab import stream
from app.schwab.frames import Frame, decode_frame
from benchmarks import latency
from benchmarks.chain import KEYS, book, contents
from benchmarks.wire import sending

try:
    import wsaccel  # websocket-client uses it by itself where it is installed
except ImportError:
    wsaccel = None

RESULTS = Path(__file__).parent / "results" / "ingest.json"
FRAMES, CONTENTS, ROUNDS = 200, 100, 25
RECEIVED, RECEIVE_ROUNDS = 400, 7


def frame(fields: int, dice: random.Random) -> bytes:
    """One data frame of 100 contents with so many fields each."""
    found = contents(dice.sample(KEYS, CONTENTS), fields, dice)
    body = {"service": "LEVELONE_OPTIONS", "timestamp": 1, "command": "SUBS", "content": found}
    return orjson.dumps({"data": [body]})


def into_dicts(frames: list[bytes], loads: Callable[[bytes], Any]) -> None:
    """What a plain client does: a dict of dicts."""
    store: dict[str, dict[str, Any]] = {}
    for text in frames:
        for data in loads(text)["data"]:
            for content in data["content"]:
                store.setdefault(content["key"], {}).update(content)


def rates(target: Book, frames: list[bytes]) -> dict[str, float]:
    """Contents per second, the median of interleaved rounds, by way."""
    ways: dict[str, Callable[[], Any]] = {
        "columns": lambda: [target.apply(decode_frame(text).options, 5) for text in frames],
        "orjson": lambda: into_dicts(frames, orjson.loads),
        "json": lambda: into_dicts(frames, json.loads),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.thread_time()
            way()
            times[name].append(time.thread_time() - began)
    return {name: FRAMES * CONTENTS / statistics.median(taken) for name, taken in times.items()}


def decoding() -> dict[str, Any]:
    """Bytes onto columns."""
    target, dice = book(), random.Random(1)
    found = {}
    for fields in (4, 8, 13):
        by_way = rates(target, [frame(fields, dice) for _ in range(FRAMES)])
        ratios = {name: by_way["columns"] / by_way[name] for name in ("orjson", "json")}
        found[str(fields)] = {"contents_per_s": by_way, "ratio_to": ratios}
        shown = ", ".join(f"{name} {rate / 1000:.0f}k/s" for name, rate in by_way.items())
        print(
            f"{fields:2} fields: {shown}; times orjson into dicts {ratios['orjson']:.2f}, json {ratios['json']:.2f}"
        )
    return found


def receiving() -> dict[str, Any]:
    """Frames of 13.7 kB off the socket, undecoded."""
    if wsaccel is None:
        print("receive path: wsaccel is not installed, nothing to compare with")
        return {}
    with sending(CONTENTS, 10, 0, 120) as ours, sending(CONTENTS, 10, 0, 120) as theirs:
        mine = stream.Stream(ours)
        plain = websocket.WebSocket()
        plain.connect(theirs.url)
        stream.decode_frame, kept = (lambda text: Frame()), stream.decode_frame  # type: ignore[assignment]  # noqa: ARG005
        try:
            taken: dict[str, list[float]] = {"ours": [], "wsaccel": []}
            for _ in range(RECEIVE_ROUNDS):
                for name, receive in (("ours", lambda: mine.poll(5)), ("wsaccel", plain.recv)):
                    began = time.thread_time()
                    for _ in range(RECEIVED):
                        receive()
                    taken[name].append((time.thread_time() - began) / RECEIVED * 1e6)
        finally:
            stream.decode_frame = kept
            mine.abort()
            plain.shutdown()
    medians = {name: statistics.median(times) for name, times in taken.items()}
    ratio = medians["wsaccel"] / medians["ours"]
    print(
        f"receive path: {medians['ours']:.0f} us a frame, websocket-client with wsaccel {medians['wsaccel']:.0f}; "
        f"ratio {ratio:.2f}"
    )
    return {"us_per_frame": medians, "ratio": ratio}


def main() -> None:
    """Run, print and write."""
    scatter.warm_up()
    reader.warm_up()
    found = {"decode": decoding(), "receive": receiving(), "latency": latency.measure()}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
