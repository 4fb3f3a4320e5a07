"""REST: one underlying under all its spellings, versions that cost nothing twice, and problem documents."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.access.account import gate
from app.api.context import context
from app.cache.base import Store
from app.document import to_document
from app.errors import CacheError
from app.gex import Params, compute
from app.market.calendar import from_ms, to_ms
from app.models import GEXCalculation
from tests.chains import synthetic
from tests.feeding import report
from tests.webserver import make_server

CHAIN = synthetic()[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Follows SPX, whose chain it has, and SPY, which hasn't arrived."""
    server = make_server(tmp_path_factory.mktemp("data"), symbols="SPX,SPY")
    with server.app_context():
        context().store.publish(CHAIN, 1)
    return server


@pytest.fixture
def client(server: Any) -> Iterator[FlaskClient]:
    with server.test_client() as client:
        yield client


@pytest.fixture
def store(server: Any) -> Iterator[Store]:
    with server.app_context():
        yield context().store


def _problem(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    problem: dict[str, Any] = answer.get_json()
    assert problem["status"] == status
    assert problem["title"]
    return problem


def test_the_answer_is_the_engines_document(client: FlaskClient) -> None:
    answer = client.get("/api/v1/gex/SPX?side=inverted&weight=volume&expiries=week&walls=net&unit=per_point")

    params = Params(side="inverted", weight="volume", bucket="week", walls="net", unit="per_point")
    assert GEXCalculation.model_validate_json(answer.data) == to_document(compute(CHAIN, params))


def test_a_chain_read_in_part_says_so_and_takes_no_side(client: FlaskClient, store: Store) -> None:
    assert client.get("/api/v1/gex/SPX/levels").get_json()["regime"] is not None
    store.publish(replace(CHAIN, missing_expiries=3), 1)

    found = client.get("/api/v1/gex/SPX").get_json()

    assert found["quality"]["missing_expiries"] == 3
    assert "3 expiry dates have not been read yet" in found["quality"]["warnings"][0]
    assert (found["regime"], found["quality"]["confidence"]) == (None, None)


def test_choices_that_hold_no_missing_date_are_whole(client: FlaskClient, store: Store) -> None:
    store.publish(CHAIN, 1)
    truth = client.get("/api/v1/gex/SPX/levels?expiries=0dte").get_json()
    store.publish(replace(CHAIN, missing_expiries=1, missing_dates=(date(2031, 1, 17),)), 1)

    assert client.get("/api/v1/gex/SPX/levels?expiries=0dte").get_json() == truth

    unread = client.get("/api/v1/gex/SPX?expiries=2031-01-17").get_json()
    assert (unread["quality"]["missing_expiries"], unread["net_gex"]) == (1, None)
    assert "not been read yet" in unread["quality"]["warnings"][0]
    _problem(client.get("/api/v1/gex/SPX?expiries=2031-01-18"), 404)


@pytest.mark.parametrize("part", ["", "/levels", "/strikes", "/expiries", "/profile"])
def test_whose_numbers_they_are_and_of_when_stands_beside_them(
    client: FlaskClient, store: Store, part: str
) -> None:
    told = {"source": "simulator", "session": "closed", "delayed": True, "spot_ms": CHAIN.as_of_ms - 60_000}
    store.publish(replace(CHAIN, **told), 1)

    answer = client.get(f"/api/v1/gex/SPX{part}")
    found = answer.get_json()

    assert (found["source"], found["session"], found["delayed"]) == ("simulator", "closed", True)
    at, as_of = (datetime.fromisoformat(found[name]) for name in ("spot_at", "as_of"))
    assert as_of - at == timedelta(minutes=1)
    assert answer.headers["X-Chain-Source"] == "simulator"
    if part in ("/strikes", "/expiries"):
        table = client.get(f"/api/v1/gex/SPX{part}", headers={"Accept": "text/csv"})
        assert table.headers["X-Chain-Source"] == "simulator"


@pytest.mark.parametrize("spelling", ["SPX", "spx", "$SPX", "%24SPX", "$spx"])
def test_all_spellings_are_one_underlying(client: FlaskClient, spelling: str) -> None:
    assert client.get(f"/api/v1/gex/{spelling}").data == client.get("/api/v1/gex/SPX").data


def test_dates_choose_expiries(client: FlaskClient) -> None:
    answer = client.get("/api/v1/gex/SPX/expiries?expiries=2026-11-20,2026-10-19")

    assert {row["expiry"] for row in answer.get_json()["expiries"]} == {"2026-10-19", "2026-11-20"}


def test_a_date_without_contracts_is_refused_rather_than_summed_to_nothing(client: FlaskClient) -> None:
    assert "2026-10-17" in _problem(client.get("/api/v1/gex/SPX?expiries=2026-10-17"), 404)["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "side=dealer",
        "weight=oi,volume",
        "unit=",
        "expiries=tomorrow",
        "expiries=2026-13-01",
        "expiries=,",
        "expiries=0dte,2026-11-20",
        "detail=all",
        "sides=naive",
        "side=naive&side=long",
        "walls=%00",
        "expiries=" + ",".join(["2026-10-16"] * 101),
    ],
)
def test_what_cannot_be_read_is_named(client: FlaskClient, query: str) -> None:
    problem = _problem(client.get(f"/api/v1/gex/SPX?{query}"), 422)

    assert query.partition("=")[0] in problem["detail"]
    assert problem["invalid"]


@pytest.mark.parametrize(
    "path",
    ["market/SPX", "symbols", "gex/SPX/days", "alerts", "alerts/rules", "cache/stats", "connection/status"],
)
def test_no_resource_passes_over_a_parameter_that_it_does_not_have(client: FlaskClient, path: str) -> None:
    assert "limits" in _problem(client.get(f"/api/v1/{path}?limits=3"), 422)["detail"]


@pytest.mark.parametrize("symbol", ["%25%25", "SPX%20Y", "TOOLONGSYMBOL", "-", "<script>", "S" * 500])
def test_what_is_no_symbol_is_malformed(client: FlaskClient, symbol: str) -> None:
    _problem(client.get(f"/api/v1/gex/{symbol}"), 422)


def test_a_symbol_that_nobody_follows_is_unknown(client: FlaskClient) -> None:
    for path in ("gex/ZZZZ", "gex/ZZZZ/levels", "market/ZZZZ", "options/ZZZZ"):
        assert "ZZZZ" in _problem(client.get(f"/api/v1/{path}"), 404)["detail"]


def test_data_that_has_not_arrived_is_worth_asking_again(client: FlaskClient) -> None:
    for path in ("gex/SPY", "gex/SPY/strikes", "market/SPY", "options/SPY"):
        answer = client.get(f"/api/v1/{path}")
        _problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v2/gex/SPX", "/api/v1/gex/SPX/nothing"])
def test_an_unknown_path_under_api_is_a_problem_and_not_a_page(client: FlaskClient, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        _problem(client.open(path, method=method), 404)


def test_a_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    answer = client.post("/api/v1/gex/SPX")

    _problem(answer, 405)
    assert "GET" in answer.headers["Allow"]


def test_an_unchanged_version_is_not_sent_again(client: FlaskClient, store: Store) -> None:
    for path in ("gex/SPX", "gex/SPX/levels", "gex/SPX/profile", "options/SPX", "market/SPX"):
        tag = client.get(f"/api/v1/{path}").headers["ETag"]
        same = client.get(f"/api/v1/{path}", headers={"If-None-Match": tag})
        assert same.status_code == 304
        assert same.data == b""
        assert same.headers["ETag"] == tag

        store.publish(CHAIN, 1)

        assert client.get(f"/api/v1/{path}", headers={"If-None-Match": tag}).status_code == 200


def test_what_is_known_to_be_unchanged_is_neither_loaded_nor_computed(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise AssertionError("loaded")

    tags = {
        path: client.get(path).headers["ETag"] for path in ("/api/v1/gex/SPX/levels", "/api/v1/market/SPX")
    }
    monkeypatch.setattr("app.cache.memory.MemoryStore.load", fail)

    for path, tag in tags.items():
        answer = client.get(path, headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["ETag"]) == (304, tag)
        assert answer.headers["X-Chain-Version"]


def test_no_other_parameter_format_or_visitor_gets_that_304(tmp_path: Path) -> None:
    client = make_server(tmp_path, symbols="SPX", access="private").test_client()
    with client.application.app_context():
        context().store.publish(CHAIN, 1)
    reader = _key(client, "read")
    path = "/api/v1/gex/SPX/strikes"
    tag = client.get(path, headers=reader).headers["ETag"]
    have = {"If-None-Match": tag}

    assert client.get(path, headers=reader | have).status_code == 304
    assert client.get(path, headers=have).status_code == 401
    assert client.get(f"{path}?side=long", headers=reader | have).status_code == 200
    assert client.get(path, headers=reader | have | {"Accept": "text/csv"}).status_code == 200
    assert client.get(f"{path}?side=nobody", headers=reader | have).status_code == 422


def test_each_convention_and_part_has_a_tag_of_its_own(client: FlaskClient) -> None:
    paths = ["gex/SPX", "gex/SPX?side=long", "gex/SPX?detail=levels", "gex/SPX/levels", "gex/SPX/strikes"]
    paths += ["options/SPX", "options/SPX?limit=5", "options/SPX?limit=5&offset=5", "market/SPX"]

    tags = [client.get(f"/api/v1/{path}").headers["ETag"] for path in paths]
    tags.append(client.get("/api/v1/gex/SPX/strikes", headers={"Accept": "text/csv"}).headers["ETag"])

    assert len(set(tags)) == len(tags)


def test_large_answers_are_packed_for_who_takes_it(client: FlaskClient) -> None:
    plain = client.get("/api/v1/gex/SPX")
    packed = client.get("/api/v1/gex/SPX", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) < len(plain.data) / 2


def test_the_small_document_has_the_levels_and_nothing_long(client: FlaskClient) -> None:
    full = client.get("/api/v1/gex/SPX").get_json()
    small = client.get("/api/v1/gex/SPX?detail=levels").get_json()

    assert small["strikes"] == small["expiries"] == small["profile"]["spot"] == []
    assert {k: v for k, v in small.items() if k not in ("strikes", "expiries", "profile")} == {
        k: v for k, v in full.items() if k not in ("strikes", "expiries", "profile")
    }


def test_options_are_filtered_and_paged_without_loss(client: FlaskClient) -> None:
    wanted = "expiry=2026-11-20&strike_min=4900&strike_max=5100&right=P"
    seen: list[dict[str, Any]] = []
    at: str | None = f"/api/v1/options/spx?{wanted}&limit=7"
    while at:
        page = client.get(at).get_json()
        seen += page["options"]
        at = page["next"]

    contracts = CHAIN.contracts
    fits = (contracts.expiry.astype(str) == "2026-11-20") & (contracts.right == b"P")
    fits &= (contracts.strike >= 4900) & (contracts.strike <= 5100)
    assert [row["symbol"] for row in seen] == [text.decode() for text in contracts.symbol[fits].tolist()]
    assert page["total"] == len(seen) > 7


def test_pages_of_a_table_lead_on_as_those_of_json_do(client: FlaskClient) -> None:
    path = "/api/v1/options/SPX?limit=400&right=C"
    following = client.get(path).get_json()["next"]

    for kind in ("text/csv", "application/vnd.apache.arrow.stream", "application/json"):
        for _ in range(2):  # computed, then kept
            assert client.get(path, headers={"Accept": kind}).headers["Link"] == f'<{following}>; rel="next"'
    assert "Link" not in client.get("/api/v1/options/SPX?limit=5000&offset=4999").headers


def test_an_unknown_number_of_a_contract_is_null(client: FlaskClient) -> None:
    row = client.get("/api/v1/options/SPX?limit=1").get_json()["options"][0]

    assert row["last"] is None
    assert row["quote_at"] is None


def test_tables_come_as_csv_where_it_is_asked_for(client: FlaskClient) -> None:
    answer = client.get("/api/v1/gex/SPX/strikes", headers={"Accept": "text/csv"})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    expected = client.get("/api/v1/gex/SPX/strikes").get_json()["strikes"]
    assert answer.mimetype == "text/csv"
    assert [float(row["net_gex"]) for row in rows] == [row["net_gex"] for row in expected]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("text/csv; charset=utf-8", "text/csv"),
        ("text/csv;header=present, */*;q=0.1", "text/csv"),
        ("text/*", "text/csv"),
        ("text/csv;q=0.4, application/json;q=0.5", "application/json"),
        ("application/json;q=0, application/*", "application/vnd.apache.arrow.stream"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("*/*", "application/json"),
        ("", "application/json"),
    ],
)
def test_the_best_of_the_accepted_forms_is_sent(client: FlaskClient, accept: str, kind: str) -> None:
    for path in ("gex/SPX/strikes", "gex/SPX/expiries", "options/SPX?limit=3"):
        assert client.get(f"/api/v1/{path}", headers={"Accept": accept}).mimetype == kind


def test_what_is_neither_json_nor_csv_is_not_acceptable(client: FlaskClient) -> None:
    _problem(client.get("/api/v1/options/SPX", headers={"Accept": "image/png"}), 406)


def test_without_redis_the_process_lives_and_says_what_is_missing(tmp_path: Path) -> None:
    client = make_server(tmp_path, redis_url="redis://127.0.0.1:1/0", symbols="SPX").test_client()

    assert client.get("/api/v1/health/live").status_code == 200
    assert client.get("/api/v1/health/ready").get_json()["missing"] == ["cache", "feed", "chain:SPX"]
    assert client.get("/api/v1/health").status_code == 200
    answer = client.get("/api/v1/gex/SPX")
    _problem(answer, 503)
    assert "Retry-After" in answer.headers


def test_the_chain_of_a_closed_market_is_ready_however_old_it_is(tmp_path: Path) -> None:
    server = make_server(tmp_path, symbols="SPX")
    with server.app_context():
        store = context().store
    client = server.test_client()
    friday = to_ms(datetime.now(UTC) - timedelta(days=3))
    store.publish(replace(CHAIN, session="closed", as_of_ms=friday, spot_ms=friday), 1)
    store.put_status(report("live"), 1)
    assert client.get("/api/v1/health/ready").status_code == 200
    store.put_status(report("signed_out"), 1)
    waiting = client.get("/api/v1/health/ready")
    assert (waiting.status_code, waiting.get_json()["missing"]) == (503, ["feed"])
    assert client.get("/api/v1/health/live").status_code == 200


def test_a_failure_of_ours_shows_no_traceback(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("app.cache.results.Results.stats", fail)

    answer = server.test_client().get("/api/v1/cache/stats")

    assert "secret detail" not in str(_problem(answer, 500))


def test_symbols_are_listed_with_the_age_of_their_chain(client: FlaskClient) -> None:
    listed = {row["symbol"]: row for row in client.get("/api/v1/symbols").get_json()["symbols"]}

    assert listed["SPX"]["age_s"] >= 0
    assert listed["SPY"]["version"] is None


def test_a_cache_error_becomes_a_problem(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*args: object) -> None:
        raise CacheError("Redis does not answer.")

    monkeypatch.setattr("app.cache.memory.MemoryStore.load", away)

    problem = _problem(server.test_client().get("/api/v1/gex/SPX/levels?weight=volume&walls=net"), 503)

    assert problem["detail"] == "Redis does not answer."


# --- following and dropping --------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> FlaskClient:
    """A server of this test's own that follows SPX and SPY."""
    return make_server(tmp_path, symbols="SPX,SPY", max_symbols=3).test_client()


def _key(client: FlaskClient, scope: str) -> dict[str, str]:
    """The header of a script's key."""
    with client.application.app_context():
        return {"Authorization": f"Bearer {gate().keys.create('test', scope)}"}


def _follow(client: FlaskClient, symbol: str) -> TestResponse:
    return client.post("/api/v1/symbols", json={"symbol": symbol}, headers=_key(client, "manage"))


def _drop(client: FlaskClient, symbol: str) -> TestResponse:
    return client.delete(f"/api/v1/symbols/{symbol}", headers=_key(client, "manage"))


def test_an_underlying_is_followed_and_dropped_while_running(own: FlaskClient) -> None:
    made = _follow(own, "brk.b")

    assert made.status_code == 201
    assert made.get_json() == {"symbol": "BRK/B", "version": None, "published_at": None, "age_s": None}
    assert made.headers["Location"] == "/api/v1/gex/BRK.B"
    _problem(own.get("/api/v1/gex/BRK.B"), 503)  # known from now on, without data yet
    assert _follow(own, "BRK/B").status_code == 200

    assert _drop(own, "BRK.B").status_code == 204
    _problem(own.get("/api/v1/gex/BRK.B"), 404)
    _problem(_drop(own, "BRK.B"), 404)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"symbol": NaN}',
        '{"symbol": "AAPL"',
        "\xff",
        "",
        '"AAPL"',
        "null",
        '{"symbol": 1e999}',
    ],
)
def test_a_body_that_is_no_document_is_malformed(own: FlaskClient, body: str) -> None:
    headers = _key(own, "manage") | {"Content-Type": "application/json"}

    _problem(own.post("/api/v1/symbols", data=body.encode("latin-1"), headers=headers), 422)


def test_the_limit_and_the_last_underlying_are_said_so(own: FlaskClient) -> None:
    _follow(own, "AAPL")

    assert "MAX_SYMBOLS" in _problem(_follow(own, "MSFT"), 409)["cure"]
    for symbol in ("SPX", "SPY"):
        assert _drop(own, symbol).status_code == 204
    assert "only underlying" in _problem(_drop(own, "AAPL"), 409)["detail"]


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{}", b'{"symbol": 1}', b'{"symbol": "<b>"}', b'{"symbol": "A", "x": 1}']
)
def test_a_body_that_cannot_be_read_is_malformed(own: FlaskClient, body: bytes) -> None:
    _problem(
        own.post(
            "/api/v1/symbols", data=body, headers={**_key(own, "manage"), "Content-Type": "application/json"}
        ),
        422,
    )


def test_a_body_without_its_content_type_is_told_what_it_lacks(own: FlaskClient) -> None:
    answer = own.post("/api/v1/symbols", data=b'{"symbol": "AAPL"}', headers=_key(own, "manage"))

    assert "Content-Type: application/json" in _problem(answer, 422)["detail"]


def test_who_is_not_the_owner_changes_nothing(own: FlaskClient) -> None:
    reader = _key(own, "read")
    for headers, status in (({}, 401), (reader, 403)):
        _problem(own.post("/api/v1/symbols", json={"symbol": "AAPL"}, headers=headers), status)
        _problem(own.delete("/api/v1/symbols/SPY", headers=headers), status)
    listed = own.get("/api/v1/symbols", headers=reader).get_json()["symbols"]
    assert [row["symbol"] for row in listed] == ["SPX", "SPY"]


# --- Arrow -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["options/SPX", "gex/SPX/strikes", "gex/SPX/expiries"])
def test_tables_come_as_arrow_with_the_values_of_json(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/api/v1/{path}", headers={"Accept": "application/vnd.apache.arrow.stream"})
    table = pa.ipc.open_stream(answer.data).read_all()

    expected = client.get(f"/api/v1/{path}").get_json()[path.removeprefix("gex/SPX/").removesuffix("/SPX")]
    assert answer.mimetype == "application/vnd.apache.arrow.stream"
    assert len(expected) == table.num_rows > 0
    for row, other in zip(expected, table.to_pylist(), strict=True):
        for name, value in other.items():
            if name in row and isinstance(row[name], (float, int, type(None))):
                assert value == row[name], name
            elif name in row:
                assert str(value)[:19].replace("T", " ") == str(row[name])[:19].replace("T", " "), name


def test_arrow_knows_times_and_numbers_even_where_all_are_unknown(client: FlaskClient) -> None:
    answer = client.get(
        "/api/v1/options/SPX?limit=5", headers={"Accept": "application/vnd.apache.arrow.stream"}
    )
    schema = pa.ipc.open_stream(answer.data).schema

    assert schema.field("settles_at").type == schema.field("quote_at").type == pa.timestamp("ms", "UTC")
    assert schema.field("expiry").type == pa.date32()
    assert schema.field("last").type == pa.float64()


def test_a_time_that_only_later_contracts_have_comes_as_arrow_too(client: FlaskClient, store: Store) -> None:
    traded = np.zeros(len(CHAIN.quotes.trade_ms), np.int64)
    traded[1] = CHAIN.as_of_ms
    store.publish(replace(CHAIN, quotes=replace(CHAIN.quotes, trade_ms=traded)), 1)

    answer = client.get(
        "/api/v1/options/SPX?limit=3", headers={"Accept": "application/vnd.apache.arrow.stream"}
    )

    times = pa.ipc.open_stream(answer.data).read_all()["trade_at"].to_pylist()
    assert times == [None, from_ms(CHAIN.as_of_ms), None]
