"""Signing in for real: browser, sign-in page, the simulator's authorize page, the TLS listener, and back."""

import contextlib
import logging
import re
import socket
import ssl
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import redis
import requests
from werkzeug.serving import make_server as make_http_server

from app.access.listener import CallbackListener, origin_finder
from app.access.pending import PendingLogins
from app.errors import SettingsError
from app.server import create_server
from app.services import Services, build_services
from app.settings import Settings
from app.simulator import APP_SECRET
from app.simulator.person import approve
from tests.feeding import default_settings_at, signed_in
from tests.simulation import running_simulator
from tests.support import free_port

pytestmark = pytest.mark.redis


@dataclass
class Deployment:
    """One product, running: where its page is, where its callback is, and what it is made of."""

    url: str
    callback: str
    services: Services
    browser: requests.Session

    def begin(self, browser: requests.Session | None = None) -> str:
        """Press the button; returns Schwab's address."""
        answer = (browser or self.browser).post(f"{self.url}/login", allow_redirects=False)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def come_back(self, address: str, browser: requests.Session | None = None) -> requests.Response:
        """Follow the redirect from Schwab, certificate warning ignored."""
        return (browser or self.browser).get(address, verify=False)

    def ask(self, path: str, **headers: str) -> requests.Response:
        """What the listener itself answers, certificate warning ignored."""
        return requests.get(
            f"{self.callback}{path}",
            verify=False,  # noqa: S501 - the point of the listener's certificate is that nobody knows it
            timeout=5,
            allow_redirects=False,
            headers=headers,
        )


@pytest.fixture(scope="module")
def callback_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def schwab(callback_port: int) -> Iterator[str]:
    """A simulator at which this module's callback is registered."""
    with running_simulator(
        "--symbols", "AAPL", "--callback-url", f"https://127.0.0.1:{callback_port}"
    ) as url:
        yield url


@pytest.fixture
def product(schwab: str, callback_port: int, redis_url: str, tmp_path: Path) -> Iterator[Deployment]:
    with _deployed(schwab, callback_port, redis_url, tmp_path) as deployment:
        yield deployment


@contextlib.contextmanager
def _deployed(
    schwab: str, callback_port: int, redis_url: str, data_dir: Path, secret: str = APP_SECRET
) -> Iterator[Deployment]:
    port, callback = free_port(), f"https://127.0.0.1:{callback_port}"
    settings = default_settings_at(
        schwab,
        data_dir,
        port=port,
        access="private",
        redis_url=redis_url,
        schwab_app_secret=secret,
        schwab_callback_url=callback,
    )
    services = build_services(settings)
    with _serving(settings, services), requests.Session() as browser:
        browser.headers["Accept"] = "text/html"
        yield Deployment(f"http://127.0.0.1:{port}", callback, services, browser)


@contextlib.contextmanager
def _serving(settings: Settings, services: Services) -> Iterator[None]:
    """Web server and callback listener, each in a thread."""
    web = make_http_server("127.0.0.1", settings.port, create_server(services), threaded=True)
    address = ("127.0.0.1", urlsplit(settings.schwab_callback_url).port or 0)
    listener = CallbackListener(settings, address, origin_finder(settings, PendingLogins(services.store)))
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in (web, listener)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        web.shutdown()
        listener.shutdown()
        for thread in threads:
            thread.join(5)
        web.server_close()
        listener.server_close()


def test_the_whole_way_in(product: Deployment) -> None:
    wanted = f"{product.url}/gex/SPX?expiries=week"
    assert urlsplit(product.browser.get(wanted).url).path == "/login"

    back = approve(product.begin())
    page = product.come_back(back)

    assert back.startswith(product.callback)
    assert page.status_code == 200
    assert page.url == wanted
    assert product.services.oauth.access_token()
    assert "d 23 h left" in product.browser.get(f"{product.url}/login").text


def test_a_pasted_address_does_the_same(product: Deployment) -> None:
    back = approve(product.begin())

    answer = product.browser.post(f"{product.url}/login/paste", data={"address": f"  {back}\n"})

    assert urlsplit(answer.url).path == "/gex/SPX"
    assert signed_in(product.services.oauth)


def test_a_code_works_once(product: Deployment) -> None:
    back = approve(product.begin())
    product.come_back(back)

    again = product.come_back(back)

    assert again.status_code == 400
    assert "unknown, used or too old" in again.text


def test_a_code_that_schwab_refuses_says_what_to_do_and_leaves_the_login_alone(product: Deployment) -> None:
    product.come_back(approve(product.begin()))
    token = product.services.oauth.access_token()
    state = parse_qs(urlsplit(product.begin()).query)["state"][0]

    answer = product.come_back(f"{product.callback}/?code=C0.invented%40&state={state}")

    assert answer.status_code == 400
    assert "refused the authorization code" in answer.text
    assert product.services.oauth.access_token() == token


def test_another_browser_gets_nowhere_with_the_address(product: Deployment) -> None:
    back = approve(product.begin())

    with requests.Session() as stranger:
        answer = product.come_back(back, stranger)

    assert answer.status_code == 400
    assert "another browser" in answer.text
    assert not signed_in(product.services.oauth)


def test_a_wrong_secret_is_named(schwab: str, callback_port: int, redis_url: str, tmp_path: Path) -> None:
    with _deployed(schwab, callback_port, redis_url, tmp_path, secret="another16letters") as product:
        answer = product.come_back(approve(product.begin()))

    assert answer.status_code == 400
    assert "SCHWAB_APP_SECRET" in answer.text


def test_disconnecting_deletes_the_login(product: Deployment) -> None:
    product.come_back(approve(product.begin()))
    assert signed_in(product.services.oauth)

    product.browser.post(f"{product.url}/login/disconnect")

    assert not signed_in(product.services.oauth)


def test_no_secret_reaches_log_or_cache(
    product: Deployment, caplog: pytest.LogCaptureFixture, redis_url: str
) -> None:
    caplog.set_level(logging.DEBUG)
    back = approve(product.begin())
    product.come_back(back)
    session = next(cookie.value for cookie in product.browser.cookies if cookie.name == "gex_session")
    code = parse_qs(urlsplit(back).query)["code"][0]
    client = redis.Redis.from_url(redis_url)
    kept = b" ".join(
        part
        for key in client.scan_iter()
        for part in (key, client.get(key) if client.type(key) == b"string" else b"")
        if part
    )

    for secret in (code, str(session), product.services.oauth.access_token(), APP_SECRET):
        assert secret.encode() not in kept
        assert secret not in _own_lines(caplog)


def _own_lines(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("app."))


def test_the_listener_says_what_it_is_for(product: Deployment) -> None:
    answer = product.ask("/other")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert f"{product.url}/login" in answer.text


def test_the_listener_leads_nowhere_else(product: Deployment) -> None:
    answer = product.ask("/?code=c&state=unknown&next=https://evil.example", Host="evil.example")

    assert answer.status_code == 302
    assert re.fullmatch(
        re.escape(product.url) + r"/login/callback\?code=c&state=unknown", answer.headers["Location"]
    )


def test_a_client_that_never_speaks_tls_holds_up_nobody(product: Deployment) -> None:
    parts = urlsplit(product.callback)
    with socket.create_connection((str(parts.hostname), parts.port or 0)):
        assert product.ask("/").status_code == 404


def test_the_certificate_is_made_once_for_this_machine_alone(product: Deployment, tmp_path: Path) -> None:
    made = tmp_path / "callback.pem"
    parts = urlsplit(product.callback)

    served = ssl.get_server_certificate((str(parts.hostname), parts.port or 0))

    assert served.strip() in made.read_text()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    trusting = ssl.create_default_context(cadata=served)
    assert trusting.check_hostname
    with socket.create_connection((str(parts.hostname), parts.port or 0)) as plain:
        trusting.wrap_socket(plain, server_hostname="127.0.0.1").close()


def test_a_taken_port_is_said_and_pasting_offered(product: Deployment) -> None:
    address = ("127.0.0.1", urlsplit(product.callback).port or 0)

    with pytest.raises(SettingsError) as refused:
        CallbackListener(
            product.services.settings,
            address,
            origin_finder(product.services.settings, PendingLogins(product.services.store)),
        )

    assert "in use" in str(refused.value)
    assert "paste" in refused.value.cure
