"""Sign-ins: a row each, read at every click by its key."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, text

from lib.domain.clock import Moment
from lib.store.bulk import ids_parameter, with_ids


class SignInRow(NamedTuple):
    """A sign-in. `username` is empty when the directory knew nobody of that name."""

    username: str
    signed_in_at: Moment
    last_seen_at: Moment
    ended_at: Moment | None


# Made once: at every click it is asked.
_FIND = text(
    "SELECT username, signed_in_at, last_seen_at, ended_at FROM sign_in"
    " WHERE sign_in_id = :sign_in_id"
)


def find(connection: Connection, sign_in_id: str) -> SignInRow | None:
    """Return a sign-in, or None when it was never seen."""
    row = connection.execute(_FIND, {"sign_in_id": sign_in_id}).one_or_none()
    return SignInRow(*row) if row else None


def add(connection: Connection, sign_in_id: str, row: SignInRow) -> bool:
    """Insert a sign-in; tell whether it was new. Two tabs open at once, and one is first."""
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
    """Note that the person was here just now; an ended sign-in stays as it is."""
    connection.execute(
        text(
            "UPDATE sign_in SET last_seen_at = :now"
            " WHERE sign_in_id = :sign_in_id AND ended_at IS NULL AND last_seen_at < :now"
        ),
        {"sign_in_id": sign_in_id, "now": now},
    )


def end(connection: Connection, sign_in_id: str, now: Moment) -> bool:
    """End a sign-in for good; tell whether it was not ended before."""
    done = connection.execute(
        text(
            "UPDATE sign_in SET ended_at = :now WHERE sign_in_id = :sign_in_id AND ended_at IS NULL"
        ),
        {"sign_in_id": sign_in_id, "now": now},
    )
    return done.rowcount == 1


def end_all_of(connection: Connection, usernames: Iterable[str], now: Moment) -> list[str]:
    """End every sign-in of `usernames`; return the username of each that was not ended before.

    The caller has locked the chain of what belongs to no organization, as each who ends one does.
    """
    live = "ended_at IS NULL AND username IN (SELECT value FROM {ids} i)"
    ids = ids_parameter(connection, usernames)
    found = with_ids(connection, f"SELECT username FROM sign_in WHERE {live} ORDER BY username")
    ended = list(connection.execute(found, {"ids": ids}).scalars())
    if ended:
        end_them = with_ids(connection, f"UPDATE sign_in SET ended_at = :now WHERE {live}")
        connection.execute(end_them, {"ids": ids, "now": now})
    return ended


def usernames_of(connection: Connection, email: str) -> list[str]:
    """Return up to two usernames with this e-mail, whatever its case: two are too many.

    Without an index: it is asked once a sign-in.
    """
    rows = connection.execute(
        text("SELECT username FROM user_account WHERE lower(email) = lower(:email) LIMIT 2"),
        {"email": email},
    )
    return [row[0] for row in rows]
