"""The product behind a real nginx, configured as docs/hosting.md says: TLS, compression, slow clients, events."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from app.access.certificate import ensure_certificate
from app.simulator.person import approve
from tests.product import Running, started
from tests.support import ROOT, eventually, free_port

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx: apt-get install -y nginx"),
]
SLOW = 20


@dataclass
class Site:
    """The product as browsers reach it."""

    url: str
    plain: str
    port: int
    product: Running
    certificate: Path

    def browser(self) -> requests.Session:
        """A browser that trusts this site's certificate."""
        made = requests.Session()
        made.trust_env = False
        made.verify = str(self.certificate)
        return made

    def get(self, path: str) -> requests.Response:
        return self.browser().get(self.url + path, timeout=20, allow_redirects=False)


def _documented() -> str:
    """nginx's part of the hosting page."""
    page = (ROOT / "docs" / "hosting.md").read_text("utf-8")
    lines = page.partition("nginx, with a certificate")[2].splitlines()[1:]
    block = []
    for line in lines:
        if line and not line.startswith("    "):
            break
        block.append(line)
    assert "proxy_pass" in "".join(block)
    return "\n".join(block)


def _configuration(folder: Path, tls: int, plain: int, behind: int) -> Path:
    certificate = ensure_certificate(folder / "certificate", "127.0.0.1")
    text = re.sub(r"(ssl_certificate(?:_key)?) +\S+;", rf"\1 {certificate};", _documented())
    text = text.replace("listen 443", f"listen 127.0.0.1:{tls}").replace(
        "listen 80;", f"listen 127.0.0.1:{plain};"
    )
    text = text.replace("gex.example.com", "127.0.0.1").replace("127.0.0.1:8050", f"127.0.0.1:{behind}")
    text = text.replace("https://$host$request_uri", f"https://$host:{tls}$request_uri")
    places = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{ worker_connections 256; }}\n"
        f"http {{ access_log {folder}/access.log; {places}\n{text}\n}}\n"
    )
    return path


@contextlib.contextmanager
def _nginx(configuration: Path) -> Iterator[None]:
    folder = configuration.parent
    mine = ["-g", "user root;"] if Path.home() == Path("/root") else []
    child = subprocess.Popen(
        ["nginx", "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log"), *mine]
    )
    try:
        yield
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, tls, plain, behind = tmp_path_factory.mktemp("nginx"), free_port(), free_port(), free_port()
    url = f"https://127.0.0.1:{tls}"
    settings = {
        "SYMBOLS": "AAPL",
        "WORKERS": "1",
        "PUBLIC_URL": url,
        "TRUSTED_PROXIES": "1",
        "ACCESS": "private",
    }
    with (
        started(folder, port=behind, **settings) as product,
        _nginx(_configuration(folder, tls, plain, behind)),
    ):
        eventually(product.serves, 90, "the product serves")
        certificate = folder / "certificate" / "callback.pem"
        made = Site(url, f"http://127.0.0.1:{plain}", tls, product, certificate)
        eventually(lambda: made.get("/api/v1/health/live").ok, 20, "nginx passes on")
        yield made


@pytest.fixture(scope="module")
def owner(site: Site) -> requests.Session:
    """The owner's browser, which came in through nginx."""
    browser = site.browser()
    began = browser.post(f"{site.url}/login", headers={"Origin": site.url}, allow_redirects=False)
    assert began.status_code == 303, began.text
    # the simulator starts beside the web server, and may come up after it
    back = eventually(lambda: approve(began.headers["Location"]), 60, "Schwab's page is there").partition(
        "?"
    )[2]
    done = browser.get(f"{site.url}/login/callback?{back}", allow_redirects=False)
    assert done.status_code == 303, done.text
    assert "__Host-gex_session" in browser.cookies
    eventually(lambda: browser.get(f"{site.url}/api/v1/health/ready").ok, 60, "live data")
    return browser


def test_plain_http_leads_to_tls(site: Site) -> None:
    answer = requests.get(f"{site.plain}/gex/AAPL?view=greeks", allow_redirects=False, timeout=10)

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{site.url}/gex/AAPL?view=greeks"


def test_the_browsers_own_scheme_and_name_arrive(site: Site, owner: requests.Session) -> None:
    answer = site.get("/login")

    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    assert owner.get(f"{site.url}/gex/AAPL").status_code == 200
    foreign = owner.post(f"{site.url}/logout", headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403


def test_answers_are_packed_once(site: Site, owner: requests.Session) -> None:
    for path in ("/api/v1/gex/AAPL", "/assets/page.css", "/_dash-layout"):
        answer = owner.get(site.url + path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert answer.headers["Content-Encoding"] == "gzip", path


def _slow(site: Site, ends: threading.Event) -> socket.socket:
    """A client that has sent half of a request, and now and then a byte more."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", site.port), 10)
    client = context.wrap_socket(plain)
    client.sendall(b"POST /login/paste HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\naddress=")

    def trickle() -> None:
        with contextlib.suppress(OSError):
            while not ends.wait(0.5):
                client.sendall(b"x")

    threading.Thread(target=trickle, daemon=True).start()
    return client


def test_slow_clients_hold_up_nobody(site: Site, owner: requests.Session) -> None:
    ends = threading.Event()
    clients = [_slow(site, ends) for _ in range(SLOW)]
    try:
        answers = [owner.get(f"{site.url}/api/v1/gex/AAPL/levels", timeout=20).status_code for _ in range(10)]
    finally:
        ends.set()
        for client in clients:
            client.close()

    assert answers == [200] * 10


def test_events_arrive_as_they_happen(site: Site, owner: requests.Session) -> None:
    arrived: list[float] = []
    with owner.get(f"{site.url}/api/v1/gex/AAPL/stream", stream=True, timeout=30) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        for line in answer.iter_lines(chunk_size=1):
            if line.startswith(b"data:"):
                arrived.append(time.monotonic())
            if len(arrived) == 3:
                break

    # held back in a buffer, they would come all at once
    assert arrived[-1] - arrived[0] > 0.05


def test_a_share_links_secret_is_not_in_nginxs_log(site: Site, owner: requests.Session) -> None:
    form = {"symbol": "AAPL", "life": "hour", "name": "a friend"}
    made = re.search(r"/share/gexs_[\w-]{43}", owner.post(f"{site.url}/login/shares", data=form).text)
    assert made

    guest = site.get(made.group(0))

    assert guest.headers["Location"] == "/gex/AAPL"
    assert "Secure" in guest.headers["Set-Cookie"]
    log = next(site.product.log.parent.glob("access.log")).read_text()
    assert "/login/shares" in log
    assert "gexs_" not in log
