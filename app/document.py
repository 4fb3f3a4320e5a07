"""A Snapshot as the JSON document of `GET /api/v1/gex/{symbol}` and of `python -m app gex`."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.gex.snapshot import ExpirySummary, Levels, QualityCounts, Snapshot, StrikeTable
from app.market.calendar import from_ms
from app.models import (
    ConventionModel,
    ExpectedMove,
    ExpiryRow,
    FlipBand,
    GEXCalculation,
    Profile,
    Quality,
    StrikeRow,
)


def to_document(snapshot: Snapshot) -> GEXCalculation:
    """The document. Unknown numbers are null in it, never NaN."""
    levels, params = snapshot.levels, snapshot.params
    return GEXCalculation(
        symbol=snapshot.symbol,
        spot=snapshot.spot,
        as_of=from_ms(snapshot.as_of_ms),
        convention=ConventionModel(
            side=params.side,
            weight=params.weight,
            unit=params.unit,
            walls=params.walls,
            method=snapshot.method,
        ),
        net_gex=levels.net_gex,
        call_gex=levels.call_gex,
        put_gex=levels.put_gex,
        gross_gex=levels.gross_gex,
        flip=levels.flip,
        flips=list(levels.flips),
        flip_band=FlipBand(low=levels.flip_band[0], high=levels.flip_band[1]) if levels.flip_band else None,
        call_wall=levels.call_wall,
        put_wall=levels.put_wall,
        absolute_gamma_strike=levels.absolute_gamma_strike,
        max_pain=levels.max_pain,
        regime=_regime(levels),
        strikes=_strikes(snapshot.strikes),
        expiries=[_expiry(expiry) for expiry in snapshot.expiries],
        profile=Profile(spot=snapshot.profile_spot.tolist(), gex=snapshot.profile_gex.tolist()),
        quality=_quality(snapshot.quality),
    )


def _regime(levels: Levels) -> Literal["long_gamma", "short_gamma"] | None:
    if not levels.net_gex:
        return None
    return "long_gamma" if levels.net_gex > 0 else "short_gamma"


def _strikes(table: StrikeTable) -> list[StrikeRow]:
    exposures = (table.call_gex, table.put_gex, table.net_gex)
    counts = (table.call_oi, table.put_oi, table.call_volume, table.put_volume)
    columns: list[list[float | None]] = [
        table.strike.tolist(),
        *(_nullable(column) for column in (*exposures, *counts)),
    ]
    names = list(StrikeRow.model_fields)
    return [
        StrikeRow.model_validate(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)
    ]


def _nullable(column: NDArray[np.float64]) -> list[float | None]:
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
        open_interest=summary.open_interest,
        contracts=summary.contracts,
        used=summary.used,
        expected_move=ExpectedMove(straddle=summary.straddle, sigma=summary.sigma_move)
        if known_move
        else None,
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
    )
