"""What modules with a simulator of their own share; each says in its `base` how that simulator runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app.cache import Store, open_store
from app.simulator.control import Control


@pytest.fixture
def control(base: str) -> Iterator[Control]:
    """The simulator's switches; after the test everything works again."""
    switches = Control(base)
    yield switches
    switches.clear()


@pytest.fixture
def memory() -> Store:
    """An empty store in this process."""
    return open_store("memory://")
