"""Usernames without regard to case, so that an import finds those that differ by case only."""

from alembic import op
from sqlalchemy import Column, String, text

from lib.domain.search import caseless

revision = "0006"
down_revision = "0005"

_Key = String().with_variant(String(collation="C"), "postgresql")
#: The length in bytes, which is greater where a character is not ASCII.
_BYTES = {"sqlite": "length(CAST(username AS BLOB))", "postgresql": "octet_length(username)"}


def upgrade() -> None:
    """Add the key and fill it: `lower` does for ASCII, the few others are read."""
    connection = op.get_bind()
    op.add_column("user_account", Column("username_key", _Key, nullable=False, server_default=""))
    connection.execute(text("UPDATE user_account SET username_key = lower(username)"))
    wide = f"{_BYTES[connection.dialect.name]} > length(username)"
    others = connection.execute(text(f"SELECT username FROM user_account WHERE {wide}"))
    keys = [{"username": name, "key": caseless(name)} for name in others.scalars()]
    if keys:
        connection.execute(
            text("UPDATE user_account SET username_key = :key WHERE username = :username"), keys
        )
    op.create_index("ix_user_account_key", "user_account", ["username_key"])
