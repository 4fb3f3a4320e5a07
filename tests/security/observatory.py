"""MDN HTTP Observatory's scoring of one response, ported from mdn/mdn-http-observatory (src/analyzer, src/grader).

Left out are the tests that need the network: the redirect from http to https, and whether the host is on a browser's HSTS
preload list. Both score 0 here, as they do for a host that redirects and isn't preloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from werkzeug.wrappers import Response

BROAD = {"ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"}
UNSAFE = {"'unsafe-inline'", "data:"}
SIX_MONTHS_S = 15_768_000
_HASHED = ("'sha256-", "'sha384-", "'sha512-", "'nonce-")
_PRIVATE_REFERRERS = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
_SCRIPT = re.compile(r"<script[^>]*\bsrc=[\"']?([^\"'\s>]+)", re.IGNORECASE)


def score(response: Response) -> dict[str, int]:
    """Points for each test, besides the 100 that everybody starts from. Their sum counts from 90 points on."""
    policy = _policy(response.headers.get("Content-Security-Policy", ""))
    return {
        "content security policy": _content(policy),
        "cookies": _cookies(response),
        "cross-origin resource policy": 10
        if _is(response, "Cross-Origin-Resource-Policy", {"same-origin", "same-site"})
        else 0,
        "cross-origin sharing": 0 if "Access-Control-Allow-Origin" not in response.headers else -50,
        "referrer policy": 5 if _is(response, "Referrer-Policy", _PRIVATE_REFERRERS) else 0,
        "strict transport security": _transport(response),
        "subresource integrity": _scripts(response),
        "content type options": 0 if _is(response, "X-Content-Type-Options", {"nosniff"}) else -5,
        "frame options": _frames(policy, response),
    }


def total(points: Iterable[int]) -> int:
    """100 and the points; extra ones count only where the deductions leave at least 90."""
    listed = list(points)
    base = 100 + sum(point for point in listed if point < 0)
    return base + sum(point for point in listed if point > 0) if base >= 90 else base


def _policy(header: str) -> dict[str, set[str]]:
    parts = [part.split() for part in header.split(";") if part.strip()]
    return {name.lower(): set(sources) for name, *sources in parts}


def _sources(policy: dict[str, set[str]], name: str) -> set[str]:
    found = set(policy.get(name, policy.get("default-src", {"*"})))
    return found - {"'unsafe-inline'"} if any(source.startswith(_HASHED) for source in found) else found


def _content(policy: dict[str, set[str]]) -> int:
    if not policy:
        return -25
    scripts, styles = _sources(policy, "script-src"), _sources(policy, "style-src")
    active = [
        source
        for name, sources in policy.items()
        if name not in ("img-src", "media-src")
        for source in sources
    ]
    if scripts & (BROAD | UNSAFE) or _sources(policy, "object-src") & BROAD:
        return -20
    if any(source.startswith(("http:", "ftp:")) for source in active):
        return -20
    if "'unsafe-eval'" in scripts | styles:
        return -10
    if any(source.startswith(("http:", "ftp:")) for source in _sources(policy, "img-src")):
        return -10
    if styles & (BROAD | UNSAFE):
        return 0
    return 10 if policy.get("default-src") == {"'none'"} else 5


def _cookies(response: Response) -> int:
    worst = 5
    lines = response.headers.getlist("Set-Cookie")
    for line in lines:
        flags = {part.strip().lower() for part in line.split(";")[1:]}
        if "secure" not in flags:
            worst = min(worst, -40)
        elif "httponly" not in flags:
            worst = min(worst, -30)
        elif not flags & {"samesite=lax", "samesite=strict"}:
            worst = min(worst, 0)
    return worst if lines else 0


def _is(response: Response, header: str, good: set[str]) -> bool:
    return response.headers.get(header, "").lower() in good


def _transport(response: Response) -> int:
    age = re.search(r"max-age=(\d+)", response.headers.get("Strict-Transport-Security", ""))
    if not age:
        return -20
    return 0 if int(age.group(1)) >= SIX_MONTHS_S else -10


def _scripts(response: Response) -> int:
    if response.mimetype != "text/html":
        return 0
    elsewhere = [src for src in _SCRIPT.findall(response.get_data(as_text=True)) if "//" in src]
    return -50 if elsewhere else 0


def _frames(policy: dict[str, set[str]], response: Response) -> int:
    ancestors = policy.get("frame-ancestors", {"*"})
    if not ancestors & BROAD:
        return 5
    return 0 if _is(response, "X-Frame-Options", {"deny", "sameorigin"}) else -20
