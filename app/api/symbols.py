"""What is followed: listed for everybody who may look, changed by the owner."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, field_validator

from app.access import visitor as door
from app.api.context import Context, context
from app.api.market import TAG
from app.api.problems import ApiError
from app.api.query import SYMBOL_PATTERN, NoQuery, SymbolPath, read_symbol
from app.api.respond import fresh
from app.errors import FollowRefused
from app.models import Model

api = APIBlueprint("symbols", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class Followed(Model):
    """One underlying that is followed."""

    symbol: str
    version: int | None = Field(description="Publications so far; null before the first")
    published_at: datetime | None
    age_s: float | None = Field(description="Seconds since publication")


class Symbols(Model):
    """What is followed."""

    symbols: list[Followed]


class FollowBody(BaseModel):
    """Which underlying to follow."""

    model_config = ConfigDict(extra="forbid", strict=True)

    symbol: str = Field(
        description="As in paths: SPX, spx and $SPX are one",
        max_length=24,
        json_schema_extra={"example": "AAPL", "pattern": f"^{SYMBOL_PATTERN}$"},
    )

    _canonical = field_validator("symbol")(read_symbol)


@api.get("/symbols", responses={200: Symbols}, operation_id="get_symbols")
def symbols(query: NoQuery) -> Response:  # noqa: ARG001 - refuses parameters
    """The underlyings that are followed, with the age of each chain."""
    bound = context()
    return fresh(Symbols(symbols=[_followed(bound, name) for name in door.among(bound.followed())]))


@api.post("/symbols", responses={200: Followed, 201: Followed}, operation_id="follow_symbol")
def follow(body: FollowBody) -> Response:
    """Follow one more underlying while running: 201, or 200 when it is followed already.

    The feed begins within a second or two. An underlying that the broker doesn't know is told by GET /connection/status,
    as its problem, until it is dropped.
    """
    door.require_manage()
    bound = context()
    try:
        added = bound.watchlist.follow(body.symbol)
    except FollowRefused as error:
        raise ApiError(409, str(error), cure=error.cure) from error
    where = f"/api/v1/gex/{quote(body.symbol.replace('/', '.'))}"
    return fresh(_followed(bound, body.symbol), 201 if added else 200, {"Location": where} if added else {})


@api.delete("/symbols/<symbol>", responses={204: None}, operation_id="drop_symbol")
def drop(path: SymbolPath) -> Response:
    """Follow an underlying no longer. Its chain leaves the cache; what was recorded of it stays."""
    door.require_manage()
    bound = context()
    try:
        dropped = bound.watchlist.drop(path.symbol)
    except FollowRefused as error:
        raise ApiError(409, str(error), cure=error.cure) from error
    if not dropped:
        raise bound.unknown(path.symbol)
    return Response(status=204, headers={"Cache-Control": "no-store"})


def _followed(bound: Context, symbol: str) -> Followed:
    version = bound.store.version(symbol)
    return Followed(
        symbol=symbol,
        version=version.number if version else None,
        published_at=datetime.fromtimestamp(version.published_ms / 1000, UTC) if version else None,
        age_s=round(version.age_s(), 3) if version else None,
    )
