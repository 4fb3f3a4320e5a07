"""Paths and queries as Pydantic models: what doesn't fit is a 422 that names the parameter."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, Literal, cast
from urllib.parse import urlencode

from flask import request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from app.errors import SymbolError
from app.gex.params import Bucket, Params
from app.market.symbols import canonical
from app.models import Side, Unit, Weight

BUCKETS = ("all", "0dte", "week", "month", "ex_next")
MAX_EXPIRIES = 100


# What the documentation says of symbols, instants and expiries, for clients that are made from it.
SYMBOL_PATTERN = r"\$?[A-Za-z][A-Za-z0-9]{0,5}([./][A-Za-z]{1,2})?"
_PATH_SYMBOL = r"^\$?[A-Za-z][A-Za-z0-9]{0,5}(\.[A-Za-z]{1,2})?$"
_DAY = (
    r"(19|20)[0-9]{2}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
)
_EXPIRIES = rf"^({'|'.join(BUCKETS)}|{_DAY}(,{_DAY}){{0,{MAX_EXPIRIES - 1}}})$"


# Pydantic would read a bare number as seconds since 1970: a mistyped instant shall not quietly mean another.
def _instant(value: Any) -> Any:
    if isinstance(value, str) and not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("an instant is written like 2026-11-20T18:42Z")
    return value


def _day(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError("a day is written like 2026-11-20")
    return value


Instant = Annotated[datetime, BeforeValidator(_instant)]
Day = Annotated[date, BeforeValidator(_day)]
# Instants nearer to the calendar's ends have no day in every time zone, and nothing happened there.
_FIRST_MS, _LAST_MS = -62_135_000_000_000, 253_402_000_000_000


class Query(BaseModel):
    """Base of all queries: a parameter that doesn't exist, or comes twice, is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    @cache
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        """As Pydantic has it, made once: flask-openapi3 asks for it on every request, and it takes a millisecond."""
        return super().model_json_schema(*args, **kwargs)

    @model_validator(mode="before")
    @classmethod
    def _once(cls, given: Any) -> Any:
        twice = [name for name, values in request.args.lists() if len(values) > 1]
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))}: give it once, with commas between values")
        return given


def read_symbol(value: str) -> str:
    """A symbol in its canonical form. Raises ValueError, as Pydantic wants it."""
    if not re.fullmatch(SYMBOL_PATTERN, value):
        raise ValueError(f"{value[:24]!r} is not a symbol. {SymbolError.cure}")
    try:
        return canonical(value)
    except SymbolError as error:
        raise ValueError(f"{error}. {error.cure}") from error


class PageQuery(Query):
    """Which page of what fits."""

    offset: int = Field(0, ge=0, le=10_000_000, description="Rows to pass over")
    limit: int = Field(500, ge=1)


class NoQuery(Query):
    """No parameters."""


class SymbolPath(BaseModel):
    """An underlying: SPX, spx and $SPX are one."""

    symbol: str = Field(
        description="The underlying; SPX, spx and $SPX are one. A share class is written BRK.B.",
        json_schema_extra={"example": "SPX", "pattern": _PATH_SYMBOL},
        max_length=24,
    )

    _canonical = field_validator("symbol")(read_symbol)


class GexQuery(Query):
    """What a calculation assumes, and which expiries are in it."""

    expiries: str = Field(
        "all",
        description="all, 0dte, week, month, ex_next (all but the nearest), or dates (YYYY-MM-DD) separated by commas",
        json_schema_extra={"example": "0dte", "pattern": _EXPIRIES},
    )
    side: Side = Field(
        "naive", description="Sign of the dealers' position: naive is + for calls and - for puts"
    )
    weight: Weight = Field("oi", description="What contracts are counted by")
    unit: Unit = Field("per_1pct", description="Dollars per 1 % move, or per point")
    walls: Literal["gross", "net"] = Field(
        "gross", description="Walls by gross or by net exposure of a strike"
    )

    @field_validator("expiries")
    @classmethod
    def _expiries(cls, value: str) -> str:
        text = value.strip().lower()
        if text not in BUCKETS:
            _dates(text)
        return text

    def params(self) -> Params:
        """The same for the engine."""
        named = self.expiries in BUCKETS
        return Params(
            side=self.side,
            weight=self.weight,
            unit=self.unit,
            walls=self.walls,
            bucket=cast(Bucket, self.expiries) if named else "all",
            expiries=() if named else _dates(self.expiries),
        )


class PastQuery(GexQuery):
    """The same, of the present or of a recorded minute."""

    at: Instant | None = Field(
        None,
        description="A recorded minute instead of the present, UTC. Rows are recorded by open interest and expiry bucket.",
        json_schema_extra={"example": "2026-11-20T18:42Z"},
    )

    @property
    def at_ms(self) -> int | None:
        """The minute, ms since the epoch; without an offset it is UTC."""
        return None if self.at is None else instant_ms(self.at)


def instant_ms(instant: datetime) -> int:
    """Ms since the epoch; without an offset it is UTC."""
    whole = round((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000)
    return min(max(whole, _FIRST_MS), _LAST_MS)


class DocumentQuery(PastQuery):
    """The query of the whole document."""

    detail: Literal["full", "levels"] = Field(
        "full", description="levels leaves strikes, expiries and profile empty: the small document"
    )


def next_page(query: PageQuery, total: int) -> str | None:
    """The address of the page behind the one that was asked for; None behind the last."""
    after = query.offset + query.limit
    if after >= total:
        return None
    return f"{request.path}?{urlencode(query.model_dump(mode='json', exclude_none=True) | {'offset': after})}"


def paging(following: str | None) -> dict[str, str]:
    """The next page's address for forms that have no place for it, as RFC 8288 writes it."""
    return {"Link": f'<{following}>; rel="next"'} if following else {}


def _dates(text: str) -> tuple[date, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or len(parts) > MAX_EXPIRIES:
        raise ValueError(f"give {', '.join(BUCKETS)}, or 1 to {MAX_EXPIRIES} dates")
    return tuple(sorted({_date(part) for part in parts}))


def _date(text: str) -> date:
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError(f"{text[:24]!r} is not {', '.join(BUCKETS)} or a date as YYYY-MM-DD")
