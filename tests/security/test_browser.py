"""A real browser on every page with its menus open, and with markup that would run in every field and part of an address."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from werkzeug.serving import make_server as serve

from app.access.account import account_links
from app.access.visitor import HOUSE
from app.api.context import context
from components.state import VIEWS
from tests.chains import synthetic
from tests.security.conftest import FULL, Record
from tests.security.payloads import XSS
from tests.security.people import owner
from tests.webserver import StandInBroker, make_server

pytestmark = pytest.mark.browser

SEEN_VIEWS = VIEWS if FULL else VIEWS[:1]
MORE = ["/differences", "/api/docs", "/nowhere", "/gex/ZZZZ"] if FULL else []
PAGES = [*(f"/gex/SPX?view={view}" for view in SEEN_VIEWS), "/method", *MORE]
ACCOUNT = [address for _, address in account_links(HOUSE)]
QUERY = ("view", "side", "weight", "unit", "walls", "expiries", "range", "with", "at", "show", "x")
WATCH = """
  window.pwned = () => { window.top.__ran = (window.top.__ran || 0) + 1; };
  window.__refused = [];
  document.addEventListener("securitypolicyviolation", (event) =>
    window.__refused.push([event.effectiveDirective, event.blockedURI, event.sourceFile, event.lineNumber].join(" ")));
"""


TYPE = "(field, text) => { field.removeAttribute('maxlength'); field.value = text; }"
TEXTS = ", ".join(
    f"{kind}:visible" for kind in ("input[type=text]", "input[type=search]", "input:not([type])", "textarea")
)


@dataclass
class Watched:
    """A page of the browser, and what it would not or should not have run."""

    page: Any
    base: str
    refused: list[str] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    opened: int = 0

    def open(self, path: str, settle_ms: int = 200) -> None:
        """Load a page and look."""
        self.page.goto(self.base + path, wait_until="load")
        self.page.wait_for_timeout(settle_ms)
        self.opened += 1
        self.look(path)

    def look(self, where: str) -> None:
        """Take down what was refused or ran since the page was loaded."""
        self.refused += [f"{where}: {said}" for said in self.page.evaluate("window.__refused || []")]
        self.ran += [where] * int(self.page.evaluate("window.__ran || 0"))
        self.page.evaluate("window.__refused = []; window.__ran = 0")

    def drawn(self) -> None:
        """Wait until Dash has put the page together."""
        self.page.wait_for_selector("#page, .problem, .card", timeout=60_000)
        self.page.wait_for_timeout(400)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, str]]:
    server = make_server(
        tmp_path_factory.mktemp("data"), StandInBroker(), access="private", symbols="SPX,SPY"
    )
    with server.app_context():
        context().store.publish(synthetic()[0], 1)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    http = serve("127.0.0.1", 0, server, threaded=True)
    http.daemon_threads = True  # type: ignore[attr-defined]
    threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True).start()
    yield server, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.fixture(scope="module")
def watched(site: tuple[Flask, str]) -> Iterator[Watched]:
    """The owner's browser."""
    from playwright.sync_api import sync_playwright

    server, base = site
    cookie = owner(server).get_cookie("gex_session")
    assert cookie
    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        session = browser.new_context(viewport={"width": 1440, "height": 900})
        session.add_cookies([{"name": "gex_session", "value": cookie.value, "url": base}])
        session.add_init_script(WATCH)
        page = session.new_page()
        page.on("dialog", lambda dialog: dialog.dismiss())
        yield Watched(page, base)
        browser.close()


def _open_menus(watched: Watched, path: str) -> int:
    """Open every menu of the page, one after the other, and its help."""
    opened = 0
    for menu in watched.page.query_selector_all("details"):
        menu.evaluate("menu => { menu.open = true; }")
        watched.page.wait_for_timeout(60)
        opened += 1
    if watched.page.locator("#tile-flip:visible").count():
        watched.page.locator("#tile-flip").hover(force=True)
        watched.page.wait_for_selector(".tooltip")
        watched.page.locator("#help-open").dispatch_event("click")
        watched.page.wait_for_timeout(200)
        opened += 2
    watched.look(f"{path} with its menus open")
    return opened


def test_no_page_or_menu_breaks_the_policy(watched: Watched, figure: Record) -> None:
    menus = 0
    for path in [*PAGES, *ACCOUNT]:
        watched.open(path)
        if path.startswith(("/gex", "/method", "/differences")):
            watched.drawn()
        menus += _open_menus(watched, path)
    measured = f"{len(watched.refused)} violations on {len(PAGES) + len(ACCOUNT)} pages, {menus} menus open"
    said = " | ".join(sorted(set(watched.refused))[:20])
    figure(
        5, "CSP in Chromium", "0 violations", f"{measured} {said}".strip(), not watched.refused and menus > 5
    )


def _into_addresses(watched: Watched, payload: str) -> None:
    sent = quote(payload, safe="")
    everywhere = "&".join(f"{name}={sent}" for name in QUERY)
    for path in (f"/gex/SPX?{everywhere}#{sent}", f"/gex/{sent}?{sent}={sent}"):
        watched.open(path, 0)
        watched.drawn()
        watched.look(path)
    for path in (f"/share/{sent}", f"/login?next={sent}#{sent}", f"/login/callback?code={sent}&state={sent}",
                 f"/login/callback?error={sent}&error_description={sent}", f"/login/keys?{everywhere}",
                 f"/api/v1/gex/{sent}?side={sent}", f"/api/v1/{sent}", f"/{sent}", f"/assets/{sent}"):  # fmt: skip
        watched.open(path, 20)


def _into_fields(watched: Watched, payload: str) -> int:
    """Fill every field of the account's pages and send each form that keeps the owner signed in."""
    filled = 0
    for address in ACCOUNT:
        watched.open(address, 0)
        for number in range(watched.page.locator("form:has(input:visible)").count()):
            form = watched.page.locator("form:has(input:visible)").nth(number)
            fields = form.locator("input:visible, textarea:visible")
            for which in range(fields.count()):
                fields.nth(which).evaluate(TYPE, payload)
                filled += 1
            form.locator("button").first.click()
            watched.page.wait_for_load_state()
            watched.page.wait_for_timeout(60)
            watched.look(f"{address} with {payload}")
            watched.open(address, 0)
    return filled


def _into_views(watched: Watched, payload: str) -> int:
    """Type into every field of the dashboard's views."""
    filled = 0
    for view in SEEN_VIEWS:
        watched.open(f"/gex/SPX?view={view}", 0)
        watched.drawn()
        fields = watched.page.locator(TEXTS)
        for number in range(fields.count()):
            fields.nth(number).fill(payload)
            fields.nth(number).press("Enter")
            filled += 1
        watched.page.wait_for_timeout(100)
        watched.look(f"{view} with {payload}")
    return filled


@pytest.mark.skipif(not FULL, reason="takes minutes: make security")
def test_no_markup_runs_from_a_field_or_an_address(watched: Watched, figure: Record) -> None:
    watched.refused.clear()
    filled = 0
    for payload in XSS:
        _into_addresses(watched, payload)
        filled += _into_fields(watched, payload)
    for payload in XSS[::7]:
        filled += _into_views(watched, payload)
    measured = (
        f"{len(watched.ran)} executions, {len(watched.refused)} violations: {len(XSS)} payloads, {filled} fields, "
        f"{watched.opened} pages {sorted(set(watched.ran + watched.refused))[:10] or ''}"
    ).strip()
    clean = not watched.ran and not watched.refused
    figure(5, "markup in fields and addresses", "0 executions, 0 violations", measured, clean)


def test_the_watch_itself_sees_what_runs_and_what_is_refused(watched: Watched) -> None:
    watched.open("/login")
    watched.page.evaluate("pwned()")
    watched.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=pwned()>')")
    watched.page.wait_for_timeout(300)
    ran, refused = len(watched.ran), len(watched.refused)

    watched.look("itself")

    assert len(watched.ran) == ran + 1
    assert len(watched.refused) > refused


@pytest.mark.parametrize("width", [390, 1440])
def test_the_accounts_pages_fit_every_width(watched: Watched, width: int, tmp_path: Path) -> None:
    watched.page.set_viewport_size({"width": width, "height": 900})
    for address in ACCOUNT:
        watched.open(address)
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width, address
    watched.page.set_viewport_size({"width": 1440, "height": 900})
