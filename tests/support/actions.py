"""Helpers for tests of the actions: users with tokens, one action, and the resulting rows."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Engine, text

from lib.domain.access import Actor
from lib.domain.clock import MINUTE
from lib.domain.ids import new_id
from lib.domain.plan import Plan
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, ExistingTokens, Holding
from lib.domain.token_format import hint, mint
from lib.operations.actions import Outcome, execute, plan_action
from lib.store import approval_queries, tables
from lib.store.engine import reading, writing
from tests.support.database_facts import NOW
from tests.support.directory import (
    ADMIN,
    ADMINISTRATOR,
    MINTING,
    ORG,
    SERVICE,
    add_staff,
    by,
    unit_of_work,
)

LATER = NOW + MINUTE
OTHER_ADMIN = Actor("okafor", "Ada Okafor", ADMINISTRATOR)
TABLES = (
    "organization",
    "service",
    "subscription",
    "user_account",
    "member",
    "operation",
    "operation_result",
    "token",
    "role_grant",
    "approval",
)


def later() -> int:
    """Return a minute after the tests' moment."""
    return LATER


def add_administrator(engine: Engine, actor: Actor = OTHER_ADMIN, status: str = "active") -> Actor:
    """Add another API administrator."""
    with writing(engine) as connection:
        add_staff(connection, actor.username, actor.name, Grant(Role.ADMINISTRATOR), status=status)
    return actor


def give(
    engine: Engine,
    member_id: str,
    holding: Holding,
    *,
    organization_id: str = ORG,
    service_id: str = SERVICE,
    **facts: object,
) -> list[str]:
    """Give a user live tokens, made a minute ago. Return them in clear, pending first."""
    states = {
        Holding.NOTHING: [],
        Holding.PENDING: ["pending"],
        Holding.ACCEPTED: ["accepted"],
        Holding.BOTH: ["pending", "accepted"],
    }[holding]
    plain = mint(len(states), MINTING.prefix)
    with writing(engine) as connection:
        for state, token in zip(states, plain, strict=True):
            values = {
                "organization_id": organization_id,
                "token_id": new_id(NOW),
                "service_id": service_id,
                "member_id": member_id,
                "state": state,
                "origin": "export",
                "digest": MINTING.digests([token])[0],
                "pepper": 1,
                "hint": hint(token),
                "created_at": NOW - MINUTE,
                "issued_at": NOW - MINUTE,
                "accepted_at": NOW if state == "accepted" else None,
            }
            connection.execute(tables.token.insert().values(values | facts))
    return plain


def plan(
    engine: Engine,
    action: Action,
    member_ids: Sequence[str],
    *,
    actor: Actor = ADMIN,
    organization_id: str = ORG,
    service_id: str = SERVICE,
    existing_tokens: ExistingTokens = ExistingTokens.STOP,
) -> Plan:
    """Plan an action at the tests' moment."""
    return plan_action(
        unit_of_work(engine, lambda: NOW),
        actor,
        action,
        organization_id,
        service_id,
        member_ids,
        existing_tokens,
    )


def act(
    engine: Engine, action: Action, member_ids: Sequence[str], **where: Any
) -> tuple[Plan, Outcome]:
    """Plan an action, and execute it a minute later."""
    planned = plan(engine, action, member_ids, **where)
    return planned, execute(unit_of_work(engine, later), by(planned), planned, MINTING)


def change(engine: Engine, statement: str, **values: object) -> None:
    """Execute a statement on the directory or tokens."""
    with writing(engine) as connection:
        connection.execute(text(statement), values)


def select(engine: Engine, statement: str, **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a statement."""
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def everything(engine: Engine) -> dict[str, list[str]]:
    """Return every row of every table, to compare before and after."""
    return {
        table: sorted(str(row) for row in select(engine, f"SELECT * FROM {table}"))
        for table in TABLES
    }


def live_matches(engine: Engine, tokens: Iterable[str]) -> list[int]:
    """Return for each token the number of live rows with its digest: 1 if it works, else 0."""
    with reading(engine) as connection:
        statement = text("SELECT count(*) FROM token WHERE digest = :digest AND ended_at IS NULL")
        return [
            connection.execute(statement, {"digest": digest}).scalar_one()
            for digest in MINTING.digests(tokens)
        ]


def csv_rows(content: bytes | None) -> list[dict[str, str]]:
    """Return the rows of an exported CSV, by column."""
    text_ = (content or b"").decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text_, newline=""), strict=True))


def asked_for(engine: Engine, operation_id: str, organization_id: str = ORG) -> tuple:
    """Return a stored request for approval, and its plan."""
    with reading(engine) as connection:
        found = approval_queries.find(connection, organization_id, operation_id)
        return found, approval_queries.plan_of(connection, organization_id, operation_id)


def exported(outcome: Outcome) -> list[str]:
    """Return the tokens of an exported CSV, in its order."""
    return [row["API Token"] for row in csv_rows(outcome.csv)]


class MovableClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, at: int = NOW) -> None:
        self.at = at

    def __call__(self) -> int:
        """Return the moment at which it stands."""
        return self.at
