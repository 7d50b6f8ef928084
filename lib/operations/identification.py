"""Whom a sign-in names: the account for a provider's claim, or for a proxy's header."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from lib.domain.access import Actor
from lib.domain.audit import Event, EventAction
from lib.domain.claims import EMAIL, SUBJECT, fault_of, name_in
from lib.domain.errors import (
    AmbiguousEmailError,
    ClaimUnusableError,
    InactiveAccountError,
    NotInDirectoryError,
    SignInRefusedError,
)
from lib.store import grant_queries, sign_in_queries
from lib.store.grant_queries import Account


def claimed_person(
    connection: Connection, claims: Mapping[str, Any], user_claim: str, address: str
) -> Actor | SignInRefusedError:
    """Return the person whom the claims name, or the error that says why there is none."""
    fault = fault_of(claims, user_claim)
    if fault:
        return ClaimUnusableError(user_claim, fault)
    name = name_in(claims, user_claim)
    if user_claim == SUBJECT:
        return _actor(grant_queries.find_account(connection, name), name, address)
    if user_claim != EMAIL:
        return named_person(connection, name, address)
    usernames = sign_in_queries.usernames_with_email(connection, name)
    if len(usernames) > 1:
        return AmbiguousEmailError(name)
    account = grant_queries.find_account(connection, usernames[0]) if usernames else None
    return _actor(account, name, address)


def named_person(connection: Connection, name: str, address: str) -> Actor | SignInRefusedError:
    """Return the person with the username `name`, or the error that says why there is none.

    A name that differs by case only from exactly one username is that one.
    """
    account = grant_queries.find_account(connection, name)
    if account is None:
        usernames = sign_in_queries.usernames_ignoring_case(connection, name)
        if len(usernames) == 1:
            account = grant_queries.find_account(connection, usernames[0])
    return _actor(account, name, address)


def refusal_of(attempt: Event, refusal: SignInRefusedError) -> Event:
    """Return the event of a sign-in that was refused."""
    detail = f"{attempt.action.value}: {refusal.code}"
    return attempt._replace(action=EventAction.REFUSAL, detail=detail)


def _actor(account: Account | None, name: str, address: str) -> Actor | SignInRefusedError:
    if account is None:
        return NotInDirectoryError(name)
    if not account.active:
        return InactiveAccountError(account.username)
    return Actor(account.username, account.name, account.grants, address)
