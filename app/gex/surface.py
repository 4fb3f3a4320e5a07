"""From quotes to forwards and total volatilities: what a chain says before any convention is chosen.

gex-math section 2: price first. Vendor volatility is the last fallback, vendor greeks are never used.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.gex import greek_kernels, node_kernels, series_kernels, surface_kernels
from app.gex.layout import Layout, layout_of
from app.gex.quotes import Leg, count_by_node, legs_of, plain
from app.gex.rates import HIGHEST, LOWEST, parity_rate
from app.gex.vols import price_nodes
from app.market.calendar import exchange_day
from app.market.chain import Chain

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
Bools = NDArray[np.bool_]

MS_PER_YEAR = 365 * 86_400_000

# N(-QUARTER) is a quarter.
QUARTER = 0.6744897501960817

# Where a forward comes from: codes are positions here.
FORWARD_SOURCES = (None, "parity", "carry", "rate")
PARITY, CARRY, RATE = 1, 2, 3


@dataclass(frozen=True, eq=False)
class Surface:
    """Forwards and total volatilities of a chain; independent of convention, so one serves many Params.

    Shapes: s series, m nodes (a strike of a series), as `layout` orders them.

    Attributes:
        rate: discount rate per year; rate_source says whence: argument, chain, parity, setting or none (0 is used then).
        years: time to settlement, ACT/365, shape (s,); alive: whether it hasn't settled yet.
        discount, forward: D and F, shape (s,); F is NaN where there is none; forward_source are codes of FORWARD_SOURCES.
        total_vol: x, shape (m,), NaN where unknown; vol_source are codes of VOL_SOURCES.
    """

    chain: Chain
    layout: Layout
    call: Leg
    put: Leg
    rate: float
    rate_source: str
    years: F64
    alive: Bools
    discount: F64
    forward: F64
    forward_source: I8
    total_vol: F64
    vol_source: I8

    @property
    def spot(self) -> float:
        """S in $; NaN when unknown."""
        return self.chain.spot if self.chain.spot > 0 and math.isfinite(self.chain.spot) else math.nan

    @cached_property
    def today(self) -> date:
        """The exchange's date at as_of."""
        return exchange_day(self.chain.as_of_ms)

    @cached_property
    def ending(self) -> Bools:
        """Whether each series expires today, shape (s,): its charm counts by the hour."""
        return np.equal(self.layout.ordinals, self.today.toordinal())

    @cached_property
    def node_forward(self) -> F64:
        """F of each node, shape (m,)."""
        return self.forward[self.layout.node_series]

    @cached_property
    def node_discount(self) -> F64:
        """D of each node, shape (m,)."""
        return self.discount[self.layout.node_series]

    @cached_property
    def node_alive(self) -> Bools:
        """Whether each node's contracts haven't settled yet, shape (m,)."""
        return self.alive[self.layout.node_series]

    @cached_property
    def d1(self) -> F64:
        """d1 at the present spot, shape (m,)."""
        with np.errstate(all="ignore"):
            x = self.total_vol
            return np.log(self.node_forward / self.layout.strike) / x + 0.5 * x

    @cached_property
    def density(self) -> F64:
        """D F phi(d1) / x = gamma S², $ per share, shape (m,); NaN where unknown."""
        out = np.empty(len(self.total_vol))
        greek_kernels.gamma_density(
            self.node_forward, self.node_discount, self.layout.strike, self.total_vol, out
        )
        return out

    @cached_property
    def gamma(self) -> F64:
        """Gamma of each node, 1/$, shape (m,): a strike's call and put share it."""
        return self.density / self.spot**2

    @cached_property
    def open_interest(self) -> tuple[F64, F64]:
        """Contracts held, calls and puts of each node, shape (m,) each; NaN where unknown."""
        held = self.chain.quotes.open_interest
        return count_by_node(self.layout.call_row, held), count_by_node(self.layout.put_row, held)

    @cached_property
    def volume(self) -> tuple[F64, F64]:
        """Contracts traded today, calls and puts of each node, shape (m,) each; NaN where unknown."""
        traded = self.chain.quotes.volume
        return count_by_node(self.layout.call_row, traded), count_by_node(self.layout.put_row, traded)

    @cached_property
    def band_vols(self) -> tuple[F64, F64]:
        """x with all quotes at bid and at ask, shape (m,) each; x itself where it comes from no quote."""
        low, high = np.empty((2, len(self.total_vol)))
        call, put, layout = self.call, self.put, self.layout
        series = layout.node_series, layout.strike, self.forward, self.discount, self.vol_source
        surface_kernels.band(*series, call.bid, put.bid, call.ask, put.ask, self.total_vol, low, high)
        surface_kernels.finish_band(*series, call.bid, put.bid, self.total_vol, False, low)
        surface_kernels.finish_band(*series, call.ask, put.ask, self.total_vol, True, high)
        return low, high


def fit(chain: Chain, *, rate: float | None = None, default_rate: float | None = None) -> Surface:
    """Forwards and total volatilities of a chain.

    The rate is the first of: `rate`; the chain's own; the one its put-call parity implies; `default_rate`; 0, labelled.

    Args:
        chain: any chain, empty or faulty ones too: what can't be used stays NaN and is counted when exposed.
        rate: overrides everything, fraction per year.
        default_rate: used only where neither the chain nor parity has one.
    """
    layout = layout_of(chain.contracts)
    call, put = legs_of(layout, chain.quotes)
    years = (layout.settle_ms - chain.as_of_ms) / MS_PER_YEAR
    alive = years > 0
    spot = chain.spot if chain.spot > 0 and math.isfinite(chain.spot) else math.nan
    gap, spread = np.empty((2, len(layout.strike)))
    node_kernels.pair_up(layout.nodes, call.bid, call.ask, call.mid, put.bid, put.ask, put.mid, gap, spread)
    r, source = _rate(chain, rate, default_rate, layout, gap, spread, years, spot)
    discount = np.exp(-r * np.maximum(years, 0.0))
    forward, forward_source = series_forwards(layout, gap, spread, discount, years, alive, spot, r)
    total_vol, vol_source = _total_vols(chain, layout, call, put, (forward, discount, years))
    return Surface(
        chain,
        layout,
        call,
        put,
        r,
        source,
        years,
        alive,
        discount,
        forward,
        forward_source,
        total_vol,
        vol_source,
    )


def _rate(
    chain: Chain,
    rate: float | None,
    default: float | None,
    layout: Layout,
    gap: F64,
    spread: F64,
    years: F64,
    spot: float,
) -> tuple[float, str]:
    if rate is not None:
        return rate, "argument"
    if LOWEST <= chain.rate <= HIGHEST:
        return chain.rate, "chain"
    implied = parity_rate(layout.starts, layout.strike, gap, spread, years, spot)
    if not math.isnan(implied):
        return implied, "parity"
    return (default, "setting") if default is not None else (0.0, "none")


def series_forwards(
    layout: Layout,
    gap: F64,
    spread: F64,
    discount: F64,
    years: F64,
    alive: Bools,
    spot: float,
    rate: float,
) -> tuple[F64, I8]:
    """F of each series and whence: parity, else the carry of the nearest expiry that has one, else the rate."""
    source = np.zeros(len(years), np.int8)
    forward = np.full(len(years), np.nan)
    if math.isnan(spot) or not alive.any():
        return forward, source
    series_kernels.parity_forwards(layout.starts, layout.strike, gap, spread, alive, discount, spot, forward)
    series_kernels.other_forwards(years, alive, layout.adjusted, spot, rate, forward, source)
    return forward, source


def _total_vols(
    chain: Chain, layout: Layout, call: Leg, put: Leg, series: tuple[F64, F64, F64]
) -> tuple[F64, I8]:
    """x of each node and whence: the out-of-the-money mid, the other leg, neighbours, the vendor, the edge's."""
    x, vendor, limit = np.full((3, len(layout.strike)), np.nan)
    source = np.empty(len(x), np.int8)
    price_nodes(layout.nodes, layout, call, put, plain(chain.quotes.iv), series, (x, source, vendor, limit))
    series_kernels.fill(layout.everywhere, layout.starts, layout.log_strike, vendor, limit, x, source)
    return x, source
