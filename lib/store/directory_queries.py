"""The directory: organizations, services, subscriptions and accounts, with token counts."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from lib.domain.access import Actor
from lib.domain.clock import Moment
from lib.domain.coverage import CoverageRow
from lib.domain.directory import Organization, OrganizationListed, Service, Subscription
from lib.domain.roles import Reach
from lib.domain.search import like
from lib.domain.states import OrganizationType, Status
from lib.store.bulk import among, ids_parameter, with_ids
from lib.store.columns import unexpired

#: The sort orders of the Organizations page, as SQL.
ORDERS = {
    "name": "o.search_key",
    "id": "o.organization_id",
    "users": "(SELECT count(*) FROM member m WHERE m.organization_id = o.organization_id) DESC,"
    " o.search_key",
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
            "SELECT organization_id, name, type, status, state, contact_person, primary_recorder,"
            " address, telephone, fax, web_page, hours, document_types FROM organization"
            " WHERE organization_id = :organization"
        ),
        {"organization": organization_id},
    ).one_or_none()
    if row is None:
        return None
    return Organization(row[0], row[1], OrganizationType(row[2]), Status(row[3]), *row[4:])


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

    `order` is a key of ORDERS.
    """
    allowed, reached = among(connection, "o.organization_id", within)
    wished, parameters = _organization_conditions(wanted)
    where, parameters = f"{allowed} AND {wished}", parameters | reached
    total = connection.execute(
        with_ids(connection, f"SELECT count(*) FROM organization o WHERE {where}"),
        parameters,
    ).scalar_one()
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT o.organization_id, o.name, o.type, o.status, o.state,"
            " (SELECT count(*) FROM subscription b WHERE b.organization_id = o.organization_id),"
            " (SELECT count(*) FROM member m WHERE m.organization_id = o.organization_id),"
            # Joined by subscription, so that the partial index of accepted tokens is used.
            " (SELECT count(DISTINCT t.member_id) FROM subscription b CROSS JOIN token t"
            "  WHERE b.organization_id = o.organization_id"
            "  AND t.organization_id = b.organization_id AND t.service_id = b.service_id"
            "  AND t.state = 'accepted'"
            f"  AND {unexpired('t')})"
            f" FROM organization o WHERE {where} ORDER BY {ORDERS[order]}, o.organization_id"
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


def subscriptions(connection: Connection, organization_id: str) -> list[Subscription]:
    """Return the subscriptions of an organization, eRecording first, then by service name."""
    rows = connection.execute(
        text(
            "SELECT b.organization_id, b.service_id, s.name, b.status, b.since, b.license_number,"
            " b.plan, b.starts_on, b.renews_on, b.seats, b.notify_recorded, b.notify_rejected,"
            " b.notify_fees, b.notify_to, b.revision,"
            " EXISTS (SELECT 1 FROM token t WHERE t.organization_id = b.organization_id"
            "  AND t.service_id = b.service_id AND t.state = 'pending')"
            " OR EXISTS (SELECT 1 FROM token t WHERE t.organization_id = b.organization_id"
            "  AND t.service_id = b.service_id AND t.state = 'accepted')"
            " FROM subscription b JOIN service s ON s.service_id = b.service_id"
            " WHERE b.organization_id = :organization"
            " ORDER BY b.service_id <> 'erecording', s.name"
        ),
        {"organization": organization_id},
    )
    found = map(Subscription._make, rows)
    return [s._replace(status=Status(s.status), live_tokens=bool(s.live_tokens)) for s in found]


def coverage(
    connection: Connection, now: Moment, organization_ids: Iterable[str] | None = None
) -> list[CoverageRow]:
    """Return a row for each active subscription of each active organization.

    `organization_ids` None means all organizations. A user with an accepted and a pending token
    counts as accepted. Three grouped counts are combined here, since one joined query would read
    each member once for each service.
    """
    ids = None if organization_ids is None else ids_parameter(connection, organization_ids)
    within = "" if ids is None else "AND {0}.organization_id IN (SELECT value FROM {{ids}} i)"
    parameters = {"now": now} | ({} if ids is None else {"ids": ids})

    def rows(statement: str) -> Iterable[Any]:
        return connection.execute(with_ids(connection, statement), parameters)

    users = Counter(
        dict(
            tuple(r)
            for r in rows(
                "SELECT m.organization_id, count(*) FROM member m WHERE m.status = 'active'"
                f" {within.format('m')} GROUP BY m.organization_id"
            )
        )
    )
    accepted = _holders(rows, "accepted", within)
    pending = _holders(rows, "pending", within)
    scopes = rows(
        "SELECT b.organization_id, o.name, o.type, o.state, b.service_id, s.name"
        " FROM subscription b JOIN organization o ON o.organization_id = b.organization_id"
        " JOIN service s ON s.service_id = b.service_id"
        f" WHERE b.status = 'active' AND o.status = 'active' {within.format('b')}"
        " ORDER BY o.search_key, b.service_id <> 'erecording', s.name"
    )
    covered = []
    for r in scopes:
        have, waiting = accepted[r[0], r[4]], pending[r[0], r[4]]
        kind = OrganizationType(r[2])
        none = users[r[0]] - have - waiting
        covered.append(CoverageRow(r[0], r[1], kind, r[3], r[4], r[5], have, waiting, none))
    return covered


def _holders(rows: Any, state: str, within: str) -> Counter[tuple[str, str]]:  # noqa: ANN401 - the caller's closure
    neither = (
        "AND NOT EXISTS (SELECT 1 FROM token a WHERE a.organization_id = t.organization_id"
        " AND a.service_id = t.service_id AND a.member_id = t.member_id AND a.state = 'accepted'"
        f" AND {unexpired('a')})"
    )
    counted = rows(
        "SELECT t.organization_id, t.service_id, count(*) FROM token t JOIN member m"
        " ON m.organization_id = t.organization_id AND m.member_id = t.member_id"
        f" AND m.status = 'active' WHERE t.state = '{state}' AND {unexpired('t')}"
        f" {neither if state == 'pending' else ''} {within.format('t')}"
        " GROUP BY t.organization_id, t.service_id"
    )
    return Counter({(r[0], r[1]): r[2] for r in counted})
