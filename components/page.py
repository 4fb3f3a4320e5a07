"""The page's frame: header, levels strip, chart and cards. Numbers are filled in by assets/ as answers arrive."""

from __future__ import annotations

from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html

from components import alerts
from components.attributes import attributes
from components.words import BUCKET_WORDS, CHOICE_WORDS, DIFFERENCES, METHOD, TILES, Tile

# Decision: a chart never offers to send its data elsewhere.
GRAPH_CONFIG: Any = {
    "showSendToCloud": False,
    "displaylogo": False,
    "displayModeBar": False,
    "doubleClick": False,
    "scrollZoom": False,
    "showTips": False,
    "responsive": False,
}


_TIP_DELAY: Any = {"show": 400, "hide": 0}  # ms: a glance in passing opens nothing


def page(interval_ms: int, account: list[Any] | None = None, manages: bool = False) -> html.Div:
    """The whole page, the same for every symbol: what differs comes with the address and the answers.

    Args:
        interval_ms: how often the browser asks; a little different for every tab, so that they don't ask together.
        account: what the header says of who looks: components.account.
        manages: whether who looks may change alerts.
    """
    return html.Div(
        [
            html.A("Skip to the levels", href="#strip", className="skip"),
            dcc.Location(id="url", refresh=False),
            dcc.Interval(id="tick", interval=interval_ms),
            dcc.Store(id="request"),
            dcc.Store(id="ack"),
            dcc.Store(id="answer"),
            dcc.Store(id="dates"),
            _header(account or []),
            html.Main(
                [
                    html.Div(id="problem", className="problem"),
                    html.Div(_desk(), id="desk"),
                ]
            ),
            html.Dialog(id="help", **attributes({"aria-label": "Help"})),
            alerts.panel(manages),
            alerts.toasts(),
        ],
        id="page",
        **attributes({"data-state": "connecting"}),
    )


def _header(account: list[Any]) -> html.Header:
    return html.Header(
        [
            html.H1("Gamma exposure", className="unseen"),
            html.A("GEX", href="/", className="logo", title="Gamma exposure: the first followed symbol"),
            html.Div(id="symbols"),
            html.Nav(id="views", **attributes({"aria-label": "Views"})),
            html.Div(
                [
                    html.Span(
                        "Simulated data", id="simulated", className="tag", hidden=True, title=_SIMULATED
                    ),
                    html.Span(
                        [
                            html.Span(className="mark", **attributes({"aria-hidden": "true"})),
                            html.Span("Connecting", id="state-word", role="status"),
                            html.Span(id="state-age"),
                        ],
                        id="state",
                        className="state",
                    ),
                    html.Span(id="clock", className="clock"),
                    alerts.bell(),
                    html.Button(
                        "◐",
                        id="theme",
                        className="icon",
                        title="Dark or light (T)",
                        **attributes({"aria-label": "Dark or light"}),
                    ),
                    html.Button(
                        "?",
                        id="help-open",
                        className="icon",
                        title="Keys and words (?)",
                        **attributes({"aria-label": "Help"}),
                    ),
                    *account,
                ],
                className="status",
            ),
        ]
    )


_SIMULATED = "The prices come from the built-in simulator, not from a market."


def _desk() -> list[Any]:
    return [
        html.Div(id="banner", className="banner", role="status", hidden=True),
        html.Section([_tile(tile) for tile in TILES], id="strip", **attributes({"aria-label": "Levels"})),
        html.P(id="summary", className="unseen", **attributes({"aria-live": "off"})),
        html.Div(id="controls"),
        html.Div(
            id="past",
            className="past",
            hidden=True,
            role="group",
            **attributes({"aria-label": "Recorded moment"}),
        ),
        html.Div(id="beside", className="beside", hidden=True),
        html.P(id="note", className="note", hidden=True),
        html.Section(
            [
                html.Div(id="notice", className="notice", hidden=True),
                html.Div(
                    dcc.Graph(id="chart", figure={"data": [], "layout": _blank()}, config=GRAPH_CONFIG),
                    id="chart-box",
                    **attributes({"aria-hidden": "true"}),
                ),
                html.Div(id="stage", hidden=True),
                html.Div(id="skeleton", className="skeleton", **attributes({"aria-hidden": "true"})),
                _tools(),
                html.Div(
                    id="table-box",
                    hidden=True,
                    tabIndex="0",
                    role="region",
                    **attributes({"aria-label": "Table"}),
                ),
                html.Div(id="hover", className="hover", hidden=True, **attributes({"aria-hidden": "true"})),
            ],
            id="panels",
            className="card",
            **attributes({"aria-label": "Gamma exposure on one price axis"}),
        ),
        html.Div(id="time-cards", className="cards"),
        html.Div(id="cards", className="cards"),
        html.Div(id="status-cards", className="cards"),
    ]


def _tools() -> html.Div:
    buttons = (
        ("follow", "Follow", "The price axis follows spot (0)"),
        ("fix", "Fix", "Keep the price axis where it is"),
        ("out", "−", "Show a wider range of prices (-)"),
        ("in", "+", "Show a narrower range of prices (+)"),
    )
    exports = (
        ("table", "Table", "The same as a table"),
        ("csv", "CSV", "Save the table as CSV"),
        ("png", "PNG", "Save the picture as PNG"),
    )
    return html.Div(
        [
            html.Button(word, title=title, **attributes({"data-zoom": what, "aria-label": title}))
            for what, word, title in buttons
        ]
        + [
            html.Button(word, title=title, **attributes({"data-export": what}))
            for what, word, title in exports
        ],
        className="tools",
    )


def _blank() -> dict[str, Any]:
    clear, none = "rgba(0,0,0,0)", {"visible": False}
    return {"paper_bgcolor": clear, "plot_bgcolor": clear, "autosize": False, "xaxis": none, "yaxis": none}


def _tile(tile: Tile) -> html.Div:
    return html.Div(
        [
            html.Div(
                [
                    html.Span(tile.label, className="name"),
                    html.Span(className="age"),
                ],
                className="label",
            ),
            html.Span(className="alerted", hidden=True, role="img", **attributes({"aria-label": "Alert"})),
            html.Div("–", className="value", title="Waiting for the first answer"),
            html.Div("", className="detail"),
            dbc.Tooltip(tile.explain, target=f"tile-{tile.id}", placement="bottom", delay=_TIP_DELAY),
        ],
        className="tile",
        id=f"tile-{tile.id}",
        tabIndex="0",
        role="group",
        **attributes({"aria-label": tile.label}),
    )


def _changed() -> html.Section:
    rows = (("spot", "Spot"), ("flip", "Flip"), ("net_gex", "Net GEX"))
    head = html.Tr(
        [html.Th(html.Span("Level", className="unseen")), *(html.Th(f"{m} min") for m in (5, 15, 60))]
    )
    body = [
        html.Tr([html.Th(label, scope="row"), *(html.Td("–", id=f"changed-{id_}-{m}") for m in (5, 15, 60))])
        for id_, label in rows
    ]
    return html.Section(
        [html.H2("Changed"), html.Table([html.Thead(head), html.Tbody(body)])], className="card", id="changed"
    )


def _feed() -> html.Section:
    rows = (("feed", "Feed"), ("frame", "Last frame"), ("streaming", "Streaming"), ("login", "Sign-in lasts"))
    return _facts("Feed", "feed-card", rows)


def _cache() -> html.Section:
    rows = (("backend", "Backend"), ("version", "Version"), ("hits", "Hit rate"), ("memory", "Memory"))
    return _facts("Cache", "cache-card", rows)


def _facts(title: str, id_: str, rows: tuple[tuple[str, str], ...]) -> html.Section:
    items = [html.Div([html.Dt(label), html.Dd("–", id=f"fact-{name}")]) for name, label in rows]
    return html.Section([html.H2(title), html.Dl(items)], className="card", id=id_)


_KEYS = (
    ("1 – 9, H", "views, as their titles say"),
    ("/", "symbols"),
    ("[ ]", "expiry before, expiry after"),
    ("Space", "freeze and go on"),
    (", .", "the recorded minute before, after"),
    ("L", "back to live"),
    ("0", "price axis follows spot again"),
    ("+ −", "narrower and wider range of prices"),
    ("A", "alerts"),
    ("T", "dark or light"),
    ("Esc", "close"),
)


_COLOURS = (("blue", "Blue and orange"), ("green", "Green and red"))


def _colours(word: str, label: str) -> html.Button:
    return html.Button(label, className="chip", **attributes({"data-set-colours": word}))


def still() -> dict[str, Any]:
    """The parts that never change, by the id of their place: they are sent as HTML (components/still.py)."""
    return {"cards": [_changed(), _feed(), _cache()], "help": _help()}


def _choices() -> list[Any]:
    """The conventions in a sentence each: the chips say it on hover, which a finger has not."""
    said = [BUCKET_WORDS, *(CHOICE_WORDS[name] for name in ("weight", "side", "unit", "walls"))]
    return [html.Div([html.Dt(label), html.Dd(words)]) for choice in said for label, words in choice.values()]


def _help() -> list[Any]:
    words = [html.Div([html.Dt(tile.label), html.Dd(tile.explain)]) for tile in TILES]
    keys = [html.Div([html.Dt(html.Kbd(key)), html.Dd(what)]) for key, what in _KEYS]
    return [
        html.Button("Close", id="help-close"),
        html.H2("Colours"),
        html.Div([_colours(word, label) for word, label in _COLOURS], className="group"),
        html.H2("Words"),
        html.Dl(words),
        html.H2("Choices"),
        html.Dl(_choices()),
        html.P(
            [
                "Nobody outside the dealers knows their positions: every figure rests on the chosen convention. ",
                html.A("How each is computed", href=METHOD),
                ". ",
                html.A("Why does this differ from other tools?", href=DIFFERENCES),
            ]
        ),
        html.H2("Keys"),
        html.Dl(keys),
    ]
