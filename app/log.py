"""Structured logs on stderr, with every secret taken out before a line leaves the process."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

REDACTED = "[redacted]"

# What a token, a code or a key looks like on Schwab's wire, or a webhook's secret, wherever it turns up.
_PATTERNS = [
    re.compile(
        r"((?:access_token|refresh_token|id_token|client_secret|app_secret|code|Authorization|password|cookie)"
        r"[\"']?\s*[:=]\s*[\"']?(?:Bearer |Basic )?)([^\s\"'&,}]+)",
        re.IGNORECASE,
    ),
    re.compile(r"((?:Bearer|Basic)\s+)([A-Za-z0-9._~+/=@-]{8,})"),
    re.compile(r"()(\b(?:gexs?|whsec)_[A-Za-z0-9+/=_-]{16,})"),  # our own keys, links and webhooks' secrets
    re.compile(r"()(\b(?:I0|C0)\.[A-Za-z0-9+/=_-]{8,}(?:\.[A-Za-z0-9_-]+)?(?:@|%40)?)"),
    re.compile(r"()(\bwhsec_[A-Za-z0-9+/=_-]{8,})"),
]
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message",
    "asctime",
}


class Redactor:
    """Takes secrets out of text: those it was told of, and whatever looks like one."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def learn(self, *secrets: str) -> None:
        """Remember values that must never be printed; short ones are ignored."""
        self._known.update(secret for secret in secrets if len(secret) >= 6)

    def __call__(self, text: str) -> str:
        for secret in self._known:
            text = text.replace(secret, REDACTED)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\1{REDACTED}", text)
        return text


redact = Redactor()


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = _fields(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return redact(orjson.dumps(line, default=str).decode())


class TextFormatter(logging.Formatter):
    """The same for people: time, level, logger, message, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        line = _fields(record)
        head = f"{line.pop('time')} {line.pop('level'):<7} {line.pop('logger')}: {line.pop('message')}"
        extra = "".join(f" {key}={value}" for key, value in line.items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return redact(head + extra + trace)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return {
        "time": at,
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": record.getMessage(),
        **extra,
    }


def configure(level: str = "INFO", style: str = "text", secrets: Iterable[str] = ()) -> None:
    """Send every log to stderr in one style ("text" or "json"), redacted. Safe to call again."""
    redact.learn(*secrets)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in (
        "urllib3",
        "requests_oauthlib",
        "oauthlib",
        "websocket",
        "werkzeug",
        "aiohttp.access",
        "numba",
    ):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
