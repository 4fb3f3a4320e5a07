"""Tick to screen while 5,000 and 25,000 contents a second come in, on a chain of some 20,000 contracts."""

from __future__ import annotations

import time
from typing import Any

from playwright.sync_api import Browser

from benchmarks.chaos.rig import site, status
from benchmarks.ui.chromium import tab
from benchmarks.ui.live import WATCH_PAINTS, latencies
from benchmarks.ui.table import Row, percentiles
from tests.support import eventually

_KEYS = 5_400
_SITE = ("--symbols", "SPX", "--rate-limit", "0", "--symbol-limit", "6000", "--body-limit", "30000000")
_TICKS_S = (1.0, 0.2)  # of all keys: 5,400 and 27,000 contents a second, where the machine makes as many


def at_rates(browser: Browser, seconds: float) -> list[Row]:
    """Figure 10: one tab on the overview at each rate."""
    found = [_at(browser, tick_s, seconds) for tick_s in _TICKS_S]
    return [
        Row(
            10,
            "tick to screen at 5,000 and 25,000 contents/s",
            "p50 and p99, for the record",
            "; ".join(
                f"{one['contents_per_s']:.0f} contents/s, {one['contracts']} contracts: p50 {one['p50_s']:.2f} s, "
                f"p99 {one['p99_s']:.2f} s over {one['prices']} prices"
                for one in found
            ),
            all(one["prices"] for one in found),
            {"rates": found},
        )
    ]


def _at(browser: Browser, tick_s: float, seconds: float) -> dict[str, Any]:
    with (
        site(*_SITE, "--tick", str(tick_s)) as made,
        made.server(SYMBOLS="SPX", STREAM_KEYS=str(_KEYS)) as server,
    ):
        eventually(lambda: status(made.store).keys_used >= _KEYS, 120, "all keys stream")
        with tab(browser) as opened:
            opened.page.goto(f"{server.url}/gex/SPX")
            opened.drawn()
            time.sleep(10)  # the first paints are not what a tick costs
            opened.page.evaluate(WATCH_PAINTS)
            items, began = made.schwab.state()["items"], time.monotonic()
            time.sleep(seconds)
            rate = (made.schwab.state()["items"] - items) / (time.monotonic() - began)
            ages = latencies(opened.page.evaluate("() => window.paints"))
        median, high = percentiles(ages, 50, 99) if ages else (float("nan"), float("nan"))
        loaded = made.store.load("SPX")
        contracts = len(loaded.chain) if loaded else 0
    return {
        "contents_per_s": rate,
        "contracts": contracts,
        "p50_s": median,
        "p99_s": high,
        "prices": len(ages),
    }
