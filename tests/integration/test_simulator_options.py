"""What nobody has published about Schwab's servers is an option of the simulator, and each does what it says."""

from __future__ import annotations

import base64
import hashlib
import time

import pytest

from app.simulator.control import Control
from app.simulator.person import approve
from tests.simulation import (
    Broker,
    Stream,
    authorize_url,
    code_of,
    contracts,
    exchange,
    running_simulator,
    simulator_in_a_thread,
)

FAST = ("--tick", "0.05", "--greeks", "0.2", "--symbols", "AAPL", "--rate-limit", "0")


def keys_of(broker: Broker, count: int) -> list[str]:
    return [contract["symbol"] for contract in contracts(broker.chain("AAPL", strikeCount=10))][:count]


def images(items: list[dict[str, object]]) -> list[dict[str, object]]:
    return [item for item in items if "assetMainType" in item]


@pytest.mark.parametrize("again", [False, True])
def test_a_repeated_add_sends_no_new_image_unless_asked_to(again: bool) -> None:
    with simulator_in_a_thread(*FAST, *(["--readd-image"] if again else [])) as url:
        broker = Broker(url)
        key = keys_of(broker, 1)[0]
        with Stream(broker) as stream:
            stream.ask("LEVELONE_OPTIONS", "ADD", {"keys": key, "fields": "0,2,9,38"})
            assert len(images(stream.items(4))) == 1
            stream.ask("LEVELONE_OPTIONS", "ADD", {"keys": key, "fields": "0,2,9,38"})
            assert len(images(stream.items(4))) == again


@pytest.mark.parametrize("scope", ["service", "key"])
def test_the_fields_of_an_add_hold_for_the_service_or_for_its_keys(scope: str) -> None:
    with simulator_in_a_thread(*FAST, "--add-fields", scope) as url:
        broker = Broker(url)
        first, second = keys_of(broker, 2)
        with Stream(broker) as stream:
            stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": first, "fields": "0,38"})
            stream.items(2)
            stream.ask("LEVELONE_OPTIONS", "ADD", {"keys": second, "fields": "0,9,38"})
            items = stream.items(8)
            assert {item["key"] for item in items} == {first, second}
            assert any("9" in item for item in items if item["key"] == first) is (scope == "service")
            assert any("9" in item for item in items if item["key"] == second)


@pytest.mark.parametrize(("limit", "largest"), [("7", 7), ("0", 20)])
def test_large_images_are_split_over_frames_or_not(limit: str, largest: int) -> None:
    with simulator_in_a_thread(*FAST, "--frame-items", limit) as url:
        broker = Broker(url)
        with Stream(broker) as stream:
            stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": ",".join(keys_of(broker, 20)), "fields": "0,2,9"})
            stream.items(20)
            sizes = [sum(len(block["content"]) for block in f["data"]) for f in stream.frames if "data" in f]
            assert max(sizes) == largest


@pytest.mark.parametrize(("how", "code"), [("1000", 1000), ("1001", 1001), ("1006", None), ("notify", 1000)])
def test_a_displaced_connection_ends_as_chosen(how: str, code: int | None) -> None:
    with simulator_in_a_thread(*FAST, "--displaced", how) as url:
        broker = Broker(url)
        with Stream(broker) as first, Stream(broker):
            if how == "notify":
                told = list(first.frames_until(lambda f: "content" in f.get("notify", [{}])[0]))[-1]
                assert told["notify"][0]["content"]["code"] == 12
            assert first.close_code() == code
        assert Control(url).state()["displaced"] == 1


@pytest.mark.parametrize("ends", [False, True])
def test_a_stream_outlives_its_access_token_unless_told_otherwise(ends: bool) -> None:
    with simulator_in_a_thread(*FAST, *(["--end-with-token"] if ends else [])) as url:
        broker, control = Broker(url), Control(url)
        with Stream(broker) as stream:
            stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": keys_of(broker, 1)[0], "fields": "0,38"})
            control.expire("access")
            if ends:
                told = list(stream.frames_until(lambda f: "content" in f.get("notify", [{}])[0]))[-1]
                assert told["notify"][0]["content"]["code"] == 30
            else:
                assert stream.items(10)


def test_pkce_is_checked_when_asked_to() -> None:
    verifier = "a" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")

    def status(url: str, **sent: str) -> int:
        page = authorize_url(url, code_challenge=challenge, code_challenge_method="S256")
        return exchange(url, code_of(approve(page)), **sent).status_code

    with simulator_in_a_thread(*FAST, "--pkce", "check") as url:
        assert status(url, code_verifier=verifier) == 200
        assert status(url, code_verifier="b" * 50) == 400
        assert status(url) == 400
        assert (
            exchange(url, code_of(approve(authorize_url(url)))).status_code == 200
        )  # who sends none needs none
    with simulator_in_a_thread(*FAST) as url:
        assert status(url) == 200


def test_a_second_answer_may_follow_a_symbol_limit() -> None:
    with simulator_in_a_thread(*FAST, "--symbol-limit", "2") as url:
        broker, control = Broker(url), Control(url)
        control.set(double_answer=True)
        with Stream(broker) as stream:
            answer = stream.ask(
                "LEVELONE_OPTIONS", "ADD", {"keys": ",".join(keys_of(broker, 5)), "fields": "0,2"}
            )
            assert answer["content"]["code"] == 19
            second = next(f for f in stream.frames_until(lambda f: "response" in f) if "response" in f)
            assert second["response"][0]["content"] == {"code": 24, "msg": "ADD command failed"}
            assert second["response"][0]["requestid"] == answer["requestid"]


def test_tokens_have_the_lives_they_were_given_and_outlive_a_restart() -> None:
    with simulator_in_a_thread(*FAST, "--access-life", "1") as url:
        broker = Broker(url)
        assert broker.tokens["expires_in"] == 1
        time.sleep(1.1)  # the token's own life
        assert broker.get("/trader/v1/userPreference").status_code == 401
    with simulator_in_a_thread(*FAST) as first:
        broker = Broker(first)
    with running_simulator(*FAST) as second:
        broker.base = second
        assert broker.get("/trader/v1/userPreference").status_code == 200
    with simulator_in_a_thread(*FAST, "--app-secret", "AnotherSecret123") as third:
        broker.base = third
        assert broker.get("/trader/v1/userPreference").status_code == 401
