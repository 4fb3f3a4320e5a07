"""Reading chains: decoded once per version in each process, and the last copy kept for when the cache is away."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from app.cache.base import Loaded, Version
from app.errors import CacheError, DataError
from app.market.chain import Chain, Contracts
from app.market.codec import decode_contracts, decode_quotes

# Reads version, quotes and (where their identity isn't the given one) contracts of a symbol; DataError when a
# publication came between.
Read = Callable[[str, str], tuple[Version | None, bytes, bytes]]

_TRIES = 4
_LOST = "Redis lost this chain, perhaps in a restart; the feed's next publication brings it back"


class ChainReader:
    """The last decoded chain of every symbol, and how often it served."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._last: dict[str, Loaded] = {}
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()
        self.hits = 0
        self.misses = 0

    def wrote(self, chain: Chain, version: Version) -> None:
        """This process published the chain: it need not decode it."""
        with self._lock(chain.symbol):
            self._last[chain.symbol] = Loaded(chain, version)

    def last_number(self, symbol: str) -> int:
        """The highest version number seen; numbers go on from it when Redis lost its own."""
        held = self._last.get(symbol)
        return held.version.number if held else 0

    def versions(self) -> dict[str, Version]:
        """What this process read last, by symbol."""
        return {symbol: held.version for symbol, held in sorted(self._last.copy().items())}

    def load(self, symbol: str, version: Callable[[], Version | None]) -> Loaded | None:
        """The newest chain; the last copy, marked stale, when the cache fails; see Store.load."""
        try:
            return self._newest(symbol, version())
        except CacheError as error:
            self.misses += 1
            held = self._last.get(symbol)
            if held is None:
                raise
            return replace(held, stale=True, error=str(error))

    def _newest(self, symbol: str, version: Version | None) -> Loaded | None:
        held = self._last.get(symbol)
        if held is not None and held.version == version:
            self.hits += 1
            return held
        if version is None:
            self.misses += 1
            return replace(held, stale=True, error=_LOST) if held else None
        with self._lock(symbol):
            held = self._last.get(symbol)
            if held is not None and held.version == version:
                self.hits += 1
                return held
            loaded = self._decode(symbol, held)
            self.hits += 1
            return loaded

    def _decode(self, symbol: str, held: Loaded | None) -> Loaded:
        have = held.chain.contracts if held else None
        problem: DataError | None = None
        # Version, quotes and contracts are read one after the other: once in a while a publication comes between.
        for _ in range(_TRIES):
            try:
                version, quotes, contracts = self._read(symbol, have.identity if have else "")
                if version is None:
                    raise DataError("Redis lost it just now")
                loaded = Loaded(_decoded(quotes, contracts, have), version)
            except DataError as error:
                problem = error
            else:
                self._last[symbol] = loaded
                return loaded
        raise CacheError(f"the cache holds no readable chain of {symbol}: {problem}") from problem

    def _lock(self, symbol: str) -> threading.Lock:
        with self._guard:
            return self._locks[symbol]


def _decoded(quotes: bytes, contracts: bytes, have: Contracts | None) -> Chain:
    """The chain of freshly read bytes; `have` are the contracts of the copy before it."""
    if not contracts and have is None:
        raise DataError("its contracts are missing")
    return decode_quotes(quotes, decode_contracts(contracts) if contracts else have)  # type: ignore[arg-type]
