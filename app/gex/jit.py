"""How the kernels are compiled: with numba, without the interpreter lock, kept on disk where that works.

numba's disk cache looks only at the file a kernel is in. So a kernel calls nothing compiled from another file: else it would
run with yesterday's version of it.
"""

from __future__ import annotations

from collections.abc import Callable
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
    except RuntimeError:
        # neither the package's folder nor the user's cache can be written
        made = njit(**_OPTIONS)(function)
    _compiled.append(made)
    return made  # type: ignore[no-any-return]


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
