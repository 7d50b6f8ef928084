"""What the database itself forbids, and which indexes the queries use."""

import re

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import IntegrityError

from lib.domain.clock import HOUR
from lib.domain.ids import new_id
from lib.domain.lifecycle import ActiveFlags, Change
from lib.domain.operations import Scope
from lib.domain.states import Action, OrganizationType, Origin, Skip, Status, TokenState
from lib.operations.database import open_database
from lib.store import coverage_queries, directory_queries, operation_queries, tables, token_queries
from lib.store.engine import open_engine, reading, writing
from tests.support.database_facts import NOW
from tests.support.directory import ORG, SERVICE, build

SCOPE = Scope(ORG, "Organization", SERVICE, "eRecording", ActiveFlags())


def add(engine: Engine, member_id: str, state: str = "pending", **facts: object) -> None:
    """Insert one token row in its own transaction."""
    values = {
        "organization_id": ORG,
        "token_id": new_id(NOW),
        "service_id": SERVICE,
        "member_id": member_id,
        "state": state,
        "origin": "export",
        "created_at": NOW,
        "digest": None if state == "pending" else new_id(NOW).encode(),
    }
    with writing(engine) as connection:
        connection.execute(tables.token.insert().values(values | facts))


class TestOneLiveRow:
    """A member has at most one pending and one accepted row for each service."""

    @pytest.mark.parametrize("state", ["pending", "accepted"])
    def test_a_second_one_is_refused(self, engine, state):
        """A second row is refused, and the error names the partial unique index."""
        member, _ = build(engine, 2)
        add(engine, member, state)
        with pytest.raises(IntegrityError, match=r"uq_token|token\.service_id"):
            add(engine, member, state)

    def test_one_of_each_and_closed_ones_beside_them(self, engine):
        """Pending beside accepted, other members, other services and ended rows are allowed."""
        member, other = build(engine, 2, services=(SERVICE, "plats"))
        for who, service in ((member, SERVICE), (member, "plats"), (other, SERVICE)):
            add(engine, who, "pending", service_id=service)
            add(engine, who, "accepted", service_id=service)
        for _ in range(3):
            add(engine, member, "removed", ended_at=NOW, ended_from="accepted")
        with reading(engine) as connection:
            assert connection.execute(text("SELECT count(*) FROM token")).scalar_one() == 9

    def test_two_live_rows_with_one_digest(self, engine):
        """Only one live row may have a digest; an ended row may have the same one."""
        member, other = build(engine, 2)
        add(engine, member, "accepted", digest=b"d")
        add(engine, other, "replaced", digest=b"d", ended_at=NOW, ended_from="accepted")
        with pytest.raises(IntegrityError):
            add(engine, other, "pending", digest=b"d")


TOKENS_REFUSED = [
    ({"state": "open", "ended_at": NOW, "ended_from": "pending"}, "ck_token_state"),
    ({"origin": "gift"}, "ck_token_origin"),
    ({"ended_at": NOW, "ended_from": "pending"}, "ck_token_ended"),
    ({"state": "removed"}, "ck_token_ended"),
    ({"state": "removed", "ended_at": NOW}, "ck_token_ended"),
    ({"ended_from": "pending"}, "ck_token_ended"),
    ({"state": "accepted", "digest": None}, "ck_token_accepted_has_digest"),
    ({"member_id": "nobody"}, "FOREIGN KEY|fk_token_member"),
    ({"service_id": "nothing"}, "FOREIGN KEY|fk_token_subscription"),
]
CHANGES_REFUSED = [
    ("UPDATE organization SET type = 'x'", "ck_organization_type"),
    ("UPDATE organization SET status = 'x'", "ck_organization_status"),
    ("UPDATE subscription SET status = 'x'", "ck_subscription_status"),
    ("UPDATE member SET status = 'x'", "ck_member_status"),
    ("UPDATE user_account SET staff_status = 'x'", "ck_user_account_staff"),
    ("UPDATE member SET username = 'mhale'", "uq_member_username|member.username"),
    ("UPDATE member SET username = username || 'x'", "FOREIGN KEY|fk_member_user_account"),
    ("DELETE FROM organization", "FOREIGN KEY|fk_"),
]


class TestForbidden:
    """Named check constraints and foreign keys."""

    def test_token(self, engine, subtests):
        """An invalid state, origin, end or reference is refused."""
        (member,) = build(engine, 1)
        for facts, constraint in TOKENS_REFUSED:
            with (
                subtests.test(constraint, **facts),
                pytest.raises(IntegrityError, match=constraint),
            ):
                add(engine, **({"member_id": member} | facts))

    def test_directory(self, engine, subtests):
        """An unknown word, a duplicate username and a missing account are refused."""
        build(engine, 2)
        for change, constraint in CHANGES_REFUSED:
            with (
                subtests.test(change),
                pytest.raises(IntegrityError, match=constraint),
                writing(engine) as connection,
            ):
                connection.execute(text(change))

    @pytest.mark.parametrize(
        ("check", "words"),
        [
            ("ck_token_state", TokenState),
            ("ck_token_origin", Origin),
            ("ck_operation_action", Action),
            ("ck_organization_type", OrganizationType),
            ("ck_member_status", Status),
        ],
    )
    def test_the_words_are_those_of_the_domain(self, check, words):
        """A check allows exactly the words of the domain."""
        (found,) = [
            constraint
            for table in tables.metadata.tables.values()
            for constraint in table.constraints
            if constraint.name == check
        ]
        assert set(re.findall(r"'(.*?)'", str(found.sqltext))) == {word.value for word in words}

    def test_results_are_done_or_a_reason(self):
        """`done` is not the value of any Skip."""
        assert "done" not in {skip.value for skip in Skip}


#: The indexes of live rows.
LIVE_INDEX = re.compile(r"INDEX (uq_token_\w+|ix_token_(pending|expiry|used))\b")


class TestIndexes:
    """Reads and set-based writes find live rows with the partial indexes."""

    @pytest.mark.parametrize(
        ("use", "indexes"),
        [
            (
                lambda c, _: token_queries.matching_ids(c, ORG, SERVICE, NOW, holding="none"),
                {"uq_token_pending", "uq_token_accepted", "ix_member_table"},
            ),
            (
                lambda c, ids: token_queries.table_rows(c, ORG, SERVICE, NOW, ids),
                {"uq_token_pending", "uq_token_accepted"},
            ),
            (
                lambda c, ids: token_queries.users_in_scope(c, ORG, SERVICE, NOW, ids),
                {"uq_token_pending", "uq_token_accepted"},
            ),
            (
                lambda c, ids: token_queries.close_lapsed(c, ORG, SERVICE, NOW, ids),
                {"uq_token_pending", "uq_token_accepted"},
            ),
            (
                lambda c, _: token_queries.end_tokens(
                    c, SCOPE, "op", Change(TokenState.REPLACED, TokenState.REPLACED), NOW
                ),
                {"uq_token_pending", "uq_token_accepted"},
            ),
            (
                lambda c, _: token_queries.own_tokens(c, "utcjf1-u0", NOW),
                {"uq_token_pending", "uq_token_accepted", "ix_member_account"},
            ),
            (
                lambda c, _: coverage_queries.coverage(c, NOW),
                {"uq_token_pending", "uq_token_accepted", "ix_token_expiry", "ix_member_inactive"},
            ),
            (
                lambda c, _: directory_queries.personas(c, 5, 5),
                {"uq_token_pending"},
            ),
            (
                lambda c, _: directory_queries.subscriptions(c, ORG),
                {"uq_token_pending", "uq_token_accepted"},
            ),
            (
                lambda c, _: directory_queries.organizations_page(
                    c, directory_queries.OrganizationFilter(), None, "name", 0, 20, NOW
                ),
                {"uq_token_accepted"},
            ),
        ],
    )
    def test_what_sqlite_uses(self, tmp_path, use, indexes):
        """The query plan names the indexes, and every read of tokens uses an index of live rows."""
        # Migrated: SQLite's choice depends on the order in which the indexes were made.
        engine = open_database(f"sqlite:///{tmp_path / 'desk.db'}")
        ids = build(engine, 50)
        with writing(engine) as connection:
            plans = explained(connection, lambda: use(connection, ids))
        engine.dispose()
        # Both indexes of pending rows have the same beginning, and SQLite takes either.
        found = re.findall(r"INDEX (\w+)", plans.replace("ix_token_pending", "uq_token_pending"))
        assert indexes <= set(found)
        tokens = re.findall(r"(?:SCAN|SEARCH) (?:token|[tap])\b.*", plans)
        assert [line for line in tokens if not LIVE_INDEX.search(line)] == []

    def test_what_a_person_generated_lately_is_read_from_its_index(self, tmp_path):
        """The recent exports of a person are read from their index, in all organizations."""
        engine = open_engine(f"sqlite:///{tmp_path / 'desk.db'}")
        tables.metadata.create_all(engine)
        with reading(engine) as connection:
            plans = explained(
                connection,
                lambda: operation_queries.generated_since(connection, "mhale", NOW - HOUR),
            )
        engine.dispose()
        assert "SEARCH o USING INDEX ix_operation_generated (actor=? AND confirmed_at>?)" in plans
        assert "SCAN" not in plans


def explained(connection, use) -> str:
    """Return SQLite's plan of every statement that `use` executes on `connection`."""
    statements = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    use()
    event.remove(connection, "before_cursor_execute", note)
    plans = [
        connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        for statement, parameters in statements
    ]
    return "".join(f"{row[3]}\n" for plan in plans for row in plan)
