"""What the simulator knows of each underlying: a plausible price, volatility, dividend, and how its options are listed."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

from app.market.symbols import INDICES, wire

Kind = Literal["INDEX", "ETF", "EQUITY"]


@dataclass(frozen=True, slots=True)
class Profile:
    """One underlying.

    Attributes:
        symbol: canonical, SPX.
        spot: where its price starts, $.
        vol: long-run volatility, a fraction per year.
        dividend: continuous yield, a fraction per year.
        contracts: how many options are listed, about.
        step: finest distance between strikes, $.
        am_root: root of the AM-settled monthlies, "" when there are none.
        pm_root: root of everything PM-settled.
        beta: share of the broad market's move in this one's.
        open_interest: contracts open in the whole chain.
    """

    symbol: str
    description: str
    kind: Kind
    spot: float
    vol: float
    dividend: float
    contracts: int
    step: float
    am_root: str = ""
    pm_root: str = ""
    beta: float = 1.0
    open_interest: float = 1e6
    exchange: str = "Q"
    exchange_name: str = "NASDAQ"

    @property
    def wire(self) -> str:
        """The symbol as Schwab's wire writes it, $SPX."""
        return wire(self.symbol)

    @property
    def cash_settled(self) -> bool:
        """European and settled in cash (indices), or American and delivered in shares."""
        return self.kind == "INDEX"


def _index(
    symbol: str,
    name: str,
    spot: float,
    vol: float,
    contracts: int,
    step: float,
    roots: str,
    oi: float,
    **more: float,
) -> Profile:
    am, pm = roots.split(",")
    return Profile(
        symbol, name, "INDEX", spot, vol, more.get("dividend", 0.0), contracts, step, am, pm, more.get("beta", 1.0), oi,
        "0", "Index",
    )  # fmt: skip


def _etf(
    symbol: str, name: str, spot: float, vol: float, dividend: float, contracts: int, oi: float, beta: float
) -> Profile:
    return Profile(
        symbol, name, "ETF", spot, vol, dividend, contracts, 1.0, "", symbol, beta, oi, "P", "NYSE Arca"
    )  # fmt: skip


def _stock(
    symbol: str, name: str, spot: float, vol: float, dividend: float, beta: float, oi: float = 4e6
) -> Profile:
    step = 1.0 if spot < 150 else 2.5 if spot < 500 else 5.0
    root = symbol.replace("/", "")
    return Profile(symbol, name, "EQUITY", spot, vol, dividend, 2000, step, "", root, beta, oi)


_KNOWN = (
    _index("SPX", "S&P 500 INDEX", 7680.0, 0.17, 20_000, 5.0, "SPX,SPXW", 15e6, dividend=0.012),
    _index(
        "NDX", "NASDAQ 100 INDEX", 28_400.0, 0.21, 10_000, 10.0, "NDX,NDXP", 0.6e6, dividend=0.006, beta=1.25
    ),
    _index(
        "RUT", "RUSSELL 2000 INDEX", 2540.0, 0.22, 6_000, 5.0, "RUT,RUTW", 1.5e6, dividend=0.012, beta=1.15
    ),
    _index("VIX", "CBOE VOLATILITY INDEX", 17.2, 0.95, 1_000, 0.5, "VIX,VIXW", 9e6, beta=-5.0),
    _index("XSP", "S&P 500 MINI INDEX", 768.0, 0.17, 8_000, 1.0, ",XSP", 0.7e6, dividend=0.012),
    _etf("SPY", "SPDR S&P 500 ETF TRUST", 765.3, 0.17, 0.011, 8_000, 18e6, 1.0),
    _etf("QQQ", "INVESCO QQQ TRUST SERIES 1", 690.4, 0.21, 0.005, 7_000, 11e6, 1.25),
    _etf("IWM", "ISHARES RUSSELL 2000 ETF", 252.6, 0.22, 0.011, 4_000, 9e6, 1.15),
    _etf("DIA", "SPDR DOW JONES INDUSTRIAL AVERAGE ETF TRUST", 478.9, 0.15, 0.014, 4_000, 0.9e6, 0.9),
    _stock("AAPL", "APPLE INC", 284.7, 0.27, 0.004, 1.1, 6e6),
    _stock("MSFT", "MICROSOFT CORP", 541.2, 0.25, 0.007, 1.0),
    _stock("NVDA", "NVIDIA CORP", 187.3, 0.43, 0.0, 1.8, 18e6),
    _stock("TSLA", "TESLA INC", 357.4, 0.52, 0.0, 1.7, 8e6),
    _stock("AMZN", "AMAZON.COM INC", 247.3, 0.31, 0.0, 1.3, 6e6),
    _stock("META", "META PLATFORMS INC", 706.8, 0.33, 0.003, 1.3, 3e6),
    _stock("GOOGL", "ALPHABET INC CLASS A", 291.5, 0.30, 0.003, 1.2),
    _stock("AMD", "ADVANCED MICRO DEVICES INC", 231.9, 0.50, 0.0, 1.7, 5e6),
)
KNOWN = {profile.symbol: profile for profile in _KNOWN}


def profile_of(symbol: str) -> Profile:
    """The profile of a canonical symbol; one that isn't known gets a made-up stock, the same at every start."""
    if symbol in KNOWN:
        return KNOWN[symbol]
    draw = zlib.crc32(symbol.encode())
    spot = round(20 * 40 ** (draw % 1000 / 1000), 2)
    vol = 0.22 + 0.3 * (draw // 1000 % 1000) / 1000
    if symbol in INDICES:
        return _index(
            symbol, f"{symbol} INDEX", spot, vol, 2_000, max(1.0, round(spot / 200)), f",{symbol}", 0.3e6
        )
    return _stock(symbol, f"{symbol} CORP", spot, vol, 0.0, 1.0, 0.4e6)
