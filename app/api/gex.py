"""GET /gex/{symbol}: the document of `python -m app gex`, live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from app.api.context import Context, context
from app.api.problems import ApiError
from app.api.query import DocumentQuery, GexQuery, SymbolPath
from app.api.respond import Body, versioned
from app.cache.results import Result
from app.document import to_document
from app.models import GEXCalculation

TAG = Tag(
    name="gamma exposure", description="Recomputed from the cached chain, once per version and convention."
)

api = APIBlueprint("gex", __name__, url_prefix="/api/v1/gex", abp_tags=[TAG])


@api.get("/<symbol>", responses={200: GEXCalculation}, operation_id="get_gex")
def document(path: SymbolPath, query: DocumentQuery) -> Response:
    """Gamma exposure with its levels, by strike and by expiry, and the profile.

    Levels that don't exist or can't be known are null. With detail=levels, strikes, expiries and profile are empty.
    """
    found = _result(context(), path.symbol, query)

    def build() -> Body:
        whole = to_document(found.snapshot)
        return Body((whole if query.detail == "full" else _levels_only(whole)).json_bytes())

    return _answer(found, query.detail, build)


def _levels_only(whole: GEXCalculation) -> GEXCalculation:
    empty: dict[str, Any] = {
        "strikes": [],
        "expiries": [],
        "profile": whole.profile.model_copy(update={"spot": [], "gex": []}),
    }
    return whole.model_copy(update=empty)


def _result(bound: Context, symbol: str, query: GexQuery) -> Result:
    bound.require(symbol)
    params = query.params()
    found = bound.results.get(symbol, params)
    if found is None:
        raise bound.no_data(symbol)
    _require_expiries(found, query)
    return found


def _require_expiries(found: Result, query: GexQuery) -> None:
    """Refuse dates that the chain doesn't have: an empty sum would look like an answer."""
    known = {day.expiry for day in found.snapshot.expiries}
    missing = [day.isoformat() for day in query.params().expiries if day not in known]
    if missing:
        raise ApiError(
            422,
            f"expiries: {found.snapshot.symbol} has no contracts on {', '.join(missing)}.",
            cure="GET /api/v1/gex/{symbol}?expiries=all lists the expiries.",
        )


def _answer(found: Result, part: str, build: Callable[[], Body]) -> Response:
    tag = found.etag.strip('"')
    return versioned(f"{tag}.{part}", build, _provenance(found))


def _provenance(found: Result) -> dict[str, str]:
    """Which version of the chain this is, and whether the cache could be read for it."""
    version = found.loaded.version
    headers = {
        "X-Chain-Version": f"{version.epoch}.{version.number}",
        "X-Chain-Published-Ms": str(version.published_ms),
    }
    if found.loaded.stale:
        headers["X-Chain-Stale"] = "the cache can't be read; this is the last copy"
    return headers
