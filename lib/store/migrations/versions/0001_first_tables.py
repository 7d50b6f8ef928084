"""First tables: directory, tokens, operations and their results.

The tables are spelled out here, since lib.store.tables has only the newest ones.
"""

from alembic import op
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    String,
    Text,
    text,
)

revision = "0001"
down_revision = None

_Key = String().with_variant(String(collation="C"), "postgresql")
_STATUS = "('active', 'inactive', 'pending')"


def _facts(*names: str) -> list[Column[str]]:
    return [Column(name, Text, nullable=False, server_default="") for name in names]


def _key(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, _Key, nullable=nullable)


def upgrade() -> None:
    """Create the tables."""
    _directory()
    _tokens()


def _directory() -> None:
    op.create_table(
        "organization",
        _key("organization_id"),
        Column("name", Text, nullable=False),
        _key("search_key"),
        Column("type", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("state", Text, nullable=False),
        *_facts("contact_person", "primary_recorder", "address", "telephone"),
        *_facts("fax", "web_page", "hours", "document_types"),
        PrimaryKeyConstraint("organization_id", name="pk_organization"),
        CheckConstraint("type IN ('recipient', 'submitter')", name="ck_organization_type"),
        CheckConstraint(f"status IN {_STATUS}", name="ck_organization_status"),
    )
    op.create_table(
        "service",
        _key("service_id"),
        Column("name", Text, nullable=False),
        PrimaryKeyConstraint("service_id", name="pk_service"),
    )
    op.create_table(
        "subscription",
        _key("organization_id"),
        _key("service_id"),
        Column("status", Text, nullable=False),
        *_facts("since", "license_number", "plan", "starts_on", "renews_on"),
        Column("seats", Integer),
        *_facts("notify_recorded", "notify_rejected", "notify_fees", "notify_to"),
        Column("revision", BigInteger, nullable=False, server_default="0"),
        PrimaryKeyConstraint("organization_id", "service_id", name="pk_subscription"),
        _foreign("subscription", "organization", "organization_id"),
        _foreign("subscription", "service", "service_id"),
        CheckConstraint(f"status IN {_STATUS}", name="ck_subscription_status"),
    )
    op.create_table(
        "user_account",
        _key("username"),
        Column("name", Text, nullable=False),
        Column("email", Text, nullable=False),
        Column("staff_status", Text),
        PrimaryKeyConstraint("username", name="pk_user_account"),
        CheckConstraint(
            f"staff_status IS NULL OR staff_status IN {_STATUS}", name="ck_user_account_staff"
        ),
    )
    _partial("ix_user_account_staff", "user_account", ["username"], "staff_status = 'active'")
    op.create_table(
        "member",
        _key("organization_id"),
        _key("member_id"),
        _key("username"),
        Column("status", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("email", Text, nullable=False),
        _key("sort_key"),
        _key("search_key"),
        PrimaryKeyConstraint("organization_id", "member_id", name="pk_member"),
        _foreign("member", "organization", "organization_id"),
        _foreign("member", "user_account", "username"),
        CheckConstraint(f"status IN {_STATUS}", name="ck_member_status"),
    )
    op.create_index("uq_member_username", "member", ["organization_id", "username"], unique=True)
    op.create_index("ix_member_table", "member", ["organization_id", "sort_key", "member_id"])
    op.create_index("ix_member_account", "member", ["username"])


def _tokens() -> None:
    op.create_table(
        "operation",
        _key("organization_id"),
        _key("operation_id"),
        _key("service_id"),
        Column("action", Text, nullable=False),
        _key("actor"),
        Column("confirmed_at", BigInteger, nullable=False),
        Column("plan_digest", Text, nullable=False),
        Column("changed", Integer, nullable=False),
        Column("skipped", Integer, nullable=False),
        *_facts("csv_name", "csv_sha256"),
        PrimaryKeyConstraint("organization_id", "operation_id", name="pk_operation"),
        ForeignKeyConstraint(
            ["actor"], ["user_account.username"], name="fk_operation_user_account"
        ),
        _foreign("operation", "subscription", "organization_id", "service_id"),
        CheckConstraint(
            "action IN ('request', 'remove', 'cancel', 'generate')", name="ck_operation_action"
        ),
    )
    op.create_table(
        "operation_result",
        _key("organization_id"),
        _key("operation_id"),
        _key("member_id"),
        Column("result", Text, nullable=False),
        PrimaryKeyConstraint(
            "organization_id", "operation_id", "member_id", name="pk_operation_result"
        ),
        _foreign("operation_result", "operation", "organization_id", "operation_id"),
    )
    op.create_table(
        "token",
        _key("organization_id"),
        _key("token_id"),
        _key("service_id"),
        _key("member_id"),
        Column("state", Text, nullable=False),
        Column("origin", Text, nullable=False),
        Column("digest", LargeBinary),
        Column("pepper", Integer),
        Column("hint", Text),
        Column("created_at", BigInteger, nullable=False),
        *[
            Column(name, BigInteger)
            for name in ("accepted_at", "last_used_at", "expires_at", "ended_at")
        ],
        Column("ended_from", Text),
        _key("made_by_operation", nullable=True),
        _key("ended_by_operation", nullable=True),
        PrimaryKeyConstraint("organization_id", "token_id", name="pk_token"),
        _foreign("token", "member", "organization_id", "member_id"),
        _foreign("token", "subscription", "organization_id", "service_id"),
        CheckConstraint(
            "state IN ('pending', 'accepted', 'declined', 'cancelled', 'removed', 'replaced',"
            " 'expired', 'undone')",
            name="ck_token_state",
        ),
        CheckConstraint("origin IN ('request', 'export')", name="ck_token_origin"),
        CheckConstraint(
            "(ended_at IS NULL) = (state IN ('pending', 'accepted'))"
            " AND (ended_at IS NULL) = (ended_from IS NULL)",
            name="ck_token_ended",
        ),
        CheckConstraint(
            "state <> 'accepted' OR digest IS NOT NULL", name="ck_token_accepted_has_digest"
        ),
    )
    for state in ("pending", "accepted"):
        _partial(
            f"uq_token_{state}",
            "token",
            ["organization_id", "service_id", "member_id"],
            f"state = '{state}'",
            unique=True,
        )
    _partial("uq_token_digest", "token", ["digest"], "ended_at IS NULL", unique=True)


def _foreign(table: str, referred: str, *columns: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        columns, [f"{referred}.{c}" for c in columns], name=f"fk_{table}_{referred}"
    )


def _partial(
    name: str, table: str, columns: list[str], condition: str, *, unique: bool = False
) -> None:
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        sqlite_where=text(condition),
        postgresql_where=text(condition),
    )
