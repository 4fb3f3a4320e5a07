"""Alerts and the Status view in real browsers: seen, acknowledged, edited by the owner alone, and each browser its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app.access.account import gate
from app.alerts.alert import Alert
from app.alerts.ledger import Ledger
from app.cache.embedded import EmbeddedRedis
from tests.browser.conftest import Desk
from tests.support import eventually

pytestmark = pytest.mark.browser

CUT_S = float(os.environ.get("GEX_CUT_S", "1"))  # how long the network is cut; the figure to reach is 30
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        yield browser
        browser.close()


@dataclass
class Visitors:
    """Browsers at one dashboard, each with cookies and storage of its own."""

    chromium: Browser
    desk: Desk

    def viewer(self) -> BrowserContext:
        context = self.chromium.new_context(viewport={"width": 1440, "height": 915})
        context.set_default_timeout(PATIENCE_MS)
        return context

    def owner(self) -> BrowserContext:
        """A browser that has signed in."""
        context = self.viewer()
        with self.desk.wsgi.inner.app_context():
            secret = gate().sessions.create("owner", "Test")
        context.add_cookies([{"name": "gex_session", "value": secret, "url": self.desk.url}])
        return context

    def open(self, context: BrowserContext, path: str = "/gex/SPX") -> Page:
        page = context.new_page()
        page.goto(self.desk.url + path)
        return page


@pytest.fixture
def visitors(chromium: Browser, desk: Desk) -> Iterator[Visitors]:
    yield Visitors(chromium, desk)
    for context in chromium.contexts:
        context.close()


def fire(desk: Desk, id_: str, text: str, level: str = "flip", symbol: str = "SPX") -> None:
    """What the feed does when a rule fires."""
    ledger = Ledger(desk.services.store, "schwab")
    now = datetime.now(UTC)
    alert = Alert(
        id=id_, at=now, rule="r", kind="crossing", answer="above", symbol=symbol, level=level, text=text
    )
    ledger.write_fired([alert, *ledger.fired()])


def toasts(page: Page) -> list[str]:
    return page.locator("#toasts .toast:visible p").all_inner_texts()


def test_an_alert_is_shown_marked_and_acknowledged_for_good(visitors: Visitors) -> None:
    context = visitors.viewer()
    page = visitors.open(context)
    expect(page.locator("#page")).to_have_attribute("data-drawn", "true")
    words = "SPX rose above the <b>gamma flip</b>."  # shown as it is written, never as markup
    fire(visitors.desk, "a1", words)
    expect(page.locator("#toasts .toast p")).to_have_text(words)
    expect(page.locator("#alerts-count")).to_have_text("1")
    expect(page.locator("#tile-flip .alerted")).to_be_visible()
    expect(page.locator("#tile-put_wall .alerted")).to_be_hidden()
    page.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(page.locator("#alerts-count")).to_be_hidden()
    expect(page.locator("#tile-flip .alerted")).to_be_hidden()
    assert toasts(page) == []
    page.reload()
    expect(page.locator("#page")).to_have_attribute("data-drawn", "true")
    expect(page.locator("#alerts-count")).to_be_hidden()
    page.keyboard.press("a")
    expect(page.locator("#alerts-fired .fired p")).to_have_text(words)


def test_the_owner_edits_rules_on_the_page_and_a_viewer_reads_them(visitors: Visitors) -> None:
    owner = visitors.open(visitors.owner())
    owner.locator("#alerts-open").click()
    owner.get_by_role("button", name="Add a rule").click()
    owner.locator("#alerts select[name=kind]").select_option("move")
    owner.locator("#alerts select[name=level]").select_option("call_wall")
    owner.locator("#alerts input[name=by]").fill("25")
    owner.locator("#alerts select[name=unit]").select_option("points")
    owner.get_by_role("button", name="Save").click()
    words = "Call wall of any followed symbol moves by more than 25 points within 15 min"
    expect(owner.locator("#alerts .rule p").first).to_have_text(words)
    [rule] = visitors.desk.services.alerts.rules().rules
    assert (rule.kind, rule.model_dump()["by"]) == ("move", 25.0)
    viewer = visitors.open(visitors.viewer())
    viewer.locator("#alerts-open").click()
    expect(viewer.locator("#alerts .rule p").first).to_have_text(words)
    assert viewer.locator("#alerts .rule button").count() == 0
    owner.get_by_role("button", name="Delete").click()
    expect(owner.locator("#alerts .rule")).to_have_count(0)
    alerts = visitors.desk.services.alerts
    assert alerts.rules().rules == []
    owner.get_by_role("button", name="Add a rule").click()
    alerts.replace_rules([], alerts.rules().revision)  # another browser was faster
    owner.get_by_role("button", name="Save").click()
    expect(owner.locator("#alerts .wrong")).to_contain_text("changed elsewhere")
    expect(owner.locator("#alerts form select[name=kind]")).to_be_visible()


def test_two_browsers_keep_their_filters_and_what_they_acknowledged(visitors: Visitors) -> None:
    one, other = visitors.viewer(), visitors.viewer()
    week, everything = visitors.open(one, "/gex/SPX?expiries=week"), visitors.open(other)
    net = "#tile-net_gex .value"
    for page in (week, everything):
        expect(page.locator("#page")).to_have_attribute("data-drawn", "true")
    shown = [page.locator(net).inner_text() for page in (week, everything)]
    assert shown[0] != shown[1]
    fire(visitors.desk, "a1", "One for both.")
    for page in (week, everything):
        expect(page.locator("#alerts-count")).to_have_text("1")
    week.get_by_role("button", name="Acknowledge", exact=True).click()
    expect(week.locator("#alerts-count")).to_be_hidden()
    visitors.desk.publish(spot=round(visitors.desk.chain.spot + 1, 2))
    for page in (week, everything):
        expect(page.locator("#tile-spot .value")).to_have_text(f"{visitors.desk.chain.spot:,.2f}")
    expect(everything.locator("#alerts-count")).to_have_text("1")
    assert week.locator(net).inner_text() != everything.locator(net).inner_text()
    assert week.url.endswith("?expiries=week")
    assert everything.url.endswith("/gex/SPX")


def test_after_the_network_was_cut_the_page_goes_on_by_itself(visitors: Visitors) -> None:
    context = visitors.viewer()
    page = visitors.open(context)
    expect(page.locator("#page")).to_have_attribute("data-state", "live")
    context.set_offline(True)
    expect(page.locator("#page")).to_have_attribute("data-state", "down")
    page.wait_for_timeout(CUT_S * 1000)  # the cut's length is what is tested
    fire(visitors.desk, "a1", "While you were cut off.")
    moved = round(visitors.desk.chain.spot + 9, 2)
    visitors.desk.publish(spot=moved)
    context.set_offline(False)
    expect(page.locator("#tile-spot .value")).to_have_text(f"{moved:,.2f}")
    expect(page.locator("#page")).to_have_attribute("data-state", "live")
    expect(page.locator("#alerts-count")).to_have_text("1")


def test_a_tab_out_of_sight_still_notifies_where_it_was_asked_to(visitors: Visitors) -> None:
    context = visitors.viewer()
    context.grant_permissions(["notifications"], origin=visitors.desk.url)
    context.add_init_script(
        """
        localStorage.setItem("gex-notify", "yes");
        window.notified = [];
        window.Notification = class { constructor(title, {body}) { window.notified.push(`${title}|${body}`); }
          static permission = "granted"; };
        """
    )
    page = visitors.open(context)
    expect(page.locator("#page")).to_have_attribute("data-drawn", "true")
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")
    fire(visitors.desk, "a1", "Seen by nobody.")
    eventually(lambda: page.evaluate("window.notified"), 20, "a notification is shown")
    assert page.evaluate("window.notified") == ["SPX: alert|Seen by nobody."]


# --- the Status view --------------------------------------------------------------------------------


def test_the_status_view_works_without_a_chain_and_says_how_the_feed_does(visitors: Visitors) -> None:
    page = visitors.open(visitors.owner(), "/gex/SPY?view=status")
    cards = page.locator("#status-cards")
    expect(cards).to_contain_text("2,900 of 3,000")
    expect(cards).to_contain_text("Test, this one")
    expect(cards.locator("tbody tr").first).to_contain_text("SPX")
    expect(page.locator("#strip")).to_be_hidden()
    assert page.locator("#summary").inner_text().startswith("Feed live. Cache healthy.")
    viewer = visitors.open(visitors.viewer(), "/gex/SPX?view=status")
    expect(viewer.locator("#status-cards")).to_contain_text("Signed in")
    assert "this one" not in viewer.locator("#status-cards").inner_text()


def test_the_status_view_works_while_redis_is_away(
    chromium: Browser, redis_desk: Desk, own_redis: EmbeddedRedis
) -> None:
    visitors = Visitors(chromium, redis_desk)
    page = visitors.open(visitors.viewer(), "/gex/SPX?view=status")
    cards = page.locator("#status-cards")
    expect(cards).to_contain_text("Healthy")
    assert own_redis.process
    own_redis.process.kill()
    own_redis.process.wait()
    expect(cards).to_contain_text("Unreachable")
    expect(page.locator("#state-word")).to_have_text("Cache down")
    page.reload()
    expect(cards).to_contain_text("Unreachable")
    own_redis.start()
    expect(cards).to_contain_text("Healthy")
    page.context.close()


def test_the_owner_follows_a_symbol_from_the_page_that_says_it_is_not_followed(visitors: Visitors) -> None:
    page = visitors.open(visitors.owner(), "/gex/TSLA")
    page.get_by_role("button", name="Follow TSLA").click()
    eventually(lambda: "TSLA" in visitors.desk.services.watchlist.symbols(), 30, "TSLA is followed")
    expect(page.locator("#notice")).to_be_visible()
    expect(page.locator("#notice")).to_contain_text("TSLA")
    viewer = visitors.open(visitors.viewer(), "/gex/QQQ")
    viewer.get_by_role("button", name="Follow QQQ").click()
    viewer.wait_for_url("**/login")
