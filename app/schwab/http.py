"""What Schwab's HTTP answers mean: JSON read with care, error bodies turned into this project's errors."""

from __future__ import annotations

import json
import math
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson
import requests

from app.errors import AuthError, BrokerError, DataError, GexError, RateLimited, ResponseTooBig
from app.schwab.cures import named, trouble

_DEFAULT_RETRY_S = 5.0
_LONGEST_RETRY_S = 120.0


def decode_json(body: bytes | str) -> Any:
    """The document; bare NaN and Infinity, which Schwab's predecessor sent, are read too. Raises DataError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError("the answer is not JSON") from error


def is_html(response: requests.Response) -> bool:
    """Whether this is a page for people (the edge's "Access Denied"), never to be parsed as JSON."""
    kind = response.headers.get("Content-Type", "").lower()
    return "html" in kind or response.content[:64].lstrip().startswith(b"<")


def read_whole(response: requests.Response, within_s: float) -> None:
    """Read a streamed answer's body into its `content`.

    The timeouts of requests begin anew with every byte: a peer that trickles would hold the caller for hours. Raises
    requests.Timeout when the body isn't complete after `within_s`, and what else requests raises.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError, ValueError), socket.socket(fileno=os.dup(response.raw.fileno())) as peer:
            peer.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(within_s, cut)
    timer.daemon = True
    timer.start()
    failed: requests.RequestException | None = None
    try:
        response.content  # noqa: B018 - reading it is what it is for
    except requests.RequestException as error:
        failed = error
    finally:
        timer.cancel()
    if late.is_set():
        raise requests.Timeout("the answer trickles") from failed
    if failed is not None:
        raise failed


@contextmanager
def translated() -> Iterator[None]:
    """Errors of requests become BrokerError: they go no further than this package."""
    try:
        yield
    except requests.Timeout as error:
        raise trouble(BrokerError, "unreachable", "no answer in time") from error
    except requests.RequestException as error:
        raise trouble(BrokerError, "unreachable", type(error).__name__) from error


def read_document(response: requests.Response) -> Any:
    """The JSON of a successful answer. Raises the error that any other answer means."""
    if response.ok and not is_html(response):
        try:
            return decode_json(response.content)
        except DataError as error:
            raise trouble(BrokerError, "outage", str(error), status=response.status_code) from error
    raise problem_of(response)


def problem_of(response: requests.Response) -> GexError:
    """The error that an unsuccessful answer of the REST side means (schwab-protocol 2.2)."""
    status = response.status_code
    if status == 403 and is_html(response):
        return trouble(BrokerError, "edge_refused", status=status)
    document = _document_or_none(response)
    if status == 502 and _is_overflow(document):
        return trouble(ResponseTooBig, "too_big", status=status)
    if status == 429:
        return named(
            RateLimited(
                "Schwab says there were too many requests (429).", retry_after_s=retry_after(response)
            ),
            "rate_limited",
        )
    if status in (401, 403):
        return trouble(AuthError, "not_authorized", describe(document))
    detail = ", ".join(part for part in (f"status {status}", describe(document)) if part)
    if status >= 500 or response.ok:
        return trouble(BrokerError, "outage", detail, status=status)
    return BrokerError(f"Schwab refused the request: {detail}.", status=status)


def retry_after(response: requests.Response) -> float:
    """Seconds to wait after a 429; Schwab's own value where it sends one."""
    try:
        wait = float(response.headers.get("Retry-After", ""))
    except ValueError:
        return _DEFAULT_RETRY_S
    return _DEFAULT_RETRY_S if math.isnan(wait) else min(max(wait, 0.0), _LONGEST_RETRY_S)


def describe(document: Any) -> str:
    """The words of an error body: market data's `errors`, trader's `message`, the gateway's `fault`."""
    if not isinstance(document, dict):
        return ""
    errors = document.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    fault = document.get("fault")
    texts = [
        *(first.get(key) for key in ("title", "detail") if isinstance(first, dict)),
        first if isinstance(first, str) else None,
        document.get("message"),
        fault.get("faultstring") if isinstance(fault, dict) else None,
    ]
    return ": ".join(text[:200] for text in texts if isinstance(text, str) and text)


def _document_or_none(response: requests.Response) -> Any:
    if is_html(response):
        return None
    try:
        return decode_json(response.content)
    except DataError:
        return None


def _is_overflow(document: Any) -> bool:
    fault = document.get("fault") if isinstance(document, dict) else None
    if not isinstance(fault, dict):
        return False
    detail = fault.get("detail")
    code = detail.get("errorcode") if isinstance(detail, dict) else ""
    return "TooBigBody" in str(code) or "overflow" in str(fault.get("faultstring", "")).lower()
