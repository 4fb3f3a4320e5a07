"""Alerts over REST: everybody who may look reads, only the owner changes, and secrets and addresses stay with the owner."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.alerts.alert import Alert, Delivery
from app.alerts.ledger import Ledger
from app.api.alerts import bound
from app.api.context import context
from tests.webserver import StandInBroker, make_server

RULE = {"kind": "crossing", "symbol": "spx", "level": "flip"}
HOSTS = "http://127.0.0.1:1,hooks.example.com"


@pytest.fixture
def owner(tmp_path: Path) -> FlaskClient:
    server = make_server(tmp_path, StandInBroker(), access="public", alert_webhook_hosts=HOSTS)
    client = server.test_client()
    state = client.post("/login").headers["Location"].rpartition("state=")[2]
    client.get(f"/login/callback?code=c&state={state}")
    return client


@pytest.fixture
def viewer(owner: FlaskClient) -> FlaskClient:
    return owner.application.test_client()


def put(client: FlaskClient, rules: list[dict[str, Any]], revision: int = 0) -> Any:
    return client.put("/api/v1/alerts/rules", json={"revision": revision, "rules": rules})


def fire(client: FlaskClient, **changed: Any) -> Alert:
    usual = {
        "id": "a1",
        "at": datetime.now(UTC),
        "rule": "r",
        "kind": "crossing",
        "answer": "above",
        "symbol": "SPX",
        "text": "SPX rose.",
        "deliveries": [Delivery(hook="h", state="failed", detail="It answered 500.")],
    }
    alert = Alert(**(usual | changed))
    with client.application.app_context():
        Ledger(context().store, "schwab").write_fired([alert])
    return alert


def test_the_owner_writes_rules_and_everybody_reads_them(owner: FlaskClient, viewer: FlaskClient) -> None:
    made = put(owner, [RULE])
    assert made.status_code == 200
    [rule] = viewer.get("/api/v1/alerts/rules").get_json()["rules"]
    assert (rule["symbol"], rule["level"], bool(rule["id"])) == ("SPX", "flip", True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("put", "/rules", {"revision": 0, "rules": []}),
        ("post", "/acknowledged", {"ids": ["a1"]}),
        ("post", "/webhooks", {"url": "https://hooks.example.com/x"}),
        ("delete", "/webhooks/abc", None),
        ("post", "/webhooks/abc/test", None),
    ],
)
def test_a_viewer_changes_nothing(viewer: FlaskClient, method: str, path: str, body: Any) -> None:
    answer = getattr(viewer, method)(f"/api/v1/alerts{path}", json=body)
    assert answer.status_code == 401
    assert "Sign in" in answer.get_json()["cure"]


def test_a_change_of_old_rules_is_refused(owner: FlaskClient) -> None:
    assert put(owner, [RULE]).get_json()["revision"] == 1
    answer = put(owner, [], revision=0)
    assert answer.status_code == 409
    assert "meanwhile" in answer.get_json()["detail"]
    assert len(owner.get("/api/v1/alerts/rules").get_json()["rules"]) == 1
    assert put(owner, [], revision=204547041237008811819008).status_code == 409


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "crossing", "level": "moon"},
        {"kind": "move", "level": "flip", "by": -1},
        {"kind": "move", "level": "flip", "by": 101, "unit": "percent"},
        {"kind": "move", "level": "flip", "by": "NaN"},
        {"kind": "feed", "seconds": 0},
        {"kind": "crossing", "level": "flip", "symbol": "not a symbol"},
        {"kind": "crossing", "level": "flip", "id": "<script>"},
        {"kind": "none"},
        {},
    ],
)
def test_a_rule_that_means_nothing_is_refused_with_words(owner: FlaskClient, rule: dict[str, Any]) -> None:
    answer = put(owner, [rule])
    assert answer.status_code == 422
    assert answer.get_json()["detail"]


def test_how_alerts_were_sent_is_told_to_the_owner_alone(owner: FlaskClient, viewer: FlaskClient) -> None:
    fire(owner)
    assert owner.get("/api/v1/alerts").get_json()["alerts"][0]["deliveries"]
    assert viewer.get("/api/v1/alerts").get_json()["alerts"][0]["deliveries"] == []


def test_the_owner_acknowledges_for_everybody(owner: FlaskClient, viewer: FlaskClient) -> None:
    alert = fire(owner)
    answer = owner.post("/api/v1/alerts/acknowledged", json={"ids": [alert.id]})
    assert answer.get_json()["acknowledged"] == [alert.id]
    assert viewer.get("/api/v1/alerts").get_json()["acknowledged"] == [alert.id]


def test_who_has_the_news_is_told_so(viewer: FlaskClient) -> None:
    fire(viewer)
    first = viewer.get("/api/v1/alerts")
    again = viewer.get("/api/v1/alerts", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)


def test_a_webhook_shows_its_secret_once_and_to_nobody_else(
    owner: FlaskClient, viewer: FlaskClient, tmp_path: Path
) -> None:
    made = owner.post("/api/v1/alerts/webhooks", json={"url": "https://hooks.example.com/x"})
    assert made.status_code == 201
    secret = made.get_json()["secret"]
    assert secret.startswith("whsec_")
    listed = owner.get("/api/v1/alerts/rules")
    assert listed.get_json()["webhooks"] == [
        {"id": made.get_json()["id"], "url": "https://hooks.example.com/x", "enabled": True}
    ]
    assert secret not in listed.text
    assert "hooks.example.com" not in viewer.get("/api/v1/alerts/rules").text
    assert secret not in (tmp_path / "alerts-schwab").read_text()


def test_a_webhook_elsewhere_is_refused_with_the_setting_that_allows_it(owner: FlaskClient) -> None:
    answer = owner.post("/api/v1/alerts/webhooks", json={"url": "https://evil.example/x"})
    assert answer.status_code == 403
    assert "ALERT_WEBHOOK_HOSTS" in answer.get_json()["cure"]


def test_a_test_says_how_it_went_and_a_dropped_webhook_is_gone(owner: FlaskClient) -> None:
    made = owner.post("/api/v1/alerts/webhooks", json={"url": "http://127.0.0.1:1/x"}).get_json()
    tested = owner.post(f"/api/v1/alerts/webhooks/{made['id']}/test").get_json()
    assert tested == {
        "delivered": False,
        "status": 0,
        "detail": "The connection was refused, or there is no way there.",
    }
    assert owner.delete(f"/api/v1/alerts/webhooks/{made['id']}").status_code == 204
    assert owner.get("/api/v1/alerts/rules").get_json()["webhooks"] == []
    assert owner.post(f"/api/v1/alerts/webhooks/{made['id']}/test").status_code == 404


def test_changing_the_rules_keeps_the_webhooks(owner: FlaskClient) -> None:
    owner.post("/api/v1/alerts/webhooks", json={"url": "https://hooks.example.com/x"})
    revision = owner.get("/api/v1/alerts/rules").get_json()["revision"]
    assert len(put(owner, [RULE], revision).get_json()["webhooks"]) == 1
    with owner.application.app_context():
        assert len(bound().rules().hooks) == 1
