"""Check values of the keys, so that another key under a known number is noticed."""

from alembic import op
from sqlalchemy import Column, Integer, LargeBinary, PrimaryKeyConstraint

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table. The first start under this version fills it."""
    op.create_table(
        "key_check",
        Column("key_number", Integer, nullable=False, autoincrement=False),
        Column("check_value", LargeBinary, nullable=False),
        PrimaryKeyConstraint("key_number", name="pk_key_check"),
    )
