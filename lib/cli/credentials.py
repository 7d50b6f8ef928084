"""`python -m lib.cli service-credential create|end|list`: what services sign in with.

The secret is printed once, to whoever runs the command; the database keeps a digest.
"""

import argparse
import json
import sys
from collections.abc import Callable

from lib.cli.console import REFUSED, TAKEN, print_text, printable, with_database
from lib.domain.clock import iso
from lib.domain.errors import TooManyCredentialsError, UnknownServiceError
from lib.domain.token_format import Minting
from lib.operations import credentials
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `service-credential` with its own three."""
    keeping = add("service-credential", help="make, list and end what services sign in with")
    commands = keeping.add_subparsers(dest="credential_command", required=True)
    creating = commands.add_parser("create", help="make one and print its secret, this once")
    creating.add_argument("service", help="the service's id, such as erecording")
    creating.add_argument("--json", action="store_true", help="client_id and client_secret as JSON")
    creating.set_defaults(run=_create)
    ending = commands.add_parser("end", help="end one; whoever signs in with it is refused")
    ending.add_argument("client_id")
    ending.set_defaults(run=_end)
    commands.add_parser("list", help="list those that are live").set_defaults(run=_list)


def _create(settings: Settings, options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        minting = Minting(settings.token_prefix, settings.pepper_keys)
        try:
            new = credentials.create_by_command(unit_of_work, options.service, minting)
        except UnknownServiceError:
            print_text([f"There is no service {printable(options.service)}."], sys.stderr)
            return REFUSED
        except TooManyCredentialsError:
            sentence = (
                f"{options.service} has {credentials.MOST_LIVE} live credentials. End the one that"
                " is no longer used: python -m lib.cli service-credential list"
            )
            print_text([sentence], sys.stderr)
            return REFUSED
        told = new._asdict()
        print_text([json.dumps(told)] if options.json else [f"{k}: {v}" for k, v in told.items()])
        return TAKEN

    return with_database(settings, act)


def _end(settings: Settings, options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        if credentials.end_by_command(unit_of_work, options.client_id):
            print_text([f"{options.client_id} is ended."])
            return TAKEN
        print_text([f"There is no live credential {printable(options.client_id)}."], sys.stderr)
        return REFUSED

    return with_database(settings, act)


def _list(settings: Settings, _options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        live = credentials.list_all_credentials(unit_of_work.engine)
        print_text(f"{c.service_id}  {c.client_id}  {iso(c.created_at)}" for c in live)
        if not live:
            print_text(["None: python -m lib.cli service-credential create SERVICE makes one."])
        return TAKEN

    return with_database(settings, act)
