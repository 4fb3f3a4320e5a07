"""Prices and greeks of European options on a forward (Black 1976), as the exchange of the simulator computes them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.simulator.surface import F64

_erf = np.frompyfunc(math.erf, 1, 1)


@dataclass(frozen=True, eq=False, slots=True)
class Terms:
    """What the price of each contract depends on; columns of shape (n,).

    Attributes:
        spot: of the underlying, $.
        forward: for the contract's series, $.
        discount: exp(-rT).
        years: to settlement.
        x: total volatility sigma sqrt(T).
        rate: interest rate, a fraction per year.
    """

    spot: float
    forward: F64
    strike: F64
    discount: F64
    years: F64
    x: F64
    is_call: NDArray[np.bool_]
    rate: float

    @property
    def d1(self) -> F64:
        """Black's d1."""
        return np.asarray(np.log(self.forward / self.strike) / self.x + self.x / 2)


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What a client wants assumed instead of the market's values; None leaves the market's.

    Attributes:
        vol: a fraction per year, for every contract.
        spot: $.
        rate: a fraction per year.
        days: to settlement.
    """

    vol: float | None = None
    spot: float | None = None
    rate: float | None = None
    days: float | None = None

    def apply(self, terms: Terms) -> Terms:
        """The terms under these assumptions; the yield stays the market's."""
        years = terms.years if self.days is None else np.full_like(terms.years, self.days / 365)
        rate = terms.rate if self.rate is None else self.rate
        spot = terms.spot if self.spot is None else self.spot
        dividend = terms.rate - np.log(terms.forward / terms.spot) / terms.years
        x = terms.x * np.sqrt(years / terms.years) if self.vol is None else self.vol * np.sqrt(years)
        forward = spot * np.exp((rate - dividend) * years)
        return Terms(spot, forward, terms.strike, np.exp(-rate * years), years, x, terms.is_call, rate)


NO_ASSUMPTIONS = Assumptions()


@dataclass(frozen=True, eq=False, slots=True)
class Greeks:
    """Units as Schwab's wire has them.

    Attributes:
        volatility: percent.
        theta: $ per day.
        vega: $ per volatility point.
        rho: $ per percentage point of rate.
    """

    volatility: F64
    delta: F64
    gamma: F64
    theta: F64
    vega: F64
    rho: F64


def normal_cdf(z: F64) -> F64:
    """The integral of the normal density."""
    return 0.5 * (1 + np.asarray(_erf(z / math.sqrt(2)), np.float64))


def normal_pdf(z: F64) -> F64:
    """The normal density."""
    return np.asarray(np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi))


def price(terms: Terms) -> F64:
    """Discounted premiums, $ per share."""
    sign = np.where(terms.is_call, 1.0, -1.0)
    d1 = terms.d1
    legs = terms.forward * normal_cdf(sign * d1) - terms.strike * normal_cdf(sign * (d1 - terms.x))
    return np.maximum(terms.discount * sign * legs, 0.0)


def greeks(terms: Terms) -> Greeks:
    """All greeks at once, by the formulas of Black and Scholes with a continuous yield."""
    d1, root = terms.d1, np.sqrt(terms.years)
    d2, density, sign = d1 - terms.x, normal_pdf(d1), np.where(terms.is_call, 1.0, -1.0)
    carried = terms.discount * terms.forward  # S exp(-qT)
    sigma = terms.x / root
    dividend = terms.rate - np.log(terms.forward / terms.spot) / terms.years
    paid = terms.rate * terms.strike * terms.discount * normal_cdf(sign * d2)
    received = dividend * carried * normal_cdf(sign * d1)
    theta = -carried * density * sigma / (2 * root) - sign * (paid - received)
    return Greeks(
        volatility=100 * sigma,
        delta=sign * carried / terms.spot * normal_cdf(sign * d1),
        gamma=carried * density / (terms.spot**2 * terms.x),
        theta=theta / 365,
        vega=carried * density * root / 100,
        rho=sign * terms.strike * terms.years * terms.discount * normal_cdf(sign * d2) / 100,
    )
