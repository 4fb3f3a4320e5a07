"""The address decides what is shown: header links, chips, and the page that says why there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from dash import Dash, Input, Output

from app.errors import SymbolError
from app.market.symbols import canonical
from components import problems
from components.controls import chips, symbol_menu, view_tabs
from components.state import PageState

_DOCS = Path(__file__).resolve().parents[1] / "docs"
# pages made of a document each, by their address
DOCUMENTS = {"method": "method.md", "differences": "differences.md"}


def register(app: Dash, followed: Callable[[], list[str]], everything: Callable[[], bool]) -> None:
    """Wire the header, the chips and the problem page to the address.

    Args:
        followed: the symbols that whoever asks may see; everything: whether the status page too.
    """

    @app.callback(
        Output("problem", "children"),
        Output("symbols", "children"),
        Output("views", "children"),
        Output("controls", "children"),
        Input("url", "pathname"),
        Input("url", "search"),
        Input("dates", "data"),
    )
    def navigate(pathname: str | None, search: str | None, dates: Any) -> tuple[Any, Any, Any, Any]:
        state = PageState.from_query(search)
        names = followed()
        symbol, problem = locate(pathname, names)
        if problem:
            return problem, symbol_menu("Symbols", names, PageState()), [], []
        known = _expiries(dates)
        return (
            [],
            symbol_menu(symbol, names, state),
            view_tabs(symbol, state, everything=everything()),
            chips(symbol, state, known, names),
        )


def _expiries(dates: object) -> list[str]:
    """The expiries that the browser read in the last answer; what is no date is left out, since anyone can send it."""
    return [day for day in dates if _is_date(day)] if isinstance(dates, list) else []


def _is_date(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(date.fromisoformat(text))
    except ValueError:
        return False


def locate(pathname: str | None, followed: list[str]) -> tuple[str, list[Any]]:
    """The canonical symbol that a path names, or the page that says why it names none."""
    text = unquote(pathname or "/").strip("/")
    if text in DOCUMENTS:
        return "", problems.document((_DOCS / DOCUMENTS[text]).read_text("utf-8"))
    if text and not text.startswith("gex/"):
        return "", problems.no_such_page(followed)
    try:
        symbol = canonical(text.removeprefix("gex/")) if text else followed[0]
    except SymbolError:
        return "", problems.not_a_symbol(text.removeprefix("gex/"), followed)
    return (symbol, []) if symbol in followed else ("", problems.not_followed(symbol, followed))
