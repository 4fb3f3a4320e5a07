"""The engine that replaces what changed, against computing everything again."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import product
from typing import get_args

import numpy as np
import pytest

from app.gex import Params, expose, fit
from app.gex.incremental import Engine
from app.gex.params import Side, Unit, Weight
from app.market.chain import Chain
from tests import chains

# A million changed rows in all with GEX_UPDATES=50000, then under every convention.
UPDATES = int(os.environ.get("GEX_UPDATES", "400"))
ROWS = 20
CONVENTIONS = [Params(), Params(weight="volume", unit="per_point", bucket="month")]
if "GEX_UPDATES" in os.environ:
    every = product(get_args(Side), get_args(Weight), get_args(Unit))
    CONVENTIONS += [Params(side=side, weight=weight, unit=unit) for side, weight, unit in every][1:]


def assert_same(engine: Engine, chain: Chain, params: Params) -> None:
    whole = expose(fit(chain), params)
    levels, kept = whole.levels, engine.levels()
    assert levels.gross_gex is not None
    for name in ("net_gex", "call_gex", "put_gex", "gross_gex"):
        assert getattr(kept, name) == pytest.approx(getattr(levels, name), abs=1e-9 * levels.gross_gex)
    np.testing.assert_allclose(kept.flips, levels.flips, rtol=1e-9)
    assert (kept.call_wall, kept.put_wall) == (levels.call_wall, levels.put_wall)
    assert kept.absolute_gamma_strike == levels.absolute_gamma_strike
    assert kept.max_pain == levels.max_pain
    spots, values = engine.profile()
    np.testing.assert_allclose(spots, whole.profile_spot)
    np.testing.assert_allclose(values, whole.profile_gex, atol=1e-9 * levels.gross_gex)


@pytest.mark.parametrize("params", CONVENTIONS, ids=str)
def test_after_many_changed_rows_nothing_has_drifted(params: Params) -> None:
    exact, _ = chains.synthetic()
    chain = chains.rounded(exact)
    engine = Engine(chain, params)
    rng = np.random.default_rng(11)
    columns = {
        name: getattr(chain.quotes, name).copy() for name in ("bid", "ask", "open_interest", "volume", "flow")
    }
    level = np.ones(len(chain))
    for _ in range(UPDATES):
        rows = rng.choice(len(chain), ROWS, replace=False)
        level[rows] *= np.exp(rng.normal(0, 0.01, ROWS))
        fresh = chains.rounded(exact.take(rows), level=level[rows]).quotes
        dark = rng.uniform(size=ROWS) < 0.02
        changed = {
            "bid": np.where(dark, np.nan, fresh.bid),
            "ask": fresh.ask,
            "open_interest": rng.integers(0, 3000, ROWS),
            "volume": rng.integers(0, 900, ROWS),
            "flow": rng.integers(-500, 500, ROWS),
        }
        for name, values in changed.items():
            columns[name][rows] = values
        engine.update(rows, **changed)
    assert_same(engine, chains.requoted(chain, **columns), params)


def test_the_vendors_volatility_follows_where_no_quote_tells() -> None:
    exact, _ = chains.synthetic()
    dark = np.flatnonzero(exact.contracts.strike <= np.quantile(exact.contracts.strike, 0.2))
    bid = exact.quotes.bid.copy()
    bid[dark] = np.nan
    chain = chains.requoted(exact, bid=bid)
    engine = Engine(chain)
    vols = np.full(len(dark), 0.4, np.float32)
    engine.update(dark, iv=vols)
    iv = chain.quotes.iv.copy()
    iv[dark] = vols
    changed = chains.requoted(chain, iv=iv)
    assert expose(fit(changed)).levels.net_gex != expose(fit(chain)).levels.net_gex
    assert_same(engine, changed, Params())


def test_spot_alone_moves_exposures_and_leaves_the_profile() -> None:
    chain, _ = chains.synthetic()
    engine = Engine(chain)
    before = engine.profile()
    moved = chain.spot * 1.004
    engine.move(moved)
    np.testing.assert_array_equal(engine.profile()[1], before[1])
    at = np.interp(moved, *before)
    levels = engine.levels()
    assert levels.gross_gex is not None
    assert levels.net_gex == pytest.approx(at, abs=0.02 * levels.gross_gex)
    assert levels.flips == pytest.approx(expose(fit(chain)).levels.flips)


def test_anchored_again_it_is_the_chain_at_the_new_spot() -> None:
    chain, _ = chains.synthetic()
    engine = Engine(chain)
    engine.move(chain.spot * 1.002)
    engine.anchor()
    levels = expose(fit(replace(chain, spot=chain.spot * 1.002))).levels
    assert levels.gross_gex is not None
    assert engine.levels().net_gex == pytest.approx(levels.net_gex, abs=1e-9 * levels.gross_gex)


def test_a_quote_that_says_the_same_after_a_move_gives_its_series_the_forward_of_its_prices() -> None:
    chain, _ = chains.synthetic()
    spot = chain.spot * 1.002
    again, anchored = Engine(chain), Engine(chain)
    for engine in (again, anchored):
        engine.move(spot)
    assert again.levels().net_gex != pytest.approx(expose(fit(replace(chain, spot=spot))).levels.net_gex)
    again.update(np.arange(len(chain)), bid=chain.quotes.bid, ask=chain.quotes.ask)
    anchored.anchor()
    levels = expose(fit(replace(chain, spot=spot))).levels
    assert levels.gross_gex is not None
    for engine in (again, anchored):
        assert engine.levels().net_gex == pytest.approx(levels.net_gex, abs=1e-9 * levels.gross_gex)


def test_a_spot_that_leaves_the_grids_middle_lays_a_new_grid() -> None:
    chain, _ = chains.synthetic()
    engine = Engine(chain)
    engine.move(chain.spot * 1.07)
    spots, values = engine.profile()
    assert spots[0] == pytest.approx(0.8 * 1.07 * chain.spot)
    middle = np.interp(chain.spot * 1.07, spots, values)
    levels = engine.levels()
    assert levels.gross_gex is not None
    assert levels.net_gex == pytest.approx(middle, abs=0.02 * levels.gross_gex)


def test_the_given_chain_is_left_alone() -> None:
    chain, _ = chains.synthetic()
    bid = chain.quotes.bid.copy()
    engine = Engine(chain)
    engine.update(np.array([3, 4]), bid=np.nan, ask=np.nan)
    np.testing.assert_array_equal(chain.quotes.bid, bid)
