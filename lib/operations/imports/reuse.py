"""Refuse rows that would give a username, and what its holder has, to somebody else.

Roles, tokens and requests hang on the username. A row that changes both the name and the e-mail of
an account is taken for another person: the account must have nothing that this person would get.
Whoever is signed in with it is signed out.
"""

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from sqlalchemy import Connection

from lib.domain.audit import GLOBAL_CHAIN
from lib.domain.clock import Moment
from lib.domain.search import same_but_for_case
from lib.operations.actions import APPROVAL_LASTS
from lib.operations.imports.packed import Row, Values
from lib.operations.imports.refusals import Refusal
from lib.store import audit_queries, import_queries, sign_in_queries
from lib.store.import_queries import StoredAccount

_ROLE, _TOKEN, _APPROVAL = "a role", "a live token or request", "a request for approval"


def looks_like_another(account: StoredAccount, person: Values) -> bool:
    """Tell whether `person` has both another name and another e-mail than `account`.

    Filling in an empty e-mail, or a name that was the username, is no change; nor is a difference
    of upper and lower case.
    """
    name_kept = any(
        same_but_for_case(account.name, name) for name in (person["name"], person["username"])
    )
    email_kept = not account.email or same_but_for_case(account.email, person["email"])
    return not (name_kept or email_kept)


def refusals(
    connection: Connection,
    rows: Sequence[Row],
    accounts: Mapping[str, StoredAccount],
    now: Moment,
) -> Iterator[Refusal]:
    """Yield a refusal for each of `rows` that gives what an account has to somebody else.

    `rows` are all for another person than `accounts`, those stored of their usernames. What the
    accounts have is locked (`lock_holdings`).
    """
    usernames = {row.values["username"] for row in rows}
    held = _held(connection, usernames, now)
    for row in rows:
        username = row.values["username"]
        if username in held:
            reason = _reason(username, accounts[username], held[username])
            yield Refusal(row.line, "username", username, reason)


def end_sign_ins(
    connection: Connection,
    rows: Iterable[Row],
    accounts: Mapping[str, StoredAccount],
    now: Moment,
) -> list[str]:
    """End the sign-ins of accounts that `rows` give to somebody else; return whose, one for each.

    `accounts` as `refusals`. The chain is locked (`lock_holdings`).
    """
    others = {row.values["username"] for row in rows if is_for_another(row.values, accounts)}
    return sign_in_queries.end_all_of(connection, others, now) if others else []


def is_for_another(person: Values, accounts: Mapping[str, StoredAccount]) -> bool:
    """Tell whether `person` gets the username of one of `accounts`, and is somebody else."""
    account = accounts.get(person["username"])
    return account is not None and looks_like_another(account, person)


def lock_holdings(connection: Connection, organization_ids: Iterable[str]) -> None:
    """Let nobody get a token in `organization_ids`, or a role anywhere, until the import ends.

    The order is that of every transaction: subscriptions, then the chain that each grant locks.
    All subscriptions that the import can touch, so that they are locked in one sorted order.
    """
    import_queries.lock_subscriptions(connection, organization_ids)
    audit_queries.lock_head(connection, GLOBAL_CHAIN)


def _held(connection: Connection, usernames: Collection[str], now: Moment) -> dict[str, list[str]]:
    """Return what each of `usernames` has, for those who have something."""
    held: dict[str, list[str]] = {}
    for what, holders in (
        (_ROLE, import_queries.with_a_role(connection, usernames)),
        (_TOKEN, import_queries.with_a_live_token(connection, usernames, now)),
        (
            _APPROVAL,
            import_queries.with_an_open_approval(connection, usernames, now - APPROVAL_LASTS),
        ),
    ):
        for username in holders:
            held.setdefault(username, []).append(what)
    return held


def _reason(username: str, account: StoredAccount, held: Sequence[str]) -> str:
    # A value that begins with a hyphen would be read as an option.
    equals = "=" if username.startswith("-") else " "
    return (
        f"name and e-mail both change, and {username} ({account.name}, {account.email}) has"
        f" {' and '.join(held)}; if it is the same person, add"
        f" --same-person{equals}{shlex.quote(username)}; if not, give the new person another"
        f" username, or end the roles, tokens and requests of {username} first"
    )
