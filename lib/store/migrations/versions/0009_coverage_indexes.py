"""Indexes for coverage and worries, which are counted from indexes alone."""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

_INDEXES = (
    ("ix_member_inactive", "member", ["organization_id", "member_id"], "status <> 'active'"),
    (
        "ix_token_pending",
        "token",
        ["organization_id", "service_id", "member_id", "created_at", "origin", "last_used_at",
         "expires_at"],
        "state = 'pending'",
    ),
    (
        "ix_token_expiry",
        "token",
        ["expires_at", "organization_id", "service_id", "member_id"],
        "state = 'accepted'",
    ),
    (
        "ix_token_used",
        "token",
        ["last_used_at", "accepted_at", "expires_at", "organization_id", "service_id", "member_id"],
        "state = 'accepted'",
    ),
)  # fmt: skip


def upgrade() -> None:
    """Create the indexes."""
    for name, table, columns, condition in _INDEXES:
        where = text(condition)
        op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
