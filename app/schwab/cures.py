"""What goes wrong between a trader and Schwab, in words, and what cures it: one table for logs, page and documentation."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from app.errors import GexError

E = TypeVar("E", bound=GexError)


class Trouble(NamedTuple):
    """A known problem: what happened, and what its reader can do."""

    message: str
    cure: str


TROUBLES: dict[str, Trouble] = {
    "sign_in_needed": Trouble(
        "There is no Schwab login yet.",
        "Sign in with Schwab at /login.",
    ),
    "login_expired": Trouble(
        "The Schwab login has ended: it lasts seven days, and less after a password change.",
        "Sign in with Schwab again at /login.",
    ),
    "login_unreadable": Trouble(
        "The stored Schwab login can't be decrypted with this TOKEN_KEY.",
        "Restore the TOKEN_KEY (or the key file in DATA_DIR) that it was stored with, or sign in again at /login.",
    ),
    "bad_key": Trouble(
        "Schwab doesn't accept the app key and secret.",
        "Compare SCHWAB_APP_KEY and SCHWAB_APP_SECRET with the app in Schwab's developer portal; "
        'the app must be "Ready For Use", not "Approved - Pending".',
    ),
    "bad_code": Trouble(
        "Schwab refused the authorization code: it is good once, for about 30 seconds, "
        "and only with the registered callback address.",
        "Start the sign-in again at /login, and check that SCHWAB_CALLBACK_URL is the registered callback, byte for byte.",
    ),
    "bad_redirect": Trouble(
        "This address holds no authorization code.",
        "Paste the whole address that the browser shows after Schwab's confirmation page; it contains ?code=.",
    ),
    "bad_callback": Trouble(
        "Schwab takes only https callbacks of at most 255 characters, and 127.0.0.1 but not localhost.",
        "Set SCHWAB_CALLBACK_URL to the callback registered in the developer portal, e.g. https://127.0.0.1:8182.",
    ),
    "login_denied": Trouble(
        "Schwab's streamer refuses a freshly renewed login.",
        'Sign in again at /login; if that doesn\'t help, check in the developer portal that the app is "Ready For Use".',
    ),
    "not_authorized": Trouble(
        "Schwab refuses a freshly renewed access token.",
        "Sign in again at /login, and check that the app includes the Market Data and Trader APIs in the developer portal.",
    ),
    "edge_refused": Trouble(
        "Schwab's edge protection refuses this machine's requests (403 Access Denied).",
        "It usually passes within minutes. Otherwise leave out VPNs and proxies, and run fewer programs on this login.",
    ),
    "rate_limited": Trouble(
        "Schwab says there were too many requests (429).",
        "Lower REST_PER_MINUTE or follow fewer symbols, and stop other programs that use the same app key.",
    ),
    "too_big": Trouble(
        "Schwab's gateway cut the answer: too many contracts at once.",
        "Nothing to do here: the feed asks for less at a time.",
    ),
    "unreachable": Trouble(
        "Schwab can't be reached.",
        "Check this machine's network; the feed tries again by itself.",
    ),
    "outage": Trouble(
        "Schwab answers with an error of its own.",
        "Nothing to do here: the feed tries again by itself.",
    ),
    "unknown_symbol": Trouble(
        "Schwab knows no such symbol.",
        "Drop it or take it out of SYMBOLS, or correct it: indices go by names such as SPX and NDX, ETFs and stocks by "
        "their ticker.",
    ),
    "no_options": Trouble(
        "Schwab lists no options on this symbol.",
        "Drop it or take it out of SYMBOLS, or name an underlying that has options.",
    ),
    "displaced": Trouble(
        "Another program streams with the same Schwab login; Schwab allows one connection.",
        "Stop the other program, or point both at one feed (REDIS_URL).",
    ),
    "stream_lost": Trouble(
        "The connection to Schwab's streamer was lost.",
        "Nothing to do here: the feed reconnects by itself. Numbers keep their age meanwhile.",
    ),
    "no_stream": Trouble(
        "Schwab's streamer doesn't offer option quotes to this login.",
        "Quotes come from the slower REST refresh. Check the market-data agreements of the Schwab account.",
    ),
    "cache_down": Trouble(
        "The cache can't be written.",
        "Check that Redis runs at REDIS_URL and has memory left; the feed refills it by itself.",
    ),
    "clock_skewed": Trouble(
        "This machine's clock is wrong: settlement goes by the broker's.",
        "Set the clock, best by NTP; until then some ages on the page are off by as much.",
    ),
    "login_ends_soon": Trouble(
        "The Schwab login ends within a day.",
        "Sign in again at /login before it does.",
    ),
}


def trouble(kind: type[E], code: str, detail: str = "", **extra: Any) -> E:
    """An error of this kind for a known problem, carrying its words, its cure and its code."""
    known = TROUBLES[code]
    message = f"{known.message} ({detail})" if detail else known.message
    return named(kind(message, **extra), code)


def named(error: E, code: str) -> E:
    """The error with the code and the cure of a known problem."""
    error.code = code
    error.cure = TROUBLES[code].cure
    return error
