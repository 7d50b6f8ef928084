"""Drop the counts of failed attempts (0003): wrong tokens and credentials are logged instead."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Drop the table of counts."""
    op.drop_table("failed_attempt")
