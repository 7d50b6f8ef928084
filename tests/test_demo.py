"""The demo data: what its first page promises is there, on each engine."""

from collections import Counter
from itertools import pairwise
from time import monotonic

import pytest
from sqlalchemy import Engine, text

from lib.demo import demo_data
from lib.domain.audit import AuditKeyring, EventAction
from lib.domain.clock import DAY, minute_of
from lib.domain.search import fold
from lib.domain.states import Action, Holding, Origin, OwnStep, TokenState
from lib.domain.worries import WORRIES, default_view
from lib.operations.audit import verify
from lib.operations.imports.parse import parse
from lib.operations.imports.schema import SCHEMAS
from lib.store import coverage_queries, token_queries, worry_queries
from lib.store.engine import open_engine, reading, writing
from lib.store.migrate import migrate
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, unit_of_work

ORG, SERVICE = "UTCJF1", "erecording"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A SQLite database with the demo in it, for tests that only look."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('demo') / 'desk.db'}")
    migrate(engine)
    demo_data.fill_demo(unit_of_work(engine), MINTING)
    yield engine
    engine.dispose()


def ask(engine: Engine, statement: str) -> list[tuple]:
    """Return what `statement` finds; `:now` is the tests' moment."""
    with reading(engine) as connection:
        return [tuple(r) for r in connection.execute(text(statement), {"now": NOW})]


class TestFilling:
    """The demo goes into an empty database, once."""

    def test_an_empty_database_is_filled_within_ten_seconds(self, engine):
        """SQLite and PostgreSQL alike; it is all that the first start waits for."""
        assert demo_data.is_empty(engine)
        began = monotonic()
        assert demo_data.fill_demo(unit_of_work(engine), MINTING)
        assert monotonic() - began < 10
        assert not demo_data.is_empty(engine)

    def test_the_second_time_changes_nothing(self, engine):
        """Two processes that start at once fill it once."""
        demo_data.fill_demo(unit_of_work(engine), MINTING)
        before = ask(engine, "SELECT count(*) FROM token")
        assert not demo_data.fill_demo(unit_of_work(engine), MINTING)
        assert ask(engine, "SELECT count(*) FROM token") == before

    def test_a_database_in_use_is_left_alone(self, engine):
        """One service is enough to be no longer empty."""
        with writing(engine) as connection:
            connection.execute(text("INSERT INTO service (service_id, name) VALUES ('x', 'X')"))
        assert not demo_data.is_empty(engine)
        assert not demo_data.fill_demo(unit_of_work(engine), MINTING)
        assert ask(engine, "SELECT count(*) FROM organization") == [(0,)]

    def test_the_command_migrates_and_fills(self, empty_url, tmp_path, capsys, monkeypatch):
        """It says what it did; a second time it says why not, and exits with 1."""
        monkeypatch.setenv("DATABASE_URL", empty_url)
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
        assert [demo_data.main(), demo_data.main()] == [0, 1]
        assert capsys.readouterr().out == (
            "The demo data was added.\nThe database is not empty. Nothing was added.\n"
        )
        assert (tmp_path / "pepper").exists()

    def test_a_missing_database_gets_its_sentence(self, tmp_path, capsys, monkeypatch):
        """No traceback."""
        monkeypatch.setenv("DATABASE_URL", "sqlite:////none/x.db")
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
        assert demo_data.main() == 1
        assert "cannot be opened" in capsys.readouterr().err

    def test_no_room_for_the_pepper_gets_its_sentence(self, tmp_path, capsys, monkeypatch):
        """A file stands where the data folder should be."""
        (tmp_path / "data").write_text("a file")
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'x.db'}")
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path / "data"))
        assert demo_data.main() == 1
        assert "The demo's pepper cannot be stored or read in" in capsys.readouterr().err


class TestDirectory:
    """Organizations and people."""

    @pytest.mark.parametrize("name", SCHEMAS)
    def test_the_files_are_good(self, name):
        """No row refused, no column unknown."""
        parsed = parse(name, (demo_data.FOLDER / f"{name}.csv").read_bytes())
        assert ([*parsed.refusals], parsed.ignored) == ([], ())

    def test_sizes(self, filled):
        """30 organizations in 8 states, 4 services, 800 users, 300 of them in one place."""
        counts = ask(
            filled,
            "SELECT (SELECT count(*) FROM organization),"
            " (SELECT count(DISTINCT state) FROM organization), (SELECT count(*) FROM service),"
            " (SELECT count(*) FROM user_account),"
            " (SELECT count(*) FROM member WHERE organization_id = 'UTCJF1')",
        )
        assert counts == [(30, 8, 4, 803, 300)]

    def test_the_odd_ones_are_there(self, filled):
        """One organization without users, one inactive, one pending; an ended subscription."""
        assert ask(
            filled,
            "SELECT count(*) FROM organization o WHERE NOT EXISTS"
            " (SELECT 1 FROM member m WHERE m.organization_id = o.organization_id)",
        ) == [(1,)]
        statuses = Counter(r[0] for r in ask(filled, "SELECT status FROM organization"))
        assert statuses == {"active": 28, "inactive": 1, "pending": 1}
        assert ask(
            filled,
            "SELECT count(*) > 0 FROM subscription b JOIN token t"
            " USING (organization_id, service_id) JOIN organization o USING (organization_id)"
            " WHERE b.status = 'inactive' AND o.status = 'active' AND t.ended_at IS NULL",
        ) == [(1,)]

    def test_people(self, filled):
        """Staff, people in two organizations, two with one e-mail, names of many scripts."""
        staff = (
            "SELECT username, staff_status FROM user_account WHERE staff_status <> '' ORDER BY 1"
        )
        assert ask(filled, staff) == [
            ("dnakano", "active"),
            ("ivarga", "active"),
            ("mhale", "active"),
            ("psorel", "active"),
            ("rfenwick", "active"),
            ("tokeefe", "inactive"),
        ]
        twice = "SELECT count(*) FROM {} GROUP BY {} HAVING count(*) > 1"
        assert ask(filled, twice.format("member", "username")) == [(2,), (2,)]
        assert ask(filled, twice.format("user_account", "email")) == [(2,)]
        names = {r[0] for r in ask(filled, "SELECT name FROM user_account")}
        assert names >= {"Łukasz Wójcik", "Nguyễn Thị Mai", "山田 太郎", "Олена Коваль"}
        assert any("'" in name for name in names)

    def test_every_address_is_an_example(self, filled):
        """RFC 2606 keeps example.com for this."""
        assert all(
            r[0].endswith(".example.com") for r in ask(filled, "SELECT email FROM user_account")
        )


class TestTokens:
    """What people have."""

    def test_every_state_is_there(self, filled):
        """But undone, which no action leads to yet."""
        states = {r[0] for r in ask(filled, "SELECT state FROM token")}
        assert states == {state.value for state in TokenState} - {TokenState.UNDONE.value}
        pending = {r[0] for r in ask(filled, "SELECT origin FROM token WHERE state = 'pending'")}
        assert pending == {origin.value for origin in Origin}

    def test_a_token_that_was_seen_has_a_digest(self, filled):
        """A request that nobody accepted has none; each digest is another."""
        seen = "(accepted_at IS NOT NULL OR origin = 'export')"
        whole = "(digest IS NOT NULL AND hint IS NOT NULL AND pepper = 1)"
        assert ask(filled, f"SELECT count(*) FROM token WHERE {seen} <> {whole}") == [(0,)]
        digests = ask(filled, "SELECT digest, hint FROM token WHERE digest IS NOT NULL")
        assert len({digest for digest, _ in digests}) == len(digests)
        assert {len(digest) for digest, _ in digests} == {32}
        assert {(hint[:5], len(hint)) for _, hint in digests} == {("demo_", 9)}

    def test_times_make_sense(self, filled):
        """Made, accepted, used, ended, in this order; nothing live is over."""
        times = ("created_at", "accepted_at", "last_used_at", "ended_at")
        columns = ", ".join((*times, "expires_at"))
        for *moments, expires_at in ask(filled, f"SELECT {columns} FROM token"):
            # The time of the last use is that of its minute.
            told = [minute_of(moment) for moment in moments if moment is not None]
            assert all(earlier <= later for earlier, later in pairwise([*told, NOW]))
            assert moments[3] is not None or expires_at > NOW
            assert expires_at is None or told[-1] <= expires_at

    def test_coverage_is_about_two_thirds_and_differs(self, filled):
        """The coverage page has something to show."""
        with reading(filled) as connection:
            covered = coverage_queries.coverage(connection, NOW)
        total = sum(row.accepted for row in covered) / sum(row.users for row in covered)
        assert 0.6 < total < 0.7
        shares = [row.share for row in covered if row.share is not None]
        assert min(shares) < 0.3
        assert max(shares) == 1

    def test_the_first_page_shows_something_of_everything(self, filled):
        """The first dozen has check marks, Pending, both and neither, for active users."""
        with reading(filled) as connection:
            ids = token_queries.matching_ids(connection, ORG, SERVICE, NOW)[:12]
            page = token_queries.users_in_scope(connection, ORG, SERVICE, NOW, ids)
        holdings = Counter((bool(u.accepted_token), bool(u.pending_token)) for u in page)
        assert holdings == {(True, False): 6, (False, True): 2, (True, True): 2, (False, False): 2}
        assert len(holdings) == len(Holding)
        assert page[0].username == "acastillo"
        assert {user.status for user in page} == {"active"}
        assert [fold(u.name) for u in page] == sorted(fold(u.name) for u in page)

    def test_the_story_is_the_same_every_time(self, filled, tmp_path):
        """Only the secrets differ."""
        other = open_engine(f"sqlite:///{tmp_path / 'other.db'}")
        migrate(other)
        demo_data.fill_demo(unit_of_work(other), MINTING)
        story = (
            "SELECT m.username, t.organization_id, t.service_id, t.state, t.created_at,"
            " t.last_used_at FROM token t JOIN member m USING (organization_id, member_id)"
            " ORDER BY 1, 2, 3, 5"
        )
        assert ask(other, story) == ask(filled, story)
        digest = "SELECT max(digest) FROM token"
        assert ask(other, digest) != ask(filled, digest)
        other.dispose()


class TestHistory:
    """180 days of operations, made by the use cases."""

    def test_operations_begin_180_days_ago_and_go_on_until_now(self, filled):
        """Activity and the person's page have something to show."""
        days = [(NOW - at) // DAY for (at,) in ask(filled, "SELECT confirmed_at FROM operation")]
        assert len(days) > 100
        assert max(days) == 179
        assert min(days) <= 1

    def test_every_operation_has_its_event_and_its_results(self, filled):
        """And every kind of event of a token is there."""
        assert ask(
            filled,
            "SELECT count(*) FROM operation o WHERE NOT EXISTS (SELECT 1 FROM audit_event e WHERE"
            " e.operation_id = o.operation_id AND e.action = o.action AND e.users = o.changed)"
            " OR o.changed + o.skipped <> (SELECT count(*) FROM operation_result r"
            " WHERE r.operation_id = o.operation_id)",
        ) == [(0,)]
        actions = {action for (action,) in ask(filled, "SELECT action FROM audit_event")}
        assert actions >= {*Action, *OwnStep, EventAction.FIRST_USE, EventAction.IMPORT}

    def test_the_audit_trail_is_sound_and_in_the_order_of_time(self, filled):
        """No event is older than the one before it in its chain."""
        assert not verify(filled, AuditKeyring.of(MINTING.peppers)).bad
        events = ask(
            filled,
            "SELECT organization_id, happened_at FROM audit_event ORDER BY organization_id, number",
        )
        assert all(one[0] != next_[0] or one[1] <= next_[1] for one, next_ in pairwise(events))

    def test_pending_requests_were_requested_by_an_operation(self, filled):
        """Some of them longer than a week ago."""
        requests = (
            "SELECT count(*), count(made_by_operation) FROM token WHERE state = 'pending'"
            " AND origin = 'request'"
        )
        ((total, made),) = ask(filled, requests)
        assert made / total > 0.9
        ((waiting,),) = ask(
            filled,
            "SELECT count(*) FROM token WHERE state = 'pending' AND created_at < :now - 604800000",
        )
        assert 0 < waiting < total

    def test_without_the_history_people_have_the_same(self, filled, tmp_path):
        """Tests of other things begin there."""
        other = open_engine(f"sqlite:///{tmp_path / 'other.db'}")
        migrate(other)
        demo_data.fill_demo(unit_of_work(other), MINTING, history=False)
        holdings = (
            "SELECT m.username, t.organization_id, t.service_id, t.state, t.origin FROM token t"
            " JOIN member m USING (organization_id, member_id) WHERE t.ended_at IS NULL"
            " ORDER BY 1, 2, 3, 4"
        )
        assert ask(other, holdings) == ask(filled, holdings)
        assert ask(other, "SELECT count(*) FROM operation") == [(0,)]
        other.dispose()

    def test_every_worry_has_somebody(self, filled):
        """The first screen has numbers."""
        with reading(filled) as connection:
            for view in WORRIES:
                assert worry_queries.count_people(connection, default_view(view), None, NOW)
