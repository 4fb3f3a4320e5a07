"""Which expiries a filter lets in, on a Friday with two series and on a Saturday."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from app.gex import Params, compute, fit
from app.gex.selection import chosen_dates
from tests import chains

WEEKEND = 2 * 86_400_000


def test_excluding_the_nearest_expiry_leaves_the_others() -> None:
    chain, _ = chains.synthetic()
    for as_of_ms in (chain.as_of_ms, chain.as_of_ms + WEEKEND):
        surface = fit(replace(chain, as_of_ms=as_of_ms))
        live = {row.expiry for row in compute(replace(chain, as_of_ms=as_of_ms)).expiries}
        assert chosen_dates(surface, Params(bucket="ex_next")) == live - {min(live)}


def test_the_nearest_expiry_and_the_others_are_the_whole() -> None:
    chain, _ = chains.synthetic()
    nearest, others, whole = (
        compute(chain, Params(bucket=bucket)).levels.net_gex for bucket in ("0dte", "ex_next", "all")
    )
    assert nearest is not None
    assert others is not None
    assert whole is not None
    assert abs(nearest + others - whole) < 1e-9 * abs(nearest)


def test_dates_outrank_a_bucket_and_unknown_ones_choose_nothing() -> None:
    surface = fit(chains.synthetic()[0])
    day = date(2026, 11, 20)
    assert chosen_dates(surface, Params(bucket="0dte", expiries=(day,))) == {day}
    assert not chosen_dates(surface, Params(expiries=(date(2031, 1, 3),)))
