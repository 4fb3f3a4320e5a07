"""Compression of answers, and how long browsers may keep files."""

from __future__ import annotations

import threading
from collections import OrderedDict

from flask import Flask, Request, Response, request
from flask_compress import Compress

_FILES = ["_dash_assets.static", "access.static", "api_docs.static", "api_swagger.static"]
# What never changes under one address: packed once, not per request.
_FIXED = "/_dash-component-suites/"
_MOST_PACKED = 128


class _Packed:
    """Keeps the packed form of what never changes; everything else is packed as it is sent.

    Bounded: Dash serves one file under any fingerprint, so a stranger can ask for it under a million addresses.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            return self._kept.get(key)

    def set(self, key: str, value: bytes) -> None:
        if not key.partition(";")[2]:
            return
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_PACKED:
                self._kept.popitem(last=False)


def _fixed_path(request: Request) -> str:
    return request.path if request.path.startswith(_FIXED) else ""


def install(server: Flask) -> None:
    """Pack what the server sends, and let browsers keep what its address dates."""
    server.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_ALGORITHM_STREAMING=["br", "gzip"],
        COMPRESS_BR_LEVEL=3,  # above 4 it costs more than the network saves
        COMPRESS_LEVEL=4,
        COMPRESS_CACHE_BACKEND=_Packed,
        COMPRESS_CACHE_KEY=_fixed_path,
        COMPRESS_STREAMING_ENDPOINT_CONDITIONAL=_FILES,  # else a packed file is never "not modified"
    )
    Compress(server)
    server.after_request(_keep_versioned_assets)


def _keep_versioned_assets(response: Response) -> Response:
    """Let browsers keep an asset whose address names its version (Dash adds the file's time as `m`)."""
    if request.endpoint == _FILES[0] and "m" in request.args and response.status_code in (200, 304):
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return response
