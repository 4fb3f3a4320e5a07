"""What the header says of who looks: the account's menu, or that this is a shared view."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dash import html

from components.attributes import attributes


def account_menu(links: Iterable[tuple[str, str]], shared: str = "") -> list[Any]:
    """The account's pages as one menu; a single link where there is only one.

    Args:
        links: words and addresses.
        shared: what a guest's page says of itself, "" for everyone else.
    """
    listed = list(links)
    tag = [html.Span(shared, className="tag", id="shared", role="note")] if shared else []
    if len(listed) < 2:
        return [*tag, *(html.A(words, href=address, className="account") for words, address in listed)]
    menu = html.Details(
        [
            html.Summary("Account", className="chip", title="Share links, API keys, sessions"),
            html.Div([html.A(words, href=address) for words, address in listed], className="menu"),
        ],
        id="account-menu",
        className="dropdown",
        **attributes({"aria-label": "Account"}),
    )
    return [*tag, menu]
