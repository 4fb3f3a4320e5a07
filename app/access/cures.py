"""What can go wrong on the way to a live feed, and what cures it: one table for the sign-in page, the log and the guide.

docs/connect-schwab.md lists every row; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.schwab.cures import TROUBLES


@dataclass(frozen=True, slots=True)
class Cure:
    """One row.

    Attributes:
        code: a stable name.
        sign: what its reader sees.
        cause: why it happens.
        cure: what to do, in one or two sentences; where the error itself says it, the same words.
    """

    code: str
    sign: str
    cause: str
    cure: str


def _said(code: str) -> str:
    """The words that the error itself carries."""
    return TROUBLES[code].cure


APPLICATION = (
    Cure(
        "invalid_client",
        "401 invalid_client, “Unauthorized”",
        "Schwab does not know the app key, or the secret does not belong to it.",
        _said("bad_key"),
    ),
    Cure(
        "app_pending",
        "“We are unable to complete your request”, or the app is “Approved - Pending”",
        "The app is not ready: after each change Schwab needs until the next business day or longer.",
        "Wait until the developer portal says “Ready For Use”; no other status works.",
    ),
    Cure(
        "callback_mismatch",
        "“Whitelabel Error Page” with status 500, or an error page right after the Schwab address opens",
        "The callback address differs from the registered one: one byte is enough, a slash at the end too.",
        "Make SCHWAB_CALLBACK_URL and the portal's callback the same text, byte for byte, and restart.",
    ),
    Cure(
        "callback_localhost",
        "The portal refuses the callback address, or the login fails with “localhost” in it",
        "Schwab takes https addresses only, and not the name localhost.",
        _said("bad_callback"),
    ),
    Cure(
        "edge_denied",
        "403, an HTML page “Access Denied”",
        "Schwab's network edge blocks this address for a while, often after many requests or from a VPN.",
        _said("edge_refused"),
    ),
    Cure(
        "outage",
        "500, 502, 503 or 504 at the login",
        "Schwab has an outage; weekends have maintenance.",
        _said("outage"),
    ),
)

CODE = (
    Cure(
        "bad_code",
        "400 or 401 at the code exchange",
        "The code was used before, is older than about 30 seconds, or belongs to another callback address.",
        _said("bad_code"),
    ),
    Cure(
        "state_missing",
        "“The address carries no state”",
        "The address was shortened on the way, or it comes from another program's login.",
        "Start with the button here, and paste the whole address, from https to its last character.",
    ),
    Cure(
        "state_unknown",
        "“This login is unknown, used or too old”",
        "A login lasts ten minutes and works once; reloading the page or going back repeats an old one.",
        "Start again with the button.",
    ),
    Cure(
        "state_foreign",
        "“This login was started in another browser”",
        "A login only ends in the browser that began it, so that nobody can plant theirs.",
        "Start and finish in one browser, with cookies allowed.",
    ),
    Cure(
        "login_refused",
        "Schwab sends you back with an error",
        "The login was cancelled on Schwab's page, or no account was chosen.",
        "Start again, choose at least one account, and confirm.",
    ),
    Cure(
        "certificate_warning",
        "The browser warns of the certificate of 127.0.0.1",
        "This machine answers the callback itself, with a certificate that it made; nobody else vouches for it.",
        "Choose “Advanced” and continue, or copy the address from the address bar and paste it on the sign-in page.",
    ),
    Cure(
        "callback_unreachable",
        "“This site can't be reached” after Schwab's pages",
        "Nothing answers the callback: its port is taken, or the server runs on another machine.",
        "Copy the whole address from the address bar and paste it on the sign-in page within 30 seconds.",
    ),
    Cure(
        "other_account",
        "“This dashboard belongs to another Schwab account”",
        "The first account that signs in owns the dashboard; nobody else may sign in to it.",
        "Sign in with the owner's account, or name both identities in OWNER_ALLOWLIST.",
    ),
    Cure(
        "cache_down",
        "“Signing in needs the cache”",
        "A login in progress is kept in Redis, and Redis does not answer.",
        _said("cache_down"),
    ),
)

TOKEN = (
    Cure(
        "seven_days",
        "The login ends every seven days",
        "Schwab limits the refresh token to seven days from the login; no refresh extends it.",
        "Sign in again; the page says so a day ahead, and a new login before the end leaves no gap.",
    ),
    Cure(
        "refresh_refused",
        "400 unsupported_token_type, refresh_token_authentication_error",
        "The refresh token is wrong, used up or expired; a changed Schwab password ends it as well.",
        _said("login_expired"),
    ),
    Cure(
        "refresh_expired",
        "400 invalid_grant, “Refresh token is invalid, expired or revoked”",
        "The seven days are over, or the access was revoked.",
        _said("login_expired"),
    ),
    Cure(
        "access_expired",
        "401 “Client not authorized” in a running feed",
        "The access token lasts 30 minutes; the feed renews it ahead of time, and once more on a 401. It stayed refused.",
        _said("not_authorized"),
    ),
)

STREAM = (
    Cure(
        "stream_silent",
        "The stream is silent without an error",
        "Schwab's streamer sometimes stops sending while the connection stays open.",
        _said("stream_lost"),
    ),
    Cure(
        "stream_1011",
        "Close code 1011, “keepalive ping timeout”",
        "The connection was lost on the way.",
        _said("stream_lost"),
    ),
    Cure(
        "stream_short",
        "The stream ends some 30 seconds after its start (code 30), or its login is refused (code 3)",
        "Nothing was subscribed in time, or the token was no longer good; the feed renews it and tries again first.",
        _said("login_denied"),
    ),
    Cure(
        "displaced",
        "The stream is cut whenever another program connects",
        "One Schwab user gets one stream: a second login displaces the first.",
        _said("displaced"),
    ),
    Cure(
        "key_limit",
        "Code 19, the symbol limit",
        "Schwab streams about 3,000 option contracts for one user.",
        "Nothing to do: the rest is swept by REST. Fewer SYMBOLS or a lower STREAM_KEYS make the sweep faster.",
    ),
    Cure(
        "no_time_and_sales",
        "No time and sales (code 11, service not available)",
        "Schwab does not offer that stream.",
        "Nothing to do: the dashboard does not need it.",
    ),
)

DATA = (
    Cure(
        "too_big",
        "502 “Body buffer overflow” on $SPX chains",
        "The whole chain is larger than Schwab's gateway lets through.",
        "Nothing to do: the feed asks in date windows and halves those that are too big.",
    ),
    Cure(
        "rate_limited",
        "429, too many requests",
        "Schwab allows about 120 requests a minute for one app, all programs together.",
        _said("rate_limited"),
    ),
    Cure(
        "greeks_999",
        "Greeks of -999 at night and at weekends",
        "Schwab does not compute them then.",
        "Nothing to do: gamma is computed here from prices; where none is known it is left out and counted.",
    ),
    Cure(
        "index_symbol",
        "SPX is unknown to Schwab",
        "Schwab writes indices with a dollar sign, $SPX.",
        "Nothing to do: SPX and $SPX are one here.",
    ),
    Cure(
        "tda_numbers",
        "Field numbers differ from TD Ameritrade's",
        "Schwab numbered the stream's fields anew.",
        "Nothing to do here; change scripts that were written for TD Ameritrade.",
    ),
)

SECTIONS: dict[str, tuple[Cure, ...]] = {
    "The app, its key and its callback": APPLICATION,
    "Coming back from Schwab": CODE,
    "How long the login lasts": TOKEN,
    "The stream": STREAM,
    "Chains and quotes": DATA,
}

CURES: dict[str, Cure] = {cure.code: cure for rows in SECTIONS.values() for cure in rows}
