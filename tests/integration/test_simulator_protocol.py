"""The simulator against its checklist (what a client of Schwab's API meets on the wire), line by line."""

from __future__ import annotations

import base64
import datetime as dt
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
import requests

from app.errors import AuthError, GexError
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.control import Control
from app.simulator.person import approve
from tests.simulation import (
    Broker,
    Stream,
    authorize_url,
    code_of,
    contracts,
    exchange,
    options_of,
    running_simulator,
    simulator_in_a_thread,
)
from tests.support import ROOT, clean_environment, eventually

FIELDS = ",".join(map(str, range(56)))
NEW_YORK = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    limits = (
        "--rate-limit",
        "0",
        "--code-life",
        "2",
        "--symbol-limit",
        "50",
        "--idle",
        "1.5",
        "--heartbeat",
        "0.4",
    )
    http = "https://127.0.0.1:8182,http://127.0.0.1:8050/login/callback"
    with running_simulator("--tick", "0.1", "--greeks", "0.5", "--callback-url", http, *limits) as url:
        yield url


@pytest.fixture
def broker(base: str) -> Broker:
    return Broker(base)


@pytest.fixture(autouse=True)
def _no_faults(base: str) -> Iterator[None]:
    yield
    Control(base).clear()


def today() -> dt.date:
    return dt.datetime.now(NEW_YORK).date()


def near(broker: Broker, count: int = 20, symbol: str = "$SPX") -> list[str]:
    """Option symbols of tomorrow, near the money."""
    day = str(today() + dt.timedelta(1))
    listed = contracts(broker.chain(symbol, fromDate=day, toDate=day, strikeCount=count))
    return [contract["symbol"] for contract in listed][:count]


# --- 1: authorize page -------------------------------------------------------------------------------------------------


def test_the_redirect_carries_code_session_and_the_state_only_if_sent(base: str) -> None:
    with_state = approve(authorize_url(base, state="abc/ =&", scope="api"))
    assert with_state.startswith(f"{CALLBACK_URL}/?code=C0.")
    assert "%40&session=" in with_state
    assert parse_qs(urlsplit(with_state).query)["state"] == ["abc/ =&"]
    bare = approve(f"{base}/v1/oauth/authorize?client_id={APP_KEY}&redirect_uri={CALLBACK_URL}")
    assert set(parse_qs(urlsplit(bare).query)) == {"code", "session"}


@pytest.mark.parametrize(
    ("key", "uri"),
    [
        ("nobody", CALLBACK_URL),
        (APP_KEY, f"{CALLBACK_URL}/"),
        (APP_KEY, "https://localhost:8182"),
        (APP_KEY, ""),
    ],
)
def test_an_unknown_key_or_another_callback_ends_on_an_html_page(base: str, key: str, uri: str) -> None:
    url = authorize_url(base, client_id=key, redirect_uri=uri)
    page = requests.get(url, timeout=5)
    assert page.status_code >= 400
    assert "unable to complete your request" in page.text
    with pytest.raises(AuthError):
        approve(url)


def test_a_callback_on_loopback_may_be_http(base: str) -> None:
    uri = "http://127.0.0.1:8050/login/callback"
    assert approve(authorize_url(base, redirect_uri=uri)).startswith(f"{uri}?code=C0.")


def test_the_page_says_that_it_is_a_simulator_and_escapes_what_it_shows(base: str) -> None:
    page = requests.get(authorize_url(base, state='"><script>alert(1)</script>'), timeout=5)
    assert "simulator" in page.text
    assert "<script>" not in page.text
    assert page.headers["X-Frame-Options"] == "DENY"


def test_a_code_is_good_once_and_not_for_long(base: str) -> None:
    code = code_of(approve(authorize_url(base)))
    assert code.endswith("@")
    assert exchange(base, code).status_code == 200
    again = exchange(base, code)
    assert (again.status_code, set(again.json())) == (400, {"error", "error_description"})
    late = code_of(approve(authorize_url(base)))
    time.sleep(2.1)  # the code's own life, set to 2 s above
    assert exchange(base, late).status_code == 400


def test_a_code_is_bound_to_its_redirect_address_and_must_not_be_encoded_twice(base: str) -> None:
    code = code_of(approve(authorize_url(base)))
    assert exchange(base, code.replace("@", "%40")).status_code == 400
    assert exchange(base, code, redirect_uri="http://127.0.0.1:8050/login/callback").status_code == 400


# --- 2: token endpoint -------------------------------------------------------------------------------------------------


def test_the_token_answer_has_six_fields_and_a_refresh_keeps_the_refresh_token(
    base: str, broker: Broker
) -> None:
    first = broker.tokens
    assert set(first) == {"expires_in", "token_type", "scope", "refresh_token", "access_token", "id_token"}
    assert first["expires_in"] == 1800
    assert first["access_token"].startswith("I0.")
    assert first["access_token"].endswith("@")
    form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    again = requests.post(f"{base}/v1/oauth/token", auth=(APP_KEY, APP_SECRET), data=form, timeout=5).json()
    assert again["refresh_token"] == first["refresh_token"]
    assert again["access_token"] != first["access_token"]
    assert set(again) == set(first)


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !!!", f"Bearer {APP_KEY}", "Basic " + base64.b64encode(b"a:b").decode()]
)
def test_a_bad_key_or_a_malformed_basic_header_is_401(base: str, header: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = requests.post(f"{base}/v1/oauth/token", headers={"Authorization": header}, data=form, timeout=5)
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_client", "error_description": "Unauthorized"}


def test_the_secret_belongs_in_the_header_and_the_rest_in_a_form(base: str) -> None:
    body = {"grant_type": "refresh_token", "refresh_token": "x"}
    url = f"{base}/v1/oauth/token"
    assert requests.post(url, auth=(APP_KEY, APP_SECRET), json=body, timeout=5).status_code == 400
    inside = {**body, "client_id": APP_KEY, "client_secret": APP_SECRET}
    assert requests.post(url, data=inside, timeout=5).status_code == 401
    other = requests.post(
        url, auth=(APP_KEY, APP_SECRET), data={"grant_type": "client_credentials"}, timeout=5
    )
    assert other.status_code == 400


def test_a_bad_refresh_token_gets_schwabs_odd_error(base: str, broker: Broker) -> None:
    url, key = f"{base}/v1/oauth/token", (APP_KEY, APP_SECRET)
    form = {"grant_type": "refresh_token", "refresh_token": "nonsense@"}
    wrong = requests.post(url, auth=key, data=form, timeout=5)
    assert wrong.status_code == 400
    assert wrong.json()["error"] == "unsupported_token_type"
    assert 'refresh_token_authentication_error"}"' in wrong.json()["error_description"]
    Control(base).expire("refresh")
    form["refresh_token"] = broker.tokens["refresh_token"]
    late = requests.post(url, auth=key, data=form, timeout=5).json()
    assert late["error"] == "unsupported_token_type"
    assert (
        '"Refresh token is invalid, expired or revoked","error":"invalid_grant"' in late["error_description"]
    )


# --- 3: REST in general ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("yes", "no"), [("true", "false"), ("True", "False")])
def test_booleans_come_in_any_case(broker: Broker, yes: str, no: str) -> None:
    assert broker.chain("SPY", strikeCount=1, includeUnderlyingQuote=yes)["underlying"]["symbol"] == "SPY"
    assert broker.chain("SPY", strikeCount=1, includeUnderlyingQuote=no)["underlying"] is None


def test_answers_are_compressed_on_request_and_echo_the_correlation_id(broker: Broker) -> None:
    headers = {"Accept-Encoding": "gzip", "Schwab-Client-CorrelId": "mine"}
    url = f"{broker.base}/trader/v1/userPreference"
    zipped = broker.session.get(url, headers=headers, timeout=5)
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert zipped.headers["Schwab-Client-CorrelId"] == "mine"
    plain = broker.session.get(url, headers={"Accept-Encoding": "identity"}, timeout=5)
    assert "Content-Encoding" not in plain.headers
    assert plain.json() == zipped.json()


def test_errors_have_the_shapes_of_their_paths(base: str, broker: Broker) -> None:
    stranger = requests.get(
        f"{base}/marketdata/v1/chains?symbol=SPY", headers={"Authorization": "Bearer no"}, timeout=5
    )
    assert stranger.status_code == 401
    assert stranger.json()["errors"][0]["detail"] == "Client not authorized"
    missing = requests.get(f"{base}/marketdata/v1/chains?symbol=SPY", timeout=5)
    assert missing.status_code == 400
    assert missing.json()["errors"][0]["source"] == {"header": "Authorization"}
    trader = requests.get(
        f"{base}/trader/v1/userPreference", headers={"Authorization": "Bearer no"}, timeout=5
    )
    assert set(trader.json()) == {"message", "errors"}
    assert broker.get("/marketdata/v1/nowhere").status_code == 404


def test_a_chain_beyond_ten_megabytes_is_a_502(broker: Broker) -> None:
    whole = broker.get("/marketdata/v1/chains", symbol="$SPX")
    assert whole.status_code == 502
    assert whole.json() == {
        "fault": {"faultstring": "Body buffer overflow", "detail": {"errorcode": "protocol.http.TooBigBody"}}
    }
    assert len(contracts(broker.chain("SPY"))) > 7000


def test_five_hundred_symbols_are_the_most(broker: Broker) -> None:
    many = ",".join(f"S{n}" for n in range(501))
    refused = broker.get("/marketdata/v1/quotes", symbols=many)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["detail"] == "Search combination should not exceed 500"
    assert broker.get("/marketdata/v1/quotes", symbols=many.rpartition(",")[0]).status_code == 200


def test_the_121st_request_of_a_minute_is_a_429() -> None:
    with simulator_in_a_thread("--symbols", "AAPL", "--retry-after", "7") as url:
        broker = Broker(url)
        codes = [broker.get("/marketdata/v1/quotes", symbols="AAPL").status_code for _ in range(121)]
        assert codes == [200] * 120 + [429]
        assert broker.get("/marketdata/v1/quotes", symbols="AAPL").headers["Retry-After"] == "7"
        assert broker.get("/trader/v1/userPreference").status_code == 200  # market data alone is counted


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({}, "symbol"), ({"symbol": "$SPX.X"}, "symbol"), ({"symbol": "SPY", "fromDate": "2020-01-01"}, "fromDate"),
        ({"symbol": "SPY", "toDate": "soon"}, "toDate"), ({"symbol": "SPY", "strikeCount": "-3"}, "strikeCount"),
        ({"symbol": "SPY", "contractType": "BOTH"}, "contractType"), ({"symbol": "SPY", "range": "X"}, "range"),
        ({"symbol": "SPY", "includeUnderlyingQuote": "maybe"}, "includeUnderlyingQuote"),
        ({"symbol": "SPY", "strike": "nan"}, "strike"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(broker: Broker, query: dict[str, str], parameter: str) -> None:
    refused = broker.get("/marketdata/v1/chains", **query)
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["source"] == {"parameter": parameter}


@pytest.mark.parametrize("symbol", ["SPX", "ZQZQZ", "spy", "../../etc"])
def test_unknown_underlyings_are_404(broker: Broker, symbol: str) -> None:
    assert broker.get("/marketdata/v1/chains", symbol=symbol).status_code == 404


# --- 4: chains and quotes ----------------------------------------------------------------------------------------------


def test_the_chain_rounds_greeks_to_three_decimals_and_the_quote_gives_eight(broker: Broker) -> None:
    day = str(today() + dt.timedelta(3))
    listed = contracts(broker.chain("$SPX", fromDate=day, toDate=day, strikeCount=20))
    assert all(round(c["gamma"], 3) == c["gamma"] and round(c["delta"], 3) == c["delta"] for c in listed)
    symbols = ",".join(c["symbol"] for c in listed)
    quotes = broker.get("/marketdata/v1/quotes", symbols=symbols).json()
    gammas = [quotes[c["symbol"]]["quote"]["gamma"] for c in listed]
    assert any(round(g, 5) != g for g in gammas)
    assert all(round(g, 8) == g for g in gammas)
    assert max(abs(c["gamma"] - g) for c, g in zip(listed, gammas, strict=True)) < 0.0008


def test_a_third_friday_holds_two_contracts_at_one_strike(broker: Broker) -> None:
    listing = broker.get("/marketdata/v1/expirationchain", symbol="$SPX").json()["expirationList"]
    monthly = next(
        e["expirationDate"] for e in listing if e["optionRoots"] == "SPX" and e["daysToExpiration"] > 1
    )
    assert [e["optionRoots"] for e in listing if e["expirationDate"] == monthly] == ["SPX", "SPXW"]
    chain = broker.chain("$SPX", fromDate=monthly, toDate=monthly, strikeCount=10)
    (key, strikes), *rest = chain["callExpDateMap"].items()
    assert not rest
    assert key == f"{monthly}:{(dt.date.fromisoformat(monthly) - today()).days}"
    pair = next(listed for listed in strikes.values() if len(listed) == 2)
    assert [(c["optionRoot"], c["settlementType"]) for c in pair] == [("SPX", "A"), ("SPXW", "P")]
    assert pair[1]["lastTradingDay"] - pair[0]["lastTradingDay"] >= 86_400_000 - 3_600_000


def test_an_empty_range_is_a_success_with_empty_maps(broker: Broker) -> None:
    chain = broker.chain("SPY", strike="1.005")
    assert chain["status"] == "SUCCESS"
    assert chain["callExpDateMap"] == chain["putExpDateMap"] == {}
    assert (
        chain["numberOfContracts"]
        == chain["interestRate"]
        == chain["underlyingPrice"]
        == chain["volatility"]
        == 0
    )


def test_a_contract_has_the_wires_names_and_types(broker: Broker) -> None:
    chain = broker.chain("$SPX", strikeCount=1, toDate=str(today() + dt.timedelta(1)))
    contract = contracts(chain)[0]
    types = {
        "putCall": str, "symbol": str, "bid": float, "ask": float, "last": float, "mark": float, "bidSize": int,
        "totalVolume": int, "quoteTimeInLong": int, "volatility": float, "delta": float, "gamma": float,
        "openInterest": int, "strikePrice": float, "expirationDate": str, "daysToExpiration": int, "multiplier": float,
        "settlementType": str, "optionRoot": str, "exerciseType": str, "inTheMoney": bool, "nonStandard": bool,
        "closePrice": float, "intrinsicValue": float, "expirationType": str, "optionDeliverablesList": list,
        "bidAskSize": str, "lastTradingDay": int, "breakEven": float, "ssid": int, "deliverableNote": str,
    }  # fmt: skip
    assert {name: type(contract[name]) for name in types} == types
    assert not {"bidPrice", "askPrice", "isInTheMoney"} & set(contract)
    assert len(contract["symbol"]) == 21
    assert chain["isIndex"] is True
    assert all("." in strike for strikes in chain["callExpDateMap"].values() for strike in strikes)


def test_quotes_name_the_unknown_and_come_by_parts(broker: Broker) -> None:
    option = near(broker, 1)[0]
    found = broker.get(
        "/marketdata/v1/quotes", symbols=f"$SPX,SPY,{option},SPX,ZQZQZ", indicative="False"
    ).json()
    assert found["errors"] == {"invalidSymbols": ["SPX", "ZQZQZ"]}
    assert found["$SPX"]["quoteType"] == "NFL"
    assert "bidPrice" not in found["$SPX"]["quote"]
    assert {"quote", "reference", "regular", "extended", "fundamental"} <= set(found["SPY"])
    part = broker.get("/marketdata/v1/quotes", symbols="SPY", fields="quote").json()["SPY"]
    assert "quote" in part
    assert "reference" not in part
    assert (
        broker.get(f"/marketdata/v1/{option.replace(' ', '%20')}/quotes").json()[option]["quote"]["bidPrice"]
        >= 0
    )
    assert broker.get("/marketdata/v1/%24SPX/quotes").status_code == 200
    assert broker.get("/marketdata/v1/ZQZQZ/quotes").status_code == 404


def test_market_hours_know_closed_days_and_their_horizon(broker: Broker) -> None:
    for days in (-8, 366):
        refused = broker.get(
            "/marketdata/v1/markets", markets="equity", date=str(today() + dt.timedelta(days))
        )
        assert refused.json()["errors"][0]["source"] == {"parameter": "date"}
    assert (
        broker.get("/marketdata/v1/markets", markets="equity,option").json()["option"]["IND"]["isOpen"]
        is True
    )


# --- 5: streamer -------------------------------------------------------------------------------------------------------


def test_bare_and_wrapped_requests_are_answered_with_string_ids(broker: Broker) -> None:
    with Stream(broker, login=False) as stream:
        login = stream.request("ADMIN", "LOGIN", {"Authorization": broker.tokens["access_token"]})
        stream.socket.send(json.dumps(login))
        answer = stream.answer("1")
        assert answer["requestid"] == "1"
        assert answer["content"]["code"] == 0
        assert "status=NP" in answer["content"]["msg"]
        both = [
            stream.request("LEVELONE_EQUITIES", "SUBS", {"keys": "SPY", "fields": "0,3"}) for _ in range(2)
        ]
        stream.socket.send(json.dumps({"requests": both}))
        assert stream.answer("3")["content"] == {"code": 0, "msg": "SUBS command succeeded"}


def test_the_first_image_is_whole_without_field_0_and_then_only_changes_come(broker: Broker) -> None:
    keys = near(broker)
    with Stream(broker) as stream:
        stream.ask("LEVELONE_OPTIONS", "ADD", {"keys": ",".join(keys), "fields": FIELDS})
        items = stream.items(3 * len(keys))
        images = {item["key"]: item for item in reversed(items) if "assetMainType" in item}
        assert set(images) == set(keys)
        for image in images.values():
            assert {str(n) for n in range(1, 56)} <= set(image)
            assert "0" not in image
            assert image["delayed"] is False
        updates = [item for item in items if "assetMainType" not in item]
        assert updates
        assert all("9" not in item and "20" not in item and "1" not in item for item in updates)
        assert len({len(item) for item in updates}) > 1
    blocks = [block for frame in stream.frames for block in frame.get("data", [])]
    assert {block["command"] for block in blocks} == {"SUBS"}


def test_whole_numbers_lose_their_point_and_greeks_have_eight_decimals(broker: Broker) -> None:
    with Stream(broker) as stream:
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": near(broker, 2)[0], "fields": FIELDS})
        image = stream.items(1)[0]
        assert isinstance(image["13"], int)
        assert image["20"] == int(image["20"])
        assert isinstance(image["20"], int)
        assert round(image["29"], 8) == image["29"]
        assert round(image["29"], 4) != image["29"]


def test_greeks_come_in_their_own_slower_rhythm(broker: Broker) -> None:
    keys = near(broker)
    with Stream(broker) as stream:
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": ",".join(keys), "fields": FIELDS})
        updates = [item for item in stream.items(16 * len(keys)) if "assetMainType" not in item]
        with_greeks = [item for item in updates if "29" in item or "28" in item]
        assert 0.1 < len(with_greeks) / len(updates) < 0.35  # every fifth tick here


def test_subs_replaces_one_service_alone_add_appends_and_unsubs_removes(broker: Broker, base: str) -> None:
    a, b, c = near(broker, 20)[:3]
    control = Control(base)
    with Stream(broker) as stream:
        stream.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "$SPX,SPY", "fields": "0,3"})
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": a, "fields": "0,2"})
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": b, "fields": "0,2,35"})
        assert control.state()["subscriptions"] == {"LEVELONE_EQUITIES": 2, "LEVELONE_OPTIONS": 1}
        stream.ask("LEVELONE_OPTIONS", "ADD", {"keys": f"{a},{c}", "fields": "0,2,35"})
        stream.ask("LEVELONE_OPTIONS", "UNSUBS", {"keys": b, "fields": "0,2"})
        stream.ask("LEVELONE_OPTIONS", "UNSUBS", {"keys": a})
        assert control.state()["subscriptions"]["LEVELONE_OPTIONS"] == 1
        stream.items(5)
        assert {item["key"] for item in stream.items(5)} == {c}


def test_view_changes_the_fields_of_all_keys_whatever_it_names(broker: Broker) -> None:
    keys = near(broker)
    with Stream(broker) as stream:
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": ",".join(keys), "fields": "0,2"})
        stream.items(len(keys))
        stream.ask("LEVELONE_OPTIONS", "VIEW", {"keys": "whatever", "fields": "0,9,35"})
        items = stream.items(3 * len(keys))
        assert {name for item in items for name in item} <= {"key", "9", "35"}
        assert {item["key"] for item in items if "9" in item} == set(keys)


def test_unknown_keys_are_acknowledged_and_silent(broker: Broker) -> None:
    good = near(broker, 1)[0]
    with Stream(broker) as stream:
        keys = f"SPXW  990101C00001000,$SPX.X,nonsense,{good}"
        answer = stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": keys, "fields": FIELDS})
        assert answer["content"]["code"] == 0
        stream.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "$SPX.X,SPX,SPY", "fields": "0,1,2,3"})
        assert {item["key"] for item in stream.items(4)} == {good}
        assert {item["key"] for item in stream.items(2, "LEVELONE_EQUITIES")} == {"SPY"}


def test_keys_beyond_the_limit_are_dropped_with_code_19(broker: Broker, base: str) -> None:
    keys = [c["symbol"] for c in contracts(broker.chain("SPY", strikeCount=5))][:70]
    with Stream(broker) as stream:
        answer = stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": ",".join(keys), "fields": "0,2"})
        assert answer["content"]["code"] == 19
        said = "You've reached the maximum number of symbols allowed.  (LEVELONE_OPTIONS=50, DISCARDED=20)"
        assert answer["content"]["msg"] == said
        assert {item["key"] for item in stream.items(50)} <= set(keys[:50])
        assert Control(base).state()["subscriptions"]["LEVELONE_OPTIONS"] == 50


def test_a_frame_above_65535_bytes_closes_the_connection(broker: Broker) -> None:
    with Stream(broker) as stream:
        request = stream.request("LEVELONE_OPTIONS", "SUBS", {"keys": "", "fields": "0,2"})
        room = 65_535 - len(json.dumps(request))
        request["parameters"]["keys"] = "x" * (room - 1)
        stream.socket.send(json.dumps(request))
        assert stream.answer(str(request["requestid"]))["content"]["code"] == 0
        request["parameters"]["keys"] = "x" * (room + 1)
        stream.socket.send(json.dumps(request))
        assert stream.close_code() == 1009


def test_commands_before_login_or_with_other_ids_get_code_20(broker: Broker) -> None:
    parameters = {"keys": "SPY", "fields": "0,3"}
    with Stream(broker, login=False) as stream:
        assert stream.ask("LEVELONE_EQUITIES", "SUBS", parameters)["content"]["code"] == 20
        assert stream.login()["content"]["code"] == 0
        changed = stream.ask("LEVELONE_EQUITIES", "SUBS", parameters, SchwabClientCorrelId="another")
        assert changed["content"]["code"] == 20
        assert stream.ask("LEVELONE_EQUITIES", "SUBS", parameters)["content"]["code"] == 0


@pytest.mark.parametrize("token", ["", "nonsense", "I0.abc.def@"])
def test_a_bad_login_is_denied_with_code_3_and_closed(broker: Broker, token: str) -> None:
    with Stream(broker, login=False) as stream:
        answer = stream.ask("ADMIN", "LOGIN", {"Authorization": token})
        assert answer["content"] == {"code": 3, "msg": "Login Denied.: token is invalid or has expired."}
        assert stream.close_code() is not None


def test_unknown_services_and_commands_have_their_codes(broker: Broker) -> None:
    with Stream(broker) as stream:
        assert stream.ask("TIMESALE_EQUITY", "SUBS", {"keys": "SPY", "fields": "0"})["content"]["code"] == 11
        assert (
            stream.ask("LEVELONE_EQUITIES", "DANCE", {"keys": "SPY", "fields": "0"})["content"]["code"] == 21
        )
        assert (
            stream.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "SPY", "fields": "x"})["content"]["code"] == 21
        )
        stream.socket.send("{not json")
        assert stream.answer("")["content"]["code"] == 21
        assert (
            stream.ask("LEVELONE_FUTURES", "SUBS", {"keys": "/ESZ26", "fields": "0"})["content"]["code"] == 0
        )


def test_a_stream_without_keys_gets_heartbeats_then_code_30_and_is_closed(broker: Broker) -> None:
    with Stream(broker) as stream:
        stopped = list(stream.frames_until(lambda f: "content" in f.get("notify", [{}])[0]))[-1]
        assert stopped["notify"][0]["content"]["code"] == 30
        assert stopped["notify"][0]["content"]["msg"] == "Stop streaming due to empty subscription"
        heartbeats = [f for f in stream.frames if "heartbeat" in f.get("notify", [{}])[0]]
        assert len(heartbeats) >= 2
        assert heartbeats[0]["notify"][0]["heartbeat"].isdigit()
        assert stream.close_code() == 1000


def test_a_second_login_displaces_the_first(broker: Broker, base: str) -> None:
    with Stream(broker) as first, Stream(broker) as second:
        assert first.close_code() is None  # it just ends
        second.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "SPY", "fields": "0,3"})
        assert second.items(1, "LEVELONE_EQUITIES")
    eventually(lambda: Control(base).state()["connections_open"] == 0)


def test_logout_is_answered_and_then_closed(broker: Broker) -> None:
    with Stream(broker) as stream:
        request = stream.request("ADMIN", "LOGOUT")
        del request["parameters"]
        stream.socket.send(json.dumps({"requests": [request]}))
        assert stream.answer(str(request["requestid"]))["content"]["code"] == 0
        assert stream.close_code() == 1000


def test_stream_quote_and_chain_agree_on_one_contract(broker: Broker) -> None:
    key = near(broker, 20)[4]
    with Stream(broker) as stream:
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": key, "fields": FIELDS})
        image = stream.items(1)[0]
        quote = broker.get("/marketdata/v1/quotes", symbols=key).json()[key]
    assert image["9"] == quote["quote"]["openInterest"]
    assert image["7"] == quote["quote"]["closePrice"]
    assert image["29"] == pytest.approx(quote["quote"]["gamma"], rel=0.02)
    assert image["2"] == pytest.approx(quote["quote"]["bidPrice"], rel=0.05)
    assert image["42"] == quote["reference"]["lastTradingDay"]


WRONG = [
    ["--callback-url", "https://localhost:1"], ["--callback-url", "http://example.com"], ["--symbols", "$$$"],
    ["--start", "now"], ["--chain", "pyproject.toml"], ["--tick", "0"], ["--tick", "nan"],
    ["--port", "70000"], ["--rate-limit", "-1"], ["--app-key", ""], ["--heartbeat", "inf"],
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=" ".join)
def test_wrong_options_are_refused_in_one_line(wrong: list[str]) -> None:
    with pytest.raises(GexError) as refused:
        options_of(*wrong)
    assert refused.value.line
    assert "\n" not in refused.value.line


def test_a_refusal_ends_the_process_with_a_line_and_a_code() -> None:
    command = [sys.executable, "-m", "app", "simulate", "--port", "0", *WRONG[0]]
    ended = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
