"""Smiles, skew and term structure against the surface that the chain was priced with."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import ndtr

from app.gex import compute, fit
from app.gex.smile import smiles
from app.gex.vols import VOL_SOURCES
from tests import chains
from tests.chains import Listed

DENSE = (
    Listed("SPXW", date(2026, 11, 20), step=0.5, width=3.0),
    Listed("SPX", date(2027, 6, 17), "A", 1.0, 3.0),
)


def test_a_smile_gives_back_the_volatilities_that_made_the_prices() -> None:
    chain, _ = chains.synthetic()
    found = smiles(fit(chain))
    assert [(s.root, s.expiry) for s in found] == [(e.root, e.expiry) for e in compute(chain).expiries]
    for smile in found:
        near = np.abs(smile.log_moneyness) < 3 * smile.total_vol
        expected = chains.skew(smile.forward, smile.strike, smile.years)
        np.testing.assert_allclose(smile.vol[near], expected[near], rtol=1e-6)
        np.testing.assert_allclose(smile.log_moneyness, np.log(smile.strike / smile.forward))
        np.testing.assert_allclose(smile.vol * np.sqrt(smile.years), smile.total_vol)
        assert set(smile.sources) <= set(VOL_SOURCES)


def test_bid_and_ask_enclose_the_smile_and_the_vendors_stands_beside_it() -> None:
    exact, _ = chains.synthetic()
    iv = np.where(exact.contracts.is_call, 0.21, 0.34)
    for smile in smiles(fit(chains.requoted(chains.rounded(exact), iv=iv))):
        known = np.isfinite(smile.vol)
        assert np.all(smile.bid_vol[known] <= smile.vol[known])
        assert np.all(smile.vol[known] <= smile.ask_vol[known])
        expected = np.where(smile.strike >= smile.forward, 0.21, 0.34)
        np.testing.assert_allclose(smile.vendor_vol, expected, rtol=1e-6)


def quarter_delta_vol(forward: float, years: float, is_call: bool) -> float:
    """Volatility at the strike whose forward delta is a quarter, on the surface that made the prices."""

    def excess(strike: float) -> float:
        x = float(chains.skew(forward, np.array([strike]), years)[0]) * np.sqrt(years)
        d1 = np.log(forward / strike) / x + x / 2
        return float(ndtr(d1) if is_call else ndtr(-d1)) - 0.25

    strike = brentq(excess, forward if is_call else 0.5 * forward, 2 * forward if is_call else forward)
    return float(chains.skew(forward, np.array([strike]), years)[0])


def test_the_skew_is_that_of_the_quarter_delta_options() -> None:
    chain, _ = chains.synthetic(series=DENSE)
    rows = compute(chain).expiries
    assert len(rows) == 2
    for row in rows:
        assert row.forward is not None
        assert row.risk_reversal is not None
        years = (row.settle_ms - chain.as_of_ms) / chains.YEAR_MS
        put, call = (quarter_delta_vol(row.forward, years, is_call) for is_call in (False, True))
        at_money = float(chains.skew(row.forward, np.array([row.forward]), years)[0])
        assert row.risk_reversal == pytest.approx(call - put, abs=1e-6)
        assert row.butterfly == pytest.approx((call + put) / 2 - at_money, abs=1e-6)
        assert row.risk_reversal < 0


def test_a_smile_that_ends_before_a_quarter_delta_has_no_skew() -> None:
    narrow = (Listed("SPXW", date(2026, 11, 20), step=10.0, width=0.3),)
    (row,) = compute(chains.synthetic(series=narrow)[0]).expiries
    assert row.atm_vol is not None
    assert row.risk_reversal is None
    assert row.butterfly is None
