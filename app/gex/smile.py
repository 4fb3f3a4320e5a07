"""Each expiry's smile: our volatility by strike with its source, beside the vendor's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from app.gex import surface_kernels
from app.gex.surface import Surface
from app.gex.vols import VOL_SOURCES

F64 = NDArray[np.float64]
I8 = NDArray[np.int8]


@dataclass(frozen=True, eq=False, slots=True)
class Smile:
    """One live series (a root on a date), its strikes ascending, shape (n,) each; NaN is unknown.

    Attributes:
        years: time to settlement, ACT/365; forward: F in $.
        strike: $.
        log_moneyness: ln(K/F).
        total_vol: x = sigma sqrt(T), as the exposures use it.
        vol: the same per year, a fraction: x / sqrt(T).
        bid_vol, ask_vol: vol with all quotes at bid and at ask; vol itself where it comes from no quote.
        vendor_vol: the vendor's for the out-of-the-money option, else for the other, a fraction per year.
        source: where total_vol comes from, codes of `app.gex.vols.VOL_SOURCES`; `sources` gives the words.
    """

    expiry: date
    root: str
    settlement: str
    years: float
    forward: float
    strike: F64
    log_moneyness: F64
    total_vol: F64
    vol: F64
    bid_vol: F64
    ask_vol: F64
    vendor_vol: F64
    source: I8

    @property
    def sources(self) -> list[str | None]:
        """otm, other_leg, interpolated, vendor, extrapolated, or None where the volatility is unknown."""
        return [VOL_SOURCES[code] for code in self.source.tolist()]


def smiles(surface: Surface) -> tuple[Smile, ...]:
    """The smile of every live series that has a forward, in order of settlement."""
    live = np.flatnonzero(surface.alive & np.isfinite(surface.forward))
    return tuple(smile(surface, s) for s in live.tolist())


def smile(surface: Surface, series: int) -> Smile:
    """The smile of one series, by its position in `surface.layout.series`; NaN throughout where it has no forward."""
    layout, named = surface.layout, surface.layout.series[series]
    part = slice(layout.starts[series], layout.starts[series + 1])
    strike, forward = layout.strike[part], float(surface.forward[series])
    years = float(surface.years[series])
    root = np.sqrt(years) if years > 0 else np.nan
    low, high = surface.band_vols
    vendor, iv = np.empty(len(strike)), surface.chain.quotes.iv
    surface_kernels.vendor_vols(layout.call_row[part], layout.put_row[part], iv, strike, forward, vendor)
    return Smile(
        expiry=named.expiry,
        root=named.root,
        settlement=named.settlement,
        years=years,
        forward=forward,
        strike=strike,
        log_moneyness=np.log(strike / forward),
        total_vol=surface.total_vol[part],
        vol=surface.total_vol[part] / root,
        bid_vol=low[part] / root,
        ask_vol=high[part] / root,
        vendor_vol=vendor,
        source=surface.vol_source[part],
    )
