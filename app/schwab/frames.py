"""The streamer's frames, decoded: the usual ones straight into columns (app/schwab/contents.py), the others into typed
structs, and field by field where a frame is malformed.

One bad value costs that value, one bad content costs that content; nothing costs the connection. What was thrown away is
counted by reason: not_json, not_a_frame, unknown_service, bad_content, bad_field, bad_response, bad_notify.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import astuple

from app.errors import DataError
from app.market.updates import STREAMED, UNCHANGED, OptionChanges
from app.schwab.contents import read_contents
from app.schwab.fields import EQUITIES, EQUITY_NUMBERS, OPTION_NUMBERS, OPTIONS
from app.schwab.http import decode_json

Maybe = float | UnsetType
MaybeTime = int | UnsetType


# One contract's changes: an app.market.updates.OptionUpdate as the wire numbers its fields.
OptionContent = msgspec.defstruct(
    "OptionContent",
    [("key", str), *((name, float, UNCHANGED) for name in STREAMED)],
    gc=False,
    rename=OPTION_NUMBERS,
)


class EquityContent(msgspec.Struct, gc=False, rename=EQUITY_NUMBERS):
    """One underlying's changes; the attributes are those of app.market.updates.UnderlyingUpdate."""

    key: str
    bid: Maybe = UNSET
    ask: Maybe = UNSET
    last: Maybe = UNSET
    volume: Maybe = UNSET
    close: Maybe = UNSET
    change: Maybe = UNSET
    mark: Maybe = UNSET
    quote_ms: MaybeTime = UNSET
    trade_ms: MaybeTime = UNSET
    percent_change: Maybe = UNSET


class Answer(msgspec.Struct, frozen=True):
    """What the server says to one command. `code` 0 is success (26 to 29 too, by the guide)."""

    service: str
    command: str
    requestid: str
    code: int
    msg: str = ""

    @property
    def ok(self) -> bool:
        return self.code in (0, 26, 27, 28, 29)


class Notice(msgspec.Struct, frozen=True):
    """What the server says unasked, such as code 30."""

    code: int
    msg: str = ""


@dataclass(slots=True)
class Frame:
    """Everything that one frame held."""

    answers: list[Answer] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    heartbeats: int = 0
    options: OptionChanges = field(default_factory=lambda: OptionChanges.of(()))
    equities: list[EquityContent] = field(default_factory=list)
    server_ms: int = 0  # the server's own time, 0 where the frame carries none
    rejected: Counter[str] = field(default_factory=Counter)
    text: bytes = b""  # as it came, where the stream has kept it

    @property
    def has_data(self) -> bool:
        return bool(self.options or self.equities)


class _Options(msgspec.Struct, tag_field="service", tag=OPTIONS):
    content: list[OptionContent]  # type: ignore[valid-type]
    timestamp: int = 0


class _Equities(msgspec.Struct, tag_field="service", tag=EQUITIES):
    content: list[EquityContent]
    timestamp: int = 0


class _Outer(msgspec.Struct):
    data: list[_Options | _Equities] | UnsetType = UNSET
    response: list[Any] | UnsetType = UNSET
    notify: list[Any] | UnsetType = UNSET


_outer = msgspec.json.Decoder(_Outer)


def decode_frame(text: bytes | str) -> Frame:
    """Read one frame. Never raises: what can't be read is counted in `rejected`."""
    usual = read_contents(text) if isinstance(text, bytes) else None
    if usual is not None:
        return Frame(options=usual.changes, server_ms=usual.server_ms)
    frame = Frame()
    try:
        outer = _outer.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _decode_slowly(text, frame)
        return frame
    if outer.data is UNSET and outer.response is UNSET and outer.notify is UNSET:
        frame.rejected["not_a_frame"] += 1
    for data in outer.data or ():
        frame.server_ms = max(frame.server_ms, _time(data.timestamp))
        if isinstance(data, _Options):
            frame.options += OptionChanges.of(map(astuple, data.content))
        else:
            frame.equities += data.content
    _read_rest(outer.response or (), outer.notify or (), frame)
    return frame


def _decode_slowly(text: bytes | str, frame: Frame) -> None:
    """A frame that isn't as the protocol says: keep every part of it that is."""
    document = _json_or_none(text, frame)
    if frame.rejected:
        return
    if not isinstance(document, dict) or not document.keys() & {"data", "response", "notify"}:
        frame.rejected["not_a_frame"] += 1
        return
    for data in _listed(document, "data", "bad_content", frame):
        if isinstance(data, dict):
            frame.server_ms = max(frame.server_ms, _time(data.get("timestamp")))
            _mend_content(data.get("service"), data.get("content"), frame)
        else:
            frame.rejected["bad_content"] += 1
    _read_rest(
        _listed(document, "response", "bad_response", frame),
        _listed(document, "notify", "bad_notify", frame),
        frame,
    )


def _mend_content(service: Any, contents: Any, frame: Frame) -> None:
    if service == OPTIONS:
        mended: list[Any] = []
        _mend(contents, OPTION_NUMBERS, OptionContent, mended, frame.rejected)
        frame.options += OptionChanges.of(map(astuple, mended))
    elif service == EQUITIES:
        _mend(contents, EQUITY_NUMBERS, EquityContent, frame.equities, frame.rejected)
    else:
        frame.rejected["unknown_service"] += 1


def _mend(
    contents: Any, numbers: dict[str, str], kind: Callable[..., Any], into: list[Any], rejected: Counter[str]
) -> None:
    if not isinstance(contents, list):
        rejected["bad_content"] += 1
        return
    for content in contents:
        key = content.get("key") if isinstance(content, dict) else None
        if not isinstance(key, str):
            rejected["bad_content"] += 1
            continue
        values = {name: content[wire] for name, wire in numbers.items() if wire in content}
        into.append(kind(key, **{name: _value(name, value, rejected) for name, value in values.items()}))


def _value(name: str, value: Any, rejected: Counter[str]) -> float:
    """The number; unknown (NaN, or 0 for a time) where there is none. Text such as "NaN" is how Schwab says it."""
    is_time = name.endswith("_ms")
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if math.isfinite(number):
        return int(number) if is_time else number
    rejected["bad_field"] += 1
    return 0 if is_time else math.nan


def _read_rest(responses: Any, notifications: Any, frame: Frame) -> None:
    for response in responses:
        answer = _answer(response)
        if answer is None:
            frame.rejected["bad_response"] += 1
        else:
            frame.answers.append(answer)
            frame.server_ms = max(frame.server_ms, _time(response.get("timestamp")))
    for notification in notifications:
        if isinstance(notification, dict) and "heartbeat" in notification:
            frame.heartbeats += 1
            frame.server_ms = max(frame.server_ms, _time(notification["heartbeat"]))
        else:
            _read_notice(notification, frame)


def _answer(response: Any) -> Answer | None:
    try:
        content = response["content"]
        return Answer(
            service=str(response.get("service", "")),
            command=str(response.get("command", "")),
            requestid=str(response["requestid"]),
            code=int(content["code"]),
            msg=str(content.get("msg", "")),
        )
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _read_notice(notification: Any, frame: Frame) -> None:
    try:
        content = notification["content"]
        frame.notices.append(Notice(int(content["code"]), str(content.get("msg", ""))))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        frame.rejected["bad_notify"] += 1


def _time(value: Any) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else 0


def _listed(document: dict[str, Any], name: str, reason: str, frame: Frame) -> list[Any]:
    """The list of this name, empty where there is none; what stands there instead of a list is counted."""
    value = document.get(name, [])
    if isinstance(value, list):
        return value
    frame.rejected[reason] += 1
    return []


def _json_or_none(text: bytes | str, frame: Frame) -> Any:
    try:
        return decode_json(text)
    except DataError:
        frame.rejected["not_json"] += 1
        return None
