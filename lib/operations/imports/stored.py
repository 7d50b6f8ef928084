"""What the store has of the rows of a file."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from lib.operations.imports.packed import Values
from lib.operations.imports.row_conflicts import Key, key_of
from lib.operations.imports.schema import SCHEMAS, USERS
from lib.store import import_queries

TABLES = {
    "organizations": "organization",
    "services": "service",
    "subscriptions": "subscription",
}
_COLUMNS = {"service": "service_id"}  # where the table's name of a column is not the file's


@dataclass(frozen=True, slots=True)
class People:
    """What is stored about some usernames."""

    accounts: Mapping[str, import_queries.StoredAccount]
    members: Mapping[tuple[str, str], str]

    def rows(self) -> dict[Key, Values]:
        """Return the same as rows of a users file, by its key."""
        places = dict(self.members)
        places |= {(u, ""): a.staff_status for u, a in self.accounts.items() if a.staff_status}
        return {
            (username, place): {
                "username": username,
                "organization_id": place,
                "name": self.accounts[username].name,
                "email": self.accounts[username].email,
                "status": status,
            }
            for (username, place), status in places.items()
        }

    def staff_status(self, username: str) -> str | None:
        """Return the staff status of `username`; None for everyone else."""
        account = self.accounts.get(username)
        return account.staff_status if account else None

    def renames(self, person: Values) -> bool:
        """Tell whether `person` has an account with another name or e-mail."""
        account = self.accounts.get(person["username"])
        return account is not None and account[:2] != (person["name"], person["email"])

    def differs(self, person: Values) -> bool:
        """Tell whether `person` has an account that is not exactly this one."""
        account = self.accounts.get(person["username"])
        return account is not None and (
            self.renames(person) or account.staff_status != person["staff_status"]
        )


def read_people(connection: Connection, usernames: Iterable[str]) -> People:
    """Return what is stored about `usernames`."""
    names = set(usernames)
    return People(
        import_queries.stored_accounts(connection, names),
        import_queries.stored_members(connection, names),
    )


def read_rows(connection: Connection, name: str, first_keys: Iterable[str]) -> dict[Key, Values]:
    """Return stored rows as rows of the file `name`, by key, with one of the first key columns."""
    if name == USERS:
        return read_people(connection, first_keys).rows()
    schema = SCHEMAS[name]
    columns = [column_of(column) for column in schema.checks]
    rows = import_queries.stored_rows(connection, TABLES[name], columns, columns[0], first_keys)
    renamed = (dict(zip(schema.checks, row.values(), strict=True)) for row in rows)
    return {key_of(row, schema.key): row for row in renamed}


def column_of(field: str) -> str:
    """Return the table's name of a file's column."""
    return _COLUMNS.get(field, field)
