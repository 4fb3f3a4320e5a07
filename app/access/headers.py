"""Headers on every answer that keep other sites, frames and scripts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from app.access import styles
from app.access.origin import is_secure
from app.settings import SCHWAB_API, Settings

_HSTS = "max-age=31536000; includeSubDomains"
_DATA_POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
FIXED = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",  # what says nothing else of itself
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def install(server: Flask, settings: Settings, script_hashes: Callable[[], Sequence[str]]) -> None:
    """Send them with every response. `script_hashes` gives the hashes of Dash's own inline scripts, once all are known."""
    sign_in = _sign_in_policy(settings)

    @cache
    def page() -> str:
        return _page_policy(script_hashes())

    def policy(response: Response) -> str:
        if response.mimetype != "text/html":
            return _DATA_POLICY
        return sign_in if "gex_account_page" in g else page()

    @server.after_request
    def protect(response: Response) -> Response:
        wanted = {**FIXED, "Content-Security-Policy": policy(response)}
        if is_secure(request, settings):
            wanted["Strict-Transport-Security"] = _HSTS
        given = {name.lower() for name in response.headers.keys()}  # noqa: SIM118 - pairs, no mapping
        # added at once: setting one after the other compares each with all, the dearest thing a small answer would do
        response.headers.extend((name, value) for name, value in wanted.items() if name.lower() not in given)
        return response


def _page_policy(hashes: Sequence[str]) -> str:
    # Plotly and Dash style elements through the CSSOM, which a policy allows; the style sheets that they write into the
    # page are known by their hash.
    return _policy(
        {
            "default-src": ["'none'"],
            "script-src": ["'self'", *hashes],
            "style-src": ["'self'", *styles.HASHES],
            "style-src-attr": ["'unsafe-hashes'", styles.ATTRIBUTE],
            "connect-src": ["'self'"],
            "img-src": ["'self'", "data:", "blob:"],
            "font-src": ["'self'", "data:"],
            "worker-src": ["'self'", "blob:"],
            "manifest-src": ["'self'"],
            "form-action": ["'self'"],
        }
    )


def _sign_in_policy(settings: Settings) -> str:
    # form-action: browsers apply it to the redirects of the form that starts the login, Schwab's own included
    callback = _origin(settings.schwab_callback_url)
    schwab = ["https://*.schwab.com"] if settings.schwab_api_url == SCHWAB_API else []
    return _policy(
        {
            "default-src": ["'none'"],
            "style-src": ["'self'"],
            "img-src": ["'self'", "data:"],
            "form-action": ["'self'", _origin(settings.schwab_api_url), *schwab, callback],
        }
    )


def _policy(rules: dict[str, list[str]]) -> str:
    always = {"object-src": ["'none'"], "base-uri": ["'none'"], "frame-ancestors": ["'none'"]}
    return "; ".join(f"{name} {' '.join(sources)}" for name, sources in {**rules, **always}.items())


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
