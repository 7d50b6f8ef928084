"""Wrong attempts by hour, shared by replicas; hours that are over are forgotten."""

from sqlalchemy import Connection, text


def count(connection: Connection, kind: str, address: str, hour: int) -> int:
    """Count one more wrong attempt and return how many there are in this hour."""
    parameters = {"kind": kind, "address": address, "hour": hour}
    connection.execute(
        text(
            "INSERT INTO failed_attempt (kind, address, hour, attempts)"
            " VALUES (:kind, :address, :hour, 1) ON CONFLICT (kind, address, hour)"
            " DO UPDATE SET attempts = failed_attempt.attempts + 1"
        ),
        parameters,
    )
    attempts = connection.execute(
        text(
            "SELECT attempts FROM failed_attempt"
            " WHERE kind = :kind AND address = :address AND hour = :hour"
        ),
        parameters,
    ).scalar_one()
    if attempts == 1:
        connection.execute(text("DELETE FROM failed_attempt WHERE hour < :hour"), {"hour": hour})
    return int(attempts)
