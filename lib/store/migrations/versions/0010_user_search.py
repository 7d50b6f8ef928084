"""Indexes of the Users page: staff, operations by id, tokens by hint, results of one member."""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the indexes that lib.store.tables describes."""
    _create("ix_user_account_staff", "user_account", ["username"], "staff_status IS NOT NULL")
    op.create_index("ix_operation_id", "operation", ["operation_id"])
    _create("ix_token_hint", "token", ["hint"], "hint IS NOT NULL")
    op.create_index(
        "ix_operation_result_member",
        "operation_result",
        ["organization_id", "member_id", "operation_id"],
    )


def _create(name: str, table: str, columns: list[str], condition: str) -> None:
    where = text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
