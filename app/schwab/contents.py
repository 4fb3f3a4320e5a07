"""The contents of an option frame, read from its bytes straight into columns.

Nearly all that the stream sends is one LEVELONE_OPTIONS message of numbers. A compiled reader takes those, in the shape that
Schwab writes them; at anything else it gives up, and the frame is read by the general decoder (app/schwab/frames.py), which
gives the same where both can read it.

A number of at most 15 digits is the quotient of two integers that doubles hold exactly, and so rounds correctly (Clinger
1990); the few longer ones are left to `float`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from app.market.jit import uncounted, warm
from app.market.updates import STREAMED, UNCHANGED, OptionChanges
from app.schwab.fields import OPTION_NUMBERS, OPTIONS

_START = f'{{"data":[{{"service":"{OPTIONS}"'.encode()
# Zeros behind the text: no loop over digits or letters passes them, so none has to ask where the text ends.
_BEHIND = 16
_PADDING = bytes(_BEHIND)
_KEY_LENGTH = 21
# Of a content, and of a field whose number is long, in letters: what a hostile frame can make us reserve has a bound.
_SHORTEST, _SHORTEST_LONG = len('{"key":"A"}'), len('"2":1e1')
# The row in `values` of each field number; -1 for what isn't taken.
_ROWS = np.full(100, -1, np.int64)
for _row, _name in enumerate(STREAMED):
    _ROWS[int(OPTION_NUMBERS[_name])] = _row
_TENS = np.array([10.0**power for power in range(23)])
# Letters of a string that stand for themselves.
_PLAIN = np.array([32 <= letter < 127 and letter not in b'"\\' for letter in range(256)])


class Contents(NamedTuple):
    """What an option frame holds. server_ms: the server's own time, 0 where the frame carries none."""

    changes: OptionChanges
    server_ms: int


def read_contents(text: bytes) -> Contents | None:
    """The frame's contents; None where it is anything but one option message in Schwab's shape."""
    if not text.startswith(_START):
        return None
    padded = np.frombuffer(text + _PADDING, np.uint8)
    count = _braces(padded) - 2
    if not 0 <= count <= len(text) // _SHORTEST:
        return None
    values = np.full((len(STREAMED), count), UNCHANGED)
    keys = np.zeros((count, _KEY_LENGTH), np.uint32)
    long = np.empty((len(text) // _SHORTEST_LONG, 4), np.int64)
    one = np.empty((1, 1))
    found, longs, server_ms = _read(padded, len(_START), _ROWS, _TENS, _PLAIN, one, values, keys, long)
    if found != count:
        return None
    for row, column, start, end in long[:longs].tolist():
        number = float(text[start:end])
        if not math.isfinite(number):
            return None
        values[row, column] = number
    return Contents(OptionChanges(keys.view(f"<U{_KEY_LENGTH}").ravel().tolist(), values), server_ms)


@uncounted
def _braces(text: Any) -> int:
    """How many objects begin."""
    count = 0
    for letter in text:
        count += letter == 123
    return count


@uncounted
def _read(
    text: Any, at: int, rows: Any, tens: Any, plain: Any, one: Any, values: Any, keys: Any, long: Any
) -> tuple[int, int, int]:
    """From behind the service's name. (contents, long numbers, server's time); contents -1: not in this shape."""
    failed = (-1, 0, 0)
    contents, longs, server_ms = -1, 0, 0
    while text[at] == 44:  # , and the next member of the message
        start = at + 1
        at = _string(text, start, plain)
        if at < 0 or text[at] != 58:  # :
            return failed
        at += 1
        if _is(text, start, b'"timestamp":'):
            start = at
            at = _number(text, at, tens, one, 0, 0)
            for i in range(start, at):
                if not 48 <= text[i] <= 57:
                    return failed
            if at < 0 or np.isnan(one[0, 0]):
                return failed
            server_ms = int(one[0, 0])
        elif _is(text, start, b'"content":'):
            if contents >= 0 or text[at] != 91:  # [
                return failed
            at, contents, longs = _contents(text, at + 1, rows, tens, plain, one, values, keys, long)
        elif _is(text, start, b'"service":'):
            return failed
        else:
            at = _skipped(text, at, tens, plain, one)
        if at < 0:
            return failed
    if at + 3 + _BEHIND != len(text) or not _is(text, at, b"}]}"):
        return failed
    return contents, longs, server_ms


@uncounted
def _contents(
    text: Any, at: int, rows: Any, tens: Any, plain: Any, one: Any, values: Any, keys: Any, long: Any
) -> tuple[int, int, int]:
    """From behind the opening bracket. (behind the closing one, contents, long numbers); -1 first: not in this shape."""
    failed = (-1, 0, 0)
    column, longs = 0, 0
    if text[at] == 93:  # ]
        return at + 1, 0, 0
    while True:
        if text[at] != 123 or column >= len(keys):  # {
            return failed
        at, longs = _content(text, at, rows, tens, plain, one, values, keys, long, column, longs)
        if at < 0 or text[at] != 125 or not keys[column, 0]:  # }
            return failed
        column += 1
        at += 1
        if text[at] == 93:  # ]
            return at + 1, column, longs
        if text[at] != 44:  # ,
            return failed
        at += 1


@uncounted
def _content(
    text: Any, at: int, rows: Any, tens: Any, plain: Any, one: Any, values: Any, keys: Any, long: Any, column: int,
    longs: int,
) -> tuple[int, int]:  # fmt: skip
    """One content from its opening brace into its column. (its closing brace, long numbers so far); -1: another shape."""
    failed = (-1, 0)
    while True:
        start = at + 1
        field: Any = -1
        if text[start] == 34 and 49 <= text[start + 1] <= 57:  # a field's number, of one digit or two
            if text[start + 2] == 34:
                field, at = np.int64(text[start + 1]) - 48, start + 3
            elif 48 <= text[start + 2] <= 57 and text[start + 3] == 34:
                field, at = 10 * np.int64(text[start + 1]) + np.int64(text[start + 2]) - 528, start + 4
        if field < 0:
            at = _string(text, start, plain)
        if at < 0 or text[at] != 58:  # :
            return failed
        at += 1
        row = rows[field] if field >= 0 else -1
        if row >= 0:
            start = at
            if values[row, column] != UNCHANGED:  # said twice
                return failed
            at = _number(text, at, tens, values, row, column)
            if at >= 0 and np.isnan(values[row, column]):
                if longs == len(long):
                    return failed
                long[longs, 0], long[longs, 1], long[longs, 2], long[longs, 3] = row, column, start, at
                longs += 1
        elif field < 0 and _is(text, start, b'"key":'):
            at = _key(text, at, plain, keys, column)
        else:
            at = _skipped(text, at, tens, plain, one)
        if at < 0:
            return failed
        if text[at] != 44:  # ,
            return at, longs


@uncounted
def _key(text: Any, at: int, plain: Any, keys: Any, column: int) -> int:
    """Behind the key that begins here, written; -1 where none is, or it is empty, too long, or said twice."""
    start = at + 1
    at = _string(text, at, plain)
    if not 0 < at - 1 - start <= keys.shape[1] or keys[column, 0]:
        return -1
    for i in range(at - 1 - start):
        keys[column, i] = text[start + i]
    return at


@uncounted
def _is(text: Any, at: int, word: Any) -> bool:
    for i in range(len(word)):  # noqa: SIM110 - which numba doesn't compile
        if text[at + i] != word[i]:
            return False
    return True


@uncounted
def _string(text: Any, at: int, plain: Any) -> int:
    """Behind a string of plain letters that begins here; -1 where there is none."""
    if text[at] != 34:
        return -1
    at += 1
    while plain[text[at]]:
        at += 1
    return at + 1 if text[at] == 34 else -1


@uncounted
def _number(text: Any, at: int, tens: Any, into: Any, row: int, column: int) -> int:
    """Behind the number that begins here, its value written; NaN where it is too long to be exact. -1: none is here."""
    negative = text[at] == 45
    if negative:
        at += 1
    begin = at
    mantissa = 0
    digit: Any = np.int64(text[at]) - 48
    while 0 <= digit <= 9:
        mantissa = 10 * mantissa + digit  # which may overflow where it isn't used
        at += 1
        digit = np.int64(text[at]) - 48
    digits, decimals = at - begin, 0
    if digits == 0 or (text[begin] == 48 and digits > 1):
        return -1
    if text[at] == 46:  # .
        at += 1
        begin = at
        digit = np.int64(text[at]) - 48
        while 0 <= digit <= 9:
            mantissa = 10 * mantissa + digit
            at += 1
            digit = np.int64(text[at]) - 48
        decimals = at - begin
        if decimals == 0:
            return -1
        digits += decimals
    if text[at] == 101 or text[at] == 69:  # e
        at += 1
        if text[at] == 43 or text[at] == 45:
            at += 1
        begin, digits = at, 99
        while 48 <= text[at] <= 57:
            at += 1
        if at == begin:
            return -1
    if digits > 15:
        into[row, column] = np.nan
    else:
        value = mantissa / tens[decimals]
        into[row, column] = -value if negative else value
    return at


@uncounted
def _skipped(text: Any, at: int, tens: Any, plain: Any, one: Any) -> int:
    """Behind the plain value that begins here; -1 for lists and objects, and what isn't a value."""
    if text[at] == 34:
        return _string(text, at, plain)
    if _is(text, at, b"true") or _is(text, at, b"null"):
        return at + 4
    if _is(text, at, b"false"):
        return at + 5
    return _number(text, at, tens, one, 0, 0)


def warm_up() -> None:
    """Compile before the first frame."""
    content = b'{"key":"A","delayed":false,"1":"a","2":1.5,"3":0.12345678901234567}'
    warm(lambda: read_contents(_START + b',"timestamp":1,"content":[' + content + b"]}]}"))
