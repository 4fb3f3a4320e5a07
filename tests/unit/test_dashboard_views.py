"""What the views say beyond the ladder: volatility, every measure by strike and expiry, buckets, comparisons."""

from __future__ import annotations

import base64
import math
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from dash import dcc, html

from app.cache.memory import MemoryStore
from app.cache.results import Results
from app.gex import compute, fit
from app.gex.params import Params
from app.market.chain import Chain
from callbacks.live import Desk, respond
from callbacks.request import read_request
from components.answer import answer
from components.compare import Member, apart, partners, related
from components.facts import Facts
from components.state import KEYS, VIEWS, PageState
from components.still import markup
from components.surfaces import cells_of
from components.together import added, compared, crossings, together
from components.words import VIEW_WORDS
from tests.chains import fund, requoted, synthetic


def decoded(spec: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.frombuffer(base64.b64decode(spec["bdata"]), "<f4")


def unpacked(listed: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a table that is sent as columns."""
    columns = {
        name: [spec["words"][int(at)] for at in decoded(spec)] if "words" in spec else decoded(spec).tolist()
        for name, spec in listed.items()
    }
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


@pytest.fixture(scope="module")
def chain() -> Chain:
    return synthetic()[0]


def facts_of(chain: Chain, params: Params | None = None) -> Facts:
    snapshot = compute(chain, params)
    return Facts(snapshot, fit(chain), chain, version=3, published_ms=1, stale=False, error="")


@pytest.fixture(scope="module")
def facts(chain: Chain) -> Facts:
    return facts_of(chain)


def test_every_view_has_a_key_of_its_own_and_words() -> None:
    assert len(set(KEYS.values())) == len(KEYS)
    for view in VIEWS:
        assert KEYS[view]
        assert VIEW_WORDS[view][1]


def test_the_smile_is_the_volatility_that_the_prices_were_made_with(chain: Chain) -> None:
    truth = synthetic()[1]
    sent = answer(facts_of(chain), PageState(view="volatility"))
    rows = [row for row in unpacked(sent["listed"]) if row["source"] == "otm"]
    assert len(rows) > 20
    contracts = chain.contracts
    years = (contracts.settle_ms - chain.as_of_ms) / (365 * 86_400_000)
    expected = {
        (str(day), root.decode(), strike): vol
        for day, root, strike, vol in zip(
            contracts.expiry, contracts.root, contracts.strike, truth.total_vol / np.sqrt(years), strict=True
        )
    }
    for row in rows:
        assert row["vol"] == pytest.approx(expected[row["expiry"], row["root"], row["strike"]], rel=0.02)


def test_a_strike_that_has_only_the_vendors_volatility_agrees_with_nobody(chain: Chain) -> None:
    unquoted = chain.contracts.strike > 1.02 * chain.spot
    bid, ask = (np.where(unquoted, 0.0, side) for side in (chain.quotes.bid, chain.quotes.ask))
    sent = answer(
        facts_of(requoted(chain, bid=bid, ask=ask, iv=np.full(len(chain), 0.2))), PageState(view="volatility")
    )
    listed = unpacked(sent["listed"])
    theirs = [row for row in listed if row["source"] == "vendor"]
    assert theirs
    for row in theirs:
        assert row["vol"] == pytest.approx(0.2, rel=1e-3)
        assert all(math.isnan(row[name]) for name in ("bid_vol", "ask_vol", "residual"))
    assert all(math.isfinite(row["residual"]) for row in listed if row["source"] == "otm")


def test_where_the_vendor_gives_no_volatility_the_picture_says_so(chain: Chain) -> None:
    def titles(iv: float) -> str:
        shown = requoted(chain, iv=np.full(len(chain), iv))
        return str(answer(facts_of(shown), PageState(view="volatility"))["plain"])

    assert "gives none now" in titles(math.nan)
    assert "gives none now" not in titles(0.2)


@pytest.mark.parametrize("view", ["volatility", "expiries"])
def test_while_the_market_is_closed_volatilities_say_what_they_are(chain: Chain, view: Any) -> None:
    def note(session: Any) -> str:
        return str(answer(facts_of(replace(chain, session=session)), PageState(view=view)).get("note", ""))

    assert "over the time left from now" in note("closed")
    assert note("open") == ""


def test_the_term_structure_is_listed_on_request(facts: Facts) -> None:
    sent = answer(facts, PageState(view="volatility", by="expiry"))
    assert [row["atm_vol"] for row in sent["rows"]] == [row.atm_vol for row in facts.snapshot.expiries]
    assert "at-the-money volatility" in sent["summary"]


def test_chosen_dates_are_the_drawn_smiles(chain: Chain) -> None:
    days = compute(chain).heatmap_expiries[:2]
    params = Params(expiries=days)
    sent = answer(facts_of(chain, params), PageState(view="volatility", params=params))
    assert {row["expiry"] for row in unpacked(sent["listed"])} == {day.isoformat() for day in days}


def test_open_interest_by_strike_and_expiry_adds_up_to_the_strikes(facts: Facts) -> None:
    table = facts.snapshot.strikes
    expected = np.nan_to_num(table.call_oi) + np.nan_to_num(table.put_oi)
    np.testing.assert_allclose(np.nansum(cells_of(facts, "oi"), axis=0), expected)


@pytest.mark.parametrize("measure", ["dex", "vex"])
def test_a_measure_by_strike_and_expiry_adds_up_to_its_total(facts: Facts, measure: str) -> None:
    total = getattr(facts.snapshot.levels.greeks, measure)
    assert np.nansum(cells_of(facts, measure)) == pytest.approx(total)


def test_charm_by_the_hour_has_a_panel_and_a_scale_of_its_own(facts: Facts) -> None:
    sent = answer(facts, PageState(view="surface", measure="chex"))
    today, later = sent["panels"]
    assert today["labels"] == ["0DTE"]
    assert "per hour" in today["title"]
    assert "per day" in later["title"]
    assert "0DTE" not in later["labels"]


def test_contracts_have_no_sign_and_one_colour(facts: Facts) -> None:
    sent = answer(facts, PageState(view="surface", measure="oi"))
    trace = sent["traces"][0]
    assert trace["zmin"] == 0
    assert trace["meta"]["signed"] is False
    assert sent["panels"][0]["contracts"]


def test_contracts_are_named_to_the_last_one(facts: Facts) -> None:
    held = requoted(facts.chain, open_interest=np.full(len(facts.chain), 12_345.0))
    sent = answer(facts_of(held), PageState(view="surface", measure="oi"))
    cells = decoded(sent["traces"][0]["z"])
    told = cells[np.isfinite(cells)]
    assert len(told)
    assert (told % 12_345 == 0).all()


def test_the_table_of_the_profile_has_the_prices_that_were_computed(facts: Facts) -> None:
    sent = answer(facts, PageState(view="profile"))
    listed = {name: decoded(spec) for name, spec in sent["listed"].items()}
    snapshot = facts.snapshot
    near = np.searchsorted(snapshot.profile_spot, listed["price"] - 0.01)
    np.testing.assert_allclose(listed["price"], snapshot.profile_spot[near], rtol=1e-6)
    np.testing.assert_allclose(listed["gex"], snapshot.profile_gex[near], rtol=1e-6)


def test_the_parts_of_the_profile_add_up_to_it(facts: Facts) -> None:
    sent = answer(facts, PageState(view="profile"))
    listed = {name: decoded(spec) for name, spec in sent["listed"].items()}
    parts = [values for name, values in listed.items() if name not in ("price", "gex")]
    assert len(parts) > 1
    np.testing.assert_allclose(np.sum(parts, axis=0), listed["gex"], rtol=1e-5, atol=1e3)
    assert [trace["name"] for trace in sent["traces"] if trace["meta"]["part"] == "bucket"] == sent["panels"][
        0
    ]["buckets"]


def test_absolute_bars_are_the_sizes_of_calls_and_puts(facts: Facts) -> None:
    sent = answer(facts, PageState(view="strikes", show="absolute"))
    both = next(trace for trace in sent["traces"] if trace["meta"]["part"] == "absolute")
    table = facts.snapshot.strikes
    size = dict(zip(table.strike, np.abs(table.call_gex) + np.abs(table.put_gex), strict=True))
    strikes, drawn = decoded(both["y"]), decoded(both["x"])
    ratio = [value / size[float(strike)] for strike, value in zip(strikes, drawn, strict=True)]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_a_comparison_takes_the_chosen_or_the_family() -> None:
    followed = ["AAPL", "QQQ", "SPX", "SPY", "NDX"]
    assert partners("SPX", (), followed) == ("SPY",)
    assert partners("SPX", ("NDX", "SPX"), followed) == ("NDX",)
    assert partners("AAPL", (), followed) == ("QQQ", "SPX", "SPY")
    assert partners("SPX", (), ["SPX"]) == ()
    assert related(("SPX", "SPY"))
    assert not related(("SPX", "QQQ"))


def test_an_index_and_its_fund_add_up_on_the_index_s_axis(chain: Chain) -> None:
    base, small = compute(chain), compute(fund(chain, "SPY", 0.1))
    summed = added([base, small])
    # the same number of contracts at a tenth of the price: a tenth of the dollars
    factor = 1.1
    assert summed.net_gex == pytest.approx(base.levels.net_gex * factor)  # type: ignore[operator]
    np.testing.assert_allclose(summed.call_gex, base.strikes.call_gex * factor, rtol=1e-6)
    np.testing.assert_allclose(summed.profile_gex, base.profile_gex * factor, rtol=1e-6)
    assert base.levels.flip
    assert min(abs(at - base.levels.flip) for at in summed.flips) < 1e-4 * base.levels.flip


def test_dollars_per_point_count_points_of_the_index(chain: Chain) -> None:
    params = Params(unit="per_point")
    base, small = compute(chain, params), compute(fund(chain, "SPY", 0.1), params)
    expected = base.levels.net_gex + 0.1 * small.levels.net_gex  # type: ignore[operator]
    assert added([base, small]).net_gex == pytest.approx(expected)


def test_only_one_index_s_underlyings_are_added_up(chain: Chain) -> None:
    spx, qqq = Member.of(facts_of(chain)), Member.of(facts_of(fund(chain, "QQQ", 0.1)))
    assert together([spx, qqq], None) is None
    spy = Member.of(facts_of(fund(chain, "SPY", 0.1)))
    summed = together([spx, spy], None)
    assert summed
    assert "1 SPY = 10 SPX" in summed["note"]
    assert {trace["xaxis"] for trace in summed["traces"]} == {panel["axis"] for panel in summed["panels"]}


@pytest.mark.parametrize("side", ["naive", "inverted", "long"])
def test_the_card_of_a_sum_says_what_all_of_it_is(chain: Chain, side: str) -> None:
    state = PageState.from_query(f"?join=together&side={side}")
    members = [Member.of(facts_of(one, state.params)) for one in (chain, fund(chain, "SPY", 0.1))]
    sent = compared(members, state, None)
    one, other = (member.snapshot.levels.net_gex for member in members if member.snapshot)
    assert one is not None
    assert other is not None
    levels = sent["sum"]["levels"]
    assert sent["sum"]["symbol"] == "SPX + SPY"
    assert levels["net_gex"] == pytest.approx(one + other)
    assert levels["regime"] == (None if side == "long" else "long" if one + other > 0 else "short")
    assert (levels["spot"], levels["flip"]) == (chain.spot, sent["marks"]["flip"])
    assert "sum" not in compared(members, PageState.from_query("?join=apart"), None)


def test_what_is_read_in_part_is_added_to_nothing_and_takes_no_side(chain: Chain) -> None:
    spx = Member.of(facts_of(chain))
    spy = Member.of(facts_of(replace(fund(chain, "SPY", 0.1), missing_expiries=2)))
    sent = compared([spx, spy], PageState.from_query("?join=together"), None)
    assert sent["note"] == "Nothing is added up: SPY is read in part."
    assert len(sent["plain"]["panels"]) == 2
    assert [row["regime"] == "read in part" for row in sent["rows"]] == [False, True]
    assert sent["beside"][1]["missing"] == 2
    assert sent["summary"].endswith(", read in part.")


@pytest.mark.parametrize(("session", "added"), [("open", False), ("closed", True)])
def test_numbers_of_different_times_are_not_added_up(chain: Chain, session: Any, added: bool) -> None:
    spx = Member.of(facts_of(replace(chain, session=session)))
    later = replace(fund(chain, "SPY", 0.1), session=session, as_of_ms=chain.as_of_ms + 240_000)
    sent = compared([spx, Member.of(facts_of(later))], PageState.from_query("?join=together"), None)
    assert ("panels" in sent) is added
    if not added:
        assert sent["note"] == "Nothing is added up: the numbers of SPX are older than the others'."


def test_a_member_of_which_no_total_is_known_is_not_left_out_of_a_sum_of_all(chain: Chain) -> None:
    unknown = requoted(fund(chain, "SPY", 0.1), open_interest=np.full(len(chain), np.nan))
    members = [Member.of(facts_of(chain)), Member.of(facts_of(unknown))]
    sent = compared(members, PageState.from_query("?join=together"), None)
    assert sent["note"] == "Nothing is added up: there are no numbers of SPY."
    assert "panels" not in sent


def test_how_long_nothing_was_heard_is_told_on_the_publisher_s_clock(chain: Chain) -> None:
    updated = np.where(np.arange(len(chain)) == 3, chain.as_of_ms - 70_000, chain.as_of_ms - 500_000)
    quiet = requoted(chain, updated_ms=updated)
    facts = replace(facts_of(quiet), published_ms=9_000_000)
    assert answer(facts, PageState())["heard"] == 9_000_000 - 70_000
    never = requoted(chain, updated_ms=np.zeros(len(chain), np.int64))
    assert answer(facts_of(never), PageState())["heard"] is None


def test_a_member_without_a_chain_says_why(facts: Facts) -> None:
    sent = apart([Member.of(facts), Member("SPY", None, why="No option chain of it has been read yet.")])
    assert sent["beside"][1] == {"symbol": "SPY", "why": "No option chain of it has been read yet."}
    assert [panel["id"] for panel in sent["plain"]["panels"]] == ["SPX"]
    assert [row["symbol"] for row in sent["rows"]] == ["SPX"]


def test_a_curve_s_crossings_are_between_its_points() -> None:
    price = np.linspace(90, 110, 21)
    assert crossings(price, (price - 97.3) * (price - 104.2)) == pytest.approx((97.3, 104.2), abs=1e-3)
    assert crossings(np.empty(0), np.empty(0)) == ()


def test_a_comparison_is_sent_again_when_any_of_its_chains_changes(chain: Chain) -> None:
    store = MemoryStore()
    store.publish(chain, 1)
    store.publish(fund(chain, "SPY", 0.1), 1)
    desk = Desk(Results(store), followed=lambda: ["SPX", "SPY"])

    def ask(have: str = "") -> Any:
        request = read_request({"seq": 1, "symbol": "SPX", "search": "?view=compare", "have": have})
        assert request
        return respond(desk, request)

    first = ask().picture
    assert [member["symbol"] for member in first["beside"]] == ["SPX", "SPY"]
    assert ask(first["etag"]).picture is None
    store.publish(fund(replace(chain, spot=chain.spot + 1), "SPY", 0.1), 1)
    assert ask(first["etag"]).picture["beside"][1]["levels"]["spot"] == pytest.approx((chain.spot + 1) / 10)


def test_a_symbol_that_is_not_followed_is_not_read_for_a_comparison(chain: Chain) -> None:
    store = MemoryStore()
    store.publish(chain, 1)
    store.publish(fund(chain, "SPY", 0.1), 1)
    desk = Desk(Results(store), followed=lambda: ["SPX"])
    request = read_request({"seq": 1, "symbol": "SPX", "search": "?view=compare&with=SPY"})
    assert request
    picture = respond(desk, request).picture
    assert picture
    assert "levels" not in picture["beside"][1]
    assert "not followed" in picture["beside"][1]["why"]


@pytest.mark.parametrize(
    "query", ["with=SPY,QQQ", "measure=vex", "join=together", "show=absolute", "expiries=ex_next"]
)
def test_a_choice_survives_the_address(query: str) -> None:
    state = PageState.from_query(f"?view=compare&{query}")
    assert not state.ignored
    assert PageState.from_query(state.query()) == state
    assert query.replace("%2C", ",") in state.query()


@pytest.mark.parametrize("query", ["with=A,B,C,D,E", "with=<script>", "measure=theta", "join=x"])
def test_a_choice_that_means_nothing_is_named(query: str) -> None:
    assert PageState.from_query(query).ignored


def test_expiries_without_any_exposure_have_a_summary(chain: Chain) -> None:
    params = Params(expiries=(date(1999, 1, 1),))
    for view in ("volatility", "expiries", "greeks"):
        state = PageState(params=params, by="expiry").choose("view", view)
        assert math.isfinite(len(answer(facts_of(chain, params), state)["summary"]))


def test_rows_are_sent_only_while_the_table_is_shown(chain: Chain) -> None:
    store = MemoryStore()
    store.publish(chain, 1)
    desk = Desk(Results(store))

    def sent(view: str, table: bool | None) -> dict[str, Any]:
        request = read_request({"seq": 1, "symbol": "SPX", "search": f"?view={view}", "table": table})
        assert request
        picture = respond(desk, request).picture
        assert picture
        return picture

    assert "listed" not in sent("volatility", None)
    assert sent("volatility", None)["tabled"] is False
    assert "listed" in sent("volatility", True)
    assert "rows" in sent("expiries", None)
    assert "rows" not in sent("expiries", False)


def test_what_never_changes_is_html_that_escapes_its_words() -> None:
    part = html.Div([html.B("a < b"), html.A("x", href="/?a=1&b=2", title='"q"')], className="c", hidden=True)
    assert markup(part) == (
        '<div class="c" hidden><b>a &lt; b</b><a href="/?a=1&amp;b=2" title="&quot;q&quot;">x</a></div>'
    )
    with pytest.raises(TypeError):
        markup(dcc.Store(id="s"))
    with pytest.raises(TypeError):
        markup(html.Div(style={"width": "1px"}))
