"""The live loop: tick -> gate (browser) -> answer (here) -> draw (browser). assets/live.js is its other half."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from dash import ClientsideFunction, Dash, Input, Output, no_update

from app.access.visitor import visitor
from app.alerts.service import Alerts
from app.cache.base import Version
from app.cache.results import Latest, Result, Results
from app.errors import CacheError, GexError, SymbolError
from app.history.reader import History
from app.market.symbols import canonical
from app.trail import Trail, point
from app.viewing import require_everything
from callbacks import compare
from callbacks.facts import facts_of
from callbacks.request import LiveRequest, read_request
from callbacks.status import Bureau, Sessions, nobody
from callbacks.time import Past
from components import health
from components.alerts import told as told_alerts
from components.answer import answer
from components.changes import changes
from components.state import PageState


@dataclass(frozen=True, eq=False, slots=True)
class Answered:
    """An acknowledgement for every question, and a picture where the tab has not drawn it yet."""

    ack: dict[str, Any]
    picture: dict[str, Any] | None


_PICTURES_KEPT = 64


class Desk:
    """What answers are made of. One picture per (symbol, choice, version) in this process, whatever the number of tabs."""

    def __init__(
        self,
        results: Results,
        alerts: Alerts | None = None,
        followed: compare.Followed = list,
        history: History | None = None,
        sessions: Sessions = nobody,
    ) -> None:
        self.results = results
        self.alerts = alerts
        self.followed = followed
        self.history = history
        # Views that need no chain: their answers are made of what else there is, anew for every question.
        self.chainless: dict[str, Callable[[], dict[str, Any]]] = {}
        if alerts is not None:
            self.chainless["status"] = Bureau(results, alerts, followed, sessions).view
        self.past = Past(history, followed=followed) if history is not None else None
        self._trail = Trail(results.store, history)
        self._pictures: Latest[dict[str, Any]] = Latest(_PICTURES_KEPT)

    def picture(self, result: Result, state: PageState, crop: tuple[float, float] | None) -> dict[str, Any]:
        """The picture of a result under a choice; shared, so not to be changed."""
        loaded = result.loaded

        def make() -> dict[str, Any]:
            moved = changes(self._trail.note(result.snapshot), point(result.snapshot))
            return {**answer(facts_of(result), state, crop), "changed": moved, "etag": result.etag}

        key = (loaded.chain.symbol, state, crop, loaded.stale)
        return self._pictures.get(key, loaded.version, make)


def register(
    app: Dash,
    results: Results,
    alerts: Alerts,
    followed: compare.Followed,
    history: History | None = None,
    sessions: Sessions = nobody,
) -> None:
    """Wire the loop."""
    desk = Desk(results, alerts, followed, history, sessions)
    in_browser: Any = app.clientside_callback
    in_browser(
        ClientsideFunction("live", "gate"),
        Output("request", "data"),
        Input("tick", "n_intervals"),
        Input("url", "pathname"),
        Input("url", "search"),
    )

    @app.callback(
        Output("ack", "data"), Output("answer", "data"), Input("request", "data"), prevent_initial_call=True
    )
    def reply(raw: object) -> tuple[Any, Any]:
        request = read_request(raw)
        if request is None:
            return no_update, no_update
        answered = respond(desk, request)
        return answered.ack, no_update if answered.picture is None else answered.picture

    in_browser(
        ClientsideFunction("live", "hear"),
        Output("dates", "data"),
        Input("ack", "data"),
        Input("answer", "data"),
        prevent_initial_call=True,
    )


def respond(desk: Desk, request: LiveRequest) -> Answered:
    """Answer one question. Errors of ours become words in the acknowledgement; nothing is raised for them."""
    ack: dict[str, Any] = {"seq": request.seq, "now": time.time_ns() // 1_000_000, "problem": None}
    try:
        symbol = canonical(request.symbol)
    except SymbolError as error:
        return Answered(ack | _problem(error), None)
    ack |= _health(desk.results, symbol, request) | _alerts(desk.alerts, request)
    state = PageState.from_query(request.search)
    try:
        if state.view in desk.chainless:
            require_everything()
            return Answered(ack, _without_chain(desk, state, request))
        if desk.past is not None and (state.view == "time" or state.at_ms is not None):
            answered = desk.past.day if state.view == "time" else desk.past.view
            return Answered(ack, _tabled(answered(symbol, state, request), request))
        result = desk.results.get(symbol, state.params)
    except GexError as error:
        return Answered(ack | _problem(error), None)
    if result is None:
        return Answered(ack | {"waiting": True, "symbol": symbol}, None)
    ack |= _version(result.loaded.version)
    if state.view == "compare":
        return Answered(ack, _comparison(desk, result, state, request))
    if request.have == result.etag:
        return Answered(ack, None)
    return Answered(
        ack, {**without_table(desk.picture(result, state, request.crop), request.table), "seq": request.seq}
    )


def without_table(picture: dict[str, Any], wanted: bool | None) -> dict[str, Any]:
    """A picture without the rows of a table that the tab doesn't show. Where the table is all there is, it stays."""
    shown = picture.get("prefer") == "table" if wanted is None else wanted
    if shown or not (picture.get("plain") or picture.get("traces")):
        return picture
    return {name: part for name, part in picture.items() if name not in ("rows", "listed")} | {
        "tabled": False
    }


def _tabled(picture: dict[str, Any] | None, request: LiveRequest) -> dict[str, Any] | None:
    return picture and without_table(picture, request.table)


def _comparison(desk: Desk, result: Result, state: PageState, request: LiveRequest) -> dict[str, Any] | None:
    """The picture of several symbols; None where the tab has it."""
    found = compare.others(desk.results, result.loaded.chain.symbol, state, desk.followed())
    etag = compare.etag(result, found)
    if request.have == etag:
        return None
    drawn = compare.parts(result, found, state, request.crop)
    whole = {**desk.picture(result, state, request.crop), **drawn, "etag": etag, "seq": request.seq}
    return without_table(whole, request.table)


def _without_chain(desk: Desk, state: PageState, request: LiveRequest) -> dict[str, Any] | None:
    """The picture of a view that needs no chain; None where the tab has it."""
    made = {"status": "ok", "chainless": True, **desk.chainless[state.view]()}
    etag = hashlib.blake2b(orjson.dumps(made), digest_size=9).hexdigest()
    return None if request.have == etag else {**made, "etag": etag, "seq": request.seq}


def _health(results: Results, symbol: str, request: LiveRequest) -> dict[str, Any]:
    """The feed's beat, and its and the cache's account where the tab has another one."""
    connection = None
    with suppress(CacheError):  # the cache's own account says so
        connection = results.connection()
    feed, cache = health.feed(connection, symbol), health.cache(results.stats())
    said: dict[str, Any] = {"beat": health.beat(connection)}
    if feed is None or feed["id"] != request.feed:
        said["feed"] = feed
    if cache["id"] != request.cache:
        said["cache"] = cache
    return said


def _alerts(alerts: Alerts | None, request: LiveRequest) -> dict[str, Any]:
    """The last alerts, where the tab has others."""
    if alerts is None:
        return {}
    try:
        recent = alerts.recent().of(visitor().shared)
    except CacheError:  # the cache's own account says so
        return {}
    told = told_alerts(recent.alerts, recent.acked)
    return {} if told["id"] == request.alerts else {"alerts": told}


def _version(version: Version) -> dict[str, Any]:
    return {"version": version.number, "published": version.published_ms}


def _problem(error: GexError) -> dict[str, Any]:
    return {"problem": {"message": str(error), "cure": error.cure}}
