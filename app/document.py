"""A Snapshot as the JSON document of `GET /api/v1/gex/{symbol}` and of `python -m app gex`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.attribution import attribute, scenario
from app.gex.params import Params
from app.gex.snapshot import BucketSummary, ExpirySummary, Provenance, QualityCounts, Snapshot, StrikeTable
from app.gex.surface import Surface
from app.gex.tables import known_or_none
from app.market.calendar import from_ms
from app.models import (
    BucketRow,
    ConventionModel,
    ExpectedMove,
    ExpiryRow,
    FlipBand,
    GEXCalculation,
    GexChange,
    Profile,
    Quality,
    ScenarioGrid,
    StrikeRow,
)

F64 = NDArray[np.float64]


def to_document(snapshot: Snapshot) -> GEXCalculation:
    """The document. Unknown numbers are null in it, never NaN."""
    levels, params = snapshot.levels, snapshot.params
    return GEXCalculation(
        symbol=snapshot.symbol,
        spot=snapshot.spot,
        **_provenance(snapshot.provenance),
        as_of=from_ms(snapshot.as_of_ms),
        convention=convention(params, snapshot.method),
        net_gex=levels.net_gex,
        call_gex=levels.call_gex,
        put_gex=levels.put_gex,
        gross_gex=levels.gross_gex,
        **levels.greeks._asdict(),
        flip=levels.flip,
        flips=list(levels.flips),
        flip_band=FlipBand(low=levels.flip_band[0], high=levels.flip_band[1]) if levels.flip_band else None,
        call_wall=levels.call_wall,
        put_wall=levels.put_wall,
        absolute_gamma_strike=levels.absolute_gamma_strike,
        max_pain=levels.max_pain,
        regime=f"{snapshot.regime}_gamma" if snapshot.regime else None,
        strikes=_strikes(snapshot.strikes),
        expiries=[_expiry(expiry) for expiry in snapshot.expiries],
        buckets=[_bucket(bucket) for bucket in snapshot.buckets],
        profile=_profile(snapshot),
        quality=_quality(snapshot.quality),
    )


def _provenance(found: Provenance) -> dict[str, Any]:
    return {
        "spot_at": from_ms(found.spot_ms) if found.spot_ms else None,
        "session": found.session,
        "source": found.source,
        "delayed": found.delayed,
    }


def convention(params: Params, method: str = "parity") -> ConventionModel:
    """What the numbers assume."""
    return ConventionModel(
        side=params.side, weight=params.weight, unit=params.unit, walls=params.walls, method=method
    )


def _profile(snapshot: Snapshot) -> Profile:
    return Profile(
        spot=snapshot.profile_spot.tolist(),
        gex=snapshot.profile_gex.tolist(),
        buckets={name: part.tolist() for name, part in snapshot.profile_buckets.items()},
    )


def _strikes(table: StrikeTable) -> list[StrikeRow]:
    exposures = (table.call_gex, table.put_gex, table.net_gex)
    counts = (table.call_oi, table.put_oi, table.call_volume, table.put_volume)
    greeks, unknown = (
        (table.dex, table.vex, table.chex_day, table.chex_hour),
        np.full(len(table.strike), np.nan),
    )
    columns: list[list[float | None]] = [
        table.strike.tolist(),
        *(_nullable(column) for column in (*exposures, *counts)),
        *(_nullable(column if len(column) else unknown) for column in greeks),
    ]
    names = list(StrikeRow.model_fields)
    return [
        StrikeRow.model_validate(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)
    ]


def _nullable(column: F64) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column.tolist()]


def _expiry(summary: ExpirySummary) -> ExpiryRow:
    known_move = summary.straddle is not None or summary.sigma_move is not None
    return ExpiryRow(
        expiry=summary.expiry,
        root=summary.root,
        settlement="AM" if summary.settlement == "AM" else "PM",
        settles_at=from_ms(summary.settle_ms),
        forward=summary.forward,
        forward_source=summary.forward_source,
        atm_vol=summary.atm_vol,
        risk_reversal=summary.risk_reversal,
        butterfly=summary.butterfly,
        net_gex=summary.net_gex,
        gross_gex=summary.gross_gex,
        **summary.greeks._asdict(),
        open_interest=summary.open_interest,
        contracts=summary.contracts,
        used=summary.used,
        expected_move=ExpectedMove(straddle=summary.straddle, sigma=summary.sigma_move)
        if known_move
        else None,
    )


def _bucket(bucket: BucketSummary) -> BucketRow:
    return BucketRow(
        bucket=bucket.name,
        first_expiry=bucket.first,
        last_expiry=bucket.last,
        call_gex=bucket.call_gex,
        put_gex=bucket.put_gex,
        net_gex=bucket.net_gex,
        gross_gex=bucket.gross_gex,
        **bucket.greeks._asdict(),
        open_interest=bucket.open_interest,
        contracts=bucket.contracts,
        used=bucket.used,
    )


def scenario_document(surface: Surface, params: Params, spot_shifts: F64, vol_shifts: F64) -> ScenarioGrid:
    """Net GEX over shifts of spot and volatility; see `app.gex.attribution.scenario`."""
    grid = scenario(surface, spot_shifts, vol_shifts, params)
    return ScenarioGrid(
        symbol=surface.chain.symbol,
        spot=known_or_none(surface.spot),
        **_provenance(Provenance.of(surface.chain)),
        as_of=from_ms(surface.chain.as_of_ms),
        convention=convention(params),
        spot_shifts=np.asarray(spot_shifts).tolist(),
        vol_shifts=np.asarray(vol_shifts).tolist(),
        net_gex=grid.tolist() if np.isfinite(grid).all() else [],
    )


def change_document(before: Surface, after: Surface, params: Params) -> GexChange:
    """What the change of net GEX from one surface to a later one comes from; see `app.gex.attribution.attribute`."""
    found = attribute(before, after, params)
    return GexChange(
        symbol=after.chain.symbol,
        spot=known_or_none(after.spot),
        **_provenance(Provenance.of(after.chain)),
        as_of=from_ms(after.chain.as_of_ms),
        convention=convention(params),
        since=from_ms(before.chain.as_of_ms),
        spot_before=known_or_none(before.spot),
        before=known_or_none(found.before),
        after=known_or_none(found.after),
        from_expired=known_or_none(found.expired),
        from_spot=known_or_none(found.spot),
        from_volatility=known_or_none(found.volatility),
        from_weight=known_or_none(found.weight),
        from_coverage=known_or_none(found.coverage),
    )


def _quality(counts: QualityCounts) -> Quality:
    return Quality(
        contracts=counts.contracts,
        used=counts.used,
        open_interest_coverage=counts.open_interest_coverage,
        confidence=counts.confidence,
        fallbacks=counts.fallbacks,
        excluded=counts.excluded,
        warnings=list(counts.warnings),
        rate=counts.rate,
        rate_source=counts.rate_source,
        missing_expiries=counts.missing_expiries,
    )
