"""Roles, sign-ins, approvals, and the append-only audit trail."""

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

from lib.domain.clock import now
from lib.domain.ids import new_ids

revision = "0002"
down_revision = "0001"

_Key = String().with_variant(String(collation="C"), "postgresql")


def _key(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, _Key, nullable=nullable)


def _number(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def upgrade() -> None:
    """Create the tables; API administrators keep their rights as a grant."""
    op.add_column("operation", Column("batch_id", Text, nullable=False, server_default=""))
    op.drop_index("ix_user_account_staff", "user_account")  # roles are in role_grant now
    _create_index_where("ix_operation_batch", "operation", ["batch_id"], "batch_id <> ''")
    op.create_index("ix_token_member", "token", ["organization_id", "member_id", "token_id"])
    _grants()
    _sign_ins()
    _approvals()
    _audit()


def _create_index_where(name: str, table: str, columns: list[str], condition: str) -> None:
    op.create_index(
        name, table, columns, sqlite_where=text(condition), postgresql_where=text(condition)
    )


def _grants() -> None:
    op.create_table(
        "role_grant",
        _key("grant_id"),
        _key("username"),
        Column("role", Text, nullable=False),
        _key("organization_id", nullable=True),
        _number("granted_at"),
        _key("granted_by"),
        PrimaryKeyConstraint("grant_id", name="pk_role_grant"),
        ForeignKeyConstraint(
            ["username"], ["user_account.username"], name="fk_role_grant_user_account"
        ),
        ForeignKeyConstraint(
            ["organization_id"],
            ["organization.organization_id"],
            name="fk_role_grant_organization",
        ),
        CheckConstraint(
            "role IN ('administrator', 'support', 'analyst')", name="ck_role_grant_role"
        ),
    )
    for name, columns, condition in (
        ("uq_role_grant_everywhere", ["username", "role"], "organization_id IS NULL"),
        (
            "uq_role_grant_organization",
            ["username", "role", "organization_id"],
            "organization_id IS NOT NULL",
        ),
    ):
        op.create_index(
            name,
            "role_grant",
            columns,
            unique=True,
            sqlite_where=text(condition),
            postgresql_where=text(condition),
        )
    _keep_administrators()


def _keep_administrators() -> None:
    """Make every staff account an API administrator, as it was before roles existed."""
    connection = op.get_bind()
    staff = connection.execute(
        text("SELECT username FROM user_account WHERE staff_status IS NOT NULL ORDER BY username")
    )
    usernames = [row[0] for row in staff]
    at = now()
    for grant_id, username in zip(new_ids(len(usernames), at), usernames, strict=True):
        connection.execute(
            text(
                "INSERT INTO role_grant (grant_id, username, role, granted_at, granted_by)"
                " VALUES (:grant_id, :username, 'administrator', :at, '')"
            ),
            {"grant_id": grant_id, "username": username, "at": at},
        )


def _sign_ins() -> None:
    op.create_table(
        "sign_in",
        _key("sign_in_id"),
        _key("username"),
        _number("signed_in_at"),
        _number("last_seen_at"),
        _number("ended_at", nullable=True),
        PrimaryKeyConstraint("sign_in_id", name="pk_sign_in"),
    )


def _approvals() -> None:
    op.create_table(
        "approval",
        _key("organization_id"),
        _key("operation_id"),
        _key("service_id"),
        _key("requester"),
        _number("asked_at"),
        Column("users", Integer, nullable=False),
        *[Column(n, Text, nullable=False) for n in ("plan_digest", "reason", "state")],
        _key("answered_by", nullable=True),
        _number("answered_at", nullable=True),
        Column("plan", Text, nullable=False),
        PrimaryKeyConstraint("organization_id", "operation_id", name="pk_approval"),
        ForeignKeyConstraint(
            ["requester"], ["user_account.username"], name="fk_approval_user_account"
        ),
        ForeignKeyConstraint(
            ["organization_id", "service_id"],
            ["subscription.organization_id", "subscription.service_id"],
            name="fk_approval_subscription",
        ),
        CheckConstraint("state IN ('waiting', 'approved', 'rejected')", name="ck_approval_state"),
        CheckConstraint("(state = 'waiting') = (answered_by IS NULL)", name="ck_approval_answered"),
        CheckConstraint("answered_by <> requester", name="ck_approval_four_eyes"),
    )
    op.create_index("ix_approval_asked", "approval", ["asked_at"])


def _audit() -> None:
    op.create_table(
        "audit_head",
        _key("organization_id"),
        _number("number"),
        Column("mac", LargeBinary, nullable=False),
        PrimaryKeyConstraint("organization_id", name="pk_audit_head"),
    )
    op.create_table(
        "audit_event",
        _key("organization_id"),
        _number("number"),
        _key("event_id"),
        _number("happened_at"),
        _key("action"),
        _key("actor"),
        Column("address", Text, nullable=False),
        _key("service_id"),
        _key("operation_id"),
        _key("subject"),
        Column("users", Integer, nullable=False),
        *[Column(name, Text, nullable=False) for name in ("users_digest", "reason", "detail")],
        Column("key_number", Integer, nullable=False),
        Column("mac", LargeBinary, nullable=False),
        PrimaryKeyConstraint("organization_id", "number", name="pk_audit_event"),
    )
    for name, columns in (
        ("recent", ["event_id"]),
        ("action", ["action", "event_id"]),
        ("actor", ["actor", "action", "event_id"]),
        ("organization", ["organization_id", "action", "event_id"]),
        ("organization_actor", ["organization_id", "actor", "event_id"]),
    ):
        op.create_index(f"ix_audit_event_{name}", "audit_event", columns)
    for name, columns, condition in (
        ("subject", ["subject", "action", "event_id"], "subject <> ''"),
        ("organization_subject", ["organization_id", "subject", "event_id"], "subject <> ''"),
        ("operation", ["organization_id", "operation_id", "event_id"], "operation_id <> ''"),
    ):
        _create_index_where(f"ix_audit_event_{name}", "audit_event", columns, condition)
    postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL_TRIGGERS if postgresql else _SQLITE_TRIGGERS:
        op.execute(text(statement))


_SQLITE_TRIGGERS = [
    f"CREATE TRIGGER audit_event_no_{what.lower()} BEFORE {what} ON audit_event"
    " BEGIN SELECT RAISE(ABORT, 'audit_event only grows'); END"
    for what in ("UPDATE", "DELETE")
]
# INSERT OR REPLACE deletes a row without firing the DELETE trigger.
_SQLITE_TRIGGERS.append(
    "CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event"
    " WHEN EXISTS (SELECT 1 FROM audit_event e WHERE e.organization_id = NEW.organization_id"
    " AND e.number = NEW.number) BEGIN SELECT RAISE(ABORT, 'audit_event only grows'); END"
)
_POSTGRESQL_TRIGGERS = [
    (
        "CREATE FUNCTION audit_event_only_grows() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'audit_event only grows'; END $$"
    ),
    (
        "CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_event"
        " FOR EACH STATEMENT EXECUTE FUNCTION audit_event_only_grows()"
    ),
]
