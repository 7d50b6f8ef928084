"""Memberships as an import sees them: who is active, and how many of their tokens work.

A member is meant by organization id and username with a space between: an id has 6 characters.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

from lib.domain.clock import Moment
from lib.domain.roles import Grant, Role
from lib.store.bulk import ids_parameter, with_ids
from lib.store.columns import select_list, unexpired

# Verify says yes to these (token_lookup.LIVE_TOKEN): live, with a secret, and all three active.
_WORKING_TOKENS = (
    "token t JOIN member w ON w.organization_id = t.organization_id AND w.member_id = t.member_id"
    " JOIN organization o ON o.organization_id = t.organization_id"
    " JOIN subscription b ON b.organization_id = t.organization_id AND b.service_id = t.service_id"
    f" WHERE t.ended_at IS NULL AND t.digest IS NOT NULL AND {unexpired('t')}"
    " AND w.status = 'active' AND o.status = 'active' AND b.status = 'active'"
)
_TOKENS_OF_MEMBER = (
    f"(SELECT count(*) FROM {_WORKING_TOKENS}"
    " AND t.organization_id = m.organization_id AND t.member_id = m.member_id)"
)
_AT_ONCE = 5_000  # rows that are in memory while many are read


class MemberTokens(NamedTuple):
    """A member, and how many tokens of theirs work."""

    organization_id: str
    username: str
    name: str
    working_tokens: int


class RoleLeft(NamedTuple):
    """A role of a person who is no longer an active member anywhere."""

    username: str
    name: str
    grant: Grant


def pair(organization_id: str, username: str) -> str:
    """Return how this module means a member."""
    return f"{organization_id} {username}"


def active_members(connection: Connection, organization_ids: Iterable[str]) -> dict[str, int]:
    """Return how many active members each organization has; without those that have none."""
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT m.organization_id, count(*) FROM member m WHERE m.status = 'active'"
            " AND m.organization_id IN (SELECT value FROM {ids} i) GROUP BY m.organization_id",
        ),
        {"ids": ids_parameter(connection, organization_ids)},
    )
    return {row[0]: row[1] for row in rows}


def each_active_member(
    connection: Connection, organization_ids: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Yield (organization id, username) of their active members, never many at once in memory."""
    statement = with_ids(
        connection,
        "SELECT m.organization_id, m.username FROM member m WHERE m.status = 'active'"
        " AND m.organization_id IN (SELECT value FROM {ids} i)",
    ).execution_options(yield_per=_AT_ONCE)
    rows = connection.execute(statement, {"ids": ids_parameter(connection, organization_ids)})
    yield from map(tuple, rows)


def tokens_of_members(
    connection: Connection, pairs: Iterable[str], now: Moment
) -> list[MemberTokens]:
    """Return how many tokens of each of these members work, by organization and username."""
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT {select_list(MemberTokens, 'm', working_tokens=_TOKENS_OF_MEMBER)}"
            # CROSS JOIN keeps SQLite to this order.
            " FROM {ids} i CROSS JOIN member m WHERE m.organization_id = substr(i.value, 1, 6)"
            " AND m.username = substr(i.value, 8) ORDER BY m.organization_id, m.username",
        ),
        {"ids": ids_parameter(connection, pairs), "now": now},
    )
    return [MemberTokens._make(row) for row in rows]


def working_tokens_in(
    connection: Connection,
    organization_ids: Iterable[str],
    subscriptions: Iterable[tuple[str, str]],
    now: Moment,
) -> int:
    """Return how many tokens work in these organizations, and for these other subscriptions."""
    ids = ids_parameter(connection, organization_ids)
    of = ids_parameter(connection, {pair(*subscription) for subscription in subscriptions})
    found = connection.execute(
        with_ids(
            connection,
            f"SELECT count(*) FROM {_WORKING_TOKENS}"
            " AND (t.organization_id IN (SELECT value FROM {ids} i)"
            " OR t.organization_id || ' ' || t.service_id IN (SELECT value FROM {of} s))",
        ),
        {"ids": ids, "of": of, "now": now},
    )
    return int(found.scalar_one())


def working_tokens_of(
    connection: Connection,
    pairs: Iterable[str],
    organization_ids: Iterable[str],
    subscriptions: Iterable[tuple[str, str]],
    now: Moment,
) -> int:
    """Return how many tokens of these members work outside of what `working_tokens_in` counts."""
    of = ids_parameter(connection, {pair(*subscription) for subscription in subscriptions})
    found = connection.execute(
        with_ids(
            connection,
            "SELECT count(*) FROM {members} x CROSS JOIN member m CROSS JOIN"
            f" {_WORKING_TOKENS} AND m.organization_id = substr(x.value, 1, 6)"
            " AND m.username = substr(x.value, 8)"
            " AND t.organization_id = m.organization_id AND t.member_id = m.member_id"
            " AND t.organization_id NOT IN (SELECT value FROM {ids} i)"
            " AND t.organization_id || ' ' || t.service_id NOT IN (SELECT value FROM {of} s)",
        ),
        {
            "members": ids_parameter(connection, pairs),
            "ids": ids_parameter(connection, organization_ids),
            "of": of,
            "now": now,
        },
    )
    return int(found.scalar_one())


def roles_left(connection: Connection) -> list[RoleLeft]:
    """Return the roles of people who are neither staff nor an active member anywhere."""
    rows = connection.execute(
        text(
            "SELECT u.username, u.name, g.role, g.organization_id FROM role_grant g"
            " JOIN user_account u ON u.username = g.username WHERE u.staff_status IS NULL"
            " AND NOT EXISTS (SELECT 1 FROM member m"
            " WHERE m.username = u.username AND m.status = 'active')"
            " ORDER BY u.username, g.role, COALESCE(g.organization_id, '')"
        )
    )
    return [RoleLeft(r[0], r[1], Grant(Role(r[2]), r[3])) for r in rows]


def refused_places(connection: Connection, username: str) -> frozenset[tuple[str, str]]:
    """Return the organization and service ids where the person's tokens are refused.

    There the membership, the organization or the subscription is not active (ruling 13).
    """
    rows = connection.execute(
        text(
            "SELECT b.organization_id, b.service_id FROM member m"
            " JOIN organization o ON o.organization_id = m.organization_id"
            " JOIN subscription b ON b.organization_id = m.organization_id"
            " WHERE m.username = :username AND (m.status <> 'active' OR o.status <> 'active'"
            " OR b.status <> 'active')"
        ),
        {"username": username},
    )
    return frozenset((row[0], row[1]) for row in rows)
