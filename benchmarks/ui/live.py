"""A tab on the overview of a moving 20,000-contract chain: main thread, bytes, tick to pixels, first visit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
from playwright.sync_api import Browser, Response

from benchmarks.ui.chromium import Tab, tab
from benchmarks.ui.full_figure import full_figures
from benchmarks.ui.table import Row, percentiles
from tests.product import Running

UPDATE = "/_dash-update-component"
WATCH_PAINTS = """
() => {
  window.paints = [];
  const draw = gex.chart.draw;
  gex.chart.draw = async (answer, ...rest) => {
    const done = await draw(answer, ...rest);
    requestAnimationFrame(() => setTimeout(() => window.paints.push([Date.now(), answer.spot_at, answer.published]), 0));
    return done;
  };
}
"""


def live_tab(browser: Browser, product: Running, seconds: float, folder: Path) -> list[Row]:
    """Figures 1, 2 and 3 from one tab that is left alone for a while."""
    with tab(browser) as opened:
        opened.page.goto(f"{product.url}/gex/SPX")
        opened.drawn()
        time.sleep(10)  # the first sweep and the first paints are not what a second costs
        busy, own = _busy_ms_per_s(opened, seconds)  # first of all: whoever listens costs the page time
        opened.page.evaluate(WATCH_PAINTS)
        traffic = Traffic(opened)
        time.sleep(seconds)
        paints: list[list[float]] = opened.page.evaluate("() => window.paints")
        opened.page.screenshot(path=folder / "overview.png")
        # four questions to a tick: most find nothing new
        opened.page.evaluate("() => dash_clientside.set_props('tick', { interval: 250 })")
        opened.page.wait_for_timeout(15_000)
    with full_figures(product.url) as url, tab(browser) as beside:
        beside.page.goto(url)
        beside.page.wait_for_selector(".js-plotly-plot .main-svg", timeout=60_000)
        time.sleep(5)
        full, full_own = _busy_ms_per_s(beside, seconds / 2)
    return [
        Row(
            1,
            "main thread, overview at 1 Hz, 20,000 contracts",
            "under 120 ms/s",
            f"{busy:.0f} ms/s (processor {own:.0f}); the same picture as full figures {full:.0f} ms/s ({full_own:.0f})",
            busy < 120,
            {
                "ms_per_s": busy,
                "processor_ms_per_s": own,
                "full_figure_ms_per_s": full,
                "full_figure_processor_ms_per_s": full_own,
                "paints": len(paints),
            },
        ),
        traffic.row(),
        _latency(paints),
    ]


def _busy_ms_per_s(opened: Tab, seconds: float) -> tuple[float, float]:
    """Main-thread time of a second, ms: as tasks last by the clock, and of the processor, which others swell less."""
    before = opened.metrics()
    time.sleep(seconds)
    after = opened.metrics()
    passed = after["Timestamp"] - before["Timestamp"]
    wall, processor = (
        1000 * (after[name] - before[name]) / passed for name in ("TaskDuration", "ThreadTime")
    )
    return wall, processor


class Traffic:
    """The bytes of every answer from now on, as they came over the wire."""

    def __init__(self, opened: Tab) -> None:
        self._sizes: dict[str, float] = {}
        self._urls: set[str] = set()
        self.changed: list[float] = []
        self.unchanged: list[float] = []
        opened.page.on("response", self._on_response)

    def _on_response(self, response: Response) -> None:
        if UPDATE not in response.url:
            return
        body = orjson.loads(response.body())
        outputs = body.get("response", {})
        if "ack" not in outputs:
            return
        size = response.request.sizes()["responseBodySize"]
        (self.changed if "answer" in outputs else self.unchanged).append(size)

    def row(self) -> Row:
        largest = max(self.changed, default=0.0)
        small = max(self.unchanged, default=0.0)
        typical, usual = (
            percentiles(sizes, 50)[0] if sizes else 0.0 for sizes in (self.changed, self.unchanged)
        )
        return Row(
            2,
            "bytes per update, compressed",
            "under 12 kB changed, under 300 B unchanged",
            f"changed {typical / 1000:.1f} kB (largest {largest / 1000:.1f}), unchanged {usual:.0f} B ({small:.0f} at most)",
            0 < largest < 12_000 and 0 < small < 300,
            {"changed": self.changed, "unchanged": self.unchanged},
        )


def latencies(paints: list[list[float]]) -> list[float]:
    """Seconds from the instant the market gave a price to the frame after it was drawn, once for each price."""
    first: dict[float, float] = {}
    for painted, spot_at, _ in paints:
        if spot_at:
            first.setdefault(spot_at, (painted - spot_at) / 1000)
    return list(first.values())


def _latency(paints: list[list[float]]) -> Row:
    found = latencies(paints)
    median, high = percentiles(found, 50, 99) if found else (float("nan"), float("nan"))
    return Row(
        3,
        "tick to pixels, simulator to painted chart",
        "p50 under 1.0 s, p99 under 1.6 s",
        f"p50 {median:.2f} s, p99 {high:.2f} s over {len(found)} prices",
        median < 1.0 and high < 1.6,
        {"p50_s": median, "p99_s": high, "prices": len(found)},
    )


def first_visit(browser: Browser, product: Running, visits: int = 5) -> Row:
    """Figure 8: nothing cached, from the navigation to the first painted chart."""
    took, sizes = [], {}
    for _ in range(visits):
        with tab(browser) as opened:
            began = time.perf_counter()
            opened.page.goto(f"{product.url}/gex/SPX", wait_until="commit")
            opened.drawn()
            took.append(time.perf_counter() - began)
            sizes = _scripts(opened)
    median = percentiles(took, 50)[0]
    packed = sum(1 for script in sizes.values() if script["sent"] < 0.6 * script["whole"])
    return Row(
        8,
        "first visit to first chart, cold, on loopback",
        "under 2.5 s",
        f"{median:.2f} s (median of {visits}, slowest {max(took):.2f}); {packed} of {len(sizes)} large scripts compressed",
        median < 2.5,
        {"seconds": took, "scripts": sizes},
    )


def _scripts(opened: Tab) -> dict[str, Any]:
    """Bytes sent and unpacked of every script above 20 kB."""
    entries = opened.page.evaluate(
        "() => performance.getEntriesByType('resource').filter((e) => e.initiatorType === 'script')"
        ".map((e) => [e.name, e.encodedBodySize, e.decodedBodySize])"
    )
    return {
        name.rsplit("/", 1)[-1][:60]: {"sent": sent, "whole": whole}
        for name, sent, whole in entries
        if whole > 20_000
    }
