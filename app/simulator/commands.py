"""One user's session on the streamer: what each command does and how it is answered. No sockets here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from app.simulator.candles import ChartLines
from app.simulator.lines import EquityLines, FieldList, Item, Lines, OptionLines
from app.simulator.market import Instant
from app.simulator.shared import Shared
from app.simulator.tokens import TokenRefused

SUCCESS, LOGIN_DENIED, NOT_AVAILABLE, SYMBOL_LIMIT, NOT_FOUND, BAD_FORMAT, ADD_FAILED = (
    0,
    3,
    11,
    19,
    20,
    21,
    24,
)
OPTIONS, EQUITIES, CHARTS = "LEVELONE_OPTIONS", "LEVELONE_EQUITIES", "CHART_EQUITY"
# Served by Schwab; the simulator has nothing to send there, so their keys are acknowledged and stay silent.
_EMPTY_SERVICES = frozenset({
    "LEVELONE_FUTURES", "LEVELONE_FUTURES_OPTIONS", "LEVELONE_FOREX", "CHART_FUTURES", "NYSE_BOOK", "NASDAQ_BOOK",
    "OPTIONS_BOOK", "SCREENER_EQUITY", "SCREENER_OPTION", "ACCT_ACTIVITY",
})  # fmt: skip
_DENIED = "Login Denied.: token is invalid or has expired."
Request = dict[str, Any]


@dataclass(slots=True)
class Answers:
    """What goes back for one frame of commands: lists of responses, a frame each, and whether the server closes then."""

    frames: list[list[dict[str, Any]]] = field(default_factory=list)
    close: bool = False


class SilentLines:
    """A service that has nothing to say."""

    def __init__(self) -> None:
        self.keys: dict[str, FieldList] = {}

    def forget(self, keys: Any) -> None:
        """See Lines."""

    def collect(self, at: Instant) -> list[Item]:
        """See Lines."""
        del at
        return []


class Session:
    """The state of one connection: logged in or not, and what it streams."""

    def __init__(self, shared: Shared, customer: str) -> None:
        self.logged_in = False
        self.lines: dict[str, Lines] = {}
        self._shared, self._customer = shared, customer
        self._token = ""
        self._correl = ""

    def token_is_good(self) -> bool:
        """Whether the access token that logged in is still valid."""
        try:
            self._shared.mint.check_access(self._token)
        except TokenRefused:
            return False
        return True

    def handle(self, text: str) -> Answers:
        """Carry out one frame of commands."""
        answers, responses = Answers(), []
        for request in _requests(text):
            code, message = self._carry_out(request)
            responses.append(self._response(request, code, message))
            if code == SYMBOL_LIMIT and self._shared.faults.double_answer:
                answers.frames.append(responses)
                responses = [self._response(request, ADD_FAILED, f"{request.get('command')} command failed")]
            answers.close |= code == LOGIN_DENIED or (request.get("command") == "LOGOUT" and code == SUCCESS)
        answers.frames.append(responses)
        return answers

    def changes(self, at: Instant) -> list[tuple[dict[str, Any], int]]:
        """Data frames for this tick, with the number of contents in each."""
        frames: list[tuple[dict[str, Any], int]] = []
        blocks: list[dict[str, Any]] = []
        room = limit = self._shared.options.open.frame_items or 10**9
        for service, lines in self.lines.items():
            items = lines.collect(at)
            while items:
                part, items = items[:room], items[room:]
                blocks.append(
                    {"service": service, "timestamp": at.now_ms, "command": "SUBS", "content": part}
                )
                room -= len(part)
                if room == 0:
                    frames.append(({"data": blocks}, limit))
                    blocks, room = [], limit
        if blocks:
            frames.append(({"data": blocks}, limit - room))
        return frames

    def _carry_out(self, request: Request) -> tuple[int, str]:
        service, command = request.get("service"), request.get("command")
        if not isinstance(service, str) or not isinstance(command, str):
            return BAD_FORMAT, "Bad command formatting"
        self._shared.counters.commands[f"{service[:32]} {command[:16]}"] += 1
        if service == "ADMIN" and command == "LOGIN":
            return self._login(request)
        if not self.logged_in or request.get("SchwabClientCorrelId", self._correl) != self._correl:
            return NOT_FOUND, "Stream connection not found"
        if service == "ADMIN":
            return (
                (SUCCESS, "LOGOUT command succeeded")
                if command == "LOGOUT"
                else (BAD_FORMAT, "Bad command formatting")
            )
        lines = self._lines(service)
        if lines is None:
            return NOT_AVAILABLE, f"Service not available or temporary down: {service[:32]}"
        return self._subscribe(lines, service, command, request.get("parameters"))

    def _login(self, request: Request) -> tuple[int, str]:
        parameters = request.get("parameters")
        token = parameters.get("Authorization") if isinstance(parameters, dict) else None
        customer = request.get("SchwabClientCustomerId")
        self._token = token if isinstance(token, str) else ""
        if self._shared.faults.login_denied or customer != self._customer or not self.token_is_good():
            self._shared.counters.logins_denied += 1
            return LOGIN_DENIED, _DENIED
        self.logged_in = True
        self._correl = str(request.get("SchwabClientCorrelId", ""))
        self._shared.counters.logins += 1
        return SUCCESS, "server=simulator-1;status=NP"

    def _lines(self, service: str) -> Lines | None:
        if service not in self.lines:
            if service == OPTIONS:
                slots = round(self._shared.options.greeks_s / self._shared.options.tick_s)
                self.lines[service] = OptionLines(self._shared.market, slots)
            elif service == EQUITIES:
                self.lines[service] = EquityLines(self._shared.market)
            elif service == CHARTS:
                self.lines[service] = ChartLines(self._shared.market)
            elif service in _EMPTY_SERVICES:
                self.lines[service] = SilentLines()
            else:
                return None
        return self.lines[service]

    def _subscribe(self, lines: Lines, service: str, command: str, parameters: Any) -> tuple[int, str]:
        given = parameters if isinstance(parameters, dict) else {}
        keys, fields = _keys(given.get("keys")), _fields(given.get("fields"))
        done = SUCCESS, f"{command} command succeeded"
        if command == "UNSUBS" and keys is not None:
            lines.forget(keys)
            gone = frozenset(keys)
            lines.keys = {key: held for key, held in lines.keys.items() if key not in gone}
            return done
        if command == "VIEW" and fields is not None:
            lines.keys = dict.fromkeys(lines.keys, fields)
            return done
        if command not in ("SUBS", "ADD") or not keys or fields is None:
            return BAD_FORMAT, "Bad command formatting"
        return self._add(lines, service, command, keys, fields) or done

    def _add(
        self, lines: Lines, service: str, command: str, keys: list[str], fields: FieldList
    ) -> tuple[int, str] | None:
        if command == "SUBS":
            lines.forget([*lines.keys, *keys])
            lines.keys = {}
        elif self._shared.options.open.readd_image:
            lines.forget(keys)
        if self._shared.options.open.add_fields == "service":
            lines.keys = dict.fromkeys(lines.keys, fields)
        limit = (
            self._shared.options.symbol_limit
            if service == OPTIONS
            else self._shared.options.open.equities_limit
        )
        wanted = dict.fromkeys([*lines.keys, *keys])
        kept = list(wanted)[:limit]
        given = frozenset(keys)
        lines.keys = {key: fields if key in given else lines.keys[key] for key in kept}
        dropped = len(wanted) - len(kept)
        if not dropped:
            return None
        text = "You've reached the maximum number of symbols allowed."
        return SYMBOL_LIMIT, f"{text}  ({service}={limit}, DISCARDED={dropped})"

    def _response(self, request: Request, code: int, message: str) -> dict[str, Any]:
        return {
            "service": request.get("service", ""), "command": request.get("command", ""),
            "requestid": str(request.get("requestid", "")),
            "SchwabClientCorrelId": request.get("SchwabClientCorrelId", ""),
            "timestamp": self._shared.market.clock.now_ms(), "content": {"code": code, "msg": message},
        }  # fmt: skip


def _requests(text: str) -> list[Request]:
    """The requests of a frame, bare or wrapped; one empty request for what is neither, which is then refused."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return [{}]
    listed = frame.get("requests", [frame]) if isinstance(frame, dict) else [{}]
    if not isinstance(listed, list) or not listed:
        return [{}]
    return [request if isinstance(request, dict) else {} for request in listed]


def _keys(text: Any) -> list[str] | None:
    return [key for key in text.split(",") if key.strip()] if isinstance(text, str) else None


def _fields(text: Any) -> FieldList | None:
    """Field numbers; those that a service doesn't have are simply never sent."""
    if not isinstance(text, str) or not text.strip():
        return None
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        return None
