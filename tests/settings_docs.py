"""Writes docs/settings.md from the settings themselves: `python -m tests.settings_docs > docs/settings.md`."""

from __future__ import annotations

import sys
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from app.settings import Settings

HEAD = """\
# Settings

Each is an environment variable, or a line in a file `.env` in the working directory (`PORT=8051`). The environment wins.
An empty value counts as unset. A wrong one ends the start with one line that names it.
A name in `.env` that is almost a setting's is pointed out at the start.

Secrets (marked *secret*) never appear in logs, pages or the API.

| name | default | meaning |
|---|---|---|
"""


def render() -> str:
    """The whole page."""
    return HEAD + "".join(_row(name.upper(), field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    said = " ".join(filter(None, [field.description, _choices(field.annotation), _secret(field.annotation)]))
    return f"| `{name}` | {_default(field.default)} | {said} |\n"


def _default(value: Any) -> str:
    shown = value.get_secret_value() if isinstance(value, SecretStr) else value
    if shown in ("", None):
        return "unset"
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _choices(annotation: Any) -> str:
    if get_origin(annotation) is not Literal:
        return ""
    return "One of " + ", ".join(f"`{choice}`" for choice in get_args(annotation) if choice) + "."


def _secret(annotation: Any) -> str:
    return "*Secret.*" if annotation is SecretStr else ""


if __name__ == "__main__":
    sys.stdout.write(render())
