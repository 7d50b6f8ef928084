"""Queries of the audit trail and of operations, with keyset pages and never an offset.

A page of the newest events is merged from index ranges. There is one range for each combination of
action and organization, and two for a person: the events they did, and the events about them. The
query reads at most one page from the end of each range. So the cost depends on the number of
ranges, and not on the number of events. The events of operations that concern a person are found
by the person's result rows, which are few.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from lib.domain.activity import (
    ActivityFilter,
    ActivityRow,
    EndedToken,
    Group,
    Membership,
    OperationFacts,
    Person,
    ResultLine,
)
from lib.domain.audit import recorded
from lib.domain.clock import Moment
from lib.domain.ids import first_id
from lib.domain.roles import Reach
from lib.domain.search import like
from lib.domain.states import (
    Action,
    ApprovalState,
    Cause,
    Delivery,
    ExistingTokens,
    Origin,
    TokenState,
)
from lib.store.bulk import among, ids_parameter, with_ids
from lib.store.columns import select_list

_RANGES_AT_ONCE = 100  # SQLite allows 500 parts of a UNION; it prepares a hundred in milliseconds
_FEW_RESULTS = 2_000  # up to here sorting is cheap; more are read in the order of an index
_NEWEST_FIRST = "~"  # sorts after every id

_EVENT_COLUMNS = select_list(
    ActivityRow,
    "e",
    actor_name="COALESCE(u.name, '')",
    organization_name="COALESCE(o.name, '')",
    service_name="COALESCE(s.name, '')",
    skipped="p.skipped",
    approval="a.state",
    asked_at="a.asked_at",
    answered_at="a.answered_at",
    delivery="COALESCE(p.csv_delivery, '')",
)
_EVENTS = (
    f"SELECT {_EVENT_COLUMNS} FROM audit_event e"
    " LEFT JOIN user_account u ON u.username = e.actor"
    " LEFT JOIN organization o ON o.organization_id = e.organization_id"
    " LEFT JOIN service s ON s.service_id = e.service_id"
    " LEFT JOIN operation p"
    " ON p.organization_id = e.organization_id AND p.operation_id = e.operation_id"
    " LEFT JOIN approval a"
    " ON a.organization_id = e.organization_id AND a.operation_id = e.operation_id"
)


#: A few operations, found by their own index.
_NOT_SENT = (
    " AND (organization_id, operation_id) IN (SELECT organization_id, operation_id FROM operation"
    " WHERE csv_delivery = 'not sent')"
)


class _Range(NamedTuple):
    """A range of an index: (column, value) pairs, and more conditions as SQL in `also`."""

    conditions: tuple[tuple[str, str], ...]
    also: str = ""


def newest_events(
    connection: Connection,
    wanted: ActivityFilter,
    within: Reach,
    before: str,
    limit: int,
) -> list[ActivityRow]:
    """Return the `limit` newest events that match `wanted`, in the organizations `within`.

    Only events older than the event with the id `before`; empty text begins at the newest. Events
    that belong to no organization need `within` None (all organizations).
    """
    keys: set[str] = set()
    ranges = iter(_ranges(wanted, within))
    while some := list(islice(ranges, _RANGES_AT_ONCE)):
        keys.update(_keys(connection, some, wanted, before, limit))
    if wanted.person or wanted.about:
        keys.update(_keys_of_results(connection, wanted, within, before, limit))
    rows = connection.execute(
        with_ids(
            connection,
            f"{_EVENTS} WHERE e.event_id IN (SELECT value FROM {{ids}} i) ORDER BY e.event_id DESC",
        ),
        {"ids": ids_parameter(connection, nlargest(limit, keys))},
    )
    return [_event(row) for row in rows]


def _ranges(wanted: ActivityFilter, within: Reach) -> Iterator[_Range]:
    """Yield the ranges for `wanted`. They overlap in the events that a person did to themselves."""
    places = [wanted.organization_id] if wanted.organization_id else within
    if within is not None and wanted.organization_id and wanted.organization_id not in within:
        return
    every = wanted.kind is Group.EVERYTHING
    if wanted.person or wanted.actor or wanted.about:
        for place in [None] if places is None else sorted(places):
            yield from _ranges_of_person(wanted, place)
    elif places is not None:
        for place in sorted(places):
            for action in wanted.actions:
                yield _Range((("organization_id", place), ("action", action.value)))
    elif every:
        yield _Range(())
    else:
        for action in wanted.actions:
            yield _Range((("action", action.value),))


def _ranges_of_person(wanted: ActivityFilter, place: str | None) -> Iterator[_Range]:
    """Yield the ranges of the events that a person did, and of those whose subject is a person.

    The conditions use only columns of the intended index, so that no database prefers another one.
    """
    actor = wanted.person or ("" if wanted.about else wanted.actor)
    # An expression, so that the index by actor is not chosen.
    by = " AND actor || '' = :actor" if wanted.actor else ""
    for column, username, also in (
        ("actor", actor, ""),
        ("subject", wanted.person or wanted.about, f"AND subject <> ''{by}"),
    ):
        if not username:
            continue
        who = (column, username)
        if place is None:
            for action in wanted.actions:
                yield _Range((who, ("action", action.value)), also)
        else:
            these = ", ".join(f"'{action.value}'" for action in wanted.actions)
            # An expression: with the plain column SQLite chose the index by action, and read all
            # events of the organization that have this action.
            some = "" if wanted.kind is Group.EVERYTHING else f" AND action || '' IN ({these})"
            yield _Range((("organization_id", place), who), f"{also}{some}")


def _keys(
    connection: Connection,
    ranges: Sequence[_Range],
    wanted: ActivityFilter,
    before: str,
    limit: int,
) -> list[str]:
    """Return the ids of the newest events of each range, at most `limit` from each."""
    parameters = _period(wanted, before) | {"limit": limit, "actor": wanted.actor}
    parts = []
    unsent = _NOT_SENT if wanted.kind is Group.CSV_NOT_SENT else ""
    for number, (conditions, also) in enumerate(ranges):
        names = [f"v{number}_{place}" for place in range(len(conditions))]
        where = " ".join(
            f"{column} = :{name} AND" for (column, _), name in zip(conditions, names, strict=True)
        )
        parameters |= dict(zip(names, (value for _, value in conditions), strict=True))
        parts.append(
            "SELECT * FROM (SELECT event_id FROM audit_event"
            f" WHERE {where} event_id < :before AND event_id >= :since {also}{unsent}"
            f" ORDER BY event_id DESC LIMIT :limit) r{number}"
        )
    return list(connection.execute(text(" UNION ALL ".join(parts)), parameters).scalars())


def _period(wanted: ActivityFilter, before: str) -> dict[str, Any]:
    """Return the period as a range of ids, because ids begin with their moment."""
    until = _NEWEST_FIRST if wanted.until is None else first_id(wanted.until)
    return {
        "before": min(before or _NEWEST_FIRST, until),
        "since": "" if wanted.since is None else first_id(wanted.since),
    }


def _keys_of_results(
    connection: Connection, wanted: ActivityFilter, within: Reach, before: str, limit: int
) -> list[str]:
    """Return the ids of the newest events of operations that have a result for the person."""
    reached, parameters = among(connection, "m.organization_id", within)
    these = ", ".join(f"'{action.value}'" for action in wanted.actions)
    some = "" if wanted.kind is Group.EVERYTHING else f" AND e.action || '' IN ({these})"
    place = " AND m.organization_id = :organization" if wanted.organization_id else ""
    actor = " AND e.actor || '' = :actor" if wanted.actor else ""
    rows = connection.execute(
        with_ids(
            connection,
            # CROSS JOIN makes SQLite keep this order; else it reads all events.
            "SELECT e.event_id FROM member m CROSS JOIN operation_result r CROSS JOIN audit_event e"
            f" WHERE m.username = :person AND {reached}{place}"
            " AND r.organization_id = m.organization_id AND r.member_id = m.member_id"
            " AND e.organization_id = r.organization_id AND e.operation_id = r.operation_id"
            " AND e.operation_id <> '' AND e.event_id < :before AND e.event_id >= :since"
            f"{some}{actor} ORDER BY e.event_id DESC LIMIT :limit",
        ),
        _period(wanted, before)
        | parameters
        | {
            "person": wanted.person or wanted.about,
            "organization": wanted.organization_id,
            "actor": wanted.actor,
            "limit": limit,
        },
    )
    return list(rows.scalars())


def events_of_operation(
    connection: Connection, organization_id: str, operation_id: str, limit: int
) -> list[ActivityRow]:
    """Return at most `limit` events of one operation, oldest first."""
    rows = connection.execute(
        text(
            f"{_EVENTS} WHERE e.organization_id = :organization"
            " AND e.operation_id = :operation AND e.operation_id <> ''"
            " ORDER BY e.event_id LIMIT :limit"
        ),
        {"organization": organization_id, "operation": operation_id, "limit": limit},
    )
    return [_event(row) for row in rows]


def has_events(connection: Connection, username: str, within: Iterable[str]) -> bool:
    """Tell whether `username` is actor or subject of an event of one of these organizations."""
    found = connection.execute(
        with_ids(
            connection,
            "SELECT EXISTS (SELECT 1 FROM {ids} i WHERE EXISTS (SELECT 1 FROM audit_event e"
            " WHERE e.organization_id = i.value AND e.actor = :person)"
            " OR EXISTS (SELECT 1 FROM audit_event e WHERE e.organization_id = i.value"
            " AND e.subject = :person AND e.subject <> ''))",
        ),
        {"ids": ids_parameter(connection, within), "person": username},
    )
    return bool(found.scalar_one())


def _event(row: Any) -> ActivityRow:  # noqa: ANN401 - a row of the driver's
    found = ActivityRow._make(row)
    return found._replace(
        action=recorded(found.action),
        approval=ApprovalState(found.approval) if found.approval else None,
        delivery=Delivery(found.delivery),
    )


_OPERATION_COLUMNS = select_list(
    OperationFacts,
    "p",
    organization_name="o.name",
    service_name="s.name",
    actor_name="u.name",
    undone_by="COALESCE((SELECT x.operation_id FROM operation x"
    " WHERE x.organization_id = p.organization_id AND x.undoes = p.operation_id"
    " AND x.undoes <> ''), '')",
    delivery="p.csv_delivery",
)
_OPERATIONS = (
    f"SELECT {_OPERATION_COLUMNS} FROM operation p"
    " JOIN organization o ON o.organization_id = p.organization_id"
    " JOIN service s ON s.service_id = p.service_id"
    " JOIN user_account u ON u.username = p.actor"
)


def find_operation(
    connection: Connection, organization_id: str, operation_id: str
) -> OperationFacts | None:
    """Return one executed operation, or None."""
    row = connection.execute(
        text(
            f"{_OPERATIONS} WHERE p.organization_id = :organization AND p.operation_id = :operation"
        ),
        {"organization": organization_id, "operation": operation_id},
    ).one_or_none()
    return _operation(row) if row else None


def operations_of_batch(connection: Connection, batch_id: str) -> list[OperationFacts]:
    """Return the operations of one batch, by organization and service."""
    rows = connection.execute(
        text(
            f"{_OPERATIONS} WHERE p.batch_id = :batch AND p.batch_id <> ''"
            " ORDER BY p.organization_id, p.service_id, p.operation_id"
        ),
        {"batch": batch_id},
    )
    return [_operation(row) for row in rows]


def _operation(row: Any) -> OperationFacts:  # noqa: ANN401 - a row of the driver's
    found = OperationFacts._make(row)
    return found._replace(
        action=Action(found.action),
        existing_tokens=ExistingTokens(found.existing_tokens),
        cause=Cause(found.cause),
        delivery=Delivery(found.delivery),
    )


def results_page(
    connection: Connection,
    operation: OperationFacts,
    search: str,
    after: tuple[str, str],
    limit: int,
) -> list[ResultLine]:
    """Return at most `limit` results of an operation, in the order of the table.

    The page begins behind `after`, a pair of sort key and member id. Only users whose name,
    username or e-mail contains `search`.
    """
    many = operation.changed + operation.skipped > _FEW_RESULTS
    # CROSS JOIN makes SQLite keep this order: it reads a large operation along the members' index.
    order = ("member m", "operation_result r") if many else ("operation_result r", "member m")
    found = r"AND m.search_key LIKE :like ESCAPE '\'" if search.strip() else ""
    rows = connection.execute(
        text(
            f"SELECT {select_list(ResultLine, 'm', result='r.result')}"
            f" FROM {order[0]} CROSS JOIN {order[1]}"
            " WHERE r.organization_id = :organization AND r.operation_id = :operation"
            " AND m.organization_id = :organization AND m.member_id = r.member_id"
            f" AND (m.sort_key, m.member_id) > (:key, :member) {found}"
            " ORDER BY m.sort_key, m.member_id LIMIT :limit"
        ),
        {
            "organization": operation.organization_id,
            "operation": operation.operation_id,
            "key": after[0],
            "member": after[1],
            "like": like(search),
            "limit": limit,
        },
    )
    return [ResultLine._make(row) for row in rows]


def find_person(connection: Connection, username: str) -> Person | None:
    """Return the account with this username, or None."""
    row = connection.execute(
        text(f"SELECT {select_list(Person, 'u')} FROM user_account u WHERE u.username = :username"),
        {"username": username},
    ).one_or_none()
    return Person._make(row) if row else None


def people_matching(connection: Connection, search: str, within: Reach, limit: int) -> list[Person]:
    """Return at most `limit` members in `within`, by username.

    Only those whose name, username or e-mail contains `search`. Their e-mail is left empty.
    """
    reached, parameters = among(connection, "m.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            "SELECT username, name FROM (SELECT m.username, m.name FROM member m"
            rf" WHERE m.search_key LIKE :like ESCAPE '\' AND {reached} LIMIT :limit) found"
            " GROUP BY username, name ORDER BY username",
        ),
        {"like": like(search), "limit": limit} | parameters,
    )
    return [Person(row[0], row[1]) for row in rows]


def memberships(connection: Connection, username: str, within: Reach) -> list[Membership]:
    """Return the memberships of a person in the organizations `within`, by organization name."""
    reached, parameters = among(connection, "m.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            f"SELECT {select_list(Membership, 'm', organization_name='o.name')} FROM member m"
            " JOIN organization o ON o.organization_id = m.organization_id"
            f" WHERE m.username = :username AND {reached} ORDER BY o.search_key, m.organization_id",
        ),
        {"username": username} | parameters,
    )
    return [Membership._make(row) for row in rows]


_ENDED_AT = "COALESCE(t.ended_at, t.expires_at)"
_ENDED_COLUMNS = select_list(
    EndedToken,
    "t",
    organization_name="o.name",
    service_name="s.name",
    hint="COALESCE(t.hint, '')",
    state="CASE WHEN t.ended_at IS NULL THEN 'expired' ELSE t.state END",
    ended_at=_ENDED_AT,
    made_by_operation="COALESCE(t.made_by_operation, '')",
    made_by="COALESCE(b.actor, '')",
    ended_by_operation="COALESCE(t.ended_by_operation, '')",
    ended_by="COALESCE(x.actor, '')",
    restored="t.revives IS NOT NULL",
)
_ENDED_TOKENS = (
    f"SELECT {_ENDED_COLUMNS}"
    # CROSS JOIN makes SQLite keep this order; else it reads all tokens of the organization.
    " FROM member m CROSS JOIN token t"
    " JOIN organization o ON o.organization_id = t.organization_id"
    " JOIN service s ON s.service_id = t.service_id"
    " LEFT JOIN operation b ON b.organization_id = t.organization_id"
    " AND b.operation_id = t.made_by_operation"
    " LEFT JOIN operation x ON x.organization_id = t.organization_id"
    " AND x.operation_id = t.ended_by_operation"
)


def ended_tokens(
    connection: Connection,
    username: str,
    within: Reach,
    now: Moment,
    before: tuple[Moment, str],
    limit: int,
) -> list[EndedToken]:
    """Return at most `limit` ended tokens and requests of a person in `within`, newest end first.

    Only those that ended before `before`, a pair of moment and token id. An expired row counts as
    ended, even if its state is still live in the table. All rows of the person are sorted: they
    are few.
    """
    reached, parameters = among(connection, "m.organization_id", within)
    rows = connection.execute(
        with_ids(
            connection,
            f"{_ENDED_TOKENS} WHERE m.username = :username AND {reached}"
            " AND t.organization_id = m.organization_id AND t.member_id = m.member_id"
            " AND (t.ended_at IS NOT NULL OR t.expires_at <= :now)"
            f" AND ({_ENDED_AT}, t.token_id) < (:moment, :token)"
            f" ORDER BY {_ENDED_AT} DESC, t.token_id DESC LIMIT :limit",
        ),
        {
            "username": username,
            "now": now,
            "moment": before[0],
            "token": before[1],
            "limit": limit,
        }
        | parameters,
    )
    found = map(EndedToken._make, rows)
    return [
        token._replace(
            origin=Origin(token.origin),
            state=TokenState(token.state),
            restored=bool(token.restored),
        )
        for token in found
    ]
