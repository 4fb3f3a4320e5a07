"""GET /gex/{symbol}: the document of `python -m app gex`, live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from app.api.context import context
from app.api.past import Recorded, recorded
from app.api.problems import ApiError
from app.api.query import DocumentQuery, GexQuery, PastQuery, SymbolPath
from app.api.respond import Body, labels, versioned
from app.cache.base import Loaded
from app.cache.results import Result
from app.document import to_document
from app.models import GEXCalculation

TAG = Tag(
    name="gamma exposure", description="Recomputed from the cached chain, once per version and convention."
)

_QUOTE = '"'
_LAST_COPY = "the cache can't be read; this is the last copy"

api = APIBlueprint("gex", __name__, url_prefix="/api/v1/gex", abp_tags=[TAG])


@api.get("/<symbol>", responses={200: GEXCalculation}, operation_id="get_gex")
def document(path: SymbolPath, query: DocumentQuery) -> Response:
    """Gamma exposure with its levels, by strike and by expiry, and the profile.

    Levels that don't exist or can't be known are null. With detail=levels, strikes, expiries and profile are empty.
    """
    found = now_or_then(path.symbol, query)

    def build() -> Body:
        whole = whole_of(found)
        return Body((whole if query.detail == "full" else _levels_only(whole)).json_bytes())

    return answer(found, query.detail, build)


def _levels_only(whole: GEXCalculation) -> GEXCalculation:
    empty: dict[str, Any] = {
        "strikes": [],
        "expiries": [],
        "profile": whole.profile.model_copy(update={"spot": [], "gex": [], "buckets": {}}),
    }
    return whole.model_copy(update=empty)


def now_or_then(symbol: str, query: PastQuery) -> Result | Recorded:
    """The present's calculation, or what was recorded at the minute asked for. Raises ApiError."""
    return result(symbol, query) if query.at_ms is None else recorded(symbol, query.at_ms, query.params())


def whole_of(found: Result | Recorded) -> GEXCalculation:
    """The whole document, of which parts are cut."""
    whole = to_document(found.snapshot)
    return whole.model_copy(update={"recorded": True}) if isinstance(found, Recorded) else whole


def result(symbol: str, query: GexQuery) -> Result:
    """The calculation of the newest chain. Raises ApiError: 404, also for dates it doesn't have; 503 before any data."""
    bound = context()
    bound.require(symbol)
    found = bound.results.get(symbol, query.params())
    if found is None:
        raise bound.no_data(symbol)
    _require_expiries(found, query)
    return found


def _require_expiries(found: Result, query: GexQuery) -> None:
    """Refuse dates that the chain doesn't have: an empty sum would look like an answer."""
    listed = found.loaded.chain.missing_dates  # of these the answer says that they have not been read
    known = {row.expiry for row in found.snapshot.expiries} | set(listed)
    missing = [day.isoformat() for day in query.params().expiries if day not in known]
    if missing:
        raise ApiError(
            404,
            f"expiries: {found.snapshot.symbol} has no open contracts on {', '.join(missing)}.",
            cure=f"GET /api/v1/gex/{found.snapshot.symbol.replace('/', '.')}/expiries lists them.",
        )


def answer(found: Result | Recorded, part: str, build: Callable[[], Body]) -> Response:
    """A part of the calculation, with the ETag of its version and convention."""
    if isinstance(found, Recorded):
        return versioned(tag_of(found, part), build, found.headers)
    return of_chain(found.loaded, tag_of(found, part), build)


def of_chain(
    loaded: Loaded, tag: str, build: Callable[[], Body], more: Mapping[str, str] | None = None
) -> Response:
    """A document that this version of the chain determines; asked for again, it is known to be unchanged.

    Args:
        more: headers that the version determines, too.
    """
    headers = provenance(loaded) | dict(more or {})
    response = versioned(tag, build, headers)
    stale = _LAST_COPY if loaded.stale else context().results.silence()
    if stale:
        response.headers["X-Chain-Stale"] = stale
    else:
        context().unchanged.note(loaded, tag, labels(tag) | headers)
    return response


def tag_of(found: Result | Recorded, part: str) -> str:
    """What names a part of this calculation, in this version and convention."""
    return f"{found.etag.strip(_QUOTE)}.{part}"


def provenance(loaded: Loaded) -> dict[str, str]:
    """Headers that say which version of the chain this is, and whose."""
    version = loaded.version
    return {
        "X-Chain-Version": f"{version.epoch}.{version.number}",
        "X-Chain-Published-Ms": str(version.published_ms),
        "X-Chain-Source": loaded.chain.source,
    }
