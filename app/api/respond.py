"""JSON answers: never NaN, and for what a chain's version determines an ETag, a 304, and bytes that are kept."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from flask import Response, request
from werkzeug.http import quote_etag

from app.models import Model

JSON = "application/json"
_KEPT_BYTES = 32 * 1024 * 1024
_WORTH_PACKING = 500


@dataclass(frozen=True)
class Body:
    """A response body, as it is and packed."""

    plain: bytes
    mimetype: str = JSON

    @cached_property
    def packed(self) -> bytes:
        """gzip at level 4: two thirds of the gain of level 9 for a fifth of its time."""
        return gzip.compress(self.plain, 4, mtime=0)


class Bodies:
    """The latest bodies, by ETag, so that a hundred clients of one version cost one rendering. Thread-safe."""

    def __init__(self, limit_bytes: int = _KEPT_BYTES) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[str, Body] = OrderedDict()
        self._building: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, build: Callable[[], Body]) -> Body:
        """The body of that key, built once however many ask at the same time."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            gate = self._building.setdefault(key, threading.Lock())
        try:
            with gate:
                return self.find(key) or self._keep(key, build())
        finally:
            with self._lock:
                self._building.pop(key, None)

    def find(self, key: str) -> Body | None:
        """The body of that key, if it is kept."""
        with self._lock:
            return self._kept.get(key)

    def _keep(self, key: str, body: Body) -> Body:
        with self._lock:
            self._kept[key] = body
            while sum(len(kept.plain) for kept in self._kept.values()) > self._limit:
                self._kept.popitem(last=False)
        return body


bodies = Bodies()


def fresh(model: Model, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A document of this instant: never to be cached."""
    response = Response(model.json_bytes(), status=status, mimetype=JSON)
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    return response


def unchanged(tag: str) -> bool:
    """Whether the client already has the version of this tag (If-None-Match)."""
    return request.if_none_match.contains_weak(tag)


def versioned(tag: str, build: Callable[[], Body], headers: dict[str, str] | None = None) -> Response:
    """A document that changes only with its tag: 304 when the client has it, else the kept bytes."""
    response = Response(status=304) if unchanged(tag) else full(bodies.get(tag, build))
    response.headers.update(labels(tag) | (headers or {}))
    return response


def labels(tag: str) -> dict[str, str]:
    """The headers of a versioned document."""
    return {
        "ETag": quote_etag(tag, weak=True),  # weak: the same version is sent plain or packed
        "Cache-Control": "private, no-cache",
        "Vary": "Accept, Accept-Encoding, Cookie",
    }


def full(body: Body) -> Response:
    """A body, packed for who takes it."""
    if len(body.plain) < _WORTH_PACKING or not request.accept_encodings.quality("gzip"):
        return Response(body.plain, mimetype=body.mimetype)
    response = Response(body.packed, mimetype=body.mimetype)
    response.headers["Content-Encoding"] = "gzip"
    return response
