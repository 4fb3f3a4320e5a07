"""The Status view: says what it knows, whatever is away, and nothing of sessions to whoever isn't the owner."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import plotly.graph_objects as go
import pytest

from app.alerts.service import Alerts
from app.cache.base import wall_ms
from app.cache.memory import MemoryStore
from app.cache.results import Results
from app.errors import CacheError
from app.market.calendar import from_ms
from app.models import CacheStats, Coverage, Event, FeedProblem, SchwabConnection, TokenLife
from app.settings import load_settings
from callbacks.status import Bureau
from components.status_view import SPAN_MS, Account, Engine, SessionSeen, status_view
from tests.small import small_chain

NOW = 1_795_600_000_000


def event(kind: str, message: str, ago_s: float) -> Event:
    return Event(at=from_ms(round(NOW - ago_s * 1000)), kind=kind, message=message)


def account(**changed: Any) -> Account:
    now = from_ms(NOW)
    connection = SchwabConnection(
        state="live",
        since=now - timedelta(minutes=5),
        source="schwab",
        heartbeat_at=now,
        coverage={"SPX": Coverage(contracts=100, streaming=40, gamma_share=0.8)},
        token=TokenLife(refresh_expires_at=now + timedelta(hours=5)),
    )
    usual = Account(
        now_ms=NOW,
        connection=connection,
        stats=CacheStats(backend="redis", healthy=True, versions={"SPX": 7}),
        events=(),
        alerts=(),
        followed=("SPX", "SPY"),
        engine=Engine("0.1", NOW - 60_000),
    )
    return replace(usual, **changed)


def facts(view: dict[str, Any], title: str) -> dict[str, dict[str, Any]]:
    [card] = [card for card in view["cards"] if card["title"].startswith(title)]
    return {fact["name"]: fact for fact in card["facts"]}


def bars(view: dict[str, Any]) -> list[Any]:
    """Beginnings and ends of the problems."""
    [trace] = [trace for trace in view["plain"]["data"] if trace.get("mode") == "lines"]
    return [at for at in trace["x"] if at]


def test_a_problem_lasts_from_its_beginning_to_its_end() -> None:
    events = (event("cured", "Over: It broke.", 60), event("broken", "It broke.", 600))
    begun, ended = bars(status_view(account(events=events)))
    assert from_ms(NOW - 600_000).strftime("%M:%S") == begun[-5:]
    assert from_ms(NOW - 60_000).strftime("%M:%S") == ended[-5:]


def test_a_problem_without_an_end_lasts_until_now() -> None:
    view = status_view(account(events=(event("broken", "It broke.", 600),)))
    assert bars(view)[1] == view["plain"]["layout"]["xaxis"]["range"][1]


def test_what_is_older_than_the_hour_is_left_out() -> None:
    old, young = event("lost", "gone", SPAN_MS / 1000 + 90), event("lost", "going", 60)
    view = status_view(account(events=(young, old)))
    assert [row["message"] for row in view["rows"]] == ["going"]


def test_within_a_minute_the_picture_stays_the_same() -> None:
    one, other = (status_view(account(now_ms=NOW + ms)) for ms in (1_000, 9_000))
    assert one == other


def test_plotly_takes_the_chart() -> None:
    view = status_view(account(events=(event("broken", "<b>It</b> broke.", 600),)))
    plain = view["plain"]
    data = [{key: part for key, part in trace.items() if key != "meta"} for trace in plain["data"]]
    for trace in data:
        trace.pop("marker", None), trace.pop("line", None), trace.pop("insidetextfont", None)
    go.Figure({"data": data, "layout": plain["layout"]})
    assert "<b>" not in str([trace.get("text") for trace in data])


def test_a_login_that_ends_within_a_day_is_marked_and_leads_to_the_sign_in() -> None:
    found = facts(status_view(account()), "Feed")["Sign-in lasts"]
    assert (found["state"], found["link"]) == ("delayed", "/login")


def test_the_problem_and_its_cure_are_said() -> None:
    given = account()
    assert given.connection
    problem = FeedProblem(code="x", message="It broke.", cure="Mend it.")
    broken = given.connection.model_copy(update={"state": "reconnecting", "problem": problem})
    view = status_view(replace(given, connection=broken))
    assert facts(view, "Feed")["Problem"]["value"] == "It broke. Mend it."
    assert "It broke." in view["summary"]


@pytest.mark.parametrize(("healthy", "why"), [(True, "No feed has reported."), (False, "cache is away")])
def test_without_a_feed_it_says_why(healthy: bool, why: str) -> None:
    stats = CacheStats(backend="redis", healthy=healthy)
    view = status_view(account(connection=None, stats=stats, followed=()))
    assert why in facts(view, "Feed")["State"]["why"]
    assert facts(view, "Feed")["State"]["value"] is None
    assert view["chains"] == []


def test_a_symbol_without_a_chain_is_listed_as_unknown() -> None:
    spx, spy = status_view(account())["chains"]
    assert (spx["version"], spx["share"]) == (7, 0.8)
    assert all(spy[name] is None for name in ("version", "published", "contracts", "share"))


def test_sessions_are_the_owners_alone() -> None:
    seen = (SessionSeen("Firefox", True, NOW - 9000, None, NOW + 9000),)
    assert "Firefox, this one" in facts(status_view(account(sessions=seen, owner=True)), "Sessions")
    hidden = facts(status_view(account(sessions=seen)), "Sessions")
    assert list(hidden) == ["Signed in"]
    assert "Only the owner" in hidden["Signed in"]["why"]


# --- gathering --------------------------------------------------------------------------------------


class Failing(MemoryStore):
    away = False

    def status(self) -> bytes | None:
        self._fail()
        return super().status()

    def events(self, limit: int = 100) -> list[Event]:
        self._fail()
        return super().events(limit)

    def get(self, key: str) -> bytes | None:
        self._fail()
        return super().get(key)

    def _fail(self) -> None:
        if self.away:
            raise CacheError("away")


class Cipher:
    def seal(self, clear: bytes) -> bytes:
        return clear

    def unseal(self, sealed: bytes) -> bytes:
        return sealed


@pytest.fixture
def store() -> Failing:
    return Failing()


def bureau(store: Failing, tmp_path: Any) -> Bureau:
    alerts = Alerts(load_settings(_env_file=None, data_dir=tmp_path), store, Cipher())
    return Bureau(Results(store), alerts, lambda: ["SPX"], lambda: None)


def test_it_works_with_nothing_there(store: Failing, tmp_path: Any) -> None:
    view = bureau(store, tmp_path).view()
    assert facts(view, "Feed")["State"]["why"] == "No feed has reported."
    assert [row["symbol"] for row in view["chains"]] == ["SPX"]


def test_while_the_cache_is_away_the_events_that_were_read_stay(store: Failing, tmp_path: Any) -> None:
    store.add_event(Event(at=from_ms(wall_ms()), kind="lost", message="The stream ended"))
    made = bureau(store, tmp_path)
    assert len(made.view()["rows"]) == 1
    store.away = True
    view = made.view()
    assert len(view["rows"]) == 1
    assert facts(view, "Feed")["State"]["value"] is None


def test_the_engine_says_how_long_its_work_took(store: Failing, tmp_path: Any) -> None:
    store.publish(small_chain(), 1)
    alerts = Alerts(load_settings(_env_file=None, data_dir=tmp_path), store, Cipher())
    results = Results(store)
    made = Bureau(results, alerts, lambda: ["SPX"], lambda: None)
    assert results.get("SPX")
    found = facts(made.view(), "Engine")
    assert found["Computations"]["value"] == "1"
    assert found["Exposures, median"]["value"].endswith(" ms")
