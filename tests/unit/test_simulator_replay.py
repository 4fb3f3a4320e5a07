"""A real chain as the simulator's market: the levels that it shows are the file's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from app.chainfile import read_chain
from app.errors import ChainFileError
from app.gex import compute
from app.market.calendar import exchange_day, to_ms
from app.market.chain import Chain
from app.simulator.clock import Clock
from app.simulator.market import Market
from app.simulator.options import Options
from tests import simulation
from tests.support import data_file

FILES = [
    "spx_2024-01-05.csv",
    "spx_2022-12-12.csv",
    "rut_2023-09-20.cboe.json",
    "schwab_spx_0dte_2024-10-15.json",
]
# early in the day, late, and on a weekend
STARTS = [
    datetime(2026, 11, 23, 7, tzinfo=UTC),
    datetime(2026, 11, 24, 23, tzinfo=UTC),
    datetime(2026, 11, 22, 18, tzinfo=UTC),
]


@cache
def real(name: str) -> Chain:
    """A real chain, read once."""
    return read_chain(data_file(name))


@cache
def shown(name: str, start: datetime) -> Chain:
    """What a client reads of a simulator that starts from this file at this instant."""
    chain = real(name)
    clock = Clock(start=start, source=lambda: 1e9)
    return simulation.shown(Market(Options(chain=chain, symbols=(chain.symbol,)), clock), chain.symbol)


@pytest.mark.parametrize(
    ("name", "start"), [*((name, STARTS[0]) for name in FILES), *((FILES[0], s) for s in STARTS[1:])]
)
def test_the_levels_are_the_files(name: str, start: datetime) -> None:
    own, live = compute(real(name)).levels, compute(shown(name, start)).levels
    assert own.net_gex is not None
    assert own.gross_gex is not None
    assert live.net_gex == pytest.approx(own.net_gex, abs=0.002 * own.gross_gex)
    assert live.flip == pytest.approx(own.flip, rel=2e-4)
    assert (live.call_wall, live.put_wall) == (own.call_wall, own.put_wall)


def test_strikes_open_interest_volume_and_spot_are_kept_and_expired_series_are_not() -> None:
    chain, live = real(FILES[0]), shown(FILES[0], STARTS[0])
    alive = chain.contracts.settle_ms > chain.as_of_ms
    kept = dict(zip(_keys(live), live.quotes.open_interest.tolist(), strict=True))
    days = exchange_day(to_ms(STARTS[0])) - exchange_day(chain.as_of_ms)
    wanted = dict(
        zip(_keys(chain.take(alive), days), chain.quotes.open_interest[alive].tolist(), strict=True)
    )
    assert len(kept) > 0.99 * len(wanted)
    assert all(wanted[key] == held for key, held in kept.items())
    assert live.spot == pytest.approx(chain.spot, abs=0.01)
    assert np.nansum(live.quotes.volume) == pytest.approx(np.nansum(chain.quotes.volume[alive]), rel=0.01)


def _keys(chain: Chain, days: timedelta = timedelta(0)) -> list[tuple[object, ...]]:
    c = chain.contracts
    moved = c.expiry + np.timedelta64(days.days, "D")
    return list(zip(c.root.tolist(), moved.tolist(), c.right.tolist(), c.strike.tolist(), strict=True))


def test_quotes_out_of_the_money_are_the_files_own() -> None:
    chain, live = real(FILES[0]), shown(FILES[0], STARTS[0])
    days = exchange_day(to_ms(STARTS[0])) - exchange_day(chain.as_of_ms)
    file_bid = dict(zip(_keys(chain, days), chain.quotes.bid.tolist(), strict=True))
    c, keys = live.contracts, _keys(live)
    outside = np.where(c.is_call, c.strike > 1.01 * live.spot, c.strike < 0.99 * live.spot)
    same = [abs(live.quotes.bid[row] - file_bid[keys[row]]) < 0.011 for row in np.flatnonzero(outside)]
    assert np.mean(same) > 0.98


def test_a_chain_without_a_living_contract_is_refused_in_one_line() -> None:
    chain = real("schwab_spx_0dte_2024-10-15.json")
    settled = chain.take(chain.contracts.settle_ms < 0)
    with pytest.raises(ChainFileError, match="no contract that is alive"):
        Market(Options(chain=settled, symbols=("SPX",)), Clock(start=STARTS[0], source=lambda: 1e9))
