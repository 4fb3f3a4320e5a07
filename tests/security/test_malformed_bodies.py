"""Callback bodies that no page sends, tens of thousands of them: none is a server error."""

import json
import random
from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.api.context import context
from tests.chains import synthetic
from tests.security.conftest import FULL, Record
from tests.webserver import make_server

URL = "/_dash-update-component"
COUNT = 20_000 if FULL else 600
VALUES: list[Any] = [
    None, True, False, 0, -1, 1e308, -1e308, 2**63, 2**200, 0.1, "", " ", "x", "\x00", "\ud800", "é" * 300, "<script>",
    "' OR 1=1", "../../etc/passwd", "SPX", "spx", "$SPX", "BRK/B", "/gex/SPX", "/gex/%ff", "/gex/" + "A" * 400,
    "?view=status", "?expiries=2024-13-45", "?range=nan,inf", "?range=1e999,-1", "?view=compare&with=SPY,ZZZ",
    "?at=9999-99-99T99:99Z", "?" + "a=b&" * 2000, [], {}, [[]], [None],
    {"": None}, {"a": {"b": [1]}}, {"id": "x"}, [{"id": {}, "property": []}],
]  # fmt: skip


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    server = make_server(tmp_path_factory.mktemp("data"), symbols="SPX,SPY")
    with server.app_context():
        context().store.publish(synthetic()[0], 1)
    return server.test_client()


def real_bodies(client: FlaskClient) -> list[dict[str, Any]]:
    """What a page sends, one body for each callback, the live question filled in."""
    bodies = []
    for listed in client.get("/_dash-dependencies").get_json():
        if listed["clientside_function"]:
            continue
        name = listed["output"]
        names = name[2:-2].split("...") if name.startswith("..") else [name]
        outputs = [dict(zip(("id", "property"), each.rsplit(".", 1), strict=True)) for each in names]
        question = {
            "seq": 1,
            "symbol": "SPX",
            "search": "",
            "have": "",
            "feed": "",
            "cache": "",
            "crop": [4000, 6000],
        }
        given = {"data": question, "pathname": "/gex/SPX", "search": "?view=greeks"}
        inputs = [{**item, "value": given.get(item["property"])} for item in listed["inputs"]]
        bodies.append(
            {
                "output": name,
                "outputs": outputs if name.startswith("..") else outputs[0],
                "inputs": inputs,
                "state": listed["state"],
                "changedPropIds": [f"{item['id']}.{item['property']}" for item in listed["inputs"]],
            }
        )
    return bodies


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything in a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, part in inner for place in _places(part, (*path, name)))]


def _damage(body: Any, chance: random.Random) -> Any:
    """The document with one place replaced, taken out, doubled or renamed."""
    path = chance.choice(_places(body))
    if not path:
        return chance.choice(VALUES)
    holder = body
    for name in path[:-1]:
        holder = holder[name]
    last, what = path[-1], chance.random()
    if what < 0.7:
        holder[last] = chance.choice(VALUES)
    elif what < 0.85:
        del holder[last]
    elif isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), holder[last])
    else:
        holder[chance.choice(["x", "id", "symbol", "\x00"])] = holder.pop(last)
    return body


def _bytes_of(body: Any, chance: random.Random) -> bytes:
    """A document's bytes, one time in ten cut, doubled or with a byte changed."""
    data = json.dumps(body).encode()
    what = chance.random()
    if what > 0.1 or not data:
        return data
    at = chance.randrange(len(data))
    if what < 0.03:
        return data[:at]
    if what < 0.06:
        return data + data
    return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]


def test_no_malformed_body_is_a_server_error(client: FlaskClient, figure: Record) -> None:
    chance, real, seen, worst = random.Random(20261125), real_bodies(client), Counter[int](), b""
    for number in range(COUNT):
        body: Any = json.loads(json.dumps(real[number % len(real)]))
        for _ in range(chance.randint(1, 3)):
            body = _damage(body, chance)
            if not isinstance(body, dict):
                break
        data = _bytes_of(body, chance)
        status = client.post(URL, data=data, content_type="application/json").status_code
        seen[status] += 1
        worst = data if status >= 500 else worst
    failed = sum(count for status, count in seen.items() if status >= 500)
    said = ", ".join(f"{count:,} x {status}" for status, count in sorted(seen.items()))
    measured = f"{failed} of {COUNT:,} ({said}) {worst[:400]!r}" if failed else f"0 of {COUNT:,} ({said})"
    figure(3, "malformed callback bodies", "0 answers of 500 or above", measured, failed == 0)
