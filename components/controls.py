"""The chips above the chart, the views and the symbols: links, so that every choice has an address of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any, get_args
from urllib.parse import quote

from dash import dcc, html

from app.gex.params import Bucket
from components.attributes import attributes
from components.compare import MOST, partners
from components.state import KEYS, VIEWS, PageState
from components.words import BUCKET_WORDS, CHOICE_WORDS, GREEK_WORDS, VIEW_WORDS


def page_url(symbol: str, state: PageState | None = None) -> str:
    """The address of a symbol's page. A share class keeps its slash as a dot: BRK/B is /gex/BRK.B."""
    return f"/gex/{quote(symbol.replace('/', '.'))}{state.query() if state else ''}"


def symbol_menu(symbol: str, followed: Iterable[str], state: PageState) -> html.Details:
    """The symbol as a button that opens the list of those followed."""
    kept = replace(state.choose("expiries", "all") if state.params.expiries else state, price_range=None)
    links = [
        _link(name, page_url(name, kept), current=name == symbol, title=f"Show {name}") for name in followed
    ]
    return _menu(symbol, links, "symbol-menu", "Choose a symbol")


def view_tabs(symbol: str, state: PageState, *, everything: bool = True) -> list[Any]:
    """The views, as links with the choices kept. A title ends with its key in brackets: assets/keys.js reads it there.

    Without `everything` the view that is about more than the symbol, status, is left out.
    """
    return [
        _link(
            VIEW_WORDS[view][0],
            page_url(symbol, state.choose("view", view)),
            current=view == state.view,
            title=f"{VIEW_WORDS[view][1]} ({KEYS[view]})",
        )
        for view in VIEWS
        if everything or view != "status"
    ]


def chips(symbol: str, state: PageState, dates: Iterable[str], followed: Iterable[str] = ()) -> list[Any]:
    """Everything that can be chosen about what is computed and shown."""
    groups: list[Any] = [_group("Expiries", [*_buckets(symbol, state), _dates_menu(symbol, state, dates)])]
    groups.append(_group("Weight", _choices(symbol, state, "weight")))
    if state.view in ("overview", "strikes"):
        groups.append(_group("Bars", _choices(symbol, state, "show")))
    if state.view == "surface":
        groups.append(_group("Measure", _choices(symbol, state, "measure")))
    if state.view == "greeks":
        groups.append(_group("Added up", _choices(symbol, state, "by")))
    if state.view == "compare":
        groups.append(_group("Compare with", [_others_menu(symbol, state, followed)]))
        groups.append(_group("Shown", _choices(symbol, state, "join")))
    if state.view == "volatility":
        groups.append(_group("Table", _choices(symbol, state, "by")))
    groups.append(_group("Convention", [_convention_menu(symbol, state)]))
    if state.at_ms is None and state.view != "compare":
        groups.append(_group("Time", [_look_back()]))
    if state.view == "greeks":
        groups.append(_explained(GREEK_WORDS))
    if state.ignored:
        words = (
            f"The address also says {', '.join(state.ignored)}, which means nothing here and was left out."
        )
        groups.append(html.P(words, className="ignored", role="status"))
    return groups


def _look_back() -> html.Button:
    title = "Show what was recorded a minute ago, and step through the day (,)"
    return html.Button("Look back", className="chip", title=title, **attributes({"data-past": "look"}))


def _explained(words: Iterable[tuple[str, str]]) -> html.P:
    """One sentence for each thing that a view shows."""
    said: list[Any] = []
    for name, sentence in words:
        said += [html.B(name), f" {sentence} "]
    return html.P(said, className="explained")


def _buckets(symbol: str, state: PageState) -> list[Any]:
    chosen = None if state.params.expiries else state.params.bucket
    return [
        _chip(word, page_url(symbol, state.choose("expiries", bucket)), words, bucket == chosen)
        for bucket in ("0dte", "week", "month", "all", "ex_next")
        if bucket in get_args(Bucket)
        for word, words in [BUCKET_WORDS[bucket]]
    ]


def _dates_menu(symbol: str, state: PageState, dates: Iterable[str]) -> html.Details:
    """Each expiry as a switch: a click adds it to the chosen ones, or takes it out."""
    chosen = state.params.expiries
    offered = sorted({date.fromisoformat(text) for text in dates} | set(chosen))
    links = [_date_link(symbol, state, day) for day in offered]
    label = "Dates" if not chosen else f"{chosen[0]:%b %d}" + (f" +{len(chosen) - 1}" if chosen[1:] else "")
    return _menu(
        label, links or [html.Span("No expiries known yet")], "dates-menu", "Choose expiries", on=bool(chosen)
    )


def _date_link(symbol: str, state: PageState, day: date) -> Any:
    chosen = set(state.params.expiries)
    others = sorted(chosen ^ {day})
    text = ",".join(other.isoformat() for other in others) or "all"
    return _link(
        f"{day:%a %b %d, %Y}",
        page_url(symbol, state.choose("expiries", text)),
        current=day in chosen,
        title="Take it out" if day in chosen else "Count it",
    )


def _others_menu(symbol: str, state: PageState, followed: Iterable[str]) -> html.Details:
    """Each followed symbol as a switch: a click adds it to those compared, or takes it out."""
    names = [name for name in followed if name != symbol]
    chosen = partners(symbol, state.others, names)
    links = [_other_link(symbol, state, name, chosen) for name in names]
    words = [html.Span("Only this symbol is followed here")]
    more = f" +{len(chosen) - 1}" if chosen[1:] else ""
    label = f"with {chosen[0]}{more}" if chosen else "with nothing"
    return _menu(label, links or words, "others-menu", "Choose up to three other symbols", on=True)


def _other_link(symbol: str, state: PageState, name: str, chosen: tuple[str, ...]) -> Any:
    on = name in chosen
    others = tuple(other for other in chosen if other != name) if on else (*chosen, name)[1 - MOST :]
    return _link(
        name,
        page_url(symbol, state.choose("with", ",".join(others))),
        current=on,
        title="Take it out" if on else "Compare with it",
    )


def _choices(symbol: str, state: PageState, name: str) -> list[Any]:
    return [
        _chip(label, page_url(symbol, state.choose(name, word)), words, word == state.choice(name))
        for word, (label, words) in CHOICE_WORDS[name].items()
    ]


def _convention_menu(symbol: str, state: PageState) -> html.Details:
    """Whose side the dealers take, the unit and the walls' definition: chosen rarely, so in one list."""
    items: list[Any] = []
    for name, heading in (("side", "Dealers' position"), ("unit", "Unit"), ("walls", "Walls")):
        items.append(html.H3(heading))
        items += [
            _explained_link(
                label, words, page_url(symbol, state.choose(name, word)), word == state.choice(name)
            )
            for word, (label, words) in CHOICE_WORDS[name].items()
        ]
    chosen = [CHOICE_WORDS[name][state.choice(name)] for name in ("side", "unit", "walls")]
    defaults = [next(iter(CHOICE_WORDS[name].values())) for name in ("side", "unit", "walls")]
    said = [label for (label, _), usual in zip(chosen, defaults, strict=True) if label != usual[0]]
    words = ". ".join(words for _, words in chosen)
    return _menu(", ".join(said) or chosen[0][0], items, "convention-menu", words, on=True)


def _explained_link(label: str, words: str, href: str, current: bool) -> Any:
    """A choice with its sentence below it: a finger has no hover."""
    link = _link(label, href, current=current, title=words)
    shown = link.children if isinstance(link.children, list) else [link.children]
    link.children = [*shown, html.Small(words)]
    return link


def _group(label: str, children: list[Any]) -> html.Div:
    return html.Div(children, className="group", role="group", **attributes({"aria-label": label}))


def _chip(label: str, href: str, title: str, on: bool) -> Any:
    return _link(label, href, current=on, title=title, css="chip")


def _menu(label: str, items: list[Any], id_: str, title: str, *, on: bool = False) -> html.Details:
    return html.Details(
        [
            html.Summary(label, className="chip on" if on else "chip", title=title),
            html.Div(items, className="menu"),
        ],
        id=id_,
        className="dropdown",
    )


def _link(label: str, href: str, *, current: bool, title: str, css: str = "") -> Any:
    # dcc.Link takes no aria attributes: the words say what is chosen
    words: Any = [label, html.Span(", chosen", className="unseen")] if current else label
    return dcc.Link(words, href=href, title=title, className=f"{css} on".strip() if current else css)
