"""Charts that aren't on the price axis, as plain dicts; assets/plain.js gives them their place, colours and look."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Trace = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One pair of axes in a grid of cells; under 900 px the panels stand one below the other, in their order.

    Attributes:
        id: what it is, `smile`.
        title: what stands over it, its vertical unit included.
        at: column, row, and how many of each it takes.
        axes: its number: 1 for x and y, 2 for x2 and y2.
        below: what stands under its horizontal axis.
        x, y: plotly's attributes of its axes.
        traces: what is drawn in it, without their axes; colours are names of tokens: "$positive", "$muted80".
        legend: whether the names of its traces that ask for it are listed in it.
        shapes, notes: plotly's shapes and annotations on its axes; those with `across` count its width from 0 to 1.
    """

    id: str
    title: str
    at: tuple[int, int, int, int]
    axes: int
    traces: list[Trace]
    below: str = ""
    x: dict[str, Any] = field(default_factory=dict)
    y: dict[str, Any] = field(default_factory=dict)
    legend: bool = False
    shapes: tuple[dict[str, Any], ...] = ()
    notes: tuple[dict[str, Any], ...] = ()


def plain(id_: str, grid: tuple[int, int], panels: Iterable[Panel]) -> dict[str, Any]:
    """An answer's `plain`: {id, grid, panels, data, layout}; grid counts columns and rows."""
    layout: dict[str, Any] = {"shapes": [], "annotations": []}
    said: list[dict[str, Any]] = []
    data: list[Trace] = []
    for panel in panels:
        number = "" if panel.axes == 1 else str(panel.axes)
        x, y = f"x{number}", f"y{number}"
        layout |= {f"xaxis{number}": panel.x, f"yaxis{number}": panel.y}
        layout["shapes"] += [_placed(shape, x, y) for shape in panel.shapes]
        layout["annotations"] += [_placed(note, x, y) for note in panel.notes]
        data += [
            {"xaxis": x, "yaxis": y, "meta": {"panel": panel.id}, "showlegend": False, **trace}
            for trace in panel.traces
        ]
        place = {"at": list(panel.at), "x": x, "y": y, "legend": panel.legend}
        said.append({"id": panel.id, "title": panel.title, "below": panel.below, **place})
    return {"id": id_, "grid": list(grid), "panels": said, "data": data, "layout": layout}


def _placed(mark: dict[str, Any], x: str, y: str) -> dict[str, Any]:
    """A shape or an annotation on a panel's axes."""
    across = mark.get("across")
    spans = {"x0": 0, "x1": 1} if across and "text" not in mark else {}
    said = {name: value for name, value in mark.items() if name != "across"}
    return {"xref": f"{x} domain" if across else x, "yref": y, **spans, **said}
