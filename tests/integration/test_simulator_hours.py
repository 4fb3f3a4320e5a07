"""A market day with its night, its roll, its refresh and its weekend, on a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from app.simulator.control import Control
from tests.simulation import Broker, Stream, contracts, running_simulator, simulator_in_a_thread
from tests.support import eventually

WEDNESDAY_OPEN = "2026-11-18T15:59:50-05:00"
FIELDS = ",".join(map(str, range(56)))


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_simulator(
        "--hours", "market", "--start", WEDNESDAY_OPEN, "--tick", "0.05", "--greeks", "0.05", "--rate-limit", "0",
        "--heartbeat", "0.2", "--symbols", "SPX",
    ) as url:  # fmt: skip
        yield url


def at(base: str, instant: str) -> Control:
    control = Control(base)
    control.set_clock(datetime.fromisoformat(instant))
    return control


def one(broker: Broker) -> dict[str, Any]:
    """The nearest contract that lives past the week."""
    chain = broker.chain(
        "$SPX", contractType="CALL", fromDate="2026-11-27", toDate="2026-11-27", strikeCount=1
    )
    return contracts(chain)[0]


def test_at_night_greeks_sizes_and_times_are_gone_and_the_days_count_down(base: str) -> None:
    broker = Broker(base)
    at(base, "2026-11-18T15:00:00-05:00")
    open_day = one(broker)
    at(base, "2026-11-18T23:30:00-05:00")
    evening = one(broker)
    assert evening["gamma"] != -999
    assert evening["daysToExpiration"] == open_day["daysToExpiration"]
    at(base, "2026-11-19T01:00:01-05:00")
    night = one(broker)
    assert night["gamma"] == night["volatility"] == -999.0
    assert night["theoreticalOptionValue"] == -1.0
    assert night["bidSize"] == night["quoteTimeInLong"] == 0
    assert night["daysToExpiration"] == open_day["daysToExpiration"] - 1
    quote = broker.get("/marketdata/v1/quotes", symbols=night["symbol"]).json()[night["symbol"]]["quote"]
    assert quote["securityStatus"] == "Unknown"


def test_at_five_past_eight_a_whole_image_brings_greeks_and_new_open_interest(base: str) -> None:
    broker = Broker(base)
    control = at(base, "2026-11-19T08:04:00-05:00")
    key = one(broker)["symbol"]
    with Stream(broker) as stream:
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": key, "fields": FIELDS})
        night = stream.items(1)[0]
        assert (night["29"], night["33"], night["38"]) == (-999, "Unknown", 0)
        control.set_clock(datetime.fromisoformat("2026-11-19T08:05:01-05:00"))
        fresh = eventually(lambda: [i for i in stream.items(1) if "assetMainType" in i and i["29"] != -999])[
            0
        ]
        assert fresh["33"] != "Unknown"
        assert fresh["8"] == 0
    interests = {c["symbol"]: c["openInterest"] for c in contracts(broker.chain("$SPX", toDate="2026-11-20"))}
    at(base, "2026-11-18T15:00:00-05:00")
    before = {c["symbol"]: c["openInterest"] for c in contracts(broker.chain("$SPX", toDate="2026-11-20"))}
    assert any(interests[symbol] != before[symbol] for symbol in interests if symbol in before)


def test_on_a_weekend_images_come_and_then_heartbeats_alone(base: str) -> None:
    broker = Broker(base)
    at(base, "2026-11-21T12:00:00-05:00")
    with Stream(broker) as stream:
        stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": one(broker)["symbol"], "fields": FIELDS})
        image = stream.items(1)[0]
        assert image["2"] > 0
        assert image["16"] > 0
        assert image["29"] == -999
        stream.frames.clear()
        list(stream.frames_until(lambda _: len(stream.frames) >= 3))
        assert all("heartbeat" in frame["notify"][0] for frame in stream.frames)


def test_friday_evenings_price_stands_still_until_monday(base: str) -> None:
    broker = Broker(base)
    prices = []
    for instant in ("2026-11-20T16:00:01-05:00", "2026-11-22T03:00:00-05:00", "2026-11-23T09:29:50-05:00"):
        at(base, instant)
        prices.append(broker.chain("$SPX", strikeCount=1)["underlyingPrice"])
    assert len(set(prices)) == 1
    at(base, "2026-11-23T09:31:00-05:00")
    assert broker.chain("$SPX", strikeCount=1)["underlyingPrice"] != prices[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2026-11-20T16:00:01-05:00", "2026-11-23T09:31:00-05:00"),  # over a weekend
        ("2026-11-25T16:00:01-05:00", "2026-11-27T09:31:00-05:00"),  # over Thanksgiving
        ("2026-11-27T13:00:01-05:00", "2026-11-30T09:31:00-05:00"),  # a half-day's close
    ],
)
def test_the_previous_close_is_that_of_the_last_trading_day(base: str, before: str, after: str) -> None:
    broker = Broker(base)
    at(base, before)
    last = broker.get("/marketdata/v1/quotes", symbols="$SPX").json()["$SPX"]["quote"]["lastPrice"]
    at(base, after)
    quote = broker.get("/marketdata/v1/quotes", symbols="$SPX").json()["$SPX"]["quote"]
    assert quote["closePrice"] == last
    assert quote["netChange"] == pytest.approx(quote["lastPrice"] - last, abs=0.01)


def test_holidays_and_half_days_are_new_yorks(base: str) -> None:
    control = at(base, "2026-11-26T12:00:00-05:00")
    assert control.state()["phase"] == "weekend"  # Thanksgiving
    control.set_clock(datetime.fromisoformat("2026-11-27T12:59:00-05:00"))
    assert control.state()["phase"] == "open"
    control.set_clock(datetime.fromisoformat("2026-11-27T13:00:01-05:00"))
    assert control.state()["phase"] == "closed"
    broker = Broker(base)
    hours = broker.get("/marketdata/v1/markets", markets="equity,option", date="2026-11-27").json()
    assert hours["equity"]["EQ"]["sessionHours"]["regularMarket"][0]["end"] == "2026-11-27T13:00:00-05:00"
    closed = broker.get("/marketdata/v1/markets/equity", date="2026-11-28").json()
    assert closed == {
        "equity": {
            "equity": {"date": "2026-11-28", "marketType": "EQUITY", "product": "equity", "isOpen": False}
        }
    }


def test_in_market_hours_nothing_expires_on_a_closed_day(base: str) -> None:
    at(base, "2026-11-20T10:00:00-05:00")
    listing = Broker(base).get("/marketdata/v1/expirationchain", symbol="$SPX").json()["expirationList"]
    days = {datetime.fromisoformat(entry["expirationDate"]).weekday() for entry in listing}
    assert days <= {0, 1, 2, 3, 4}
    assert "2026-11-26" not in {entry["expirationDate"] for entry in listing}


def test_a_candle_comes_when_its_minute_is_over(base: str) -> None:
    broker = Broker(base)
    control = at(base, "2026-11-20T10:29:00-05:00")
    with Stream(broker) as stream:
        stream.ask("CHART_EQUITY", "SUBS", {"keys": "SPY,ZQZQ", "fields": "0,1,2,3,4,5,6,7,8"})
        stream.ask("LEVELONE_EQUITIES", "SUBS", {"keys": "SPY", "fields": "0,3"})
        stream.items(1, "LEVELONE_EQUITIES")
        control.set_clock(datetime.fromisoformat("2026-11-20T10:30:00.200-05:00"))
        (candle,) = stream.items(1, "CHART_EQUITY")
        start = int(datetime.fromisoformat("2026-11-20T10:29:00-05:00").timestamp() * 1000)
        assert (candle["key"], candle["seq"], candle["7"], candle["8"]) == ("SPY", 1, start, 20777)
        assert candle["4"] <= min(candle["2"], candle["5"]) <= max(candle["2"], candle["5"]) <= candle["3"]
        history = broker.get(
            "/marketdata/v1/pricehistory", symbol="SPY", periodType="day", frequencyType="minute", startDate=start,
            endDate=start + 60_000,
        ).json()["candles"]  # fmt: skip
        assert [history[0][name] for name in ("open", "high", "low", "close", "datetime")] == [
            candle[field] for field in "23457"
        ]


def test_index_options_can_quote_overnight() -> None:
    night = (
        "--hours",
        "market",
        "--start",
        "2026-11-18T21:00:00-05:00",
        "--symbols",
        "SPX",
        "--tick",
        "0.05",
    )
    with simulator_in_a_thread(*night, "--overnight") as awake, simulator_in_a_thread(*night) as asleep:
        for url, moving in ((awake, True), (asleep, False)):
            broker = Broker(url)
            with Stream(broker) as stream:
                stream.ask("LEVELONE_OPTIONS", "SUBS", {"keys": one(broker)["symbol"], "fields": "0,2,16,38"})
                image = stream.items(1)[0]
                later = eventually(lambda: stream.items(1)) if moving else [image]
                assert ("38" in later[-1]) is True
                assert (later[-1] is not image) is moving
