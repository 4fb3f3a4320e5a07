"""Webhooks, sent to a real HTTP server of the test's own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from app.alerts.alert import Alert, Delivery
from app.alerts.courier import ATTEMPTS, MOST_WAITING, Courier, pause_s
from app.alerts.hosts import AllowList, HostRefused, Target, resolved
from app.alerts.rules import Hook
from app.alerts.webhook import new_secret, post, seal, signature, unseal
from app.log import TextFormatter
from app.schwab.tokens import TokenCipher
from tests.support import ROOT, eventually, free_port

Answers = Callable[[int], tuple[int, dict[str, str]]]


@dataclass
class Receiver:
    """A webhook's other side: keeps what came, and answers as the test wants."""

    url: str
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: Answers = lambda _: (200, {})

    @property
    def host(self) -> str:
        return self.url.rsplit("/", 1)[0]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            status, headers = made.answers(len(made.came))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def alert(id_: str = "a1") -> Alert:
    at = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
    return Alert(id=id_, at=at, rule="r", kind="crossing", answer="above", symbol="SPX", text="SPX rose.")


CIPHER = TokenCipher([Fernet.generate_key().decode()])


@dataclass
class Sent:
    """A courier and what it reported."""

    courier: Courier
    hook: Hook
    reports: list[tuple[str, Delivery]]

    def last(self, id_: str = "a1") -> Delivery:
        return [news for known, news in self.reports if known == id_][-1]


def sending(receiver: Receiver, allowed: str = "", **options: Any) -> Sent:
    reports: list[tuple[str, Delivery]] = []
    courier = Courier(
        AllowList(allowed or receiver.host), CIPHER, lambda *news: reports.append(news), hurry=500, **options
    )
    hook = Hook(id="h", url=receiver.url, sealed=seal(CIPHER, new_secret()))
    return Sent(courier, hook, reports)


@pytest.fixture
def sent(receiver: Receiver) -> Iterator[Sent]:
    made = sending(receiver)
    made.courier.start()
    yield made
    made.courier.close()


def test_an_alert_arrives_signed_after_the_standard(sent: Sent, receiver: Receiver) -> None:
    sent.courier.send(alert(), [sent.hook])
    eventually(lambda: sent.last().state == "delivered", 10)
    [(headers, body)] = receiver.came
    assert orjson.loads(body)["data"]["text"] == "SPX rose."
    # by hand, from the specification
    secret = base64.b64decode(unseal(CIPHER, sent.hook.sealed).removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"
    assert headers["webhook-id"] == "a1"


def test_the_signature_is_that_of_the_specification() -> None:
    # the example in the Standard Webhooks libraries' own tests
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    wanted = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == wanted


def test_a_failing_receiver_is_tried_again_with_the_same_id_until_it_takes_it(
    sent: Sent, receiver: Receiver
) -> None:
    receiver.answers = lambda n: (503 if n < 3 else 204, {})
    sent.courier.send(alert(), [sent.hook])
    eventually(lambda: sent.last().state == "delivered", 10)
    assert sent.last().attempts == 3
    assert {headers["webhook-id"] for headers, _ in receiver.came} == {"a1"}


def test_a_receiver_that_never_takes_it_is_given_up(sent: Sent, receiver: Receiver) -> None:
    receiver.answers = lambda _: (500, {})
    sent.courier.send(alert(), [sent.hook])
    eventually(lambda: sent.last().state == "failed", 10)
    assert len(receiver.came) == sent.last().attempts == ATTEMPTS
    assert "500" in sent.last().detail


def test_a_refusal_is_not_tried_again(sent: Sent, receiver: Receiver) -> None:
    receiver.answers = lambda _: (403, {})
    sent.courier.send(alert(), [sent.hook])
    eventually(lambda: sent.last().state == "failed", 10)
    assert len(receiver.came) == 1


def test_a_redirect_is_not_followed(sent: Sent, receiver: Receiver) -> None:
    receiver.answers = lambda n: (302 if n == 1 else 200, {"Location": "/elsewhere"})
    sent.courier.send(alert(), [sent.hook])
    eventually(lambda: sent.last().state == "failed", 10)
    assert "redirect" in sent.last().detail
    assert len(receiver.came) == 1


def test_an_address_that_is_not_allowed_any_more_gets_nothing(receiver: Receiver) -> None:
    made = sending(receiver, "hooks.example.com")
    made.courier.start()
    made.courier.send(alert(), [made.hook])
    eventually(lambda: made.last().state == "failed", 10)
    made.courier.close()
    assert "not allowed" in made.last().detail
    assert receiver.came == []


def test_when_too_many_wait_the_oldest_is_given_up(receiver: Receiver) -> None:
    made = sending(receiver)  # not started: all of them wait
    for i in range(MOST_WAITING + 5):
        made.courier.send(alert(f"a{i}"), [made.hook])
    assert [id_ for id_, news in made.reports if news.state == "failed"] == [f"a{i}" for i in range(5)]


def test_a_receiver_that_is_away_is_said_to_refuse(receiver: Receiver) -> None:
    target = AllowList("http://127.0.0.1:1").target("http://127.0.0.1:1/x")
    answer = post(target, new_secret(), alert())
    assert answer.again
    assert "refused" in answer.detail
    gone = Target("http", "127.0.0.1", free_port(), "/", private=True)
    assert post(gone, new_secret(), alert()).status == 0


@pytest.mark.parametrize("attempt", range(1, 12))
def test_pauses_grow_to_two_minutes(attempt: int) -> None:
    assert 1.0 <= pause_s(attempt, 0.0) <= pause_s(attempt, 1.0) <= 120.0
    assert pause_s(attempt, 1.0) == min(2.0**attempt, 120.0)


# --- where to ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/a?b=c",
        "https://HOOKS.example.com./a",
        "https://hooks.example.com:443/",
        "https://other.example.com:8443/x",
        "http://127.0.0.1:9000/x",
        "https://[2001:db8::1]/x",
    ],
)
def test_allowed_addresses_are_taken(url: str) -> None:
    allowed = AllowList(
        "hooks.example.com, other.example.com:8443, http://127.0.0.1:9000, https://[2001:db8::1]"
    )
    assert allowed.target(url).path.startswith("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "https://hooks.example.com:8443/",
        "https://hooks.example.com.evil.com/",
        "https://evil.com/?hooks.example.com",
        "https://hooks.example.com@evil.com/",
        "https://user:pass@hooks.example.com/",
        "https://evil.com\\@hooks.example.com/",
        "https://hooks.example.com#@evil.com/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "https://hooks.example.com:99999/",
        "https://",
        "",
        "https://hooks.example.com/\r\nHost: evil.com",
        "https://hooks.example.com/" + "a" * 600,
    ],
)
def test_every_other_address_is_refused(url: str) -> None:
    with pytest.raises(HostRefused):
        AllowList("hooks.example.com").target(url)


def test_no_hosts_in_the_setting_means_no_webhooks() -> None:
    with pytest.raises(HostRefused) as refused:
        AllowList("").target("https://hooks.example.com/")
    assert "ALERT_WEBHOOK_HOSTS" in refused.value.cure


@pytest.mark.parametrize("text", ["ftp://x.com", "https://x.com/path", "x.com?a=b", "http://"])
def test_a_setting_that_names_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        AllowList(text)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.8", "192.168.1.1", "169.254.169.254", "::1", "fd00::1"]
)
def test_a_public_name_that_leads_into_a_private_network_is_refused(address: str) -> None:
    target = AllowList("hooks.example.com").target("https://hooks.example.com/")
    for found in ([address], ["93.184.216.34", address]):
        with pytest.raises(HostRefused):
            resolved(target, lambda *_, found=found: found)
    assert post(target, new_secret(), alert(), resolve=lambda *_: [address]).status == 400


@pytest.mark.parametrize(
    ("setting", "url"),
    [
        ("http://192.168.1.5:8123", "http://192.168.1.5:8123/x"),
        ("http://homeassistant:8123", "http://homeassistant:8123/x"),
        ("nas.lan", "https://nas.lan/x"),
    ],
)
def test_a_private_place_that_is_named_as_such_is_allowed(setting: str, url: str) -> None:
    assert resolved(AllowList(setting).target(url), lambda *_: ["192.168.1.5"]) == "192.168.1.5"


def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver) -> None:
    port = int(receiver.host.rsplit(":", 1)[1])
    target = AllowList(f"http://pinned.lan:{port}").target(f"http://pinned.lan:{port}/x")
    asked: list[str] = []

    def resolve(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    assert post(target, new_secret(), alert(), resolve=resolve).delivered
    assert asked == ["pinned.lan"]
    assert receiver.came[0][0]["host"] == f"pinned.lan:{port}"


def test_the_log_never_holds_a_webhook_secret() -> None:
    made = new_secret()
    for text in (made, f"secret={made}", made.removeprefix("whsec_") + " and " + made):
        line = TextFormatter().format(logging.LogRecord("x", logging.INFO, "", 0, text, None, None))
        assert made not in line
    other = "whsec_" + base64.b64encode(b"never learnt of it").decode()
    assert other not in TextFormatter().format(logging.LogRecord("x", logging.INFO, "", 0, other, None, None))


def test_the_receiver_of_the_documentation_knows_what_is_genuine(sent: Sent, receiver: Receiver) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "alerts.md").read_text(), re.DOTALL)
    known: dict[str, Any] = {}
    exec(code, known)  # noqa: S102 - our own documentation
    sent.courier.send(alert(), [sent.hook])
    eventually(lambda: receiver.came, 10)
    [(headers, body)] = receiver.came
    secret = unseal(CIPHER, sent.hook.sealed)
    assert known["is_genuine"](secret, headers, body)
    assert not known["is_genuine"](secret, headers, body + b" ")
    assert not known["is_genuine"](new_secret(), headers, body)
    assert not known["is_genuine"](secret, headers | {"webhook-timestamp": "1600000000"}, body)
