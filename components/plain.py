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
        shapes: lines and areas across it, with xref and yref as given, or its own axes.
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


def plain(id_: str, grid: tuple[int, int], panels: Iterable[Panel]) -> dict[str, Any]:
    """An answer's `plain`: {id, grid, panels, data, layout}; grid counts columns and rows."""
    layout: dict[str, Any] = {"shapes": []}
    said: list[dict[str, Any]] = []
    data: list[Trace] = []
    for panel in panels:
        number = "" if panel.axes == 1 else str(panel.axes)
        x, y = f"x{number}", f"y{number}"
        layout |= {f"xaxis{number}": panel.x, f"yaxis{number}": panel.y}
        layout["shapes"] += [{"xref": x, "yref": y, **shape} for shape in panel.shapes]
        data += [
            {"xaxis": x, "yaxis": y, "meta": {"panel": panel.id}, "showlegend": False, **trace}
            for trace in panel.traces
        ]
        place = {"at": list(panel.at), "x": x, "y": y, "legend": panel.legend}
        said.append({"id": panel.id, "title": panel.title, "below": panel.below, **place})
    return {"id": id_, "grid": list(grid), "panels": said, "data": data, "layout": layout}
