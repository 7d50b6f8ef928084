"""Coverage: who is counted, and the counts by organization and service.

Counted are active members of active organizations, once for each active subscription
(lib.domain.coverage). Each count of tokens is made twice: of everybody, from an index alone, and of
the few inactive members, which is taken away. One query with a join would read each member for each
token: 4.1 s instead of 0.2 s at a million tokens on SQLite.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from sqlalchemy import Connection

from lib.domain.clock import Moment
from lib.domain.coverage import CoverageRow
from lib.domain.roles import Reach
from lib.domain.states import OrganizationType
from lib.store.bulk import among, with_ids
from lib.store.columns import unexpired

#: Numbers of members by organization and service.
ByPlace: TypeAlias = Counter[tuple[str, str]]
#: The moments of a condition, by the names of its parameters.
Moments: TypeAlias = dict[str, Moment]

#: The condition that a subscription `b` of an organization `o` is counted.
COUNTED_PLACE = "b.status = 'active' AND o.status = 'active'"

_HAS_ACCEPTED = (
    "EXISTS (SELECT 1 FROM token a WHERE a.organization_id = t.organization_id"
    " AND a.service_id = t.service_id AND a.member_id = t.member_id AND a.state = 'accepted'"
    f" AND {unexpired('a')})"
)
# The order of the joins is fixed: SQLite would read all tokens of the organization.
_OF_INACTIVE = (
    "member m CROSS JOIN subscription b CROSS JOIN token t WHERE m.status <> 'active'"
    " AND b.organization_id = m.organization_id AND t.organization_id = m.organization_id"
    " AND t.service_id = b.service_id AND t.member_id = m.member_id AND "
)
_OF_UNCOUNTED_PLACE = (
    "organization o CROSS JOIN subscription b CROSS JOIN token t"
    f" WHERE b.organization_id = o.organization_id AND NOT ({COUNTED_PLACE})"
    " AND t.organization_id = b.organization_id AND t.service_id = b.service_id AND "
)


class Place(NamedTuple):
    """An organization and a service, with their names."""

    organization_id: str
    organization_name: str
    type: OrganizationType
    state: str
    service_id: str
    service_name: str


def coverage(
    connection: Connection, now: Moment, organization_ids: Iterable[str] | None = None
) -> list[CoverageRow]:
    """Return a row for each active subscription of each active organization, by name.

    `organization_ids` None means all organizations. A user with an accepted and a pending token
    counts as accepted.
    """
    within: Reach = None if organization_ids is None else frozenset(organization_ids)
    users = _active_members(connection, within)
    moments = {"now": now}
    # With the expiry as a condition the index of live rows would not be enough.
    accepted = count_active(connection, within, "t.state = 'accepted'", moments)
    expired = "t.state = 'accepted' AND t.expires_at <= :now"
    accepted.subtract(count_active(connection, within, expired, moments, ordered=False))
    only_pending = f"t.state = 'pending' AND {unexpired('t')} AND NOT {_HAS_ACCEPTED}"
    pending = count_active(connection, within, only_pending, moments)
    return [_row(place, users, accepted, pending) for place in places(connection, within)]


def places(connection: Connection, within: Reach, counted: str = COUNTED_PLACE) -> list[Place]:
    """Return the places whose tokens are counted, in the order of coverage: by name.

    `counted` is a condition on the subscription `b` and the organization `o`.
    """
    condition, parameters = among(connection, "b.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT b.organization_id, o.name, o.type, o.state, b.service_id, s.name"
            " FROM subscription b JOIN organization o ON o.organization_id = b.organization_id"
            f" JOIN service s ON s.service_id = b.service_id WHERE {counted} AND {condition}"
            " ORDER BY o.search_key, o.organization_id, b.service_id <> 'erecording', s.name",
        ),
        parameters,
    )
    return [Place(r[0], r[1], OrganizationType(r[2]), *r[3:]) for r in rows]


def count_active(
    connection: Connection,
    within: Reach,
    condition: str,
    moments: Moments,
    *,
    ordered: bool = True,
) -> ByPlace:
    """Return how many token rows of active members match `condition`, by place.

    `condition` is on the token `t`, has its state as a literal, and uses `moments`. `ordered` tells
    that its index begins with the place. If not, the rows are grouped by an expression, or SQLite
    would read all live rows in the order of another index.
    """
    everybody, inactive = (
        _counted(connection, within, f"{source}{condition}", moments, ordered=ordered)
        for source in ("token t WHERE ", _OF_INACTIVE)
    )
    everybody.subtract(inactive)
    return everybody


def count_inactive(
    connection: Connection, within: Reach, condition: str, moments: Moments
) -> ByPlace:
    """Return as `count_active` the rows that coverage does not count: of nobody active, or nowhere.

    These are the inactive members, and all members where organization or subscription is inactive.
    """
    numbers = _counted(connection, within, f"{_OF_INACTIVE}{condition}", moments)
    everybody = _counted(connection, within, f"{_OF_UNCOUNTED_PLACE}{condition}", moments)
    return Counter({**numbers, **everybody})


def _counted(
    connection: Connection,
    within: Reach,
    source: str,
    moments: Moments,
    *,
    ordered: bool = True,
) -> ByPlace:
    first = "" if ordered else "t.organization_id || '', "
    rows = _select(
        connection,
        within,
        "t",
        f"SELECT t.organization_id, t.service_id, count(*) FROM {source} AND {{0}}"
        f" GROUP BY {first}t.organization_id, t.service_id",
        moments,
    )
    return Counter({(r[0], r[1]): r[2] for r in rows})


def _active_members(connection: Connection, within: Reach) -> Counter[str]:
    """Return the numbers of active members by organization."""
    numbers: Counter[str] = Counter()
    for count, condition in ((numbers.update, "TRUE"), (numbers.subtract, "m.status <> 'active'")):
        rows = _select(
            connection,
            within,
            "m",
            f"SELECT m.organization_id, count(*) FROM member m WHERE {condition} AND {{0}}"
            " GROUP BY m.organization_id",
            {},
        )
        count({r[0]: r[1] for r in rows})
    return numbers


def _select(
    connection: Connection, within: Reach, alias: str, statement: str, parameters: Moments
) -> Iterator[Any]:
    condition, reached = among(connection, f"{alias}.organization_id", within)
    return iter(
        connection.execute(with_ids(connection, statement.format(condition)), parameters | reached)
    )


def _row(place: Place, users: Counter[str], accepted: ByPlace, pending: ByPlace) -> CoverageRow:
    key = (place.organization_id, place.service_id)
    have, waiting = accepted[key], pending[key]
    none = users[place.organization_id] - have - waiting
    return CoverageRow(*place, have, waiting, none)
