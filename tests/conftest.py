"""Fixtures that every kind of test shares: a real Redis of the test's own, a headless browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis
from dash.testing.application_runners import BaseDashRunner

from app.cache import Store, open_store
from app.cache.embedded import EmbeddedRedis
from tests.support import ROOT, free_port

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_INSTALL = "apt-get install -y chromium chromium-driver"

# Every process of pytest-xdist would begin at the same port otherwise.
BaseDashRunner._next_port = free_port()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile once for all processes of pytest-xdist, before they start: each would compile the same by itself."""
    if getattr(session.config.option, "numprocesses", None) and not hasattr(session.config, "workerinput"):
        subprocess.run([sys.executable, "-m", "tests.compiled"], cwd=ROOT, check=False)


@pytest.fixture(scope="session")
def _redis_server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def redis_url(_redis_server: EmbeddedRedis) -> str:
    """The address of a real, empty Redis. Who kills or stops it takes `own_redis` instead."""
    client = redis.Redis.from_url(_redis_server.url)
    client.flushall()
    client.close()
    return _redis_server.url


@pytest.fixture
def own_redis() -> Iterator[EmbeddedRedis]:
    """A Redis that this test may stop and kill."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    """A store in a real, empty Redis."""
    opened = open_store(redis_url)
    yield opened
    opened.close()


def pytest_setup_options() -> object:
    """How dash[testing] starts Chromium: headless, and silent towards the network."""
    from selenium.webdriver.chrome.options import Options

    options = Options()
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser:
        options.binary_location = browser
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--disable-default-apps",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
    ):
        options.add_argument(flag)
    return options


def _browser_missing() -> str:
    """What to say where there is no browser to drive; empty where there is one."""
    if any(map(shutil.which, _BROWSERS)) and shutil.which("chromedriver"):
        return ""
    return f"needs Chromium and chromedriver: {_INSTALL}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip browser tests, by name, where there is no browser; in CI that fails."""
    if item.get_closest_marker("browser") is None:
        return
    missing = _browser_missing()
    if missing and os.environ.get("CI", "").lower() in ("1", "true", "yes"):
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)
