"""Rules for SCHWAB_CALLBACK_URL, checked before a browser opens Schwab's pages, and who answers it."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from app.settings import Settings

LONGEST = 255
DEFAULT_TLS_PORT = 443
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check_callback(url: str) -> list[str]:
    """What Schwab or the browser would stumble over, one sentence each; empty when all is well."""
    if " " in url or "," in url:
        return ["SCHWAB_CALLBACK_URL holds a space or a comma: give one address only."]
    try:
        parts = urlsplit(url)
        port_is_wrong = parts.port == 0
    except ValueError:
        return [f"SCHWAB_CALLBACK_URL {url[:80]!r} is not an address such as https://127.0.0.1:8182."]
    problems = [
        (parts.scheme != "https", "must begin with https://: Schwab takes no other."),
        (not parts.hostname, "names no host."),
        (parts.hostname == "localhost", "names localhost, which Schwab refuses: write 127.0.0.1."),
        (port_is_wrong, "has a port of 0."),
        (
            parts.path.endswith("/"),
            "ends with a slash: that byte counts, so the portal must have it as well.",
        ),
        (bool(parts.query or parts.fragment), "has a query or a fragment: Schwab compares the whole text."),
        (bool(parts.username), "carries a user name."),
        (len(url) > LONGEST, f"is longer than {LONGEST} characters."),
    ]
    return [f"SCHWAB_CALLBACK_URL {said}" for wrong, said in problems if wrong]


def answered_by_server(settings: Settings) -> bool:
    """Whether the callback is the web server's own public address, so that no listener is needed."""
    if not settings.public_url:
        return False
    return _place(urlsplit(settings.schwab_callback_url)) == _place(urlsplit(settings.public_url))


def listener_address(settings: Settings) -> tuple[str, int] | None:
    """Host and port that the TLS listener answers, None where it isn't needed or can't serve the callback."""
    parts = urlsplit(settings.schwab_callback_url)
    if answered_by_server(settings) or parts.scheme != "https" or parts.hostname not in _LOOPBACK:
        return None
    return ("127.0.0.1" if parts.hostname == "localhost" else parts.hostname), parts.port or DEFAULT_TLS_PORT


def callback_path(settings: Settings) -> str:
    """The path of the callback, "/" when it has none."""
    return urlsplit(settings.schwab_callback_url).path or "/"


def _place(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (DEFAULT_TLS_PORT if parts.scheme == "https" else 80)
