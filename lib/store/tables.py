"""The newest tables. Migrations create them, and a test compares the two.

Moments are milliseconds (lib.domain.clock), and ids are 32 hexadecimal digits (lib.domain.ids). The
keys of all rows of an organization begin with its id, so that a distributed PostgreSQL can shard by
it. The only exception is the index of digests.
"""

from enum import StrEnum
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
from lib.domain.states import (
    Action,
    ApprovalState,
    Cause,
    Delivery,
    ExistingTokens,
    OrganizationType,
    Origin,
    Status,
    TokenState,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(constraint_name)s",
    }
)

# Byte order on both engines: both sort alike, and LIKE and keyset pages can use the index.
_Key = String().with_variant(String(collation="C"), "postgresql")


def _one_of(column: str, values: type[StrEnum]) -> str:
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"


def _where(condition: str) -> dict[str, Any]:
    """Return the arguments of a partial index for both engines."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


def _fact(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _token_days() -> Column[int]:
    """Return the column of an expiry policy: days, or NULL for no limit."""
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

#: Client credentials of services. A service can have two live ones, so that it can rotate them.
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
    # Set only for staff accounts, which belong to no organization. Their rights come from grants.
    Column("staff_status", Text),
    # The username without regard to case: two that differ by case only are not let in.
    Column("username_key", _Key, nullable=False, server_default=""),
    CheckConstraint(f"staff_status IS NULL OR {_one_of('staff_status', Status)}", name="staff"),
    Index("ix_user_account_key", "username_key"),
    Index("ix_user_account_staff", "username", **_where("staff_status IS NOT NULL")),
)

member = Table(
    "member",
    metadata,
    Column("organization_id", _Key, ForeignKey("organization.organization_id"), primary_key=True),
    Column("member_id", _Key, primary_key=True),
    Column("username", _Key, ForeignKey("user_account.username"), nullable=False),
    Column("status", Text, nullable=False),
    # Copies of the account's name and e-mail, so that a page of an organization reads one shard.
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("sort_key", _Key, nullable=False),
    Column("search_key", _Key, nullable=False),
    CheckConstraint(_one_of("status", Status), name="status"),
    Index("uq_member_username", "organization_id", "username", unique=True),
    Index("ix_member_table", "organization_id", "sort_key", "member_id"),
    Index("ix_member_account", "username"),
    # Coverage takes the few inactive members away from counts of everybody.
    Index("ix_member_inactive", "organization_id", "member_id", **_where("status <> 'active'")),
)

operation = Table(
    "operation",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    # The id of the plan. As a primary key it ensures that a plan is executed only once.
    Column("operation_id", _Key, primary_key=True),
    Column("service_id", _Key, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor", _Key, ForeignKey("user_account.username"), nullable=False),
    Column("confirmed_at", BigInteger, nullable=False),
    Column("plan_digest", Text, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    # `batch_id` is shared by the operations of one click in several organizations and services.
    *map(_fact, ("csv_name", "csv_sha256", "batch_id")),
    # The choice of Generate & Export; of other actions it means nothing.
    Column("existing_tokens", Text, nullable=False, server_default=ExistingTokens.STOP.value),
    Column("cause", Text, nullable=False, server_default=Cause.BULK.value),
    # The operation that this one undid; empty for none. It is undone once only.
    _fact("undoes"),
    # What the server saw of the download of the CSV; empty without one.
    _fact("csv_delivery"),
    ForeignKeyConstraint(
        ["organization_id", "service_id"],
        ["subscription.organization_id", "subscription.service_id"],
    ),
    CheckConstraint(_one_of("action", Action), name="action"),
    CheckConstraint(_one_of("existing_tokens", ExistingTokens), name="existing_tokens"),
    CheckConstraint(_one_of("cause", Cause), name="cause"),
    CheckConstraint("(cause = 'undo') = (undoes <> '')", name="undoes"),
    CheckConstraint(_one_of("csv_delivery", Delivery), name="csv_delivery"),
    Index(
        "uq_operation_undoes", "organization_id", "undoes", unique=True, **_where("undoes <> ''")
    ),
    # For an operation by its id alone (Users).
    Index("ix_operation_id", "operation_id"),
    Index("ix_operation_batch", "batch_id", **_where("batch_id <> ''")),
    # For Activity's list of these operations, which are few.
    Index("ix_operation_not_sent", "organization_id", **_where("csv_delivery = 'not sent'")),
    # For the tokens that one person generated lately, in all organizations.
    Index("ix_operation_generated", "actor", "confirmed_at", **_where("action = 'generate'")),
)

operation_result = Table(
    "operation_result",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    Column("operation_id", _Key, primary_key=True),
    Column("member_id", _Key, primary_key=True),
    # `done`, or the value of a Skip.
    Column("result", Text, nullable=False),
    # The live rows of the member before the operation. Undo compares them with those of now.
    Column("had_pending", _Key),
    Column("had_accepted", _Key),
    ForeignKeyConstraint(
        ["organization_id", "operation_id"],
        ["operation.organization_id", "operation.operation_id"],
    ),
    # For the operations that concern one member (Activity, About whom).
    Index("ix_operation_result_member", "organization_id", "member_id", "operation_id"),
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
    # When the token was made. NULL for a request, which is no token yet.
    Column("issued_at", BigInteger),
    # Undo revives a row by a new one, which takes the digest; and the first row of all of them.
    Column("revives", _Key),
    Column("first_token_id", _Key),
    # When a recall or a revocation named the token. It never lives again.
    Column("barred_at", BigInteger),
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
    CheckConstraint("(revives IS NULL) = (first_token_id IS NULL)", name="first_token_id"),
    CheckConstraint("barred_at IS NULL OR ended_at IS NOT NULL", name="barred_at"),
    Index(
        "uq_token_revives",
        "organization_id",
        "revives",
        unique=True,
        **_where("revives IS NOT NULL"),
    ),
    # For a person's whole history (User 360).
    Index("ix_token_member", "organization_id", "member_id", "token_id"),
    # At most one pending and one accepted row for each member and service. The state is a literal
    # in the index and in every statement: with a parameter or IN no partial index is used.
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
    # Coverage and worries are counted from these indexes alone: pending tokens, those that expire,
    # and those that are not used. From the table it takes seconds at a million tokens.
    Index(
        "ix_token_pending",
        *("organization_id", "service_id", "member_id", "created_at", "origin", "last_used_at"),
        "expires_at",
        **_where("state = 'pending'"),
    ),
    Index(
        "ix_token_expiry",
        *("expires_at", "organization_id", "service_id", "member_id"),
        **_where("state = 'accepted'"),
    ),
    Index(
        "ix_token_used",
        *("last_used_at", "accepted_at", "expires_at"),
        *("organization_id", "service_id", "member_id"),
        **_where("state = 'accepted'"),
    ),
    # For tokens by their visible part (Users).
    Index("ix_token_hint", "hint", **_where("hint IS NOT NULL")),
    # For leaked tokens that had ended before the leak was found.
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

#: A session after a sign-in at the identity provider. Ending the row ends the session for every
#: copy of its cookie.
sign_in = Table(
    "sign_in",
    metadata,
    Column("sign_in_id", _Key, primary_key=True),
    # Empty if the directory had no such account.
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
    # Compared with the plan before it is executed.
    Column("plan_digest", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("answered_by", _Key),
    Column("answered_at", BigInteger),
    # The whole plan as JSON (lib.domain.plan). To read a column behind a long text SQLite must read
    # all of the text. So the columns behind it are read for single requests, never for a list.
    Column("plan", Text, nullable=False),
    # The grant that made the person an approver, at the time of the answer.
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

#: Which key each number stood for when the database was first used with it.
key_check = Table(
    "key_check",
    metadata,
    Column("key_number", Integer, primary_key=True, autoincrement=False),
    Column("check_value", LargeBinary, nullable=False),
)

#: The end of each chain, locked while events are appended to it.
audit_head = Table(
    "audit_head",
    metadata,
    Column("organization_id", _Key, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)

#: Append-only: triggers refuse UPDATE and DELETE. It has no foreign keys, so that it is independent
#: of all other tables.
audit_event = Table(
    "audit_event",
    metadata,
    # The chain: an organization, or empty for events without an organization.
    Column("organization_id", _Key, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    # Ids rise with time, so sorting by id sorts by time.
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
    # One index for each filter of the Activity page, so that a page of the newest events is read
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
