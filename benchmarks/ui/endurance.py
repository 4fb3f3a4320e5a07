"""One tab through 20,000 updates, and its recovery from what happens in a day."""

from __future__ import annotations

import math
import os
import signal
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Browser, Page

from app.simulator.clock import Clock
from app.simulator.market import Market
from benchmarks.ui.chromium import Tab, tab
from benchmarks.ui.table import Row
from tests.browser.conftest import Desk
from tests.product import Running, children, started
from tests.simulation import options_of, shown
from tests.support import eventually, free_port
from tests.webserver import make_services

_WARM_UP = 1500
_LOOK_EVERY = 2000
_IN_SIGHT = 0.025
_COUNTERS = ("JSHeapUsedSize", "Nodes", "JSEventListeners")
_COUNT_DRAWS = """
() => {
  window.draws = 0;
  const draw = gex.chart.draw;
  gex.chart.draw = async (...given) => { await draw(...given); window.draws++; };
  dash_clientside.set_props('tick', { interval: 40 });
}
"""


def endurance(browser: Browser, updates: int) -> Row:
    """Figure 5: heap and DOM after warming up, and again after `updates` more pictures.

    The address fixes the price axis: one that follows spot shows now more, now fewer strikes, each of which is a node.
    """
    with tempfile.TemporaryDirectory() as folder, tab(browser) as opened:
        chain = shown(Market(options_of("--symbols", "SPX"), Clock()), "SPX")
        desk = Desk(make_services(Path(folder), symbols="SPX"), replace(chain, session="open"))
        desk.publish()
        over, still = threading.Event(), threading.Event()
        threading.Thread(target=_move, args=(desk, over, still), daemon=True).start()
        try:
            low, high = (round(chain.spot * (1 + away)) for away in (-_IN_SIGHT, _IN_SIGHT))
            opened.page.goto(f"{desk.url}/gex/SPX?range={low},{high}")
            opened.drawn()
            opened.page.evaluate(_COUNT_DRAWS)
            seen = []
            for count in range(0, updates + 1, min(updates, _LOOK_EVERY)):
                _wait_draws(opened.page, _WARM_UP + count)
                seen.append(_at_rest(opened, still))
        finally:
            over.set()
            desk.fall_silent()
            desk.stop()
    before, after = seen[0], seen[-1]
    heap = after["JSHeapUsedSize"] / before["JSHeapUsedSize"] - 1
    nodes = after["Nodes"] / before["Nodes"] - 1
    return Row(
        5,
        f"{updates:,} updates",
        "heap growth under 10 %, DOM nodes within 1 %",
        f"heap {100 * heap:+.1f} % ({before['JSHeapUsedSize'] / 1e6:.1f} MB before), DOM nodes {100 * nodes:+.1f} %",
        heap < 0.10 and abs(nodes) <= 0.01,
        {"seen": [{name: round(look[name]) for name in _COUNTERS} for look in seen]},
    )


def _at_rest(opened: Tab, still: threading.Event) -> dict[str, float]:
    """The counters where the market began: another picture has another number of bars and labels."""
    still.set()
    time.sleep(5)
    counters = opened.settled_memory()
    still.clear()
    return counters


def _move(desk: Desk, over: threading.Event, still: threading.Event) -> None:
    """A market that wanders by half a percent, some twenty versions a second; while `still`, it is where it began."""
    start, step = desk.chain.spot, 0
    while not over.wait(0.05):
        step += 1
        away = 0.004 * math.sin(step / 97) + 0.001 * math.sin(step / 7)
        spot = start * (1 if still.is_set() else 1 + away)
        now_ms = round(time.time() * 1000)
        desk.publish(spot=round(spot, 2), spot_ms=now_ms, as_of_ms=now_ms)


def _wait_draws(page: Page, count: int) -> None:
    last, quiet_since = -1, time.monotonic()
    while (drawn := int(page.evaluate("() => window.draws"))) < count:
        if drawn != last:
            last, quiet_since = drawn, time.monotonic()
        elif time.monotonic() - quiet_since > 60:
            raise AssertionError(f"the page stopped drawing after {drawn} pictures")
        time.sleep(1)


def recovery(browser: Browser) -> Row:
    """Figure 4: the server slower than the tick, restarted, and the network cut for half a minute."""
    port = free_port()
    took: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, tab(browser) as opened:
        with started(Path(folder), port=port) as product:
            eventually(product.serves, 90)
            opened.page.goto(f"{product.url}/gex/SPX")
            opened.drawn(90)
            eventually(lambda: _state(opened.page) == "live", 60, "live at first")
            took["slow server"] = _after_slow(opened.page, product)
            opened.context.set_offline(True)
            time.sleep(30)
            assert _state(opened.page) != "live"
            opened.context.set_offline(False)
            took["network cut 30 s"] = _until_live(opened.page)
        eventually(lambda: _state(opened.page) != "live", 60, "the page sees that the server is gone")
        with started(Path(folder), port=port) as product:
            eventually(product.serves, 90)
            took["server restarted"] = _until_live(opened.page)
    words = ", ".join(f"{name}: live {seconds:.1f} s later" for name, seconds in took.items())
    return Row(4, "recovery by itself", "every time", words, all(map(math.isfinite, took.values())), took)


def _after_slow(page: Page, product: Running) -> float:
    """Each worker sleeps two seconds of three for twenty seconds; seconds until live afterwards."""
    workers = children(product.process.pid)
    for _ in range(7):
        for sign, pause in ((signal.SIGSTOP, 2.0), (signal.SIGCONT, 1.0)):
            for pid in workers:
                os.kill(pid, sign)
            time.sleep(pause)
    return _until_live(page)


def _state(page: Page) -> str:
    return str(page.evaluate("() => document.getElementById('page')?.dataset.state || ''"))


def _until_live(page: Page) -> float:
    began = time.monotonic()
    eventually(lambda: _state(page) == "live", 60, "live again")
    return time.monotonic() - began
