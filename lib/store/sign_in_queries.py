"""Sign-in sessions: one row each, which is read at every click."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

from lib.domain.clock import Moment
from lib.domain.search import ascii_lower, caseless
from lib.store.bulk import ids_parameter, with_ids
from lib.store.columns import select_list


class SignInRow(NamedTuple):
    """A sign-in. `username` is empty if the directory had no such account."""

    username: str
    signed_in_at: Moment
    last_seen_at: Moment
    ended_at: Moment | None


# PostgreSQL's own collations fold more letters, such as the Kelvin sign to k.
_ASCII_LOWER = {"sqlite": "lower(email)", "postgresql": 'lower(email COLLATE "C")'}

# Built once, since it is executed at every click.
_FIND = text(
    f"SELECT {select_list(SignInRow, 's')} FROM sign_in s WHERE s.sign_in_id = :sign_in_id"
)


def find(connection: Connection, sign_in_id: str) -> SignInRow | None:
    """Return a sign-in, or None if there is no such sign-in."""
    row = connection.execute(_FIND, {"sign_in_id": sign_in_id}).one_or_none()
    return SignInRow._make(row) if row else None


def add(connection: Connection, sign_in_id: str, row: SignInRow) -> bool:
    """Insert a sign-in; tell whether it was new. Two tabs may insert the same one at once."""
    done = connection.execute(
        text(
            "INSERT INTO sign_in (sign_in_id, username, signed_in_at, last_seen_at, ended_at)"
            " VALUES (:sign_in_id, :username, :signed_in_at, :last_seen_at, :ended_at)"
            " ON CONFLICT DO NOTHING"
        ),
        {"sign_in_id": sign_in_id, **row._asdict()},
    )
    return done.rowcount == 1


def touch(connection: Connection, sign_in_id: str, now: Moment) -> None:
    """Set the last activity of a sign-in to `now`, unless it has ended."""
    connection.execute(
        text(
            "UPDATE sign_in SET last_seen_at = :now"
            " WHERE sign_in_id = :sign_in_id AND ended_at IS NULL AND last_seen_at < :now"
        ),
        {"sign_in_id": sign_in_id, "now": now},
    )


def end(connection: Connection, sign_in_id: str, now: Moment) -> bool:
    """End a sign-in for good; tell whether it was still active."""
    done = connection.execute(
        text(
            "UPDATE sign_in SET ended_at = :now WHERE sign_in_id = :sign_in_id AND ended_at IS NULL"
        ),
        {"sign_in_id": sign_in_id, "now": now},
    )
    return done.rowcount == 1


def end_all_of(connection: Connection, usernames: Iterable[str], now: Moment) -> list[str]:
    """End every active sign-in of `usernames`; return the username of each, sorted.

    The caller has locked the chain of events without an organization, as everybody must who ends a
    sign-in.
    """
    live = "ended_at IS NULL AND username IN (SELECT value FROM {ids} i)"
    ids = ids_parameter(connection, usernames)
    found = with_ids(connection, f"SELECT username FROM sign_in WHERE {live} ORDER BY username")
    ended = list(connection.execute(found, {"ids": ids}).scalars())
    if ended:
        end_them = with_ids(connection, f"UPDATE sign_in SET ended_at = :now WHERE {live}")
        connection.execute(end_them, {"ids": ids, "now": now})
    return ended


def usernames_with_email(connection: Connection, email: str) -> list[str]:
    """Return at most two usernames with this e-mail address, ignoring the case of A to Z.

    Two are enough to know that the address is ambiguous. There is no index, since this runs only
    once for each sign-in.
    """
    lower = _ASCII_LOWER[connection.dialect.name]
    rows = connection.execute(
        text(f"SELECT username FROM user_account WHERE {lower} = :email LIMIT 2"),
        {"email": ascii_lower(email)},
    )
    return list(rows.scalars())


def usernames_ignoring_case(connection: Connection, username: str) -> list[str]:
    """Return at most two usernames that equal `username`, but for upper and lower case."""
    rows = connection.execute(
        text("SELECT username FROM user_account WHERE username_key = :key LIMIT 2"),
        {"key": caseless(username)},
    )
    return list(rows.scalars())
