"""The symbol's page in a real browser: what it shows, that it updates itself, and that its address says everything."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from app.cache.embedded import EmbeddedRedis
from app.gex.params import Params
from tests.browser.conftest import Page
from tests.support import eventually

pytestmark = pytest.mark.browser

MINUS = "\u2212"


def billions(dollars: float) -> str:
    """$ as the page writes them, by hand: three digits and a real minus (Selenium reads a no-break space as a space)."""
    size = abs(dollars) / 1e9
    digits = 0 if size >= 100 else 1 if size >= 10 else 2
    return f"{MINUS if dollars < 0 else '+'}{size:,.{digits}f} Bn"


def test_the_page_shows_the_levels_of_a_real_chain(page: Page) -> None:
    page.open("/")
    levels = page.desk.snapshot().levels
    assert levels.flip
    assert levels.call_wall
    assert levels.put_wall
    assert levels.net_gex
    page.shows("spot", f"{page.desk.chain.spot:,.2f}")
    page.shows("flip", f"{levels.flip:,.1f}")
    page.shows("call_wall", f"{levels.call_wall:,.0f}")
    page.shows("put_wall", f"{levels.put_wall:,.0f}")
    page.shows("net_gex", billions(levels.net_gex))
    assert page.address() == "/gex/SPX"
    page.drawn()
    assert page.errors() == []
    assert "at " in page.run("return new Error('where').stack"), "errors go without a stack after the start"


def test_all_panels_share_one_price_axis_with_every_level_on_it(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    drawn = page.run(
        """
        const plot = document.querySelector('#chart .js-plotly-plot');
        return {axes: [...new Set(plot.data.map((trace) => trace.yaxis))], types: [...new Set(plot.data.map((t) => t.type))],
                lines: plot.layout.shapes.map((shape) => shape.name), labels: plot.layout.annotations.map((a) => a.text)};
        """
    )
    assert drawn["axes"] == ["y"]
    assert set(drawn["types"]) == {"bar", "scatter", "heatmap"}
    assert {"spot", "flip", "call_wall", "put_wall"} <= set(drawn["lines"])
    for word in ("Spot", "Flip", "Call wall", "Put wall"):
        assert sum(label.startswith(word) for label in drawn["labels"]) == 1


def test_an_update_arrives_by_itself(page: Page) -> None:
    page.open("/gex/SPX")
    page.shows("spot", f"{page.desk.chain.spot:,.2f}")
    moved = round(page.desk.chain.spot + 7.25, 2)
    page.desk.publish(spot=moved)
    page.desk.report()
    page.shows("spot", f"{moved:,.2f}", 5)
    eventually(lambda: f"{moved:,.2f}" in page.browser.driver.title, 5)
    page.desk.report(state="reconnecting", last_frame_at=datetime.now(UTC) - timedelta(minutes=1))
    eventually(lambda: page.browser.driver.title.endswith(", reconnecting"), 10, "the title says so, too")
    page.click("Status")
    eventually(lambda: page.browser.driver.title == "SPX", 10, "what isn't shown is not named")


def test_the_chart_is_drawn_again_only_when_it_would_look_different(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    eventually(lambda: page.run("return gex.chart.current().looks !== undefined"), 5)
    page.run(
        """
        window.draws = 0;
        for (const name of ['react', 'relayout']) {
            const original = Plotly[name];
            Plotly[name] = (...given) => { window.draws++; return original(...given); };
        }
        """
    )
    before = page.run("return gex.live.tab.answer.version")
    page.desk.publish()
    eventually(lambda: page.run("return gex.live.tab.answer.version") > before, 10, "the next version came")
    assert page.run("return window.draws") == 0
    page.desk.publish(spot=round(page.desk.chain.spot + 5, 2))
    eventually(lambda: page.run("return window.draws") == 1, 10, "what moved is drawn")


def test_a_page_that_is_left_open_does_not_remember_every_tick(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    page.run(
        """
        const gate = dash_clientside.live.gate;
        window.ticks = 0;
        dash_clientside.live.gate = (...given) => { window.ticks++; return gate(...given); };
        dash_clientside.set_props('tick', { interval: 20 });
        """
    )
    eventually(lambda: page.run("return window.ticks") > 300, 40, "it ticks")
    assert page.run("return dash_stores[0].getState().history.past.length") < 150


def test_only_the_lines_move_where_nothing_else_would_look_different(page: Page) -> None:
    page.open("/gex/SPX?view=strikes")
    page.drawn()
    eventually(lambda: page.run("return gex.chart.current().looks !== undefined"), 5)
    spot = page.run(
        """
        window.draws = 0;
        for (const name of ['react', 'relayout']) {
            const original = Plotly[name];
            Plotly[name] = (...given) => { window.draws++; return original(...given); };
        }
        window.line = () => {
            const at = document.querySelector('#chart .js-plotly-plot').layout.shapes.findIndex(({name}) => name === 'spot');
            return document.querySelector(`#chart .shapelayer [data-index="${at}"]`).getBoundingClientRect().top;
        };
        return window.line();
        """
    )
    moved = round(page.desk.chain.spot + 0.9, 2)
    page.desk.publish(spot=moved)
    label = "return [...document.querySelectorAll('#chart .annotation')].map((one) => one.textContent)"
    eventually(lambda: f"Spot {moved:,.2f}" in page.run(label), 10, "the label says the new price")
    low, high = page.run("return gex.chart.current().shown")
    panel = page.run("const {y0, y1} = gex.chart.current().frame.panels[0]; return y1 - y0")
    assert spot - page.run("return window.line()") == pytest.approx(0.9 / (high - low) * panel, abs=0.5)
    assert page.run("return window.draws") == 0
    page.run(
        "gex.chart.render(); Plotly.relayout(document.querySelector('#chart .js-plotly-plot'), {meta: 1})"
    )
    before = page.run("return gex.live.tab.answer.version")
    page.desk.publish()
    eventually(lambda: page.run("return gex.live.tab.answer.version") > before, 10)
    assert page.run("return document.querySelectorAll('#chart .bars path').length") > 100, "the bars stay"
    assert spot - page.run("return window.line()") == pytest.approx(0.9 / (high - low) * panel, abs=0.5)


def test_a_filter_changes_the_numbers_and_the_address(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    page.click("Week")
    week = page.desk.snapshot(Params(bucket="week")).levels.net_gex
    assert week
    page.shows("net_gex", billions(week))
    assert page.address() == "/gex/SPX?expiries=week"
    page.browser.driver.back()
    everything = page.desk.snapshot().levels.net_gex
    assert everything
    page.shows("net_gex", billions(everything))


def test_a_pasted_address_shows_the_same_page(page: Page) -> None:
    page.open("/gex/SPX?weight=volume&side=inverted&expiries=month&range=4600,4800")
    net = page.desk.snapshot(Params(side="inverted", weight="volume", bucket="month")).levels.net_gex
    assert net
    page.shows("net_gex", billions(net))
    page.drawn()
    chosen = [chip.text for chip in page.browser.find_elements("#controls .chip.on")]
    assert "Month" in " ".join(chosen)
    assert "Volume" in " ".join(chosen)
    script = "return document.querySelector('#chart .js-plotly-plot').layout.yaxis.range"
    assert page.run(script) == [4600, 4800]


def test_a_zoom_survives_updates_and_is_in_the_address(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    page.run("gex.zoom.set([4650, 4750])")
    script = "return document.querySelector('#chart .js-plotly-plot').layout.yaxis.range"
    eventually(lambda: page.run(script) == [4650, 4750], 5, "the axis is zoomed")
    assert page.address() == "/gex/SPX?range=4650,4750"
    moved = round(page.desk.chain.spot + 20, 2)
    page.desk.publish(spot=moved)
    page.shows("spot", f"{moved:,.2f}", 5)
    assert page.run(script) == [4650, 4750]


@pytest.mark.parametrize("path", ["/gex/%24SPX", "/gex/spx"])
def test_every_spelling_of_a_symbol_leads_to_one_page(page: Page, path: str) -> None:
    page.open(path + "?expiries=week")
    eventually(lambda: page.address() == "/gex/SPX?expiries=week")


def test_a_symbol_that_is_not_followed_gets_a_page_that_says_what_to_do(page: Page) -> None:
    page.open("/gex/TSLA")
    eventually(lambda: "TSLA is not followed" in page.text("#problem"), 15)
    assert "SYMBOLS=SPX,SPY,TSLA" in page.text("#problem")
    assert not page.browser.find_element("#desk").is_displayed()
    page.browser.driver.find_element("link text", "SPX").click()
    page.shows("spot", f"{page.desk.chain.spot:,.2f}")


def test_a_symbol_without_a_chain_yet_says_so(page: Page) -> None:
    page.open("/gex/SPY")
    eventually(lambda: "SPY" in page.text("#notice"), 15)
    assert "option chain" in page.text("#notice")


def test_every_view_draws_without_an_error(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    for name in ("Strikes", "Surface", "Profile"):
        page.click(name)
        word = {"Strikes": "oi", "Surface": "heatmap", "Profile": "profile"}[name]
        script = f"return gex.chart.current().frame.panels.some((panel) => panel.id === '{word}')"
        eventually(lambda script=script: page.run(script), 10, f"{name} is drawn")
    page.click("Expiries")
    eventually(
        lambda: len(page.browser.find_elements("#table-box tbody tr")) > 10, 10, "the expiries are listed"
    )
    assert page.errors() == []


def test_the_greeks_are_drawn_by_strike_and_by_expiry(page: Page) -> None:
    page.open("/gex/SPX?view=greeks")
    page.drawn()
    ladders = page.run("return gex.chart.current().frame.panels.map((panel) => panel.title)")
    assert [title.split(",")[0] for title in ladders] == ["DEX", "VEX", "CHEX"]
    assert ladders[1].endswith("per vol point")
    assert "delta exposure" in page.text(".explained")
    assert page.run("return gex.table.csv().split('\\r\\n')[0]") == "strike,away,dex,vex,chex_hour,chex_day"
    page.click("By expiry")
    eventually(lambda: page.address() == "/gex/SPX?view=greeks&by=expiry")
    eventually(lambda: "by expiry" in page.run("return gex.chart.current().size?.panels[0].title || ''"), 10)
    page.run("document.querySelector('[data-export=table]').click()")
    wanted = len(page.desk.snapshot().heatmap_expiries)
    eventually(lambda: len(page.browser.find_elements("#table-box tbody tr")) == wanted, 10)
    assert page.errors() == []


def test_numbers_are_live_while_the_feed_reports_and_say_so_when_it_stops(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    eventually(lambda: page.state() == "live", 10)
    page.desk.fall_silent()
    eventually(lambda: page.state() == "down", 20, "a silent feed is noticed")
    assert page.text("#banner") != ""


def test_a_chain_of_which_dates_are_missing_claims_no_regime(page: Page) -> None:
    page.desk.publish(missing_expiries=7)
    page.open("/gex/SPX")
    page.drawn()
    assert "7 expiry dates" in page.text("#banner")
    eventually(
        lambda: page.run("return document.getElementById('tile-net_gex').dataset.fresh") == "partial", 10
    )
    assert page.run("return document.getElementById('tile-spot').dataset.fresh") != "partial"
    assert page.text("#tile-net_gex .detail") == "Of the dates read so far"
    assert page.text("#tile-confidence .detail") == "7 dates missing"
    assert "Bn" not in page.browser.driver.title
    assert f"{page.desk.chain.spot:,.2f}" in page.browser.driver.title
    page.desk.publish(missing_expiries=0)
    eventually(lambda: "gamma" in page.text("#tile-net_gex .detail"), 10, "whole again")
    eventually(lambda: "Bn" in page.browser.driver.title, 5)


def test_a_feed_problem_is_shown_with_its_cure(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    page.desk.report(
        state="signed_out", problem=page.desk.problem("The login has ended.", "Sign in again at /login.")
    )
    eventually(lambda: "The login has ended." in page.text("#banner"), 10)
    assert "Sign in again" in page.text("#banner")
    assert page.browser.find_element("#banner a").get_attribute("href").endswith("/login")


def test_a_server_slower_than_the_tick_still_updates_the_page(page: Page) -> None:
    page.open("/gex/SPX")
    page.shows("spot", f"{page.desk.chain.spot:,.2f}")
    page.desk.wsgi.delay_s = 2.5
    for step in (3.0, 6.0):
        moved = round(page.desk.chain.spot + step, 2)
        page.desk.publish(spot=moved)
        page.shows("spot", f"{moved:,.2f}", 15)


def test_a_server_slower_than_our_patience_still_updates_the_page(page: Page) -> None:
    page.open("/gex/SPX")
    page.shows("spot", f"{page.desk.chain.spot:,.2f}")
    page.desk.wsgi.delay_s = 4.0
    moved = round(page.desk.chain.spot + 3, 2)
    page.desk.publish(spot=moved)
    page.shows("spot", f"{moved:,.2f}", 30)


def test_refused_connections_are_shown_and_survived(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    page.desk.stop()
    eventually(lambda: page.state() == "down", 15, "the page notices that the server is away")
    eventually(lambda: "reached" in page.text("#banner"), 10, "the banner says so")
    for fact in ("feed", "streaming", "backend"):
        eventually(lambda fact=fact: page.text(f"#fact-{fact}") == "\u2013", 5, "nothing is known of it now")
    moved = round(page.desk.chain.spot + 11, 2)
    page.desk.publish(spot=moved)
    page.desk.start()
    started = time.monotonic()
    page.shows("spot", f"{moved:,.2f}", 10)
    eventually(lambda: page.state() == "live", 10)
    assert time.monotonic() - started < 15
    assert page.text("#fact-backend") != "\u2013"


def test_while_redis_is_away_the_last_copy_is_shown_with_its_age_and_then_live_numbers_again(
    redis_page: Page, own_redis: EmbeddedRedis
) -> None:
    page = redis_page
    page.desk.publish(source="simulator")
    page.open("/gex/SPX")
    page.drawn()
    eventually(lambda: page.state() == "live", 15)
    assert own_redis.process
    own_redis.process.kill()
    own_redis.process.wait()
    eventually(lambda: page.state() == "stale", 20, "the page says that it shows a copy")
    assert "last copy" in page.text("#banner")
    assert re.fullmatch(r"\d.* (s|min)", page.text("#state-age"))
    assert page.value("spot") == f"{page.desk.chain.spot:,.2f}"
    eventually(lambda: "unreachable" in page.text("#fact-backend"), 10)
    page.click("Status")
    eventually(
        lambda: page.browser.find_elements("#status-cards > *"), 10, "the status view is made without it"
    )
    assert page.browser.find_element("#simulated").is_displayed()
    page.click("Overview")
    own_redis.start()
    # the server came back empty: until the feed has written again, it is still the copy
    eventually(lambda: "unreachable" not in page.text("#fact-backend"), 30)
    assert page.state() != "live"
    page.desk.publish(spot=round(page.desk.chain.spot + 4, 2))
    page.shows("spot", f"{page.desk.chain.spot:,.2f}", 20)
    eventually(lambda: page.state() == "live", 15)
    assert not page.browser.find_element("#banner").is_displayed()


def test_a_tab_out_of_sight_asks_nothing_and_claims_nothing_until_its_next_answer(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    eventually(lambda: page.state() == "live", 15)
    shown = page.browser.driver.current_window_handle
    page.run(
        """
        window.claims = [];
        // an answer that was under way when the tab went out of sight claims nothing to anybody
        new MutationObserver(() => document.hidden || window.claims.push(document.getElementById('page').dataset.state))
            .observe(document.getElementById('page'), {attributeFilter: ['data-state']});
        document.addEventListener('visibilitychange', () => document.hidden && (window.claims = []));
        document.addEventListener('visibilitychange', () => document.hidden && (window.titled = document.title));
        """
    )
    page.browser.driver.switch_to.new_window("tab")
    other = page.browser.driver.current_window_handle
    page.desk.publish(spot=round(page.desk.chain.spot + 6, 2))
    asked = page.desk.wsgi.asked
    time.sleep(2.5)  # two ticks in which nothing may happen: there is no event to wait for
    assert page.desk.wsgi.asked - asked <= 1
    page.desk.wsgi.delay_s = 1.5
    page.browser.driver.switch_to.window(shown)
    page.shows("spot", f"{page.desk.chain.spot:,.2f}", 15)
    eventually(lambda: page.state() == "live", 10)
    assert page.run("return window.titled") == "SPX", (
        "no number that nobody follows stands in the row of tabs"
    )
    claims = page.run("return window.claims")
    assert "connecting" in claims
    assert claims.index("connecting") < claims.index("live")
    page.browser.driver.switch_to.window(other)
    page.browser.driver.close()
    page.browser.driver.switch_to.window(shown)


def test_two_tabs_with_different_choices_do_not_mix(page: Page) -> None:
    page.open("/gex/SPX?expiries=week")
    week = page.desk.snapshot(Params(bucket="week")).levels.net_gex
    everything = page.desk.snapshot().levels.net_gex
    assert week
    assert everything
    page.shows("net_gex", billions(week))
    first = page.browser.driver.current_window_handle
    page.browser.driver.switch_to.new_window("tab")
    page.open("/gex/SPX")
    page.shows("net_gex", billions(everything))
    page.browser.driver.switch_to.window(first)
    page.desk.publish(spot=round(page.desk.chain.spot + 1, 2))
    page.shows("spot", f"{page.desk.chain.spot:,.2f}")
    week = page.desk.snapshot(Params(bucket="week")).levels.net_gex
    assert week
    page.shows("net_gex", billions(week))


def test_on_a_phone_the_panels_stack_and_nothing_scrolls_sideways(page: Page) -> None:
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.open("/gex/SPX")
    page.drawn()
    boxes = page.run("return gex.chart.current().frame.panels.map((panel) => [panel.id, panel.y0, panel.y1])")
    assert [name for name, _, _ in boxes] == ["ladder", "profile", "heatmap"]
    assert all(above[2] < below[1] for above, below in pairwise(boxes))
    assert page.run("return document.documentElement.scrollWidth") <= 390


def test_no_number_of_one_symbol_stays_under_the_name_of_another(page: Page) -> None:
    page.open("/gex/SPX")
    page.shows("spot", f"{page.desk.chain.spot:,.2f}")
    eventually(lambda: page.run("return Boolean(document.querySelector('#symbol-menu'))"), 10)
    page.run("document.querySelector('#symbol-menu').open = true")
    page.click("SPY")
    # SPY has no chain yet
    eventually(lambda: "SPY" in page.text("#notice"), 10)
    assert page.value("spot") == "–"
    assert page.value("net_gex") == "–"
    assert not page.run(
        "return document.querySelector('#chart-box').checkVisibility({visibilityProperty: true})"
    )
    assert "SPX" not in page.browser.driver.title


def test_the_table_says_what_the_chart_draws(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    page.run("document.querySelector('[data-export=table]').click()")
    snapshot = page.desk.snapshot()
    strike = snapshot.levels.call_wall
    assert strike
    wanted = float(snapshot.strikes.net_gex[list(snapshot.strikes.strike).index(strike)])
    all_rows = "return [...document.querySelectorAll('#table-box tr')].map((row) => row.innerText)"
    start = f"{strike:,.0f}\t"
    row = eventually(lambda: next((text for text in page.run(all_rows) if text.startswith(start)), ""), 15)
    assert billions(wanted) in row.replace("\u00a0", " ")
    saved = page.run("return gex.table.csv()").splitlines()
    assert saved[0].startswith("strike,")
    assert len(saved) == len(page.run(all_rows))


def test_keys_choose_views_and_expiries_and_freeze(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    body = page.browser.driver.find_element("tag name", "body")
    body.send_keys("2")
    eventually(lambda: page.address() == "/gex/SPX?view=strikes")
    body.send_keys("]")
    eventually(lambda: page.address().endswith("expiries=2024-01-08"))
    page.desk.report()
    eventually(lambda: page.state() == "live", 10)
    page.run("document.activeElement.blur()")
    body.send_keys(" ")
    eventually(lambda: page.state() == "frozen")
    before = page.value("spot")
    page.desk.publish(spot=round(page.desk.chain.spot + 9, 2))
    page.desk.report()
    seq = page.run("return gex.live.tab.answer.version")
    eventually(lambda: page.run("return gex.live.tab.answer.version") > seq, 10)
    assert page.value("spot") == before
    body.send_keys("3")
    heatmap = "return gex.chart.current().frame?.panels[0].id === 'heatmap'"
    eventually(lambda: page.run(heatmap), 10, "what is chosen is shown, held still or not")
    assert page.state() == "frozen"
    page.run("document.activeElement.blur()")
    body.send_keys(" ")
    page.shows("spot", f"{page.desk.chain.spot:,.2f}", 5)


def test_the_method_has_a_page(page: Page) -> None:
    page.open("/method")
    eventually(lambda: "total volatility" in page.text("#problem").lower(), 15)
    assert page.errors() == []
