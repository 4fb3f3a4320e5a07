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
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.gex.exposure import signed_contracts
from app.gex.levels import absolute_gamma_strike, walls
from app.gex.params import Params
from app.gex.profile import Bells, grid, nearest, roots
from app.gex.quotes import Leg, by_node, count_by_node, leg_of
from app.gex.selection import chosen_series
from app.gex.snapshot import Levels
from app.gex.surface import PARITY, Surface, fit, series_forwards
from app.gex.tables import totals
from app.gex.vols import OTHER_LEG, OTM, fill_vols, offered_limits, priced_vols, vendor_vols
from app.market.chain import Chain, Quotes

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]

# Sums are made afresh after this many updates: each leaves a rounding of 1e-16.
_FRESH_AFTER = 2000
# Above this share of changed nodes replacing costs more than adding up.
_MANY = 0.5
# A new grid is laid when spot has left the middle of the old one by this share.
_GRID_DRIFT = 0.05


@dataclass
class _Terms:
    """What each node adds to the sums, shape (m,) each; zeros where it is in none."""

    call: F64
    put: F64
    slope: F64
    offset: F64
    height: F64

    def bells(self, sign: float = 1.0) -> Bells:
        return Bells(self.slope, self.offset, sign * self.height)

    def take(self, nodes: I64) -> _Terms:
        return _Terms(**{f.name: getattr(self, f.name)[nodes] for f in fields(self)})

    def put_back(self, nodes: I64, other: _Terms) -> None:
        for f in fields(self):
            getattr(self, f.name)[nodes] = getattr(other, f.name)


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
        self._surface = surface
        layout = surface.layout
        self._chosen = chosen_series(surface, self._params)[layout.node_series]
        self._node_years = np.maximum(surface.years, 0.0)[layout.node_series]
        self._carry = surface.forward / surface.spot
        self._gap = surface.call.mid - surface.put.mid
        self._spread = surface.call.spread + surface.put.spread
        self._priced = np.where(np.isin(surface.vol_source, (OTM, OTHER_LEG)), surface.total_vol, np.nan)
        self._priced_source = np.where(np.isnan(self._priced), 0, surface.vol_source).astype(np.int8)
        self._weights = [self._weight(leg, slice(None)) for leg in (0, 1)]
        everything = np.arange(len(layout.strike))
        self._vendor, self._limit = self._fallbacks(everything, surface.call, surface.put)
        self._fresh()

    @property
    def surface(self) -> Surface:
        """Forwards and volatilities as they are now: `expose` it for what isn't kept here, such as the flip band."""
        return self._surface

    def update(self, rows: I64, **columns: Any) -> None:
        """Set quote columns (bid, ask, open_interest, ...) of these rows of the chain, and everything that follows."""
        for name, values in columns.items():
            getattr(self._surface.chain.quotes, name)[rows] = values
        layout = self._surface.layout
        nodes = np.unique(layout.row_node[rows])
        nodes = nodes[nodes >= 0]
        self._requote(nodes)
        forward, source, moved = self._forwards(nodes)
        stale = np.zeros(len(layout.strike), bool)
        stale[nodes] = True
        stale |= moved[layout.node_series]
        x, vol_source = self._volatilities(np.flatnonzero(stale), forward)
        old = self._surface.total_vol
        changed = stale | ((x != old) & ~(np.isnan(x) & np.isnan(old)))
        self._surface = replace(
            self._surface, forward=forward, forward_source=source, total_vol=x, vol_source=vol_source
        )
        self._replace(np.flatnonzero(changed))

    def move(self, spot: float) -> None:
        """Set spot alone. The profile stands on absolute prices: it stays, unless spot has left its middle."""
        self._surface = replace(
            self._surface, chain=replace(self._surface.chain, spot=spot), forward=spot * self._carry
        )
        if abs(spot / self._centre - 1.0) > _GRID_DRIFT:
            self._fresh()
        else:
            self._terms = self._terms_of(np.arange(len(self._surface.layout.strike)))
            self._add_strikes()

    def anchor(self) -> None:
        """Give every series the forward of its prices at the present spot."""
        layout = self._surface.layout
        self.update(np.where(layout.call_row >= 0, layout.call_row, layout.put_row))

    def strikes(self) -> tuple[F64, F64, F64]:
        """Strikes, call and put exposure of each, shape (k,) each."""
        return self._surface.layout.strikes, self._call.copy(), self._put.copy()

    def profile(self) -> tuple[F64, F64]:
        """The grid and G on it in the convention's unit."""
        values = self._sums * self._grid
        return self._grid, values if self._params.unit == "per_1pct" else values / (0.01 * self._grid)

    def levels(self) -> Levels:
        """All levels but the flip band and max pain, which `expose(engine.surface)` gives."""
        strike, call, put = self.strikes()
        flips = roots(self._terms.bells(), self._grid, self._sums * self._grid)
        call_wall, put_wall = walls(strike, call, put, self._params.walls)
        return Levels(
            flip=nearest(flips, self._surface.spot),
            flips=flips,
            call_wall=call_wall,
            put_wall=put_wall,
            absolute_gamma_strike=absolute_gamma_strike(strike, call, put),
            net_gex=float(call.sum() + put.sum()),
            call_gex=float(call.sum()),
            put_gex=float(put.sum()),
            gross_gex=float(np.abs(self._terms.call).sum() + np.abs(self._terms.put).sum()),
        )

    # --- what an update runs through ---

    def _requote(self, nodes: I64) -> None:
        """Quotes and weights of these nodes anew."""
        layout, quotes = self._surface.layout, self._surface.chain.quotes
        for at, (leg, rows) in enumerate(
            ((self._surface.call, layout.call_row), (self._surface.put, layout.put_row))
        ):
            part = leg_of(rows[nodes], quotes)
            for f in fields(Leg):
                getattr(leg, f.name)[nodes] = getattr(part, f.name)
            self._weights[at][nodes] = self._weight(at, nodes)
        call, put = self._surface.call, self._surface.put
        self._gap[nodes] = call.mid[nodes] - put.mid[nodes]
        self._spread[nodes] = call.spread[nodes] + put.spread[nodes]

    def _forwards(self, nodes: I64) -> tuple[F64, I8, Bools]:
        """All forwards and their sources, and which series' have moved; untouched series keep their carry."""
        s = self._surface
        found, source = series_forwards(
            s.layout, self._gap, self._spread, s.discount, s.years, s.alive, s.spot, s.rate
        )
        touched = source != PARITY
        touched[s.layout.node_series[nodes]] = True
        forward = np.where(touched, found, s.forward)
        self._carry = np.where(touched, found / s.spot, self._carry)
        moved = (forward != s.forward) & ~(np.isnan(forward) & np.isnan(s.forward))
        return forward, np.where(touched, source, s.forward_source).astype(np.int8), moved

    def _volatilities(self, stale: I64, forward: F64) -> tuple[F64, I8]:
        """x of every node: priced anew where stale, then filled."""
        s = self._surface
        series = s.layout.node_series[stale]
        call, put = _leg_part(s.call, stale), _leg_part(s.put, stale)
        node_forward, discount = forward[series], s.discount[series]
        self._priced[stale], self._priced_source[stale] = priced_vols(
            call, put, node_forward, discount, s.layout.strike[stale], guess=self._priced[stale]
        )
        self._surface = replace(s, forward=forward)
        self._vendor[stale], self._limit[stale] = self._fallbacks(stale, call, put)
        x, source = self._priced.copy(), self._priced_source.copy()
        fill_vols(s.layout, x, source, self._vendor, self._limit)
        return x, source

    def _fallbacks(self, nodes: I64, call: Leg, put: Leg) -> tuple[F64, F64]:
        """The vendor's x and the offers' limits of these nodes."""
        s = self._surface
        layout = s.layout
        series = layout.node_series[nodes]
        forward, strike = s.forward[series], layout.strike[nodes]
        legs = (layout.call_row[nodes], layout.put_row[nodes])
        vendor = vendor_vols(s.chain.quotes.iv, legs, strike, forward, self._node_years[nodes])
        unpriced = np.where(self._priced_source[nodes] == 0, forward, np.nan)
        return vendor, offered_limits(call, put, unpriced, s.discount[series], strike)

    def _weight(self, leg: int, nodes: I64 | slice) -> F64:
        """Signed shares of these nodes' calls (0) or puts (1); 0 where unknown or not chosen."""
        layout = self._surface.layout
        rows = (layout.call_row, layout.put_row)[leg][nodes]
        quotes = self._surface.chain.quotes
        signed = signed_contracts(
            self._params,
            leg,
            count_by_node(rows, quotes.open_interest),
            count_by_node(rows, quotes.volume),
            by_node(rows, quotes.flow),
        )
        return np.where(self._chosen[nodes], np.nan_to_num(signed), 0.0) * layout.multiplier[nodes]

    # --- sums ---

    def _terms_of(self, nodes: I64) -> _Terms:
        s = self._surface
        series = s.layout.node_series[nodes]
        x, carry = s.total_vol[nodes], self._carry[series]
        call, put = self._weights[0][nodes], self._weights[1][nodes]
        out = ~(np.isfinite(x) & np.isfinite(carry))
        slope = 1.0 / np.where(out, 1.0, x)
        offset = np.where(out, 0.0, np.log(carry) - s.layout.log_strike[nodes]) * slope + 0.5 / slope
        scale = np.where(out, 0.0, s.discount[series] * carry * slope / math.sqrt(2 * math.pi))
        d1 = slope * math.log(s.spot) + offset
        unit = 0.01 * s.spot if self._params.unit == "per_1pct" else 1.0
        density = unit * scale * np.exp(-0.5 * d1 * d1)
        return _Terms(call * density, put * density, slope, offset, 0.01 * (call + put) * scale)

    def _fresh(self) -> None:
        """Every sum from nothing, on a grid around the present spot."""
        self._centre = self._surface.spot
        self._grid = grid(self._centre)
        self._terms = self._terms_of(np.arange(len(self._surface.layout.strike)))
        self._sums = self._terms.bells().sums(self._grid)
        self._add_strikes()
        self._since_fresh = 0

    def _add_strikes(self) -> None:
        layout = self._surface.layout
        self._call, self._put = (
            totals(layout.node_strike, values, len(layout.strikes))
            for values in (self._terms.call, self._terms.put)
        )

    def _replace(self, nodes: I64) -> None:
        """Take the old terms of these nodes out of the sums and the new ones in."""
        self._since_fresh += 1
        if self._since_fresh >= _FRESH_AFTER or len(nodes) > _MANY * len(self._terms.call):
            self._fresh()
            return
        old, new = self._terms.take(nodes), self._terms_of(nodes)
        both = Bells(
            *(
                np.concatenate(pair)
                for pair in zip(_columns(new.bells()), _columns(old.bells(-1.0)), strict=True)
            )
        )
        self._sums += both.sums(self._grid)
        self._terms.put_back(nodes, new)
        strike, k = self._surface.layout.node_strike[nodes], len(self._call)
        self._call += totals(strike, new.call - old.call, k)
        self._put += totals(strike, new.put - old.put, k)


def _columns(bells: Bells) -> tuple[F64, F64, F64]:
    return bells.slope, bells.offset, bells.height


def _leg_part(leg: Leg, nodes: I64) -> Leg:
    return Leg(**{f.name: getattr(leg, f.name)[nodes] for f in fields(Leg)})
