"""Granting and revoking of roles. A grant is a row; revoked grants are in the audit trail only."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, Engine

from lib.domain import audit
from lib.domain.access import Actor, GrantRow
from lib.domain.audit import GLOBAL_CHAIN, Event, EventAction
from lib.domain.errors import LastAdministratorError, UnknownPersonError, UnknownPlaceError
from lib.domain.ids import new_ids
from lib.domain.roles import Grant, Permission, Role, covers
from lib.domain.search import possible_name
from lib.operations.access import reach, require
from lib.operations.unit_of_work import UnitOfWork
from lib.store import audit_queries, directory_queries, grant_queries, import_queries
from lib.store.engine import reading

#: The actor of commands. Who can run them can open the database anyway, so nothing is checked.
COMMAND_LINE = Actor("", "Command line", address=audit.COMMAND_LINE)


def list_grants(engine: Engine, actor: Actor) -> list[GrantRow]:
    """Return the grants in the organizations whose access the actor manages, by name.

    Raises NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACCESS)
        return [
            row
            for row in grant_queries.list_grants(connection)
            if covers(within, row.organization_id)
        ]


def list_all_grants(engine: Engine) -> list[GrantRow]:
    """Return every grant, by name. For the command line: no permission is checked."""
    with reading(engine) as connection:
        return grant_queries.list_grants(connection)


def grant(
    unit_of_work: UnitOfWork, actor: Actor, username: str, wanted: Sequence[Grant]
) -> tuple[Grant, ...]:
    """Grant all of `wanted` to `username`, or nothing. Returns the grants that are new.

    Raises NotAllowedError, UnknownPersonError, and UnknownPlaceError for an unknown organization.
    """
    username = possible_name(username)
    attempt = _attempt(EventAction.GRANT, actor, username, wanted)
    with unit_of_work.transaction(attempt) as connection:
        _require(connection, actor, wanted)
        return _grant(connection, unit_of_work, attempt, username, wanted)


def grant_by_command(
    unit_of_work: UnitOfWork, username: str, wanted: Sequence[Grant]
) -> tuple[Grant, ...]:
    """As `grant`, for the command line: no permission is checked."""
    username = possible_name(username)
    attempt = _attempt(EventAction.GRANT, COMMAND_LINE, username, wanted)
    with unit_of_work.transaction(attempt) as connection:
        return _grant(connection, unit_of_work, attempt, username, wanted)


def revoke(
    unit_of_work: UnitOfWork, actor: Actor, username: str, wanted: Sequence[Grant]
) -> tuple[Grant, ...]:
    """Revoke all of `wanted` from `username`, or nothing. Returns the grants that were revoked.

    Raises NotAllowedError, and LastAdministratorError when no API administrator would be left.
    """
    username = possible_name(username)
    attempt = _attempt(EventAction.REVOKE, actor, username, wanted)
    with unit_of_work.transaction(attempt) as connection:
        _require(connection, actor, wanted)
        return _revoke(connection, unit_of_work, attempt, username, wanted)


def revoke_by_command(
    unit_of_work: UnitOfWork, username: str, wanted: Sequence[Grant]
) -> tuple[Grant, ...]:
    """As `revoke`, for the command line: no permission is checked."""
    username = possible_name(username)
    attempt = _attempt(EventAction.REVOKE, COMMAND_LINE, username, wanted)
    with unit_of_work.transaction(attempt) as connection:
        return _revoke(connection, unit_of_work, attempt, username, wanted)


def appoint_first(unit_of_work: UnitOfWork, usernames: Iterable[str]) -> None:
    """Make `usernames` API administrators if there is none yet: the setting TOKEN_DESK_ADMINS.

    A username that the directory does not know gets a staff account; if it looks like an e-mail
    address, it is the account's e-mail too. If there is an administrator already, nothing happens,
    so a revoked role does not come back at the next start.
    """
    wanted = Grant(Role.ADMINISTRATOR)
    names = list(usernames)
    with reading(unit_of_work.engine) as connection:
        if not names or grant_queries.has_administrator(connection):
            return
    attempt = _attempt(EventAction.GRANT, COMMAND_LINE, names[0], [wanted])
    with unit_of_work.transaction(attempt) as connection:
        audit_queries.lock_head(connection, GLOBAL_CHAIN)
        if grant_queries.has_administrator(connection):
            return
        for username in names:
            if grant_queries.find_account(connection, username) is None:
                email = username if "@" in username else ""
                account = {"username": username, "name": username, "email": email}
                import_queries.add_accounts(connection, [account | {"staff_status": "active"}])
            event = attempt._replace(subject=username, address=audit.FIRST_ADMINISTRATORS)
            _grant(connection, unit_of_work, event, username, [wanted])


def _require(connection: Connection, actor: Actor, wanted: Sequence[Grant]) -> None:
    for place in {each.organization_id for each in wanted}:
        require(connection, actor.username, Permission.ACCESS, place)


def _grant(
    connection: Connection,
    unit_of_work: UnitOfWork,
    attempt: Event,
    username: str,
    wanted: Sequence[Grant],
) -> tuple[Grant, ...]:
    audit_queries.lock_head(connection, GLOBAL_CHAIN)  # one change of grants at a time
    if not username or grant_queries.find_account(connection, username) is None:
        raise UnknownPersonError(username)
    for place in {each.organization_id for each in wanted if each.organization_id}:
        if not directory_queries.is_organization(connection, place):
            raise UnknownPlaceError(place, "")
    held = grant_queries.grants_of(connection, username)
    new = tuple(each for each in dict.fromkeys(wanted) if each not in held)
    now = unit_of_work.clock()
    for grant_id, each in zip(new_ids(len(new), now), new, strict=True):
        grant_queries.add_grant(connection, grant_id, username, each, now, attempt.actor)
    unit_of_work.record(connection, *(_event_of(attempt, username, each) for each in new))
    return new


def _revoke(
    connection: Connection,
    unit_of_work: UnitOfWork,
    attempt: Event,
    username: str,
    wanted: Sequence[Grant],
) -> tuple[Grant, ...]:
    audit_queries.lock_head(connection, GLOBAL_CHAIN)
    held = grant_queries.grants_of(connection, username)
    lost = tuple(each for each in dict.fromkeys(wanted) if each in held)
    had = grant_queries.has_administrator(connection)
    for each in lost:
        grant_queries.delete_grant(connection, username, each)
    if had and not grant_queries.has_administrator(connection):
        raise LastAdministratorError
    unit_of_work.record(connection, *(_event_of(attempt, username, each) for each in lost))
    return lost


def _attempt(action: EventAction, actor: Actor, username: str, wanted: Sequence[Grant]) -> Event:
    """Return the event of the attempt. With one grant it goes to the chain of its organization."""
    event = Event(action, actor.username, actor.address, subject=username, users=1)
    return _event_of(event, username, wanted[0]) if len(wanted) == 1 else event


def _event_of(attempt: Event, username: str, given: Grant) -> Event:
    return attempt._replace(
        organization_id=given.organization_id or GLOBAL_CHAIN,
        subject=username,
        detail=given.role.value,
    )
