"""What MDN's Observatory would say of every route, over https."""

from collections import Counter
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from app.api.context import context
from tests.chains import synthetic
from tests.security.conftest import Record
from tests.security.observatory import score, total
from tests.security.people import share
from tests.security.test_routes import VALUES
from tests.webserver import StandInBroker, make_server

HOST = "https://gex.example.com"
AIM = 130


def _routes(client: FlaskClient) -> list[str]:
    """Every address that a browser can open, with more than the rules' examples for what is answered in several ways."""
    adapter = client.application.url_map.bind("gex.example.com")
    rules = [rule for rule in client.application.url_map.iter_rules() if "GET" in (rule.methods or set())]
    built = [adapter.build(rule.endpoint, {name: VALUES[name] for name in rule.arguments}) for rule in rules]
    streams = [url for url in built if url.endswith("/stream")]
    more = [
        "/gex/SPX",
        "/assets/page.css",
        "/login/static/access.css",
        "/api/v1/gex/SPX",
        "/api/v1/none",
        "/nowhere",
        "/gex/<b>",
    ]
    return sorted({*built, *more} - set(streams))


def _owner(tmp_path: Path) -> FlaskClient:
    server = make_server(tmp_path, StandInBroker(), public_url=HOST, symbols="SPX,SPY")
    with server.app_context():
        context().store.publish(synthetic()[0], 1)
    client: Any = server.test_client()
    began = client.post("/login", base_url=HOST).headers["Location"].rpartition("state=")[2]
    client.get(f"/login/callback?code=c&state={began}", base_url=HOST)
    return client  # type: ignore[no-any-return]


def test_every_route_scores_what_a_page_without_cookies_can(tmp_path: Path, figure: Record) -> None:
    client = _owner(tmp_path)
    scores: dict[str, tuple[int, dict[str, int]]] = {}
    for who, browser in (("owner", client), ("stranger", client.application.test_client())):
        for url in [*_routes(client), *([share(client, base_url=HOST)] if who == "stranger" else [])]:
            with browser.get(url, base_url=HOST, headers={"Accept": "text/html"}) as answer:
                points = score(answer)
            scores[f"{who} {url}"] = total(points.values()), points
    low = {name: points for name, (sum_, points) in scores.items() if sum_ < AIM}
    spread = Counter(sum_ for sum_, _ in scores.values())
    said = f"{len(scores)} answers: " + ", ".join(
        f"{count} score {sum_}" for sum_, count in sorted(spread.items())
    )
    measured = f"{said}; missing: HSTS preload list 5, a cookie to judge 5, hashes of own scripts 5 {low or ''}".strip()
    figure(4, "Observatory score of every route", f"{AIM} or more", measured, not low and len(scores) > 80)
