"""Views beyond the ladder in a real browser: drawn, listed, compared, and coloured as the reader asks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.browser.conftest import Page
from tests.chains import fund
from tests.support import eventually

pytestmark = pytest.mark.browser

TITLES = "return gex.chart.current().size?.panels.map((panel) => panel.title.split(',')[0]) || []"


def test_volatility_is_drawn_and_its_table_comes_when_it_is_opened(page: Page) -> None:
    page.open("/gex/SPX?view=volatility")
    page.drawn()
    eventually(lambda: len(page.run(TITLES)) == 4, 10, "four panels are drawn")
    assert page.run("return gex.live.tab.answer.listed === undefined")
    page.run("document.querySelector('[data-export=table]').click()")
    eventually(
        lambda: len(page.browser.find_elements("#table-box tbody tr")) > 50, 10, "the points are listed"
    )
    assert "otm" in page.text("#table-box tbody tr td:last-child")
    assert "at-the-money volatility" in page.run("return document.getElementById('summary').textContent")
    assert page.errors() == []


def test_another_view_is_drawn_in_place_of_a_plain_chart(page: Page) -> None:
    page.open("/gex/SPX?view=volatility")
    page.drawn()
    eventually(lambda: len(page.run(TITLES)) == 4, 10)
    page.run("document.activeElement.blur()")
    page.browser.driver.find_element("tag name", "body").send_keys("3")
    eventually(lambda: page.address() == "/gex/SPX?view=surface", 5)
    eventually(lambda: page.run("return gex.chart.current().frame?.panels[0].id") == "heatmap", 10)
    page.click("DEX")
    eventually(lambda: page.run(TITLES) == ["DEX"], 10, "the measure is in the heading")
    assert "measure=dex" in page.address()
    lines = page.run(
        "return document.querySelector('#chart .js-plotly-plot').layout.shapes.map((shape) => shape.name)"
    )
    assert "spot" in lines
    assert page.errors() == []


def test_symbols_stand_beside_each_other_and_are_added_up(page: Page) -> None:
    page.desk.services.store.publish(fund(page.desk.chain, "SPY", 0.1), 1)
    page.open("/gex/SPX?view=compare&with=SPY")
    page.drawn()
    eventually(lambda: page.run(TITLES) == ["SPX net GEX", "SPY net GEX"], 10)
    cards = [card.text for card in page.browser.find_elements("#beside .member")]
    assert f"{page.desk.chain.spot / 10:,.2f}" in cards[1]
    eventually(
        lambda: page.browser.find_elements("#beside .member")[1].get_attribute("data-state") == "live", 10
    )
    page.desk.services.store.publish(
        fund(replace(page.desk.chain, spot=page.desk.chain.spot + 30), "SPY", 0.1), 1
    )
    wanted = f"{(page.desk.chain.spot + 30) / 10:,.2f}"
    eventually(
        lambda: wanted in page.browser.find_elements("#beside .member")[1].text, 10, "the other one moves"
    )
    page.click("Added up")
    eventually(lambda: "ratio of the spots" in page.text("#note"), 10)
    eventually(lambda: page.run(TITLES) == ["SPX + SPY", "Profile G(S) of all"], 10)
    summed, *each = page.browser.find_elements("#beside .member")
    net = page.run("return gex.format.dollars(gex.live.tab.answer.sum.levels.net_gex, true)")
    assert summed.text.startswith("SPX + SPY")
    assert net.replace("\xa0", " ") in summed.text
    assert [card.text.split()[0] for card in each] == ["SPX", "SPY"]
    eventually(lambda: {card.get_attribute("data-state") for card in (summed, *each)} == {"live"}, 10)
    assert page.errors() == []


def test_green_and_red_carry_a_pattern_and_are_remembered(page: Page) -> None:
    page.open("/gex/SPX")
    page.drawn()
    page.run("document.querySelector('[data-set-colours=green]').click()")
    shapes = """
        const bars = document.querySelector('#chart .js-plotly-plot').data.filter((trace) => trace.type === 'bar');
        return bars.filter((trace) => trace.meta.sign === 'negative').map((trace) => trace.marker.pattern.shape);
        """
    eventually(lambda: page.run(shapes) == ["/"], 5, "negative bars are hatched")
    # stripes of the background's colour on nothing would be no bar at all
    painted = """
        const pattern = document.querySelector('#chart .js-plotly-plot pattern');
        const styles = [...pattern.querySelectorAll('*')].map((part) => getComputedStyle(part));
        return styles.map(({ fill, stroke }) => [fill, stroke]);
        """
    negative = "rgb(240, 102, 94)"
    assert any(negative in colours for colours in page.run(painted))
    page.browser.driver.refresh()
    page.drawn()
    eventually(lambda: page.run(shapes) == ["/"], 10)
    page.run("gex.theme.recolour('blue')")


def test_a_fixed_range_stays_and_follows_again(page: Page) -> None:
    page.open("/gex/SPX?view=strikes")
    page.drawn()
    shown = page.run("return gex.chart.current().shown")
    page.run("document.querySelector('[data-zoom=fix]').click()")
    eventually(lambda: page.address().endswith(f"range={shown[0]:g},{shown[1]:g}"), 5)
    page.desk.publish(spot=round(page.desk.chain.spot + 150, 2))
    page.shows("spot", f"{page.desk.chain.spot:,.2f}", 10)
    assert page.run("return gex.chart.current().shown") == shown
    page.run("gex.zoom.set(null)")
    eventually(lambda: page.run("return gex.chart.current().shown")[1] > shown[1], 10, "the axis follows")
