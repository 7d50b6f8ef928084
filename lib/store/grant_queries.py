"""Accounts with their grants, which every use case reads to check permissions."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

from lib.domain.access import GrantRow
from lib.domain.clock import Moment
from lib.domain.roles import Grant, Role
from lib.store import tables

# A staff account is active by its own status, any other account by an active membership.
_ACTIVE = (
    "(u.staff_status = 'active' OR u.staff_status IS NULL AND EXISTS (SELECT 1 FROM member m"
    " WHERE m.username = u.username AND m.status = 'active'))"
)
# Built once, since every use case executes it.
_ACCOUNT = text(
    f"SELECT u.username, u.name, {_ACTIVE}, g.role, g.organization_id FROM user_account u"
    " LEFT JOIN role_grant g ON g.username = u.username WHERE u.username = :username"
)


class Account(NamedTuple):
    """A person who can sign in. The grants of an inactive account are left out."""

    username: str
    name: str
    active: bool
    grants: frozenset[Grant]


def find_account(connection: Connection, username: str) -> Account | None:
    """Return the account of `username`, or None."""
    rows = connection.execute(
        _ACCOUNT,
        {"username": username},
    ).all()
    if not rows:
        return None
    username, name, active = rows[0][:3]
    granted = frozenset(Grant(Role(r[3]), r[4]) for r in rows if r[3] is not None)
    return Account(username, name, bool(active), granted if active else frozenset())


def list_grants(connection: Connection) -> list[GrantRow]:
    """Return every grant, sorted by the name of the person."""
    rows = connection.execute(
        text(
            f"SELECT g.grant_id, g.username, u.name, {_ACTIVE}, g.role, g.organization_id, o.name,"
            " g.granted_at, g.granted_by FROM role_grant g"
            " JOIN user_account u ON u.username = g.username"
            " LEFT JOIN organization o ON o.organization_id = g.organization_id"
            " ORDER BY u.name, g.username, g.role, o.name, g.organization_id"
        )
    )
    return [GrantRow(r[0], r[1], r[2], bool(r[3]), Role(r[4]), *r[5:]) for r in rows]


def add_grant(
    connection: Connection,
    grant_id: str,
    username: str,
    grant: Grant,
    granted_at: Moment,
    granted_by: str,
) -> None:
    """Insert a grant. The caller knows that the person does not have it."""
    connection.execute(
        tables.role_grant.insert().values(
            grant_id=grant_id,
            username=username,
            role=grant.role.value,
            organization_id=grant.organization_id,
            granted_at=granted_at,
            granted_by=granted_by,
        )
    )


def grants_of(connection: Connection, username: str) -> frozenset[Grant]:
    """Return the grants of `username`, also if the account is inactive."""
    found = connection.execute(
        text("SELECT role, organization_id FROM role_grant WHERE username = :username"),
        {"username": username},
    )
    return frozenset(Grant(Role(role), place) for role, place in found)


def delete_grant(connection: Connection, username: str, grant: Grant) -> None:
    """Delete a grant. The audit trail still has the event that granted it."""
    connection.execute(
        text(
            "DELETE FROM role_grant WHERE username = :username AND role = :role"
            " AND COALESCE(organization_id, '') = :organization"
        ),
        {
            "username": username,
            "role": grant.role.value,
            "organization": grant.organization_id or "",
        },
    )


def granted_there(
    connection: Connection, username: str, roles: Iterable[Role], organization_id: str
) -> list[tuple[str, Moment]]:
    """Return (grantor, moment) of each grant of one of `roles` to `username` in an organization.

    Grants for all organizations are included.
    """
    names = ", ".join(f"'{role.value}'" for role in roles)
    found = connection.execute(
        text(
            f"SELECT granted_by, granted_at FROM role_grant WHERE username = :username"
            f" AND role IN ({names})"
            " AND (organization_id IS NULL OR organization_id = :organization)"
        ),
        {"username": username, "organization": organization_id},
    )
    return [(row[0], row[1]) for row in found]


def given_roles_by(
    connection: Connection, username: str, since: Moment, until: Moment
) -> frozenset[str]:
    """Return `username`, everybody to whom they granted a role, everybody to whom those did, ...

    Grants after `since` and until `until`. They are read from the audit trail, which also has
    grants that were revoked.
    """
    found = connection.execute(
        text(
            "WITH RECURSIVE given (username) AS ("
            " SELECT username FROM user_account WHERE username = :username"
            " UNION SELECT e.subject FROM given g JOIN audit_event e ON e.actor = g.username"
            " AND e.action = 'grant' AND e.happened_at > :since AND e.happened_at <= :until)"
            " SELECT username FROM given"
        ),
        {"username": username, "since": since, "until": until},
    )
    return frozenset(found.scalars())


def has_administrator(connection: Connection) -> bool:
    """Tell whether at least one active account is API administrator in all organizations."""
    return bool(
        connection.execute(
            text(
                "SELECT EXISTS (SELECT 1 FROM role_grant g JOIN user_account u"
                " ON u.username = g.username WHERE g.role = 'administrator'"
                f" AND g.organization_id IS NULL AND {_ACTIVE})"
            )
        ).scalar_one()
    )
