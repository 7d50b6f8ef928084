"""The directory: organizations, services, subscriptions and accounts, with token counts."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from lib.domain.access import Actor
from lib.domain.clock import Moment
from lib.domain.directory import Organization, OrganizationListed, Service, Subscription
from lib.domain.roles import Reach
from lib.domain.search import like
from lib.domain.states import OrganizationType, Status
from lib.store.bulk import among, with_ids
from lib.store.columns import select_list, unexpired
from lib.store.coverage_queries import COUNTED_PLACE

# Whom coverage counts (lib.store.coverage_queries): active members of an active organization, for
# its active subscriptions. `{0}` limits these to one service.
_SUBSCRIBED = (
    "SELECT 1 FROM subscription b WHERE b.organization_id = o.organization_id"
    f" AND {COUNTED_PLACE} {{0}}"
)
_USERS = (
    f"(CASE WHEN EXISTS ({_SUBSCRIBED}) THEN (SELECT count(*) FROM member m"
    " WHERE m.organization_id = o.organization_id AND m.status = 'active') ELSE 0 END)"
)
# Joined by subscription, so that the partial index of accepted tokens is used.
_HOLDERS = (
    "(SELECT count(DISTINCT t.member_id) FROM subscription b CROSS JOIN token t"
    f" WHERE b.organization_id = o.organization_id AND {COUNTED_PLACE} {{0}}"
    " AND t.organization_id = b.organization_id AND t.service_id = b.service_id"
    f" AND t.state = 'accepted' AND {unexpired('t')}"
    " AND NOT EXISTS (SELECT 1 FROM member m WHERE m.organization_id = t.organization_id"
    " AND m.member_id = t.member_id AND m.status <> 'active'))"
)

#: The sort orders of the Organizations page, as SQL; `{0}` as above. By share, an organization
#: without counted users comes last.
ORDERS = {
    "name": "o.search_key",
    "id": "o.organization_id",
    "users": "(SELECT count(*) FROM member m WHERE m.organization_id = o.organization_id) DESC,"
    " o.search_key",
    "share": f"COALESCE({_HOLDERS} * 1.0 / NULLIF({_USERS}, 0), 2), o.search_key",
}


@dataclass(frozen=True, slots=True)
class OrganizationFilter:
    """The filter of the Organizations page. None and empty text mean any."""

    search: str = ""
    status: str | None = None
    type: str | None = None
    state: str | None = None
    service: str | None = None


def personas(connection: Connection, staff: int, users: int) -> list[Actor]:
    """Return people for the demo's choice of a person.

    First at most `staff` active staff accounts with a role, API administrators before others. Then
    at most `users` active users who have a pending token or request.
    """
    rows = connection.execute(
        text(
            "SELECT username, name FROM (SELECT u.username, u.name FROM role_grant g"
            " JOIN user_account u ON u.username = g.username WHERE u.staff_status = 'active'"
            " GROUP BY u.username, u.name"
            " ORDER BY MIN(CASE g.role WHEN 'administrator' THEN 0 ELSE 1 END), u.username"
            " LIMIT :staff) granted"
            " UNION ALL SELECT username, name FROM (SELECT DISTINCT u.username, u.name"
            # A thousand are enough to choose from, and cost the same in a directory of any size.
            " FROM (SELECT organization_id, member_id FROM token WHERE state = 'pending'"
            " ORDER BY organization_id, service_id, member_id LIMIT 1000) asked JOIN member m"
            " ON m.organization_id = asked.organization_id AND m.member_id = asked.member_id"
            " JOIN user_account u ON u.username = m.username"
            " WHERE u.staff_status IS NULL AND m.status = 'active'"
            " ORDER BY u.username LIMIT :users) people"
        ),
        {"staff": staff, "users": users},
    )
    return [Actor(*row) for row in rows]


def find_organization(connection: Connection, organization_id: str) -> Organization | None:
    """Return one organization with its contact details, or None."""
    row = connection.execute(
        text(
            f"SELECT {select_list(Organization, 'o')} FROM organization o"
            " WHERE o.organization_id = :organization"
        ),
        {"organization": organization_id},
    ).one_or_none()
    if row is None:
        return None
    found = Organization._make(row)
    return found._replace(type=OrganizationType(found.type), status=Status(found.status))


def is_organization(connection: Connection, organization_id: str) -> bool:
    """Tell whether an organization with this id exists."""
    found = connection.execute(
        text("SELECT 1 FROM organization WHERE organization_id = :organization"),
        {"organization": organization_id},
    )
    return found.one_or_none() is not None


def organization_names(connection: Connection, within: Reach) -> dict[str, str]:
    """Return the names of the organizations `within` by their ids, sorted by name."""
    condition, parameters = among(connection, "o.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT o.organization_id, o.name FROM organization o WHERE {condition}"
            " ORDER BY o.search_key, o.organization_id",
        ),
        parameters,
    )
    return {r[0]: r[1] for r in rows}


def services(connection: Connection) -> list[Service]:
    """Return every service, eRecording first, then by name."""
    rows = connection.execute(
        text("SELECT service_id, name FROM service ORDER BY service_id <> 'erecording', name")
    )
    return [Service._make(row) for row in rows]


def states(connection: Connection, within: Reach) -> list[str]:
    """Return the US states of the organizations `within`, sorted."""
    condition, parameters = among(connection, "o.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT DISTINCT o.state FROM organization o WHERE {condition} ORDER BY o.state",
        ),
        parameters,
    )
    return list(rows.scalars())


def organizations_page(
    connection: Connection,
    wanted: OrganizationFilter,
    within: Reach,
    order: str,
    offset: int,
    limit: int,
    now: Moment,
) -> tuple[int, list[OrganizationListed]]:
    """Return the number of organizations that match, and at most `limit` of them from `offset` on.

    `order` is a key of ORDERS. Users and tokens are counted as coverage does; with a service in
    `wanted`, for that service only.
    """
    allowed, reached = among(connection, "o.organization_id", within)
    wished, parameters = _organization_conditions(wanted)
    where, parameters = f"{allowed} AND {wished}", parameters | reached
    of_service = "AND b.service_id = :service" if wanted.service else ""
    total = connection.execute(
        with_ids(connection, f"SELECT count(*) FROM organization o WHERE {where}"),
        parameters,
    ).scalar_one()
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT o.organization_id, o.name, o.type, o.status, o.state,"
            " (SELECT count(*) FROM subscription b WHERE b.organization_id = o.organization_id),"
            f" {_USERS.format(of_service)}, {_HOLDERS.format(of_service)}"
            f" FROM organization o WHERE {where}"
            f" ORDER BY {ORDERS[order].format(of_service)}, o.organization_id"
            " LIMIT :limit OFFSET :offset",
        ),
        parameters | {"limit": limit, "offset": offset, "now": now},
    )
    listed = [
        OrganizationListed(r[0], r[1], OrganizationType(r[2]), Status(r[3]), *r[4:]) for r in rows
    ]
    return total, listed


def _organization_conditions(wanted: OrganizationFilter) -> tuple[str, dict[str, Any]]:
    conditions, parameters = ["TRUE"], {}
    if wanted.search.strip():
        conditions.append(r"o.search_key LIKE :like ESCAPE '\'")
        parameters["like"] = like(wanted.search)
    for column in ("status", "type", "state"):
        if value := getattr(wanted, column):
            conditions.append(f"o.{column} = :{column}")
            parameters[column] = value
    if wanted.service:
        conditions.append(
            "EXISTS (SELECT 1 FROM subscription b WHERE b.organization_id = o.organization_id"
            " AND b.service_id = :service)"
        )
        parameters["service"] = wanted.service
    return " AND ".join(conditions), parameters


_SUBSCRIPTION_COLUMNS = select_list(
    Subscription,
    "b",
    service_name="s.name",
    live_tokens=" OR ".join(
        "EXISTS (SELECT 1 FROM token t WHERE t.organization_id = b.organization_id"
        f" AND t.service_id = b.service_id AND t.state = '{state}')"
        for state in ("pending", "accepted")
    ),
)


def subscriptions(connection: Connection, organization_id: str) -> list[Subscription]:
    """Return the subscriptions of an organization, eRecording first, then by service name."""
    rows = connection.execute(
        text(
            f"SELECT {_SUBSCRIPTION_COLUMNS} FROM subscription b"
            " JOIN service s ON s.service_id = b.service_id"
            " WHERE b.organization_id = :organization"
            " ORDER BY b.service_id <> 'erecording', s.name"
        ),
        {"organization": organization_id},
    )
    found = map(Subscription._make, rows)
    return [s._replace(status=Status(s.status), live_tokens=bool(s.live_tokens)) for s in found]
