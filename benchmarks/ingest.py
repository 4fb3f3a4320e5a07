"""Contents per second from streamed bytes onto columns, against decoding into dicts, interleaved in one run.

    python -m benchmarks.ingest

Prints, for messages of 4, 8 and 13 fields, the median rate of each way and our ratio to the others.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import orjson

from app.market.book import Book
from app.market.calendar import settle_ms
from app.market.chain import Chain, Contracts, Quotes
from app.market.symbols import OptionSymbol
from app.schwab.frames import decode_frame

FIELDS = ("2", "3", "16", "17", "38", "4", "8", "10", "28", "29", "30", "31", "39")
WHOLE = {"8", "16", "17"}
TIMES = {"38", "39"}
FRAMES, CONTENTS, ROUNDS = 200, 100, 15


def book() -> tuple[Book, list[str]]:
    """A book of 20,000 contracts, and their keys."""
    options = [
        OptionSymbol("SPXW", date(2026, 12, 1) + timedelta(days=7 * week), right, 5000.0 + 5 * step)  # type: ignore[arg-type]
        for week in range(25)
        for step in range(400)
        for right in "CP"
    ]
    n = len(options)
    contracts = Contracts.build(
        {
            "symbol": [str(option) for option in options],
            "root": ["SPXW"] * n,
            "expiry": [option.expiry for option in options],
            "right": [option.right for option in options],
            "strike": [option.strike for option in options],
            "multiplier": [100.0] * n,
            "settlement": ["P"] * n,
            "settle_ms": [settle_ms(option.expiry, "P") for option in options],
            "standard": [True] * n,
        }
    )
    made = Book("SPX")
    made.merge(Chain("SPX", 6000.0, 1, 1, contracts, Quotes.unknown(n)), date(2026, 1, 1), date(2028, 1, 1))
    return made, [str(option) for option in options]


def frame(keys: list[str], fields: int, dice: random.Random) -> bytes:
    """One data frame of 100 contents with so many fields each."""

    def value(field: str) -> float:
        if field in TIMES:
            return 1_790_625_599_999
        return dice.randrange(1000) if field in WHOLE else round(dice.random() * 100, 2)

    content = [
        {"key": key} | {field: value(field) for field in FIELDS[:fields]}
        for key in dice.sample(keys, CONTENTS)
    ]
    body = {"service": "LEVELONE_OPTIONS", "timestamp": 1, "command": "SUBS", "content": content}
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
        "orjson into dicts": lambda: into_dicts(frames, orjson.loads),
        "json into dicts": lambda: into_dicts(frames, json.loads),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            way()
            times[name].append(time.process_time() - began)
    return {name: FRAMES * CONTENTS / statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    """Run and print."""
    target, keys = book()
    dice = random.Random(1)
    for fields in (4, 8, 13):
        found = rates(target, [frame(keys, fields, dice) for _ in range(FRAMES)])
        shown = ", ".join(f"{name} {rate / 1000:.0f}k/s" for name, rate in found.items())
        ratios = [found["columns"] / found[name] for name in ("orjson into dicts", "json into dicts")]
        print(f"{fields:2} fields: {shown}; ratio to orjson {ratios[0]:.2f}, to json {ratios[1]:.2f}")


if __name__ == "__main__":
    main()
