"""Which contracts exist, and how many of each are held and traded: arrays, one row a contract."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from app.simulator.expiries import Series, series_on
from app.simulator.surface import F64
from app.simulator.underlyings import Profile

_YEAR_DAYS = 365.0
_WEEK = 7 / _YEAR_DAYS
# Multiples of the finest step that traders prefer, and how much more than their neighbours: 10, 25, 50, 100 and 250 of
# the 5 of SPX; 5, 10, 25, 50 and 100 of the 2.50 of a share.
_ROUND = ((2, 1.5), (5, 2.6), (10, 4.0), (20, 6.5), (50, 8.0))
_ROUND_BY_2_50 = ((2, 1.8), (4, 2.6), (10, 3.2), (20, 4.2), (40, 5.0))
MEAN_TRADE = 4.0  # contracts


@dataclass(frozen=True, eq=False)
class Listing:
    """Every contract of one underlying, calls before puts, then by expiry, strike and root.

    Attributes:
        series: all (root, expiry) pairs.
        of: position in `series` of each row.
        open_interest: contracts.
        daily_volume: contracts expected to trade in a day.
        half_spread: half of bid to ask in $, NaN where the market model decides.
        traded: contracts traded already when the day begins here; None where the market model decides.
    """

    series: tuple[Series, ...]
    of: NDArray[np.intp]
    strike: F64
    is_call: NDArray[np.bool_]
    open_interest: NDArray[np.int64]
    daily_volume: F64
    half_spread: F64
    traded: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.strike)

    def symbols(self) -> list[str]:
        """The 21-character symbols, in row order."""
        heads = [f"{s.root:<6}{s.expiry:%y%m%d}" for s in self.series]
        tails = [
            f"{'C' if call else 'P'}{k:08d}"
            for call, k in zip(self.is_call.tolist(), self.milli(), strict=True)
        ]
        return [heads[s] + tail for s, tail in zip(self.of.tolist(), tails, strict=True)]

    def milli(self) -> list[int]:
        """Strikes in thousandths of a dollar."""
        listed: list[int] = np.rint(self.strike * 1000).astype(int).tolist()
        return listed


def list_contracts(
    profile: Profile,
    day: date,
    seed: int,
    interest_day: date | None = None,
    every_day: bool = True,
    centre: float | None = None,
) -> Listing:
    """The contracts of an underlying on `day`: the same for the same seed and centre.

    Args:
        interest_day: the day whose open interest is shown, `day` unless given.
        centre: the price around which positions were taken, $; where the profile's begins unless given.
    """
    series = series_on(profile, day, every_day)
    share = profile.contracts / 2 / sum(_width(s, day) for s in series)
    ladders = [_ladder(profile, _years(s, day), round(share * _width(s, day))) for s in series]
    of = np.repeat(np.arange(len(series)), [len(ladder) for ladder in ladders])
    strike = np.concatenate(ladders)
    both = _both_sides(series, of, strike)
    weights = _interest_weights(profile, series, both, day, centre or profile.spot)
    interest = _open_interest(
        profile, series, of=both[0], weights=weights, seed=seed, day=interest_day or day
    )
    volume = _daily_volume(profile, series, both, day)
    return Listing(series, *both, interest, volume, np.full(len(volume), np.nan))


def _both_sides(
    series: tuple[Series, ...], of: NDArray[np.intp], strike: F64
) -> tuple[NDArray[np.intp], F64, NDArray[np.bool_]]:
    """Calls, then puts, each by expiry date, strike and root."""
    dates = np.array([s.expiry.toordinal() for s in series])
    order = np.lexsort((of, strike, dates[of]))
    n = len(order)
    return np.tile(of[order], 2), np.tile(strike[order], 2), np.arange(2 * n) < n


def _width(series: Series, day: date) -> float:
    """How many strikes this series has, relative to the others."""
    years = _years(series, day)
    return 0.75 if years > 1.1 else 1.2 if series.kind == "S" else 0.9 if series.kind in "MQ" else 1.0


def _years(series: Series, day: date) -> float:
    return max((series.expiry - day).days, 0.5) / _YEAR_DAYS


def _roundness(strike: F64, step: float) -> F64:
    weight = np.ones_like(strike)
    units = np.rint(strike / step).astype(int)
    for multiple, preference in _ROUND_BY_2_50 if step == 2.5 else _ROUND:
        weight[units % multiple == 0] = preference
    return weight


def _ladder(profile: Profile, years: float, count: int) -> F64:
    """`count` strikes: dense near the money, sparse and round in the wings, wider for longer expiries."""
    units = np.arange(1, int(3 * profile.spot / profile.step), dtype=np.float64)
    candidates = units * profile.step
    distance = np.abs(np.log(candidates / profile.spot))
    reach = 2.5 * profile.vol * np.sqrt(years) + 0.01
    score = (distance / reach + 1) / _roundness(candidates, profile.step) ** 0.7 + (distance > 1.6) * 1e3
    return np.sort(candidates[np.argsort(score, kind="stable")[:count]])


def _deviations(strike: F64, centre: float, vol: float, years: F64) -> F64:
    """ln(K/centre) in standard deviations of the time left, a week at least."""
    return np.asarray(np.log(strike / centre) / (vol * np.sqrt(np.maximum(years, _WEEK))))


def _interest_weights(
    profile: Profile,
    series: tuple[Series, ...],
    rows: tuple[NDArray[np.intp], F64, NDArray[np.bool_]],
    day: date,
    centre: float,
) -> F64:
    """What is held of each contract, relative to the others: by moneyness, strike and series."""
    of, strike, is_call = rows
    years = np.array([_years(s, day) for s in series])
    z = _deviations(strike, centre, profile.vol, years[of])
    tenor = np.array([_popularity(s, t) for s, t in zip(series, years.tolist(), strict=True)])
    return np.asarray(tenor[of] * _held(z, is_call, _roundness(strike, profile.step)))


def _held(z: F64, is_call: NDArray[np.bool_], roundness: F64) -> F64:
    """Protection below and overwriting above, the rounder the strike the more; about the money some of both."""
    peak, tail, height = (
        np.where(is_call, call, put) for call, put in ((0.7, -0.8), (0.95, 1.5), (1.0, 1.2))
    )
    outside = np.where(is_call, z > peak, z < peak)
    one_sided = height * np.exp(-(np.abs((z - peak) / np.where(outside, tail, 0.35)) ** 1.5)) + 0.004
    both_sides = 0.7 * np.exp(-np.abs(z) / 1.2)
    return np.asarray(one_sided * roundness**1.5 + both_sides * roundness)


def _open_interest(
    profile: Profile, series: tuple[Series, ...], of: NDArray[np.intp], weights: F64, seed: int, day: date
) -> NDArray[np.int64]:
    """Contracts held on `day`; from one day to the next they drift a little."""
    lucky = weights * _luck(series, of, seed, profile.symbol)
    drift = 1 + 0.03 * np.sin(day.toordinal() * 1.7 + np.arange(len(of)))
    return np.asarray(np.rint(lucky / lucky.sum() * profile.open_interest * drift), np.int64)


def _popularity(series: Series, years: float) -> float:
    """How much is held in a series, relative to the others: monthlies above weeklies, quarters above all."""
    quarter = 1.5 if series.expiry.month % 3 == 0 else 1.0
    if series.kind == "S":
        return quarter * (float(np.exp(-years / 0.55)) + 0.05)
    if series.kind in "MQ":
        return quarter * (0.24 * float(np.exp(-years / 0.4)) + 0.01)
    return 0.11 * float(np.exp(-years / 0.15)) + 0.015


def _luck(series: tuple[Series, ...], of: NDArray[np.intp], seed: int, symbol: str) -> F64:
    """Log-normal noise that a contract keeps from day to day."""
    out = np.ones(len(of))
    for number, s in enumerate(series):
        rows = np.flatnonzero(of == number)
        rng = np.random.default_rng(
            [seed, zlib.crc32(symbol.encode()), s.expiry.toordinal(), ord(s.settlement)]
        )
        out[rows] = rng.lognormal(0.0, 0.5, len(rows))
    return out


def _daily_volume(
    profile: Profile,
    series: tuple[Series, ...],
    rows: tuple[NDArray[np.intp], F64, NDArray[np.bool_]],
    day: date,
) -> F64:
    """Trading crowds at the money and in the nearest expiries; about a sixth of the open interest a day."""
    of, strike, is_call = rows
    years = np.array([_years(s, day) for s in series])[of]
    z = _deviations(strike, profile.spot, profile.vol, years)
    outside = np.where(is_call, z, -z)
    near = np.exp(-np.abs(outside - 0.25) * 1.6)
    tenor = 1 / (1 + (years * _YEAR_DAYS / 2) ** 1.3)
    weight = near * tenor * _roundness(strike, profile.step) ** 0.5
    return np.asarray(weight / weight.sum() * profile.open_interest / 6)
