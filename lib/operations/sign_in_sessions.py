"""Sign-ins: each is a row, from its first sight to its end.

The identity provider vouches for a person with signed claims, which the browser keeps in a cookie.
Whoever copies the cookie can keep it for longer. So what counts is the row here: a sign-in that was
ended, by hand, by a time-out or by an import, is over for every copy of its cookie.

Whoever begins or ends a sign-in locks the chain of its event first, and the row after that. An
import does the same, so that no two transactions wait for each other.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from lib.domain.access import Actor
from lib.domain.audit import GLOBAL_CHAIN, Event, EventAction
from lib.domain.clock import MINUTE, SECOND, Moment
from lib.domain.errors import (
    AmbiguousEmailError,
    ClaimUnusableError,
    DatabaseUnavailableError,
    InactiveAccountError,
    NotInDirectoryError,
    SessionTimedOutError,
    SignedOutError,
    SignInRefusedError,
)
from lib.domain.roles import Permission
from lib.domain.search import possible_name
from lib.domain.states import SessionStatus
from lib.operations.unit_of_work import UnitOfWork
from lib.store import audit_queries, grant_queries, sign_in_queries
from lib.store.engine import reading, writing
from lib.store.sign_in_queries import SignInRow

_ADDED_BY_STREAMLIT = {"is_logged_in", "origin", "tokens"}  # they are no claims
_EMAIL = "email"


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a sign-in lasts: without a click, and altogether."""

    idle: Moment
    whole: Moment

    def over(self, row: SignInRow, now: Moment) -> SessionTimedOutError | None:
        """Return which limit a sign-in has passed at `now`; None while it lasts."""
        if now >= row.signed_in_at + self.whole:
            return SessionTimedOutError(idle=False)
        return SessionTimedOutError(idle=True) if now >= row.last_seen_at + self.idle else None

    @property
    def touch(self) -> Moment:
        """Return how old `last_seen_at` may get before it is written again."""
        return min(MINUTE, self.idle // 4)


class LoginClaims(NamedTuple):
    """What a browser brings: the claims that the provider signed, and from where."""

    claims: Mapping[str, Any]
    address: str

    @property
    def sign_in_id(self) -> str:
        """Return a digest of all claims: issuer, subject, time and nonce make it unique."""
        claims = {k: v for k, v in self.claims.items() if k not in _ADDED_BY_STREAMLIT}
        told = json.dumps(claims, sort_keys=True, separators=(",", ":"), default=str)
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    def began(self, now: Moment) -> Moment:
        """Return when the provider says that the person signed in, never later than `now`."""
        issued = self.claims.get("iat")
        return min(now, int(issued * SECOND)) if isinstance(issued, int | float) else now


def resume(
    unit_of_work: UnitOfWork, limits: SessionLimits, user_claim: str, arrival: LoginClaims
) -> Actor:
    """Return who is signed in, as the directory has them now: two reads by key.

    The first sight of a sign-in is recorded. Raises SignInRefused in the kind that says why.
    """
    sign_in_id, now = arrival.sign_in_id, unit_of_work.clock()
    with reading(unit_of_work.engine) as connection:
        row = sign_in_queries.find(connection, sign_in_id)
        account = row and grant_queries.find_account(connection, row.username)
    if row is None:
        return _begin(unit_of_work, limits, user_claim, arrival)
    _require_active(unit_of_work, limits, sign_in_id, row, now, arrival.address)
    if account is None:
        raise NotInDirectoryError(_claimed(arrival.claims, user_claim))
    if not account.active:
        raise InactiveAccountError(account.username)
    if now >= row.last_seen_at + limits.touch:
        _touch(unit_of_work.engine, sign_in_id, now)
    return Actor(account.username, account.name, account.grants, arrival.address)


def session_status(
    unit_of_work: UnitOfWork, limits: SessionLimits, sign_in_id: str
) -> SessionStatus:
    """Return how a sign-in stands. In is a person whom the directory knew when it began."""
    with reading(unit_of_work.engine) as connection:
        row = sign_in_queries.find(connection, sign_in_id)
    if row is None:
        return SessionStatus.NONE
    if row.ended_at is not None or limits.over(row, unit_of_work.clock()):
        return SessionStatus.ENDED
    return SessionStatus.ACTIVE if row.username else SessionStatus.NONE


def username_of(unit_of_work: UnitOfWork, limits: SessionLimits, sign_in_id: str) -> str:
    """Return whose sign-in it is while it lasts; empty for nobody's."""
    with reading(unit_of_work.engine) as connection:
        row = sign_in_queries.find(connection, sign_in_id)
    lasts = row is not None and row.ended_at is None and not limits.over(row, unit_of_work.clock())
    return row.username if row and lasts else ""


def sign_out(unit_of_work: UnitOfWork, arrival: LoginClaims) -> None:
    """End a sign-in by hand, for every copy of its cookie."""
    _end(unit_of_work, arrival.sign_in_id, arrival.address, "")


def begin_by_proxy(unit_of_work: UnitOfWork, username: str, address: str) -> Actor:
    """Return the person whom the proxy names, and record that they came.

    Raises SignInRefused, recorded as well, when the directory has no such person.
    """
    attempt = Event(EventAction.SIGN_IN, actor=possible_name(username), address=address)
    with unit_of_work.transaction(attempt) as connection:
        found = _named(connection, username, address)
        event = _refused(attempt, found) if isinstance(found, SignInRefusedError) else attempt
        unit_of_work.record(connection, event)
    if isinstance(found, SignInRefusedError):
        raise found
    return found


def find_by_proxy(unit_of_work: UnitOfWork, username: str, address: str) -> Actor:
    """Return the person whom the proxy names, who came before. Raises SignInRefused."""
    with reading(unit_of_work.engine) as connection:
        found = _named(connection, username, address)
    if isinstance(found, SignInRefusedError):
        raise found
    return found


def _named(connection: Connection, username: str, address: str) -> Actor | SignInRefusedError:
    account = grant_queries.find_account(connection, possible_name(username))
    if account is None:
        return NotInDirectoryError(username)
    if not account.active:
        return InactiveAccountError(username)
    return Actor(account.username, account.name, account.grants, address)


def record_page_refusal(
    unit_of_work: UnitOfWork, actor: Actor, permission: Permission, organization_id: str
) -> None:
    """Record that somebody opened a page that is not for them; without a database it is logged.

    In the chain of what belongs to no organization: the id was typed by hand and may be none.
    """
    detail = f"page: {permission.value}{f' in {organization_id}' if organization_id else ''}"
    refusal = Event(EventAction.REFUSAL, actor.username, actor.address)
    unit_of_work.record_refusal(refusal, detail)


def _begin(
    unit_of_work: UnitOfWork, limits: SessionLimits, user_claim: str, arrival: LoginClaims
) -> Actor:
    """Record the first sight of a sign-in, whether it is let in or not.

    When another tab, or a sign-out, was first, its row counts.
    """
    now = unit_of_work.clock()
    began = arrival.began(now)
    attempt = Event(
        EventAction.SIGN_IN, actor=_claimed(arrival.claims, user_claim), address=arrival.address
    )
    with unit_of_work.transaction(attempt) as connection:
        audit_queries.lock_head(connection, GLOBAL_CHAIN)
        found = _resolve(connection, arrival, user_claim)
        username = found.username if isinstance(found, Actor) else ""
        if isinstance(found, InactiveAccountError):
            username = found.name
        row = SignInRow(username, began, began, None)
        # A cookie from long ago that was never used here: the provider's word is too old.
        refusal = limits.over(row, now) or (
            found if isinstance(found, SignInRefusedError) else None
        )
        ended = now if isinstance(refusal, SessionTimedOutError) else None
        row = row._replace(last_seen_at=began if ended else now, ended_at=ended)
        is_first = sign_in_queries.add(connection, arrival.sign_in_id, row)
        if is_first:
            named = attempt._replace(actor=username or attempt.actor)
            unit_of_work.record(connection, _refused(named, refusal) if refusal else named)
    if not is_first:
        return resume(unit_of_work, limits, user_claim, arrival)
    if refusal or not isinstance(found, Actor):
        raise refusal or SignedOutError
    return found


def _resolve(
    connection: Connection, arrival: LoginClaims, user_claim: str
) -> Actor | SignInRefusedError:
    """Return whom the claims name, or why nobody."""
    name = _claimed(arrival.claims, user_claim)
    if not name:
        return ClaimUnusableError(user_claim)
    username = name
    if user_claim == _EMAIL:
        if arrival.claims.get("email_verified") not in {True, "true"}:
            return ClaimUnusableError(user_claim)
        usernames = sign_in_queries.usernames_of(connection, name)
        if len(usernames) > 1:
            return AmbiguousEmailError(name)
        username = usernames[0] if usernames else ""
    account = grant_queries.find_account(connection, username) if username else None
    if account is None:
        return NotInDirectoryError(name)
    if not account.active:
        return InactiveAccountError(account.username)
    return Actor(account.username, account.name, account.grants, arrival.address)


def _require_active(
    unit_of_work: UnitOfWork,
    limits: SessionLimits,
    sign_in_id: str,
    row: SignInRow,
    now: Moment,
    address: str,
) -> None:
    """Raise SignedOut or TimedOut when a sign-in is over; the first to see it ends the row."""
    over = limits.over(row, now if row.ended_at is None else row.ended_at)
    if over and row.ended_at is None:
        _end(
            unit_of_work,
            sign_in_id,
            address,
            "timed out: idle" if over.idle else "timed out: whole",
        )
    if over:
        raise over
    if row.ended_at is not None:
        raise SignedOutError


def _end(unit_of_work: UnitOfWork, sign_in_id: str, address: str, detail: str) -> None:
    """End a sign-in; one never seen here is kept as ended, or its cookie could begin it later."""
    attempt = Event(EventAction.SIGN_OUT, actor="", address=address, detail=detail)
    with unit_of_work.transaction(attempt) as connection:
        audit_queries.lock_head(connection, GLOBAL_CHAIN)
        now = unit_of_work.clock()
        if sign_in_queries.add(connection, sign_in_id, SignInRow("", now, now, now)):
            return
        row = sign_in_queries.find(connection, sign_in_id)
        if row and sign_in_queries.end(connection, sign_in_id, now) and row.username:
            unit_of_work.record(connection, attempt._replace(actor=row.username))


def _touch(engine: Engine, sign_in_id: str, now: Moment) -> None:
    """Note the click. A database that cannot be written still shows its pages, for a while."""
    try:
        with writing(engine) as connection:
            sign_in_queries.touch(connection, sign_in_id, now)
    except DatabaseUnavailableError:
        return


def _claimed(claims: Mapping[str, Any], user_claim: str) -> str:
    """Return the name that the provider claims; empty when it is none."""
    name = claims.get(user_claim)
    return possible_name(name) if isinstance(name, str) else ""


def _refused(attempt: Event, refusal: SignInRefusedError) -> Event:
    detail = f"{attempt.action.value}: {refusal.code}"
    return attempt._replace(action=EventAction.REFUSAL, detail=detail)
