"""Whether an operation's CSV file was sent."""

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"

_NOT_SENT = "csv_delivery = 'not sent'"


def upgrade() -> None:
    """Add the column. Of operations until now nobody knows: theirs is empty."""
    op.execute(
        "ALTER TABLE operation ADD COLUMN csv_delivery TEXT DEFAULT '' NOT NULL"
        " CONSTRAINT ck_operation_csv_delivery"
        " CHECK (csv_delivery IN ('', 'not sent', 'sent', 'sent again'))"
    )
    op.create_index(
        "ix_operation_not_sent",
        "operation",
        ["organization_id"],
        sqlite_where=text(_NOT_SENT),
        postgresql_where=text(_NOT_SENT),
    )
