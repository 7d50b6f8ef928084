"""What the search of the Users page finds: people, organizations, operations and tokens."""

import re
from typing import NamedTuple

from lib.domain.clock import Moment
from lib.domain.states import Action, OrganizationType, Status, TokenState
from lib.domain.token_format import HINT_LENGTH

# Eight digits are a part of the id's moment: fewer would name the operations of months.
_OPERATION = re.compile(r"(?:[0-9A-Za-z]{6}-)?([0-9a-f]{8,32})", re.IGNORECASE)
_HINT = re.compile(rf"([a-z][0-9A-Za-z]*_)?([0-9A-Za-z]{{{HINT_LENGTH}}})(?:…|\.\.\.)?")


class PersonHit(NamedTuple):
    """A person who matches, with what they have in the viewer's organizations.

    `organizations` are the names of these organizations, sorted; a staff account has none.
    `accepted` counts tokens and `pending` pending tokens and requests. `active` tells whether the
    staff account or one of the memberships is active.
    """

    username: str
    name: str
    organizations: tuple[str, ...]
    accepted: int
    pending: int
    active: bool


class OrganizationHit(NamedTuple):
    """An organization whose name or id matches."""

    organization_id: str
    name: str
    type: OrganizationType
    status: Status
    state: str


class OperationHit(NamedTuple):
    """An executed operation whose id begins with the search."""

    organization_id: str
    organization_name: str
    operation_id: str
    action: Action
    confirmed_at: Moment
    changed: int
    skipped: int


class TokenHit(NamedTuple):
    """A token whose visible hint is the search, live or ended, and its user."""

    username: str
    name: str
    organization_id: str
    organization_name: str
    service_name: str
    hint: str
    state: TokenState
    created_at: Moment
    ended_at: Moment | None


class SearchResults(NamedTuple):
    """What a search found; each list has at most the wanted number of rows.

    `total` counts the people who match. If `more` is set, there are more than that.
    `organizations_total` counts the organizations.
    """

    people: list[PersonHit]
    total: int
    more: bool
    organizations: list[OrganizationHit]
    organizations_total: int
    operations: list[OperationHit]
    tokens: list[TokenHit]


class DirectorySize(NamedTuple):
    """How many users and organizations the viewer can search."""

    users: int
    organizations: int


NOTHING_FOUND = SearchResults(
    [], 0, more=False, organizations=[], organizations_total=0, operations=[], tokens=[]
)


def operation_id_in(search: str) -> str:
    """Return the beginning of an operation's id, also from `UTCJF1-<id>`; empty without one."""
    found = _OPERATION.fullmatch(search.strip())
    return found[1].lower() if found else ""


def hint_in(search: str, prefix: str) -> str:
    """Return the hint that `search` means, `demo_adoY` or `adoY` alone; empty if it is none."""
    found = _HINT.fullmatch(search.strip())
    return f"{found[1] or f'{prefix}_'}{found[2]}" if found else ""
