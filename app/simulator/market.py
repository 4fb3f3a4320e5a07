"""The simulated exchange: its underlyings, and for each of them the book of the day."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

import numpy as np

from app.errors import SymbolError
from app.market.calendar import EXCHANGE_TZ
from app.market.symbols import OptionSymbol, canonical, underlying_of
from app.simulator.asset import Asset
from app.simulator.book import Book, Model
from app.simulator.clock import Clock, Phase
from app.simulator.options import Options
from app.simulator.path import mix
from app.simulator.surface import Ssvi
from app.simulator.underlyings import KNOWN, Profile, profile_of
from app.simulator.universe import Listing, list_contracts

if TYPE_CHECKING:
    from app.simulator.replay import Recording

RATE = 0.039


@dataclass(frozen=True, slots=True)
class Instant:
    """One moment at the exchange.

    Attributes:
        now_ms: what the clock shows.
        market_ms: the last instant of trading: now while it is open.
    """

    now_ms: int
    market_ms: int
    phase: Phase

    @property
    def greeks_known(self) -> bool:
        """Whether volatility and greeks are computed at this time of the night or week."""
        return self.phase not in ("rolled", "weekend")

    @property
    def status(self) -> str:
        """The security status of options."""
        return {"open": "Normal", "rolled": "Unknown"}.get(self.phase, "Closed")


class Market:
    """Every underlying's book, made when first asked for and again when the exchange's day changes.

    Attributes:
        no_greeks: a fault: all volatilities and greeks read -999.
        listed_share: a fault: the part of each chain that REST lists, 1.0 for all.
    """

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options, self.clock = options, clock
        self.no_greeks = False
        self.listed_share = 1.0
        self._start_ms = clock.now_ms()
        self._tick_ms = max(round(options.tick_s * 1000), 1)
        self._assets: dict[str, Asset] = {}
        self._books: dict[str, tuple[tuple[date, date], Book]] = {}
        self._roots: dict[str, str] = {}
        self._recording = _recording(options, self._start_ms)
        self.symbols = tuple(dict.fromkeys((*self._recorded(), *options.symbols)))
        for symbol in self.symbols:
            self.book(symbol)

    def instant(self, profile: Profile | None = None) -> Instant:
        """Now, on the last tick: everybody who looks within one tick sees the same prices.

        Args:
            profile: whose options it is asked for: index options may trade overnight.
        """
        overnight = self.options.open.overnight and profile is not None and profile.cash_settled
        now = self.clock.now_ms()
        now -= (now - self._start_ms) % self._tick_ms
        return Instant(now, self.clock.market_ms(now, overnight), self.clock.phase(now, overnight))

    def until_tick_s(self) -> float:
        """Seconds until prices move again; above 0."""
        return (self._tick_ms - (self.clock.now_ms() - self._start_ms) % self._tick_ms) / 1000

    def asset(self, symbol: str) -> Asset | None:
        """The underlying of a canonical symbol; None when it isn't traded here."""
        if symbol not in self._assets:
            if symbol not in self.symbols and symbol not in KNOWN:
                return None
            profile = self._profile(symbol)
            self._assets[symbol] = Asset(
                profile,
                self.options.seed,
                profile.spot,
                self._start_ms,
                every_day=self.options.hours == "always",
            )
        return self._assets[symbol]

    def find_asset(self, wire_symbol: str) -> Asset | None:
        """The underlying that the wire calls so: $SPX is one, SPX and spx are none."""
        try:
            asset = self.asset(canonical(wire_symbol))
        except SymbolError:
            return None
        return asset if asset is not None and asset.profile.wire == wire_symbol else None

    def book(self, symbol: str) -> Book | None:
        """Today's options of a canonical symbol; None when it isn't traded here."""
        asset = self.asset(symbol)
        if asset is None:
            return None
        now = self.clock.now_ms()
        key = (self.clock.listing_day(now), self.clock.interest_day(now))
        if symbol not in self._books or self._books[symbol][0] != key:
            self._books[symbol] = (key, self._open_book(asset, *key))
            self._roots |= {series.root: symbol for series in self._books[symbol][1].listing.series}
        return self._books[symbol][1]

    def find_option(self, text: str) -> tuple[Book, int] | None:
        """The book and row of a 21-character option symbol; None when there is no such contract."""
        try:
            root = OptionSymbol.parse(text).root
            book = self.book(self._roots.get(root) or underlying_of(root))
        except SymbolError:
            return None
        row = None if book is None else book.row.get(text)
        return None if book is None or row is None else (book, row)

    def jump(self, symbol: str, percent: float) -> bool:
        """Move one underlying's price at once; false when there is no such underlying."""
        asset = self.asset(symbol)
        if asset is not None:
            asset.jump(percent, self.instant(asset.profile).market_ms)
        return asset is not None

    def spots(self) -> dict[str, float]:
        """The price of every underlying that was asked for."""
        at = self.instant().market_ms
        return {symbol: asset.spot(at) for symbol, asset in sorted(self._assets.items())}

    def listed(self) -> dict[str, int]:
        """Contracts of every book that was asked for."""
        return {symbol: len(book) for symbol, (_, book) in sorted(self._books.items())}

    def _recorded(self) -> Iterator[str]:
        if self._recording is not None:
            yield self._recording.symbol

    def _profile(self, symbol: str) -> Profile:
        profile = profile_of(symbol)
        if self._recording is not None and symbol == self._recording.symbol:
            return self._recording.profile(profile)
        return profile

    def _open_book(self, asset: Asset, day: date, interest_day: date) -> Book:
        profile = asset.profile
        listing, model = self._listing(asset, day, interest_day)
        seed = mix(self.options.seed) ^ zlib.crc32(profile.symbol.encode()) ^ day.toordinal()
        now = self.clock.now_ms()
        market_ms = self.clock.market_ms(now)
        return Book(asset, listing, model, day, seed, market_ms, _share_of_day(market_ms, day))

    def _listing(self, asset: Asset, day: date, interest_day: date) -> tuple[Listing, Model]:
        profile = asset.profile
        if self._recording is not None and profile.symbol == self._recording.symbol:
            return self._recording.listing(day), self._recording.model
        every_day = self.options.hours == "always"
        centre = asset.positioned_at(interest_day)
        listing = list_contracts(profile, day, self.options.seed, interest_day, every_day, centre)
        surface = Ssvi(vol=profile.vol, short_vol=0.72 * profile.vol)
        return listing, Model(surface, RATE, np.full(len(listing.series), RATE - profile.dividend))


def _recording(options: Options, start_ms: int) -> Recording | None:
    if options.chain is None:
        return None
    from app.simulator.replay import Recording  # compiles the engine, which a made-up market doesn't need

    return Recording(options.chain, start_ms)


def _share_of_day(market_ms: int, day: date) -> float:
    midnight = datetime(day.year, day.month, day.day, tzinfo=EXCHANGE_TZ).timestamp() * 1000
    return float(np.clip((market_ms - midnight) / 86_400_000, 0.0, 1.0))
