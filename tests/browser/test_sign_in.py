"""Signing in as a person does: the whole product in its demo, closed to strangers, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from dash.testing.browser import Browser

from tests.support import clean_environment, eventually, free_port, process

pytestmark = [pytest.mark.browser, pytest.mark.redis]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`python -m app run`, private, following one small underlying."""
    port, folder = free_port(), tmp_path_factory.mktemp("product")
    url = f"http://127.0.0.1:{port}"
    env = clean_environment(
        PORT=str(port), ACCESS="private", SYMBOLS="AAPL", WORKERS="1", DATA_DIR=str(folder / "data")
    )
    log: Path = folder / "log"
    with process("run", env=env, log=log) as child:

        def ready() -> bool:
            assert child.poll() is None, log.read_text()
            return requests.get(f"{url}/api/v1/health/ready", timeout=2).ok

        eventually(ready, 90, "the product is ready")
        yield url


def _path(driver: Any) -> str:
    return str(driver.execute_script("return location.pathname + location.search"))


def _press(driver: Any, words: str) -> None:
    driver.find_element("xpath", f"//button[contains(., '{words}')]").click()


def _violations(driver: Any) -> list[str]:
    return [
        line["message"] for line in driver.get_log("browser") if "Content Security Policy" in line["message"]
    ]


def test_a_stranger_signs_in_and_comes_to_the_page_that_was_wanted(product: str, dash_br: Browser) -> None:
    driver = dash_br.driver
    driver.get(f"{product}/gex/AAPL?expiries=week")
    assert _path(driver) == "/login"
    assert "simulated data" in driver.find_element("css selector", "header").text.lower()

    _press(driver, "simulated Schwab")
    eventually(lambda: "/v1/oauth/authorize" in driver.current_url, 15, "Schwab's page")
    _press(driver, "Allow")
    eventually(lambda: _path(driver) == "/gex/AAPL?expiries=week", 15, "the wanted page")

    def spot() -> str:
        return str(driver.find_element("css selector", "#tile-spot .value").text)

    eventually(lambda: any(sign.isdigit() for sign in spot()), 30, "a live spot")
    assert _violations(driver) == []

    driver.get(f"{product}/login")
    assert driver.find_element("css selector", "h1").text == "Signed in"
    _press(driver, "Sign out here")
    driver.get(f"{product}/gex/AAPL")
    assert _path(driver) == "/login"


@pytest.mark.parametrize("width", [320, 390, 1440])
def test_the_sign_in_page_fits_every_width(product: str, dash_br: Browser, width: int) -> None:
    driver = dash_br.driver
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.get(f"{product}/login")
    driver.execute_script("document.querySelectorAll('details').forEach(part => { part.open = true; })")

    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_the_documentation_page_works_under_the_policy(product: str, dash_br: Browser) -> None:
    driver = dash_br.driver
    driver.get(f"{product}/login")
    _press(driver, "simulated Schwab")
    eventually(lambda: "/v1/oauth/authorize" in driver.current_url, 15, "Schwab's page")
    _press(driver, "Allow")
    eventually(lambda: _path(driver).startswith("/gex/"), 15, "the dashboard")

    driver.get(f"{product}/api/docs")

    eventually(lambda: len(driver.find_elements("css selector", ".opblock")) >= 10, 20, "the resources")
    assert _violations(driver) == []
