"""Who is granted which role. Grants are rows; the audit trail remembers those that are gone."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine

from lib.domain.audit import REST, Event, EventAction
from lib.domain.errors import LastAdministrator, UnknownPerson, UnknownPlace
from lib.domain.ids import new_id
from lib.domain.roles import Grant, Permission, Role, covers
from lib.domain.rows import Actor, GrantRow
from lib.operations.access import reach, require
from lib.operations.ledger import Ledger
from lib.store import audit_queries, directory_queries, grant_queries, import_queries
from lib.store.engine import reading

#: Whoever can start our commands can open the database as well; their grants are recorded too.
COMMAND_LINE = Actor("", "Command line", address="command line")


def list_grants(engine: Engine, actor: Actor) -> list[GrantRow]:
    """Return the grants in the organizations whose access the actor looks after, by name."""
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACCESS)
        return [
            row
            for row in grant_queries.list_grants(connection)
            if covers(within, row.organization_id)
        ]


def list_all_grants(engine: Engine) -> list[GrantRow]:
    """Return every grant, by name; for the command line, which asks nobody."""
    with reading(engine) as connection:
        return grant_queries.list_grants(connection)


def grant(ledger: Ledger, actor: Actor, username: str, wanted: Grant) -> bool:
    """Grant a role to `username`; False when they have it already.

    Raises NotAllowed, UnknownPerson, and UnknownPlace for an organization that is not there.
    """
    event = _event(EventAction.GRANT, actor, username, wanted)
    with ledger.acting(event) as connection:
        require(connection, actor.username, Permission.ACCESS, wanted.organization_id)
        return _grant(connection, ledger, event, username, wanted)


def grant_by_command(ledger: Ledger, username: str, wanted: Grant) -> bool:
    """Do what `grant` does for whoever runs the command; raises the same but NotAllowed."""
    event = _event(EventAction.GRANT, COMMAND_LINE, username, wanted)
    with ledger.acting(event) as connection:
        return _grant(connection, ledger, event, username, wanted)


def revoke(ledger: Ledger, actor: Actor, username: str, wanted: Grant) -> bool:
    """Take a role away from `username`; False when they do not have it.

    Raises NotAllowed, and LastAdministrator when nobody would be left who can grant.
    """
    event = _event(EventAction.REVOKE, actor, username, wanted)
    with ledger.acting(event) as connection:
        require(connection, actor.username, Permission.ACCESS, wanted.organization_id)
        return _revoke(connection, ledger, event, username, wanted)


def revoke_by_command(ledger: Ledger, username: str, wanted: Grant) -> bool:
    """Do what `revoke` does for whoever runs the command; raises LastAdministrator."""
    event = _event(EventAction.REVOKE, COMMAND_LINE, username, wanted)
    with ledger.acting(event) as connection:
        return _revoke(connection, ledger, event, username, wanted)


def appoint_first(ledger: Ledger, usernames: Iterable[str]) -> None:
    """Make `usernames` API administrators where there is none: the setting TOKEN_DESK_ADMINS.

    Whoever the directory does not know gets a staff account, with an e-mail when the username is
    one. Where there is an administrator nothing is done: a role that was taken away stays away.
    """
    wanted = Grant(Role.ADMINISTRATOR)
    names = list(usernames)
    with reading(ledger.engine) as connection:
        if not names or grant_queries.has_administrator(connection):
            return
    attempt = _event(EventAction.GRANT, COMMAND_LINE, names[0], wanted)
    with ledger.acting(attempt) as connection:
        audit_queries.lock_head(connection, REST)
        if grant_queries.has_administrator(connection):
            return
        for username in names:
            if grant_queries.find_account(connection, username) is None:
                email = username if "@" in username else ""
                import_queries.add_rows(
                    connection,
                    "user_account",
                    [
                        {"username": username, "name": username, "email": email}
                        | {"staff_status": "active"}
                    ],
                )
            event = attempt._replace(subject=username, address="TOKEN_DESK_ADMINS")
            _grant(connection, ledger, event, username, wanted)


def _grant(
    connection: Connection, ledger: Ledger, event: Event, username: str, wanted: Grant
) -> bool:
    audit_queries.lock_head(connection, REST)  # one change of access at a time
    if grant_queries.find_account(connection, username) is None:
        raise UnknownPerson(username)
    place = wanted.organization_id
    if place is not None and directory_queries.find_organization(connection, place) is None:
        raise UnknownPlace(place, "")
    if grant_queries.has_grant(connection, username, wanted):
        return False
    now = ledger.clock()
    grant_queries.add_grant(connection, new_id(now), username, wanted, now, event.actor)
    ledger.record(connection, event)
    return True


def _revoke(
    connection: Connection, ledger: Ledger, event: Event, username: str, wanted: Grant
) -> bool:
    audit_queries.lock_head(connection, REST)
    if not grant_queries.has_grant(connection, username, wanted):
        return False
    had = grant_queries.has_administrator(connection)
    grant_queries.delete_grant(connection, username, wanted)
    if had and not grant_queries.has_administrator(connection):
        raise LastAdministrator
    ledger.record(connection, event)
    return True


def _event(action: EventAction, actor: Actor, username: str, wanted: Grant) -> Event:
    return Event(
        action,
        actor.username,
        actor.address,
        wanted.organization_id or REST,
        subject=username,
        users=1,
        detail=wanted.role.value,
    )
