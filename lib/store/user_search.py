"""The search of the Users page. Every query is limited to the organizations of a reach."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from lib.domain.clock import Moment
from lib.domain.roles import Reach
from lib.domain.search import caseless, fold, like, possible_name
from lib.domain.states import Action, OrganizationType, Status, TokenState
from lib.domain.users import (
    DirectorySize,
    OperationHit,
    OrganizationHit,
    PersonHit,
    TokenHit,
)
from lib.store.bulk import among, ids_parameter, with_ids
from lib.store.columns import select_list, unexpired

MOST_PEOPLE = 500  # more than that are not counted: a search for one letter finds everybody

_TOKEN_COLUMNS = select_list(
    TokenHit,
    "t",
    username="m.username",
    name="m.name",
    organization_name="o.name",
    service_name="s.name",
    state=f"CASE WHEN t.ended_at IS NULL AND NOT {unexpired('t')} THEN 'expired' ELSE t.state END",
    ended_at=f"CASE WHEN {unexpired('t')} THEN t.ended_at"
    " ELSE COALESCE(t.ended_at, t.expires_at) END",
)


class Match(NamedTuple):
    """A person who matches: username, name, and where the name sorts."""

    username: str
    name: str
    sort_key: str


def matching_people(connection: Connection, search: str, within: Reach) -> tuple[list[Match], bool]:
    """Return the people whose name, username or e-mail contains `search`, and whether all are.

    They are members of the organizations `within`; with None also staff accounts. Whoever has
    exactly this username (case ignored) comes first, then whose name or username begins with the
    search, then by name. At most about MOST_PEOPLE.
    """
    found = {match.username: match for match in _exact(connection, search, within)}
    rows = _members(connection, search, within)
    found |= {match.username: match for match in rows}
    if within is None:
        found |= {match.username: match for match in _staff(connection, search)}
    part, same = fold(search), caseless(search.strip())

    def place(match: Match) -> tuple[bool, bool, str, str]:
        begins = match.sort_key.startswith(part) or fold(match.username).startswith(part)
        return caseless(match.username) != same, not begins, match.sort_key, match.username

    return sorted(found.values(), key=place), len(rows) < MOST_PEOPLE


def _exact(connection: Connection, search: str, within: Reach) -> Iterable[Match]:
    """Return the member with exactly this username: a common word could push them off the list."""
    key = caseless(possible_name(search.strip()))
    if not key:
        return []
    reached, parameters = among(connection, "m.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT m.username, m.name, m.sort_key FROM user_account u JOIN member m"
            f" ON m.username = u.username WHERE u.username_key = :key AND {reached}",
        ),
        {"key": key} | parameters,
    )
    return map(Match._make, rows)


def _members(connection: Connection, search: str, within: Reach) -> list[Match]:
    source, reached, parameters = _members_within(connection, within)
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT m.username, m.name, m.sort_key FROM {source}"
            rf" WHERE {reached} AND m.search_key LIKE :like ESCAPE '\' LIMIT :most",
        ),
        {"like": like(search), "most": MOST_PEOPLE} | parameters,
    )
    return list(map(Match._make, rows))


def _members_within(connection: Connection, within: Reach) -> tuple[str, str, dict[str, Any]]:
    """Return a FROM clause of members `m`, a condition, and their parameters.

    CROSS JOIN makes SQLite begin with the organizations; else it may read all members.
    """
    if within is None:
        return "member m", "TRUE", {}
    parameters = {"ids": ids_parameter(connection, within)}
    return "{ids} i CROSS JOIN member m", "m.organization_id = i.value", parameters


def _staff(connection: Connection, search: str) -> Iterable[Match]:
    """Return the staff accounts that match. They have no stored key, and are few."""
    rows = connection.execute(
        text("SELECT username, name, email FROM user_account WHERE staff_status IS NOT NULL")
    )
    part = fold(search)
    return [
        Match(row[0], row[1], fold(row[1]))
        for row in rows
        if part in fold(f"{row[1]} {row[0]} {row[2]}")
    ]


def describe_people(
    connection: Connection, matches: Iterable[Match], within: Reach, now: Moment
) -> list[PersonHit]:
    """Return what each of a few people has in the organizations `within`, in the given order."""
    matches = list(matches)
    reached, parameters = among(connection, "m.organization_id", within)
    live = ", ".join(
        # Joined by subscription, so that the partial index of this state is used.
        "(SELECT count(*) FROM subscription b CROSS JOIN token t"
        " WHERE b.organization_id = m.organization_id AND t.organization_id = b.organization_id"
        " AND t.service_id = b.service_id AND t.member_id = m.member_id"
        f" AND t.state = '{state}' AND {unexpired('t')})"
        for state in ("accepted", "pending")
    )
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT m.username, o.name, m.status, {live} FROM {{people}} p CROSS JOIN member m"
            " JOIN organization o ON o.organization_id = m.organization_id"
            f" WHERE m.username = p.value AND {reached} ORDER BY o.search_key",
        ),
        {"people": ids_parameter(connection, (m.username for m in matches)), "now": now}
        | parameters,
    )
    memberships: dict[str, list[Any]] = {match.username: [] for match in matches}
    for row in rows:
        memberships[row[0]].append(row)
    staff = _active_staff(connection, [name for name, rows in memberships.items() if not rows])
    return [
        PersonHit(
            match.username,
            match.name,
            tuple(row[1] for row in memberships[match.username]),
            sum(row[3] for row in memberships[match.username]),
            sum(row[4] for row in memberships[match.username]),
            match.username in staff
            or any(row[2] == Status.ACTIVE for row in memberships[match.username]),
        )
        for match in matches
    ]


def _active_staff(connection: Connection, usernames: Iterable[str]) -> set[str]:
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT u.username FROM {people} p JOIN user_account u ON u.username = p.value"
            " WHERE u.staff_status = 'active'",
        ),
        {"people": ids_parameter(connection, usernames)},
    )
    return set(rows.scalars())


def matching_organizations(
    connection: Connection, search: str, within: Reach, limit: int
) -> tuple[list[OrganizationHit], int]:
    """Return `limit` organizations whose name or id contains `search`, and how many there are."""
    reached, parameters = among(connection, "o.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT o.organization_id, o.name, o.type, o.status, o.state, count(*) OVER ()"
            rf" FROM organization o WHERE o.search_key LIKE :like ESCAPE '\' AND {reached}"
            " ORDER BY o.search_key, o.organization_id LIMIT :limit",
        ),
        {"like": like(search), "limit": limit} | parameters,
    ).all()
    found = [
        OrganizationHit(row[0], row[1], OrganizationType(row[2]), Status(row[3]), row[4])
        for row in rows
    ]
    return found, rows[0][5] if rows else 0


def operations_with_id(
    connection: Connection, beginning: str, within: Reach, limit: int
) -> list[OperationHit]:
    """Return at most `limit` executed operations whose id begins so, newest first."""
    reached, parameters = among(connection, "p.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT {select_list(OperationHit, 'p', organization_name='o.name')} FROM operation p"
            " JOIN organization o ON o.organization_id = p.organization_id"
            f" WHERE p.operation_id >= :first AND p.operation_id < :behind AND {reached}"
            " ORDER BY p.operation_id DESC LIMIT :limit",
        ),
        # An id has the digits 0 to f, so `g` sorts behind all that begin so.
        {"first": beginning, "behind": f"{beginning}g", "limit": limit} | parameters,
    )
    found = map(OperationHit._make, rows)
    return [row._replace(action=Action(row.action)) for row in found]


def tokens_with_hint(
    connection: Connection, hint: str, within: Reach, now: Moment, limit: int
) -> list[TokenHit]:
    """Return at most `limit` tokens with exactly this hint, live ones first, then the newest."""
    reached, parameters = among(connection, "t.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT {_TOKEN_COLUMNS} FROM token t"
            " JOIN member m ON m.organization_id = t.organization_id AND m.member_id = t.member_id"
            " JOIN organization o ON o.organization_id = t.organization_id"
            " JOIN service s ON s.service_id = t.service_id"
            f" WHERE t.hint = :hint AND {reached}"
            " ORDER BY CASE WHEN t.ended_at IS NULL THEN 0 ELSE 1 END, t.created_at DESC,"
            " t.token_id LIMIT :limit",
        ),
        {"hint": hint, "now": now, "limit": limit} | parameters,
    )
    found = map(TokenHit._make, rows)
    return [row._replace(state=TokenState(row.state)) for row in found]


def directory_size(connection: Connection, within: Reach) -> DirectorySize:
    """Return how many users and organizations there are `within`. Staff are not counted."""
    if within is None:
        counts = connection.execute(
            text(
                "SELECT (SELECT count(*) FROM user_account) - (SELECT count(*) FROM user_account"
                " WHERE staff_status IS NOT NULL), (SELECT count(*) FROM organization)"
            )
        ).one()
        return DirectorySize._make(counts)
    counts = connection.execute(
        with_ids(
            connection,
            "SELECT (SELECT count(DISTINCT m.username) FROM {ids} i CROSS JOIN member m"
            " WHERE m.organization_id = i.value), (SELECT count(*) FROM organization o"
            " WHERE o.organization_id IN (SELECT value FROM {ids} i))",
        ),
        {"ids": ids_parameter(connection, within)},
    ).one()
    return DirectorySize._make(counts)
