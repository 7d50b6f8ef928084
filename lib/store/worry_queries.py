"""The people of saved views: counted by organization and service, and listed in one of them.

A person counts once for each service. Counts read indexes alone (lib.store.coverage_queries); lists
read one organization and service at a time, so that a page costs the same in a directory of any
size.
"""

from collections import Counter
from typing import Any, NamedTuple

from sqlalchemy import Connection, text

from lib.domain.clock import DAY, Moment
from lib.domain.roles import Reach
from lib.domain.worries import ListedPerson, PeopleOfPlace, SavedView, View
from lib.store.columns import unexpired
from lib.store.coverage_queries import (
    COUNTED_PLACE,
    ByPlace,
    Place,
    count_active,
    count_inactive,
    places,
)


class _Tokens(NamedTuple):
    """Which accepted and which pending tokens a view lists: conditions on the row `{0}`.

    Several conditions on accepted tokens have no row in common. A pending request is not a token
    yet: it is neither unused nor expiring.
    """

    accepted: tuple[str, ...]
    pending: str
    #: The moment that put the token on the list.
    since: str


_TAKEN = "COALESCE({0}.accepted_at, {0}.created_at)"
_EXPORTED = "{0}.origin = 'export'"
_NEVER_USED = "{0}.last_used_at IS NULL"
_OLD = "{0}.created_at <= :before"
# A token that was used before a moment was accepted before it, too.
_USED_BEFORE = "{0}.last_used_at <= :before"
_TAKEN_BEFORE = f"{_NEVER_USED} AND {{0}}.accepted_at <= :before"
_ENDS = "{0}.expires_at <= :after"

_TOKENS = {
    View.PENDING: _Tokens((), _OLD, "{0}.created_at"),
    View.NEVER_USED: _Tokens((_TAKEN_BEFORE,), f"{_EXPORTED} AND {_NEVER_USED} AND {_OLD}", _TAKEN),
    View.UNUSED: _Tokens(
        (_USED_BEFORE, _TAKEN_BEFORE),
        f"{_EXPORTED} AND {_OLD} AND COALESCE({{0}}.last_used_at, 0) <= :before",
        "{0}.last_used_at",
    ),
    View.EXPIRING: _Tokens((_ENDS,), f"{_EXPORTED} AND {_ENDS}", "{0}.expires_at"),
    View.INACTIVE: _Tokens(("TRUE",), "TRUE", _TAKEN),
}
# The views of one organization and service are conditions on a member's accepted `a` and pending
# `p`.
_OF_PLACE = {
    View.USERS: "TRUE",
    View.HAVE: "a.token_id IS NOT NULL",
    View.WAIT: "a.token_id IS NULL AND p.token_id IS NOT NULL",
    View.NEITHER: "a.token_id IS NULL AND p.token_id IS NULL",
}
_JOINS = " ".join(
    f"LEFT JOIN token {name} ON {name}.organization_id = m.organization_id"
    f" AND {name}.service_id = b.service_id AND {name}.member_id = m.member_id"
    f" AND {name}.state = '{state}' AND {unexpired(name)}"
    for name, state in (("a", "accepted"), ("p", "pending"))
)
_FROM = (
    "FROM organization o JOIN subscription b ON b.organization_id = o.organization_id"
    f" JOIN member m ON m.organization_id = o.organization_id {_JOINS}"
    " WHERE o.organization_id = :organization AND b.service_id = :service"
)


def count_people(
    connection: Connection, saved: SavedView, within: Reach, now: Moment
) -> list[PeopleOfPlace]:
    """Return how many people a view has, by organization and service, ordered by their names.

    A place with nobody is left out. `within` are the organizations that the viewer may see.
    """
    if saved.organization_id:
        allowed = within is None or saved.organization_id in within
        within = frozenset({saved.organization_id} if allowed else ())
    numbers = _numbers(connection, saved, within, now)
    listed = places(connection, within, "TRUE" if saved.view is View.INACTIVE else COUNTED_PLACE)
    return [
        _people(place, number)
        for place in listed
        if saved.service_id in {"", place.service_id}
        and (number := numbers[place.organization_id, place.service_id])
    ]


def people_of_place(
    connection: Connection,
    saved: SavedView,
    organization_id: str,
    service_id: str,
    now: Moment,
    *,
    offset: int = 0,
    limit: int = -1,
) -> list[ListedPerson]:
    """Return the people of a view in one organization and service, by name; -1: without a limit."""
    since, condition = _list(saved.view)
    every = "" if limit < 0 else " LIMIT :limit OFFSET :offset"
    rows = connection.execute(
        text(
            "SELECT m.member_id, m.name, m.username, a.token_id IS NOT NULL,"
            f" p.token_id IS NOT NULL, {since} {_FROM} AND {condition}"
            f" ORDER BY m.sort_key, m.member_id{every}"
        ),
        {
            "organization": organization_id,
            "service": service_id,
            "limit": limit,
            "offset": offset,
            **_moments(saved, now),
        },
    )
    return [ListedPerson(r[0], r[1], r[2], bool(r[3]), bool(r[4]), r[5]) for r in rows]


def _numbers(connection: Connection, saved: SavedView, within: Reach, now: Moment) -> ByPlace:
    if saved.view in _OF_PLACE:
        place = (saved.organization_id, saved.service_id)
        allowed = within is None or saved.organization_id in within
        people = people_of_place(connection, saved, *place, now) if allowed else []
        return Counter({place: len(people)})
    if saved.view is View.INACTIVE:
        return _count_uncounted(connection, within, now)
    tokens, moments = _TOKENS[saved.view], _moments(saved, now)
    numbers: ByPlace = Counter()
    for condition in tokens.accepted:
        numbers.update(
            count_active(connection, within, _live("accepted", condition), moments, ordered=False)
        )
    pending = f"{_live('pending', tokens.pending)}{_not_accepted(tokens)}"
    numbers.update(count_active(connection, within, pending, moments))
    return numbers


def _count_uncounted(connection: Connection, within: Reach, now: Moment) -> ByPlace:
    """Return the people with a live token whom coverage does not count."""
    tokens, moments = _TOKENS[View.INACTIVE], {"now": now}
    conditions = (
        _live("accepted", "TRUE"),
        f"{_live('pending', 'TRUE')}{_not_accepted(tokens)}",
    )
    numbers: ByPlace = Counter()
    for condition in conditions:
        numbers.update(count_inactive(connection, within, condition, moments))
    return numbers


def _live(state: str, condition: str) -> str:
    return f"t.state = '{state}' AND {condition.format('t')} AND {unexpired('t')}"


def _not_accepted(tokens: _Tokens) -> str:
    """Return the condition that an accepted token does not put the same person on the list."""
    if not tokens.accepted:
        return ""
    either = " OR ".join(f"({condition.format('a')})" for condition in tokens.accepted)
    return (
        " AND NOT EXISTS (SELECT 1 FROM token a WHERE a.organization_id = t.organization_id"
        " AND a.service_id = t.service_id AND a.member_id = t.member_id AND a.state = 'accepted'"
        f" AND {unexpired('a')} AND ({either}))"
    )


def _list(view: View) -> tuple[str, str]:
    """Return the SQL of a member's moment, and the condition that the member is on the list."""
    counted = f"({COUNTED_PLACE} AND m.status = 'active')"
    if view in _OF_PLACE:
        since = "COALESCE(a.accepted_at, p.created_at)"
        return since, f"{counted} AND {_OF_PLACE[view]}"
    tokens = _TOKENS[view]
    either = " OR ".join(f"({condition.format('a')})" for condition in tokens.accepted) or "FALSE"
    accepted = f"(a.token_id IS NOT NULL AND ({either}))"
    pending = f"(p.token_id IS NOT NULL AND ({tokens.pending.format('p')}))"
    since = (
        f"CASE WHEN {accepted} THEN {tokens.since.format('a')} ELSE {tokens.since.format('p')} END"
    )
    whom = f"NOT {counted}" if view is View.INACTIVE else counted
    return since, f"{whom} AND ({accepted} OR {pending})"


def _moments(saved: SavedView, now: Moment) -> dict[str, Any]:
    return {"now": now, "before": now - saved.days * DAY, "after": now + saved.days * DAY}


def _people(place: Place, number: int) -> PeopleOfPlace:
    return PeopleOfPlace(
        place.organization_id,
        place.organization_name,
        place.service_id,
        place.service_name,
        number,
    )
