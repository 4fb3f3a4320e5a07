"""What a guest may ask: the page of a shared symbol, what that page is made of, and REST of the symbol. Nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any
from urllib.parse import unquote

import orjson
from flask import Request

from app.access.origin import SAFE_METHODS
from app.access.visitor import Visitor
from app.errors import SymbolError
from app.market.symbols import canonical

CALLBACK = "/_dash-update-component"
# What the page is made of, the same for every symbol.
_FRAME = ("/_dash-component-suites/", "/assets/")
_FRAME_PATHS = frozenset({"/_dash-layout", "/_dash-dependencies", "/_favicon.ico", "/method", "/differences"})
_TOKEN = re.compile(r"[A-Za-z0-9$./]+")
_MOST_STRINGS = 2_000


def may_ask(guest: Visitor, asked: Request, followed: Iterable[str]) -> bool:
    """Whether a guest may make this request.

    Args:
        followed: every symbol that there is, so that a callback which names another one can be refused.
    """
    if asked.path == CALLBACK:
        return asked.method == "POST" and not names_other(guest, asked.get_data(), followed)
    if asked.method not in SAFE_METHODS:
        return False
    if asked.path in _FRAME_PATHS or asked.path.startswith(_FRAME):
        return True
    symbol = (asked.view_args or {}).get("symbol")
    return symbol is not None and _sees(guest, symbol)


def names_other(guest: Visitor, body: bytes, followed: Iterable[str]) -> bool:
    """Whether a callback's body names a symbol that isn't the guest's: in an address, or as a word of its own.

    What it names in other ways is refused where chains are read (app.viewing).
    """
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False  # refused as malformed
    others = {symbol for symbol in followed if not guest.sees(symbol)}
    texts = list(islice(_strings(asked), _MOST_STRINGS + 1))
    return len(texts) > _MOST_STRINGS or any(_names(guest, unquote(text), others) for text in texts)


def _names(guest: Visitor, text: str, others: set[str]) -> bool:
    path = text.partition("?")[0]
    if "gex/" in path and not _sees(guest, path.rpartition("gex/")[2].strip("/")):
        return True
    return any(token in others or token.replace(".", "/") in others for token in _TOKEN.findall(text))


def _sees(guest: Visitor, symbol: str) -> bool:
    try:
        return guest.sees(canonical(symbol))
    except SymbolError:
        return False


def _strings(value: Any) -> Iterator[str]:
    """Every text in a document, whatever its shape; what names a component is none of them."""
    todo = [value]
    while todo:
        here = todo.pop()
        if isinstance(here, str):
            yield here
        elif isinstance(here, list):
            todo.extend(here)
        elif isinstance(here, dict):
            todo.extend(inner for name, inner in here.items() if name not in ("id", "property", "output"))
