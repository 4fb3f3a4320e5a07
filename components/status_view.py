"""The Status view: the last hour's events on a timeline, and cards of feed, cache, chains, engine and sessions.

Everything that grows older is sent as an instant; the browser counts. What isn't known is None, with the reason beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.alerts.alert import Alert
from app.market.calendar import EXCHANGE_TZ, from_ms, to_ms
from app.models import CacheStats, Event, FeedState, SchwabConnection
from components.plain import Panel, Trace, plain

SPAN_MS = 3_600_000
_MINUTE_MS = 60_000
_STREAM = frozenset({"connected", "reconnected", "lost"})
_GOOD = frozenset({"connected", "reconnected", "cured", "first_picture"})
_CALM = frozenset({"leading", "followed", "dropped", "history_trimmed"})
# Lanes of the timeline, from the bottom up.
_LANES = ("Alerts", "Feed", "Stream", "Problems")

STATE_WORDS: dict[FeedState, str] = {
    "starting": "Starting",
    "signed_out": "Signed out",
    "connecting": "Connecting",
    "live": "Live",
    "reconnecting": "Reconnecting",
    "stopped": "Stopped",
}
COLUMNS = (
    {"id": "at", "name": "When", "as": "clock", "left": True},
    {"id": "lane", "name": "Where", "left": True},
    {"id": "kind", "name": "What", "left": True},
    {"id": "message", "name": "In words", "left": True},
)


@dataclass(frozen=True, slots=True)
class SessionSeen:
    """One signed-in browser. Times are ms since the epoch; None is unknown."""

    browser: str
    own: bool
    since_ms: int
    used_ms: int | None
    ends_ms: int


@dataclass(frozen=True, slots=True)
class Engine:
    """What the answering process knows of its own work.

    Attributes:
        fit_ms, expose_ms: medians of the last computations; None before the first.
        computed: how many computations since the start.
    """

    version: str
    started_ms: int
    fit_ms: float | None = None
    expose_ms: float | None = None
    computed: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that the view shows.

    Attributes:
        connection: None where no feed has reported, or the cache is away.
        followed: symbols, in order.
        published_ms: when each chain was published last.
        sessions: None for whoever isn't the owner, or while the cache is away.
    """

    now_ms: int
    connection: SchwabConnection | None
    stats: CacheStats
    events: Sequence[Event]
    alerts: Sequence[Alert]
    followed: Sequence[str]
    engine: Engine
    published_ms: dict[str, int] = field(default_factory=dict)
    sessions: Sequence[SessionSeen] | None = None
    owner: bool = False


@dataclass(frozen=True, slots=True)
class _Mark:
    """One event as it is drawn and listed."""

    at_ms: int
    lane: str
    kind: str
    message: str
    good: bool | None  # None: neither good nor bad


def status_view(account: Account) -> dict[str, Any]:
    """The answer's parts."""
    until_ms = (
        -(-account.now_ms // _MINUTE_MS) * _MINUTE_MS
    )  # the next whole minute: the axis holds still within one
    marks = _marks(account, until_ms - SPAN_MS)
    return {
        "as_of": until_ms - _MINUTE_MS,
        "plain": plain("status", (3, 1), [_timeline(marks, until_ms), _coverage(account)]),
        "columns": list(COLUMNS),
        "rows": [_row(mark) for mark in reversed(marks)],
        "summary": _summary(account, marks),
        "cards": [_feed(account), _cache(account.stats), _engine(account.engine), _sessions(account)],
        "chains": _chains(account),
    }


# --- the timeline ---------------------------------------------------------------------------------


def _marks(account: Account, since_ms: int) -> list[_Mark]:
    """The hour's events, oldest first."""
    marks = [_of_event(event) for event in account.events]
    marks += [
        _Mark(to_ms(alert.at), "Alerts", alert.kind, alert.text, alert.answer == "well" or None)
        for alert in account.alerts
    ]
    return sorted((mark for mark in marks if mark.at_ms >= since_ms), key=lambda mark: mark.at_ms)


def _of_event(event: Event) -> _Mark:
    lane, good = "Problems", False
    if event.kind in _STREAM:
        lane = "Stream"
    elif event.kind in _GOOD | _CALM and event.kind != "cured":
        lane = "Feed"
    known = True if event.kind in _GOOD else None if event.kind in _CALM else good
    return _Mark(to_ms(event.at), lane, event.kind, event.message, known)


def _row(mark: _Mark) -> dict[str, Any]:
    return {
        "at": mark.at_ms,
        "lane": mark.lane,
        "kind": mark.kind.replace("_", " "),
        "message": mark.message,
    }


def _timeline(marks: Sequence[_Mark], until_ms: int) -> Panel:
    lanes = [_troubles(marks, until_ms), *(_lane(marks, good) for good in (True, False, None))]
    shown = [_wall(until_ms - SPAN_MS), _wall(until_ms)]
    return Panel(
        id="timeline",
        title="The last hour, exchange time",
        at=(0, 0, 2, 1),
        axes=1,
        traces=lanes,
        x={"type": "date", "range": shown, "tickformat": "%H:%M", "showgrid": True},
        y={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(_LANES),
            "range": [-0.6, 3.6],
            "tickvals": list(_LANES),
            "automargin": True,
        },
    )


_LOOKS: dict[bool | None, tuple[str, str, str]] = {
    True: ("$live", "circle", "Good"),
    False: ("$down", "x", "Trouble"),
    None: ("$delayed", "diamond", "News"),
}


def _lane(marks: Iterable[_Mark], good: bool | None) -> Trace:
    color, symbol, name = _LOOKS[good]
    mine = [mark for mark in marks if mark.good is good]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [_wall(mark.at_ms) for mark in mine],
        "y": [mark.lane for mark in mine],
        "text": [f"{_clock(mark.at_ms)} {_wrapped(mark.message)}" for mark in mine],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": color, "symbol": symbol, "size": 10},
    }


def _troubles(marks: Sequence[_Mark], until_ms: int) -> Trace:
    """A bar from each problem's beginning to its end, as the events tell it; to now where none is told."""
    x: list[str | None] = []
    for mark in marks:
        if mark.lane != "Problems" or mark.kind == "cured":
            continue
        ended = [
            other.at_ms
            for other in marks
            if other.kind == "cured"
            and other.at_ms >= mark.at_ms
            and other.message == f"Over: {mark.message}"
        ]
        x += [_wall(mark.at_ms), _wall(min(ended, default=until_ms)), None]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Problem",
        "x": x,
        "y": ["Problems" if at else None for at in x],
        "hoverinfo": "skip",
        "line": {"color": "$down80", "width": 8},
    }


def _coverage(account: Account) -> Panel:
    """How much of each chain's gross gamma streams."""
    covers = account.connection.coverage if account.connection else {}
    known = [(symbol, covers[symbol]) for symbol in account.followed if symbol in covers]
    shares = [(symbol, cover, cover.gamma_share) for symbol, cover in known if cover.gamma_share is not None]
    return Panel(
        id="coverage",
        title="Gross gamma that streams",
        at=(2, 0, 1, 1),
        axes=2,
        traces=[
            {
                "type": "bar",
                "orientation": "h",
                "name": "Streams",
                "x": [100 * share for _, _, share in shares],
                "y": [symbol for symbol, _, _ in shares],
                "text": [f"{100 * share:.0f}\u00a0%" for _, _, share in shares],
                "textposition": "inside",
                "insidetextanchor": "start",
                "insidetextfont": {"color": "$text"},
                "width": min(0.6, 0.15 * max(1, len(shares))),
                "customdata": [[cover.streaming, cover.contracts] for _, cover, _ in shares],
                "hovertemplate": "%{y}: %{customdata[0]:,} of %{customdata[1]:,} contracts, %{x:.1f} % of gross gamma"
                "<extra></extra>",
                "marker": {"color": "$positive80"},
            }
        ],
        x={"range": [0, 100], "ticksuffix": "\u00a0%"},
        y={
            "type": "category",
            "autorange": "reversed",
            "tickvals": [s for s, _, _ in shares],
            "automargin": True,
        },
    )


def _wall(ms: int) -> str:
    """Exchange time without a zone, as plotly's date axes take it."""
    return from_ms(ms).astimezone(EXCHANGE_TZ).strftime("%Y-%m-%dT%H:%M:%S")


def _clock(ms: int) -> str:
    return f"{from_ms(ms).astimezone(EXCHANGE_TZ):%H:%M:%S} ET"


def _wrapped(text: str, width: int = 60) -> str:
    """Lines of a hover; what a broker or a user wrote is text there, not markup."""
    lines = [""]
    for word in text.replace("<", "‹").replace(">", "›").split():
        lines[-1:] = [f"{lines[-1]} {word}"] if len(lines[-1]) + len(word) < width else [lines[-1], word]
    return "<br>".join(line.strip() for line in lines)


# --- the cards ------------------------------------------------------------------------------------


def _fact(name: str, value: Any, **more: Any) -> dict[str, Any]:
    """One line of a card: `value` as words; or `ago`, `until` an instant; `state` colours it, `why` explains a dash."""
    return {"name": name, "value": value} | {key: said for key, said in more.items() if said is not None}


def _feed(account: Account) -> dict[str, Any]:
    found = account.connection
    if found is None:
        why = "No feed has reported." if account.stats.healthy else "Unknown while the cache is away."
        return {"title": "Feed", "facts": [_fact("State", None, why=why, state="down")]}
    token = found.token.refresh_expires_at
    simulated = found.source == "simulator"
    ends = "The simulator is signed in to again by itself." if simulated else None
    facts = [
        _fact("State", STATE_WORDS[found.state], state="live" if found.state == "live" else "down"),
        _fact("Since", None, ago=to_ms(found.since)),
        _fact("Source", "Simulator" if simulated else "Schwab"),
        _fact("Process", found.leader or None),
        _fact("Last frame", None, ago=_ms(found.last_frame_at), why="No frame has come yet."),
        _fact("Last data", None, ago=_ms(found.last_data_at), why="No data has come yet."),
        _fact("Heartbeat", None, ago=_ms(found.heartbeat_at), why="None yet."),
        _fact("Reconnects", f"{found.reconnects:,}"),
        _fact("Streaming places", f"{found.keys_used:,} of {found.keys_limit:,}"),
        _fact(
            "Left out as malformed",
            f"{sum(found.rejected.values()):,}",
            why=_counted(found.rejected) or None,
        ),
        _fact(
            "Sign-in lasts",
            None,
            until=_ms(token),
            why=ends or "Nobody has signed in with Schwab yet.",
            link=None if simulated else "/login",
            state=_ending(token, account.now_ms) if not simulated else None,
        ),
    ]
    if found.problem:
        said = f"{found.problem.message} {found.problem.cure}".strip()
        facts.insert(1, _fact("Problem", said, state="down"))
    return {"title": "Feed", "facts": facts}


def _cache(stats: CacheStats) -> dict[str, Any]:
    backend = {"redis": "Redis", "embedded": "Redis, embedded", "memory": "In this process"}[stats.backend]
    gone = "Not known while it is away." if not stats.healthy else "This backend does not say."
    rate = None if stats.hit_rate is None else f"{stats.hit_rate:.1%}".replace("%", " %")
    memory = None
    if stats.memory_bytes is not None:
        limit = f" of {stats.memory_limit_bytes / 2**20:,.0f}" if stats.memory_limit_bytes else ""
        memory = f"{stats.memory_bytes / 2**20:,.0f}{limit} MB"
    return {
        "title": "Cache",
        "facts": [
            _fact(
                "State",
                "Healthy" if stats.healthy else "Unreachable; tried again all the time",
                state="live" if stats.healthy else "down",
            ),
            _fact("Backend", f"{backend} {stats.server_version or ''}".strip()),
            _fact("Answers in", None if stats.ping_ms is None else f"{stats.ping_ms:.1f} ms", why=gone),
            _fact("Keys", None if stats.keys is None else f"{stats.keys:,}", why=gone),
            _fact("Memory", memory, why=gone),
            _fact(
                "Thrown out",
                None if stats.evictions is None else f"{stats.evictions:,}",
                why=gone,
                state="down" if stats.evictions else None,
            ),
            _fact("Hit rate", rate, why="Nothing has been read yet."),
            _fact(
                "Circuit breaker",
                {"closed": "Closed, calls pass", "open": "Open, calls are refused", "half_open": "Trying"}[
                    stats.breaker
                ],
                state=None if stats.breaker == "closed" else "delayed",
            ),
        ],
    }


def _engine(engine: Engine) -> dict[str, Any]:
    def milliseconds(value: float | None) -> str | None:
        return None if value is None else f"{value:.1f} ms"

    none = "This process has computed nothing yet."
    return {
        "title": "Engine, this web process",
        "facts": [
            _fact("Version", engine.version),
            _fact("Running", None, ago=engine.started_ms, plain=True),
            _fact("Computations", f"{engine.computed:,}"),
            _fact("Volatility fit, median", milliseconds(engine.fit_ms), why=none),
            _fact("Exposures, median", milliseconds(engine.expose_ms), why=none),
        ],
    }


def _sessions(account: Account) -> dict[str, Any]:
    title = "Sessions"
    if not account.owner:
        said = _fact("Signed in", None, why="Only the owner sees who is signed in.", link="/login")
        return {"title": title, "facts": [said]}
    if account.sessions is None:
        return {"title": title, "facts": [_fact("Signed in", None, why="Unknown while the cache is away.")]}
    facts = [_fact("Signed in", f"{len(account.sessions):,}", link="/login/sessions")]
    for seen in account.sessions[:8]:
        name = f"{seen.browser or 'Browser'}{', this one' if seen.own else ''}"
        facts.append(_fact(name, None, ago=seen.used_ms or seen.since_ms, why="Not used yet."))
    return {"title": title, "facts": facts}


def _chains(account: Account) -> list[dict[str, Any]]:
    """One line for each followed symbol."""
    covers = account.connection.coverage if account.connection else {}
    rows = []
    for symbol in account.followed:
        cover = covers.get(symbol)
        rows.append(
            {
                "symbol": symbol,
                "version": account.stats.versions.get(symbol),
                "published": account.published_ms.get(symbol),
                "contracts": cover.contracts if cover else None,
                "streaming": cover.streaming if cover else None,
                "share": cover.gamma_share if cover else None,
                "swept": _ms(cover.oldest_sweep_at) if cover else None,
            }
        )
    return rows


def _summary(account: Account, marks: Sequence[_Mark]) -> str:
    found = account.connection
    feed = STATE_WORDS[found.state].lower() if found else "unknown"
    trouble = f" {found.problem.message}" if found and found.problem else ""
    cache = "healthy" if account.stats.healthy else "unreachable"
    read = len(account.stats.versions)
    bad = sum(mark.good is False for mark in marks)
    return (
        f"Feed {feed}.{trouble} Cache {cache}. {read} of {len(account.followed)} chains published. "
        f"{len(marks)} events in the last hour, {bad} of them troubles."
    )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason.replace('_', ' ')}: {count:,}" for reason, count in sorted(counts.items()))


def _ending(ends: datetime | None, now_ms: int) -> str | None:
    if ends is None:
        return None
    left = ends - from_ms(now_ms)
    return "down" if left <= timedelta(0) else "delayed" if left < timedelta(days=1) else None


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)
