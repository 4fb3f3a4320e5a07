"""How the feed's small kernels are compiled: on first call, and kept on disk where there is a place to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import NullCache

F = TypeVar("F", bound=Callable[..., Any])

_made: list[Any] = []


def compiled(function: F) -> F:
    """Compiled on first call; what it calls must be in the same file, which is all that the kept form is checked against.

    Holds the interpreter lock: it takes microseconds, and who gives the lock away has to wait for it.
    """
    return _compile(function)


def uncounted(function: F) -> F:
    """The same for functions that make no array: counting references takes longer than a small function itself."""
    return _compile(function, _nrt=False)


def _compile(function: F, **options: Any) -> F:
    try:
        made = njit(cache=True, error_model="numpy", **options)(function)
    except RuntimeError:
        made = njit(error_model="numpy", **options)(function)
    _made.append(made)
    return made  # type: ignore[no-any-return]


def warm(work: Callable[[], object]) -> None:
    """Compile by doing `work` once; a damaged compiled form on disk is done without."""
    try:
        work()
    except Exception:  # noqa: BLE001 - whatever a damaged file raises; what else is wrong raises again
        for made in _made:
            made._cache = NullCache()
        work()
