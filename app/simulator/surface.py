"""Implied volatility: how the simulator's options are priced, with no arbitrage between strikes or expiries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Rows = NDArray[np.intp]


class Surface(Protocol):
    """Total volatility x = sigma sqrt(T) of listed contracts."""

    def total_vol(self, rows: Rows, log_moneyness: F64, years: F64) -> F64:
        """x of the contracts `rows`, given ln(K/F) and the years to settlement of each, shape (n,)."""
        ...


@dataclass(frozen=True, slots=True)
class Ssvi:
    """Surface SVI with a power-law skew: total variance
    w(k) = theta/2 (1 + rho phi k + sqrt((phi k + rho)^2 + 1 - rho^2)), phi = eta / (theta^g (1 + theta)^(1 - g)).

    Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces" (2014), theorems 4.1 and 4.2: free of calendar and
    butterfly arbitrage when theta grows with time, 0 < g <= 1/2 and eta (1 + |rho|) <= 2.

    Attributes:
        vol: long-run at-the-money volatility, a fraction per year.
        short_vol: the same for the shortest expiries.
        reversion: how fast the short volatility goes over into the long one, 1/year.
    """

    vol: float
    short_vol: float
    reversion: float = 3.0
    rho: float = -0.62
    eta: float = 1.1
    g: float = 0.4

    def theta(self, years: F64) -> F64:
        """At-the-money total variance: the integral of a positive variance that decays from short to long."""
        gap = self.short_vol**2 - self.vol**2
        return self.vol**2 * years - gap * np.expm1(-self.reversion * years) / self.reversion

    def total_vol(self, rows: Rows | None, log_moneyness: F64, years: F64) -> F64:
        """See Surface; the rows don't matter here."""
        del rows
        theta = self.theta(years)
        slope = self.eta / (theta**self.g * (1 + theta) ** (1 - self.g)) * log_moneyness
        variance = theta / 2 * (1 + self.rho * slope + np.sqrt((slope + self.rho) ** 2 + 1 - self.rho**2))
        return np.asarray(np.sqrt(variance))


@dataclass(frozen=True, eq=False, slots=True)
class Sticky:
    """Each contract keeps the volatility it had at the start (sticky strike): x shrinks with the root of its time left.

    Attributes:
        first: total volatility of every listed contract at the start, shape (n,).
        first_years: the years each had left then, shape (n,).
    """

    first: F64
    first_years: F64

    def total_vol(self, rows: Rows, log_moneyness: F64, years: F64) -> F64:
        """See Surface; the moneyness doesn't matter here."""
        del log_moneyness
        ratio: NDArray[Any] = years / self.first_years[rows]
        return np.asarray(self.first[rows] * np.sqrt(ratio))
