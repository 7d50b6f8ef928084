"""Generate & Export that keeps existing tokens: the choice is stored with the operation."""

from alembic import op

revision = "0009"
down_revision = "0006"


def upgrade() -> None:
    """Add the choice. Operations until now ended existing tokens."""
    _add_choice("operation", "existing_tokens", "'stop'", "existing_tokens IN ('stop', 'keep')")


def _add_choice(table: str, column: str, default: str, condition: str) -> None:
    """Add a column with its check. Neither engine needs to rebuild the table for this."""
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {column} TEXT DEFAULT {default} NOT NULL"
        f" CONSTRAINT ck_{table}_{column} CHECK ({condition})"
    )
