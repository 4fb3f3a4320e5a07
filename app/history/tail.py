"""The newest moments in the cache, so that every worker on every host sees them at once."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa

from app.cache.base import Store
from app.errors import CacheError
from app.history.row import START, Key
from app.history.schema import EARLIER, SCHEMA, VERSION

KEPT = 420  # a day of minutes and some crossings
_AT_ONCE = 40
_MAGIC = b"GXH%d" % VERSION
_SCHEMAS = {b"GXH%d" % version: schema for version, schema in {**EARLIER, VERSION: SCHEMA}.items()}
_LARGEST = 8 * 1024 * 1024

Moments = dict[Key, pa.RecordBatch]


def append(store: Store, symbol: str, key: Key, batch: pa.RecordBatch, epoch: int) -> bool:
    """Add a moment; False when it, or a later one, is there already. Raises StaleWriter, CacheError."""
    return store.append(_stream(symbol), (key.slot_ms, key.seq), encode(batch), epoch, kept=KEPT)


@dataclass
class _Held:
    after: Key
    moments: Moments = field(default_factory=dict)
    read: Key = START


class Tail:
    """The newest moments of each symbol as this process has read them. Safe for several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._held: dict[str, _Held] = {}

    def moments(self, symbol: str, after: Key = START) -> Moments:
        """The moments behind a key, in order; while the cache can't be read, those that were read before."""
        with self._lock:
            held = self._held.get(symbol)
            if held is None or after < held.after:
                held = self._held[symbol] = _Held(after, read=after)
            held.after = after
            held.moments = {key: batch for key, batch in held.moments.items() if key > after}
            with suppress(CacheError):  # the cache's own state is shown elsewhere
                self._read(symbol, held)
            return dict(held.moments)

    def _read(self, symbol: str, held: _Held) -> None:
        while True:
            at = max(held.read, held.after)
            found = self._store.entries(_stream(symbol), (at.slot_ms, at.seq), limit=_AT_ONCE)
            for position, data in found:
                held.read = Key(*position)
                batch = decode(data)
                if batch is not None:
                    held.moments[held.read] = batch
            if len(found) < _AT_ONCE:
                return


def encode(batch: pa.RecordBatch) -> bytes:
    """A moment as bytes; nothing in them can run."""
    message = batch.serialize()
    size = message.size.to_bytes(4, "little")
    return bytes(_MAGIC + size + pa.compress(message, codec="zstd", asbytes=True))


def decode(data: bytes) -> pa.RecordBatch | None:
    """The moment; columns that an earlier version didn't write are null.

    None for bytes that are none, which a later version of this program or somebody else has written.
    """
    schema = _SCHEMAS.get(data[: len(_MAGIC)])
    if schema is None:
        return None
    try:
        size = int.from_bytes(data[len(_MAGIC) : len(_MAGIC) + 4], "little")
        if size > _LARGEST:
            return None
        message = pa.decompress(data[len(_MAGIC) + 4 :], size, codec="zstd")
        batch = pa.ipc.read_record_batch(message, schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError, ValueError):
        return None
    return _present(batch) if len(batch) else None


def _present(batch: pa.RecordBatch) -> pa.RecordBatch:
    """In the present schema."""
    have = set(batch.schema.names)
    columns = [
        batch.column(field.name) if field.name in have else pa.nulls(len(batch), field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _stream(symbol: str) -> str:
    return f"history:{symbol}"
