"""Frames that are almost right: what a streamer could send, changed at random, and what must hold of each."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import orjson

from app.schwab.fields import EQUITIES, OPTIONS
from app.schwab.frames import Frame, decode_frame

REASONS = {
    "not_json", "not_a_frame", "unknown_service", "bad_content", "bad_field", "bad_response", "bad_notify",
}  # fmt: skip
_KEY = "SPXW  261016C07685000"
_SEEDS: list[dict[str, Any]] = [
    {"data": [{"service": OPTIONS, "timestamp": 1790625599000, "command": "SUBS", "content": [
        {"key": _KEY, "delayed": False, "2": 10.2, "3": 10.4, "8": 13, "10": 50.2, "29": 0.007, "38": 1790625599999},
        {"key": "SPXW  261016P07685000", "4": -999.0, "9": 5360}]}]},
    {"data": [{"service": EQUITIES, "timestamp": 1790625599000, "command": "SUBS", "content": [
        {"key": "$SPX", "3": 7685.5, "33": 7685.5, "35": 1790625599756}]},
        {"service": OPTIONS, "content": [{"key": _KEY, "31": 0.02}]}]},
    {"response": [{"service": "ADMIN", "command": "LOGIN", "requestid": "0", "timestamp": 1790625599000,
                   "content": {"code": 0, "msg": "server=s0166"}}]},
    {"notify": [{"heartbeat": "1790625599000"}]},
    {"notify": [{"service": "ADMIN", "timestamp": 1790625599000, "content": {"code": 30, "msg": "Stop streaming"}}]},
]  # fmt: skip
_TOKENS = [
    b"null", b"true", b"-1", b"1e999", b"-0", b"NaN", b"Infinity", b'"NaN"', b"[]", b"{}", b'"\\ud800"', b"9" * 400,
    b"1" * 25, b'""', b"[[", b"}}", b'"key"', b'"content"', b'"data"', b'"service"', b"\xff\xfe", b"\x00", b",", b":",
    b"0.0000000000000000000000000001", b"-999.0", b'"2"', b"[" * 300,
]  # fmt: skip


def mutated(count: int, seed: int) -> Iterator[bytes]:
    """So many frames, most of them malformed; the same for the same seed."""
    dice = random.Random(seed)
    seeds = [orjson.dumps(frame) for frame in _SEEDS]
    for _ in range(count):
        text = bytearray(dice.choice(seeds))
        for _ in range(dice.choice((0, 1, 1, 1, 2, 3, 8))):
            _mutate(text, dice, seeds)
        yield bytes(text)


def _mutate(text: bytearray, dice: random.Random, seeds: list[bytes]) -> None:
    at = dice.randrange(len(text) + 1)
    end = min(len(text), at + dice.choice((0, 1, 2, 8, 40)))
    how = dice.randrange(12)  # from 5 on: one value of another kind
    if how == 0:
        text[at:end] = dice.choice(_TOKENS)
    elif how == 1:
        del text[at:end]
    elif how == 2:
        text[at:end] = bytes(dice.randrange(256) for _ in range(end - at))
    elif how == 3:
        del text[at:]
    elif how == 4:
        other = dice.choice(seeds)
        text[at:at] = other[dice.randrange(len(other)) :]
    else:
        _replace_value(text, dice)


def _replace_value(text: bytearray, dice: random.Random) -> None:
    """Something else after one of the colons, so that much stays well-formed."""
    colons = [i for i, byte in enumerate(text) if byte == ord(":")]
    if not colons:
        return
    at = dice.choice(colons) + 1
    end = at
    while end < len(text) and text[end] not in b",}]":
        end += 1
    text[at:end] = dice.choice(_TOKENS)


def checked(text: bytes) -> Frame:
    """The frame, decoded. AssertionError where something was lost without a reason."""
    frame = decode_frame(text)
    assert set(frame.rejected) <= REASONS, frame.rejected
    held = (
        len(frame.options) + len(frame.equities) + len(frame.answers) + len(frame.notices) + frame.heartbeats
    )
    document = _document(text)
    if not isinstance(document, dict):  # the other decoder is pickier about what isn't looked at
        assert held or frame.rejected, f"lost without a reason: {text[:300]!r}"
        return frame
    assert held or frame.rejected or _is_empty(document), f"lost without a reason: {text[:300]!r}"
    if not frame.rejected:
        assert held == sum(_parts(document).values()), f"not all of it: {text[:300]!r}"
    return frame


def _document(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_empty(document: Any) -> bool:
    named = [document[name] for name in ("data", "response", "notify") if name in document]
    return (
        bool(named) and all(isinstance(value, list) for value in named) and not sum(_parts(document).values())
    )


def _parts(document: Any) -> Counter[str]:
    """What a frame holds, counted by another decoder."""
    counts: Counter[str] = Counter()
    for data in document.get("data") or ():
        counts["content"] += len(data.get("content") or ())
    for name in ("response", "notify"):
        counts[name] += len(document.get(name) or ())
    return counts
