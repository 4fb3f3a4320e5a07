"""Parts of the page that never change, as HTML in the first document.

Dash asks every component on the page after each of its steps whether it has changed, many times a second; what is only ever
read, or filled by assets/, need not be one.
"""

from __future__ import annotations

from html import escape
from typing import Any

_NAMES = {"className": "class", "tabIndex": "tabindex"}
_VOID = frozenset({"br", "hr", "img"})


def markup(part: Any) -> str:
    """The HTML of an `html` component, of a list of them, or of a text. Raises TypeError on anything with a behaviour."""
    if part is None:
        return ""
    if isinstance(part, list | tuple):
        return "".join(markup(each) for each in part)
    if not hasattr(part, "to_plotly_json"):
        return escape(str(part))
    said = part.to_plotly_json()
    if said["namespace"] != "dash_html_components":
        raise TypeError(f"{said['type']} is more than HTML")
    tag, props = said["type"].lower(), dict(said["props"])
    children = markup(props.pop("children", None))
    attributes = "".join(_attribute(name, value) for name, value in props.items() if value is not None)
    return f"<{tag}{attributes}>" if tag in _VOID else f"<{tag}{attributes}>{children}</{tag}>"


def _attribute(name: str, value: Any) -> str:
    if name == "style":
        raise TypeError("the page allows no style attributes: give it a class")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {_NAMES.get(name, name)}="{escape(str(value))}"'


def templates(parts: dict[str, Any]) -> str:
    """A `<template>` for each part, by the id of the empty element that assets/still.js fills with it."""
    return "".join(
        f'<template data-for="{escape(id_)}">{markup(part)}</template>' for id_, part in parts.items()
    )
