"""Health, the connection to Schwab, and the cache."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import Field

from app import __version__
from app.access import visitor as door
from app.api.context import RETRY_S, Context, context
from app.api.problems import ApiError
from app.api.query import NoQuery
from app.api.respond import fresh
from app.errors import CacheError
from app.models import CacheStats, Model, SchwabConnection

TAG = Tag(name="status", description="Whether the product works, part by part.")

api = APIBlueprint("status", __name__, url_prefix="/api/v1", abp_tags=[TAG])

HEARTBEAT_LIMIT_S = 15.0


class Part(Model):
    """One part's state."""

    ok: bool
    detail: str = Field("", description="What is missing, when something is")


class Live(Model):
    """The process answers."""

    status: str = "live"
    version: str = __version__
    uptime_s: float


class Ready(Model):
    """Whether every part works, and which one doesn't."""

    ready: bool
    missing: list[str] = Field(description="The parts that aren't ready")
    parts: dict[str, Part] = Field(description="cache, feed, and chain:SYMBOL for each followed symbol")


class Health(Ready):
    """Version, uptime and each part's state."""

    version: str = __version__
    uptime_s: float


@api.get("/health/live", responses={200: Live}, operation_id="get_live")
def live() -> Response:
    """Liveness: this process answers. It asks nothing of Redis or Schwab."""
    return fresh(Live(uptime_s=_uptime(context())))


@api.get("/health/ready", responses={200: Ready, 503: Ready}, operation_id="get_ready")
def ready() -> Response:
    """Readiness: 200 when cache, feed and every followed chain are there, however old, else 503 with what is missing."""
    parts = _told(context(), _parts(context()))
    missing = _missing(parts)
    if missing:
        waiting = {"Retry-After": str(RETRY_S)}
        return fresh(Ready(ready=False, missing=missing, parts=parts), status=503, headers=waiting)
    return fresh(Ready(ready=True, missing=[], parts=parts))


@api.get("/health", responses={200: Health}, operation_id="get_health")
def health() -> Response:
    """Version, uptime and each part's state; always 200."""
    parts = _parts(context())
    missing = _missing(parts)
    return fresh(Health(ready=not missing, missing=missing, parts=parts, uptime_s=_uptime(context())))


@api.get("/connection/status", responses={200: SchwabConnection}, operation_id="get_connection_status")
def connection_status(query: NoQuery) -> Response:  # noqa: ARG001 - refuses parameters
    """The feed's own account: state, reconnects, last frame, coverage, the login's life left. Never a token."""
    found = context().results.connection()
    if found is None:
        raise ApiError(
            503,
            "No feed has reported yet.",
            cure="Start one (FEED_MODE, or python -m app feed), or look at its log.",
            retry_after_s=RETRY_S,
        )
    return fresh(found)


@api.get("/cache/stats", responses={200: CacheStats}, operation_id="get_cache_stats")
def cache_stats(query: NoQuery) -> Response:  # noqa: ARG001 - refuses parameters
    """The cache: backend, memory, hits and misses, and each chain's version and age."""
    return fresh(context().results.stats())


def _told(bound: Context, parts: dict[str, Part]) -> dict[str, Part]:
    """The parts; on a private server strangers hear only whether cache, feed and chains are there."""
    if bound.settings.is_public or not _is_stranger():
        return parts
    kinds: dict[str, bool] = {}
    for name, part in parts.items():
        kind = name.partition(":")[0]
        kinds[kind] = kinds.get(kind, True) and part.ok
    return {kind: Part(ok=ok) for kind, ok in kinds.items()}


def _is_stranger() -> bool:
    try:
        return door.visitor().kind not in ("owner", "key")
    except CacheError:
        return True


def _uptime(bound: Context) -> float:
    return round(time.monotonic() - bound.started_at, 3)


def _missing(parts: dict[str, Part]) -> list[str]:
    return [name for name, part in parts.items() if not part.ok]


def _parts(bound: Context) -> dict[str, Part]:
    if not bound.store.ping():
        lost = Part(ok=False, detail="The cache doesn't answer.")
        unknown = Part(ok=False, detail="Unknown while the cache doesn't answer.")
        chains = {f"chain:{symbol}": unknown for symbol in bound.watchlist.symbols()}
        return {"cache": lost, "feed": unknown, **chains}
    chains = {f"chain:{symbol}": _chain_part(bound, symbol) for symbol in bound.watchlist.symbols()}
    return {"cache": Part(ok=True), "feed": _feed_part(bound), **chains}


def _chain_part(bound: Context, symbol: str) -> Part:
    try:
        version = bound.store.version(symbol)
    except CacheError as error:
        return Part(ok=False, detail=str(error))
    return Part(ok=True) if version else Part(ok=False, detail="No chain has been published yet.")


def _feed_part(bound: Context) -> Part:
    try:
        connection = bound.results.connection()
    except CacheError as error:
        return Part(ok=False, detail=str(error))
    if connection is None:
        return Part(ok=False, detail="No feed has reported yet.")
    silent_s = _silence_s(connection)
    if silent_s is None or silent_s > HEARTBEAT_LIMIT_S:
        said = "never" if silent_s is None else f"{silent_s:.0f} s ago"
        return Part(ok=False, detail=f"The feed's last heartbeat: {said}.")
    if connection.state != "live":
        said = f": {connection.problem.message}" if connection.problem else ""
        return Part(ok=False, detail=f"{connection.state.replace('_', ' ')}{said}")
    return Part(ok=True)


def _silence_s(connection: SchwabConnection) -> float | None:
    if connection.heartbeat_at is None:
        return None
    return (datetime.now(UTC) - connection.heartbeat_at).total_seconds()
