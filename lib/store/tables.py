"""The tables. Migrations build them; a test compares the two.

Moments are milliseconds (lib.domain.clock), ids 32 hexadecimal digits (lib.domain.ids). Whatever
belongs to an organization begins its keys with the organization's id, so that a distributed
PostgreSQL can shard by it; the digest's index is the stated exception.
"""

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

from lib.domain.states import Action, OrganizationType, Origin, Status, TokenState

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
    column: str, values: type[Status | OrganizationType | TokenState | Origin | Action]
) -> str:
    return f"{column} IN ({', '.join(repr(v.value) for v in values)})"


def _fact(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


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
    CheckConstraint(_one_of("type", OrganizationType), name="type"),
    CheckConstraint(_one_of("status", Status), name="status"),
)

service = Table(
    "service",
    metadata,
    Column("service_id", _Key, primary_key=True),
    Column("name", Text, nullable=False),
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
    # Set for staff accounts only: they belong to no organization and are API administrators.
    Column("staff_status", Text),
    CheckConstraint(f"staff_status IS NULL OR {_one_of('staff_status', Status)}", name="staff"),
    # A handful among 100,000 accounts.
    Index(
        "ix_user_account_staff",
        "username",
        sqlite_where=text("staff_status = 'active'"),
        postgresql_where=text("staff_status = 'active'"),
    ),
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
    *map(_fact, ("csv_name", "csv_sha256")),
    ForeignKeyConstraint(
        ["organization_id", "service_id"],
        ["subscription.organization_id", "subscription.service_id"],
    ),
    CheckConstraint(_one_of("action", Action), name="action"),
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
)
