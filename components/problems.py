"""Pages for what can't be shown: each says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dash import dcc, html

from components.attributes import attributes
from components.controls import page_url


def not_a_symbol(text: str, followed: Iterable[str]) -> list[Any]:
    """For an address whose symbol isn't one."""
    return _problem(
        f"“{text[:24]}” is not a symbol",
        "A symbol has up to six letters and digits, such as SPX, SPY or AAPL. The $ that Schwab writes before an index may "
        "be left out.",
        followed,
    )


def not_followed(symbol: str, followed: Iterable[str]) -> list[Any]:
    """For a symbol that the feed wasn't told to read."""
    names = list(followed)
    return _problem(
        f"{symbol} is not followed",
        [
            "Once it is followed, the feed reads it within seconds. Only the owner, signed in, may do that. To follow it "
            "from the start, set ",
            html.Code(f"SYMBOLS={','.join([*names, symbol])}"),
            " and restart the server.",
        ],
        names,
        html.Button(f"Follow {symbol}", className="chip on", **attributes({"data-follow": symbol})),
    )


def no_such_page(followed: Iterable[str]) -> list[Any]:
    """For an address that nothing is at."""
    return _problem("There is no such page", "Every symbol's page is at /gex/ and its name.", followed)


def _problem(title: str, words: str | list[Any], followed: Iterable[str], *help_: html.Button) -> list[Any]:
    links = [html.A(name, href=page_url(name), className="chip") for name in followed]
    said = [
        html.H1(title),
        html.P(words),
        *help_,
        html.P("Followed now:"),
        html.Div(links, className="group"),
    ]
    return [html.Div(said, className="words", role="alert")]


def document(text: str) -> list[Any]:
    """A page made of a document's Markdown, such as how everything is computed."""
    return [html.Article(dcc.Markdown(text), className="prose")]
