"""One underlying's options for one day: what every contract is quoted at, at any instant, and what has traded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.calendar import exchange_day
from app.simulator.asset import Asset
from app.simulator.clock import Phase
from app.simulator.expiries import series_facts
from app.simulator.fields import Opt
from app.simulator.path import YEAR_S, mix_array
from app.simulator.pricing import NO_ASSUMPTIONS, Assumptions, Terms, greeks, normal_pdf, price
from app.simulator.surface import F64, Rows, Surface
from app.simulator.tape import Tape
from app.simulator.underlyings import Profile
from app.simulator.universe import MEAN_TRADE, Listing

Fields = dict[Opt, NDArray[Any]]
UNKNOWN = -999.0
_SHORTEST_S = 30.0  # the time to settlement is never less in a formula
_PENNY = frozenset({"SPY", "QQQ", "IWM", "XSP"})


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """How the contracts of a listing are priced.

    Attributes:
        surface: total volatility.
        rate: interest rate, a fraction per year.
        carry: ln(F/S)/T of each series, 1/year, shape (series,).
    """

    surface: Surface
    rate: float
    carry: F64


class Book:
    """Quotes, greeks and trades of one day's contracts.

    Args:
        at_ms: the instant at which it opens its books.
        share_of_day: the part of the day's volume that has traded by then.
    """

    def __init__(
        self,
        asset: Asset,
        listing: Listing,
        model: Model,
        day: date,
        seed: int,
        at_ms: int,
        share_of_day: float,
    ) -> None:
        self.asset, self.listing, self.model, self.day = asset, listing, model, day
        self.symbols = listing.symbols()
        self.row = {symbol: row for row, symbol in enumerate(self.symbols)}
        self.fixed_json: dict[
            int, bytes
        ] = {}  # what REST says of a row all day, kept by app.simulator.chains
        self.series_facts = [series_facts(s, day) for s in listing.series]
        self.settle_ms = np.array([s.settle_ms for s in listing.series])[listing.of]
        everything = np.arange(len(listing))
        self.close = self._closing(everything, at_ms)
        self.tape = Tape(listing.daily_volume, MEAN_TRADE, self.close, seed, at_ms)
        bid, ask = self.bid_ask(everything, at_ms)
        before = listing.daily_volume * share_of_day if listing.traded is None else listing.traded
        self.tape.begin(before, share_of_day, bid, ask, at_ms)

    @property
    def profile(self) -> Profile:
        """Of the underlying."""
        return self.asset.profile

    def __len__(self) -> int:
        return len(self.listing)

    def alive(self, at_ms: int) -> NDArray[np.bool_]:
        """Which contracts haven't settled, shape (n,)."""
        return np.asarray(self.settle_ms > at_ms)

    def advance(self, at_ms: int) -> None:
        """Let everything trade that trades until this instant."""
        self.tape.advance(at_ms, lambda rows: self._live_bid_ask(rows, at_ms))

    def bid_ask(self, rows: Rows, at_ms: int) -> tuple[F64, F64]:
        """Bid and ask in $ on the exchange's ticks; a bid of 0 is none."""
        return self._market(self._terms(rows, at_ms, self.asset.spot(at_ms)), rows)

    def quotes(self, rows: Rows, at_ms: int, phase: Phase = "open") -> Fields:
        """The fields that move with every quote or trade, an array each in the order of `rows`."""
        spot = self.asset.spot(at_ms)
        terms = self._terms(rows, at_ms, spot)
        bid, ask = self._market(terms, rows)
        mark = np.asarray(np.round((bid + ask) / 2, 3), np.float64)
        inside = np.where(terms.is_call, spot - terms.strike, terms.strike - spot)
        intrinsic = np.asarray(np.round(inside, 2), np.float64)
        moment = at_ms // 1000
        return {
            Opt.BID: bid, Opt.ASK: ask, Opt.MARK: mark, Opt.INTRINSIC: intrinsic,
            Opt.UNDERLYING_PRICE: np.full(len(rows), spot),
            **self._sizes(rows, moment, phase, at_ms), **self._changes(rows, mark), **self._traded(rows, intrinsic),
        }  # fmt: skip

    def greeks(
        self, rows: Rows, at_ms: int, known: bool = True, assumed: Assumptions = NO_ASSUMPTIONS
    ) -> Fields:
        """Volatility in percent, greeks and the theoretical value with 8 decimals; -999 and -1 when not `known`."""
        names = (Opt.VOLATILITY, Opt.DELTA, Opt.GAMMA, Opt.THETA, Opt.VEGA, Opt.RHO)
        if not known:
            unknown = dict.fromkeys(names, np.full(len(rows), UNKNOWN))
            return {**unknown, Opt.THEORETICAL: np.full(len(rows), -1.0)}
        terms = assumed.apply(self._terms(rows, at_ms, self.asset.spot(at_ms)))
        g = greeks(terms)
        values = (g.volatility, g.delta, g.gamma, g.theta, g.vega, g.rho)
        fields: Fields = {name: np.round(value, 8) for name, value in zip(names, values, strict=True)}
        return {**fields, Opt.THEORETICAL: np.round(self._theoretical(terms), 8)}

    def _terms(self, rows: Rows, at_ms: int, spot: float) -> Terms:
        years = np.maximum(self.settle_ms[rows] - at_ms, _SHORTEST_S * 1000) / 1000 / YEAR_S
        forward = spot * np.exp(self.model.carry[self.listing.of[rows]] * years)
        strike = self.listing.strike[rows]
        x = self.model.surface.total_vol(rows, np.log(strike / forward), years)
        discount = np.exp(-self.model.rate * years)
        return Terms(spot, forward, strike, discount, years, x, self.listing.is_call[rows], self.model.rate)

    def _theoretical(self, terms: Terms) -> F64:
        """European for cash-settled options; others are never worth less than their exercise."""
        value = price(terms)
        if self.profile.cash_settled:
            return value
        return np.maximum(
            value, np.where(terms.is_call, terms.spot - terms.strike, terms.strike - terms.spot)
        )

    def _market(self, terms: Terms, rows: Rows) -> tuple[F64, F64]:
        theoretical = self._theoretical(terms)
        tick = self._tick(theoretical)
        half = self._half_spread(terms, rows, tick)
        bid = np.maximum(np.rint((theoretical - half) / tick), 0.0)
        ask = np.maximum(np.rint((theoretical + half) / tick), bid + 1)
        return np.round(bid * tick, 2), np.round(ask * tick, 2)

    def _live_bid_ask(self, rows: Rows, at_ms: int) -> tuple[F64, F64]:
        bid, ask = self.bid_ask(rows, at_ms)
        settled = self.settle_ms[rows] <= at_ms
        return bid, np.where(settled, 0.0, ask)

    def _tick(self, theoretical: F64) -> F64:
        if self.profile.symbol in _PENNY:
            return np.full(len(theoretical), 0.01)
        small, large = (0.05, 0.10) if self.profile.kind == "INDEX" else (0.01, 0.05)
        return np.where(theoretical < 3.0, small, large)

    def _half_spread(self, terms: Terms, rows: Rows, tick: F64) -> F64:
        """Half of bid to ask: some of a volatility point's worth, more when deep in the money, a tick at least."""
        vega = terms.discount * terms.forward * normal_pdf(terms.d1) * np.sqrt(terms.years) / 100
        inside = np.maximum(np.where(terms.is_call, 1.0, -1.0) * (terms.spot - terms.strike), 0.0)
        points = 0.02 if self.profile.symbol in _PENNY else 0.05
        model = np.maximum(0.55 * tick, points * vega + 0.0006 * inside)
        listed = self.listing.half_spread[rows]
        return np.where(np.isnan(listed), model, listed)

    def _closing(self, rows: Rows, at_ms: int) -> F64:
        """The marks at the last close."""
        closed = self.asset.closed_before(exchange_day(at_ms))
        bid, ask = self._market(self._terms(rows, closed, self.asset.spot(closed)), rows)
        return np.round((bid + ask) / 2, 3)

    def _sizes(self, rows: Rows, moment: int, phase: Phase, at_ms: int) -> Fields:
        if phase == "rolled":
            none = np.zeros(len(rows), np.int64)
            return {Opt.BID_SIZE: none, Opt.ASK_SIZE: none, Opt.QUOTE_TIME: none}
        draw = mix_array(rows.astype(np.uint64) * np.uint64(2_654_435_761) + np.uint64(moment // 2))
        scale = np.uint64(12 if self.profile.cash_settled else 120)
        deep = np.uint64(1) + draw % np.uint64(7)
        return {
            Opt.BID_SIZE: (np.uint64(1) + (draw >> np.uint64(8)) % (scale * deep)).astype(np.int64),
            Opt.ASK_SIZE: (np.uint64(1) + (draw >> np.uint64(24)) % (scale * deep)).astype(np.int64),
            Opt.QUOTE_TIME: at_ms - ((draw >> np.uint64(40)) % np.uint64(900)).astype(np.int64),
        }

    def _changes(self, rows: Rows, mark: F64) -> Fields:
        close, last = self.close[rows], self.tape.last[rows]
        base = np.where(close > 0, close, np.inf)
        return {
            Opt.NET_CHANGE: np.where(close > 0, np.round(last - close, 4), 0.0),
            Opt.NET_PERCENT: np.round(100 * (last - close) / base, 8),
            Opt.MARK_CHANGE: np.where(close > 0, np.round(mark - close, 4), 0.0),
            Opt.MARK_PERCENT: np.round(100 * (mark - close) / base, 8),
        }

    def _traded(self, rows: Rows, intrinsic: F64) -> Fields:
        tape = self.tape
        low = np.where(tape.low[rows] > 0, tape.low[rows], np.inf)
        return {
            Opt.LAST: tape.last[rows], Opt.HIGH: tape.high[rows], Opt.LOW: tape.low[rows], Opt.OPEN: tape.open[rows],
            Opt.VOLUME: tape.volume[rows], Opt.LAST_SIZE: tape.last_size[rows], Opt.TRADE_TIME: tape.trade_ms[rows],
            Opt.TIME_VALUE: np.round(tape.last[rows] - np.maximum(intrinsic, 0.0), 2),
            Opt.HIGH_52: np.maximum(np.round(1.6 * self.close[rows], 2), tape.high[rows]),
            Opt.LOW_52: np.minimum(np.round(0.4 * self.close[rows], 2), low),
        }  # fmt: skip
