"""Who has left: the active members that no line of a users file names."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection

from lib.domain.clock import Moment
from lib.domain.search import caseless
from lib.domain.states import Status
from lib.operations.imports.comparison import UserComparison
from lib.operations.imports.packed import Packed
from lib.operations.imports.parse import Parsed
from lib.operations.imports.report import Missing
from lib.store import import_queries, membership_queries
from lib.store.membership_queries import MemberTokens, pair


@dataclass(frozen=True, slots=True)
class MissingMembers:
    """The missing (see `pair`), in parts, and how many they are by organization."""

    pairs: Packed[str] = field(default_factory=lambda: Packed(0))
    counts: Counter[str] = field(default_factory=Counter)


def find_missing(connection: Connection, parsed: Parsed, users: UserComparison) -> MissingMembers:
    """Return the active members whom no line names, in the organizations that the file names.

    A refused line names its username everywhere. Most organizations miss nobody, which a count
    tells; only the members of the others are read.
    """
    active = membership_queries.active_members(connection, parsed.organization_ids)
    lacking = [place for place, members in active.items() if members > users.named_active[place]]
    stored: Packed[str] = Packed(parsed.rows.count)
    for place, username in membership_queries.each_active_member(connection, lacking):
        stored.add(parsed.rows.number_of(username), pair(place, username))
    refused = set(users.refusals.names()) if lacking else set()
    found = MissingMembers(Packed(stored.count))
    for number in range(stored.count if lacking else 0):
        rows = (row.values for row in parsed.rows.part(number))
        named = {pair(values["organization_id"], values["username"]) for values in rows}
        for member in stored.part(number):
            place, _, username = member.partition(" ")
            if member not in named and caseless(username) not in refused:
                found.pairs.add(number, member)
                found.counts[place] += 1
    return found


def report_missing(
    connection: Connection,
    found: MissingMembers,
    users: UserComparison,
    now: Moment,
    *,
    listed: bool,
    to_deactivate: int | None,
) -> Missing:
    """Return what the report says of the missing, and whether they can be made inactive."""
    tokens, members = 0, list[MemberTokens]()
    for pairs in found.pairs.parts():
        part = membership_queries.tokens_of_members(connection, pairs, now)
        tokens += sum(member.working_tokens for member in part)
        if listed:
            members += part
    return Missing(
        len(found.pairs),
        tokens,
        len(found.counts),
        tuple(sorted(members)),
        to_deactivate,
        () if to_deactivate is None else tuple(_emptied(connection, found, users)),
    )


def deactivate(connection: Connection, found: MissingMembers) -> None:
    """Make the missing inactive; their subscriptions are locked."""
    for pairs in found.pairs.parts():
        members = (member.partition(" ") for member in pairs)
        rows = [
            {"organization_id": place, "username": username, "status": Status.INACTIVE.value}
            for place, _, username in members
        ]
        import_queries.update_rows(connection, "member", ("username", "organization_id"), rows)


def _emptied(connection: Connection, found: MissingMembers, users: UserComparison) -> Iterator[str]:
    """Yield the organizations that would have no active member left."""
    active = membership_queries.active_members(connection, found.counts)
    for place, members in sorted(found.counts.items()):
        if active[place] + users.becoming[place] <= members:
            yield place
