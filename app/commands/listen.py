"""`python -m app listen`: answers SCHWAB_CALLBACK_URL over TLS. `run` starts it by itself where it is needed."""

from __future__ import annotations

import argparse

from app.access.listener import serve
from app.log import configure
from app.settings import get_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none: the settings say everything."""
    del parser


def main(args: argparse.Namespace) -> int:
    """Answer until SIGTERM. Raises SettingsError when the callback's port is taken."""
    del args
    settings = get_settings()
    configure(settings.log_level, settings.log_format, settings.secrets())
    serve(settings)
    return 0
