"""`python -m benchmarks.api`: REST under load, on the product as a user starts it (simulator, SPX with 20,000 contracts).

Prints one line per figure and writes benchmarks/results/api.json. Times are those of the clients, which share the machine's
cores with the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from tests.product import Running, started
from tests.support import eventually

RESULTS = Path(__file__).parent / "results" / "api.json"
GEX, MARKET, LEVELS = "/api/v1/gex/SPX", "/api/v1/market/SPX", "/api/v1/gex/SPX/levels"
DASH = "/_dash-update-component"
Question = Callable[[aiohttp.ClientSession], Awaitable[int]]


@dataclass
class Row:
    """One figure: what was asked for, what was measured."""

    figure: str
    wanted: str
    measured: str
    ok: bool

    def __str__(self) -> str:
        return f"{'ok  ' if self.ok else 'MISS'} {self.figure}: {self.measured} (wanted {self.wanted})"


def main() -> int:
    """Measure. Returns 1 when a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="how long each crowd asks")
    parser.add_argument("--slices", type=int, default=8, help="turns that each of the compared requests gets")
    chosen = parser.parse_args()
    rows = _on_product(lambda product: asyncio.run(_crowds(product, chosen.seconds)))
    rows += _on_product(
        lambda product: asyncio.run(_unchanged(product, chosen.slices)), PUBLISH_INTERVAL_S="10"
    )
    for row in rows:
        print(row, flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    return int(not all(row.ok for row in rows))


def _on_product(measure: Callable[[Running], list[Row]], **settings: str) -> list[Row]:
    with (
        tempfile.TemporaryDirectory(prefix="gex-api-") as folder,
        started(Path(folder), SYMBOLS="SPX", **settings) as product,
    ):
        eventually(lambda: _whole(product), 180, "the whole chain is there")
        return measure(product)


def _whole(product: Running) -> bool:
    status = product.get("/api/v1/connection/status")
    return status.ok and status.json()["coverage"]["SPX"]["contracts"] > 19_000 and product.get(GEX).ok


# --- figure 10 ------------------------------------------------------------------------------------


async def _crowds(product: Running, seconds: float) -> list[Row]:
    async with _session(product, 200) as session:
        await _crowd(session, GEX, 10, 5)  # connections and first computations
        before = await _json(session, "/api/v1/cache/stats")
        few = await _crowd(session, GEX, 10, seconds)
        many = await _crowd(session, GEX, 100, seconds)
        market = await _crowd(session, MARKET, 100, seconds)
        bursts = [await _burst(session) for _ in range(5)]
        await asyncio.sleep(1.2)
        after = await _json(session, "/api/v1/cache/stats")
    hits, misses = (after[name] - before[name] for name in ("hits", "misses"))
    rate = hits / max(1, hits + misses)
    ratio = _p95(many) / _p95(few)
    slowest = max(found[0] for found in bursts)
    each = ", ".join(f"{found[0] * 1000:.0f}" for found in bursts)
    computes = max(found[1] / max(1, found[2]) for found in bursts)
    return [
        Row("10 /gex, p95 of 100 clients at 1/s", "< 100 ms", _times(many), _p95(many) < 0.1),
        Row("10 beside 10 such clients", "<= 1.5 times", f"{ratio:.2f} times ({_times(few)})", ratio <= 1.5),
        Row("10 /market, p95 of 100 clients at 1/s", "< 50 ms", _times(market), _p95(market) < 0.05),
        Row(
            "10 100 requests at one instant, slowest of 5 bursts",
            "<= 500 ms",
            f"{slowest * 1000:.0f} ms (of {each})",
            slowest <= 0.5,
        ),
        Row(
            "10 computations per version and worker in a burst",
            "<= 1",
            f"{computes:.2f}",
            computes <= 1,
        ),
        Row("10 hit rate", ">= 99.5 %", f"{rate:.4%} of {hits + misses}", rate >= 0.995),
    ]


async def _crowd(session: aiohttp.ClientSession, path: str, clients: int, seconds: float) -> list[float]:
    """Seconds per request of so many clients, each asking once a second at its own moment."""
    taken: list[float] = []
    end = time.monotonic() + seconds

    async def client() -> None:
        await asyncio.sleep(random.random())
        while time.monotonic() < end:
            began = time.monotonic()
            await _fetch(session, path)
            taken.append(time.monotonic() - began)
            await asyncio.sleep(max(0.0, random.uniform(0.9, 1.1) - (time.monotonic() - began)))

    await asyncio.gather(*(client() for _ in range(clients)))
    return taken


async def _burst(session: aiohttp.ClientSession) -> tuple[float, float, float]:
    """The slowest of 100 at one instant, computations meanwhile, and how many (version, worker) pairs those may serve."""
    await asyncio.sleep(random.uniform(0.5, 1.0))
    before = await _engine(session)
    began = time.monotonic()
    labels = await asyncio.gather(*(_fetch(session, GEX) for _ in range(100)))
    slowest = time.monotonic() - began
    after = await _engine(session)
    versions = {label for label in labels if label}
    return slowest, after - before, float(len(versions)) * 2


async def _engine(session: aiohttp.ClientSession) -> float:
    async with session.get("/metrics", headers={"Accept-Encoding": "identity"}) as answer:
        text = await answer.text()
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return sum(
        sample.value
        for sample in samples
        if sample.name == "gex_engine_seconds_count" and sample.labels["stage"] == "expose"
    )


async def _fetch(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
        return answer.headers.get("X-Chain-Version", "")


# --- figure 11 ------------------------------------------------------------------------------------


async def _unchanged(product: Running, slices: int) -> list[Row]:
    async with _session(product, 4) as session:
        questions = {
            "304": _levels(),
            "no_update": _callback(None),
            "live": _callback(await _tab(session)),
        }
        rates: dict[str, list[float]] = {name: [] for name in questions}
        for _ in range(slices):
            for name, ask in questions.items():
                rates[name].append(await _rate(session, ask, 1.5))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    said = ", ".join(f"{name} {rate:.0f}/s" for name, rate in middle.items())
    bare, live = (middle["304"] / middle[name] for name in ("no_update", "live"))
    return [
        Row(
            "11 304 beside a callback that does nothing but no_update",
            ">= 1.5",
            f"{bare:.2f} ({said})",
            bare >= 1.5,
        ),
        Row("11 304 beside the page's own question without news", ">= 1.5", f"{live:.2f}", live >= 1.5),
    ]


def _levels() -> Question:
    tag = ""

    async def ask(session: aiohttp.ClientSession) -> int:
        nonlocal tag
        async with session.get(LEVELS, headers={"If-None-Match": tag} if tag else {}) as answer:
            await answer.read()
            tag = answer.headers["ETag"]
            return int(answer.status == 304)

    return ask


def _callback(value: dict[str, Any] | None) -> Question:
    """The page's question; None is one that can't be read, and is answered with no_update."""
    body = _question(value)

    async def ask(session: aiohttp.ClientSession) -> int:
        async with session.post(DASH, data=body, headers={"Content-Type": "application/json"}) as answer:
            await answer.read()
            return int(answer.status in (200, 204))

    return ask


def _question(value: dict[str, Any] | None) -> bytes:
    outputs = [{"id": "ack", "property": "data"}, {"id": "answer", "property": "data"}]
    asked = {
        "output": "..ack.data...answer.data..",
        "outputs": outputs,
        "inputs": [{"id": "request", "property": "data", "value": value}],
        "changedPropIds": ["request.data"],
        "parsedChangedPropsIds": ["request.data"],
    }
    return json.dumps(asked).encode()


async def _tab(session: aiohttp.ClientSession) -> dict[str, Any]:
    """What a tab asks that has drawn everything there is."""
    value: dict[str, Any] = {"seq": 1, "symbol": "SPX", "search": "", "have": ""}
    async with session.post(
        DASH,
        data=_question(value),
        headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
    ) as answer:
        said = (await answer.json())["response"]
    ack = said["ack"]["data"]
    known = {name: ack[name]["id"] for name in ("feed", "cache", "alerts") if ack.get(name)}
    return value | {"have": said["answer"]["data"]["etag"]} | known


async def _rate(session: aiohttp.ClientSession, ask: Question, seconds: float) -> float:
    """Good answers a second to four clients that ask without pause."""
    done = 0
    end = time.monotonic() + seconds

    async def client() -> None:
        nonlocal done
        while time.monotonic() < end:
            done += await ask(session)

    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(4)))
    return done / (time.monotonic() - began)


# --- shared ---------------------------------------------------------------------------------------


def _session(product: Running, connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        product.url,
        connector=aiohttp.TCPConnector(limit=connections),
        headers={"Accept-Encoding": "gzip"},
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=30),
    )


async def _json(session: aiohttp.ClientSession, path: str) -> dict[str, Any]:
    async with session.get(path, headers={"Accept-Encoding": "identity"}) as answer:
        found: dict[str, Any] = await answer.json()
        return found


def _p95(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=20)[-1]


def _times(taken: list[float]) -> str:
    middle = statistics.median(taken)
    return f"p95 {_p95(taken) * 1000:.1f} ms, median {middle * 1000:.1f} ms of {len(taken)}"


if __name__ == "__main__":
    sys.exit(main())
