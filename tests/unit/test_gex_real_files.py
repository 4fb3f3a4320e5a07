"""Levels of the real chains: published figures, and the vendor's own gamma sums (gex-math section 6)."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import orjson
import pytest

from app.chainfile import read_chain
from app.gex import compute, contract_gamma, fit
from app.market.chain import Chain
from tests.support import ROOT, clean_environment, data_file

FILES = [
    "spx_2024-01-05.csv",
    "spx_2022-12-12.csv",
    "ndx_2022-12-12.csv",
    "rut_2023-09-20.cboe.json",
    "schwab_spx_0dte_2024-10-15.json",
]


def command(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "app", "gex", *arguments],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()
    return orjson.loads(done.stdout)


def gamma_sum(chain: Chain, gamma: np.ndarray) -> float:
    sign = np.where(chain.contracts.is_call, 1.0, -1.0)
    weight = sign * chain.quotes.open_interest * chain.contracts.multiplier
    return float(np.nansum(weight * gamma * chain.spot**2 * 0.01))


@pytest.mark.parametrize(
    ("name", "total", "flips"),
    [
        ("spx_2024-01-05.csv", -10.9987, [4734.48]),
        ("spx_2022-12-12.csv", -1.0752, [4013.95]),
        ("ndx_2022-12-12.csv", 1.0875, [10697, 10821, 11170]),
    ],
)
def test_the_copied_method_is_reproduced_to_all_published_digits(
    name: str, total: float, flips: list[float]
) -> None:
    document = command(str(data_file(name)), "--method", "perfiliev")
    assert document["convention"]["method"] == "perfiliev"
    assert document["net_gex"] / 1e9 == pytest.approx(total, abs=5e-5)
    digits = 0.5 if len(flips) > 1 else 0.005
    assert document["flips"] == pytest.approx(flips, abs=digits)


@pytest.mark.parametrize(
    ("name", "total", "gross", "flip"),
    [("spx_2024-01-05.csv", -11.19, 235.2, 4718.4), ("spx_2022-12-12.csv", -0.70, 168.0, 3996.0)],
)
def test_totals_and_flips_are_those_of_an_independent_prototype(
    name: str, total: float, gross: float, flip: float
) -> None:
    document = command(str(data_file(name)))
    assert document["net_gex"] / 1e9 == pytest.approx(total, abs=0.005 * gross)
    assert document["gross_gex"] / 1e9 == pytest.approx(gross, rel=0.01)
    assert document["flip"] == pytest.approx(flip, rel=5e-4)
    assert document["flip"] in document["flips"]


@pytest.mark.parametrize("name", FILES)
def test_the_total_is_the_vendors_own_gamma_sum_but_for_its_rounding(name: str) -> None:
    chain = read_chain(data_file(name))
    levels = compute(chain).levels
    assert levels.net_gex is not None
    assert levels.gross_gex is not None
    vendor = gamma_sum(chain, chain.quotes.gamma.astype(float))
    # an NDX gamma is 0.0003, of which four decimals leave one digit: 0.3 % of gross remain even of our own, so rounded
    loose = name.startswith(("ndx", "schwab"))
    assert levels.net_gex == pytest.approx(vendor, abs=(0.01 if loose else 0.005) * levels.gross_gex)
    decimals = 3 if name.startswith("schwab") else 4
    rounded = gamma_sum(chain, np.round(contract_gamma(fit(chain)), decimals))
    assert rounded == pytest.approx(vendor, abs=0.005 * levels.gross_gex)


@pytest.mark.parametrize("name", FILES[:4])
def test_what_is_left_is_no_more_than_four_decimals_leave_open(name: str) -> None:
    """A rounding to h is off by h / sqrt(12) in the root mean square; contracts' roundings are independent."""
    chain = read_chain(data_file(name))
    vendor, gamma = gamma_sum(chain, chain.quotes.gamma.astype(float)), contract_gamma(fit(chain))
    weight = chain.quotes.open_interest * chain.contracts.multiplier * chain.spot**2 * 0.01
    deviation = 1e-4 / np.sqrt(12) * np.sqrt(np.nansum(np.where(np.isfinite(gamma), weight, 0.0) ** 2))
    assert abs(gamma_sum(chain, gamma) - vendor) < 2.0 * deviation


def test_one_call_s_rounding_is_most_of_the_difference_on_ndx() -> None:
    chain = read_chain(data_file("ndx_2022-12-12.csv"))
    gamma, vendor = contract_gamma(fit(chain)), chain.quotes.gamma.astype(float)
    one = np.flatnonzero(chain.contracts.symbol == b"NDX   221216C11650000")
    # 6,244 contracts: the file says 0.0007, and so says ours, rounded
    assert np.round(gamma[one], 4) == pytest.approx(vendor[one])
    gamma[one] = vendor[one]
    levels = compute(chain).levels
    assert levels.gross_gex is not None
    assert gamma_sum(chain, gamma) == pytest.approx(gamma_sum(chain, vendor), abs=0.003 * levels.gross_gex)


@pytest.mark.parametrize("name", FILES[:4])
def test_it_is_nearer_to_the_vendors_sum_than_no_rate_or_three_decimals(name: str) -> None:
    chain = read_chain(data_file(name))
    vendor = gamma_sum(chain, chain.quotes.gamma.astype(float))
    surface = fit(chain)
    gamma = contract_gamma(surface)
    rows = surface.layout.row_series
    live = np.isfinite(gamma) & (chain.quotes.iv > 0)
    x = np.where(live, chain.quotes.iv, np.nan) * np.sqrt(np.maximum(surface.years[rows], 0.0))
    d1 = np.log(chain.spot / chain.contracts.strike) / x + x / 2
    flat = np.exp(-(d1**2) / 2) / (np.sqrt(2 * np.pi) * chain.spot * x)
    ours = abs(gamma_sum(chain, gamma) - vendor)
    assert ours < abs(gamma_sum(chain, flat) - vendor)
    assert ours < abs(gamma_sum(chain, np.round(gamma, 3)) - vendor)


def test_contracts_settled_by_the_files_date_leave_the_sums() -> None:
    chain = read_chain(data_file("spx_2024-01-05.csv"))
    snapshot = compute(chain)
    # the file is Sunday's: Friday's series are gone, and every one of its contracts is counted
    assert datetime.fromtimestamp(chain.as_of_ms / 1000, UTC) == datetime(2024, 1, 7, 15, 52, tzinfo=UTC)
    settled = chain.contracts.expiry == np.datetime64("2024-01-05")
    assert snapshot.quality.excluded["settled"] == settled.sum() > 0
    assert min(e.expiry for e in snapshot.expiries).isoformat() == "2024-01-08"


def test_a_day_earlier_the_same_file_holds_fridays_series_too() -> None:
    path = str(data_file("spx_2024-01-05.csv"))
    document = command(path, "--as-of", "2024-01-05T15:00:00-05:00")
    assert document["as_of"].startswith("2024-01-05T20:00:00")
    assert document["expiries"][0]["expiry"] == "2024-01-05"
    assert "settled" not in document["quality"]["excluded"]


def test_am_settled_contracts_are_most_of_the_open_interest() -> None:
    document = command(str(data_file("spx_2022-12-12.csv")))
    by_root: dict[str, float] = {}
    for expiry in document["expiries"]:
        by_root[expiry["settlement"]] = by_root.get(expiry["settlement"], 0) + expiry["open_interest"]
    assert 0.70 < by_root["AM"] / sum(by_root.values()) < 0.85
