"""What every part of one simulator works on."""

from __future__ import annotations

from dataclasses import dataclass

from app.simulator.faults import Counters, Faults
from app.simulator.market import Market
from app.simulator.options import Options
from app.simulator.tokens import TokenMint


@dataclass(frozen=True, slots=True)
class Shared:
    """One market, one mint, one set of faults and counters: the same for REST, the streamer and the switches."""

    options: Options
    market: Market
    mint: TokenMint
    faults: Faults
    counters: Counters
