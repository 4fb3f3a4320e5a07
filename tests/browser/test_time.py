"""Recorded time in a real browser: the Time view, every view at a past minute, and the way back to the present."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import get_args

import pytest

from components.state import View
from tests.browser.conftest import Page
from tests.recorded import MINUTE, record
from tests.support import eventually

pytestmark = pytest.mark.browser

MINUTES = 12
GAP = (5, 6)


@pytest.fixture
def remember(page: Page) -> Callable[[int], int]:
    """Twelve recorded minutes with a gap of two, and a way to add more; it tells when each began, ms since the epoch."""
    chain = page.desk.chain
    start = chain.as_of_ms // MINUTE * MINUTE - 60 * MINUTE

    def add(minute: int) -> int:
        at = start + minute * MINUTE
        record(
            page.desk.services.settings.data_dir,
            [replace(chain, as_of_ms=at + 400, spot=chain.spot + minute)],
        )
        return at

    for minute in range(MINUTES):
        if minute not in GAP:
            add(minute)
    return add


def columns(page: Page) -> int:
    """How many minutes of the heatmap have a colour."""
    script = """
    const [heat] = document.querySelector('#chart .js-plotly-plot')?.data || [];
    return heat?.type === 'heatmap' ? Array.from(heat.z[20]).filter(Number.isFinite).length : 0;
    """
    return int(page.run(script))


def test_a_recorded_day_is_drawn_and_grows_without_being_drawn_anew(
    page: Page, remember: Callable[[int], int]
) -> None:
    page.open("/gex/SPX?view=time")
    eventually(
        lambda: columns(page) == MINUTES - len(GAP), 30, "the recorded minutes are drawn, the gap is not"
    )
    page.run(
        "window.anew = 0; const { react } = Plotly; Plotly.react = (...x) => { window.anew++; return react(...x); }"
    )
    remember(MINUTES)
    eventually(lambda: columns(page) == MINUTES - len(GAP) + 1, 15, "the new minute is drawn")
    assert page.run("return window.anew") == 0
    page.run("document.querySelector('[data-export=table]').click()")
    eventually(lambda: len(page.browser.find_elements("#table-box tbody tr")) == MINUTES - len(GAP) + 1, 10)
    assert f"{page.desk.chain.spot + MINUTES:,.2f}" in page.run(
        "return document.getElementById('table-box').innerText"
    )
    assert page.errors() == []


def test_one_steps_through_the_past_and_back_to_the_present(
    page: Page, remember: Callable[[int], int]
) -> None:
    page.open("/gex/SPX")
    page.drawn()
    spot = page.desk.chain.spot
    page.shows("spot", f"{spot:,.2f}")
    page.run("document.querySelector('[data-past=look]').click()")
    # the chain's own minute has no row: said, and nothing is shown for it
    eventually(lambda: "Nothing was recorded" in page.text("#notice"), 10)
    assert page.value("spot") == "–"
    body = page.browser.driver.find_element("tag name", "body")
    body.send_keys(",")
    page.shows("spot", f"{spot + MINUTES - 1:,.2f}")
    assert page.state() == "past"
    assert "ET, Jan 07" in page.text("#past-when")
    for _ in range(5):
        address = page.address()
        body.send_keys(",")
        eventually(lambda before=address: page.address() != before, 5)
    page.shows("spot", f"{spot + GAP[0] - 1:,.2f}")  # the gap is stepped over
    page.desk.publish(spot=round(spot + 40, 2))
    asked = page.desk.wsgi.asked
    eventually(lambda: page.desk.wsgi.asked >= asked + 3, 10, "the page has asked again")
    assert page.value("spot") == f"{spot + GAP[0] - 1:,.2f}"
    assert page.state() == "past"
    body.send_keys("l")
    page.shows("spot", f"{spot + 40:,.2f}")
    eventually(lambda: page.state() == "live", 10)
    assert page.address() == "/gex/SPX"
    assert page.errors() == []


def as_written(at: int) -> str:
    """A minute, ms since the epoch, as an address has it."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")


def test_a_past_address_opens_as_the_past_on_every_view(page: Page, remember: Callable[[int], int]) -> None:
    at = remember(MINUTES)
    word = as_written(at)
    views = [view for view in get_args(View) if view != "status"]  # which shows no chain
    for view in views:
        page.open(f"/gex/SPX?view={view}&at={word}")
        eventually(lambda: page.state() == "past", 20, f"{view} is shown as the past")
        eventually(lambda: page.run("return document.getElementById('page').dataset.drawn") == "true", 20)
        assert not page.browser.find_element("#past").get_attribute("hidden")
        assert not page.text("#notice")
    assert page.errors() == []


def test_compared_symbols_are_recorded_or_say_that_they_are_not(
    page: Page, remember: Callable[[int], int]
) -> None:
    at = remember(MINUTES)
    word = as_written(at)
    page.open(f"/gex/SPX?view=compare&with=SPY&at={word}")
    eventually(lambda: "Recorded" in page.text("#beside"), 20)
    own, other = page.browser.find_elements("#beside .member")
    assert f"{page.desk.chain.spot + MINUTES:,.2f}" in own.text
    assert own.find_element("css selector", "a").get_attribute("href").endswith(f"/gex/SPX?at={word}")
    assert "Nothing was recorded of it at this minute" in other.text
    assert "Live" not in page.text("#beside")
    assert page.errors() == []


def test_greeks_of_a_past_minute_have_a_table_with_gaps_where_nothing_is_recorded(
    page: Page, remember: Callable[[int], int]
) -> None:
    at = remember(MINUTES)
    word = as_written(at)
    page.open(f"/gex/SPX?view=greeks&range=3000,6000&at={word}")
    eventually(lambda: "Recorded are strikes from" in page.text("#note"), 20)
    page.run("document.querySelector('[data-export=table]').click()")
    eventually(lambda: len(page.browser.find_elements("#table-box tbody tr")) > 150, 10)
    rows = page.run(
        "return [...document.querySelectorAll('#table-box tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText))"
    )
    dex = {row[0]: row[2] for row in rows}
    assert dex["3,000"] == "–"
    assert dex["4,700"] not in ("–", "0")
    assert "not live" in page.run("return document.getElementById('summary').textContent")
    assert page.errors() == []


def test_two_minutes_are_compared(page: Page, remember: Callable[[int], int]) -> None:
    first, second = remember(MINUTES), remember(MINUTES + 1)
    words = page.run(f"return [{first}, {second}].map((at) => new Date(at).toISOString().slice(0, 16) + 'Z')")
    page.open(f"/gex/SPX?view=time&at={words[1]}&against={words[0]}")
    eventually(lambda: "WHERE THE CHANGE" in page.text("#time-cards"), 20)
    assert "+1.00" in page.text("#time-cards")  # of spot
    page.run("document.getElementById('past-against').click()")
    eventually(lambda: "WHERE THE CHANGE" not in page.text("#time-cards"), 10)
    assert "against" not in page.address()
