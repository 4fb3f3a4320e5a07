"""Alerts on the page: the bell, the list and its editor, and what a tab is told. assets/alerts*.js fill them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

import orjson
from dash import html

from app.alerts.alert import Alert
from components.attributes import attributes

_TOLD = 30


def told(alerts: Sequence[Alert], acked: Collection[str]) -> dict[str, Any]:
    """What a tab is told of the last alerts, newest first. Its `id` changes with any of it."""
    fired = [_told(alert, alert.id in acked) for alert in alerts[:_TOLD]]
    return {"id": hashlib.blake2b(orjson.dumps(fired), digest_size=6).hexdigest(), "fired": fired}


def _told(alert: Alert, acked: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": alert.id,
        "at": round(alert.at.timestamp() * 1000),
        "kind": alert.kind,
        "answer": alert.answer,
        "text": alert.text,
    }
    if alert.symbol:
        said |= {"symbol": alert.symbol, "level": alert.level or "net_gex"}
    return said | {"acked": True} if acked else said


def bell() -> html.Button:
    """Opens the list; says how many alerts nobody has acknowledged."""
    return html.Button(
        [
            html.Span("Alerts", className="word"),
            html.Span(id="alerts-count", className="count", hidden=True),
        ],
        id="alerts-open",
        className="bell",
        title="Alerts (A)",
    )


def toasts() -> html.Div:
    """Where an alert appears when it fires."""
    return html.Div(id="toasts", role="status", **attributes({"aria-live": "polite"}))


def panel(manages: bool) -> html.Dialog:
    """The list of alerts, the rules and the webhooks.

    Args:
        manages: whether this reader may change them; the server asks again with every change.
    """
    return html.Dialog(
        [
            html.Button("Close", id="alerts-close", className="chip"),
            html.H2("Alerts"),
            html.Div(id="alerts-notify", className="row"),
            html.Div(id="alerts-fired"),
            html.H2("Rules"),
            html.P(_HOW, className="hint"),
            html.Div(id="alerts-rules"),
            html.Div(id="alerts-hooks"),
        ],
        id="alerts",
        **attributes({"aria-label": "Alerts", "data-manages": "yes" if manages else "no"}),
    )


_HOW = (
    "The feed checks the rules once a second, whoever is watching, on the default choice: all expiries, open interest, "
    "dealers long calls and short puts. Levels are checked while the market is open and the chain is whole and fresh."
)
