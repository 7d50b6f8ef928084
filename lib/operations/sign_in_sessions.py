"""Sign-in sessions: one row each, from the first page that it opens to its end.

The identity provider names a person by signed claims, which the browser keeps in a cookie. A copy
of the cookie would work for as long as the cookie does. So the row decides: a sign-in that was
ended, by a sign-out, a time-out or an import, has ended for every copy of its cookie.

A transaction that begins or ends a sign-in locks the audit chain first and the row second. An
import uses the same order, so two transactions never wait for each other.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.audit import GLOBAL_CHAIN, Event, EventAction
from lib.domain.claims import SIGNED_IN_AT, name_in
from lib.domain.clock import MINUTE, Moment
from lib.domain.errors import (
    DatabaseUnavailableError,
    InactiveAccountError,
    NotInDirectoryError,
    SessionTimedOutError,
    SignedOutError,
    SignInRefusedError,
)
from lib.domain.roles import Permission
from lib.domain.states import SessionStatus
from lib.operations.identification import claimed_person, refusal_of
from lib.operations.unit_of_work import UnitOfWork
from lib.store import audit_queries, grant_queries, sign_in_queries
from lib.store.engine import reading, writing
from lib.store.sign_in_queries import SignInRow

#: The claims that tell one sign-in from another. The nonce alone is new for each.
_IDENTITY = ("iss", "sub", "aud", "iat", "nonce", "sid")


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a sign-in lasts, in milliseconds: `idle` without a click, `whole` in total."""

    idle: Moment
    whole: Moment

    def exceeded(self, row: SignInRow, now: Moment) -> SessionTimedOutError | None:
        """Return the error for the limit that a sign-in has passed at `now`; None without one."""
        if now >= row.signed_in_at + self.whole:
            return SessionTimedOutError(idle=False)
        return SessionTimedOutError(idle=True) if now >= row.last_seen_at + self.idle else None

    @property
    def touch(self) -> Moment:
        """Return the milliseconds after which `last_seen_at` is written again, a minute at most."""
        return min(MINUTE, self.idle // 4)


class LoginClaims(NamedTuple):
    """The claims that the provider signed, and the address of the browser that sent them."""

    claims: Mapping[str, Any]
    address: str

    @property
    def sign_in_id(self) -> str:
        """Return a digest of issuer, subject, audience, issue time, nonce and session id."""
        identity = [self.claims.get(name) for name in _IDENTITY]
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def signed_in_at(self) -> Moment | None:
        """Return when our callback set the cookie; None for a cookie of an earlier version.

        The provider's `iat` is no measure: some send one that is minutes old.
        """
        moment = self.claims.get(SIGNED_IN_AT)
        return moment if isinstance(moment, int) else None


def resume(
    unit_of_work: UnitOfWork, limits: SessionLimits, user_claim: str, login: LoginClaims
) -> Actor:
    """Return the signed-in person with their current grants. Two reads by key.

    The first call for a sign-in inserts its row and writes an audit event. Raises the subclass of
    SignInRefusedError that says why. A cookie of an earlier version counts as signed out: its row
    has another id, so nobody knows whether it has ended.
    """
    if login.signed_in_at is None:
        raise SignedOutError
    sign_in_id, now = login.sign_in_id, unit_of_work.clock()
    with reading(unit_of_work.engine) as connection:
        row = sign_in_queries.find(connection, sign_in_id)
        account = row and grant_queries.find_account(connection, row.username)
    if row is None:
        return _begin(unit_of_work, limits, user_claim, login, login.signed_in_at)
    _require_active(unit_of_work, limits, sign_in_id, row, now, login.address)
    if account is None:
        raise NotInDirectoryError(name_in(login.claims, user_claim))
    if not account.active:
        raise InactiveAccountError(account.username)
    if now >= row.last_seen_at + limits.touch:
        _touch(unit_of_work.engine, sign_in_id, now)
    return Actor(account.username, account.name, account.grants, login.address)


def session_status(
    unit_of_work: UnitOfWork, limits: SessionLimits, sign_in_id: str
) -> SessionStatus:
    """Return the status of a sign-in. ACTIVE needs a person whom the directory knew at first."""
    with reading(unit_of_work.engine) as connection:
        row = sign_in_queries.find(connection, sign_in_id)
    if row is None:
        return SessionStatus.NONE
    if row.ended_at is not None or limits.exceeded(row, unit_of_work.clock()):
        return SessionStatus.ENDED
    return SessionStatus.ACTIVE if row.username else SessionStatus.NONE


def username_of(unit_of_work: UnitOfWork, limits: SessionLimits, sign_in_id: str) -> str:
    """Return the username of an active sign-in; empty when there is none."""
    with reading(unit_of_work.engine) as connection:
        row = sign_in_queries.find(connection, sign_in_id)
    if row is None or row.ended_at is not None or limits.exceeded(row, unit_of_work.clock()):
        return ""
    return row.username


def sign_out(unit_of_work: UnitOfWork, login: LoginClaims) -> None:
    """End a sign-in for every copy of its cookie. Raises AuditNotWrittenError."""
    _end(unit_of_work, login.sign_in_id, login.address, "")


def record_page_refusal(
    unit_of_work: UnitOfWork, actor: Actor, permission: Permission, organization_id: str
) -> None:
    """Record that somebody opened a page without permission. Without a database it is logged.

    The event goes to the global chain: the organization id came from the URL and may not exist.
    """
    detail = f"page: {permission.value}{f' in {organization_id}' if organization_id else ''}"
    refusal = Event(EventAction.REFUSAL, actor.username, actor.address)
    unit_of_work.record_refusal(refusal, detail)


def _begin(
    unit_of_work: UnitOfWork,
    limits: SessionLimits,
    user_claim: str,
    login: LoginClaims,
    began: Moment,
) -> Actor:
    """Insert the row of a new sign-in and record it, whether it is accepted or refused.

    If another tab or a sign-out has inserted the row meanwhile, that row decides.
    """
    now = unit_of_work.clock()
    attempt = Event(
        EventAction.SIGN_IN, actor=name_in(login.claims, user_claim), address=login.address
    )
    with unit_of_work.transaction(attempt) as connection:
        audit_queries.lock_head(connection, GLOBAL_CHAIN)
        found = claimed_person(connection, login.claims, user_claim, login.address)
        username = found.username if isinstance(found, Actor) else ""
        if isinstance(found, InactiveAccountError):
            username = found.name
        row = SignInRow(username, began, began, None)
        # An old cookie that was never used here.
        refusal = limits.exceeded(row, now) or (
            found if isinstance(found, SignInRefusedError) else None
        )
        ended = now if isinstance(refusal, SessionTimedOutError) else None
        row = row._replace(last_seen_at=began if ended else now, ended_at=ended)
        is_first = sign_in_queries.add(connection, login.sign_in_id, row)
        if is_first:
            named = attempt._replace(actor=username or attempt.actor)
            unit_of_work.record(connection, refusal_of(named, refusal) if refusal else named)
    if not is_first:
        return resume(unit_of_work, limits, user_claim, login)
    if refusal or not isinstance(found, Actor):
        raise refusal or SignedOutError
    return found


def _require_active(
    unit_of_work: UnitOfWork,
    limits: SessionLimits,
    sign_in_id: str,
    row: SignInRow,
    now: Moment,
    address: str,
) -> None:
    """Raise SignedOutError or SessionTimedOutError when a sign-in has ended.

    The first call after a time-out ends the row and records it.
    """
    timed_out = limits.exceeded(row, now if row.ended_at is None else row.ended_at)
    if timed_out and row.ended_at is None:
        _end(
            unit_of_work,
            sign_in_id,
            address,
            "timed out: idle" if timed_out.idle else "timed out: whole",
        )
    if timed_out:
        raise timed_out
    if row.ended_at is not None:
        raise SignedOutError


def _end(unit_of_work: UnitOfWork, sign_in_id: str, address: str, detail: str) -> None:
    """End a sign-in. An unknown one is stored as ended, so its cookie cannot begin it later."""
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
    """Write `last_seen_at`. While the database cannot be written, pages still work until `idle`."""
    try:
        with writing(engine) as connection:
            sign_in_queries.touch(connection, sign_in_id, now)
    except DatabaseUnavailableError:
        return
