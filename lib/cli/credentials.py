"""`python -m lib.cli service-credential create|end|list`: client credentials of services.

The command prints the secret once; the database stores only its digest.
"""

import argparse
import json
import sys
from collections.abc import Callable

from lib.cli.console import FAILED, SUCCEEDED, print_text, printable, with_database
from lib.domain.clock import iso
from lib.domain.errors import TooManyCredentialsError, UnknownServiceError
from lib.domain.token_format import Minting
from lib.operations import credentials
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command `service-credential` with `create`, `end` and `list`."""
    keeping = add("service-credential", help="create, list and end the credentials of services")
    commands = keeping.add_subparsers(dest="credential_command", required=True)
    creating = commands.add_parser("create", help="create a credential and print its secret once")
    creating.add_argument("service", help="the service's id, such as erecording")
    creating.add_argument(
        "--json", action="store_true", help="print client_id and client_secret as JSON"
    )
    creating.set_defaults(run=_create)
    ending = commands.add_parser("end", help="end a credential; it is refused from then on")
    ending.add_argument("client_id")
    ending.set_defaults(run=_end)
    commands.add_parser("list", help="list the live credentials").set_defaults(run=_list)


def _create(settings: Settings, options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        minting = Minting(settings.token_prefix, settings.pepper_keys)
        try:
            new = credentials.create_by_command(unit_of_work, options.service, minting)
        except UnknownServiceError:
            print_text([f"There is no service {printable(options.service)}."], sys.stderr)
            return FAILED
        except TooManyCredentialsError:
            sentence = (
                f"{options.service} has {credentials.MOST_LIVE} live credentials. End the one that"
                " is no longer used: python -m lib.cli service-credential list"
            )
            print_text([sentence], sys.stderr)
            return FAILED
        fields = new._asdict()
        lines = [f"{name}: {value}" for name, value in fields.items()]
        print_text([json.dumps(fields)] if options.json else lines)
        return SUCCEEDED

    return with_database(settings, act)


def _end(settings: Settings, options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        if credentials.end_by_command(unit_of_work, options.client_id):
            print_text([f"{options.client_id} was ended."])
            return SUCCEEDED
        print_text([f"There is no live credential {printable(options.client_id)}."], sys.stderr)
        return FAILED

    return with_database(settings, act)


def _list(settings: Settings, _options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        live = credentials.list_all_credentials(unit_of_work.engine)
        print_text(f"{c.service_id}  {c.client_id}  {iso(c.created_at)}" for c in live)
        if not live:
            print_text(
                ["There are none. Create one: python -m lib.cli service-credential create SERVICE"]
            )
        return SUCCEEDED

    return with_database(settings, act)
