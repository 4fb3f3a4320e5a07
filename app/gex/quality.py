"""What a result rests on: contracts used and left out, fallbacks, and a confidence made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.gex import node_kernels, series_kernels
from app.gex.exposure import Legs
from app.gex.params import Params
from app.gex.quotes import plain
from app.gex.selection import count_missing
from app.gex.snapshot import Levels, QualityCounts
from app.gex.sums import REASONS, Sums
from app.gex.surface import CARRY, FORWARD_SOURCES, RATE, Surface
from app.gex.vols import OTHER_LEG, VOL_SOURCES

F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

# How much a gamma is worth by where its volatility and its forward come from; documented in docs/method.md.
_VOL_TRUST = np.array([0.0, 1.0, 0.9, 0.7, 0.4, 0.4])
_FORWARD_TRUST = np.array([0.0, 1.0, 0.8, 0.5])
# A quote this old is worth half.
_HALF_AGE_MS = 15 * 60_000.0
_LOW_COVERAGE = 0.8
_UNREAD = "expiry dates have not been read yet: the totals are not whole."
_FALLBACKS = (
    *(str(name) for name in VOL_SOURCES[OTHER_LEG:]),
    *(f"forward_{FORWARD_SOURCES[code]}" for code in (CARRY, RATE)),
)


def quality_of(surface: Surface, params: Params, chosen: Bools, legs: Legs, sums: Sums) -> QualityCounts:
    """Counts over the chosen series' contracts, shape (s,); of all rows of the chain when no expiry is filtered out."""
    used = int(sums.sources.sum())
    excluded = _excluded(surface, chosen, sums)
    whole, part = sums.held.tolist()
    coverage = part / whole if whole > 0 else None
    missing = count_missing(surface, params)
    series = series_kernels.count_series(
        chosen, surface.alive, surface.layout.adjusted, surface.forward_source
    )
    return QualityCounts(
        contracts=used + sum(excluded.values()),
        used=used,
        open_interest_coverage=coverage,
        confidence=None if missing else _confidence(surface, coverage, legs),
        fallbacks=_fallbacks(series, sums),
        excluded=excluded,
        warnings=tuple(_warnings(surface, params, series, coverage, missing, told=_is_told(sums))),
        rate=surface.rate if surface.rate_source != "none" else None,
        rate_source=surface.rate_source,
        missing_expiries=missing,
    )


def comparable(levels: Levels, quality: QualityCounts) -> Levels:
    """The levels as far as they can be held against those of another time: what moves them must not be what is missing.

    None are of dates read in part; of one that is hardly quoted, as in the first moments of a session, only max pain is,
    which needs no quote.
    """
    if quality.missing_expiries:
        return Levels()
    return Levels(max_pain=levels.max_pain) if hardly_quoted(quality.open_interest_coverage) else levels


def hardly_quoted(coverage: float | None) -> bool:
    """Whether so little of the open interest is in the sums that levels move because of what is missing."""
    return coverage is not None and coverage < _LOW_COVERAGE


def unread_in(warnings: Iterable[str]) -> int:
    """How many expiry dates these warnings say have not been read: what a recorded result tells of it."""
    return next((int(text.split()[0]) for text in warnings if text.endswith(_UNREAD)), 0)


def _excluded(surface: Surface, chosen: Bools, sums: Sums) -> dict[str, int]:
    """Contracts of the chosen series that aren't in the sums, each under the first reason that holds."""
    counts: dict[str, int] = {}
    if chosen.all():
        counts |= surface.layout.excluded_counts
        for reason, n in surface.chain.rejected.items():
            counts[reason] = counts.get(reason, 0) + n
    counts |= dict(zip(REASONS, sums.reasons.tolist(), strict=True))
    return {reason: n for reason, n in counts.items() if n}


def _fallbacks(series: tuple[int, int, int, int], sums: Sums) -> dict[str, int]:
    """Contracts by where their volatility comes from, and series by where their forward does, if not from the best."""
    found = dict(zip(_FALLBACKS, [*sums.sources.tolist()[OTHER_LEG:], *series[1:3]], strict=True))
    return {name: n for name, n in found.items() if n}


def _confidence(surface: Surface, coverage: float | None, legs: Legs) -> float | None:
    """Coverage times the gamma-weighted means of four trusts: volatility source, forward source, spread, quote age.

    Outside the session the chain's newest quote counts as now: a closing quote isn't stale at the weekend.
    """
    layout, quote_ms = surface.layout, surface.chain.quotes.quote_ms
    now = surface.chain.as_of_ms if surface.chain.session == "open" else int(quote_ms.max(initial=0))
    trusts = np.empty(4)
    node_kernels.mean_trusts(
        legs[0].gex,
        legs[1].gex,
        _VOL_TRUST,
        surface.vol_source,
        _FORWARD_TRUST,
        surface.forward_source,
        layout.node_series,
        *surface.band_vols,
        surface.total_vol,
        layout.call_row,
        layout.put_row,
        plain(quote_ms),
        now,
        _HALF_AGE_MS,
        trusts,
    )
    found = math.nan if coverage is None else coverage * math.prod(trusts.tolist())
    return None if math.isnan(found) else min(max(found, 0.0), 1.0)


def _is_told(sums: Sums) -> bool:
    """Whether the open interest of any live chosen contract is known."""
    return bool(np.isfinite(sums.strikes[:, 1]).any())


def _is_cut(surface: Surface, missing: int) -> bool:
    """Whether the source cut the chosen dates short: a feed's are missing then; of a file it may be any."""
    chain = surface.chain
    return "truncated" in chain.rejected and (missing > 0 or not chain.missing_expiries)


def _warnings(
    surface: Surface,
    params: Params,
    series: tuple[int, int, int, int],
    coverage: float | None,
    missing: int,
    *,
    told: bool,
) -> list[str]:
    live, carried, by_rate, adjusted = series
    without = carried + by_rate
    checks = [
        (not len(surface.chain), "The chain has no contracts."),
        (missing > 0, f"{missing} {_UNREAD}"),
        (_is_cut(surface, missing), "The source cut the chain short: the totals are not whole."),
        (math.isnan(surface.spot), "The underlying's price is unknown: nothing can be computed."),
        (len(surface.chain) > 0 and not live, "Every chosen contract has settled or none is chosen."),
        (surface.rate_source == "none", "No interest rate is known: 0 was used."),
        (surface.rate_source == "setting", "The interest rate is the configured one, not the market's."),
        (without > 0, f"{without} of {live} series have no parity forward."),
        (adjusted > 0, "Adjusted contracts are included with their multiplier."),
        (live > 0 and not told, "No open interest is known."),
        (coverage is None and told, "The open interest of every chosen contract is 0."),
        (
            hardly_quoted(coverage),
            f"Only {coverage or 0:.0%} of the open interest could be used.",
        ),
        (params.weight == "flow", "Flow tells purchases from sales, not opening from closing."),
    ]
    return [text for holds, text in checks if holds]
