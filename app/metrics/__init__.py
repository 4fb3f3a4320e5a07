"""Prometheus: what this server counts itself, for all its workers together, and GET /metrics.

Import it after app.hosting has prepared the environment: prometheus_client looks for PROMETHEUS_MULTIPROC_DIR once.
"""

from __future__ import annotations

import os
import time
from functools import cache

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from app.cache.results import Results
from app.metrics.state import State
from app.watchlist import Watchlist

_SEVERAL_PROCESSES = "PROMETHEUS_MULTIPROC_DIR" in os.environ  # as prometheus_client has just seen it
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

REQUESTS = Counter("gex_http_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram("gex_http_request_seconds", "Time to an answer's headers", ["route"], buckets=_SECONDS)
COMPUTED = Histogram(
    "gex_engine_seconds",
    "Time of one computation: fit (surface) or expose (sums)",
    ["stage"],
    buckets=_SECONDS,
)
STREAMS = Gauge("gex_streams_open", "Open event streams of levels", multiprocess_mode="livesum")

metrics_blueprint = Blueprint("metrics", __name__)


def install(server: Flask, results: Results, watchlist: Watchlist) -> None:
    """Count from here on: call it before anything else adds request hooks, so that refusals are counted too."""
    results.observe = lambda stage, seconds: COMPUTED.labels(stage).observe(seconds)
    server.before_request(_begin)
    server.after_request(_count)
    server.extensions["gex-metrics"] = State(results, watchlist)
    server.register_blueprint(metrics_blueprint)


@metrics_blueprint.get("/metrics")
def metrics() -> Response:
    """All workers' counters, and the feed and the cache as they are now."""
    registry = CollectorRegistry()
    if _SEVERAL_PROCESSES:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)
    registry.register(current_app.extensions["gex-metrics"])
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    response = Response(encode(registry), content_type=kind)
    response.headers["Cache-Control"] = "no-store"
    return response


def _begin() -> None:
    g.began = time.perf_counter()


def _count(response: Response) -> Response:
    # the rule, not the path: strangers make up paths, and each would be a series of its own
    route = request.url_rule.rule if request.url_rule is not None else "none"
    method = request.method if request.method in _METHODS else "other"
    count(route, method, response.status_code, time.perf_counter() - g.get("began", time.perf_counter()))
    return response


def count(route: str, method: str, status: int, seconds: float) -> None:
    """One answered request."""
    answered, taken = _series(route, method, status)
    answered.inc()
    taken.observe(seconds)


@cache
def _series(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    """As many as there are rules, methods and statuses."""
    return REQUESTS.labels(route, method, str(status)), SECONDS.labels(route)
