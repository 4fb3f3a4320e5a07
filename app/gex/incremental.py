"""One underlying's exposures kept up to date: what changed is replaced in the sums, the rest stays.

    engine = Engine(chain)
    engine.update(rows, bid=..., ask=...)      # quotes of some contracts
    engine.move(spot)                          # spot alone
    engine.levels(), engine.profile(), engine.strikes()

After quotes alone it equals `expose(fit(chain))` to 1e-9 of gross, however many updates there were: sums are made afresh
now and then, before rounding can add up. While spot moves alone each series keeps its carry F/S; its next quote, or
`anchor`, gives it the forward of its prices again. Not for several threads at once.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex import update_kernels
from app.gex.bell_kernels import PADDING, STRIDES
from app.gex.exposure import counts_of, sign_of
from app.gex.layout import Layout
from app.gex.levels import max_pain, strike_at
from app.gex.params import Params
from app.gex.profile import LEVELS, Bells, grid, nearest, roots_of
from app.gex.quotes import Leg, count_by_node
from app.gex.selection import chosen_series
from app.gex.snapshot import Levels
from app.gex.sums import totals
from app.gex.surface import Surface, fit
from app.gex.update_kernels import Listed, Prices, Sums
from app.market.chain import Chain, Quotes

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# The quote columns that exposures are priced by, and that they are weighed by.
_QUOTES, _PRICES, _COUNTS = {"bid", "ask"}, {"bid", "ask", "iv"}, {"open_interest", "volume", "flow"}
# Sums are made afresh after this many updates: each leaves a rounding of 1e-16.
_FRESH_AFTER = 2000
# A new grid is laid when spot has left the middle of the old one by this share.
_GRID_DRIFT = 0.05


class Engine:
    """Net exposures of one chain under one convention, changed row by row.

    Args:
        chain: where it starts; copied, so that it stays as it is.
        params: the convention; its expiry filter is judged once, at the chain's as_of.
        rate, default_rate: as for `fit`.
    """

    def __init__(
        self,
        chain: Chain,
        params: Params | None = None,
        *,
        rate: float | None = None,
        default_rate: float | None = None,
    ) -> None:
        self._params = params or Params()
        quotes = Quotes(**{f.name: getattr(chain.quotes, f.name).copy() for f in fields(chain.quotes)})
        surface = fit(replace(chain, quotes=quotes), rate=rate, default_rate=default_rate)
        self._surface, self._quotes, self._spot = surface, quotes, surface.spot
        self._chosen = chosen_series(surface, self._params)[surface.layout.node_series]
        self._listed, self._prices, self._sums = _listed(surface), _prices(surface), _sums(surface)
        self._recount(surface.layout.nodes)
        self._pain = self._max_pain()
        self._lay_grid()
        self.anchor()

    @property
    def surface(self) -> Surface:
        """Forwards and volatilities as they are now: `expose` it for what isn't kept here, such as the flip band.

        Its quotes are the engine's own: look at it before the next update.
        """
        return replace(
            self._surface,
            chain=replace(self._surface.chain, spot=self._spot),
            call=Leg(*self._prices.quotes[0].copy()),
            put=Leg(*self._prices.quotes[1].copy()),
            forward=self._prices.forward.copy(),
            forward_source=self._prices.forward_source.copy(),
            total_vol=self._prices.x.copy(),
            vol_source=self._prices.source.copy(),
        )

    def update(self, rows: I64, **columns: Any) -> None:
        """Set quote columns (bid, ask, open_interest, ...) of these rows of the chain, and everything that follows."""
        for name, values in columns.items():
            getattr(self._quotes, name)[rows] = values
        listed, quotes = self._listed, self._prices.quotes
        # while spot stands where all forwards were anchored, a quote that says the same changes nothing
        every = self._spot != self._anchored or not columns.keys() <= _QUOTES
        nodes = update_kernels.take_quotes(
            np.asarray(rows, np.int64), listed.row_place, listed.bids, listed.asks, every, quotes
        )
        if not columns.keys().isdisjoint(_COUNTS):
            self._recount(nodes)
        if "open_interest" in columns:
            self._pain = self._max_pain()
        if columns.keys().isdisjoint(_PRICES):
            self._revalue(nodes)
        else:
            self._follow(nodes)
        self._updates += 1
        if self._updates >= _FRESH_AFTER:
            self._fresh()

    def move(self, spot: float) -> None:
        """Set spot alone. The profile stands on absolute prices: it stays, unless spot has left its middle."""
        self._spot = spot
        np.multiply(self._prices.carry, spot, out=self._prices.forward)
        if abs(spot / self._centre - 1.0) > _GRID_DRIFT:
            self._fresh()
        else:
            self._gross = update_kernels.re_expose(
                spot, self._unit, self._listed, self._prices.carry, self._sums
            )

    def anchor(self) -> None:
        """Give every series the forward of its prices at the present spot."""
        self._anchored = self._spot
        self._follow(self._surface.layout.nodes)

    def strikes(self) -> tuple[F64, F64, F64]:
        """Strikes, call and put exposure of each, shape (k,) each."""
        return self._surface.layout.strikes, self._sums.by_call.copy(), self._sums.by_put.copy()

    def profile(self) -> tuple[F64, F64]:
        """The grid and G on it in the convention's unit."""
        values = self._sums.levels * self._grid
        return self._grid, values if self._params.unit == "per_1pct" else values / (0.01 * self._grid)

    def levels(self) -> Levels:
        """All levels but the flip band and the greeks, which `expose(engine.surface)` gives."""
        strikes, sums = self._surface.layout.strikes, self._sums
        calls, puts, upper, lower, most = update_kernels.summits(
            sums.by_call, sums.by_put, self._params.walls == "net"
        )
        flips = roots_of(Bells(sums.slope, sums.offset, sums.height), self._grid, sums.levels)
        return Levels(
            flip=nearest(flips, self._spot),
            flips=flips,
            call_wall=strike_at(strikes, upper),
            put_wall=strike_at(strikes, lower),
            absolute_gamma_strike=strike_at(strikes, most),
            max_pain=self._pain,
            net_gex=calls + puts,
            call_gex=calls,
            put_gex=puts,
            gross_gex=self._gross,
        )

    # --- what an update runs through ---

    def _recount(self, nodes: I64) -> None:
        """Signed shares of these nodes anew."""
        layout = self._surface.layout
        for at, rows in enumerate((layout.call_row, layout.put_row)):
            shares = counts_of(self._params, rows[nodes], self._quotes) * layout.multiplier[nodes]
            known = self._chosen[nodes] & np.isfinite(shares)
            kept = (self._sums.call_shares, self._sums.put_shares)[at]
            kept[nodes] = sign_of(self._params, at) * np.where(known, shares, 0.0)

    def _max_pain(self) -> float | None:
        """Max pain of what is held: it changes with open interest alone."""
        layout, held = self._surface.layout, self._quotes.open_interest
        live, k = self._chosen & self._surface.node_alive, len(layout.strikes)
        shown = np.bincount(layout.node_strike[live], minlength=k) > 0
        shares = [
            totals(layout.node_strike, np.where(live & (counts > 0), counts * layout.multiplier, 0.0), k)[
                shown
            ]
            for counts in (count_by_node(rows, held) for rows in (layout.call_row, layout.put_row))
        ]
        return max_pain(layout.strikes[shown], *shares)

    def _follow(self, nodes: I64) -> None:
        """Everything that follows from new quotes at these nodes."""
        self._gross += update_kernels.follow(
            nodes,
            self._spot,
            self._surface.rate,
            self._unit,
            *self._levels,
            self._listed,
            self._prices,
            self._sums,
        )

    def _revalue(self, nodes: I64) -> None:
        """Exposures and sums of these nodes anew."""
        self._gross += update_kernels.revalue(
            nodes, self._spot, self._unit, *self._levels, self._listed, self._prices, self._sums
        )

    @property
    def _unit(self) -> float:
        return 0.01 * self._spot if self._params.unit == "per_1pct" else 1.0

    def _fresh(self) -> None:
        """Every sum from nothing, on a grid around the present spot."""
        self._lay_grid()
        self._revalue(self._surface.layout.nodes)

    def _lay_grid(self) -> None:
        """A grid around the present spot, and sums of nothing."""
        self._centre, self._updates, self._gross = self._spot, 0, 0.0
        self._grid = grid(self._centre)
        low, high = math.log(self._grid[0]), math.log(self._grid[-1])
        self._levels = low, (high - low) / (len(self._grid) - 1)
        kept = self._sums
        for array in (
            kept.call,
            kept.put,
            kept.height,
            kept.by_call,
            kept.by_put,
            kept.series_points,
            kept.points,
        ):
            array.fill(0.0)


def _listed(surface: Surface) -> Listed:
    layout, quotes = surface.layout, surface.chain.quotes
    return Listed(
        row_place=_places(layout),
        starts=layout.starts,
        node_series=layout.node_series,
        node_strike=layout.node_strike,
        strike=layout.strike,
        log_strike=layout.log_strike,
        american=layout.american,
        call_row=layout.call_row,
        put_row=layout.put_row,
        years=surface.years,
        alive=surface.alive,
        adjusted=layout.adjusted,
        discount=surface.discount,
        bids=quotes.bid,
        asks=quotes.ask,
        iv=quotes.iv,
    )


def _places(layout: Layout) -> I64:
    """Which leg of which node each row is, as of `Listed`; -1 for rows that count for nothing."""
    out = np.full(len(layout.row_node), -1)
    for at, rows in enumerate((layout.call_row, layout.put_row)):
        out[rows[rows >= 0]] = 2 * np.flatnonzero(rows >= 0) + at
    return out


def _prices(surface: Surface) -> Prices:
    """The surface's own, still to be told what quotes say."""
    m = len(surface.total_vol)
    gap, spread, priced, vendor, limit = np.full((5, m), np.nan)
    return Prices(
        quotes=np.array([[leg.bid, leg.ask, leg.mid, leg.offered] for leg in (surface.call, surface.put)]),
        gap=gap,
        spread=spread,
        parity=np.full(len(surface.forward), np.nan),
        forward=surface.forward.copy(),
        forward_source=surface.forward_source.copy(),
        carry=surface.forward / surface.spot,
        priced=priced,
        priced_source=np.zeros(m, np.int8),
        vendor=vendor,
        limit=limit,
        x=surface.total_vol.copy(),
        source=surface.vol_source.copy(),
    )


def _sums(surface: Surface) -> Sums:
    """Of nothing yet."""
    layout, points = surface.layout, np.zeros((STRIDES, LEVELS + PADDING))
    call_shares, put_shares, call, put, slope, offset, height = np.zeros((7, len(layout.strike)))
    by_call, by_put = np.zeros((2, len(layout.strikes)))
    return Sums(
        call_shares=call_shares,
        put_shares=put_shares,
        call=call,
        put=put,
        slope=slope,
        offset=offset,
        height=height,
        by_call=by_call,
        by_put=by_put,
        series_points=np.zeros((len(layout.series), *points.shape)),
        points=points,
        levels=np.zeros(LEVELS),
    )
