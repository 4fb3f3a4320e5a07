"""Open a file, unpack it, see what it is, and hand it to the reader of that kind."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from app.chainfile.cboe_csv import parse_cboe_csv
from app.chainfile.cboe_json import is_cboe_json, parse_cboe_json
from app.errors import ChainFileError, DataError
from app.market.chain import Chain
from app.schwab.chains import parse_chain_json

# Far above any real chain (some 20 MB): a decompression bomb stops here.
_LARGEST = 512 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_CURE = "Check the name and the permissions."


def read_chain(path: Path) -> Chain:
    """The chain in a file. Raises ChainFileError, in one line, for whatever isn't one or can't be read."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise ChainFileError(
            f"{path} can't be read: {(error.strerror or str(error)).lower()}", cure=_CURE
        ) from error
    except ValueError as error:
        raise ChainFileError("that is no file name", cure=_CURE) from error
    if len(data) > _LARGEST:
        raise ChainFileError(f"{path.name} is too large for an option chain")
    return parse_chain(data, path.name)


def parse_chain(data: bytes, name: str = "") -> Chain:
    """The chain in these bytes; `name` is for the error's text. Raises ChainFileError."""
    label = name or "the data"
    try:
        return _parsed(_unpacked(data))
    except ChainFileError as error:
        raise ChainFileError(f"{label}: {error}") from error
    except DataError as error:
        raise ChainFileError(f"{label}: {error}") from error
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        # the readers check what they can foresee; a shape that nobody foresaw must not end in a traceback
        raise ChainFileError(f"{label}: its shape is not that of an option chain") from error


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(_GZIP):
        return data
    unpacker = zlib.decompressobj(wbits=31)
    try:
        out = unpacker.decompress(data, _LARGEST)
    except zlib.error as error:
        raise ChainFileError("the gzip data is damaged") from error
    if unpacker.unconsumed_tail:
        raise ChainFileError("it unpacks to more than an option chain can be")
    if not unpacker.eof:
        raise ChainFileError("the gzip data is cut short")
    return out


def _parsed(data: bytes) -> Chain:
    if not data.strip():
        raise ChainFileError("the file is empty")
    text = _text(data).lstrip("\ufeff \t\r\n")
    if text.startswith(("{", "[")):
        return _parsed_json(text)
    if text.startswith("<"):
        raise ChainFileError("this is a web page, not an option chain")
    return parse_cboe_csv(text)


def _text(data: bytes) -> str:
    if b"\0" in data[:4096]:
        raise ChainFileError("this is binary data, not an option chain")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ChainFileError("this is not text, so not an option chain") from error


def _parsed_json(text: str) -> Chain:
    doc = _json(text)
    if is_cboe_json(doc):
        return parse_cboe_json(doc)
    if isinstance(doc, dict) and ("callExpDateMap" in doc or "putExpDateMap" in doc or "errors" in doc):
        rejected: Counter[str] = Counter()
        chain = parse_chain_json(doc, rejected=rejected)
        if not len(chain):
            raise ChainFileError("it lists no contracts")
        return replace(chain, rejected=dict(rejected))
    raise ChainFileError("this JSON is not an option chain")


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        pass
    try:
        # old captures hold bare NaN, which the strict reader refuses
        return json.loads(text)
    except RecursionError as error:
        raise ChainFileError("this JSON is not an option chain") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ChainFileError(f"the JSON is malformed or cut short at {where}") from error
