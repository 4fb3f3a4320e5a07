"""Every view at every width, and by axe-core's rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from benchmarks.ui.chromium import Tab, tab
from benchmarks.ui.table import Row
from components.state import VIEWS
from tests.looks import faults
from tests.product import Running
from tests.support import eventually

WIDTHS = (320, 390, 480, 600, 768, 900, 1024, 1280, 1440, 1920, 2560)
# Rules broken inside what plotly.js or Dash draws, which we can't change: reported by name, not counted as ours.
_UPSTREAM = (".js-plotly-plot", "#_dash-", "._dash-")


def settled(opened: Tab) -> None:
    """Wait until a view is past its skeleton: its picture, its table or its words are there."""
    there = "() => document.getElementById('page')?.dataset.drawn || document.querySelector('#notice:not([hidden])')"
    eventually(lambda: opened.page.evaluate(f"{there} !== null"), 30, "the view is there")
    opened.page.wait_for_timeout(1000)


def accessible(browser: Browser, product: Running) -> Row:
    """Figure 7: every view in both themes."""
    ours: dict[str, list[str]] = {}
    upstream: set[str] = set()
    for theme in ("dark", "light"):
        with tab(browser) as opened:
            opened.page.add_init_script(f"localStorage.setItem('gex-theme', '{theme}')")
            for view in VIEWS:
                opened.page.goto(f"{product.url}/gex/SPX?view={view}")
                settled(opened)
                _sort_violations(
                    Axe().run(opened.page).response["violations"], f"{view} {theme}", ours, upstream
                )
    count = sum(map(len, ours.values()))
    return Row(
        7,
        f"axe-core on {len(VIEWS)} views, dark and light",
        "0 violations of ours",
        f"{count} of ours; upstream: {', '.join(sorted(upstream)) or 'none'}",
        count == 0,
        {"ours": ours, "upstream": sorted(upstream)},
    )


def _sort_violations(
    found: list[dict[str, Any]], where: str, ours: dict[str, list[str]], upstream: set[str]
) -> None:
    for violation in found:
        for node in violation["nodes"]:
            target = " ".join(map(str, node["target"]))
            if any(mark in target for mark in _UPSTREAM):
                upstream.add(violation["id"])
            else:
                ours.setdefault(where, []).append(f"{violation['id']}: {target}")


def _keep(opened: Tab, path: Path, *, whole: bool) -> None:
    """A picture small enough for the repository, of the screen or of the whole page."""
    opened.page.screenshot(path=path, type="jpeg", quality=60, full_page=whole)


def widths(browser: Browser, product: Running, folder: Path) -> Row:
    """Figure 9: sideways scroll and overlapping words, every view from a small phone to a wide screen."""
    found: dict[str, list[str]] = {}
    for width in WIDTHS:
        with tab(browser, width, 900) as opened:
            for view in VIEWS:
                opened.page.goto(f"{product.url}/gex/SPX?view={view}")
                settled(opened)
                wrong = faults(opened.page)
                if wrong:
                    found[f"{view} {width}"] = wrong
                if view == "overview" or width in (390, 1440):
                    # where panels stand one below the other, a screen holds one
                    _keep(opened, folder / f"{view}-{width}.jpg", whole=width < 900)
    return Row(
        9,
        f"{len(VIEWS)} views from {WIDTHS[0]} to {WIDTHS[-1]} px",
        "no horizontal scroll, no overlap",
        f"{sum(map(len, found.values()))} faults in {len(found)} of {len(WIDTHS) * len(VIEWS)} pictures",
        not found,
        {"faults": found},
    )
