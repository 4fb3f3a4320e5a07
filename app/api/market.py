"""What the calculations rest on: the underlying's quote, and the contracts."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode

import numpy as np
import orjson
from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from numpy.typing import NDArray
from pydantic import Field

from app.api.context import Context, context
from app.api.gex import of_chain, tag_of
from app.api.query import Day, NoQuery, PageQuery, SymbolPath, next_page, paging
from app.api.respond import JSON, Body
from app.api.rows import option_rows
from app.api.tables import chosen_format, table_of
from app.cache.base import Loaded, Version
from app.market.chain import Chain
from app.models import MarketData, Model, OptionData

TAG = Tag(name="market", description="The cached market itself: quotes and contracts with their own times.")
PAGE, LONGEST_PAGE = 500, 5_000

api = APIBlueprint("market", __name__, url_prefix="/api/v1", abp_tags=[TAG])


class Options(Model):
    """One page of contracts, in the chain's order."""

    symbol: str
    as_of: datetime
    total: int = Field(description="Contracts that fit the query")
    offset: int
    options: list[OptionData]
    next: str | None = Field(description="Where the next page is; null on the last")


class OptionsQuery(PageQuery):
    """Which contracts, and which page of them."""

    expiry: Day | None = Field(None, description="Exactly this date")
    strike_min: float | None = Field(None, ge=0, allow_inf_nan=False)
    strike_max: float | None = Field(None, ge=0, allow_inf_nan=False)
    right: Literal["C", "P"] | None = Field(None, description="Calls or puts alone")
    limit: int = Field(PAGE, ge=1, le=LONGEST_PAGE)


@api.get("/market/<symbol>", responses={200: MarketData}, operation_id="get_market")
def market(path: SymbolPath, query: NoQuery) -> Response:  # noqa: ARG001 - refuses parameters
    """The underlying's quote, with the market's own times."""
    bound = context()
    loaded = _loaded(bound, path.symbol)
    tag = f"market-{_label(loaded.version)}{'-stale' if loaded.stale else ''}-{path.symbol.replace('/', '.')}"
    return of_chain(loaded, tag, lambda: Body(market_data(loaded.chain).json_bytes()))


@api.get("/options/<symbol>", responses={200: Options}, operation_id="get_options")
def options(path: SymbolPath, query: OptionsQuery) -> Response:
    """Contracts with their quotes, paged; a table (the page's rows alone) with Accept: text/csv or Arrow's."""
    bound = context()
    bound.require(path.symbol)
    found = bound.results.get(path.symbol)
    if found is None:
        raise bound.no_data(path.symbol)
    kind = chosen_format()
    part = "options-" + urlencode([*query.model_dump(mode="json", exclude_none=True).items(), ("as", kind)])
    fitting = np.flatnonzero(_fits(found.loaded.chain, query))
    following = next_page(query, len(fitting))

    def build() -> Body:
        rows = option_rows(found.surface, fitting[query.offset : query.offset + query.limit])
        if kind != JSON:
            return table_of(kind, OptionData, rows)
        page = {
            "symbol": found.snapshot.symbol,
            "as_of": datetime.fromtimestamp(found.snapshot.as_of_ms / 1000, UTC),
            "total": len(fitting),
            "offset": query.offset,
            "options": rows,
            "next": following,
        }
        return Body(orjson.dumps(page, option=orjson.OPT_UTC_Z))

    return of_chain(found.loaded, tag_of(found, part.replace("&", "-")), build, paging(following))


def market_data(chain: Chain) -> MarketData:
    """The underlying of a chain."""
    quote = chain.underlying
    known = {name: getattr(quote, name) for name in MarketData.model_fields if hasattr(quote, name)}
    return MarketData(
        **{
            **{name: _finite(value) for name, value in known.items()},
            "symbol": chain.symbol,
            "spot": _finite(chain.spot),
            "quote_at": _instant(quote.quote_ms),
            "trade_at": _instant(quote.trade_ms),
            "spot_at": _instant(chain.spot_ms),
            "session": chain.session,
            "source": chain.source,
            "delayed": chain.delayed,
        }
    )


def _loaded(bound: Context, symbol: str) -> Loaded:
    bound.require(symbol)
    loaded = bound.store.load(symbol)
    if loaded is None:
        raise bound.no_data(symbol)
    return loaded


def _fits(chain: Chain, query: OptionsQuery) -> NDArray[np.bool_]:
    contracts = chain.contracts
    fits = np.ones(len(contracts), dtype=bool)
    if query.expiry is not None:
        fits &= contracts.expiry == np.datetime64(query.expiry)
    if query.strike_min is not None:
        fits &= contracts.strike >= query.strike_min
    if query.strike_max is not None:
        fits &= contracts.strike <= query.strike_max
    if query.right is not None:
        fits &= contracts.is_call == (query.right == "C")
    return fits


def _label(version: Version) -> str:
    return f"{version.epoch}.{version.number}.{version.published_ms}"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _instant(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
