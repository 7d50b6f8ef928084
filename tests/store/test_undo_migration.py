"""Migration 0008 on a filled database: its operations can be undone, and its batches cannot."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, column, insert, table

from lib.domain import clock
from lib.domain.clock import DAY, MINUTE
from lib.domain.errors import NotUndoableError
from lib.domain.ids import new_id
from lib.domain.token_format import hint, mint
from lib.domain.undo import UndoRefusal
from lib.operations.undo import plan_undo, undo
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store.engine import migrating, open_engine
from lib.store.migrate import migrate
from tests.store.test_migrations import upgrade_to
from tests.support.actions import live_matches, select
from tests.support.directory import ADMIN, MINTING, unit_of_work

PLACE = {"organization_id": "UTCJF1", "service_id": "erecording"}
NOW = clock.now()  # operations are filled that can still be undone
BEFORE, AT = NOW - DAY, NOW - DAY // 2
OLD, NEW, UNTOUCHED, REMOVED, BATCHED = mint(5, MINTING.prefix)


def rows() -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the rows of a database at 0006, in the order of the foreign keys.

    One user's token was replaced; another's was removed, and a pending one left; a batch removed a
    third one.
    """
    words = {"search_key": "x", "name": "x"}
    yield "organization", {
        "organization_id": "UTCJF1", "type": "recipient", "status": "active", "state": "UT"
    } | words  # fmt: skip
    yield "service", {"service_id": "erecording", "name": "eRecording"}
    yield "subscription", PLACE | {"status": "active", "revision": 0}
    staff = {"username": "mhale", "name": "Morgan Hale", "email": "", "staff_status": "active"}
    yield "user_account", staff
    grant = {"grant_id": "g", "username": "mhale", "role": "administrator", "granted_by": ""}
    yield "role_grant", grant | {"granted_at": BEFORE}
    for number in range(3):
        person = {"username": f"u{number}", "email": "", "name": "User"}
        yield "user_account", person
        yield (
            "member",
            person
            | {
                "organization_id": "UTCJF1",
                "member_id": f"m{number}",
                "status": "active",
                "sort_key": f"{number}",
                "search_key": "x",
            },
        )
    for number, (action, batch_id) in enumerate(
        [("generate", ""), ("remove", ""), ("remove", "batch")]
    ):
        yield (
            "operation",
            PLACE
            | {
                "operation_id": f"o{number}",
                "action": action,
                "actor": "mhale",
                "confirmed_at": AT,
                "plan_digest": "d",
                "changed": 1,
                "skipped": 0,
                "batch_id": batch_id,
            },
        )
        result = {"operation_id": f"o{number}", "member_id": f"m{number}", "result": "done"}
        yield "operation_result", result | {"organization_id": "UTCJF1"}
    yield "token", token(0, OLD, BEFORE, "replaced", accepted=True, ended_by="o0")
    yield "token", token(0, NEW, AT, "pending", made_by="o0")
    yield "token", token(1, UNTOUCHED, BEFORE, "pending")
    yield "token", token(1, REMOVED, BEFORE - DAY, "removed", accepted=True, ended_by="o1")
    yield "token", token(2, BATCHED, BEFORE, "removed", accepted=True, ended_by="o2")


def token(
    number: int,
    plain: str,
    created: int,
    state: str,
    *,
    accepted: bool = False,
    made_by: str | None = None,
    ended_by: str | None = None,
) -> dict[str, object]:
    """Return a token row of the user with this number, as 0006 has it."""
    return PLACE | {
        "token_id": new_id(created),
        "member_id": f"m{number}",
        "state": state,
        "origin": "export",
        "digest": MINTING.digests([plain])[0],
        "pepper": 1,
        "hint": hint(plain),
        "created_at": created,
        "accepted_at": created + MINUTE if accepted else None,
        "ended_at": AT if ended_by else None,
        "ended_from": "accepted" if ended_by else None,
        "made_by_operation": made_by,
        "ended_by_operation": ended_by,
    }


@pytest.fixture
def migrated(empty_url: str) -> Iterator[Engine]:
    """A database that was filled at 0006 and migrated."""
    engine = open_engine(empty_url)
    with migrating(engine) as connection:
        upgrade_to(connection, "0007")
        for name, values in rows():
            described = table(name, *map(column, values))
            connection.execute(insert(described).values(values))
    migrate(engine)
    yield engine
    engine.dispose()


def test_tokens_verify_as_before_the_migration(migrated):
    """With the time of their issue and their id."""
    verifier = TokenVerifier(unit_of_work(migrated, clock.now), MINTING)
    found = verifier.check(UNTOUCHED)
    assert (found.issued_at, found.jti) == (BEFORE, found.token_id)
    assert [verifier.check(token) for token in (OLD, REMOVED, BATCHED)] == [None] * 3
    verifier.close()


@pytest.mark.parametrize(
    ("operation_id", "live"),
    [("o0", [1, 0, 1, 0]), ("o1", [0, 1, 1, 1])],
)
def test_an_operation_from_before_the_migration_can_be_undone(migrated, operation_id, live):
    """The rows that it left are known."""
    books = unit_of_work(migrated, clock.now)
    planned = plan_undo(books, ADMIN, "UTCJF1", operation_id)
    assert planned.preview.skipped == ()
    undo(books, ADMIN, planned)
    assert live_matches(migrated, [OLD, NEW, UNTOUCHED, REMOVED]) == live


def test_a_batch_from_before_the_migration_cannot_be_undone(migrated):
    """Nothing says whether it was a recall."""
    with pytest.raises(NotUndoableError) as caught:
        plan_undo(unit_of_work(migrated, clock.now), ADMIN, "UTCJF1", "o2")
    assert caught.value.refusal is UndoRefusal.OLD_BATCH
    causes = select(migrated, "SELECT cause, existing_tokens FROM operation ORDER BY operation_id")
    assert causes == [("bulk", "stop"), ("bulk", "stop"), ("unknown", "stop")]
