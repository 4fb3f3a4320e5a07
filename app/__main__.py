"""`python -m app COMMAND`: see `--help`. Exit codes: 0 done, 1 failed, 2 wrong usage."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import NoReturn

from app import __version__
from app.errors import GexError

# Imported only when run: `--help` needs no web server, `gex` no broker.
COMMANDS = {
    "run": "start everything and serve the dashboard (the default)",
    "demo": "the same on the simulator, whatever the credentials",
    "simulate": "Schwab's stand-in alone",
    "feed": "the feed alone, publishing to REDIS_URL",
    "listen": "answer Schwab's callback over TLS; run does it by itself",
    "gex": "compute gamma exposure from a chain file",
    "replay": "play a taped day again, through the whole product",
    "import": "take chain files into the recorded history",
    "levels": "print recorded daily levels for other platforms",
}


class Parser(argparse.ArgumentParser):
    """argparse, with its errors in one line like all of ours."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}. See {self.prog} --help\n")


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors of ours become one line on stderr."""
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except GexError as error:
        print(f"error: {error.line}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # the reader of our output has left, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(args: list[str]) -> int:
    if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help", "--version")):
        args.insert(0, "run")
    parser = Parser(prog="python -m app", description="Live gamma exposure.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if args[0] == name:
            importlib.import_module(f"app.commands.{name}").add_arguments(command)
    options = parser.parse_args(args)
    return int(importlib.import_module(f"app.commands.{options.command}").main(options))


if __name__ == "__main__":
    sys.exit(main())
