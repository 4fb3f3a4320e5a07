"""The widely copied method of S. Perfiliev's script, for comparison (gex-math section 6). Not what this project computes.

Vendor volatility on a flat forward (r = q = 0), T in business days / 262, 60 levels from 0.8 S to 1.2 S, linear
interpolation at sign changes, and the total from the vendor's own gamma column.
"""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.exposure import SIGNS
from app.gex.levels import absolute_gamma_strike, max_pain, walls
from app.gex.params import Params
from app.gex.profile import nearest
from app.gex.snapshot import ExpirySummary, Levels, Provenance, QualityCounts, Snapshot, StrikeTable
from app.gex.sums import totals
from app.gex.tables import known_or_none
from app.market.calendar import exchange_day
from app.market.chain import Chain, Contracts

F64 = NDArray[np.float64]

_YEAR = 262
_LEVELS = 60


def perfiliev(chain: Chain, params: Params | None = None) -> Snapshot:
    """The same Snapshot by that method: weighted by open interest and per 1 %, whatever `params` says of these.

    All expiries are in. `quality` counts the contracts without a vendor gamma or open interest.
    """
    params = params or Params()
    params = Params(side=params.side, walls=params.walls)
    contracts, quotes = chain.contracts, chain.quotes
    call_sign, put_sign = SIGNS[params.side]
    sign = np.where(contracts.is_call, call_sign, put_sign)
    shares = quotes.open_interest.astype(np.float64) * np.where(
        contracts.multiplier > 0, contracts.multiplier, 100
    )
    gex = sign * shares * quotes.gamma.astype(np.float64) * chain.spot**2 * 0.01
    used = np.isfinite(gex)
    gex = np.where(used, gex, 0.0)
    strikes = _strikes(chain, gex, used)
    spots, values = _profile(chain, sign * shares)
    flips = _crossings(spots, values)
    call_wall, put_wall = walls(strikes.strike, strikes.call_gex, strikes.put_gex, params.walls)
    levels = Levels(
        flip=nearest(flips, chain.spot),
        flips=flips,
        call_wall=call_wall,
        put_wall=put_wall,
        absolute_gamma_strike=absolute_gamma_strike(strikes.strike, strikes.call_gex, strikes.put_gex),
        max_pain=max_pain(strikes.strike, strikes.call_oi * 100, strikes.put_oi * 100),
        net_gex=float(gex.sum()) if used.any() else None,
        call_gex=float(gex[contracts.is_call].sum()) if used.any() else None,
        put_gex=float(gex[~contracts.is_call].sum()) if used.any() else None,
        gross_gex=float(np.abs(gex).sum()) if used.any() else None,
    )
    return Snapshot(
        symbol=chain.symbol,
        spot=known_or_none(chain.spot),
        as_of_ms=chain.as_of_ms,
        params=params,
        levels=levels,
        strikes=strikes,
        expiries=_expiries(contracts, gex, used, quotes.open_interest),
        heatmap_expiries=(),
        heatmap=np.empty((0, len(strikes.strike))),
        profile_spot=spots,
        profile_gex=values,
        quality=_quality(used, quotes.open_interest.astype(np.float64)),
        provenance=Provenance.of(chain),
        method="perfiliev",
    )


def _strikes(chain: Chain, gex: F64, used: NDArray[np.bool_]) -> StrikeTable:
    """Exposures are NaN where contracts are held and none of them has the vendor's gamma."""
    strike, index = np.unique(chain.contracts.strike, return_inverse=True)

    def summed(values: NDArray[Any], is_call: bool) -> F64:
        return totals(
            index, np.where(chain.contracts.is_call == is_call, np.nan_to_num(values), 0.0), len(strike)
        )

    quotes = chain.quotes
    held = quotes.open_interest != 0

    def exposed(is_call: bool) -> F64:
        lost, known = summed(held & ~used, is_call), summed(held & used, is_call)
        return np.where((lost > 0) & (known == 0), np.nan, summed(gex, is_call))

    return StrikeTable(
        strike=strike,
        call_gex=exposed(True),
        put_gex=exposed(False),
        call_oi=summed(quotes.open_interest, True),
        put_oi=summed(quotes.open_interest, False),
        call_volume=summed(quotes.volume, True),
        put_volume=summed(quotes.volume, False),
    )


def _profile(chain: Chain, shares: F64) -> tuple[F64, F64]:
    """60 levels and the total at each; contracts that expired before the file's date are left out of it."""
    if not chain.spot > 0 or not len(chain):
        return np.empty(0), np.empty(0)
    contracts = chain.contracts
    days = np.busday_count(exchange_day(chain.as_of_ms), contracts.expiry.astype("<M8[D]"))
    years = np.where(days == 0, 1, days) / _YEAR
    vol = chain.quotes.iv.astype(np.float64)
    use = (days >= 0) & (vol > 0) & np.isfinite(shares) & (shares != 0)
    x = vol[use] * np.sqrt(years[use])
    strike, weight = contracts.strike[use], shares[use]
    spots = np.linspace(0.8 * chain.spot, 1.2 * chain.spot, _LEVELS)
    values = np.empty(_LEVELS)
    for j, spot in enumerate(spots):
        d1 = np.log(spot / strike) / x + 0.5 * x
        gamma = np.exp(-0.5 * d1**2) / (math.sqrt(2 * math.pi) * spot * x)
        values[j] = 0.01 * spot**2 * np.sum(weight * gamma)
    return spots, values


def _crossings(spots: F64, values: F64) -> tuple[float, ...]:
    turns = np.flatnonzero(np.diff(np.sign(values)) != 0)
    share = values[turns] / (values[turns] - values[turns + 1])
    return tuple((spots[turns] + share * (spots[turns + 1] - spots[turns])).tolist())


def _expiries(
    contracts: Contracts, gex: F64, used: NDArray[np.bool_], open_interest: NDArray[np.float32]
) -> tuple[ExpirySummary, ...]:
    found = []
    for root, day in sorted(
        {(r, d) for r, d in zip(contracts.root.tolist(), contracts.expiry.tolist(), strict=True)}
    ):
        rows = (contracts.root == root) & (contracts.expiry == np.datetime64(day))
        found.append(_expiry(root.decode(), day, rows, contracts, gex, used, open_interest))
    return tuple(sorted(found, key=lambda e: (e.settle_ms, e.root)))


def _expiry(
    root: str,
    day: date,
    rows: NDArray[np.bool_],
    contracts: Contracts,
    gex: F64,
    used: NDArray[np.bool_],
    open_interest: NDArray[np.float32],
) -> ExpirySummary:
    first = int(np.argmax(rows))
    return ExpirySummary(
        expiry=day,
        root=root,
        settlement="AM" if contracts.settlement[first] == b"A" else "PM",
        settle_ms=int(contracts.settle_ms[first]),
        forward=None,
        forward_source=None,
        atm_total_vol=None,
        atm_vol=None,
        net_gex=float(gex[rows].sum()) if used[rows].any() else None,
        gross_gex=float(np.abs(gex[rows]).sum()) if used[rows].any() else None,
        open_interest=float(np.nansum(open_interest[rows])),
        contracts=int(rows.sum()),
        used=int(used[rows].sum()),
        straddle=None,
        sigma_move=None,
    )


def _quality(used: NDArray[np.bool_], open_interest: F64) -> QualityCounts:
    total = float(np.nansum(open_interest))
    left = int((~used).sum())
    return QualityCounts(
        contracts=len(used),
        used=int(used.sum()),
        open_interest_coverage=float(np.nansum(open_interest[used])) / total if total > 0 else None,
        confidence=None,
        excluded={"no_vendor_gamma_or_open_interest": left} if left else {},
        warnings=("A method for comparison: vendor greeks, no rate, no dividends, business days.",),
    )
