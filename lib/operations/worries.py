"""Reads of saved views, limited to the organizations in which the actor may read."""

from collections.abc import Sequence

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.clock import Clock
from lib.domain.roles import Permission
from lib.domain.worries import WORRIES, ListedPerson, PeopleOfPlace, SavedView, View, default_view
from lib.operations.access import reach, require
from lib.store import worry_queries
from lib.store.engine import reading


def count_worries(engine: Engine, clock: Clock, actor: Actor) -> dict[View, int]:
    """Return the numbers of people of the five worries. Raises NotAllowedError."""
    now = clock()
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.COVERAGE)
        return {
            view: sum(
                place.people
                for place in worry_queries.count_people(connection, default_view(view), within, now)
            )
            for view in WORRIES
        }


def count_people(
    engine: Engine, clock: Clock, actor: Actor, saved: SavedView
) -> list[PeopleOfPlace]:
    """Return how many people a view has, by organization and service, in the order of their names.

    Raises NotAllowedError.
    """
    with reading(engine) as connection:
        within = reach(connection, actor.username, Permission.COVERAGE)
        return worry_queries.count_people(connection, saved, within, clock())


def list_people(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    saved: SavedView,
    places: Sequence[PeopleOfPlace],
    offset: int,
    limit: int,
) -> list[tuple[PeopleOfPlace, ListedPerson]]:
    """Return at most `limit` people of `places`, from number `offset` on, each with the place.

    `places` is what `count_people` returned. Raises NotAllowedError.
    """
    now, found = clock(), list[tuple[PeopleOfPlace, ListedPerson]]()
    with reading(engine) as connection:
        for place in places:
            if offset >= place.people:
                offset -= place.people
                continue
            key = (place.organization_id, place.service_id)
            require(connection, actor.username, Permission.COVERAGE, place.organization_id)
            people = worry_queries.people_of_place(
                connection, saved, *key, now, offset=offset, limit=limit - len(found)
            )
            found += [(place, person) for person in people]
            offset = 0
            if len(found) >= limit:
                break
    return found


def member_ids(
    engine: Engine,
    clock: Clock,
    actor: Actor,
    saved: SavedView,
    organization_id: str,
    service_id: str,
) -> list[str]:
    """Return the member ids of a view in one organization and service. Raises NotAllowedError."""
    with reading(engine) as connection:
        require(connection, actor.username, Permission.COVERAGE, organization_id)
        people = worry_queries.people_of_place(
            connection, saved, organization_id, service_id, clock()
        )
    return [person.member_id for person in people]
