"""What can be made to go wrong while the simulator runs, and what it has counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from app.errors import DataError

STATUSES = (400, 401, 403, 404, 429, 500, 502, 503)
Cut = Literal["rst", "1000", "1001", "1006", "1011", "30"]
CUTS: tuple[Cut, ...] = ("rst", "1000", "1001", "1006", "1011", "30")


@dataclass(slots=True)
class StatusFault:
    """Answer requests with an error status.

    Attributes:
        path: only requests whose path or query contains this text.
        count: how many more; -1 until told otherwise.
    """

    status: int
    path: str = ""
    count: int = -1


@dataclass(slots=True)
class TruncateFault:
    """Cut chains short, and say so: `isChainTruncated`.

    Attributes:
        contracts: how many an answer holds at most.
        path: only requests whose path or query contains this text.
    """

    contracts: int
    path: str = ""


@dataclass(slots=True)
class Faults:
    """Faults that last until they are taken back. `silent`, `half_open` and `stream_delay_s` are the stream's.

    Attributes:
        silent: the stream sends nothing any more; pings are still answered.
        half_open: the stream reads nothing and answers nothing, pings included.
        stream_delay_s: data frames leave this much later.
        delay_s: REST and token answers come this much later.
        login_denied: the stream's LOGIN is answered with code 3.
        double_answer: a second response, code 24, follows the code 19 of a symbol limit.
        no_greeks: all volatilities and greeks are -999.
        listed_share: the part of each chain that REST lists.
        truncate: see TruncateFault; None for none.
        status: see StatusFault; None for none.
    """

    silent: bool = False
    half_open: bool = False
    stream_delay_s: float = 0.0
    delay_s: float = 0.0
    login_denied: bool = False
    double_answer: bool = False
    no_greeks: bool = False
    listed_share: float = 1.0
    truncate: TruncateFault | None = None
    status: StatusFault | None = None

    def change(self, given: dict[str, Any]) -> None:
        """Set the faults named in `given`. Raises DataError, changing nothing, when one of them can't be set so."""
        clean = {name: _checked(name, value) for name, value in given.items()}
        for name, value in clean.items():
            setattr(self, name, value)

    def due(self, path: str) -> int | None:
        """The error status that this request shall get, counted off; None for a normal answer."""
        fault = self.status
        if fault is None or fault.count == 0 or fault.path not in path:
            return None
        if fault.count > 0:
            fault.count -= 1
        return fault.status

    def most_contracts(self, path: str) -> int | None:
        """How many contracts the answer to this request may hold; None for all."""
        fault = self.truncate
        return None if fault is None or fault.path not in path else fault.contracts

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


NAMES = tuple(Faults.__dataclass_fields__)


@dataclass(slots=True)
class Counters:
    """What has happened since the start, for tests and for the curious.

    Attributes:
        requests: by path, option symbols and ids taken out.
        statuses: answers by HTTP status.
        commands: of the stream, by service and command.
        max_connections: stream connections open at once, at most.
    """

    requests: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    exchanges: int = 0
    refreshes: int = 0
    logins: int = 0
    logins_denied: int = 0
    displaced: int = 0
    connections: int = 0
    connections_open: int = 0
    max_connections: int = 0
    frames: int = 0
    items: int = 0

    def connected(self) -> None:
        """A stream connection was opened."""
        self.connections += 1
        self.connections_open += 1
        self.max_connections = max(self.max_connections, self.connections_open)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__}


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Counter) else value


def _checked(name: str, value: Any) -> Any:
    if name == "status":
        return _status(value)
    if name == "truncate":
        return _truncate(value)
    current = getattr(Faults(), name, None)
    if current is None:
        raise DataError(f"no such fault: {name!r}; there are {', '.join(NAMES)} and the actions")
    if isinstance(current, bool):
        if not isinstance(value, bool):
            raise DataError(f"{name} is true or false")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 3600:
        raise DataError(f"{name} is a number from 0 to 3600")
    if name == "listed_share" and value > 1:
        raise DataError("listed_share is a number from 0 to 1")
    return float(value)


def _status(value: Any) -> StatusFault | None:
    if value is None:
        return None
    given = value if isinstance(value, dict) else {"status": value}
    try:
        fault = StatusFault(**given)
    except TypeError as error:
        raise DataError("status is a number, or {status, path, count}") from error
    if fault.status not in STATUSES or not isinstance(fault.path, str) or not isinstance(fault.count, int):
        raise DataError(
            f"status is one of {', '.join(map(str, STATUSES))}, path a text, count a whole number"
        )
    return fault


def _truncate(value: Any) -> TruncateFault | None:
    if value is None:
        return None
    given = value if isinstance(value, dict) else {"contracts": value}
    try:
        fault = TruncateFault(**given)
    except TypeError as error:
        raise DataError("truncate is a number of contracts, or {contracts, path}") from error
    whole = isinstance(fault.contracts, int) and not isinstance(fault.contracts, bool)
    if not whole or fault.contracts < 0 or not isinstance(fault.path, str):
        raise DataError("contracts is a whole number from 0, path a text")
    return fault
