"""Attributes whose names are no Python names."""

from __future__ import annotations

from typing import Any


def attributes(named: dict[str, str]) -> dict[str, Any]:
    """`aria-*` and `data-*` attributes as keywords for a component; Dash's types know only its own keywords."""
    return dict(named)
