"""`python -m lib.cli grant`, `revoke` and `grants`: roles on the command line.

There is no sign-in: a person who can run these commands can open the database as well. The audit
trail records the changes with the command line as their address.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator

from lib.cli.console import FAILED, SUCCEEDED, print_text, printable, with_database
from lib.domain.access import GrantRow
from lib.domain.clock import iso
from lib.domain.errors import UnknownPersonError, UnknownPlaceError
from lib.domain.roles import Grant, Role
from lib.operations import grants
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import Settings

_COLUMNS = ("Username", "Name", "Role", "Where", "Granted", "By")
_EVERYWHERE = "all organizations"


def declare(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands `grant`, `revoke` and `grants`."""
    granting = _add_arguments("grant", add("grant", help="grant a role to a person"))
    granting.set_defaults(run=_grant)
    revoking = _add_arguments("revoke", add("revoke", help="revoke a role of a person"))
    revoking.set_defaults(run=_revoke)
    listing = add("grants", help="list all grants")
    listing.add_argument("--json", action="store_true", help="print a line of JSON for each grant")
    listing.set_defaults(run=_list)


def _add_arguments(command: str, parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    # A username that begins with a hyphen is taken for an option, unless `--` stands before it.
    parser.usage = (
        f"%(prog)s [-h] [--organization ID [ID ...]] [--] username {{{','.join(Role)}}}\n"
        f"a username that begins with a hyphen: {command} -- -sam {Role.SUPPORT.value}"
    )
    parser.add_argument("username")
    parser.add_argument("role", choices=[role.value for role in Role])
    parser.add_argument(
        "--organization",
        nargs="+",
        metavar="ID",
        help="only in these organizations; without it, in all of them",
    )
    return parser


def _wanted(options: argparse.Namespace) -> list[Grant]:
    return [Grant(Role(options.role), place) for place in options.organization or [None]]


def _grant(settings: Settings, options: argparse.Namespace) -> int:
    wanted = _wanted(options)

    def act(unit_of_work: UnitOfWork) -> int:
        try:
            new = grants.grant_by_command(unit_of_work, options.username, wanted)
        except (UnknownPersonError, UnknownPlaceError) as error:
            print_text([_unknown(error, options.username)], sys.stderr)
            return FAILED
        for each in wanted:
            verb = "is now" if each in new else "already was"
            print_text([f"{options.username} {verb} {_named(each)}."])
        return SUCCEEDED

    return with_database(settings, act)


def _revoke(settings: Settings, options: argparse.Namespace) -> int:
    wanted = _wanted(options)

    def act(unit_of_work: UnitOfWork) -> int:
        lost = grants.revoke_by_command(unit_of_work, options.username, wanted)
        print_text(f"{options.username} is no longer {_named(each)}." for each in lost)
        kept = [each for each in wanted if each not in lost]
        print_text(
            (f"{printable(options.username)} was not {_named(each)}." for each in kept), sys.stderr
        )
        return FAILED if kept else SUCCEEDED

    return with_database(settings, act)


def _list(settings: Settings, options: argparse.Namespace) -> int:
    def act(unit_of_work: UnitOfWork) -> int:
        rows = grants.list_all_grants(unit_of_work.engine)
        print_text(map(_json, rows) if options.json else _table(rows))
        return SUCCEEDED

    return with_database(settings, act)


def _unknown(error: UnknownPersonError | UnknownPlaceError, username: str) -> str:
    if isinstance(error, UnknownPlaceError):
        return f"There is no organization {printable(error.organization_id)}. Nothing was changed."
    return (
        f"The directory has no username {printable(username)}. Check the spelling, or"
        " import the person first: python -m lib.cli import --users users.csv, where a line with"
        " an empty organization_id is a staff account."
    )


def _named(given: Grant) -> str:
    return f"{given.role.value} in {given.organization_id or _EVERYWHERE}"


def _json(row: GrantRow) -> str:
    facts = row._asdict() | {"role": row.role.value, "granted_at": iso(row.granted_at)}
    return json.dumps({name: fact for name, fact in facts.items() if name != "grant_id"})


def _table(rows: Iterable[GrantRow]) -> Iterator[str]:
    """Yield the lines of a table; without a grant, a line that says how to grant a role."""
    cells = [_COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        yield "  ".join(map(str.ljust, line, widths)).rstrip()
    if len(cells) == 1:
        yield "Nobody has a role. Grant one: python -m lib.cli grant USERNAME administrator"


def _cells(row: GrantRow) -> tuple[str, ...]:
    person = (row.username, row.name if row.active else f"{row.name} (inactive)")
    place = row.organization_id or _EVERYWHERE
    by = row.granted_by or grants.COMMAND_LINE.address
    return tuple(map(_printable, (*person, row.role.value, place, iso(row.granted_at), by)))


def _printable(cell: str) -> str:
    return cell if cell.isprintable() else printable(cell)
