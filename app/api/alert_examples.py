"""One example per resource of alerts, for app.api.examples."""

from __future__ import annotations

from typing import Any

_ALERT = {
    "id": "9f0c31ab77de4a10",
    "at": "2026-11-20T18:42:07Z",
    "rule": "5be1a9c0",
    "kind": "crossing",
    "answer": "below",
    "symbol": "SPX",
    "level": "flip",
    "text": "SPX fell below the gamma flip 6,685.20: spot 6,681.75.",
    "simulated": False,
    "delayed": False,
    "before": 6685.1,
    "after": 6685.2,
    "spot": 6681.75,
    "deliveries": [
        {
            "hook": "1c44f2aa",
            "state": "delivered",
            "attempts": 1,
            "at": "2026-11-20T18:42:07.400000Z",
            "detail": "It answered 204.",
        }
    ],
}
_FIRED = {"alerts": [_ALERT], "acknowledged": []}
_RULE = {
    "id": "5be1a9c0",
    "enabled": True,
    "webhook": True,
    "cooldown_s": 300,
    "symbol": "SPX",
    "kind": "crossing",
    "level": "flip",
    "direction": "either",
    "margin_percent": 0.05,
}
_HOOK = {"id": "1c44f2aa", "url": "https://hooks.example.com/gex", "enabled": True}
_RULES = {"revision": 4, "rules": [_RULE], "webhooks": [_HOOK], "webhook_hosts": "hooks.example.com"}

ALERT_EXAMPLES: dict[str, Any] = {
    "GET /api/v1/alerts": _FIRED,
    "POST /api/v1/alerts/acknowledged": {**_FIRED, "acknowledged": [_ALERT["id"]]},
    "GET /api/v1/alerts/rules": _RULES,
    "PUT /api/v1/alerts/rules": _RULES,
    "POST /api/v1/alerts/webhooks": {**_HOOK, "secret": "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw"},
    "POST /api/v1/alerts/webhooks/{id}/test": {
        "delivered": True,
        "status": 204,
        "detail": "It answered 204.",
    },
}
