"""What a result rests on: contracts used and left out, fallbacks, and a confidence made of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from app.gex.exposure import LegExposure, Legs
from app.gex.params import Params
from app.gex.snapshot import QualityCounts
from app.gex.surface import CARRY, FORWARD_SOURCES, RATE, Surface
from app.gex.vols import EXTRAPOLATED, INTERPOLATED, OTHER_LEG, VENDOR, VOL_SOURCES

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

# How much a gamma is worth by where its volatility and its forward come from; documented in docs/method.md.
_VOL_TRUST = np.array([0.0, 1.0, 0.9, 0.7, 0.4, 0.4])
_FORWARD_TRUST = np.array([0.0, 1.0, 0.8, 0.5])
# A quote this old is worth half.
_HALF_AGE_MS = 15 * 60_000.0
_LOW_COVERAGE = 0.8


def quality_of(surface: Surface, params: Params, chosen_series: Bools, legs: Legs) -> QualityCounts:
    """Counts over the chosen series' contracts; of all rows of the chain when no expiry is filtered out."""
    chosen = chosen_series[surface.layout.node_series]
    used = int(sum(leg.used.sum() for leg in legs))
    excluded = _excluded(surface, params, chosen_series, chosen, legs)
    coverage = _coverage(surface, chosen, legs)
    return QualityCounts(
        contracts=used + sum(excluded.values()),
        used=used,
        open_interest_coverage=coverage,
        confidence=_confidence(surface, coverage, legs),
        fallbacks=_fallbacks(surface, chosen_series, legs),
        excluded=excluded,
        warnings=tuple(_warnings(surface, params, chosen_series, coverage, used)),
        rate=surface.rate if surface.rate_source != "none" else None,
        rate_source=surface.rate_source,
    )


def _excluded(
    surface: Surface, params: Params, chosen_series: Bools, chosen: Bools, legs: Legs
) -> dict[str, int]:
    """Contracts of the chosen series that aren't in the sums, each under the first reason that holds."""
    layout = surface.layout
    counts = dict.fromkeys(
        (
            "settled",
            "no_spot",
            "no_forward",
            "no_price",
            "open_interest_unknown",
            "volume_unknown",
            "flow_unknown",
        ),
        0,
    )
    if chosen_series.all():
        counts |= {reason: int(rows.sum()) for reason, rows in layout.excluded.items()}
        for reason, n in surface.chain.rejected.items():
            counts[reason] = counts.get(reason, 0) + n
    settled = ~surface.alive[layout.node_series]
    no_forward = np.isnan(surface.node_forward)
    for leg in legs:
        left = chosen & leg.listed & ~leg.used
        for reason, holds in (
            ("settled", settled),
            ("no_spot", np.full(len(left), math.isnan(surface.spot))),
            ("no_forward", no_forward),
            ("no_price", np.isnan(surface.total_vol)),
            *_weight_reasons(params, leg),
        ):
            counts[reason] += int((left & holds).sum())
            left &= ~holds
    return {reason: n for reason, n in counts.items() if n}


def _weight_reasons(params: Params, leg: LegExposure) -> list[tuple[str, Bools]]:
    if params.weight == "flow":
        return [("flow_unknown", np.isnan(leg.weight))]
    reasons = []
    if params.weight in ("oi", "oi_plus_volume"):
        reasons.append(("open_interest_unknown", np.isnan(leg.open_interest)))
    if params.weight in ("volume", "oi_plus_volume"):
        reasons.append(("volume_unknown", np.isnan(leg.volume)))
    return reasons


def _coverage(surface: Surface, chosen: Bools, legs: Legs) -> float | None:
    """Share of the known open interest of live contracts that is in the sums; None where none is known."""
    live = chosen & surface.alive[surface.layout.node_series]
    total = sum(float(np.nansum(leg.open_interest[live])) for leg in legs)
    if not total > 0:
        return None
    return sum(float(np.nansum(leg.open_interest[leg.used])) for leg in legs) / total


def _fallbacks(surface: Surface, chosen_series: Bools, legs: Legs) -> dict[str, int]:
    counts = {
        str(VOL_SOURCES[code]): int(sum((leg.used & (surface.vol_source == code)).sum() for leg in legs))
        for code in (OTHER_LEG, INTERPOLATED, VENDOR, EXTRAPOLATED)
    }
    for code in (CARRY, RATE):
        live = chosen_series & surface.alive & (surface.forward_source == code)
        counts[f"forward_{FORWARD_SOURCES[code]}"] = int(live.sum())
    return {name: n for name, n in counts.items() if n}


def _confidence(surface: Surface, coverage: float | None, legs: Legs) -> float | None:
    """Coverage times the gamma-weighted means of four trusts: volatility source, forward source, spread, quote age."""
    gross = sum(np.abs(leg.gex) for leg in legs)
    if coverage is None or not np.sum(gross) > 0:
        return None
    node_source = surface.forward_source[surface.layout.node_series]
    trusts = (
        _VOL_TRUST[surface.vol_source],
        _FORWARD_TRUST[node_source],
        _spread_trust(surface),
        _age_trust(surface),
    )
    product = coverage
    for trust in trusts:
        product *= float(np.average(trust, weights=gross))
    return min(max(product, 0.0), 1.0)


def _spread_trust(surface: Surface) -> F64:
    """1 where bid and ask give one volatility, 1/2 where half their distance is as large as the volatility itself."""
    low, high = surface.band_vols
    with np.errstate(all="ignore"):
        trust = 1.0 / (1.0 + 0.5 * (high - low) / surface.total_vol)
    return np.where(np.isfinite(trust), trust, 0.0)


def _age_trust(surface: Surface) -> F64:
    """1 for a quote of this instant, 1/2 at 15 minutes; 1/2 where its time is unknown.

    Outside the session the chain's newest quote is "this instant": a closing quote isn't stale at the weekend.
    """
    quote_ms = surface.chain.quotes.quote_ms
    newest = int(quote_ms.max(initial=0))
    now = surface.chain.as_of_ms if surface.chain.session == "open" else newest
    leg_ms = [
        np.where(rows >= 0, quote_ms[rows], 0) for rows in (surface.layout.call_row, surface.layout.put_row)
    ]
    node_ms = np.maximum(*leg_ms) if len(quote_ms) else np.zeros(len(surface.total_vol))
    age = np.where(node_ms > 0, np.maximum(now - node_ms, 0), _HALF_AGE_MS)
    return 1.0 / (1.0 + age / _HALF_AGE_MS)


def _warnings(
    surface: Surface, params: Params, chosen_series: Bools, coverage: float | None, used: int
) -> list[str]:
    live = chosen_series & surface.alive
    carried = int((live & (surface.forward_source > 1)).sum())
    checks = [
        (not len(surface.chain), "The chain has no contracts."),
        (
            surface.chain.missing_expiries > 0,
            f"{surface.chain.missing_expiries} expiry dates have not been read yet: the totals are not whole.",
        ),
        (math.isnan(surface.spot), "The underlying's price is unknown: nothing can be computed."),
        (bool(len(surface.chain)) and not live.any(), "Every chosen contract has settled or none is chosen."),
        (surface.rate_source == "none", "No interest rate is known: 0 was used."),
        (surface.rate_source == "setting", "The interest rate is the configured one, not the market's."),
        (carried > 0, f"{carried} of {int(live.sum())} series have no parity forward."),
        (
            bool((live & surface.layout.adjusted).any()),
            "Adjusted contracts are included with their multiplier.",
        ),
        (coverage is None and used > 0, "No open interest is known."),
        (
            coverage is not None and coverage < _LOW_COVERAGE,
            f"Only {coverage or 0:.0%} of the open interest could be used.",
        ),
        (params.weight == "flow", "Flow tells purchases from sales, not opening from closing."),
    ]
    return [text for holds, text in checks if holds]
