"""The result of a computation, as arrays. `app.document` turns it into the JSON document."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.gex.params import BucketName, Params
from app.market.chain import Chain, Session, Source

F64 = NDArray[np.float64]


def _nothing() -> F64:
    return np.empty(0)


class GreekTotals(NamedTuple):
    """Dealer-signed exposures but gamma's, $; None where no contract that counts is in the sums, or none was computed.

    Attributes:
        dex: $ of delta.
        vex: $ of delta per volatility point.
        chex_day: $ of delta per day, of contracts that don't expire today.
        chex_hour: $ of delta per hour, of those that do: hours and days aren't added up.
    """

    dex: float | None = None
    vex: float | None = None
    chex_day: float | None = None
    chex_hour: float | None = None


UNKNOWN_GREEKS = GreekTotals()


@dataclass(frozen=True, slots=True)
class Levels:
    """Prices in $ and totals in $ per the convention's unit; None is unknown or non-existent, never a made-up number."""

    flip: float | None = None
    flips: tuple[float, ...] = ()
    flip_band: tuple[float, float] | None = None
    call_wall: float | None = None
    put_wall: float | None = None
    absolute_gamma_strike: float | None = None
    max_pain: float | None = None
    net_gex: float | None = None
    call_gex: float | None = None
    put_gex: float | None = None
    gross_gex: float | None = None
    greeks: GreekTotals = UNKNOWN_GREEKS


@dataclass(frozen=True, eq=False, slots=True)
class StrikeTable:
    """By strike, ascending, shape (k,) each; exposures in $.

    An exposure is NaN where contracts of that side are held and none of them could be used; 0 where none is held. Counts
    are NaN where none is known. dex to chex_hour are those of `GreekTotals`; of shape (0,) where the method has none.
    """

    strike: F64
    call_gex: F64
    put_gex: F64
    call_oi: F64
    put_oi: F64
    call_volume: F64
    put_volume: F64
    dex: F64 = field(default_factory=_nothing)
    vex: F64 = field(default_factory=_nothing)
    chex_day: F64 = field(default_factory=_nothing)
    chex_hour: F64 = field(default_factory=_nothing)

    @property
    def net_gex(self) -> F64:
        return self.call_gex + self.put_gex


class ExpirySummary(NamedTuple):  # not a dataclass: one for each series is made in a quarter of the time
    """One (root, expiry) series; its exposures are None where no contract could be used.

    `put_25d_vol` and `call_25d_vol` are volatilities per year where the forward delta, N(-d1) and N(d1), is a quarter.
    """

    expiry: date
    root: str
    settlement: str
    settle_ms: int
    forward: float | None
    forward_source: str | None
    atm_total_vol: float | None
    atm_vol: float | None
    net_gex: float | None
    gross_gex: float | None
    open_interest: float | None
    contracts: int
    used: int
    straddle: float | None
    sigma_move: float | None
    put_25d_vol: float | None = None
    call_25d_vol: float | None = None
    greeks: GreekTotals = UNKNOWN_GREEKS

    @property
    def risk_reversal(self) -> float | None:
        """The skew: volatility per year of the 25-delta call less that of the 25-delta put."""
        if self.call_25d_vol is None or self.put_25d_vol is None:
            return None
        return self.call_25d_vol - self.put_25d_vol

    @property
    def butterfly(self) -> float | None:
        """The smile's bend: the mean of both 25-delta volatilities less the one at the money."""
        if self.call_25d_vol is None or self.put_25d_vol is None or self.atm_vol is None:
            return None
        return 0.5 * (self.call_25d_vol + self.put_25d_vol) - self.atm_vol


@dataclass(frozen=True, slots=True)
class BucketSummary:
    """Expiries together by how far they are: 0dte (today), week (the rest of it), month (the rest of 31 days), rest.

    Exposures are None where no contract could be used.
    """

    name: BucketName
    first: date
    last: date
    call_gex: float | None
    put_gex: float | None
    net_gex: float | None
    gross_gex: float | None
    greeks: GreekTotals
    open_interest: float | None
    contracts: int
    used: int


@dataclass(frozen=True, slots=True)
class QualityCounts:
    """What the result rests on. `contracts` is `used` and all of `excluded` together.

    Attributes:
        fallbacks: contracts whose volatility isn't from their strike's own out-of-the-money quote (other_leg, interpolated,
            vendor, extrapolated), and series whose forward isn't from parity (forward_carry, forward_rate).
        rate: discount rate per year; rate_source: argument, chain, parity, setting, or none (0 was used).
        missing_expiries: listed dates among the chosen that have not been read: while there are any, no total or level is
            whole.
    """

    contracts: int
    used: int
    open_interest_coverage: float | None
    confidence: float | None
    fallbacks: dict[str, int] = field(default_factory=dict)
    excluded: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    rate: float | None = None
    rate_source: str | None = None
    missing_expiries: int = 0


@dataclass(frozen=True, slots=True)
class Provenance:
    """Whose numbers these are, and how fresh: as of the same fields of the chain."""

    source: Source = "file"
    session: Session = "unknown"
    delayed: bool = False
    spot_ms: int = 0

    @classmethod
    def of(cls, chain: Chain) -> Provenance:
        return cls(chain.source, chain.session, chain.delayed, chain.spot_ms)


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """Everything that the page and the API show of one chain under one convention.

    Attributes:
        heatmap: net exposure in $, shape (expiry dates, strikes): rows follow `heatmap_expiries`, columns `strikes.strike`.
            NaN where the date has no such strike, or its exposure is unknown.
        profile_spot, profile_gex: G(S') on a geometric grid, shape (levels,) each.
        buckets: those that have live contracts among the chosen.
        profile_buckets: by a bucket's name, its part of profile_gex; those with contracts in the sums.
    """

    symbol: str
    spot: float | None
    as_of_ms: int
    params: Params
    levels: Levels
    strikes: StrikeTable
    expiries: tuple[ExpirySummary, ...]
    heatmap_expiries: tuple[date, ...]
    heatmap: F64
    profile_spot: F64
    profile_gex: F64
    quality: QualityCounts
    provenance: Provenance
    method: str = "parity"
    buckets: tuple[BucketSummary, ...] = ()
    profile_buckets: dict[str, F64] = field(default_factory=dict)

    @property
    def regime(self) -> Literal["long", "short"] | None:
        """The sign of the dealers' gamma at spot.

        None where it is unknown or nothing, while chosen dates are missing, and where the convention takes no side.
        """
        net = self.levels.net_gex
        if not net or self.quality.missing_expiries or self.params.side == "long":
            return None
        return "long" if net > 0 else "short"
