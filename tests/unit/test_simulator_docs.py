"""docs/simulator.md names every option and every fault, and every default that it states is the real one."""

from __future__ import annotations

import argparse

import pytest

from app.commands.simulate import add_arguments
from app.simulator import APP_KEY, APP_SECRET, CALLBACK_URL
from app.simulator.faults import CUTS, NAMES
from tests.support import ROOT

TEXT = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")


def options() -> dict[str, object]:
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    return {action.option_strings[0]: action.default for action in parser._actions}


@pytest.mark.parametrize("name", sorted(options()))
def test_every_option_is_documented(name: str) -> None:
    assert f"`{name}" in TEXT


@pytest.mark.parametrize("name", [*NAMES, "cut", "malformed", "forget", "expire", "spot_jump", "clock"])
def test_every_fault_is_documented(name: str) -> None:
    assert f"| `{name}` |" in TEXT


def test_the_stated_defaults_are_the_real_ones() -> None:
    rows = [line.split("|") for line in TEXT.splitlines() if line.startswith("| `--")]
    stated = {row[1].strip(" `").split()[0].rstrip("`"): row[2].strip() for row in rows if len(row) == 5}
    numbers = {name: default for name, default in options().items() if isinstance(default, int | float)}
    for name, default in numbers.items():
        if name in stated and not isinstance(default, bool):
            assert float(stated[name]) == float(default), name
    assert {APP_KEY, APP_SECRET, CALLBACK_URL} <= set(TEXT.replace("`", " ").replace(",", " ").split())
    assert all(f"`{cut}`" in TEXT for cut in CUTS)
    assert "--tick" in numbers
    assert "--tick" in stated
