"""The simulator's switches, from Python: what tests use to make things go wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import requests

from app.errors import BrokerError
from app.simulator.faults import Cut


class Control:
    """Talks to /simulator/faults and /simulator/state of a running simulator.

    >>> control = Control("http://127.0.0.1:8100")  # doctest: +SKIP
    >>> control.cut("rst")  # doctest: +SKIP

    Every method raises BrokerError when the simulator doesn't answer or refuses.
    """

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        self.url, self._timeout_s = url.rstrip("/"), timeout_s

    def state(self) -> dict[str, Any]:
        """Counters, connections, subscriptions, spot per symbol."""
        return self._call("GET", "/simulator/state")

    def set(self, **faults: Any) -> dict[str, Any]:
        """Set faults by name (docs/simulator.md lists them); what is set now."""
        return self._call("POST", "/simulator/faults", faults)

    def clear(self) -> None:
        """Everything works again."""
        self._call("DELETE", "/simulator/faults")

    def cut(self, how: Cut = "rst") -> None:
        """End every stream connection: a reset, a close code (1000, 1001, 1006, 1011), or code 30 and a close."""
        self.set(cut=how)

    def silence(self, on: bool = True) -> None:
        """Send nothing on the stream; pings are still answered."""
        self.set(silent=on)

    def half_open(self, on: bool = True) -> None:
        """Read nothing and answer nothing on the stream, pings included."""
        self.set(half_open=on)

    def delay(self, seconds: float) -> None:
        """Answer REST and token requests this much later."""
        self.set(delay_s=seconds)

    def delay_stream(self, seconds: float) -> None:
        """Send data frames this much later."""
        self.set(stream_delay_s=seconds)

    def malformed(self, frames: int = 1) -> None:
        """Send this many frames that aren't what they should be."""
        self.set(malformed=frames)

    def forget(self) -> None:
        """Lose every subscription of the stream; heartbeats go on."""
        self.set(forget=True)

    def expire(self, kind: Literal["access", "refresh"]) -> None:
        """Let all tokens of this kind that are out expire now."""
        self.set(expire=kind)

    def deny_login(self, on: bool = True) -> None:
        """Answer the stream's LOGIN with code 3."""
        self.set(login_denied=on)

    def fail(self, status: int | None, path: str = "", count: int = -1) -> None:
        """Answer requests whose path contains `path` with this status, `count` times; None ends it.

        401, 403 (an HTML page), 429, 500, 502 ("Body buffer overflow") and 503 are what Schwab is known for.
        """
        self.set(status=None if status is None else {"status": status, "path": path, "count": count})

    def no_greeks(self, on: bool = True) -> None:
        """All volatilities and greeks read -999."""
        self.set(no_greeks=on)

    def jump(self, symbol: str, percent: float) -> None:
        """Move the spot of one underlying at once."""
        self.set(spot_jump={symbol: percent})

    def list_share(self, share: float) -> None:
        """List only this part of each chain over REST, 0..1: 0.5 halves it."""
        self.set(listed_share=share)

    def truncate(self, contracts: int | None, path: str = "") -> None:
        """Cut every chain whose request contains `path` short to this many contracts; None ends it."""
        self.set(truncate=None if contracts is None else {"contracts": contracts, "path": path})

    def set_clock(self, instant: datetime) -> None:
        """Set the simulated clock."""
        self.set(clock=instant.isoformat())

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = requests.request(method, self.url + path, json=body, timeout=self._timeout_s)
        except requests.RequestException as error:
            raise BrokerError(f"the simulator at {self.url} doesn't answer") from error
        answer: dict[str, Any] = response.json()
        if response.status_code != 200:
            raise BrokerError(f"the simulator refuses: {answer.get('error')}", status=response.status_code)
        return answer
