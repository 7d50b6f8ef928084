"""Wrong tokens and credentials are logged, not counted: the counts of 0003 go."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Drop the table of counts."""
    op.drop_table("failed_attempt")
