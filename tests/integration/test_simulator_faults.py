"""Every fault that can be switched on while the simulator runs does what docs/simulator.md says, and can be taken back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import requests
import websocket

from app.errors import BrokerError
from app.market.calendar import EXCHANGE_TZ
from app.simulator import APP_KEY, APP_SECRET
from app.simulator.control import Control
from tests.simulation import Broker, Stream, contracts, exchange, running_simulator, simulator_in_a_thread
from tests.support import eventually


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator(
        "--tick", "0.05", "--greeks", "0.1", "--rate-limit", "0", "--heartbeat", "0.2"
    ) as url:
        yield url


@pytest.fixture
def broker(base: str) -> Broker:
    return Broker(base)


@pytest.fixture
def stream(broker: Broker, control: Control) -> Iterator[Stream]:
    """A stream of $SPX and one option, its first images read."""
    in_two_days = str(datetime.now(EXCHANGE_TZ).date() + timedelta(days=2))
    key = contracts(broker.chain("SPY", strikeCount=1, fromDate=in_two_days))[0]["symbol"]
    with Stream(broker) as stream:
        stream.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "$SPX", "fields": "0,3"})
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": key, "fields": "0,2,3,10,28,29,35"})
        stream.items(1)
        yield stream


@pytest.mark.parametrize("code", ["1000", "1001", "1011"])
def test_a_cut_with_a_close_code(stream: Stream, control: Control, code: str) -> None:
    control.cut(code)  # type: ignore[arg-type]
    assert stream.close_code() == int(code)


def test_a_cut_without_a_close_frame(stream: Stream, control: Control) -> None:
    control.cut("1006")
    assert stream.close_code() is None


def test_a_reset(stream: Stream, control: Control) -> None:
    control.cut("rst")
    with pytest.raises(ConnectionResetError):
        list(stream.frames_until(lambda _: False))


def test_code_30_comes_before_its_close(stream: Stream, control: Control) -> None:
    control.cut("30")
    stopped = list(stream.frames_until(lambda f: "content" in f.get("notify", [{}])[0]))[-1]
    assert stopped["notify"][0]["content"]["code"] == 30
    assert stream.close_code() == 1000


def test_after_a_cut_a_new_login_works(stream: Stream, control: Control, broker: Broker) -> None:
    control.cut("1006")
    stream.close_code()
    with Stream(broker) as again:
        again.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "$SPX", "fields": "0,3"})
        assert again.items(1, "LEVELONE_EQUITIES")[0]["key"] == "$SPX"


def test_silence_sends_nothing_but_answers_pings(stream: Stream, control: Control) -> None:
    control.silence()
    drained(stream)
    stream.socket.ping("still there?")
    opcode, frame = stream.socket.recv_data_frame(control_frame=True)
    assert (opcode, frame.data) == (websocket.ABNF.OPCODE_PONG, b"still there?")
    control.silence(False)
    assert stream.items(1)


def test_a_half_open_connection_answers_no_ping_and_comes_back(stream: Stream, control: Control) -> None:
    control.half_open()
    drained(stream)
    stream.socket.ping("anybody?")
    stream.socket.settimeout(0.5)
    with pytest.raises(websocket.WebSocketTimeoutException):
        stream.socket.recv_data_frame(control_frame=True)
    assert stream.socket.connected
    control.half_open(False)
    stream.socket.settimeout(10)
    assert stream.items(1)


def drained(stream: Stream) -> None:
    """Read what is on its way until a fifth of a second passes with nothing (a heartbeat would come by then)."""
    stream.socket.settimeout(0.4)
    with pytest.raises(websocket.WebSocketTimeoutException):
        list(stream.frames_until(lambda _: False))
    stream.socket.settimeout(10)


def test_answers_and_frames_can_be_late(broker: Broker, control: Control) -> None:
    control.delay(0.5)
    began = time.monotonic()
    assert broker.get("/marketdata/v1/quotes", symbols="SPY").ok
    assert time.monotonic() - began >= 0.5
    control.delay(0)
    control.delay_stream(0.5)
    with Stream(broker) as stream:
        stream.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "$SPX", "fields": "0,3"})
        stream.items(2, "LEVELONE_EQUITIES")
        data = [frame["data"][0]["timestamp"] for frame in stream.frames if "data" in frame]
        assert data[1] - data[0] >= 450


def test_malformed_frames_come_between_good_ones(stream: Stream, control: Control) -> None:
    control.malformed(6)
    texts = [stream.socket.recv() for _ in range(30)]
    bad = [text for text in texts if text == "not json at all"]
    assert bad
    assert stream.items(1)


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_expired_tokens_are_refused_until_renewed(base: str, control: Control, kind: str) -> None:
    broker = Broker(base)
    control.expire(kind)  # type: ignore[arg-type]
    status = broker.get("/marketdata/v1/quotes", symbols="SPY").status_code
    form = {"grant_type": "refresh_token", "refresh_token": broker.tokens["refresh_token"]}
    renewed = requests.post(f"{base}/v1/oauth/token", auth=(APP_KEY, APP_SECRET), data=form, timeout=5)
    assert (status, renewed.status_code) == ((401, 200) if kind == "access" else (200, 400))
    assert Broker(base).get("/marketdata/v1/quotes", symbols="SPY").ok


def test_logins_can_be_denied(broker: Broker, control: Control) -> None:
    control.deny_login()
    with Stream(broker, login=False) as stream:
        assert stream.login()["content"]["code"] == 3
        assert stream.close_code() is not None
    assert control.state()["logins_denied"] >= 1


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "Client not authorized"), (429, "Too Many Requests"), (500, "Internal Server Error"),
        (502, "Body buffer overflow"), (503, "Service Unavailable"),
    ],
)  # fmt: skip
def test_rest_can_fail_with_every_status(broker: Broker, control: Control, status: int, said: str) -> None:
    control.fail(status)
    answer = broker.get("/marketdata/v1/chains", symbol="SPY")
    assert answer.status_code == status
    assert said in answer.text
    control.fail(None)
    assert broker.get("/marketdata/v1/quotes", symbols="SPY").ok


def test_403_is_an_html_page_from_the_edge(broker: Broker, control: Control) -> None:
    control.fail(403)
    answer = broker.get("/marketdata/v1/quotes", symbols="SPY")
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "Access Denied" in answer.text
    assert answer.headers["Server"] == "AkamaiGHost"


def test_a_status_can_be_for_some_paths_and_some_times(base: str, broker: Broker, control: Control) -> None:
    control.fail(500, path="/chains", count=2)
    codes = [broker.get("/marketdata/v1/chains", symbol="AAPL", strikeCount=1).status_code for _ in range(3)]
    assert codes == [500, 500, 200]
    control.fail(503, path="/v1/oauth/token")
    assert exchange(base, "any").status_code == 503
    assert broker.get("/marketdata/v1/quotes", symbols="SPY").ok


def test_all_greeks_can_be_unknown(stream: Stream, broker: Broker, control: Control) -> None:
    control.no_greeks()
    chain = broker.chain("SPY", strikeCount=2)
    assert {c["gamma"] for c in contracts(chain)} == {c["volatility"] for c in contracts(chain)} == {-999.0}
    assert all(c["bid"] >= 0 and c["openInterest"] >= 0 for c in contracts(chain))
    assert eventually(lambda: any(item.get("29") == -999 for item in stream.items(1)))


def test_the_spot_can_jump_and_everything_follows(stream: Stream, broker: Broker, control: Control) -> None:
    before = control.state()["spots"]["SPY"]
    control.jump("SPY", -5)
    after = broker.chain("SPY", strikeCount=1)["underlyingPrice"]
    assert after == pytest.approx(0.95 * before, rel=0.002)
    moved = eventually(lambda: [i["35"] for i in stream.items(1) if "35" in i and i["35"] < 0.96 * before])
    assert moved[0] == pytest.approx(after, rel=0.002)
    control.jump("SPY", 100 / 0.95 - 100)


def test_the_chain_can_lose_half_of_its_contracts(broker: Broker, control: Control) -> None:
    whole = broker.chain("AAPL")["numberOfContracts"]
    control.list_share(0.5)
    assert broker.chain("AAPL")["numberOfContracts"] == pytest.approx(whole / 2, rel=0.1)
    control.clear()
    assert broker.chain("AAPL")["numberOfContracts"] == whole


def test_a_chain_can_be_cut_short_and_says_so(broker: Broker, control: Control) -> None:
    whole = broker.chain("AAPL")
    control.truncate(100, path="contractType=CALL")
    assert broker.chain("AAPL")["numberOfContracts"] == whole["numberOfContracts"]
    cut = broker.chain("AAPL", contractType="CALL")
    assert cut["isChainTruncated"] is True
    assert cut["numberOfContracts"] == len(contracts(cut)) == 100
    assert broker.chain("AAPL", contractType="CALL", strikeCount=1)["isChainTruncated"] is False, (
        "it has fewer"
    )
    control.clear()
    assert broker.chain("AAPL", contractType="CALL")["isChainTruncated"] is whole["isChainTruncated"] is False


@pytest.mark.parametrize(
    "wrong",
    [
        {"no_such_fault": True}, {"silent": "yes"}, {"delay_s": -1}, {"listed_share": 2}, {"status": 299},
        {"cut": "gently"}, {"expire": "all"}, {"spot_jump": {"SPY": "up"}}, {"spot_jump": {"!": 1}}, {"clock": "noon"},
        {"malformed": 0}, {"status": {"status": 500, "path": 3}}, {"silent": True, "cut": "no"}, {"truncate": -1},
        {"truncate": True}, {"truncate": {"contracts": 5, "count": 1}}, {"truncate": {"contracts": 5, "path": 3}},
    ],
)  # fmt: skip
def test_a_wrong_switch_is_refused_and_changes_nothing(control: Control, wrong: dict[str, object]) -> None:
    before = control.state()["faults"]
    with pytest.raises(BrokerError):
        control.set(**wrong)
    assert control.state()["faults"] == before


def test_the_state_counts_what_happened() -> None:
    with simulator_in_a_thread("--symbols", "AAPL,ZYX", "--tick", "0.05") as own:
        broker, control = Broker(own), Control(own)
        with Stream(broker) as stream:
            stream.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "AAPL", "fields": "0,3"})
            stream.items(1, "LEVELONE_EQUITIES")
            now = control.state()
        assert now["connections_open"] == now["max_connections"] == now["connections"] == now["logins"] == 1
        assert now["subscriptions"] == {"LEVELONE_EQUITIES": 1}
        assert now["requests"]["/v1/oauth/token"] == now["exchanges"] == 1
        assert now["commands"]["ADMIN LOGIN"] == 1
        assert set(now["spots"]) == {"AAPL", "ZYX"}
        assert broker.chain("ZYX", strikeCount=1)["status"] == "SUCCESS"
        eventually(lambda: control.state()["connections_open"] == 0)
        assert control.state()["max_connections"] == 1
