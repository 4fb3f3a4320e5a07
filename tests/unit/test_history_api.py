"""The recorded history over REST and on the command line: the same rows in every form, and no others."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from flask.testing import FlaskClient

from app.__main__ import main
from app.gex import expose, fit
from app.gex.params import Params
from app.history.levels_file import COLUMNS, to_line, to_pine
from app.history.reader import History
from app.market.calendar import to_ms
from app.settings import get_settings
from tests.chains import AS_OF, SPOT, Listed, requoted, rounded, synthetic
from tests.recorded import MINUTE, record
from tests.unit.test_gex_command import csv_chain
from tests.webserver import make_server

START = to_ms(AS_OF)
SERIES = (Listed("SPXW", AS_OF.date()), Listed("SPX", datetime(2026, 11, 20).date(), "A", 10.0))  # noqa: DTZ001
ROWS = 7
FORMS = ("csv", "line", "pine")
ARROW = "application/vnd.apache.arrow.stream"


def chain_at(minute: int):  # type: ignore[no-untyped-def]
    as_of = datetime.fromtimestamp((START + minute * MINUTE) / 1000, UTC)
    return rounded(synthetic(as_of=as_of, spot=SPOT + minute, series=SERIES)[0])


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven minutes of SPX, the fourth missing."""
    place = tmp_path_factory.mktemp("data")
    record(place, [chain_at(m) for m in range(ROWS + 1) if m != 3])
    return place


@pytest.fixture
def client(data_dir: Path) -> Iterator[FlaskClient]:
    with make_server(data_dir, symbols="SPX,SPY").test_client() as client:
        yield client


def rows(client: FlaskClient, path: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    following: str | None = path
    while following:
        answer = client.get(following)
        assert answer.status_code == 200, answer.text
        found += answer.get_json()["rows"]
        following = answer.get_json()["next"]
    return found


def test_pages_hold_every_row_once_in_order(client: FlaskClient) -> None:
    paged = rows(client, "/api/v1/gex/SPX/history?limit=3&fields=spot,net_gex")

    assert [row["spot"] for row in paged] == [SPOT + m for m in (0, 1, 2, 4, 5, 6, 7)]
    assert paged == rows(client, "/api/v1/gex/spx/history?fields=spot,net_gex")


def test_csv_and_arrow_hold_what_json_holds(client: FlaskClient) -> None:
    path = "/api/v1/gex/SPX/history?fields=spot,flip,net_gex"
    plain = rows(client, path)
    table = list(csv.DictReader(io.StringIO(client.get(path, headers={"Accept": "text/csv"}).text)))
    arrow = pa.ipc.open_stream(client.get(path, headers={"Accept": ARROW}).data).read_all().to_pylist()

    assert [float(row["net_gex"]) for row in table] == [row["net_gex"] for row in plain]
    assert [row["net_gex"] for row in arrow] == [row["net_gex"] for row in plain]
    assert [row["minute"] for row in table] == [row["minute"] for row in plain]
    assert client.get(path, headers={"Accept": "image/png"}).status_code == 406


def test_strikes_over_time_are_those_of_the_snapshots(client: FlaskClient) -> None:
    body = client.get("/api/v1/gex/SPX/history/strikes?strike_min=4990&strike_max=5010").get_json()

    truth = expose(fit(chain_at(0)))
    assert len(body["minute"]) == ROWS
    assert body["minute"][3] == "2026-10-16T17:04:00Z"  # the missing minute isn't there
    for strike, call in zip(body["strike"], body["call_gex"][0], strict=True):
        expected = truth.strikes.call_gex[truth.strikes.strike == strike][0]
        assert call == pytest.approx(expected, abs=2e-8 * truth.levels.gross_gex)


@pytest.mark.parametrize("part", ["", "/levels", "/strikes", "/expiries", "/profile"])
def test_a_recorded_minute_answers_in_the_place_of_the_present(client: FlaskClient, part: str) -> None:
    answer = client.get(f"/api/v1/gex/SPX{part}?at=2026-10-16T17:02Z&side=inverted&expiries=0dte")
    body = answer.get_json()
    truth = expose(fit(chain_at(2)), Params(side="inverted", bucket="0dte"))

    assert answer.status_code == 200
    assert body["recorded"] is True
    assert (body["source"], body["session"]) == ("file", "open")  # as those chains say
    assert body["as_of"].startswith("2026-10-16T17:02")
    if "net_gex" in body:
        assert body["net_gex"] == pytest.approx(truth.levels.net_gex, rel=1e-12)
    if "expiries" in body and part != "":
        assert [row["expiry"] for row in body["expiries"]] == [
            row.expiry.isoformat() for row in truth.expiries
        ]
    again = client.get(answer.request.full_path, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


GREEKS = ("dex", "vex", "chex_day", "chex_hour")


def test_delta_vanna_and_charm_of_a_recorded_minute_are_numbers_or_null(client: FlaskClient) -> None:
    truth = expose(fit(chain_at(2)))
    by_strike = client.get("/api/v1/gex/SPX/strikes?at=2026-10-16T17:02Z").get_json()["strikes"]
    by_expiry = client.get("/api/v1/gex/SPX/expiries?at=2026-10-16T17:02Z").get_json()["expiries"]

    for at, row in enumerate(by_strike):
        near = abs(row["strike"] - SPOT) < 200
        for name in GREEKS:
            exact = getattr(truth.strikes, name)
            assert row[name] is not None or not near
            if row[name] is not None:
                assert row[name] == pytest.approx(exact[at], abs=2e-6 * abs(exact).max())
    assert by_strike[0]["dex"] is by_strike[-1]["vex"] is None  # far from spot they aren't recorded
    for row, series in zip(by_expiry, truth.expiries, strict=True):
        exact = [getattr(series.greeks, name) for name in GREEKS]
        assert [row[name] for name in GREEKS] == [
            None if value is None else pytest.approx(value, rel=1e-5) for value in exact
        ]
    bucket = client.get("/api/v1/gex/SPX/strikes?at=2026-10-16T17:02Z&expiries=0dte").get_json()["strikes"]
    assert {row["dex"] for row in bucket} == {None}


@pytest.mark.parametrize("expiries", ["all", "month"])
def test_groups_of_expiries_of_a_recorded_minute_are_those_of_the_present(
    client: FlaskClient, expiries: Literal["all", "month"]
) -> None:
    truth = expose(fit(chain_at(2)), Params(bucket=expiries)).buckets
    body = client.get(f"/api/v1/gex/SPX?at=2026-10-16T17:02Z&expiries={expiries}").get_json()["buckets"]

    assert len(truth) > 0
    assert [row["bucket"] for row in body] == [bucket.name for bucket in truth]
    for row, bucket in zip(body, truth, strict=True):
        assert (row["first_expiry"], row["last_expiry"]) == (
            bucket.first.isoformat(),
            bucket.last.isoformat(),
        )
        assert (row["contracts"], row["used"]) == (bucket.contracts, bucket.used)
        assert row["call_gex"] is row["put_gex"] is None  # not recorded of a group
        for name in ("net_gex", "gross_gex", "open_interest"):
            assert row[name] == pytest.approx(getattr(bucket, name), rel=1e-6)
        for name in GREEKS:
            exact = getattr(bucket.greeks, name)
            assert row[name] == (None if exact is None else pytest.approx(exact, rel=1e-5))


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("at=2026-10-16T17:03Z", 200),  # the row of the minute before is a minute old at most
        ("at=2026-10-16T18:00Z", 404),
        ("at=2026-10-16T17:02Z&weight=volume", 404),
        ("at=2026-10-16T17:02Z&expiries=2026-10-16", 404),
        ("at=yesterday", 422),
        ("at=1790000000", 422),
        ("at=0001-01-01T00:00:00Z", 404),
        ("at=0001-01-01T00:00:00%2B14:00", 404),
        ("at=9999-12-31T23:59:59-12:00", 404),
    ],
)
def test_what_was_not_recorded_is_refused(client: FlaskClient, query: str, status: int) -> None:
    answer = client.get(f"/api/v1/gex/SPX/levels?{query}")

    assert answer.status_code == status, answer.text
    assert status == 200 or answer.get_json()["cure"]


def test_days_close_with_the_last_row(client: FlaskClient) -> None:
    (day,) = client.get("/api/v1/gex/SPX/days").get_json()["days"]

    assert (day["day"], day["minutes"], day["spot"]) == ("2026-10-16", ROWS, SPOT + 7)
    assert client.get("/api/v1/gex/SPY/days").get_json()["days"] == []


@pytest.mark.parametrize("part", ["days", "history", "history/strikes", "levels/file"])
def test_an_underlying_that_nobody_follows_or_followed_is_unknown(client: FlaskClient, part: str) -> None:
    answer = client.get(f"/api/v1/gex/NDX/{part}")

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


def test_what_was_recorded_stays_readable_when_nobody_follows_it_any_more(data_dir: Path) -> None:
    client = make_server(data_dir, symbols="SPY").test_client()

    assert client.get("/api/v1/gex/SPX/levels").status_code == 404
    assert len(client.get("/api/v1/gex/SPX/days").get_json()["days"]) == 1
    assert client.get("/api/v1/gex/SPX/levels?at=2026-10-16T17:03Z").status_code == 200


@pytest.mark.parametrize("part", ["history", "history/strikes"])
def test_a_range_may_be_as_long_as_the_calendar(client: FlaskClient, part: str) -> None:
    whole = client.get(f"/api/v1/gex/SPX/{part}?start=0001-01-01&end=9999-12-31T23:59:59-12:00")

    assert whole.status_code == 200
    assert whole.get_json()["total"] == ROWS


@pytest.mark.parametrize("day", ["20261016", "1792108800", "2026-10-16T00:00:00", "2026-02-30", "today"])
def test_a_day_is_written_as_a_day(client: FlaskClient, day: str) -> None:
    assert client.get(f"/api/v1/gex/SPX/levels/file?day={day}").status_code == 422
    assert client.get(f"/api/v1/options/SPX?expiry={day}").status_code == 422


def test_the_file_for_other_platforms_holds_the_closing_levels(client: FlaskClient) -> None:
    levels = expose(fit(chain_at(7))).levels
    table = client.get("/api/v1/gex/SPX/levels/file")
    line = client.get("/api/v1/gex/SPX/levels/file?format=line&day=2026-10-16").text
    pine = client.get("/api/v1/gex/SPX/levels/file?format=pine").text

    (row,) = csv.DictReader(io.StringIO(table.text))
    assert "attachment" in table.headers["Content-Disposition"]
    assert float(row["put_wall"]) == levels.put_wall
    assert f"Call wall, {levels.call_wall:.0f}" in line
    assert f'hline({levels.call_wall:.0f}, "Call wall"' in pine
    missing = client.get("/api/v1/gex/SPX/levels/file?day=2020-01-02")
    assert missing.status_code == 404
    assert "2020-01-02" in missing.get_json()["detail"]
    again = {"If-None-Match": table.headers["ETag"]}
    assert client.get("/api/v1/gex/SPX/levels/file", headers=again).status_code == 304
    assert client.get("/api/v1/gex/SPX/levels/file?format=line", headers=again).status_code == 200


def test_a_level_that_the_last_row_lacks_is_not_an_earlier_one_s(tmp_path: Path) -> None:
    last = chain_at(1)
    calls = last.contracts.is_call
    alone = requoted(
        last, open_interest=np.where(calls, last.quotes.open_interest, 0.0)
    )  # nothing changes sign
    record(tmp_path, [chain_at(0), alone])
    truths = [expose(fit(chain)).levels for chain in (chain_at(0), alone)]
    assert truths[0].flip
    assert truths[0].put_wall
    assert (truths[1].flip, truths[1].put_wall) == (None, None)
    (day,) = History(tmp_path / "history").days("SPX").to_pylist()
    assert (day["spot"], day["call_wall"]) == (SPOT + 1, truths[1].call_wall)
    assert (day["flip"], day["put_wall"]) == (None, None)


def test_levels_of_a_made_up_market_say_so(tmp_path: Path) -> None:
    record(tmp_path, [replace(chain_at(0), source="simulator")])
    with make_server(tmp_path, symbols="SPX").test_client() as client:
        texts = {form: client.get(f"/api/v1/gex/SPX/levels/file?format={form}").text for form in FORMS}

    (row,) = csv.DictReader(io.StringIO(texts["csv"]))
    assert row["source"] == "simulator"
    assert texts["line"].startswith("SPX 2026-10-16 as of 13:00 ET (simulated): ")
    assert 'indicator("GEX levels SPX 2026-10-16 as of 13:00 ET (simulated)"' in texts["pine"]


@pytest.mark.parametrize(
    ("last", "title"),
    [
        ("2026-10-16T13:30Z", "SPX 2026-10-16 as of 09:30 ET"), ("2026-10-16T19:59Z", "SPX 2026-10-16"),
        ("2026-10-16T20:14Z", "SPX 2026-10-16"), ("2026-11-27T17:30Z", "SPX 2026-11-27 as of 12:30 ET"),
        ("2026-11-27T17:59Z", "SPX 2026-11-27"), ("2026-12-01T20:30Z", "SPX 2026-12-01 as of 15:30 ET"),
        ("2026-10-17T02:00Z", "SPX 2026-10-16 as of 22:00 ET"),
    ],
)  # fmt: skip
def test_levels_that_are_not_of_the_close_say_of_when_they_are(last: str, title: str) -> None:
    row = dict.fromkeys(COLUMNS) | {"symbol": "SPX", "day": title[4:14], "as_of": last, "flip": 6685.25}
    assert to_line(row) == f"{title}: Gamma flip, 6685.25"
    assert f'indicator("GEX levels {title}", overlay = true)' in to_pine(row)


def test_importing_a_file_twice_records_it_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    chain, broken = tmp_path / "spx.csv", tmp_path / "broken.csv"
    chain.write_text(csv_chain())
    broken.write_text("nothing")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FEED_MODE", "off")
    get_settings.cache_clear()

    assert main(["import", str(chain)]) == 0
    told = capsys.readouterr()
    assert "recorded already" not in told.out
    assert "2024-01-05 is older than HISTORY_DAYS=400" in told.err
    assert main(["import", str(chain), str(broken)]) == 1
    told = capsys.readouterr()
    assert "recorded already" in told.out
    assert "broken.csv" in told.err
    assert main(["levels", "SPX"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith("2024-01-05,SPX,2024-01-05T20:00Z")
    assert main(["levels", "NDX"]) == 1
    with pytest.raises(SystemExit):
        main(["levels", "SPX", "--day", "yesterday"])
    assert "no day, such as 2026-11-20" in capsys.readouterr().err
    get_settings.cache_clear()
