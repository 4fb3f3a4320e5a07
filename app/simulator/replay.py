"""A real chain as the simulator's starting point: its strikes, open interest and volatilities, dated from today."""

from __future__ import annotations

from datetime import date

from app.market.chain import Chain
from app.simulator.book import Model
from app.simulator.underlyings import Profile
from app.simulator.universe import Listing


class Recording:
    symbol: str
    model: Model

    def __init__(self, chain: Chain, start_ms: int) -> None:
        raise NotImplementedError

    def profile(self, profile: Profile) -> Profile:
        raise NotImplementedError

    def listing(self, day: date) -> Listing:
        raise NotImplementedError
