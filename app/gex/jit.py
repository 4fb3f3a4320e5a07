"""How the kernels are compiled: with numba, without the interpreter lock, kept on disk where that works.

numba's disk cache looks only at the file a kernel is in, and would run it with yesterday's version of what it calls from
another. So a kept form also carries a digest of every file here that holds compiled code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import NullCache

F = TypeVar("F", bound=Callable[..., Any])

# Everything of fastmath but "no NaN" and "no infinity": a NaN that slips in must come out as one.
_FASTMATH = {"contract", "reassoc", "arcp", "nsz", "afn"}
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FASTMATH}


_compiled: list[Any] = []


def kernel(function: F) -> F:
    """Compile with numba on first call, releasing the interpreter lock; kept on disk where there is a place to."""
    try:
        made = njit(cache=True, **_OPTIONS)(function)
        kept = made._cache._cache_file
        kept._source_stamp = kept._source_stamp, sources_stamp(Path(__file__).parent)
    except RuntimeError:
        # neither the package's folder nor the user's cache can be written
        made = njit(**_OPTIONS)(function)
    _compiled.append(made)
    return made  # type: ignore[no-any-return]


@cache
def sources_stamp(folder: Path) -> str:
    """A digest of the files of this folder that hold compiled code: another one is another compiled form."""
    digest = hashlib.blake2b(digest_size=12)
    for path in sorted([*folder.glob("*kernels.py"), folder / "special.py", folder / "jit.py"]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def forget_disk() -> None:
    """Neither read nor write compiled forms any more: the folder is damaged, full or gone."""
    for made in _compiled:
        made._cache = NullCache()


def inline(function: F) -> F:
    """A small function that kernels call: it becomes part of them."""
    return njit(inline="always", **_OPTIONS)(function)  # type: ignore[no-any-return]


def inner(function: F) -> F:
    """A function that kernels of the same file call, compiled by itself: a loop that stays simple to the compiler."""
    return njit(**_OPTIONS)(function)  # type: ignore[no-any-return]
