"""Alerts: what fired, for everybody who may look; rules and webhooks, for the owner to change."""

from __future__ import annotations

import hashlib
from typing import cast

from flask import Response, current_app
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, ConfigDict, Field, StrictInt

from app.access import visitor as door
from app.alerts.alert import Alert
from app.alerts.hosts import HostRefused
from app.alerts.rules import MOST_RULES, Hook, HookUnknown, Rule, RulesChanged, RuleSet, RulesRefused
from app.alerts.service import Alerts
from app.api.problems import ApiError, respond
from app.api.query import NoQuery
from app.api.respond import Body, fresh, versioned
from app.models import Model

TAG = Tag(name="alerts", description="Rules on levels and on the feed, and what fired.")
_EXTENSION = "gex-alerts"

api = APIBlueprint("alerts", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class Fired(Model):
    """The last alerts."""

    alerts: list[Alert] = Field(description="Newest first; how they were sent is told to the owner alone")
    acknowledged: list[str] = Field(description="Ids of those that were acknowledged")


class HookShown(Model):
    """A webhook, without its secret."""

    id: str
    url: str
    enabled: bool


class Rules(Model):
    """The rules, and the webhooks where the owner asks."""

    revision: int = Field(description="Send it back with a change")
    rules: list[Rule]
    webhooks: list[HookShown] = Field(default_factory=list, description="For the owner alone")
    webhook_hosts: str = Field(
        "", description='Where webhooks may go, "none" where nowhere; empty for who isn\'t the owner'
    )


class RulesBody(BaseModel):
    """All rules as they shall be."""

    model_config = ConfigDict(extra="forbid")

    revision: StrictInt = Field(
        description="Of the rules that were changed", json_schema_extra={"example": 3}
    )
    rules: list[Rule] = Field(
        max_length=MOST_RULES,
        json_schema_extra={"example": [{"kind": "crossing", "symbol": "SPX", "level": "flip"}]},
    )


class AcknowledgeBody(BaseModel):
    """Which alerts to acknowledge."""

    model_config = ConfigDict(extra="forbid")

    ids: list[str] = Field(max_length=500, json_schema_extra={"example": ["9f0c31ab77de4a10"]})


class HookBody(BaseModel):
    """A new webhook."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(max_length=500, json_schema_extra={"example": "https://hooks.example.com/gex"})


class HookMade(HookShown):
    """A new webhook with its secret."""

    secret: str = Field(description="Signs what is sent (Standard Webhooks). Shown only now", repr=False)


class HookTested(Model):
    """How a test went."""

    delivered: bool
    status: int = Field(description="The HTTP status, 0 where there was no answer")
    detail: str


class HookPath(BaseModel):
    """Which webhook."""

    id: str = Field(pattern=r"^[a-z0-9]{1,16}$")


def install(server: OpenAPI, alerts: Alerts) -> None:
    """Add the resources to a server."""
    server.extensions[_EXTENSION] = alerts
    server.register_error_handler(RulesRefused, _refused)
    server.register_api(api)


def bound() -> Alerts:
    """The alerts of the server that handles the current request."""
    return cast(Alerts, current_app.extensions[_EXTENSION])


@api.get("/alerts", responses={200: Fired}, operation_id="get_alerts")
def fired(query: NoQuery) -> Response:  # noqa: ARG001 - refuses parameters
    """What fired last. Send the ETag back to be told only of news."""
    return _fired()


def _fired() -> Response:
    asking = door.visitor()
    recent = bound().recent().of(asking.shared)
    alerts = [alert if asking.manages else _without_deliveries(alert) for alert in recent.alerts]
    said = Fired(alerts=alerts, acknowledged=[alert.id for alert in alerts if alert.id in recent.acked])
    body = said.json_bytes()
    return versioned(hashlib.blake2b(body, digest_size=9).hexdigest(), lambda: Body(body))


@api.post("/alerts/acknowledged", responses={200: Fired}, operation_id="acknowledge_alerts")
def acknowledge(body: AcknowledgeBody) -> Response:
    """Acknowledge alerts, for every browser."""
    door.require_manage()
    bound().acknowledge(body.ids)
    return _fired()


@api.get("/alerts/rules", responses={200: Rules}, operation_id="get_alert_rules")
def rules(query: NoQuery) -> Response:  # noqa: ARG001 - refuses parameters
    """The rules. Webhooks are told to the owner alone."""
    if door.visitor().shared is not None:
        raise ApiError(403, "A shared view has no alert rules.")
    return fresh(_shown(bound().rules()))


@api.put("/alerts/rules", responses={200: Rules}, operation_id="put_alert_rules")
def put_rules(body: RulesBody) -> Response:
    """Replace all rules. 409 when they were changed since that revision."""
    door.require_manage()
    return fresh(_shown(bound().replace_rules(body.rules, body.revision)))


@api.post("/alerts/webhooks", responses={201: HookMade}, operation_id="add_webhook")
def add_hook(body: HookBody) -> Response:
    """Make a webhook to a host that ALERT_WEBHOOK_HOSTS names. Its secret is shown only now."""
    door.require_manage()
    hook, secret = bound().add_hook(body.url)
    return fresh(HookMade(id=hook.id, url=hook.url, enabled=hook.enabled, secret=secret), 201)


@api.delete("/alerts/webhooks/<id>", responses={204: None}, operation_id="drop_webhook")
def drop_hook(path: HookPath) -> Response:
    """Delete a webhook."""
    door.require_manage()
    bound().drop_hook(path.id)
    return Response(status=204, headers={"Cache-Control": "no-store"})


@api.post("/alerts/webhooks/<id>/test", responses={200: HookTested}, operation_id="test_webhook")
def test_hook(path: HookPath) -> Response:
    """Send a test to a webhook, once, and say how it went."""
    door.require_manage()
    answer = bound().test_hook(path.id)
    return fresh(HookTested(delivered=answer.delivered, status=answer.status, detail=answer.detail))


def _shown(rules: RuleSet) -> Rules:
    if not door.visitor().manages:
        return Rules(revision=rules.revision, rules=rules.rules)
    return Rules(
        revision=rules.revision,
        rules=rules.rules,
        webhooks=[_hook(hook) for hook in rules.hooks],
        webhook_hosts=bound().allowed.words(),
    )


def _hook(hook: Hook) -> HookShown:
    return HookShown(id=hook.id, url=hook.url, enabled=hook.enabled)


def _without_deliveries(alert: Alert) -> Alert:
    return alert.model_copy(update={"deliveries": []})


def _refused(error: RulesRefused) -> Response:
    known = {RulesChanged: 409, HostRefused: 403, HookUnknown: 404}
    status = next((status for kind, status in known.items() if isinstance(error, kind)), 422)
    return respond(ApiError(status, str(error), cure=error.cure))
