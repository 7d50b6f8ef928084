"""Undo, and Generate & Export that keeps existing tokens."""

from alembic import op
from sqlalchemy import BigInteger, Column, String, text

from lib.domain.clock import DAY, now

revision = "0008"
down_revision = "0007"

_Key = String().with_variant(String(collation="C"), "postgresql")
_LONGEST_UNDO = 90 * DAY  # the most that TOKEN_DESK_UNDO_DAYS allows


def upgrade() -> None:
    """Add the columns and fill them. A batch does not say whether it was a recall: it is unknown.

    Operations until now ended existing tokens.
    """
    _add_with_check(
        "operation",
        "existing_tokens TEXT DEFAULT 'stop' NOT NULL",
        "existing_tokens IN ('stop', 'keep')",
    )
    _add_with_check(
        "operation",
        "cause TEXT DEFAULT 'bulk' NOT NULL",
        "cause IN ('bulk', 'off-boarding', 'recall', 'undo', 'unknown')",
    )
    _add_with_check(
        "operation",
        "undoes TEXT DEFAULT '' NOT NULL",
        "(cause = 'undo') = (undoes <> '')",
    )
    op.execute("UPDATE operation SET cause = 'unknown' WHERE batch_id <> ''")
    _add_unique("operation", "undoes", "undoes <> ''")
    op.add_column("token", Column("issued_at", BigInteger))
    op.execute(
        "UPDATE token SET issued_at = CASE WHEN origin = 'request' THEN accepted_at"
        " ELSE created_at END WHERE digest IS NOT NULL"
    )
    op.add_column("token", Column("revives", _Key))
    _add_with_check(
        "token", f"first_token_id {_key_type()}", "(revives IS NULL) = (first_token_id IS NULL)"
    )
    _add_with_check("token", "barred_at BIGINT", "barred_at IS NULL OR ended_at IS NOT NULL")
    _add_unique("token", "revives", "revives IS NOT NULL")
    for state in ("pending", "accepted"):
        op.add_column("operation_result", Column(f"had_{state}", _Key))
        _fill_had(state)


def _add_with_check(table: str, column: str, condition: str) -> None:
    """Add a column with its check. Neither engine needs to rebuild the table for this."""
    name = column.split(" ", 1)[0]
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {column} CONSTRAINT ck_{table}_{name} CHECK ({condition})"
    )


def _key_type() -> str:
    return str(_Key.compile(dialect=op.get_bind().dialect))


def _add_unique(table: str, column: str, condition: str) -> None:
    op.create_index(
        f"uq_{table}_{column}",
        table,
        ["organization_id", column],
        unique=True,
        sqlite_where=text(condition),
        postgresql_where=text(condition),
    )


#: A row of this state was live at the moment of an operation that did not end it.
_LIVE_AT = {
    "pending": "(t.accepted_at IS NULL OR t.accepted_at > o.confirmed_at)",
    "accepted": "t.accepted_at <= o.confirmed_at",
}


def _fill_had(state: str) -> None:
    """Fill the live rows of this state before an operation, for those that can still be undone."""
    op.get_bind().execute(
        text(
            f"UPDATE operation_result SET had_{state} = (SELECT min(t.token_id)"
            " FROM operation o JOIN token t ON t.organization_id = o.organization_id"
            " AND t.service_id = o.service_id AND t.member_id = operation_result.member_id"
            " WHERE o.organization_id = operation_result.organization_id"
            " AND o.operation_id = operation_result.operation_id"
            " AND (t.ended_by_operation = o.operation_id"
            f"  AND t.ended_from = '{state}'"
            "  OR (t.made_by_operation IS NULL OR t.made_by_operation <> o.operation_id)"
            "  AND (t.ended_by_operation IS NULL OR t.ended_by_operation <> o.operation_id)"
            f"  AND t.created_at <= o.confirmed_at AND {_LIVE_AT[state]}"
            "  AND (t.ended_at IS NULL OR t.ended_at > o.confirmed_at)))"
            " WHERE result = 'done' AND EXISTS (SELECT 1 FROM operation u"
            "  WHERE u.organization_id = operation_result.organization_id"
            "  AND u.operation_id = operation_result.operation_id"
            "  AND u.cause = 'bulk' AND u.confirmed_at >= :since)"
        ),
        {"since": now() - _LONGEST_UNDO},
    )
