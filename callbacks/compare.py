"""The Compare view's other symbols, each read as its own page would read it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from app.cache.results import Result, Results
from app.errors import GexError
from callbacks.facts import facts_of
from components.compare import Member, partners
from components.facts import Crop
from components.state import PageState
from components.together import compared

Followed = Callable[[], list[str]]


def others(results: Results, symbol: str, state: PageState, followed: list[str]) -> list[tuple[Member, str]]:
    """The members beside the page's own symbol, each with the etag of what it was read from."""
    return [_member(results, name, state, followed) for name in partners(symbol, state.others, followed)]


def _member(results: Results, symbol: str, state: PageState, followed: list[str]) -> tuple[Member, str]:
    if symbol not in followed:
        return Member(symbol, None, why="It is not followed here."), "-"
    try:
        found = results.get(symbol, state.params)
    except GexError as error:
        return Member(symbol, None, why=str(error)), "!"
    if found is None:
        return Member(symbol, None, why="No option chain of it has been read yet."), "-"
    return Member.of(facts_of(found)), found.etag


def etag(result: Result, found: list[tuple[Member, str]]) -> str:
    """The same text means the same comparison."""
    parts = " ".join([result.etag, *(f"{member.symbol}{tag}" for member, tag in found)])
    return f'"{hashlib.blake2b(parts.encode(), digest_size=9).hexdigest()}"'


def parts(
    result: Result, found: list[tuple[Member, str]], state: PageState, crop: Crop | None
) -> dict[str, Any]:
    """What the comparison adds to, or puts in place of, the answer for the page's own symbol."""
    return compared([Member.of(facts_of(result)), *(member for member, _ in found)], state, crop)
