"""What Schwab sent of the market, as zstd-compressed lines with arrival times, a file a day: what `replay` plays again.

    DATA_DIR/tape/2026-11-20-1763640000123.jsonl.zst

Each line is a JSON object with `t`, the arrival in ms since the epoch (UTC), and one of: `tape` (the header), `frame`,
`chain`, `listed`, `unstreamed`, `mark`. Answers to logins and requests about the account never reach it, so it holds
neither tokens nor customer numbers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import date, timedelta
from pathlib import Path
from typing import IO, Any

import orjson

from app.errors import HistoryError
from app.feed.journal import Journal
from app.feed.observer import Seat
from app.history.zstd import zstd
from app.market.calendar import exchange_day
from app.market.chain import Chain

SUFFIX = ".jsonl.zst"
VERSION = 1
_LEVEL = 9
_MAPS = ("callExpDateMap", "putExpDateMap")
# Of a swept contract's some fifty fields those that the product reads: the others would double the tape.
_READ = frozenset({
    "symbol", "optionRoot", "settlementType", "strikePrice", "putCall", "bid", "ask", "last", "bidSize", "askSize",
    "lastSize", "totalVolume", "openInterest", "delta", "gamma", "theta", "vega", "quoteTimeInLong", "tradeTimeInLong",
    "volatility", "multiplier", "nonStandard",
})  # fmt: skip
_FLUSH_S = 1.0
_SECRET = (b'"response"', b'"SchwabClient')


class Tape(Journal):
    """Writes one leadership's tape. A disk that takes nothing is announced, and the tape goes on when it does again."""

    def __init__(self, folder: Path, seat: Seat, *, days: int = 0) -> None:
        self._folder = folder
        self._seat = seat
        self._days = days
        self._lock = threading.RLock()
        self._file: IO[bytes] | None = None
        self._packer: Any = None
        self._day: date | None = None
        self._flushed_at = 0.0

    def turn(self) -> AbstractContextManager[object]:
        return self._lock

    def frame(self, text: bytes, at_ms: int) -> None:
        self._write(at_ms, b'"frame":' + _market_alone(text))

    def chain(self, symbol: str, first: date, last: date, document: dict[str, Any], at_ms: int) -> None:
        told = {"symbol": symbol, "first": first, "last": last, "document": _read_alone(document)}
        self._write(at_ms, b'"chain":' + orjson.dumps(told))

    def listed(self, symbol: str, expiries: Iterable[date], at_ms: int) -> None:
        self._write(at_ms, b'"listed":' + orjson.dumps({"symbol": symbol, "expiries": sorted(expiries)}))

    def unstreamed(self, keys: Iterable[str] | None, at_ms: int) -> None:
        self._write(at_ms, b'"unstreamed":' + orjson.dumps({"keys": None if keys is None else list(keys)}))

    def mark(self, chain: Chain) -> None:
        told = {"symbol": chain.symbol, "session": chain.session, "missing": chain.missing_expiries}
        told["missing_dates"] = chain.missing_dates
        self._write(chain.as_of_ms, b'"mark":' + orjson.dumps(told))

    def close(self) -> None:
        with self._lock, suppress(OSError):
            self._end()

    def _write(self, at_ms: int, body: bytes) -> None:
        with self._lock:
            try:
                file = self._of_day(exchange_day(at_ms), at_ms)
                file.write(self._packer.compress(b'{"t":%d,%s}\n' % (at_ms, body)))
                self._flush(file)
            except OSError as error:
                self._announce(error)
            else:
                self._seat.well("tape")

    def _of_day(self, day: date, at_ms: int) -> IO[bytes]:
        if self._file is not None and day == self._day:
            return self._file
        self._end()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._forget_old(day)
        self._file = (self._folder / f"{day.isoformat()}-{at_ms}{SUFFIX}").open("xb")
        self._day = day
        self._packer = zstd.ZstdCompressor(level=_LEVEL)
        header = {"tape": VERSION, "source": self._seat.board.source}
        self._file.write(self._packer.compress(b'{"t":%d,%s\n' % (at_ms, orjson.dumps(header)[1:])))
        return self._file

    def _flush(self, file: IO[bytes]) -> None:
        """Once a second what was told is in the file, and can be read even if no more follows."""
        if time.monotonic() - self._flushed_at >= _FLUSH_S:
            self._flushed_at = time.monotonic()
            file.write(self._packer.flush(zstd.ZstdCompressor.FLUSH_BLOCK))
            file.flush()

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with file:
                file.write(self._packer.flush(zstd.ZstdCompressor.FLUSH_FRAME))

    def _forget_old(self, today: date) -> None:
        oldest = (today - timedelta(days=self._days)).isoformat()
        for path in self._folder.glob(f"*{SUFFIX}") if self._days else ():
            if path.name[:10] < oldest:
                path.unlink()

    def _announce(self, error: OSError) -> None:
        trouble = HistoryError(
            f"The tape can't be written: {error.strerror or error}.",
            cure="Free space, or permit writing, in the folder tape of DATA_DIR, or set TAPE=false.",
        )
        trouble.code = "tape_unwritable"
        self._seat.trouble("tape", trouble)
        with suppress(OSError):
            self._end()


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a tape, in order; one that was cut short, as by a crash, ends there. Raises HistoryError."""
    try:
        with path.open("rb") as file:
            first, rest = True, b""
            for block in _unpacked(file):
                *whole, rest = (rest + block).split(b"\n")
                for text in whole:
                    line = orjson.loads(text)
                    if first and line.get("tape") != VERSION:
                        raise HistoryError(f"{path.name} is no tape of this version.", cure=" ")
                    first = False
                    yield line
    except OSError as error:
        raise HistoryError(
            f"{path} can't be read: {(error.strerror or str(error)).lower()}.",
            cure="Tapes are in DATA_DIR/tape, where TAPE=true has written one.",
        ) from error
    except (ValueError, zstd.ZstdError, AttributeError) as error:
        raise HistoryError(
            f"{path.name} can't be read as a tape: {error}", cure="Tapes end in .jsonl.zst."
        ) from error


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    unpacker = zstd.ZstdDecompressor()
    while data := file.read(1 << 20):
        while data:
            yield unpacker.decompress(data, 1 << 24)
            data = b""
            while not unpacker.needs_input and not unpacker.eof:
                yield unpacker.decompress(b"", 1 << 24)
        if unpacker.eof:
            return


def _read_alone(document: dict[str, Any]) -> dict[str, Any]:
    """A /chains document with the fields that are read; whatever isn't as it should be stays as it is."""
    return {name: _pruned(value) if name in _MAPS else value for name, value in document.items()}


def _pruned(value: Any) -> Any:
    if isinstance(value, list):
        return [_pruned(part) for part in value]
    if not isinstance(value, dict):
        return value
    if "symbol" in value:
        return {name: kept for name, kept in value.items() if name in _READ}
    return {name: _pruned(part) for name, part in value.items()}


def _market_alone(text: bytes) -> bytes:
    """A frame without what answers to a login or a command: only there are customers named."""
    if any(word in text for word in _SECRET):
        document = orjson.loads(text)
        return orjson.dumps({"data": document.get("data", [])})
    return text.replace(b"\n", b" ").replace(b"\r", b" ")
