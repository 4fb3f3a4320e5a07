"""A headless Chromium driven through Playwright and its DevTools protocol."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from tests.support import eventually

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--js-flags=--expose-gc",
]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_DRAWN = """
() => document.getElementById('page')?.dataset.drawn === 'true'
  && document.querySelector('#chart .js-plotly-plot')?.data?.length > 0
"""


def executable() -> str | None:
    """The Chromium of this machine, None where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of one's own; ended with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Tab:
    """One page in a context of its own, with its DevTools session."""

    context: BrowserContext
    page: Page
    devtools: CDPSession

    def drawn(self, timeout_s: float = 60) -> None:
        """Wait until the chart of the chosen view is on the screen."""
        # Playwright's own waiting is refused by the page's Content-Security-Policy
        eventually(lambda: self.page.evaluate(_DRAWN), timeout_s, "the chart is drawn")

    def metrics(self) -> dict[str, float]:
        """Chromium's own counters: TaskDuration (s of main thread), JSHeapUsedSize (bytes), Nodes ..."""
        found = self.devtools.send("Performance.getMetrics")["metrics"]
        return {metric["name"]: metric["value"] for metric in found}

    def settled_memory(self) -> dict[str, float]:
        """The counters right after garbage was collected."""
        self.devtools.send("HeapProfiler.collectGarbage")
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 300)))")
        self.devtools.send("HeapProfiler.collectGarbage")
        return self.metrics()


@contextlib.contextmanager
def tab(browser: Browser, width: int = 1440, height: int = 915, **options: Any) -> Iterator[Tab]:
    """An empty tab with nothing cached."""
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    devtools = context.new_cdp_session(page)
    devtools.send("Performance.enable")
    devtools.send("Network.enable")
    try:
        yield Tab(context, page, devtools)
    finally:
        context.close()
