"""The parts of a calculation, each a small document: levels, strikes, expiries, profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import Field

from app.api.gex import TAG, answer, now_or_then, tag_of, whole_of
from app.api.past import Recorded
from app.api.query import PastQuery, SymbolPath
from app.api.respond import JSON, Body, bodies
from app.api.tables import chosen_format, table_of
from app.cache.results import Result
from app.models import (
    ExpiryRow,
    GEXCalculation,
    GexNumbers,
    GexPart,
    Profile,
    Quality,
    StrikeRow,
)

LEVELS = "levels-only"

api = APIBlueprint("gex_parts", __name__, url_prefix="/api/v1/gex", abp_tags=[TAG])


class GexLevels(GexNumbers):
    """The levels as numbers; null is unknown or non-existent."""

    quality: Quality


class GexStrikes(GexPart):
    """Exposure by strike, ascending."""

    strikes: list[StrikeRow]


class GexExpiries(GexPart):
    """Exposure, forward and expected move by expiry and root."""

    expiries: list[ExpiryRow]


class GexProfile(GexPart):
    """The total as a function of spot, with its zeros."""

    flips: list[float] = Field(description="Where the profile crosses zero, ascending")
    profile: Profile


@api.get("/<symbol>/levels", responses={200: GexLevels}, operation_id="get_gex_levels")
def levels(path: SymbolPath, query: PastQuery) -> Response:
    """Levels alone: flip, walls, totals, and what they rest on."""
    return _json(path, query, LEVELS, GexLevels)


def levels_body(found: Result) -> Body:
    """The document of GET /levels, rendered once per version for all who want it."""
    tag = tag_of(found, LEVELS)
    return bodies.get(tag, lambda: Body(_cut(found, GexLevels).json_bytes()))


@api.get("/<symbol>/profile", responses={200: GexProfile}, operation_id="get_gex_profile")
def profile(path: SymbolPath, query: PastQuery) -> Response:
    """The profile G(S'): the total if spot stood elsewhere, everything else unchanged."""
    return _json(path, query, "profile", GexProfile)


@api.get("/<symbol>/strikes", responses={200: GexStrikes}, operation_id="get_gex_strikes")
def strikes(path: SymbolPath, query: PastQuery) -> Response:
    """By strike, as JSON or, with Accept: text/csv or Arrow's, as a table."""
    return _table(path, query, "strikes", GexStrikes, _strike_table)


@api.get("/<symbol>/expiries", responses={200: GexExpiries}, operation_id="get_gex_expiries")
def expiries(path: SymbolPath, query: PastQuery) -> Response:
    """By expiry and root, as JSON or, with Accept: text/csv or Arrow's, as a table."""
    return _table(path, query, "expiries", GexExpiries, _expiry_table)


def _json(path: SymbolPath, query: PastQuery, name: str, kind: type[GexPart]) -> Response:
    found = now_or_then(path.symbol, query)
    return answer(found, name, lambda: Body(_cut(found, kind).json_bytes()))


def _table(
    path: SymbolPath,
    query: PastQuery,
    name: str,
    kind: type[GexPart],
    table: Callable[[str, GEXCalculation], Body],
) -> Response:
    form = chosen_format()
    if form == JSON:
        return _json(path, query, name, kind)
    found = now_or_then(path.symbol, query)
    return answer(found, f"{name}-{form.replace('/', '-')}", lambda: table(form, whole_of(found)))


def _cut(found: Result | Recorded, kind: type[GexPart]) -> GexPart:
    whole = whole_of(found)
    return kind(**{name: getattr(whole, name) for name in kind.model_fields})


def _strike_table(form: str, whole: GEXCalculation) -> Body:
    return table_of(form, StrikeRow, (row.model_dump() for row in whole.strikes))


def _expiry_table(form: str, whole: GEXCalculation) -> Body:
    names = [name for name in ExpiryRow.model_fields if name != "expected_move"]
    return table_of(form, ExpiryRow, map(_flat, whole.expiries), [*names, "straddle", "sigma"])


def _flat(row: ExpiryRow) -> dict[str, Any]:
    move = row.expected_move
    return {
        **row.model_dump(),
        "straddle": move.straddle if move else None,
        "sigma": move.sigma if move else None,
    }
