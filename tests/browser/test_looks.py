"""Every view in a real browser: nothing overlaps or scrolls sideways, and axe-core finds no barrier of ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from components.state import VIEWS
from tests.browser.conftest import Desk
from tests.looks import faults
from tests.recorded import MINUTE, record
from tests.support import eventually

pytestmark = pytest.mark.browser

WIDTHS = (320, 390, 768, 1440, 2560)
_THERE = "() => Boolean(document.getElementById('page')?.dataset.drawn || document.querySelector('#notice:not([hidden])'))"
_UPSTREAM = (".js-plotly-plot", "#_dash-", "._dash-")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Browser, desk: Desk) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1440, "height": 915})
    yield context.new_page()
    context.close()


@pytest.fixture(autouse=True)
def recorded(desk: Desk) -> None:
    """Two minutes that were recorded before the close."""
    chain = desk.chain
    earlier = [replace(chain, as_of_ms=chain.as_of_ms - n * MINUTE) for n in (2, 1)]
    record(desk.services.settings.data_dir, earlier)


def opened(tab: Page, desk: Desk, view: str) -> None:
    tab.goto(f"{desk.url}/gex/SPX?view={view}")
    eventually(lambda: tab.evaluate(_THERE), 30, f"{view} is there")


PAST = ("overview&at=2024-01-07T15:51Z", "time&at=2024-01-07T15:51Z&against=2024-01-07T15:50Z")


@pytest.mark.parametrize("view", VIEWS + PAST)
def test_no_view_scrolls_sideways_or_lays_words_on_words(tab: Page, desk: Desk, view: str) -> None:
    opened(tab, desk, view)
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 915})
        # a layout settles within a few frames of the resize
        eventually(lambda: not faults(tab), 5, f"{view} at {width} px is without faults")


_TOPS = "() => [...document.querySelectorAll('#panels, .cards')].map((node) => node.getBoundingClientRect().top + scrollY)"


def test_a_banner_that_comes_and_goes_leaves_the_charts_where_they_are(tab: Page, desk: Desk) -> None:
    lost = desk.problem("The stream was lost.", "It is being connected again by itself.")
    desk.publish(session="open")
    opened(tab, desk, "overview")
    tab.wait_for_selector("#controls .chip")
    for width in (390, 1024, 1440):
        tab.set_viewport_size({"width": width, "height": 915})
        eventually(lambda: not faults(tab), 10, f"the layout of {width} px has settled")
        before = tab.evaluate(_TOPS)
        desk.publish(missing_expiries=7)
        eventually(lambda: "7 expiry dates" in tab.inner_text("#banner"), 10)
        assert tab.evaluate(_TOPS) == before
        desk.report(state="reconnecting", problem=lost)
        eventually(lambda: "The stream was lost." in tab.inner_text("#banner"), 10)
        assert tab.evaluate(_TOPS) == before
        assert faults(tab) == []
        desk.publish(missing_expiries=0)
        desk.report()
        eventually(lambda: tab.is_hidden("#banner"), 10)
        assert tab.evaluate(_TOPS) == before


@pytest.mark.parametrize("path", ["/method", "/differences", "/gex/" + 60 * "A", "/gex/QQQ"])
def test_pages_of_words_fit_a_phone(tab: Page, desk: Desk, path: str) -> None:
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(desk.url + path)
    eventually(
        lambda: tab.evaluate("() => document.querySelector('#problem h1') !== null"),
        20,
        "the words are there",
    )
    assert faults(tab) == []


_HEADERS = (
    ("Live", "0.8 s", "Open 13:42:07 ET"),
    ("Closed", "Wed, Nov 25", "18:42:07 ET"),
    ("Disconnected", "43 min", "Open 13:42:07 ET"),
    ("Reconnecting", "59 min", "Open 13:42:07 ET"),
)


def test_every_views_name_is_in_sight_whatever_the_state_says(tab: Page, desk: Desk) -> None:
    opened(tab, desk, "status")
    for width in (900, 1024, 1280, 1366, 1440):
        tab.set_viewport_size({"width": width, "height": 915})
        for word, age, clock in _HEADERS:
            cut = tab.evaluate(
                """
                ([word, age, clock]) => {
                  for (const [id, text] of [['state-word', word], ['state-age', age], ['clock', clock]]) {
                    document.getElementById(id).textContent = text;
                  }
                  document.getElementById('simulated').hidden = false;
                  const views = document.getElementById('views');
                  return views.scrollWidth - views.clientWidth;
                }
                """,
                [word, age, clock],
            )
            assert cut <= 0, f"{word} at {width} px leaves {cut} px out of sight"


def test_no_view_has_a_barrier_that_axe_finds(tab: Page, desk: Desk) -> None:
    tab.add_init_script("localStorage.setItem('gex-theme', 'dark')")
    found: list[str] = []
    for view in VIEWS + PAST:
        opened(tab, desk, view)
        for card, options in ("#121820", {}), ("#ffffff", {"runOnly": ["color-contrast"]}):
            # the other theme differs in its colours alone
            eventually(lambda card=card: tab.evaluate("() => gex.theme.tokens().card") == card, 10)
            for violation in Axe().run(tab, options=options).response["violations"]:
                targets = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
                ours = [target for target in targets if not any(mark in target for mark in _UPSTREAM)]
                found += [f"{view}, {card}: {violation['id']}: {target}" for target in ours]
            tab.click("#theme")
    assert found == []
