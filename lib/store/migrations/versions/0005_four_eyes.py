"""Four eyes: an index of recent exports by person, and the grant of an approver's role."""

from alembic import op
from sqlalchemy import BigInteger, Column, String, text

revision = "0005"
down_revision = "0004"

_Key = String().with_variant(String(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the index and the columns. The columns stay NULL for older answers."""
    op.create_index(
        "ix_operation_generated",
        "operation",
        ["actor", "confirmed_at"],
        sqlite_where=text("action = 'generate'"),
        postgresql_where=text("action = 'generate'"),
    )
    op.add_column("approval", Column("approver_granted_by", _Key))
    op.add_column("approval", Column("approver_granted_at", BigInteger))
