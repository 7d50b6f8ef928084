"""Tables of the HTTP API: service credentials, expiry policies, counts of failed attempts."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    text,
)

revision = "0003"
down_revision = "0002"

_Key = String().with_variant(String(collation="C"), "postgresql")


def upgrade() -> None:
    """Create the tables, and the columns of the policies."""
    for table in ("organization", "service"):
        op.execute(
            text(
                f"ALTER TABLE {table} ADD COLUMN token_days INTEGER"
                f" CONSTRAINT ck_{table}_token_days CHECK (token_days BETWEEN 1 AND 730)"
            )
        )
    op.create_table(
        "service_credential",
        Column("client_id", _Key, nullable=False),
        Column("service_id", _Key, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("pepper", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("created_by", _Key, nullable=False),
        Column("ended_at", BigInteger),
        PrimaryKeyConstraint("client_id", name="pk_service_credential"),
        ForeignKeyConstraint(
            ["service_id"], ["service.service_id"], name="fk_service_credential_service"
        ),
    )
    op.create_index("ix_service_credential_service", "service_credential", ["service_id"])
    op.create_index(
        "ix_token_ended_digest",
        "token",
        ["digest"],
        sqlite_where=text("ended_at IS NOT NULL"),
        postgresql_where=text("ended_at IS NOT NULL"),
    )
    op.create_table(
        "failed_attempt",
        Column("kind", _Key, nullable=False),
        Column("address", _Key, nullable=False),
        Column("hour", BigInteger, nullable=False),
        Column("attempts", Integer, nullable=False),
        PrimaryKeyConstraint("kind", "address", "hour", name="pk_failed_attempt"),
    )
