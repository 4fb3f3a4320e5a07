"""Whatever is asked of REST, the answer is JSON or a problem document, and never a server error."""

from typing import Any
from urllib.parse import quote, urlencode

import orjson
import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.context import context
from tests.chains import synthetic
from tests.webserver import make_server

PARAMETERS = (
    "expiries",
    "side",
    "weight",
    "unit",
    "walls",
    "detail",
    "expiry",
    "strike_min",
    "right",
    "limit",
    "offset",
)
VALUES = st.sampled_from(
    [
        "naive",
        "0dte",
        "2026-11-20",
        "-1",
        "0",
        "1e400",
        "nan",
        "C",
        "null",
        "true",
        "9" * 40,
        "2026-02-30",
        "%",
        "\x00",
    ]
) | st.text(max_size=12)
QUERIES = st.lists(st.tuples(st.sampled_from(PARAMETERS) | st.text(max_size=6), VALUES), max_size=4)
PATHS = st.sampled_from(["gex/{}", "gex/{}/levels", "gex/{}/strikes", "options/{}", "market/{}", "symbols"])
SYMBOLS = st.sampled_from(["SPX", "$spx", "SPY", "ZZZZ", "BRK.B"]) | st.text(max_size=10)
ACCEPT = st.sampled_from(["*/*", "text/csv", "application/json", "image/png", ";;,", "text/csv;q=nan"])


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    server = make_server(tmp_path_factory.mktemp("data"), symbols="SPX,SPY")
    with server.app_context():
        context().store.publish(synthetic()[0], 1)
    return server.test_client()


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=PATHS, symbol=SYMBOLS, query=QUERIES, accept=ACCEPT)
def test_no_question_is_a_server_error(
    client: FlaskClient, path: str, symbol: str, query: list[tuple[str, str]], accept: str
) -> None:
    url = f"/api/v1/{path.format(quote(symbol, safe=''))}?{urlencode(query, errors='replace')}"

    answer: Any = client.get(url, headers={"Accept": accept})

    assert answer.status_code in (200, 308, 404, 406, 422, 503), url
    if answer.mimetype.endswith("json"):
        orjson.loads(answer.data)
    else:
        assert (answer.status_code, answer.mimetype) == (200, "text/csv"), url
