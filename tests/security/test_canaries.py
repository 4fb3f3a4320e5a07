"""Every secret of a running product, looked for in everything that leaves it."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import redis
import requests
from cryptography.fernet import Fernet

from app.cache.embedded import EmbeddedRedis
from app.schwab.tokens import TokenCipher
from app.simulator.person import approve
from tests.product import Running, started
from tests.security.conftest import FULL, Record
from tests.simulation import running_simulator
from tests.support import eventually, free_port

pytestmark = [pytest.mark.redis, pytest.mark.skipif(not FULL, reason="takes half a minute: make security")]

APP_KEY, APP_SECRET = f"CanaryKey{secrets.token_hex(12)}", f"CanarySecret{secrets.token_hex(8)}"
TOKEN_KEY = Fernet.generate_key().decode()
REDIS_PASSWORD = f"canary-{secrets.token_hex(12)}"
PATHS = ("/login", "/login/keys", "/login/shares", "/login/sessions", "/gex/AAPL", "/_dash-layout", "/metrics",
         "/_dash-dependencies", "/api/openapi.json", "/api/docs", "/nowhere", "/method", "/api/v1/nothing")  # fmt: skip
REST = ("health", "health/ready", "connection/status", "cache/stats", "symbols", "gex/AAPL", "gex/AAPL/levels",
        "market/AAPL", "options/AAPL", "alerts", "alerts/rules", "alerts/webhooks")  # fmt: skip


class Hunt:
    """What was said, and the secrets that must not be in it."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.said: dict[str, bytes] = {}

    def keep(self, where: str, answer: requests.Response) -> requests.Response:
        """Take down an answer: headers but for cookies and the address of Schwab's page, and body."""
        headers = {
            name: text for name, text in answer.headers.items() if name not in ("Set-Cookie", "Location")
        }
        self.said[f"{where} #{len(self.said)}"] = repr(headers).encode() + answer.content
        return answer

    def hits(self) -> list[str]:
        """Where a secret was found, as it is, percent-encoded, or in base64."""
        found = []
        for name, secret in self.secrets.items():
            forms = {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")}
            for where, text in self.said.items():
                found += [f"{name} in {where}" for form in forms if form.encode() in text]
        return found


@pytest.fixture
def schwab() -> Iterator[tuple[str, str]]:
    callback = f"https://127.0.0.1:{free_port()}"
    flags = ("--app-key", APP_KEY, "--app-secret", APP_SECRET, "--callback-url", callback)
    with running_simulator("--symbols", "AAPL", *flags) as base:
        yield base, callback


def _sign_in(hunt: Hunt, product: Running, browser: requests.Session) -> None:
    began = browser.post(f"{product.url}/login", allow_redirects=False)
    hunt.secrets |= {f"browser cookie {len(hunt.secrets)}": browser.cookies["gex_browser"]}
    back = urlsplit(approve(began.headers["Location"])).query
    fields = parse_qs(back)
    hunt.secrets |= {
        f"code {len(hunt.secrets)}": fields["code"][0],
        f"state {len(hunt.secrets)}": fields["state"][0],
    }
    hunt.keep(
        "wrong state", browser.get(f"{product.url}/login/callback?code={quote(fields['code'][0])}&state=x")
    )
    hunt.keep("callback", browser.get(f"{product.url}/login/callback?{back}", allow_redirects=False))
    hunt.secrets |= {f"session {len(hunt.secrets)}": browser.cookies["gex_session"]}
    hunt.keep("replay", browser.get(f"{product.url}/login/callback?{back}"))
    hunt.keep(
        "paste", browser.post(f"{product.url}/login/paste", data={"address": f"https://127.0.0.1/?{back}"})
    )


def _made(pattern: str, answer: requests.Response) -> str:
    """The secret that a page shows once, which is what the page is for."""
    found = re.search(pattern, answer.text)
    assert found, answer.text[:500]
    return found.group(0)


def _walk(hunt: Hunt, product: Running, who: str, browser: requests.Session) -> None:
    for path in (*PATHS, *(f"/api/v1/{name}" for name in REST)):
        for accept in ("text/html", "application/json"):
            hunt.keep(f"{who} {path}", browser.get(product.url + path, headers={"Accept": accept}))


def _tokens(server: redis.Redis) -> dict[str, str]:
    """The tokens of the stored login, which only the key opens."""
    sealed = eventually(lambda: server.get("kv:slot:login"), 20, "a stored login")
    clear = TokenCipher([TOKEN_KEY]).unseal(sealed)  # type: ignore[arg-type]
    return {
        f"{name} token": found for name, found in re.findall(r'"(access|refresh)":"([^"]+)"', clear.decode())
    }


def _dump(hunt: Hunt, server: redis.Redis) -> int:
    keys = list(server.scan_iter())
    for key in keys:
        with_value = server.dump(key) or b""
        kind = server.type(key)
        value = (
            server.get(key)
            if kind == b"string"
            else repr(server.hgetall(key) if kind == b"hash" else "").encode()
        )
        hunt.said[f"redis {key.decode()}"] = key + with_value + (value or b"")
    return len(keys)


def test_no_secret_leaves_the_product(
    schwab: tuple[str, str], own_redis: EmbeddedRedis, tmp_path: Path, figure: Record
) -> None:
    hunt = Hunt()
    hunt.secrets = {"app secret": APP_SECRET, "token key": TOKEN_KEY, "redis password": REDIS_PASSWORD}
    admin = redis.Redis.from_url(own_redis.url)
    admin.config_set("requirepass", REDIS_PASSWORD)
    admin = redis.Redis.from_url(own_redis.url, password=REDIS_PASSWORD)
    place = tmp_path / "redis.sock"  # one of the user's own, by its name
    place.symlink_to(urlsplit(own_redis.url).path)
    settings = {
        "ACCESS": "private",
        "SYMBOLS": "AAPL",
        "WORKERS": "2",
        "LOG_LEVEL": "DEBUG",
        "ALERT_WEBHOOK_HOSTS": "hooks.example.com",
        "REDIS_URL": f"unix://:{REDIS_PASSWORD}@{place}",
        "TOKEN_KEY": TOKEN_KEY,
        "SCHWAB_APP_KEY": APP_KEY,
        "SCHWAB_APP_SECRET": APP_SECRET,
        "SCHWAB_API_URL": schwab[0],
        "SCHWAB_CALLBACK_URL": schwab[1],
    }
    with started(tmp_path, **settings) as product:
        eventually(product.serves, 90, "the product serves")
        owner, stranger, guest, script = (requests.Session() for _ in range(4))
        _sign_in(hunt, product, owner)
        hunt.secrets |= _tokens(admin)
        made = owner.post(f"{product.url}/login/keys", data={"name": "canary", "scope": "manage"})
        hunt.secrets["API key"] = _made(r"gex_[\w-]{43}", made)
        shared = owner.post(
            f"{product.url}/login/shares", data={"symbol": "AAPL", "life": "day", "name": "canary"}
        )
        hunt.secrets["share link"] = _made(r"gexs_[\w-]{43}", shared)
        hook = owner.post(
            f"{product.url}/api/v1/alerts/webhooks", json={"url": "https://hooks.example.com/x"}
        )
        hunt.secrets["webhook secret"] = hook.json()["secret"]
        ready = f"{product.url}/api/v1/health/ready"
        eventually(lambda: owner.get(ready).ok, 90, "live data")
        hunt.keep(
            "redeem", guest.get(f"{product.url}/share/{hunt.secrets['share link']}", allow_redirects=False)
        )
        hunt.secrets["guest cookie"] = guest.cookies["gex_guest"]
        hunt.keep("wrong share link", guest.get(f"{product.url}/share/{hunt.secrets['share link']}x"))
        hunt.keep(
            "key in the address", stranger.get(f"{product.url}/api/v1/symbols?key={hunt.secrets['API key']}")
        )
        script.headers["Authorization"] = f"Bearer {hunt.secrets['API key']}"
        for who, browser in (("owner", owner), ("stranger", stranger), ("guest", guest), ("script", script)):
            _walk(hunt, product, who, browser)
        hunt.keep("no callback", owner.post(f"{product.url}/_dash-update-component", data=b'{"x": 1}'))
        dumped = _dump(hunt, admin)
        hunt.keep("disconnected", owner.post(f"{product.url}/login/disconnect"))
        own_redis.stop()
        for path in ("/login", "/gex/AAPL", "/api/v1/cache/stats", "/api/v1/gex/AAPL"):
            hunt.keep("without Redis", owner.get(product.url + path))
            hunt.keep("without Redis", script.get(product.url + path))
        log = product.log
    hunt.said["log"] = log.read_bytes()
    for path in filter(Path.is_file, (tmp_path / "data").rglob("*")):
        hunt.said[f"file {path.name}"] = path.read_bytes()
    hits, answers = hunt.hits(), len(hunt.said) - dumped - 1
    size = len(hunt.said["log"]) // 1000
    measured = (
        f"{len(hits)} hits of {len(hunt.secrets)} secrets in {answers} answers and files, {dumped} Redis keys, "
        f"{size} kB of log at DEBUG {sorted(set(hits))[:10] or ''}"
    ).strip()
    figure(7, "canary secrets", "0 hits", measured, not hits and answers > 80)
