"""Reading query strings the way Schwab does: booleans in any case, dates as yyyy-MM-dd, errors that name the parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from app.simulator.answers import Refusal
from app.simulator.pricing import NO_ASSUMPTIONS, Assumptions

_STRATEGIES = (
    "SINGLE", "ANALYTICAL", "COVERED", "VERTICAL", "CALENDAR", "STRANGLE", "STRADDLE", "BUTTERFLY", "CONDOR", "DIAGONAL",
    "COLLAR", "ROLL",
)  # fmt: skip
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
Query = Mapping[str, str]


def bad(parameter: str, detail: str) -> Refusal:
    """The 400 for one parameter."""
    return Refusal(400, detail, {"parameter": parameter})


def flag(query: Query, name: str, default: bool = False) -> bool:
    """true, True, false or False."""
    text = query.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise bad(name, f"{name} must be true or false")
    return text == "true" if text else default


def choice(query: Query, name: str, allowed: tuple[str, ...]) -> str:
    """One of `allowed`, the first when it isn't given."""
    value = query.get(name, "") or allowed[0]
    if value.upper() not in allowed:
        raise bad(name, f"{name} must be one of {', '.join(allowed)}")
    return value.upper()


def day(query: Query, name: str) -> date | None:
    """A date; the time of day that some clients add is ignored."""
    text = query.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise bad(name, f"{name} must be a date such as 2026-10-16") from error


def number(query: Query, name: str) -> float | None:
    """A finite number."""
    text = query.get(name, "")
    try:
        value = float(text) if text else None
    except ValueError:
        value = float("nan")
    if value is not None and not abs(value) < 1e15:
        raise bad(name, f"{name} must be a number")
    return value


def whole(query: Query, name: str) -> int | None:
    """A whole number above 0."""
    value = number(query, name)
    if value is not None and (value != int(value) or value < 1):
        raise bad(name, f"{name} must be a whole number above 0")
    return None if value is None else int(value)


@dataclass(frozen=True, slots=True)
class ChainQuery:
    """The parameters of GET /chains; None is not given."""

    symbol: str
    rights: str
    strategy: str
    range: str
    option_type: str
    month: int | None
    first: date | None
    last: date | None
    strike: float | None
    strike_count: int | None
    with_underlying: bool
    assumptions: Assumptions

    @classmethod
    def read(cls, query: Query, today: date) -> ChainQuery:
        """Raises Refusal (400) naming the first parameter that's wrong."""
        if not query.get("symbol"):
            raise bad("symbol", "symbol is required")
        first, last = day(query, "fromDate"), day(query, "toDate")
        for name, value in (("fromDate", first), ("toDate", last)):
            if value is not None and value < today:
                raise bad(name, f"{name} cannot be in the past.")
        if first and last and first > last:
            raise bad("toDate", "toDate cannot be before fromDate.")
        strategy = choice(query, "strategy", _STRATEGIES)
        if strategy not in ("SINGLE", "ANALYTICAL"):
            raise bad("strategy", f"the simulator has no {strategy} chains, only SINGLE and ANALYTICAL")
        choice(query, "entitlement", ("PN", "NP", "PP"))
        number(query, "interval")
        month = choice(query, "expMonth", ("ALL", *_MONTHS))
        return cls(
            symbol=query["symbol"],
            rights=choice(query, "contractType", ("ALL", "CALL", "PUT")),
            strategy=strategy,
            range=choice(query, "range", ("ALL", "ITM", "NTM", "OTM", "SAK", "SBK", "SNK")),
            option_type=choice(query, "optionType", ("ALL", "S", "NS")),
            month=None if month == "ALL" else _MONTHS.index(month) + 1,
            first=first,
            last=last,
            strike=number(query, "strike"),
            strike_count=whole(query, "strikeCount"),
            with_underlying=flag(query, "includeUnderlyingQuote"),
            assumptions=_assumptions(query) if strategy == "ANALYTICAL" else NO_ASSUMPTIONS,
        )


def _assumptions(query: Query) -> Assumptions:
    names = ("volatility", "underlyingPrice", "interestRate", "daysToExpiration")
    vol, spot, rate, days = (number(query, name) for name in names)
    for name, value in zip(names, (vol, spot, rate, days), strict=True):
        if value is not None and name != "interestRate" and value <= 0:
            raise bad(name, f"{name} must be above 0")
    return Assumptions(
        vol=None if vol is None else vol / 100,
        spot=spot,
        rate=None if rate is None else rate / 100,
        days=days,
    )
