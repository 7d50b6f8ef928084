"""Reads of people for the Users page: a search for everything that is theirs, and one person.

Every read is limited to the organizations in which the actor has the permission. Staff accounts
belong to no organization: only who reads everywhere finds them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine

from lib.domain import roles
from lib.domain.access import Actor, GrantRow
from lib.domain.activity import EndedToken, Membership, Person
from lib.domain.clock import Clock, Moment
from lib.domain.roles import Permission, Reach
from lib.domain.search import fold, possible_name
from lib.domain.tokens import OwnToken
from lib.domain.users import NOTHING_FOUND, DirectorySize, SearchResults, hint_in, operation_id_in
from lib.operations.access import reach, reach_if_any
from lib.store import (
    activity_queries,
    grant_queries,
    membership_queries,
    token_queries,
    user_search,
)
from lib.store.engine import reading

_LAST: tuple[Moment, str] = (1 << 62, "")  # later than the end of any token


@dataclass(frozen=True, slots=True)
class PersonView:
    """One person as their page shows them, limited to the viewer's organizations.

    `everywhere` tells that the viewer sees all organizations. `grants` is None when the viewer may
    not see grants. `refused` has the organization and service ids where tokens do not verify,
    because something is not active. `history` tells whether the viewer may see what happened.
    """

    person: Person
    memberships: list[Membership]
    live: list[OwnToken]
    grants: list[GrantRow] | None
    everywhere: bool
    refused: frozenset[tuple[str, str]]
    history: bool


def search(
    engine: Engine, clock: Clock, actor: Actor, text: str, prefix: str, limit: int
) -> SearchResults:
    """Return whom and what `text` names: at most `limit` people, and `limit` of each other kind.

    People by name, username or e-mail; organizations by name or id; operations by the beginning of
    their id, where the actor has the permission ACTIVITY; tokens by their hint, whose case counts
    (`prefix` is that of tokens). Raises NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        if not fold(text):
            return NOTHING_FOUND
        matches, complete = user_search.matching_people(connection, text, within)
        now, there = clock(), reach_if_any(connection, actor.username, Permission.ACTIVITY)
        beginning, hint = operation_id_in(text), hint_in(text, prefix)
        return SearchResults(
            user_search.describe_people(connection, matches[:limit], within, now),
            len(matches),
            not complete,
            *user_search.matching_organizations(connection, text, within, limit),
            user_search.operations_with_id(connection, beginning, there, limit)
            if beginning
            else [],
            user_search.tokens_with_hint(connection, hint, within, now, limit) if hint else [],
        )


def directory_size(engine: Engine, actor: Actor) -> DirectorySize:
    """Return how many users and organizations the actor can search. Raises NotAllowedError."""
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        return user_search.directory_size(connection, within)


def find_people(engine: Engine, actor: Actor, search: str, limit: int) -> list[Person]:
    """Return the person with the username `search`, else up to `limit` whose name contains it.

    Only members of the actor's organizations, and people with a role there. Raises
    NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.ACTIVITY)
        exact = activity_queries.find_person(connection, possible_name(search.strip()))
        if exact:
            member_of = activity_queries.memberships(connection, exact.username, within)
            if _is_known(connection, exact.username, within, member_of):
                return [exact._replace(email="")]
        part = fold(search)
        staff = {
            grant.username: Person(grant.username, grant.name)
            for grant in grant_queries.list_grants(connection)
            if part in fold(f"{grant.name} {grant.username}")
            and (grant.organization_id is None or roles.covers(within, grant.organization_id))
        }
        members = activity_queries.people_matching(connection, search, within, limit)
    return [*staff.values(), *(m for m in members if m.username not in staff)][:limit]


def open_person(engine: Engine, clock: Clock, actor: Actor, username: str) -> PersonView | None:
    """Return a person as the actor may see them; None when unknown or not visible.

    Visible are members of the actor's organizations, and people named in an event of one. Raises
    NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        person = activity_queries.find_person(connection, possible_name(username))
        if person is None:
            return None
        member_of = activity_queries.memberships(connection, username, within)
        if not _is_known(connection, username, within, member_of):
            return None
        if within is not None and not member_of:
            person = person._replace(email="")
        live = token_queries.own_tokens(connection, username, clock())
        grants = _grants_of(connection, actor, username)
        refused = membership_queries.refused_places(connection, username)
        there = reach_if_any(connection, actor.username, Permission.ACTIVITY)
    return PersonView(
        person,
        member_of,
        [token for token in live if roles.covers(within, token.organization_id)],
        grants,
        within is None,
        refused,
        there != roles.NOWHERE,
    )


def list_ended_tokens(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    username: str,
    *,
    before: tuple[Moment, str] | None = None,
    limit: int,
) -> tuple[list[EndedToken], bool]:
    """Return up to `limit` ended tokens and requests of a person, and whether there are more.

    The last ended comes first. Only organizations that the actor may see. `before` is where the
    page starts: the end in milliseconds and the id of the last token of the page before. Raises
    NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.READ)
        rows = activity_queries.ended_tokens(
            connection, username, within, clock(), before or _LAST, limit + 1
        )
    return rows[:limit], len(rows) > limit


def _is_known(
    connection: Connection, username: str, within: Reach, member_of: Sequence[Membership]
) -> bool:
    """Tell whether a person is visible in `within`: a member, or named in an event."""
    return (
        within is None
        or bool(member_of)
        or activity_queries.has_events(connection, username, within)
    )


def _grants_of(connection: Connection, actor: Actor, username: str) -> list[GrantRow] | None:
    within = reach_if_any(connection, actor.username, Permission.ACCESS)
    if within == roles.NOWHERE:
        return None
    return [
        grant
        for grant in grant_queries.list_grants(connection)
        if grant.username == username and roles.covers(within, grant.organization_id)
    ]
