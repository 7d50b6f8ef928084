"""Commands: `python -m lib.cli COMMAND …`; `--help` lists them."""

import argparse
from collections.abc import Callable, Sequence

from lib.cli import access, audit, credentials, importing, recall, undo
from lib.cli.console import escape_unprintable
from lib.settings import Settings, read_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code: 0 success, 1 failed or refused, 2 wrong usage."""
    escape_unprintable()
    options = _parser().parse_args(arguments)
    run: Callable[[Settings, argparse.Namespace], int] = options.run
    return run(read_settings(), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lib.cli", description="Token Desk's commands.")
    commands = parser.add_subparsers(dest="command", required=True)
    for part in (importing, access, audit, credentials, recall, undo):
        part.declare(commands.add_parser)
    return parser
