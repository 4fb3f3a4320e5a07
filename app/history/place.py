"""Where the history is, for commands that run beside the server."""

from __future__ import annotations

from pathlib import Path

from app.settings import Settings


def history_folder(settings: Settings) -> Path:
    """The folder that the server of these settings records into: the demo's is a part of DATA_DIR of its own."""
    demo = settings.data_dir / "demo" / "history"
    own = settings.data_dir / "history"
    if settings.force_demo:
        return demo if demo.exists() else own
    return demo if settings.demo and settings.feed_mode != "off" else own
