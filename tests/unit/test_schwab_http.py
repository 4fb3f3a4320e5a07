"""What Schwab's answers mean, and the pace of asking."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from app.errors import (
    AuthError,
    BrokerError,
    DataError,
    GexError,
    RateLimited,
    ResponseTooBig,
    SettingsError,
    SignInNeeded,
)
from app.schwab.http import decode_json, problem_of, read_document, read_whole
from app.schwab.oauth import OAuth, check_callback
from app.schwab.pacing import Pacer
from app.schwab.token_endpoint import TokenEndpoint
from app.schwab.tokens import TokenCipher, TokenStore
from app.slots import FileSlot

HTML = b"<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD></HTML>"


def answer(status: int, body: Any = b"", kind: str = "application/json", **headers: str) -> requests.Response:
    """An HTTP answer with this body."""
    response = requests.Response()
    response.status_code = status
    response._content = body if isinstance(body, bytes) else orjson.dumps(body)
    response.headers.update({"Content-Type": kind, **headers})
    return response


def test_a_good_answer_is_its_document() -> None:
    assert read_document(answer(200, {"a": 1})) == {"a": 1}


@contextmanager
def dripping(pieces: Iterator[bytes], length: int) -> Iterator[str]:
    """A server that sends one answer's body of `length` bytes piece by piece."""
    over = threading.Event()

    def serve() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(10_000)
            try:
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
                while not over.wait(0.01):
                    peer.sendall(next(pieces, b""))
            except OSError:
                pass  # cut off by the other side

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            over.set()
            thread.join(5)


def test_an_answer_that_trickles_is_cut_off_in_time() -> None:
    with dripping((b" " for _ in iter(int, 1)), 10**6) as url, requests.get(url, stream=True) as response:
        began = time.monotonic()
        with pytest.raises(requests.Timeout):
            read_whole(response, 0.3)
        assert time.monotonic() - began < 5


def test_an_answer_in_pieces_is_read_whole() -> None:
    with dripping(iter([b"[1,", b"2", b"]"]), 5) as url, requests.get(url, stream=True) as response:
        read_whole(response, 20)
        assert read_document(response) == [1, 2]


def test_bare_nan_is_read() -> None:
    assert str(decode_json(b'{"volatility": NaN}')["volatility"]) == "nan"
    with pytest.raises(DataError):
        decode_json(b'{"volatility": ')


def test_the_gateways_overflow_asks_for_a_smaller_window() -> None:
    fault = {
        "fault": {"faultstring": "Body buffer overflow", "detail": {"errorcode": "protocol.http.TooBigBody"}}
    }
    assert isinstance(problem_of(answer(502, fault)), ResponseTooBig)
    assert not isinstance(problem_of(answer(502, {"fault": {"faultstring": "other"}})), ResponseTooBig)


@pytest.mark.parametrize("status", [200, 403, 500, 502])
def test_a_page_for_people_is_never_taken_for_json(status: int) -> None:
    with pytest.raises(BrokerError) as caught:
        read_document(answer(status, HTML, kind="text/html"))
    assert caught.value.cure


def test_access_denied_says_that_it_passes() -> None:
    error = problem_of(answer(403, HTML, kind="text/html"))
    assert error.code == "edge_refused"
    assert "VPN" in error.cure


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("7", 7.0),
        ("", 5.0),
        ("soon", 5.0),
        ("86400", 120.0),
        ("nan", 5.0),
        ("-3", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 5.0),
    ],
)
def test_too_many_requests_say_how_long_to_wait(header: str, wait: float) -> None:
    error = problem_of(answer(429, b"", **{"Retry-After": header}))
    assert isinstance(error, RateLimited)
    assert error.retry_after_s == wait
    assert "REST_PER_MINUTE" in error.cure


def test_error_bodies_are_quoted_whatever_their_shape() -> None:
    market = {"errors": [{"status": 400, "title": "Bad Request", "detail": "Date cannot be beyond 1 year"}]}
    assert "Date cannot be beyond 1 year" in str(problem_of(answer(400, market)))
    trader = {"message": "no such account", "errors": ["x"]}
    assert "no such account" in str(problem_of(answer(400, trader)))


@given(st.integers(400, 599), st.binary(max_size=40))
def test_no_error_body_breaks_the_reader(status: int, body: bytes) -> None:
    assert isinstance(problem_of(answer(status, body)), AuthError | BrokerError)


# --- the redirect --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "https://127.0.0.1:8182/?code=C0.abc.def%40&session=1-2&state=xyz",
        "  https://127.0.0.1:8182/?session=1-2&state=xyz&code=C0.abc.def%40\n",
        "code=C0.abc.def%40&state=xyz",
    ],
)
def test_code_and_state_are_read_from_the_redirect(address: str) -> None:
    assert OAuth.read_redirect(address) == ("C0.abc.def@", "xyz")


def test_a_redirect_without_state_has_none() -> None:
    assert OAuth.read_redirect("https://127.0.0.1:8182/?code=C0.a%2Bb%40") == ("C0.a+b@", None)


@pytest.mark.parametrize("address", ["", "https://127.0.0.1:8182/", "https://x/?error=denied", "C0.abc@"])
def test_an_address_without_code_is_explained(address: str) -> None:
    with pytest.raises(AuthError) as caught:
        OAuth.read_redirect(address)
    assert "?code=" in caught.value.cure


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8182", "https://localhost:8182", "https://", "https://a.de/" + "x" * 250]
)
def test_a_callback_that_schwab_would_refuse_is_refused_before(url: str) -> None:
    with pytest.raises(AuthError) as caught:
        check_callback(url)
    assert "SCHWAB_CALLBACK_URL" in caught.value.cure


@pytest.mark.parametrize("url", ["https://127.0.0.1:8182", "https://gex.example.com/login/callback"])
def test_a_good_callback_passes(url: str) -> None:
    check_callback(url)


@pytest.mark.parametrize(
    "url", ["http://api.schwabapi.com", "ftp://127.0.0.1", "http://192.168.1.1", "nonsense"]
)
def test_secrets_never_leave_this_machine_in_clear(url: str, tmp_path: Any) -> None:
    tokens = TokenStore(FileSlot(tmp_path / "login"), TokenCipher.open("", tmp_path))
    with pytest.raises(SettingsError):
        OAuth("key", "secret", "https://127.0.0.1", tokens, api_url=url)


# --- the pace ------------------------------------------------------------------------------------


@given(st.integers(1, 120), st.lists(st.floats(0, 5), max_size=300))
def test_no_minute_holds_more_requests_than_allowed(per_minute: int, gaps: list[float]) -> None:
    now = 0.0
    pacer = Pacer(per_minute, clock=lambda: now)
    sent = []
    for gap in gaps:
        now += gap
        sent.append(now + pacer.reserve())
    for i, start in enumerate(sent):
        assert sum(start <= moment < start + 60 - 1e-6 for moment in sent[i:]) <= per_minute


def test_the_first_requests_go_at_once() -> None:
    pacer = Pacer(90, clock=lambda: 0.0)
    assert [pacer.reserve() for _ in range(30)] == [0.0] * 30
    assert pacer.reserve() == pytest.approx(1.0)


def test_after_a_429_nobody_goes_before_the_wait_is_over() -> None:
    pacer = Pacer(90, clock=lambda: 0.0)
    pacer.hold(12)
    assert pacer.reserve() >= 12


def test_a_stop_ends_the_waiting() -> None:
    pacer = Pacer(1, clock=lambda: 0.0)
    stop = threading.Event()
    assert pacer.wait(stop)
    stop.set()
    assert not pacer.wait(stop)


# --- the token endpoint's answers ----------------------------------------------------------------

DEAD = (
    b'{"error":"unsupported_token_type","error_description":"400 Bad Request: \\"{\\"error_description\\":'
    b'\\"Exception while authenticating refresh token\\",\\"error\\":\\"refresh_token_authentication_error\\"}\\""}'
)
# As it has been seen on the wire: the inner object is not escaped, so the body is no JSON at all.
DEAD_UNESCAPED = DEAD.replace(b"\\", b"")
EXPIRED = {
    "error": "unsupported_token_type",
    "error_description": "Refresh token is invalid, expired or revoked",
}


class TokenServer:
    """An HTTP server on loopback that answers every token request with one body."""

    def __init__(self, status: int, body: bytes, kind: str = "application/json") -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self.url

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def endpoint(url: str) -> TokenEndpoint:
    """The simulated app at this server."""
    return TokenEndpoint("key", "secret", "https://127.0.0.1:8182", url)


@pytest.mark.parametrize("body", [DEAD, DEAD_UNESCAPED, orjson.dumps(EXPIRED), b'{"error":"invalid_grant"}'])
def test_a_dead_refresh_token_asks_for_a_person(body: bytes) -> None:
    with TokenServer(400, body) as url, pytest.raises(SignInNeeded) as caught:
        endpoint(url).refresh("old@")
    assert caught.value.code == "login_expired"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (
            401,
            b'{"error":"invalid_client","error_description":"Unauthorized"}',
            "application/json",
            "bad_key",
        ),
        (401, b"", "text/plain", "bad_key"),
        (400, b'{"error":"invalid_request"}', "application/json", "not_authorized"),
        (403, HTML, "text/html", "edge_refused"),
        (429, b"", "text/plain", "rate_limited"),
        (500, HTML, "text/html", "outage"),
        (503, b"{}", "application/json", "outage"),
        (200, HTML, "text/html", "outage"),
        (200, b"{}", "application/json", "outage"),
        (200, b"[]", "application/json", "outage"),
        (200, b'{"access_token": "a", "expires_in": "soon"}', "application/json", "outage"),
    ],
)
def test_every_other_token_answer_has_its_words_and_cure(
    status: int, body: bytes, kind: str, code: str
) -> None:
    with TokenServer(status, body, kind) as url, pytest.raises(GexError) as caught:
        endpoint(url).refresh("old@")
    assert caught.value.code == code
    assert caught.value.cure
    assert not isinstance(caught.value, SignInNeeded)


@pytest.mark.parametrize("status", [400, 401])
def test_a_refused_code_says_to_start_again(status: int) -> None:
    body = b'{"error":"invalid_grant","error_description":"The code is invalid"}'
    with TokenServer(status, body) as url, pytest.raises(AuthError) as caught:
        endpoint(url).exchange("code@", None)
    assert caught.value.code == "bad_code"
    assert "SCHWAB_CALLBACK_URL" in caught.value.cure


@pytest.mark.parametrize("life", [b"0", b"-5", b"99999999999", b"null"])
def test_a_life_that_no_token_has_is_taken_for_the_usual_half_hour(life: bytes, tmp_path: Any) -> None:
    body = b'{"access_token":"a@","refresh_token":"r@","token_type":"Bearer","expires_in":' + life + b"}"
    tokens = TokenStore(FileSlot(tmp_path / "login"), TokenCipher.open("", tmp_path))
    with TokenServer(200, body) as url:
        oauth = OAuth("key", "secret", "https://127.0.0.1", tokens, api_url=url, clock=lambda: 1000.0)
        assert oauth.exchange("code@").expires_at == 2800.0
