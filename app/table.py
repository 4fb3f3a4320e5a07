"""A Snapshot as text for a terminal."""

from __future__ import annotations

import math

import numpy as np

from app.gex.snapshot import BucketSummary, ExpirySummary, Levels, QualityCounts, Snapshot
from app.market.calendar import from_ms
from app.models import GexChange, ScenarioGrid

_UNITS = {"per_1pct": "$ per 1 % move", "per_point": "$ per point"}
_STRIKES = 15


def as_table(snapshot: Snapshot) -> str:
    """Levels, the strikes with the most exposure, the expiries and the quality; a dash where a number is unknown."""
    parts = [
        _head(snapshot),
        _levels(snapshot.levels),
        _strikes(snapshot),
        _buckets(snapshot.buckets),
        _expiries(snapshot.expiries),
        _quality(snapshot.quality),
    ]
    return "\n".join(parts)


def money(value: float | None) -> str:
    """Dollars with the suffix that leaves three or four digits: 11.2 Bn."""
    if value is None or math.isnan(value):
        return "-"
    for size, suffix in ((1e9, " Bn"), (1e6, " Mn"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:,.2f}{suffix}"
    return f"{value:,.2f}"


def _price(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}"


def scenario_table(grid: ScenarioGrid) -> str:
    """Net GEX, a line for each volatility shift, a column for each spot shift."""
    head = f"{'vol / spot':>10} " + " ".join(f"{shift:>+10.0%}" for shift in grid.spot_shifts)
    lines = [
        f"{100 * shift:>+7.0f} pt " + " ".join(f"{money(value):>10}" for value in row)
        for shift, row in zip(grid.vol_shifts, grid.net_gex, strict=False)
    ]
    title = f"{grid.symbol}  spot {_price(grid.spot)}  net GEX, {_UNITS[grid.convention.unit]}, sticky strike"
    return "\n".join([title, head, *(lines or ["nothing is in the sums"])]) + "\n"


def change_table(change: GexChange) -> str:
    """Net GEX then and now, and the parts of the difference."""
    rows = [
        (f"then, {change.since.isoformat()}", change.before),
        ("contracts that expired", change.from_expired),
        ("spot", change.from_spot),
        ("volatility", change.from_volatility),
        (f"weight ({change.convention.weight})", change.from_weight),
        ("contracts new or lost", change.from_coverage),
        (f"now, {change.as_of.isoformat()}", change.after),
    ]
    title = f"{change.symbol}  spot {_price(change.spot_before)} to {_price(change.spot)}"
    lines = [f"{name:<32} {money(value):>12}" for name, value in rows]
    return "\n".join([f"{title}, {_UNITS[change.convention.unit]}", *lines]) + "\n"


def _head(snapshot: Snapshot) -> str:
    params = snapshot.params
    return (
        f"{snapshot.symbol}  spot {_price(snapshot.spot)}  as of {from_ms(snapshot.as_of_ms).isoformat()}\n"
        f"{_UNITS[params.unit]}, side {params.side}, weight {params.weight}, walls {params.walls}, "
        f"method {snapshot.method}\n"
    )


def _levels(levels: Levels) -> str:
    flips = ", ".join(_price(flip) for flip in levels.flips) or "-"
    band = levels.flip_band
    rows = [
        ("net GEX", money(levels.net_gex)),
        ("call GEX", money(levels.call_gex)),
        ("put GEX", money(levels.put_gex)),
        ("gross GEX", money(levels.gross_gex)),
        ("flip", _price(levels.flip)),
        ("all flips", flips),
        ("flip band", f"{_price(band[0])} to {_price(band[1])}" if band else "-"),
        ("call wall", _price(levels.call_wall)),
        ("put wall", _price(levels.put_wall)),
        ("absolute gamma", _price(levels.absolute_gamma_strike)),
        ("max pain", _price(levels.max_pain)),
    ]
    return "".join(f"{name:<15} {value:>14}\n" for name, value in rows)


def _strikes(snapshot: Snapshot) -> str:
    table = snapshot.strikes
    size = np.nan_to_num(abs(table.call_gex)) + np.nan_to_num(abs(table.put_gex))
    largest = sorted(size.argsort()[::-1][:_STRIKES].tolist())
    lines = [f"{'strike':>10} {'call GEX':>12} {'put GEX':>12} {'net GEX':>12}"]
    lines += [
        f"{table.strike[i]:>10,.2f} {money(float(table.call_gex[i])):>12} {money(float(table.put_gex[i])):>12} "
        f"{money(float(table.net_gex[i])):>12}"
        for i in largest
        if size[i] > 0
    ]
    return "\n".join(lines) + "\n"


def _buckets(buckets: tuple[BucketSummary, ...]) -> str:
    lines = [
        f"{'bucket':<8} {'until':<10} {'net GEX':>12} {'gross GEX':>12} {'DEX':>12} {'VEX':>12} {'CHEX a day':>12} "
        f"{'an hour':>12}"
    ]
    lines += [
        f"{b.name:<8} {b.last.isoformat():<10} {money(b.net_gex):>12} {money(b.gross_gex):>12} {money(b.greeks.dex):>12} "
        f"{money(b.greeks.vex):>12} {money(b.greeks.chex_day):>12} {money(b.greeks.chex_hour):>12}"
        for b in buckets
    ]
    return "\n".join(lines) + "\n"


def _expiries(expiries: tuple[ExpirySummary, ...]) -> str:
    lines = [
        f"{'expiry':<11} {'root':<6} {'':<3} {'forward':>11} {'from':<7} {'vol':>7} {'1 sigma':>9} {'straddle':>9} "
        f"{'net GEX':>12} {'gross GEX':>12}"
    ]
    for e in expiries:
        vol = "-" if e.atm_vol is None else f"{e.atm_vol:.1%}"
        lines.append(
            f"{e.expiry.isoformat():<11} {e.root:<6} {e.settlement:<3} {_price(e.forward):>11} "
            f"{e.forward_source or '-':<7} {vol:>7} {_price(e.sigma_move):>9} {_price(e.straddle):>9} "
            f"{money(e.net_gex):>12} {money(e.gross_gex):>12}"
        )
    return "\n".join(lines) + "\n"


def _quality(quality: QualityCounts) -> str:
    coverage = "-" if quality.open_interest_coverage is None else f"{quality.open_interest_coverage:.1%}"
    confidence = "-" if quality.confidence is None else f"{quality.confidence:.2f}"
    lines = [
        f"contracts {quality.contracts:,}, used {quality.used:,}, open interest covered {coverage}, "
        f"confidence {confidence}"
    ]
    if quality.rate is not None:
        lines.append(f"interest rate {quality.rate:.3%} ({quality.rate_source})")
    for name, counts in (("fallbacks", quality.fallbacks), ("excluded", quality.excluded)):
        if counts:
            lines.append(f"{name}: " + ", ".join(f"{reason} {n:,}" for reason, n in counts.items()))
    lines += [f"warning: {text}" for text in quality.warnings]
    return "\n".join(lines) + "\n"
