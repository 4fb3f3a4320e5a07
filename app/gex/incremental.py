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

from app.gex import bell_kernels, node_kernels, series_kernels
from app.gex.exposure import counts_of, sign_of
from app.gex.levels import absolute_gamma_strike, max_pain, walls
from app.gex.params import Params
from app.gex.profile import Bells, grid, nearest, roots
from app.gex.quotes import count_by_node, plain, reread
from app.gex.selection import chosen_series
from app.gex.snapshot import Levels
from app.gex.sums import totals
from app.gex.surface import Surface, fit
from app.gex.vols import price_nodes
from app.market.chain import Chain, Quotes

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# The quote columns that exposures are priced by, and that they are weighed by.
_PRICES, _COUNTS = {"bid", "ask"}, {"open_interest", "volume", "flow"}
# Sums are made afresh after this many updates: each leaves a rounding of 1e-16.
_FRESH_AFTER = 2000
# Above this share of changed nodes replacing costs more than adding up.
_MANY = 0.5
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
        layout = surface.layout
        m = len(layout.strike)
        self._chosen = chosen_series(surface, self._params)[layout.node_series]
        self._forward, self._forward_source = surface.forward.copy(), surface.forward_source.copy()
        self._parity, self._carry = np.full(len(layout.series), np.nan), surface.forward / surface.spot
        self._x, self._source = surface.total_vol.copy(), surface.vol_source.copy()
        # what quotes tell of x, and what may stand in: `fill` makes the rest of it
        self._priced, self._vendor, self._limit = np.full((3, m), np.nan)
        self._priced_source = np.zeros(m, np.int8)
        self._gap, self._spread, self._shares = np.full(m, np.nan), np.full(m, np.nan), np.zeros((2, m))
        self._requote(layout.nodes)
        self._recount(layout.nodes)
        self._pain = self._max_pain()
        self._reforward(layout.nodes)
        self._reprice(layout.nodes)
        self._fresh()

    @property
    def surface(self) -> Surface:
        """Forwards and volatilities as they are now: `expose` it for what isn't kept here, such as the flip band.

        Its quotes are the engine's own: look at it before the next update.
        """
        return replace(
            self._surface,
            chain=replace(self._surface.chain, spot=self._spot),
            forward=self._forward.copy(),
            forward_source=self._forward_source.copy(),
            total_vol=self._x.copy(),
            vol_source=self._source.copy(),
        )

    def update(self, rows: I64, **columns: Any) -> None:
        """Set quote columns (bid, ask, open_interest, ...) of these rows of the chain, and everything that follows."""
        for name, values in columns.items():
            getattr(self._quotes, name)[rows] = values
        layout = self._surface.layout
        nodes = node_kernels.nodes_of(np.asarray(rows, np.int64), layout.row_node, len(layout.strike))
        if not columns.keys().isdisjoint(_COUNTS):
            self._recount(nodes)
        if "open_interest" in columns:
            self._pain = self._max_pain()
        if columns.keys().isdisjoint(_PRICES):
            self._replace(nodes)
            return
        self._requote(nodes)
        self._follow(nodes)

    def move(self, spot: float) -> None:
        """Set spot alone. The profile stands on absolute prices: it stays, unless spot has left its middle."""
        self._spot, self._forward = spot, spot * self._carry
        if abs(spot / self._centre - 1.0) > _GRID_DRIFT:
            self._fresh()
        else:
            self._set_terms(self._surface.layout.nodes)

    def anchor(self) -> None:
        """Give every series the forward of its prices at the present spot."""
        self._follow(self._surface.layout.nodes)

    def strikes(self) -> tuple[F64, F64, F64]:
        """Strikes, call and put exposure of each, shape (k,) each."""
        return self._surface.layout.strikes, self._call.copy(), self._put.copy()

    def profile(self) -> tuple[F64, F64]:
        """The grid and G on it in the convention's unit."""
        values = self._sums * self._grid
        return self._grid, values if self._params.unit == "per_1pct" else values / (0.01 * self._grid)

    def levels(self) -> Levels:
        """All levels but the flip band and the greeks, which `expose(engine.surface)` gives."""
        strike, call, put = self._surface.layout.strikes, self._call, self._put
        calls, puts = float(call.sum()), float(put.sum())
        flips = roots(Bells(*self._bells), self._grid, self._sums * self._grid)
        call_wall, put_wall = walls(strike, call, put, self._params.walls)
        return Levels(
            flip=nearest(flips, self._spot),
            flips=flips,
            call_wall=call_wall,
            put_wall=put_wall,
            absolute_gamma_strike=absolute_gamma_strike(strike, call, put),
            max_pain=self._pain,
            net_gex=calls + puts,
            call_gex=calls,
            put_gex=puts,
            gross_gex=self._gross,
        )

    # --- what an update runs through ---

    def _requote(self, nodes: I64) -> None:
        """Quotes of these nodes anew."""
        layout, call, put = self._surface.layout, self._surface.call, self._surface.put
        reread(call, nodes, layout.call_row, self._quotes)
        reread(put, nodes, layout.put_row, self._quotes)
        node_kernels.pair_up(
            nodes, call.bid, call.ask, call.mid, put.bid, put.ask, put.mid, self._gap, self._spread
        )

    def _recount(self, nodes: I64) -> None:
        """Signed shares of these nodes anew."""
        layout = self._surface.layout
        for at, rows in enumerate((layout.call_row, layout.put_row)):
            shares = counts_of(self._params, rows[nodes], self._quotes) * layout.multiplier[nodes]
            known = self._chosen[nodes] & np.isfinite(shares)
            self._shares[at, nodes] = sign_of(self._params, at) * np.where(known, shares, 0.0)

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
        layout = self._surface.layout
        moved, touched = self._reforward(nodes)
        stale = np.empty(len(layout.strike), bool)
        self._reprice(node_kernels.with_series(nodes, moved, layout.starts, stale))
        series_kernels.refill(
            np.flatnonzero(touched), layout.starts, layout.log_strike, self._vendor, self._limit, self._priced,
            self._priced_source, self._x, self._source, stale,
        )  # fmt: skip
        self._replace(np.flatnonzero(stale))

    def _reforward(self, nodes: I64) -> tuple[Bools, Bools]:
        """Forwards and carries of these nodes' series anew, and of those that follow; which have moved, which to look at."""
        s, layout = self._surface, self._surface.layout
        return series_kernels.follow_forwards(
            nodes, layout.node_series, layout.starts, layout.strike, self._gap, self._spread, s.years, s.alive,
            layout.adjusted, s.discount, self._spot, s.rate, self._parity, self._forward, self._forward_source,
            self._carry,
        )  # fmt: skip

    def _reprice(self, nodes: I64) -> None:
        """What quotes say of x at these nodes, and what may stand in, anew."""
        s = self._surface
        price_nodes(
            nodes, s.layout, s.call, s.put, plain(s.chain.quotes.iv), (self._forward, s.discount, s.years),
            (self._priced, self._priced_source, self._vendor, self._limit), warm=True,
        )  # fmt: skip

    # --- sums ---

    def _fresh(self) -> None:
        """Every sum from nothing, on a grid around the present spot."""
        layout = self._surface.layout
        self._centre, self._since_fresh = self._spot, 0
        self._grid = grid(self._centre)
        self._legs, self._bells = np.zeros((2, len(self._x))), np.zeros((3, len(self._x)))
        self._call, self._put = np.zeros((2, len(layout.strikes)))
        self._gross = 0.0
        self._set_terms(self._surface.layout.nodes)
        self._sums = Bells(*self._bells).sums(self._grid)

    def _replace(self, nodes: I64) -> None:
        """Take the old terms of these nodes out of the sums and the new ones in."""
        self._since_fresh += 1
        if self._since_fresh >= _FRESH_AFTER or len(nodes) > _MANY * len(self._x):
            self._fresh()
        else:
            self._sums += Bells(*self._set_terms(nodes)).sums(self._grid)

    def _set_terms(self, nodes: I64) -> F64:
        """Exposures and bells of these nodes anew; returns the new bells, and the old ones with the sign turned."""
        layout, unit = self._surface.layout, 0.01 * self._spot if self._params.unit == "per_1pct" else 1.0
        change = np.empty((3, 2 * len(nodes)))
        with np.errstate(all="ignore"):
            log_carry = np.log(self._carry)
        self._gross += bell_kernels.replace_terms(
            nodes,
            math.log(self._spot),
            unit,
            layout.node_series,
            log_carry,
            self._surface.discount * self._carry,
            layout.log_strike,
            self._x,
            self._shares[0],
            self._shares[1],
            self._legs[0],
            self._legs[1],
            self._bells[0],
            self._bells[1],
            self._bells[2],
            layout.node_strike,
            self._call,
            self._put,
            change,
        )
        return change
