"""A chain as bytes, for the cache: a JSON header, then the columns one after the other.

Contracts and quotes travel apart: the contracts of a chain change a few times a day, its quotes four times a second. The
quotes' header names the `identity` of the contracts they belong to. Nothing is pickled, so bytes planted in the cache
can be wrong but never run.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import DataError
from app.market.chain import CONTRACT_COLUMNS, QUOTE_COLUMNS, Chain, Contracts, Quotes, Underlying

_MAGIC = b"GEX1"
_FLOAT_FIELDS = ("spot", "rate", "dividend_yield")
_PLAIN_FIELDS = ("symbol", "spot_ms", "as_of_ms", "session", "source", "delayed", "missing_expiries")


def encode_contracts(contracts: Contracts) -> bytes:
    """The contracts as bytes; `decode_contracts` gives them back."""
    return _pack({"kind": "contracts"}, contracts, CONTRACT_COLUMNS)


def decode_contracts(data: bytes) -> Contracts:
    """Raises DataError when the bytes aren't contracts."""
    header, columns = _unpack(data, "contracts", CONTRACT_COLUMNS)
    del header
    return Contracts(**columns)


def encode_quotes(chain: Chain) -> bytes:
    """Everything of a chain but its contracts, as bytes."""
    header: dict[str, Any] = {"kind": "quotes", "contracts": chain.contracts.identity}
    header |= {name: getattr(chain, name) for name in _PLAIN_FIELDS}
    header |= {name: _or_none(getattr(chain, name)) for name in _FLOAT_FIELDS}
    header["underlying"] = asdict(chain.underlying)
    header["rejected"] = chain.rejected
    header["missing_dates"] = chain.missing_dates
    return _pack(header, chain.quotes, QUOTE_COLUMNS)


def decode_quotes(data: bytes, contracts: Contracts) -> Chain:
    """The chain, given its contracts. Raises DataError when the two don't belong together."""
    header, columns = _unpack(data, "quotes", QUOTE_COLUMNS)
    if header.get("contracts") != contracts.identity:
        raise DataError("these quotes belong to other contracts")
    quotes = Quotes(**columns)
    if len(quotes) != len(contracts):
        raise DataError("the chain's columns are of different lengths")
    try:
        fields: dict[str, Any] = {name: header[name] for name in _PLAIN_FIELDS}
        fields |= {name: _or_nan(header[name]) for name in _FLOAT_FIELDS}
        fields["rejected"] = {str(reason): int(n) for reason, n in header.get("rejected", {}).items()}
        # absent from what an earlier version wrote: then only their number is known
        fields["missing_dates"] = tuple(map(date.fromisoformat, header.get("missing_dates", ())))
        return Chain(
            contracts=contracts, quotes=quotes, underlying=Underlying(**header["underlying"]), **fields
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the chain's header is incomplete: {error}") from error


def _pack(header: dict[str, Any], table: Any, columns: dict[str, str]) -> bytes:
    arrays = [np.ascontiguousarray(getattr(table, name), dtype) for name, dtype in columns.items()]
    head = orjson.dumps({**header, "rows": len(table)})
    parts = [_MAGIC, len(head).to_bytes(4, "little"), head]
    return b"".join([*parts, *(a.view(np.uint8).data for a in arrays)])


def _header(data: bytes, kind: str) -> tuple[dict[str, Any], int]:
    if data[:4] != _MAGIC or len(data) < 8:
        raise DataError("these bytes are no chain of this version")
    end = 8 + int.from_bytes(data[4:8], "little")
    try:
        header = orjson.loads(data[8:end])
    except orjson.JSONDecodeError as error:
        raise DataError("the chain's header can't be read") from error
    if not isinstance(header, dict) or header.get("kind") != kind:
        raise DataError(f"these bytes hold no {kind}")
    return header, end


def _unpack(
    data: bytes, kind: str, columns: dict[str, str]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    header, offset = _header(data, kind)
    rows = header.get("rows")
    width = sum(np.dtype(dtype).itemsize for dtype in columns.values())
    if not isinstance(rows, int) or rows < 0 or len(data) != offset + rows * width:
        raise DataError("the chain's columns are cut short")
    arrays = {}
    for name, dtype in columns.items():
        # a copy: aligned, and free of the blob it came in
        arrays[name] = np.frombuffer(data, dtype, rows, offset).copy()
        offset += rows * np.dtype(dtype).itemsize
    return header, arrays


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else float(value)
