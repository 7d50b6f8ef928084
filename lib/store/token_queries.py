"""Tokens of one organization and service, read and changed as sets.

Live states are literals in the SQL (see lib.store.tables for the reason). Every read treats a row
past `expires_at` as expired.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, text

from lib.domain.clock import DAY, Moment
from lib.domain.lifecycle import Change, holding_of
from lib.domain.operations import Scope
from lib.domain.search import like
from lib.domain.states import Origin, TokenState
from lib.domain.tokens import AffectedUser, OwnToken, TokenRow, UserInScope
from lib.store import tables
from lib.store.bulk import ids_parameter, insert_many, with_ids
from lib.store.columns import select_list, unexpired

_JOIN_LIVE = " ".join(
    f"LEFT JOIN token {name} ON {name}.organization_id = m.organization_id"
    f" AND {name}.service_id = :service AND {name}.member_id = m.member_id"
    f" AND {name}.state = '{state}' AND {unexpired(name)}"
    for name, state in (("p", "pending"), ("a", "accepted"))
)
# LATERAL with LIMIT looks up each user's rows by key. With a plain join PostgreSQL, while it had no
# statistics of a new organization, read all live tokens of it for each user: 120 ms for ten users
# of 20,000, against 0.2. SQLite has no LATERAL, and no other plan for the plain join.
_LOOK_UP_LIVE = " ".join(
    "LEFT JOIN LATERAL (SELECT * FROM token x WHERE x.organization_id = m.organization_id"
    " AND x.service_id = :service AND x.member_id = m.member_id"
    f" AND x.state = '{state}' AND {unexpired('x')} LIMIT 1) {name} ON TRUE"
    for name, state in (("p", "pending"), ("a", "accepted"))
)
# IN instead of a join: SQLite put json_each into the inner loop of a join, which is quadratic.
# ORDER BY an expression: with the plain column SQLite read the whole organization in index order.
_AMONG_IDS = {
    engine: f"FROM member m {live} WHERE m.organization_id = :organization"
    f" AND m.member_id IN (SELECT value FROM {{ids}} i) ORDER BY m.sort_key || '', m.member_id"
    for engine, live in (("sqlite", _JOIN_LIVE), ("postgresql", _LOOK_UP_LIVE))
}
# One long text instead of one row for each id: half the time at 100,000 users.
_ID_LIST = {"sqlite": "group_concat(member_id, ' ')", "postgresql": "string_agg(member_id, ' ')"}

_REQUESTED_AT = (
    "CASE WHEN {0}.revives IS NULL THEN {0}.created_at"
    " ELSE COALESCE({0}.issued_at, {0}.created_at) END"
)
_NOTHING = "a.token_id IS NULL AND p.token_id IS NULL"
# Ids rise with time, so the row with the highest id is the last one. A live row missing from both
# joins has expired.
_EXPIRED = (
    f"({_NOTHING} AND COALESCE((SELECT x.state = 'expired' OR x.ended_at IS NULL FROM token x"
    " WHERE x.organization_id = m.organization_id AND x.member_id = m.member_id"
    " AND x.service_id = :service ORDER BY x.token_id DESC LIMIT 1), FALSE))"
)
# A pending request has no digest: it is not a token yet, so it is neither unused nor expiring.
_UNUSED = (
    "(a.token_id IS NOT NULL AND a.last_used_at IS NULL"
    " OR p.digest IS NOT NULL AND p.last_used_at IS NULL)"
)
_ENDS_WITHIN = "(a.expires_at <= :now + {0} OR p.digest IS NOT NULL AND p.expires_at <= :now + {0})"

_USER_COLUMNS = select_list(
    UserInScope,
    "m",
    pending_token="p.token_id",  # noqa: S106 - a column
    accepted_token="a.token_id",  # noqa: S106 - a column
    last_used_at="a.last_used_at",
)
_ROW_COLUMNS = select_list(
    TokenRow,
    "m",
    accepted="a.token_id IS NOT NULL",
    pending="p.token_id IS NOT NULL",
    expired=_EXPIRED,
    requested_at=f"COALESCE({_REQUESTED_AT.format('p')}, {_REQUESTED_AT.format('a')})",
    last_used_at="COALESCE(a.last_used_at, p.last_used_at)",
    expires_at="COALESCE(a.expires_at, p.expires_at)",
)
_OWN_COLUMNS = select_list(
    OwnToken,
    "t",
    organization_name="o.name",
    service_name="s.name",
    hint="COALESCE(t.hint, '')",
    restored="t.revives IS NOT NULL",
)

#: The filters of the page Recipient API Tokens, as SQL conditions.
FILTERS = {
    "any": "TRUE",
    "accepted": "a.token_id IS NOT NULL",
    "pending": "p.token_id IS NOT NULL",
    "both": "a.token_id IS NOT NULL AND p.token_id IS NOT NULL",
    "old-and-new": "a.token_id IS NOT NULL AND p.digest IS NOT NULL",
    "none": _NOTHING,
    "unused": _UNUSED,
    **{f"expires{days}": _ENDS_WITHIN.format(days * DAY) for days in (7, 30, 60)},
    "expired": _EXPIRED,
}


def matching_ids(
    connection: Connection,
    organization_id: str,
    service_id: str,
    now: Moment,
    *,
    search: str = "",
    holding: str = "any",
) -> list[str]:
    """Return the member ids that match, in the order of the table.

    A user matches whose name, username or e-mail contains `search`, and who fulfils the condition
    `holding`, a key of FILTERS.
    """
    joins = "" if holding == "any" else _JOIN_LIVE
    found = r"AND m.search_key LIKE :like ESCAPE '\'" if search.strip() else ""
    ids = connection.execute(
        text(
            f"SELECT {_ID_LIST[connection.dialect.name]} FROM (SELECT m.member_id FROM member m"
            f" {joins} WHERE m.organization_id = :organization AND {FILTERS[holding]} {found}"
            " ORDER BY m.sort_key, m.member_id) matching"
        ),
        {
            "organization": organization_id,
            "service": service_id,
            "now": now,
            "like": like(search),
        },
    ).scalar()
    return str(ids).split(" ") if ids else []


def count_members(connection: Connection, organization_id: str) -> int:
    """Return the number of members of the organization."""
    found = connection.execute(
        text("SELECT count(*) FROM member WHERE organization_id = :organization"),
        {"organization": organization_id},
    )
    return int(found.scalar_one())


def table_rows(
    connection: Connection,
    organization_id: str,
    service_id: str,
    now: Moment,
    member_ids: Iterable[str],
) -> list[TokenRow]:
    """Return the lines of `member_ids` in the order of the table.

    `requested_at` is the creation of the pending row, or else of the accepted token. A row that an
    undo made counts from the making of its token.
    """
    statement = with_ids(
        connection,
        f"SELECT {_ROW_COLUMNS} {_AMONG_IDS[connection.dialect.name]}",
    )
    rows = connection.execute(
        statement, _scope_parameters(connection, organization_id, service_id, now, member_ids)
    )
    found = map(TokenRow._make, rows)
    return [
        row._replace(
            accepted=bool(row.accepted), pending=bool(row.pending), expired=bool(row.expired)
        )
        for row in found
    ]


def users_in_scope(
    connection: Connection,
    organization_id: str,
    service_id: str,
    now: Moment,
    member_ids: Iterable[str],
) -> list[UserInScope]:
    """Return `member_ids` with their live tokens, in table order; unknown ids are left out."""
    statement = with_ids(
        connection,
        f"SELECT {_USER_COLUMNS} {_AMONG_IDS[connection.dialect.name]}",
    )
    rows = connection.execute(
        statement, _scope_parameters(connection, organization_id, service_id, now, member_ids)
    )
    return [UserInScope._make(row) for row in rows]


def affected_users(
    connection: Connection,
    organization_id: str,
    service_id: str,
    now: Moment,
    member_ids: Iterable[str],
    *,
    search: str,
    limit: int,
) -> tuple[list[AffectedUser], int]:
    """Return the first `limit` of `member_ids` that match `search`, and how many match.

    The last used come first, then the order of the table.
    """
    parameters = _scope_parameters(connection, organization_id, service_id, now, member_ids)
    parameters |= {"like": like(search), "limit": limit}
    found = r"AND m.search_key LIKE :like ESCAPE '\'" if search.strip() else ""
    among = (
        "WHERE m.organization_id = :organization"
        f" AND m.member_id IN (SELECT value FROM {{ids}} i) {found}"
    )
    # count(*) OVER () took as long again on SQLite: it keeps all rows, and LIMIT only the first.
    number = with_ids(connection, f"SELECT count(*) FROM member m {among}")
    first = with_ids(
        connection,
        "SELECT m.name, m.username, p.token_id, a.token_id,"
        f" COALESCE(a.last_used_at, p.last_used_at) FROM member m {_JOIN_LIVE} {among}"
        " ORDER BY COALESCE(a.last_used_at, p.last_used_at, 0) DESC, m.sort_key, m.member_id"
        " LIMIT :limit",
    )
    users = [
        AffectedUser(name, username, holding_of(pending, accepted), used)
        for name, username, pending, accepted, used in connection.execute(first, parameters)
    ]
    return users, connection.execute(number, parameters).scalar_one()


def close_lapsed(
    connection: Connection,
    organization_id: str,
    service_id: str,
    now: Moment,
    member_ids: Iterable[str],
) -> None:
    """Set the expired live rows of `member_ids` to `expired`, ended at their expiry."""
    parameters = _scope_parameters(connection, organization_id, service_id, now, member_ids)
    for state in ("pending", "accepted"):
        connection.execute(
            with_ids(
                connection,
                f"UPDATE token SET state = 'expired', ended_from = '{state}', ended_at = expires_at"
                " WHERE organization_id = :organization AND service_id = :service"
                f" AND state = '{state}' AND expires_at <= :now"
                " AND member_id IN (SELECT value FROM {ids} i)",
            ),
            parameters,
        )


def end_tokens(
    connection: Connection, scope: Scope, operation_id: str, ends: Change, now: Moment
) -> None:
    """End the live rows of every user whose result in `operation_id` is `done`.

    `ends` gives the new states; None there leaves the rows as they are.
    """
    for state, becomes in (
        ("pending", ends.pending_becomes),
        ("accepted", ends.accepted_becomes),
    ):
        if becomes is None:
            continue
        connection.execute(
            text(
                f"UPDATE token SET state = :becomes, ended_from = '{state}', ended_at = :now,"
                " ended_by_operation = :operation"
                " WHERE organization_id = :organization AND service_id = :service"
                f" AND state = '{state}' AND member_id IN (SELECT r.member_id"
                " FROM operation_result r WHERE r.organization_id = :organization"
                " AND r.operation_id = :operation AND r.result = 'done')"
            ),
            {
                "becomes": becomes.value,
                "now": now,
                "operation": operation_id,
                "organization": scope.organization_id,
                "service": scope.service_id,
            },
        )


def add_requests(
    connection: Connection,
    scope: Scope,
    operation_id: str,
    now: Moment,
    lapses_at: Moment,
    rows: Iterable[tuple[str, str]],
) -> None:
    """Insert a pending request for each `(token id, member id)`, which expires at `lapses_at`."""
    fixed = (scope.organization_id, scope.service_id, "pending", Origin.REQUEST.value)
    insert_many(
        connection,
        tables.token,
        _NEW_COLUMNS,
        ((*fixed, now, operation_id, lapses_at, *row) for row in rows),
    )


def add_exported(
    connection: Connection,
    scope: Scope,
    operation_id: str,
    now: Moment,
    pepper: int,
    rows: Iterable[tuple[str, str, bytes, str]],
) -> None:
    """Insert an exported, pending token for each `(token id, member id, digest, hint)`."""
    fixed = (scope.organization_id, scope.service_id, "pending", Origin.EXPORT.value)
    ends = scope.policy.ends(now)
    insert_many(
        connection,
        tables.token,
        (*_NEW_COLUMNS, "digest", "hint", "pepper", "issued_at"),
        ((*fixed, now, operation_id, ends, *row, pepper, now) for row in rows),
    )


_NEW_COLUMNS = (
    "organization_id",
    "service_id",
    "state",
    "origin",
    "created_at",
    "made_by_operation",
    "expires_at",
    "token_id",
    "member_id",
)


def accept_pending(
    connection: Connection,
    organization_id: str,
    token_id: str,
    now: Moment,
    secret: tuple[bytes, str, int, Moment | None] | None,
) -> None:
    """Turn a pending row into an accepted one.

    `secret` is for a request, which has no token before: digest, hint, pepper number, and the
    expiry of the token, which replaces the expiry of the request.
    """
    values: dict[str, Any] = {"state": TokenState.ACCEPTED.value, "accepted_at": now}
    if secret:
        values |= dict(zip(("digest", "hint", "pepper", "expires_at"), secret, strict=True))
        values["issued_at"] = now
    connection.execute(_one(organization_id, token_id).values(values))


def end_token(
    connection: Connection,
    organization_id: str,
    token_id: str,
    now: Moment,
    *,
    was: TokenState,
    becomes: TokenState,
) -> None:
    """End one live row without an operation, for a user's own step."""
    connection.execute(
        _one(organization_id, token_id).values(
            state=becomes.value, ended_from=was.value, ended_at=now
        )
    )


def own_tokens(connection: Connection, username: str, now: Moment) -> list[OwnToken]:
    """Return the live rows of `username` in all organizations: pending ones first, then by age.

    The newest come first.
    """
    live = " UNION ALL ".join(
        f"SELECT {_OWN_COLUMNS} FROM member m"
        # CROSS JOIN makes SQLite keep this order; else it reads all tokens of the organization.
        " CROSS JOIN subscription b CROSS JOIN token t"
        " JOIN organization o ON o.organization_id = t.organization_id"
        " JOIN service s ON s.service_id = t.service_id"
        " WHERE m.username = :username AND b.organization_id = m.organization_id"
        " AND t.organization_id = m.organization_id AND t.service_id = b.service_id"
        f" AND t.member_id = m.member_id AND t.state = '{state}' AND {unexpired('t')}"
        for state in ("pending", "accepted")
    )
    rows = connection.execute(
        text(f"SELECT * FROM ({live}) own ORDER BY state DESC, created_at DESC, token_id"),
        {"username": username, "now": now},
    )
    found = map(OwnToken._make, rows)
    return [
        own._replace(
            state=TokenState(own.state), origin=Origin(own.origin), restored=bool(own.restored)
        )
        for own in found
    ]


def pending_owner(
    connection: Connection, scope: Scope, token_id: str, username: str
) -> tuple[str, Origin] | None:
    """Return the member id of `username` and the origin of their pending `token_id`, or None."""
    row = connection.execute(
        text(
            "SELECT t.member_id, t.origin FROM token t JOIN member m"
            " ON m.organization_id = t.organization_id AND m.member_id = t.member_id"
            " WHERE t.organization_id = :organization AND t.token_id = :token"
            " AND t.service_id = :service AND t.state = 'pending' AND m.username = :username"
        ),
        {
            "organization": scope.organization_id,
            "service": scope.service_id,
            "token": token_id,
            "username": username,
        },
    ).one_or_none()
    return (row[0], Origin(row[1])) if row else None


def _one(organization_id: str, token_id: str) -> Any:  # noqa: ANN401 - an UPDATE to be filled
    token = tables.token
    return token.update().where(
        token.c.organization_id == organization_id, token.c.token_id == token_id
    )


def _scope_parameters(
    connection: Connection,
    organization_id: str,
    service_id: str,
    now: Moment,
    member_ids: Iterable[str],
) -> dict[str, Any]:
    return {
        "organization": organization_id,
        "service": service_id,
        "now": now,
        "ids": ids_parameter(connection, member_ids),
    }
