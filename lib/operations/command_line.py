"""The actor of operations that a command executes."""

from sqlalchemy import Connection

from lib.domain.access import Actor
from lib.operations.grants import COMMAND_LINE
from lib.store import import_queries

#: An account with which nobody can sign in.
SYSTEM = Actor("command-line", "Command line", address=COMMAND_LINE.address)


def add_system_account(connection: Connection) -> None:
    """Add the account of SYSTEM if it is missing: an operation must have an actor."""
    if SYSTEM.username not in import_queries.stored_accounts(connection, [SYSTEM.username]):
        account = {"username": SYSTEM.username, "name": SYSTEM.name, "email": ""}
        import_queries.add_accounts(connection, [account | {"staff_status": "inactive"}])
