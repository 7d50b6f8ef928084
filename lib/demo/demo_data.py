"""Demo data. `python -m lib.demo` fills an empty database, SQLite or PostgreSQL.

The importer reads the directory from CSV files. The tokens are generated with dates relative to
now. The histories are the same every time. The secrets are real, random and not kept.
"""

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, TypeAlias

from sqlalchemy import Engine

from lib.cli.console import escape_unprintable
from lib.demo.history import History, first_moment
from lib.domain.audit import DEMO_DATA, GLOBAL_CHAIN, Event, EventAction
from lib.domain.clock import DAY, MINUTE, Moment
from lib.domain.errors import DatabaseUnavailableError
from lib.domain.ids import new_ids
from lib.domain.roles import Grant, Role
from lib.domain.states import Holding, Origin, Status, TokenState
from lib.domain.token_format import Minting, hint, mint
from lib.operations.database import open_with
from lib.operations.imports.import_directory import import_into
from lib.operations.imports.parse import parse
from lib.operations.imports.schema import SCHEMAS
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import ROOT, read_settings
from lib.store import grant_queries, import_queries
from lib.store.engine import reading
from lib.store.import_queries import MemberWithService
from lib.wording.unavailable import explain_unavailable

Token: TypeAlias = dict[str, Any]

FOLDER = ROOT / "data" / "demo"

_A_YEAR = 365 * DAY  # the lifetime of a token
_A_MONTH = 30 * DAY  # the lifetime of a request
_REQUESTED = (TokenState.PENDING.value, Origin.REQUEST.value)

#: The holdings of the first users of the first organization for eRecording: each kind at least
#: once.
_FIRST = ("UTCJF1", "erecording")
_FIRST_HOLDINGS = (
    Holding.ACCEPTED,
    Holding.NOTHING,
    Holding.ACCEPTED,
    Holding.PENDING,
    Holding.BOTH,
    Holding.ACCEPTED,
    Holding.ACCEPTED,
    Holding.PENDING,
    Holding.NOTHING,
    Holding.ACCEPTED,
    Holding.BOTH,
    Holding.ACCEPTED,
)


#: The roles of the demo people. The second API administrator is there for four eyes.
ROLES = (
    ("mhale", Grant(Role.ADMINISTRATOR)),
    ("rfenwick", Grant(Role.ADMINISTRATOR)),
    ("dnakano", Grant(Role.SUPPORT)),
    ("ivarga", Grant(Role.ANALYST)),
    ("psorel", Grant(Role.SUPPORT, "UTCJF1")),
)


def fill_demo(unit_of_work: UnitOfWork, minting: Minting, *, history: bool = True) -> bool:
    """Write the demo's directory, roles and tokens to a migrated database, in one transaction.

    `history`: operations of 180 days lead to it (lib.demo.history); without them there are the same
    people with the same holdings. Returns False, and writes nothing, when the database is not
    empty.

    Raises:
        DatabaseUnavailableError: The database cannot be used. Nothing was changed.
    """
    files = {name: parse(name, (FOLDER / f"{name}.csv").read_bytes()) for name in SCHEMAS}
    event = Event(EventAction.IMPORT, "", DEMO_DATA)
    with unit_of_work.transaction(event) as connection:
        now = first_moment(unit_of_work) if history else unit_of_work.clock()
        began = replace(unit_of_work, clock=lambda: now)
        import_queries.wait_for_other_imports(connection)
        if not import_queries.is_empty(connection):
            return False
        import_into(connection, files, now)
        for grant_id, (username, granted) in zip(new_ids(len(ROLES), now), ROLES, strict=True):
            grant_queries.add_grant(connection, grant_id, username, granted, now, "")
        began.record(
            connection,
            event,
            *(
                event._replace(
                    action=EventAction.GRANT,
                    organization_id=granted.organization_id or GLOBAL_CHAIN,
                    subject=username,
                    users=1,
                    detail=granted.role.value,
                )
                for username, granted in ROLES
            ),
        )
        members = import_queries.members_with_services(connection)
        tokens = list(_tokens(members, unit_of_work.clock()))
        if history:
            tokens = _act_until_now(History(connection, unit_of_work, minting), members, tokens)
        rows = _minted(tokens, minting, unit_of_work.clock())
        import_queries.add_rows(connection, "token", rows)
    return True


def _act_until_now(
    history: History, members: Sequence[MemberWithService], tokens: Sequence[Token]
) -> list[Token]:
    """Write the history; return the `tokens` that it has not made: all but the open requests."""
    known = {_member(token) for token in tokens}
    history.of([m for m in members if m[:3] not in known and _is_active(m)])
    requests = {_member(t) for t in tokens if (t["state"], t["origin"]) == _REQUESTED}
    requested = history.request(sorted(requests))
    return [
        token
        for token in tokens
        if (token["state"], token["origin"]) != _REQUESTED or _member(token) not in requested
    ]


def _member(token: Token) -> tuple[str, str, str]:
    """Return the organization, service and member of a token, as MemberWithService begins."""
    return token["organization_id"], token["service_id"], token["member_id"]


def _is_active(member: MemberWithService) -> bool:
    return {member.status, member.organization_status} == {Status.ACTIVE.value}


def is_empty(engine: Engine) -> bool:
    """Tell whether the database has no organization, no service and no user."""
    with reading(engine) as connection:
        return import_queries.is_empty(connection)


def main() -> int:
    """Migrate and fill the database of the settings; return 0, or 1 if it was not filled."""
    escape_unprintable()
    settings = read_settings()
    try:
        opened = open_with(settings)
        try:
            filled = fill_demo(*opened)
        finally:
            opened.unit_of_work.engine.dispose()
    except DatabaseUnavailableError as error:
        sys.stderr.write(f"{explain_unavailable(error)}\n")
        return 1
    sys.stdout.write(
        "The demo data was added.\n"
        if filled
        else "The database is not empty. Nothing was added.\n"
    )
    return 0 if filled else 1


def _minted(tokens: Iterable[Token], minting: Minting, now: Moment) -> list[Token]:
    """Give every token an id, and a digest to those whose secret was once shown to somebody."""
    rows = list(tokens)
    with_secret = [
        row for row in rows if row["accepted_at"] or row["origin"] == Origin.EXPORT.value
    ]
    plain = mint(len(with_secret), minting.prefix)
    for row, token, digest in zip(with_secret, plain, minting.digests(plain), strict=True):
        row |= {"digest": digest, "hint": hint(token), "pepper": minting.pepper_number}
    for row, token_id in zip(rows, new_ids(len(rows), now), strict=True):
        row["token_id"] = token_id
    return rows


def _tokens(members: Iterable[MemberWithService], now: Moment) -> Iterator[Token]:
    """Yield the tokens of all users by organization and service, each user's oldest first."""
    for scope, group in groupby(members, key=lambda m: (m.organization_id, m.service_id)):
        chance = random.Random(":".join(scope))  # noqa: S311 - demo data, not a secret
        share = chance.triangular(0.25, 1.0, 0.82)
        history = _History(now, chance)
        for place, member in enumerate(group):
            holding = _holding(chance, share, member)
            if scope == _FIRST and place < len(_FIRST_HOLDINGS):
                holding = _FIRST_HOLDINGS[place]
            for token in history.of(holding):
                yield _in_scope(token, member)


def _in_scope(token: Token, member: MemberWithService) -> Token:
    return token | {
        "organization_id": member.organization_id,
        "service_id": member.service_id,
        "member_id": member.member_id,
    }


def _holding(chance: random.Random, share: float, member: MemberWithService) -> Holding:
    """Return what a user has. `share` of the active users have a token, and a third of others."""
    active = Status.ACTIVE.value
    if Status.PENDING.value in {member.status, member.organization_status}:
        return Holding.NOTHING
    if member.status != active or member.organization_status != active:
        return chance.choice((Holding.ACCEPTED, Holding.NOTHING, Holding.NOTHING))
    if chance.random() < share:
        return chance.choices((Holding.ACCEPTED, Holding.BOTH), (0.93, 0.07))[0]
    return chance.choices((Holding.PENDING, Holding.NOTHING), (0.4, 0.6))[0]


@dataclass(frozen=True, slots=True)
class _History:
    """Generates the tokens that a user had until `now`."""

    now: Moment
    chance: random.Random

    def of(self, holding: Holding) -> Iterator[Token]:
        """Yield the tokens of one user who has `holding` now, ended ones first."""
        if holding in {Holding.ACCEPTED, Holding.BOTH}:
            accepted = self.accepted()
            if self.chance.random() < 1 / 4:
                yield self.replaced_by(accepted)
            yield accepted
        elif self.chance.random() < 1 / 3:
            yield self.chance.choice(self.ends())()
        if holding in {Holding.PENDING, Holding.BOTH}:
            yield self.requested() if self.chance.random() < 2 / 3 else self.exported()

    def ends(self) -> tuple[Callable[[], Token], ...]:
        """Return functions that each make an ended token."""
        return (self.declined, self.cancelled, self.removed, self.expired, self.lapsed)

    def ago(self, least: int, most: int) -> Moment:
        """Return a moment between `least` and `most` days before now."""
        return self.now - self.chance.randint(least * DAY, most * DAY)

    def accepted(self) -> Token:
        """Return an accepted token. Some expire soon; one in eight was never used."""
        created = self.ago(20, 355)
        taken = created + self.chance.randint(10 * MINUTE, 6 * DAY)
        used = self.now - min(int(self.chance.expovariate(1 / (9 * DAY))), self.now - taken)
        origin = self.chance.choice(tuple(Origin))
        never = origin is Origin.REQUEST and self.chance.random() < 1 / 4
        return _token(origin, created, accepted_at=taken, last_used_at=None if never else used)

    def requested(self) -> Token:
        """Return a pending request."""
        created = self.ago(0, 27)
        return _token(Origin.REQUEST, created, expires_at=created + _A_MONTH)

    def exported(self) -> Token:
        """Return an exported token that was not used yet."""
        return _token(Origin.EXPORT, self.ago(0, 12))

    def replaced_by(self, successor: Token) -> Token:
        """Return the token that `successor` replaced."""
        ended = successor["created_at"]
        if (
            successor["origin"] == Origin.REQUEST.value
        ):  # the old token worked until the user accepted
            ended = successor["accepted_at"]
        created = ended - self.chance.randint(60 * DAY, 350 * DAY)
        used = ended - self.chance.randint(1 * DAY, 40 * DAY)
        token = _token(Origin.EXPORT, created, accepted_at=created + DAY, last_used_at=used)
        return _ended(token, TokenState.REPLACED, ended)

    def declined(self) -> Token:
        """Return a request that the user declined."""
        created = self.ago(30, 200)
        token = _token(Origin.REQUEST, created, expires_at=created + _A_MONTH)
        return _ended(token, TokenState.DECLINED, created + self.chance.randint(MINUTE, 20 * DAY))

    def cancelled(self) -> Token:
        """Return a request that an administrator cancelled."""
        created = self.ago(30, 200)
        token = _token(Origin.REQUEST, created, expires_at=created + _A_MONTH)
        return _ended(token, TokenState.CANCELLED, created + self.chance.randint(MINUTE, 9 * DAY))

    def removed(self) -> Token:
        """Return an accepted token that an administrator removed."""
        created = self.ago(120, 300)
        used = created + self.chance.randint(2 * DAY, 80 * DAY)
        token = _token(Origin.REQUEST, created, accepted_at=created + DAY, last_used_at=used)
        return _ended(token, TokenState.REMOVED, used + self.chance.randint(DAY, 30 * DAY))

    def expired(self) -> Token:
        """Return an accepted token that expired after its year."""
        created = self.ago(370, 500)
        used = created + self.chance.randint(200 * DAY, 360 * DAY)
        token = _token(Origin.EXPORT, created, accepted_at=created + DAY, last_used_at=used)
        return _ended(token, TokenState.EXPIRED, token["expires_at"])

    def lapsed(self) -> Token:
        """Return a request that expired without an answer."""
        created = self.ago(40, 200)
        token = _token(Origin.REQUEST, created, expires_at=created + _A_MONTH)
        return _ended(token, TokenState.EXPIRED, token["expires_at"])


def _token(
    origin: Origin,
    created: Moment,
    *,
    accepted_at: Moment | None = None,
    last_used_at: Moment | None = None,
    expires_at: Moment | None = None,
) -> Token:
    """Return a live row whose secret is None. The caller adds the columns of the scope."""
    state = TokenState.PENDING if accepted_at is None else TokenState.ACCEPTED
    return {
        "token_id": None,
        "state": state.value,
        "origin": origin.value,
        "created_at": created,
        "issued_at": accepted_at if origin is Origin.REQUEST else created,
        "accepted_at": accepted_at,
        "last_used_at": last_used_at,
        "expires_at": expires_at or created + _A_YEAR,
        "ended_at": None,
        "ended_from": None,
        "digest": None,
        "hint": None,
        "pepper": None,
    }


def _ended(token: Token, becomes: TokenState, ended: Moment) -> Token:
    return token | {"state": becomes.value, "ended_from": token["state"], "ended_at": ended}
