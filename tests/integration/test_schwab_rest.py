"""The REST and stream clients against the simulator."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import AuthError, BrokerError, LoginDenied, RateLimited, ResponseTooBig, StreamClosed
from app.market.updates import UNCHANGED
from app.schwab.chains import parse_chain_json
from app.schwab.fields import EQUITIES, EQUITY_NUMBERS, OPTION_NUMBERS, OPTIONS, subscription
from app.schwab.frames import Frame
from app.schwab.oauth import OAuth
from app.schwab.rest import Rest
from app.schwab.stream import Stream
from app.simulator.control import Control
from tests.feeding import signed_in_at
from tests.simulation import running_simulator


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator("--symbols", "AAPL,SPX", "--rate-limit", "0", "--tick", "0.1") as url:
        yield url


@pytest.fixture
def oauth(base: str, tmp_path: Path) -> OAuth:
    return signed_in_at(base, tmp_path)


@pytest.fixture
def rest(oauth: OAuth) -> Iterator[Rest]:
    client = Rest(oauth, api_url=oauth.api_url)
    yield client
    client.close()


def test_a_window_holds_both_series_of_a_third_friday(rest: Rest) -> None:
    listed = rest.expirations("SPX")
    closing = {entry.expiry for entry in listed if entry.root == "SPXW"}
    day = next(entry.expiry for entry in listed if entry.root == "SPX" and entry.expiry in closing)
    rejected: Counter[str] = Counter()
    chain = parse_chain_json(rest.chain("SPX", day, day), rejected=rejected)
    assert chain.symbol == "SPX"
    assert {
        (c.decode(), s.decode())
        for c, s in zip(chain.contracts.root, chain.contracts.settlement, strict=True)
    } == {
        ("SPX", "A"),
        ("SPXW", "P"),
    }
    assert not rejected
    assert chain.spot > 0
    assert chain.spot_ms > 0
    assert 0 < chain.rate < 0.2


def test_calls_and_puts_can_be_asked_for_alone(rest: Rest) -> None:
    day = rest.expirations("AAPL")[0].expiry
    calls = parse_chain_json(rest.chain("AAPL", day, day, "CALL"))
    assert set(calls.contracts.right) == {b"C"}


def test_market_hours_and_streamer_address(rest: Rest) -> None:
    assert "option" in rest.markets()
    info = rest.streamer_info()
    assert info.url.startswith("ws://127.0.0.1")
    assert (info.channel, info.function_id) == ("N9", "APIAPP")


def test_an_expired_token_is_renewed_and_the_question_asked_again(rest: Rest, control: Control) -> None:
    before = control.state()["refreshes"]
    control.expire("access")
    assert rest.expirations("AAPL")
    assert control.state()["refreshes"] - before == 1


def test_a_401_that_stays_is_an_auth_error_after_one_renewal(rest: Rest, control: Control) -> None:
    before = control.state()["refreshes"]
    control.fail(401, path="/marketdata")
    for _ in range(3):
        with pytest.raises(AuthError):
            rest.expirations("AAPL")
    assert control.state()["refreshes"] - before == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, BrokerError), (429, RateLimited), (500, BrokerError), (502, ResponseTooBig), (503, BrokerError)],
)
def test_every_error_status_has_its_error_and_a_cure(
    rest: Rest, control: Control, status: int, kind: type[BrokerError]
) -> None:
    control.fail(status, path="/marketdata")
    with pytest.raises(kind) as caught:
        rest.expirations("AAPL")
    assert caught.value.status == status
    assert caught.value.cure
    control.clear()
    assert rest.expirations("AAPL")


def test_an_unknown_symbol_is_a_404(rest: Rest) -> None:
    with pytest.raises(BrokerError) as caught:
        rest.expirations("ZZZZ")
    assert caught.value.status in (400, 404)


def test_all_of_spx_at_once_is_too_big(rest: Rest) -> None:
    days = [e.expiry for e in rest.expirations("SPX")]
    with pytest.raises(ResponseTooBig):
        rest.chain("SPX", days[0], days[-1])


# --- the stream ----------------------------------------------------------------------------------


@pytest.fixture
def stream(rest: Rest, oauth: OAuth) -> Iterator[Stream]:
    opened = Stream(rest.streamer_info())
    opened.login(oauth.access_token())
    yield opened
    opened.abort()


def collect(stream: Stream, seconds: float) -> list[Frame]:
    """Every frame of the next seconds."""
    end = time.monotonic() + seconds
    frames = []
    while time.monotonic() < end:
        frame = stream.poll(0.1)
        if frame is not None:
            frames.append(frame)
    return frames


def ask(stream: Stream, service: str, command: str, **parameters: str) -> list[Frame]:
    """Send a command; the frames up to its answer, which must be a success."""
    request = stream.send(service, command, parameters)
    frames: list[Frame] = []
    while not any(answer.requestid == request for frame in frames for answer in frame.answers):
        assert len(frames) < 200
        frame = stream.poll(5)
        assert frame is not None
        frames.append(frame)
    assert next(a for f in frames for a in f.answers if a.requestid == request).ok
    return frames


def keys_of(frames: list[Frame]) -> set[str]:
    """The option keys that frames tell of."""
    return {update.key for frame in frames for update in frame.options}


def test_subscribe_add_unsubscribe_and_view(stream: Stream, rest: Rest) -> None:
    day = rest.expirations("AAPL")[0].expiry
    chain = parse_chain_json(rest.chain("AAPL", day, day))
    near = abs(chain.contracts.strike - chain.spot).argsort()[:4]
    first, second, *_ = names = chain.contracts.symbol[near].astype(str).tolist()
    fields = subscription(OPTION_NUMBERS)
    ask(stream, OPTIONS, "SUBS", keys=first, fields=fields)
    ask(stream, OPTIONS, "ADD", keys=",".join(names), fields=fields)
    seen = collect(stream, 1.0)
    image = next(update for frame in seen for update in frame.options if update.key == second)
    assert image.bid > 0
    assert 1.7e12 < image.quote_ms < 1e13  # milliseconds since the epoch, not unknown
    ask(stream, OPTIONS, "UNSUBS", keys=second)
    collect(stream, 0.3)
    assert second not in keys_of(collect(stream, 1.0))
    ask(stream, OPTIONS, "VIEW", keys=first, fields="0,38")
    collect(stream, 0.3)
    narrow = [update for frame in collect(stream, 1.5) for update in frame.options]
    assert narrow
    assert all(update.bid == UNCHANGED for update in narrow)


def test_an_index_streams_from_the_equities_service(stream: Stream) -> None:
    ask(stream, EQUITIES, "SUBS", keys="$SPX,AAPL", fields=subscription(EQUITY_NUMBERS))
    updates = [update for frame in collect(stream, 1.0) for update in frame.equities]
    assert {update.key for update in updates} == {"$SPX", "AAPL"}
    assert all(isinstance(u.last, float) or isinstance(u.mark, float) for u in updates[:2])


def test_logout_closes_the_connection(stream: Stream, control: Control) -> None:
    assert control.state()["connections_open"] == 1
    stream.logout()
    assert control.state()["connections_open"] == 0
    with pytest.raises(StreamClosed):
        stream.poll(0.1)


def test_a_denied_login_is_told_apart(rest: Rest, control: Control) -> None:
    opened = Stream(rest.streamer_info())
    with pytest.raises(LoginDenied):
        opened.login("I0.not-a-token@")
    opened.abort()


@pytest.mark.parametrize(
    ("how", "reasons"),
    [
        ("rst", {"reset", "closed_1006"}),
        ("1000", {"closed_1000"}),
        ("1006", {"closed_1006"}),
        ("1011", {"closed_1011"}),
    ],
)
def test_every_end_is_a_stream_closed_with_its_reason(
    stream: Stream, control: Control, how: str, reasons: set[str]
) -> None:
    ask(stream, EQUITIES, "SUBS", keys="AAPL", fields=subscription(EQUITY_NUMBERS))
    control.cut(how)  # type: ignore[arg-type]
    with pytest.raises(StreamClosed) as caught:
        collect(stream, 5)
    assert caught.value.reason in reasons


def test_malformed_frames_are_counted_and_survived(stream: Stream, control: Control) -> None:
    ask(stream, EQUITIES, "SUBS", keys="AAPL", fields=subscription(EQUITY_NUMBERS))
    control.malformed(3)
    frames = collect(stream, 2)
    assert sum(frame.rejected.total() for frame in frames) >= 3
    assert any(frame.equities for frame in frames[-5:])


def test_nobody_listening_is_a_stream_closed(rest: Rest) -> None:
    from dataclasses import replace

    with pytest.raises(StreamClosed):
        Stream(replace(rest.streamer_info(), url="ws://127.0.0.1:9/ws"))
