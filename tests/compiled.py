"""Compiles all that the tests compute with, so that it is on disk: `python -m tests.compiled`."""

from __future__ import annotations

from app.gex import warm_up
from app.gex.incremental import Engine
from tests import chains


def main() -> None:
    """As a start of the product does, and the engine of changed rows."""
    warm_up()
    engine = Engine(chains.synthetic()[0])
    engine.move(1.001 * chains.SPOT)
    engine.levels()


if __name__ == "__main__":
    main()
