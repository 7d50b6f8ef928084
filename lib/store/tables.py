"""The tables. Migrations build them; a test compares the two.

Moments are milliseconds (lib.domain.clock), ids 32 hexadecimal digits (lib.domain.ids). Whatever
belongs to an organization begins its keys with the organization's id, so that a distributed
PostgreSQL can shard by it; the digest's index is the stated exception.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from lib.domain.roles import Role
from lib.domain.states import Action, ApprovalState, OrganizationType, Origin, Status, TokenState

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(constraint_name)s",
    }
)

# Byte order on both engines: the same sort, and LIKE and keyset paging can use the index.
_Key = String().with_variant(String(collation="C"), "postgresql")


def _one_of(
    column: str,
    values: type[Status | OrganizationType | TokenState | Origin | Action | Role | ApprovalState],
) -> str:
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"


def _where(condition: str) -> dict[str, Any]:
    """Return what makes an index partial, on either engine."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _fact(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _token_days() -> Column[int]:
    """Return the column of an expiry policy: how long a new token lives, NULL for no limit."""
    return Column("token_days", Integer)


organization = Table(
    "organization",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("search_key", _Key, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("state", Text, nullable=False),
    *map(
        _fact,
        (
            "contact_person",
            "primary_recorder",
            "address",
            "telephone",
            "fax",
            "web_page",
            "hours",
            "document_types",
        ),
    ),
    _token_days(),
    CheckConstraint("token_days BETWEEN 1 AND 730", name="token_days"),
    CheckConstraint(_one_of("type", OrganizationType), name="type"),
    CheckConstraint(_one_of("status", Status), name="status"),
)

service = Table(
    "service",
    metadata,
    Column("service_id", _Key, primary_key=True),
    Column("name", Text, nullable=False),
    _token_days(),
    CheckConstraint("token_days BETWEEN 1 AND 730", name="token_days"),
)

#: What a service signs in with to ask about its own tokens; two live at once while it is changed.
service_credential = Table(
    "service_credential",
    metadata,
    Column("client_id", _Key, primary_key=True),
    Column("service_id", _Key, ForeignKey("service.service_id"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("pepper", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", _Key, nullable=False),
    Column("ended_at", BigInteger),
    Index("ix_service_credential_service", "service_id"),
)

subscription = Table(
    "subscription",
    metadata,
    Column("organization_id", _Key, ForeignKey("organization.organization_id"), primary_key=True),
    Column("service_id", _Key, ForeignKey("service.service_id"), primary_key=True),
    Column("status", Text, nullable=False),
    *map(_fact, ("since", "license_number", "plan", "starts_on", "renews_on")),
    Column("seats", Integer),
    *map(_fact, ("notify_recorded", "notify_rejected", "notify_fees", "notify_to")),
    # Raised by every transaction that changes tokens or members of this organization and service.
    Column("revision", BigInteger, nullable=False, server_default="0"),
    CheckConstraint(_one_of("status", Status), name="status"),
)

user_account = Table(
    "user_account",
    metadata,
    Column("username", _Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    # Set for staff accounts only: they belong to no organization. What they may do is granted.
    Column("staff_status", Text),
    CheckConstraint(f"staff_status IS NULL OR {_one_of('staff_status', Status)}", name="staff"),
)

member = Table(
    "member",
    metadata,
    Column("organization_id", _Key, ForeignKey("organization.organization_id"), primary_key=True),
    Column("member_id", _Key, primary_key=True),
    Column("username", _Key, ForeignKey("user_account.username"), nullable=False),
    Column("status", Text, nullable=False),
    # The account's name and e-mail again: an organization's page reads its own shard alone.
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("sort_key", _Key, nullable=False),
    Column("search_key", _Key, nullable=False),
    CheckConstraint(_one_of("status", Status), name="status"),
    Index("uq_member_username", "organization_id", "username", unique=True),
    Index("ix_member_table", "organization_id", "sort_key", "member_id"),
    Index("ix_member_account", "username"),
)

operation = Table(
    "operation",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    # An id that makes a confirmed action happen once only.
    Column("operation_id", _Key, primary_key=True),
    Column("service_id", _Key, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", _Key, ForeignKey("user_account.username"), nullable=False),
    Column("confirmed_at", BigInteger, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    # Shared by the operations of one act over several organizations and services.
    *map(_fact, ("csv_name", "csv_sha256", "batch_id")),
    ForeignKeyConstraint(
        ["organization_id", "service_id"],
        ["subscription.organization_id", "subscription.service_id"],
    ),
    CheckConstraint(_one_of("action", Action), name="action"),
    Index("ix_operation_batch", "batch_id", **_where("batch_id <> ''")),
    # What one person generated lately, in all organizations.
    Index("ix_operation_generated", "actor", "confirmed_at", **_where("action = 'generate'")),
)

operation_result = Table(
    "operation_result",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    Column("operation_id", _Key, primary_key=True),
    Column("member_id", _Key, primary_key=True),
    # `done`, or the reason of the skip.
    Column("result", Text, nullable=False),
    ForeignKeyConstraint(
        ["organization_id", "operation_id"],
        ["operation.organization_id", "operation.operation_id"],
    ),
)

token = Table(
    "token",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    Column("token_id", _Key, primary_key=True),
    Column("service_id", _Key, nullable=False),
    Column("member_id", _Key, nullable=False),
    Column("state", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("digest", LargeBinary),
    Column("pepper", Integer),
    Column("hint", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("accepted_at", BigInteger),
    Column("last_used_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("ended_from", Text),
    Column("made_by_operation", _Key),
    Column("ended_by_operation", _Key),
    ForeignKeyConstraint(
        ["organization_id", "member_id"], ["member.organization_id", "member.member_id"]
    ),
    ForeignKeyConstraint(
        ["organization_id", "service_id"],
        ["subscription.organization_id", "subscription.service_id"],
    ),
    CheckConstraint(_one_of("state", TokenState), name="state"),
    CheckConstraint(_one_of("origin", Origin), name="origin"),
    CheckConstraint(
        "(ended_at IS NULL) = (state IN ('pending', 'accepted'))"
        " AND (ended_at IS NULL) = (ended_from IS NULL)",
        name="ended",
    ),
    CheckConstraint("state <> 'accepted' OR digest IS NOT NULL", name="accepted_has_digest"),
    # A person's whole history (User 360).
    Index("ix_token_member", "organization_id", "member_id", "token_id"),
    # At most one live pending and one live accepted row per member and service. The state is a
    # literal in the index and in every statement: a bound parameter or IN uses no partial index.
    Index(
        "uq_token_pending",
        "organization_id",
        "service_id",
        "member_id",
        unique=True,
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "uq_token_accepted",
        "organization_id",
        "service_id",
        "member_id",
        unique=True,
        sqlite_where=text("state = 'accepted'"),
        postgresql_where=text("state = 'accepted'"),
    ),
    Index(
        "uq_token_digest",
        "digest",
        unique=True,
        sqlite_where=text("ended_at IS NULL"),
        postgresql_where=text("ended_at IS NULL"),
    ),
    # For leaked tokens that ended before the leak was found.
    Index("ix_token_ended_digest", "digest", **_where("ended_at IS NOT NULL")),
)

role_grant = Table(
    "role_grant",
    metadata,
    Column("grant_id", _Key, primary_key=True),
    Column("username", _Key, ForeignKey("user_account.username"), nullable=False),
    Column("role", Text, nullable=False),
    # NULL: in all organizations.
    Column("organization_id", _Key, ForeignKey("organization.organization_id")),
    Column("granted_at", BigInteger, nullable=False),
    Column("granted_by", _Key, nullable=False),
    CheckConstraint(_one_of("role", Role), name="role"),
    Index(
        "uq_role_grant_everywhere",
        "username",
        "role",
        unique=True,
        sqlite_where=text("organization_id IS NULL"),
        postgresql_where=text("organization_id IS NULL"),
    ),
    Index(
        "uq_role_grant_organization",
        "username",
        "role",
        "organization_id",
        unique=True,
        sqlite_where=text("organization_id IS NOT NULL"),
        postgresql_where=text("organization_id IS NOT NULL"),
    ),
)

#: A person's stay with us after the identity provider let them in. Ended here, it is ended for
#: every copy of its cookie.
sign_in = Table(
    "sign_in",
    metadata,
    Column("sign_in_id", _Key, primary_key=True),
    # Empty when the directory has nobody of that name.
    Column("username", _Key, nullable=False),
    Column("signed_in_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
)

approval = Table(
    "approval",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    Column("operation_id", _Key, primary_key=True),
    Column("service_id", _Key, nullable=False),
    Column("requester", _Key, ForeignKey("user_account.username"), nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("users", Integer, nullable=False),
    # Compared before anything is done.
    Column("plan_digest", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("answered_by", _Key),
    Column("answered_at", BigInteger),
    # The whole plan as JSON (lib.domain.plan). SQLite reads through a long text to whatever stands
    # behind it: that is read for one request alone, never for a list.
    Column("plan", Text, nullable=False),
    # The grant by which who answered is an approver, as it was then.
    Column("approver_granted_by", _Key),
    Column("approver_granted_at", BigInteger),
    ForeignKeyConstraint(
        ["organization_id", "service_id"],
        ["subscription.organization_id", "subscription.service_id"],
    ),
    CheckConstraint(_one_of("state", ApprovalState), name="state"),
    CheckConstraint("(state = 'waiting') = (answered_by IS NULL)", name="answered"),
    CheckConstraint("answered_by <> requester", name="four_eyes"),
    Index("ix_approval_asked", "asked_at"),
)

#: The end of each chain, locked while events are appended to it.
audit_head = Table(
    "audit_head",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

#: Append-only: triggers refuse UPDATE and DELETE. No foreign keys, so that nothing depends on it.
audit_event = Table(
    "audit_event",
    metadata,
    # The chain: an organization, or empty for what belongs to none.
    Column("organization_id", _Key, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    # Ids rise with time, so the newest events first is an order of ids.
    Column("event_id", _Key, nullable=False),
    Column("happened_at", BigInteger, nullable=False),
    Column("action", _Key, nullable=False),
    Column("actor", _Key, nullable=False),
    Column("address", Text, nullable=False),
    Column("service_id", _Key, nullable=False),
    Column("operation_id", _Key, nullable=False),
    Column("subject", _Key, nullable=False),
    Column("users", Integer, nullable=False),
    *[Column(name, Text, nullable=False) for name in ("users_digest", "reason", "detail")],
    Column("key_number", Integer, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Index("ix_audit_event_recent", "event_id"),
    # One for each thing that the Activity page can look for, so that a page of the newest is read
    # from the end of an index, however many events there are.
    Index("ix_audit_event_action", "action", "event_id"),
    Index("ix_audit_event_actor", "actor", "action", "event_id"),
    Index("ix_audit_event_organization", "organization_id", "action", "event_id"),
    Index("ix_audit_event_organization_actor", "organization_id", "actor", "event_id"),
    Index("ix_audit_event_subject", "subject", "action", "event_id", **_where("subject <> ''")),
    Index(
        "ix_audit_event_organization_subject",
        "organization_id",
        "subject",
        "event_id",
        **_where("subject <> ''"),
    ),
    Index(
        "ix_audit_event_operation",
        "organization_id",
        "operation_id",
        "event_id",
        **_where("operation_id <> ''"),
    ),
)
