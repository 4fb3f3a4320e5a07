"""What crosses a boundary: between feed and page through the cache, and out of the REST API. Pydantic, JSON without NaN.

Every number that may be unknown is nullable, and null is what it is then. Times are UTC.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

Side = Literal["naive", "inverted", "long"]
Weight = Literal["oi", "volume", "oi_plus_volume", "flow"]
Unit = Literal["per_1pct", "per_point"]


class Model(BaseModel):
    """Base of all models: no unknown fields, no NaN or Infinity."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    def json_bytes(self) -> bytes:
        """The JSON document."""
        return orjson.dumps(self.model_dump(mode="json"))


# --- the connection -------------------------------------------------------------------------------

FeedState = Literal["starting", "signed_out", "connecting", "live", "reconnecting", "stopped"]


class Coverage(Model):
    """How much of one chain streams, and how old the rest is."""

    contracts: int = Field(description="Contracts in the chain")
    streaming: int = Field(description="Contracts kept by the stream")
    gamma_share: float | None = Field(None, description="Share of gross gamma exposure that streams, 0..1")
    oldest_sweep_at: datetime | None = Field(None, description="When the oldest swept window was read")


class TokenLife(Model):
    """How long the login lasts. Never the tokens themselves."""

    signed_in_at: datetime | None = None
    access_expires_at: datetime | None = None
    refresh_expires_at: datetime | None = Field(None, description="After this only a new browser login helps")


class FeedProblem(Model):
    """What is wrong right now, in words, and what cures it."""

    code: str
    message: str
    cure: str = ""
    since: datetime | None = None


class SchwabConnection(Model):
    """The feed's own account of itself, published with every heartbeat."""

    state: FeedState
    since: datetime
    source: Literal["schwab", "simulator"]
    leader: str = Field("", description="Which process runs the feed")
    reconnects: int = 0
    last_frame_at: datetime | None = Field(
        None, description="Last frame of the stream, heartbeats included, answers to pings not"
    )
    last_data_at: datetime | None = None
    heartbeat_at: datetime | None = Field(None, description="When the feed wrote this")
    frames: int = 0
    rejected: dict[str, int] = Field(
        default_factory=dict, description="What was thrown away, counted by reason"
    )
    writes_failed: int = Field(
        0, description="Writes that the cache did not take; each was made up for later"
    )
    clock_skew_s: float | None = Field(
        None,
        description="How far this machine's clock is ahead of the broker's, in seconds; negative: behind",
    )
    keys_used: int = 0
    keys_limit: int = 0
    coverage: dict[str, Coverage] = Field(default_factory=dict, description="By symbol")
    token: TokenLife = Field(default_factory=TokenLife)
    problem: FeedProblem | None = None


# --- the market -----------------------------------------------------------------------------------


class MarketData(Model):
    """The underlying's own quote."""

    symbol: str
    description: str = ""
    spot: float | None = None
    last: float | None = None
    bid: float | None = None
    ask: float | None = None
    mark: float | None = None
    close: float | None = None
    change: float | None = None
    percent_change: float | None = None
    volume: float | None = None
    quote_at: datetime | None = None
    trade_at: datetime | None = None
    spot_at: datetime | None = Field(None, description="The market's own time of the spot")
    session: Literal["open", "closed", "unknown"] = "unknown"
    source: Literal["schwab", "simulator", "file"] = "file"
    delayed: bool = False


class OptionData(Model):
    """One contract: what it is, and what the market and the vendor say of it."""

    symbol: str
    root: str
    expiry: date
    right: Literal["C", "P"]
    strike: float
    multiplier: float | None = None
    settlement: Literal["AM", "PM"]
    settles_at: datetime
    standard: bool
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    bid_size: float | None = None
    ask_size: float | None = None
    volume: float | None = None
    open_interest: float | None = None
    iv: float | None = Field(None, description="The vendor's volatility, a fraction per year")
    delta: float | None = Field(None, description="The vendor's, often rounded")
    gamma: float | None = Field(None, description="The vendor's, often rounded; exposures don't use it")
    model_gamma: float | None = Field(None, description="Our own, from prices, per $; what exposures use")
    quote_at: datetime | None = None
    trade_at: datetime | None = None
    streaming: bool = Field(False, description="Kept by the stream rather than by the sweep")


# --- the result -----------------------------------------------------------------------------------


class ConventionModel(Model):
    """What the numbers assume: sign of the dealers' position, what contracts are weighed by, unit."""

    side: Side = "naive"
    weight: Weight = "oi"
    unit: Unit = "per_1pct"
    walls: Literal["gross", "net"] = "gross"
    method: str = "parity"


# The dealers' exposures but gamma's, $; null is unknown, or nothing counts so.
Dex = Annotated[float | None, Field(description="$ of delta")]
Vex = Annotated[float | None, Field(description="$ of delta per volatility point")]
ChexDay = Annotated[
    float | None, Field(description="$ of delta per day, of contracts that don't expire today")
]
ChexHour = Annotated[float | None, Field(description="$ of delta per hour, of those that expire today")]


class StrikeRow(Model):
    """One strike, all chosen expiries together. Exposures in $; put_gex is negative under the naive side.

    An exposure is null where contracts are held and not one of that side could be used: unknown isn't zero.
    """

    strike: float
    call_gex: float | None
    put_gex: float | None
    net_gex: float | None
    call_oi: float | None
    put_oi: float | None
    call_volume: float | None
    put_volume: float | None
    dex: Dex = None
    vex: Vex = None
    chex_day: ChexDay = None
    chex_hour: ChexHour = None


class ExpectedMove(Model):
    """What the options price in until this expiry, $ around the forward."""

    straddle: float | None = Field(None, description="At-the-money straddle mid, $")
    sigma: float | None = Field(None, description="One standard deviation, S (exp(x_atm) - 1), $")


class ExpiryRow(Model):
    """One series: a root on a date."""

    expiry: date
    root: str
    settlement: Literal["AM", "PM"]
    settles_at: datetime
    forward: float | None
    forward_source: str | None = Field(description="parity, carry, rate, or null when there is none")
    atm_vol: float | None = Field(None, description="At-the-money volatility, a fraction per year")
    risk_reversal: float | None = Field(
        None, description="Volatility of the 25-delta call less that of the 25-delta put, a fraction per year"
    )
    butterfly: float | None = Field(
        None, description="Mean of both 25-delta volatilities less the one at the money, a fraction per year"
    )
    net_gex: float | None = Field(description="null where no contract of the series could be used")
    gross_gex: float | None
    dex: Dex = None
    vex: Vex = None
    chex_day: ChexDay = None
    chex_hour: ChexHour = None
    open_interest: float | None = None
    contracts: int = 0
    used: int = 0
    expected_move: ExpectedMove | None = None


class BucketRow(Model):
    """Expiries together by how far they are: 0dte (today), week (the rest of it), month (the rest of 31 days), rest."""

    bucket: Literal["0dte", "week", "month", "rest"]
    first_expiry: date
    last_expiry: date
    call_gex: float | None
    put_gex: float | None
    net_gex: float | None
    gross_gex: float | None
    dex: Dex = None
    vex: Vex = None
    chex_day: ChexDay = None
    chex_hour: ChexHour = None
    open_interest: float | None
    contracts: int
    used: int


class Profile(Model):
    """G(S'): the total if spot stood at each of these prices."""

    spot: list[float]
    gex: list[float]
    buckets: dict[str, list[float]] = Field(
        default_factory=dict, description="What each bucket of expiries adds to gex, at the same prices"
    )


class FlipBand(Model):
    """The flip recomputed with all quotes at bid and at ask."""

    low: float
    high: float


class Quality(Model):
    """How much of the chain the result rests on, and what it had to fall back to."""

    contracts: int
    used: int
    open_interest_coverage: float | None = Field(
        description="Share of open interest that is in the sums, 0..1"
    )
    confidence: float | None = Field(None, description="0..1, see docs/method.md")
    fallbacks: dict[str, int] = Field(default_factory=dict)
    excluded: dict[str, int] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    rate: float | None = Field(None, description="Discount rate used, a fraction per year")
    rate_source: str | None = Field(
        None, description="argument, chain, parity, setting, or none (0 was used)"
    )
    missing_expiries: int = Field(
        0, description="Chosen dates that are listed but not read yet: with any, no total or level is whole"
    )


class GexPart(Model):
    """What every answer about exposure begins with."""

    symbol: str
    spot: float | None
    spot_at: datetime | None = Field(None, description="The market's own time of the spot")
    as_of: datetime
    session: Literal["open", "closed", "unknown"] = Field(
        "unknown",
        description="Whether its market is open: of a closed one these are the last session's numbers",
    )
    source: Literal["schwab", "simulator", "file"] = Field(
        "file", description="Who says this: a simulator's prices are made up"
    )
    delayed: bool = Field(False, description="Whether the vendor marks the quotes as delayed")
    convention: ConventionModel
    recorded: bool = Field(
        False, description="Whether this is what was recorded then, rather than the present"
    )


class GexNumbers(GexPart):
    """Totals and levels; null is unknown or non-existent."""

    net_gex: float | None
    call_gex: float | None
    put_gex: float | None
    gross_gex: float | None
    dex: Dex = None
    vex: Vex = None
    chex_day: ChexDay = None
    chex_hour: ChexHour = None
    flip: float | None
    flips: list[float]
    flip_band: FlipBand | None = None
    call_wall: float | None
    put_wall: float | None
    absolute_gamma_strike: float | None
    max_pain: float | None
    regime: Literal["long_gamma", "short_gamma"] | None = None


class GEXCalculation(GexNumbers):
    """The document of `GET /api/v1/gex/{symbol}` and of `python -m app gex`."""

    strikes: list[StrikeRow]
    expiries: list[ExpiryRow]
    buckets: list[BucketRow] = Field(default_factory=list)
    profile: Profile
    quality: Quality


class ScenarioGrid(GexPart):
    """Net GEX if spot and volatility stood elsewhere: a row for each volatility shift, a column for each spot shift."""

    spot_shifts: list[float] = Field(description="Relative: -0.02 is 2 % lower")
    vol_shifts: list[float] = Field(description="Added to every volatility per year: 0.01 is one point")
    net_gex: list[list[float]] = Field(description="$; empty where nothing is in the sums")


class GexChange(GexPart):
    """Where the change of net GEX since a reference comes from, $. The parts add up to it; null where an end is unknown."""

    since: datetime = Field(description="The reference's instant")
    spot_before: float | None
    before: float | None = Field(description="Net GEX of the reference")
    after: float | None = Field(description="Net GEX now")
    from_expired: float | None = Field(description="Contracts that have settled since")
    from_spot: float | None = Field(description="Spot's move, all else as it was")
    from_volatility: float | None = Field(description="Volatilities, carries and discount factors")
    from_weight: float | None = Field(description="Open interest, volume or flow, whichever is counted")
    from_coverage: float | None = Field(
        description="Contracts newly listed, newly priced or no longer priced"
    )


class CacheStats(Model):
    """What `/cache/stats` says."""

    backend: Literal["redis", "embedded", "memory"]
    healthy: bool
    server_version: str | None = None
    ping_ms: float | None = None
    keys: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    evictions: int | None = None
    hits: int = Field(0, description="Reads that found their chain in the cache")
    misses: int = Field(0, description="Reads that found none, or could not be made")
    hit_rate: float | None = None
    breaker: Literal["closed", "open", "half_open"] = "closed"
    versions: dict[str, int] = Field(default_factory=dict, description="Chain version by symbol")
    ages_s: dict[str, float | None] = Field(
        default_factory=dict, description="Seconds since publication, by symbol"
    )


class Event(Model):
    """Something that happened to the feed, for the status page's timeline."""

    at: datetime
    kind: str
    message: str
    data: dict[str, Any] = Field(default_factory=dict)
