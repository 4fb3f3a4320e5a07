"""Signed flow from a trade print to dealers' exposure: who buys an option leaves the dealer short of its gamma."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.gex import Params, compute, contract_gamma, fit
from app.gex.attribution import attribute
from app.gex.incremental import Engine
from app.gex.params import Side
from app.market.chain import Chain
from app.market.scatter import signed_size
from tests import chains

FLOW = Params(weight="flow")


def traded(chain: Chain, row: int, size: float) -> Chain:
    """The chain after `size` contracts of one row traded (bought, if positive), nothing else having traded."""
    flow = np.zeros(len(chain))
    flow[row] = size
    return chains.requoted(chain, flow=flow)


def at_the_money(chain: Chain, *, is_call: bool) -> int:
    apart = np.where(chain.contracts.is_call == is_call, np.abs(chain.contracts.strike - chain.spot), np.inf)
    return int(np.argmin(np.where(chain.contracts.settle_ms > chain.as_of_ms + 86_400_000, apart, np.inf)))


@pytest.mark.parametrize("is_call", [True, False], ids=["call", "put"])
@pytest.mark.parametrize("side", ["naive", "inverted", "long"])
def test_a_customers_purchase_leaves_the_dealer_short_of_that_gamma(is_call: bool, side: Side) -> None:
    chain, _ = chains.synthetic()
    row = at_the_money(chain, is_call=is_call)
    q = chain.quotes
    bought = signed_size(70, float(q.ask[row]), 0.0, float(q.bid[row]) - 0.1, float(q.ask[row]))
    sold = signed_size(70, float(q.bid[row]) - 0.1, 0.0, float(q.bid[row]) - 0.1, float(q.ask[row]))
    gamma = contract_gamma(fit(chain))[row]
    expected = 70 * 100 * gamma * chain.spot**2 * 0.01
    params = replace(FLOW, side=side)
    assert compute(traded(chain, row, bought), params).levels.net_gex == pytest.approx(-expected)
    assert compute(traded(chain, row, sold), params).levels.net_gex == pytest.approx(expected)


def test_calls_and_puts_weigh_alike_and_add_up() -> None:
    chain, _ = chains.synthetic()
    gamma = contract_gamma(fit(chain))
    shares = np.where(np.isfinite(gamma), -chain.quotes.flow * 100.0, 0.0)
    snapshot = compute(chain, FLOW)
    expected = float(np.nansum(shares * gamma)) * chain.spot**2 * 0.01
    assert snapshot.levels.net_gex == pytest.approx(expected, abs=1e-9 * (snapshot.levels.gross_gex or 0))
    assert any("opening" in warning for warning in snapshot.quality.warnings)


def test_unknown_flow_is_left_out_and_counted() -> None:
    chain, _ = chains.synthetic()
    flow = chain.quotes.flow.copy()
    row = at_the_money(chain, is_call=True)
    flow[row] = np.nan
    snapshot = compute(chains.requoted(chain, flow=flow), FLOW)
    assert snapshot.quality.excluded["flow_unknown"] == 1
    nothing = compute(chains.requoted(chain, flow=np.full(len(chain), np.nan)), FLOW)
    assert nothing.levels.net_gex is None
    assert nothing.levels.flips == ()
    assert np.isnan(nothing.strikes.net_gex).all()


def test_engine_and_attribution_count_flow_the_same_way() -> None:
    chain, _ = chains.synthetic()
    row = at_the_money(chain, is_call=False)
    before, after = traded(chain, row, 0.0), traded(chain, row, -40.0)
    engine = Engine(before, FLOW)
    engine.update(np.array([row]), flow=[-40.0])
    whole = compute(after, FLOW).levels
    assert whole.net_gex is not None
    assert whole.net_gex > 0
    assert engine.levels().net_gex == pytest.approx(whole.net_gex)
    assert attribute(fit(before), fit(after), FLOW).weight == pytest.approx(whole.net_gex)
