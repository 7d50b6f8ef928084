"""Who may do what, asked of the database inside the transaction that does it."""

from sqlalchemy import Connection

from lib.domain.errors import NotAllowed
from lib.store import directory_queries


def require_administrator(connection: Connection, username: str) -> None:
    """Raise NotAllowed unless `username` is an active API administrator (a staff account)."""
    account = directory_queries.find_account(connection, username)
    if account is None or account.staff_status != "active":
        raise NotAllowed(username)
