"""Wrong attempts by hour, shared by replicas; hours that are over are forgotten."""

from sqlalchemy import Connection, text


def count(connection: Connection, kind: str, address: str, hour: int) -> int:
    """Count one more wrong attempt and return how many there are in this hour.

    Whoever guesses is not kept waiting by a lock, nor is the thread that answers them.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '1s'"))
    attempts = connection.execute(
        text(
            "INSERT INTO failed_attempt (kind, address, hour, attempts)"
            " VALUES (:kind, :address, :hour, 1) ON CONFLICT (kind, address, hour)"
            " DO UPDATE SET attempts = failed_attempt.attempts + 1 RETURNING attempts"
        ),
        {"kind": kind, "address": address, "hour": hour},
    ).scalar_one()
    if attempts == 1:
        _forget(connection, hour)
    return int(attempts)


def _forget(connection: Connection, hour: int) -> None:
    """Delete the hours before this one; rows that another replica is deleting are left to it."""
    lock = " FOR UPDATE SKIP LOCKED" if connection.dialect.name == "postgresql" else ""
    connection.execute(
        text(
            "DELETE FROM failed_attempt WHERE (kind, address, hour) IN"
            f" (SELECT kind, address, hour FROM failed_attempt WHERE hour < :hour{lock})"
        ),
        {"hour": hour},
    )
