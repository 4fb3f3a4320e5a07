"""Delta, vanna, charm, vega and their exposures against QuantLib; attribution and scenarios against full recomputation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813 - its own documentation's name

from app.gex import Params, compute, fit
from app.gex.attribution import attribute, scenario
from app.gex.greeks import exposures, greeks
from app.market.chain import Chain
from tests import chains
from tests.chains import Truth

SHORT = datetime(2026, 10, 16, 19, 59, 30, tzinfo=UTC)


def delta(kind: int, strike: float, spot: float, vol: float, years: float, q: float) -> float:
    payoff = ql.PlainVanillaPayoff(kind, strike)
    forward = spot * np.exp((chains.RATE - q) * years)
    discount = np.exp(-chains.RATE * years)
    return float(ql.BlackCalculator(payoff, forward, vol * np.sqrt(years), discount).delta(spot))


def slope(function, at: float, step: float) -> float:
    """Derivative by central differences of the sixth order."""
    weights = ((1, 45.0), (2, -9.0), (3, 1.0))
    return sum(w * (function(at + k * step) - function(at - k * step)) for k, w in weights) / (60 * step)


@pytest.mark.parametrize("as_of", [chains.AS_OF, SHORT], ids=["3 h", "30 s"])
def test_each_greek_is_quantlibs(as_of: datetime) -> None:
    chain, truth = chains.synthetic(as_of=as_of)
    surface = fit(chain)
    found, layout = greeks(surface), surface.layout
    rng = np.random.default_rng(1)
    near = np.flatnonzero(np.abs(surface.d1) < 4)
    for node in rng.choice(near, 60, replace=False).tolist():
        row = int(layout.call_row[node])
        strike, years = float(layout.strike[node]), float(truth.years[row])
        vol = float(truth.total_vol[row]) / np.sqrt(years)
        q = chains.RATE - np.log(truth.forward[row] / chain.spot) / years
        legs = (
            (ql.Option.Call, found.call_delta, found.call_charm),
            (ql.Option.Put, found.put_delta, found.put_charm),
        )
        for kind, deltas, charms in legs:
            assert deltas[node] == pytest.approx(delta(kind, strike, chain.spot, vol, years, q), abs=1e-7)
            vanna = slope(lambda v: delta(kind, strike, chain.spot, v, years, q), vol, 1e-3 * vol)  # noqa: B023
            assert found.vanna[node] == pytest.approx(vanna, rel=1e-7, abs=1e-7)
            charm = -slope(lambda t: delta(kind, strike, chain.spot, vol, t, q), years, 1e-3 * years)  # noqa: B023
            assert charms[node] == pytest.approx(charm, rel=1e-7, abs=1e-7 / years)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call, strike)
        forward, discount = float(truth.forward[row]), float(truth.discount[row])
        calculator = ql.BlackCalculator(payoff, forward, float(truth.total_vol[row]), discount)
        assert found.vega[node] == pytest.approx(calculator.vega(years), rel=1e-7, abs=1e-9)


def dealers_delta(chain: Chain, truth: Truth, spot: float) -> float:
    """Dollars of delta that dealers hold under the naive side, F/S held, by SciPy's prices one cent apart."""
    rows = chain.contracts.settle_ms > chain.as_of_ms
    c, step = chain.contracts, 0.01

    def price(at: float) -> np.ndarray:
        forward = truth.forward[rows] * at / chain.spot
        return truth.discount[rows] * chains.black(
            forward, c.strike[rows], truth.total_vol[rows], c.is_call[rows]
        )

    held = np.where(c.is_call[rows], 100.0, -100.0) * chain.quotes.open_interest[rows]
    return float(np.sum(held * (price(spot + step) - price(spot - step)))) * spot / (2 * step)


def test_delta_exposure_is_what_dealers_gain_per_dollar_of_spot() -> None:
    chain, truth = chains.synthetic()
    found = exposures(fit(chain))
    assert found.dex.total == pytest.approx(dealers_delta(chain, truth, chain.spot), rel=1e-5)


def test_every_view_of_an_exposure_adds_up_to_its_total() -> None:
    chain, _ = chains.synthetic()
    found = exposures(fit(chain), Params(weight="oi_plus_volume"))
    assert found.gex.total == pytest.approx(compute(chain, Params(weight="oi_plus_volume")).levels.net_gex)
    for part in (found.gex, found.dex, found.vex, found.chex_day, found.chex_hour):
        scale = np.abs(part.by_cell).sum()
        assert part.by_strike.sum() == pytest.approx(part.total, abs=1e-9 * scale)
        assert part.by_expiry.sum() == pytest.approx(part.total, abs=1e-9 * scale)
        assert sum(part.by_bucket.values()) == pytest.approx(part.total, abs=1e-9 * scale)
        assert part.by_cell.shape == (len(found.expiries), len(found.strike))
        assert set(part.by_bucket) == {"0dte", "week", "month", "rest"}


def test_charm_on_the_expiry_day_is_per_hour() -> None:
    chain, _ = chains.synthetic()
    surface = fit(chain)
    found, per_year = exposures(surface), greeks(surface)
    today = np.flatnonzero(surface.layout.node_series == 0)
    held = chain.quotes.open_interest * 100.0
    call, put = surface.layout.call_row[today], surface.layout.put_row[today]
    yearly = np.nansum(held[call] * per_year.call_charm[today] - held[put] * per_year.put_charm[today])
    assert found.expiries[0] == date(2026, 10, 16)
    assert found.chex_day.by_expiry[0] == 0
    assert not found.chex_hour.by_expiry[1:].any()
    assert found.chex_hour.by_expiry[0] == pytest.approx(chain.spot * yearly / (365 * 24))


def test_the_parts_of_a_change_add_up_and_name_their_cause() -> None:
    before, truth = chains.synthetic()
    surface = fit(before)

    def parts(after: Chain):
        found = attribute(surface, fit(after))
        total = found.expired + found.spot + found.volatility + found.weight + found.coverage
        assert total == pytest.approx(found.after - found.before, abs=1e-9 * abs(found.before))
        assert found.after == pytest.approx(compute(after).levels.net_gex)
        return found

    busier = parts(chains.requoted(before, open_interest=before.quotes.open_interest * 1.1))
    assert busier.weight == pytest.approx(0.1 * busier.before, rel=1e-6)
    assert busier.spot == busier.expired == busier.coverage == 0
    assert busier.volatility == pytest.approx(0, abs=1e-6 * abs(busier.before))

    moved = parts(chains.synthetic(spot=chains.SPOT * 1.001)[0])
    assert abs(moved.spot) > 0

    c = before.contracts
    price = truth.discount * chains.black(truth.forward, c.strike, 0.9 * truth.total_vol, c.is_call)
    calmer = parts(chains.requoted(before, bid=price, ask=price))
    assert calmer.volatility == pytest.approx(calmer.after - calmer.before)
    assert calmer.volatility != 0

    later = parts(replace(before, as_of_ms=before.as_of_ms + 4 * 3_600_000))
    first = next(e for e in compute(before).expiries if e.expiry == date(2026, 10, 16))
    assert later.expired == pytest.approx(-first.net_gex)


def test_a_scenario_is_the_chain_as_it_would_be_there() -> None:
    chain, _ = chains.synthetic(carry=chains.RATE)
    table = scenario(fit(chain), np.array([-0.03, 0.0, 0.02]), np.array([-0.01, 0.0, 0.05]))
    levels = compute(chain).levels
    assert levels.gross_gex is not None
    assert table[1, 1] == pytest.approx(levels.net_gex, abs=1e-9 * levels.gross_gex)
    # an independent chain, priced with the shifted volatility at the same strikes
    lifted = chains.synthetic(carry=chains.RATE, vol=lambda f, k, t: chains.skew(f, k, t) + 0.05)[0]
    rows = np.isin(lifted.contracts.symbol, chain.contracts.symbol)
    other = lifted.take(rows)
    _, mine, theirs = np.intersect1d(chain.contracts.symbol, other.contracts.symbol, return_indices=True)
    held = np.zeros(len(other))
    held[theirs] = chain.quotes.open_interest[mine]
    expected = compute(chains.requoted(other, open_interest=held)).levels.net_gex
    assert table[2, 1] == pytest.approx(expected, abs=1e-6 * levels.gross_gex)
