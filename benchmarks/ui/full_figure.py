"""What the page would cost as most dashboards are written: the whole figure from a callback, once a second."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import plotly.graph_objects as go
import requests
from dash import Dash, Input, Output, dcc, html
from plotly.subplots import make_subplots
from werkzeug.serving import make_server

from tests.support import free_port


@contextlib.contextmanager
def full_figures(product_url: str) -> Iterator[str]:
    """The address of a plain Dash page that draws the ladder, profile and levels of the product's newest numbers."""
    app = Dash(__name__, serve_locally=True)
    app.layout = html.Div(
        [dcc.Interval(id="tick", interval=1000), dcc.Graph(id="chart", style={"height": "800px"})]
    )

    @app.callback(Output("chart", "figure"), Input("tick", "n_intervals"))
    def draw(_: int | None) -> go.Figure:
        return _figure(requests.get(f"{product_url}/api/v1/gex/SPX", timeout=10).json())

    port = free_port()
    server = make_server("127.0.0.1", port, app.server, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()


def _figure(document: dict[str, object]) -> go.Figure:
    spot = float(document["spot"])  # type: ignore[arg-type]
    rows = [row for row in document["strikes"] if abs(row["strike"] / spot - 1) < 0.05]  # type: ignore[attr-defined, union-attr]
    strikes = [row["strike"] for row in rows]
    figure = make_subplots(cols=3, shared_yaxes=True)
    figure.add_bar(y=strikes, x=[row["net_gex"] for row in rows], orientation="h", row=1, col=1)
    profile = document["profile"]
    figure.add_scatter(y=profile["spot"], x=profile["gex"], mode="lines", row=1, col=2)  # type: ignore[index]
    dense = [[row["net_gex"] * (1 - 0.06 * column) for column in range(16)] for row in rows]
    figure.add_heatmap(y=strikes, z=dense, row=1, col=3)
    figure.add_hline(y=spot)
    figure.update_layout(template="plotly_dark", yaxis_range=[0.97 * spot, 1.03 * spot])
    return figure
