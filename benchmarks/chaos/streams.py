"""Rows 1 to 3: a stream that falls silent, half open, or ends."""

from __future__ import annotations

import itertools
import shutil
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

from app.simulator.faults import Cut
from benchmarks.chaos.rig import Site, percentile, seconds_until, site, status
from benchmarks.chaos.rows import Outcome, row
from tests.support import eventually

_STABLE_S = 10.4  # the backoff forgives after ten seconds
_KINDS: tuple[Cut, ...] = ("rst", "1000", "1006", "1011", "30")
# What the page shows as live must have been heard of so recently; its own tick comes on top.
_LIVE_LIMIT_S, _PAGE_TICK_S = 11.5, 1.5


@row(
    1,
    "stream silent, pings still answered",
    "detected within max(3 heartbeats, 15 s); no value marked live past its age limit, polled at 10 Hz",
)
def silent(quick: bool) -> Outcome:
    """A page is open in a browser; the stream stops sending; how long, and what the page says meanwhile."""
    with site("--symbols", "AAPL", "--rate-limit", "0") as made, made.server(SYMBOLS="AAPL") as server:
        eventually(lambda: status(made.store).frames > (30 if quick else 60), 120, "frames set the pace")
        with open_page(f"{server.url}/gex/AAPL") as page:
            eventually(lambda: page.evaluate(_STATES)["page"] == "live", 60, "the page is live")
            made.schwab.silence()
            began, wrong, shown = time.monotonic(), 0, 0
            detected = None
            while detected is None and time.monotonic() - began < 40:
                states = page.evaluate(_STATES)
                after = time.monotonic() - began
                shown += 1
                past = after > _LIVE_LIMIT_S + _PAGE_TICK_S
                wrong += past and "live" in (states["page"], *states["tiles"])
                if status(made.store).state == "reconnecting":
                    detected = after
                time.sleep(max(0.0, 0.1 * shown - (time.monotonic() - began)))
    if detected is None:
        return Outcome("not detected within 40 s", ok=False)
    measured = f"detected after {detected:.1f} s; {wrong} of {shown} looks at the page showed live too long"
    return Outcome(measured, ok=detected <= 15.5 and not wrong)


_STATES = """() => ({page: document.getElementById("page").dataset.state,
  tiles: [...document.querySelectorAll("[data-fresh]")].map((tile) => tile.dataset.fresh)})"""


@contextmanager
def open_page(url: str) -> Iterator[Any]:
    """A page in headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            page = browser.new_page()
            page.goto(url)
            yield page
        finally:
            browser.close()


@row(2, "half-open connection", "detected within 12 s")
def half_open(quick: bool) -> Outcome:
    """The peer reads and answers nothing; the connection stays."""
    times = []
    with site("--symbols", "AAPL", "--rate-limit", "0") as made, made.feed(SYMBOLS="AAPL"):
        for _ in range(1 if quick else 10):
            eventually(lambda: status(made.store).state == "live", 60)
            made.schwab.half_open()
            times.append(
                seconds_until(lambda: status(made.store).state == "reconnecting", 30, "it is noticed")
            )
            made.schwab.clear()
    measured = f"{len(times)} times: {min(times):.1f} to {max(times):.1f} s"
    return Outcome(measured, ok=max(times) <= 12)


@row(
    3,
    "RST, 1000, 1006, 1011, code 30: 200 cuts",
    "login + resubscribe + snapshot p95 within 3 s; key set identical; never two connections",
)
def cuts(quick: bool) -> Outcome:
    """Several feeds at once, each with a Schwab of its own, since a cut counts only after ten stable seconds."""
    sites, each = (1, 5) if quick else (6, 34)
    with ThreadPoolExecutor(sites) as pool:
        found = list(pool.map(lambda _: _cut_often(each), range(sites)))
    times = [seconds for part in found for seconds in part[0]]
    changed = [keys for part in found for keys in part[1]]
    most = max(part[2] for part in found)
    measured = (
        f"{len(times)} cuts: p50 {statistics.median(times):.2f} s, p95 {percentile(times, 0.95):.2f} s, "
        f"longest {max(times):.2f} s; {len(changed)} key sets changed; at most {most} connection at once"
    )
    note = "; ".join(
        f"lost {len(lost)}, gained {len(gained)}: {sorted(lost | gained)[:2]}" for lost, gained in changed
    )
    return Outcome(measured, percentile(times, 0.95) <= 3 and not changed and most == 1, note)


Keys = frozenset[str]


def _cut_often(times: int) -> tuple[list[float], list[tuple[Keys, Keys]], int]:
    """Seconds until all is back, per cut; keys lost and gained where they were others; the most connections at once."""
    took: list[float] = []
    changed: list[tuple[Keys, Keys]] = []
    with (
        site("--symbols", "AAPL", "--rate-limit", "0") as made,
        made.feed(SYMBOLS="AAPL", STREAM_KEYS="3000"),
    ):
        eventually(lambda: _all_stream(made), 60, "every contract streams")
        for how in itertools.islice(itertools.cycle(_KINDS), times):
            time.sleep(_STABLE_S)
            keys = streaming_keys(made)
            reconnects = status(made.store).reconnects
            cut_ms = round(time.time() * 1000)
            made.schwab.cut(how)
            back = partial(_is_back, made, reconnects, len(keys), cut_ms)
            took.append(seconds_until(back, 30, "it is back"))
            now = streaming_keys(made)
            if now != keys:
                changed.append((keys - now, now - keys))
        state = made.schwab.state()
    return took, changed, state["max_connections"]


def _all_stream(made: Site) -> bool:
    """All of them, so that no way of spot's changes the plan between two looks."""
    loaded = made.store.load("AAPL")
    return loaded is not None and bool(loaded.chain.quotes.streaming.all())


def _is_back(made: Site, reconnects: int, keys: int, cut_ms: int) -> bool:
    """Whether it has connected again, and every key has delivered its image since the cut."""
    loaded = made.store.load("AAPL")
    if loaded is None or status(made.store).reconnects <= reconnects:
        return False
    quotes = loaded.chain.quotes
    return int((quotes.streaming & (quotes.updated_ms >= cut_ms)).sum()) >= keys


def streaming_keys(made: Site) -> frozenset[str]:
    """The contracts that the cached chain marks as streaming."""
    loaded = made.store.load("AAPL")
    if loaded is None:
        return frozenset()
    return frozenset(loaded.chain.contracts.symbol[loaded.chain.quotes.streaming].tolist())
