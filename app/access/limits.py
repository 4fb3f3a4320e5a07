"""How often one client may ask: token buckets in this process, so that neither a flood nor a Redis outage is an error 500.

Clients on this machine are exempt: they are the owner's own scripts, or a proxy that was not configured.
"""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

_MOST_CLIENTS = 10_000


class Limit:
    """`burst` requests at once, then `per_s` a second, for each client. Thread-safe; remembers the latest 10,000 clients."""

    def __init__(self, burst: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = float(burst)
        self._per_s = per_s
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, client: str) -> int:
        """Take one request of this client: 0 when it may go on, else the whole seconds to wait."""
        now = self._clock()
        with self._lock:
            left, at = self._buckets.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._per_s)
            allowed = left >= 1.0
            self._buckets[client] = (left - 1.0 if allowed else left), now
            if len(self._buckets) > _MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1.0 - left) / self._per_s))


@lru_cache(maxsize=1024)
def client_of(address: str | None) -> str:
    """Who counts as one client: an IPv4 address, an IPv6 /64 network; "" for this machine, which is exempt."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return client_of(str(parsed.ipv4_mapped))
        if not parsed.is_loopback:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
    return "" if parsed.is_loopback else str(parsed)
