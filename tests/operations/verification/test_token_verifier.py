"""Which tokens are good, and for which service."""

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import Engine, create_engine, text

from lib.domain.access import Actor
from lib.domain.clock import DAY, HOUR, MINUTE, SECOND
from lib.domain.errors import DatabaseBusyError, DatabaseUnavailableError
from lib.domain.states import Action, Holding
from lib.domain.token_format import Minting, mint
from lib.operations import own_tokens
from lib.operations.database import open_database
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store.engine import sqlite_module, writing
from lib.store.token_lookup import TokenLookup
from tests.support.actions import MovableClock, act, change, exported, give, select
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, ORG, SERVICE, build, unit_of_work

OTHER_SERVICE = "epayments"


@pytest.fixture
def clock() -> MovableClock:
    """A clock that the test moves."""
    return MovableClock()


@pytest.fixture
def ids(engine) -> list[str]:
    """Three users of one organization with two services."""
    return build(engine, 3, services=(SERVICE, OTHER_SERVICE))


@pytest.fixture
def verifier(engine, clock):
    """A verifier whose recorder does not write by itself."""
    verifier = TokenVerifier(unit_of_work(engine, clock), MINTING)
    yield verifier
    verifier.close()


def check_in_loop(verifier: TokenVerifier, token: str, service_id: str | None = None):
    """Check a token in a new event loop."""
    return asyncio.run(verifier.check_in_loop(token, service_id))


def check_many_in_loop(verifier: TokenVerifier, tokens: list[str]):
    """Check all tokens at once in one event loop."""

    async def check_all():
        return await asyncio.gather(*map(verifier.check_in_loop, tokens))

    return asyncio.run(check_all())


def usernames(verifier: TokenVerifier, tokens: list[str]) -> list[str | None]:
    """Return the username of each good token."""
    found = [verifier.check(token) for token in tokens]
    return [each and each.username for each in found]


class TestGood:
    """A live token of an active user."""

    def test_a_good_token_is_returned_with_all_its_facts(self, verifier, engine, ids):
        """User, organization, service, and both times."""
        (token,) = give(engine, ids[1], Holding.ACCEPTED, expires_at=NOW + DAY)
        (token_id,) = select(engine, "SELECT token_id FROM token")[0]
        assert verifier.check(token)._asdict() == {
            "organization_id": ORG,
            "service_id": SERVICE,
            "token_id": token_id,
            "member_id": ids[1],
            "username": "utcjf1-u1",
            "state": "accepted",
            "issued_at": NOW - MINUTE,
            "expires_at": NOW + DAY,
            "jti": token_id,
            "active": True,
        }

    def test_an_exported_token_is_good_at_once(self, verifier, engine, ids):
        """Before it is accepted (ruling 2)."""
        _, outcome = act(engine, Action.GENERATE, ids)
        assert usernames(verifier, exported(outcome)) == [f"utcjf1-u{n}" for n in range(3)]

    def test_a_requested_token_is_issued_at_its_acceptance(self, verifier, engine, ids):
        """It was minted then."""
        act(engine, Action.REQUEST, ids[:1])
        me, books = Actor("utcjf1-u0", "User"), unit_of_work(engine, lambda: NOW + HOUR)
        (own,) = own_tokens.list_own(engine, books.clock, me)
        token = own_tokens.accept(books, me, own, MINTING)
        assert verifier.check(token).issued_at == NOW + HOUR

    def test_an_accepted_token_is_good_while_a_request_waits(self, verifier, engine, ids):
        """Until the request is accepted (ruling 4)."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        act(engine, Action.REQUEST, [ids[0]])
        assert verifier.check(token)

    @pytest.mark.parametrize("service_id", [None, SERVICE])
    def test_a_token_is_good_for_its_own_service_and_for_all(
        self, verifier, engine, ids, service_id
    ):
        """None means all services."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert verifier.check(token, service_id)

    def test_a_token_of_an_older_pepper_is_good(self, verifier, engine, ids, clock):
        """Peppers have numbers, so that a new one can be added."""
        (old,) = give(engine, ids[0], Holding.ACCEPTED)
        both = Minting("demo", {1: MINTING.peppers[1], 2: b"q" * 32})
        (new,) = mint(1, "demo")
        give(engine, ids[1], Holding.ACCEPTED, digest=both.digests([new])[0], pepper=2)
        two = TokenVerifier(unit_of_work(engine, clock), both)
        assert usernames(two, [old, new]) == ["utcjf1-u0", "utcjf1-u1"]
        assert usernames(verifier, [old, new]) == ["utcjf1-u0", None]
        two.close()

    def test_the_event_loop_gets_the_same_answers(self, verifier, engine, ids):
        """As a thread does."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert check_in_loop(verifier, token) == verifier.check(token)
        assert check_in_loop(verifier, token, OTHER_SERVICE) is None
        assert check_in_loop(verifier, token[:-1]) is None

    def test_many_checks_at_once_get_their_own_answers(self, verifier, engine):
        """More than one statement holds, in any order."""
        people = build(engine, 150, organization_id="UTMANY")
        tokens = [
            token
            for person in people
            for token in give(engine, person, Holding.BOTH, organization_id="UTMANY")
        ]
        act(engine, Action.REMOVE, people[:50], organization_id="UTMANY")
        tokens += mint(20, "demo")
        random.Random(1).shuffle(tokens)  # noqa: S311 - no secret
        found = check_many_in_loop(verifier, tokens)
        assert found == [verifier.check(token) for token in tokens]
        assert {token and token.state for token in found} == {None, "pending", "accepted"}

    def test_a_cancelled_check_does_not_disturb_the_others(self, verifier, engine, ids):
        """A request can end early."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)

        async def with_one_cancelled():
            checks = [asyncio.create_task(verifier.check_in_loop(token)) for _ in range(9)]
            await asyncio.sleep(0)
            checks[4].cancel()
            return await asyncio.gather(*checks, return_exceptions=True)

        found = asyncio.run(with_one_cancelled())
        assert found[:4] + found[5:] == [verifier.check(token)] * 8


class TestNotGood:
    """Every other token has the same answer: None."""

    def test_an_unknown_token_is_not_good(self, verifier, engine, ids):
        """With and without a live token beside it."""
        (unknown,) = mint(1, "demo")
        assert verifier.check(unknown) is None
        give(engine, ids[0], Holding.ACCEPTED)
        assert verifier.check(unknown) is None

    @pytest.mark.parametrize("holding", [Holding.ACCEPTED, Holding.PENDING])
    def test_an_ended_token_is_not_good_at_once(self, verifier, engine, ids, holding):
        """It was removed, cancelled or replaced."""
        ending = {Holding.ACCEPTED: Action.REMOVE, Holding.PENDING: Action.CANCEL}[holding]
        for number, action in enumerate((ending, Action.GENERATE)):
            (token,) = give(engine, ids[number], holding)
            assert verifier.check(token)
            act(engine, action, [ids[number]])
            assert verifier.check(token) is None

    def test_an_expired_token_is_not_good(self, verifier, engine, ids, clock):
        """To the millisecond."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + SECOND)
        assert verifier.check(token)
        clock.at = NOW + SECOND - 1
        assert verifier.check(token)
        clock.at = NOW + SECOND
        assert verifier.check(token) is None

    def test_a_token_of_another_service_is_not_good(self, verifier, engine, ids):
        """It is answered as an unknown one."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert verifier.check(token, OTHER_SERVICE) is None
        assert verifier.check(token, "") is None

    @pytest.mark.parametrize("table", ["member", "organization", "subscription"])
    def test_a_token_is_not_good_while_something_is_inactive(self, verifier, engine, ids, table):
        """It is good again afterwards."""
        tokens = give(engine, ids[0], Holding.BOTH)
        for status, good in (("inactive", False), ("pending", False), ("active", True)):
            change(engine, f"UPDATE {table} SET status = :status", status=status)
            assert [bool(verifier.check(token)) for token in tokens] == [good, good]
        states = select(engine, "SELECT state FROM token ORDER BY state")
        assert states == [("accepted",), ("pending",)]

    def test_unknown_tokens_when_others_are_live_are_not_good(self, verifier, engine, ids):
        """Nor is a use of another token noted."""
        (pending,) = give(engine, ids[0], Holding.PENDING)
        assert [verifier.check(unknown) for unknown in mint(3, "demo")] == [None] * 3
        verifier.uses.flush()
        assert select(engine, "SELECT count(*) FROM token WHERE state = 'accepted'") == [(0,)]
        act(engine, Action.CANCEL, [ids[0]])
        assert verifier.check(pending) is None
        (other,) = give(engine, ids[1], Holding.ACCEPTED)
        assert [bool(verifier.check(t)) for t in (other, pending, *mint(1, "demo"))] == [1, 0, 0]


class TestMalformed:
    """A string without the form of a token is answered without the database."""

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda _: "",
            lambda token: token[:-1],
            lambda token: f"{token}x",
            lambda token: f"{token[:-1]}{'0' if token[-1] != '0' else '1'}",
            lambda token: token.replace("demo_", "demi_"),
            lambda token: token.removeprefix("demo_"),
            lambda token: f"{token[:20]} {token[20:]}",
            lambda token: f"\0{token}",
            lambda token: f"{token}\0",
            lambda token: f"{token[:20]}\0{token[21:]}",
            lambda token: f"{token[:20]}é{token[21:]}",
            lambda token: f"{token[:20]}\udcff{token[21:]}",
            lambda token: f"{token[:20]}٣{token[21:]}",
            lambda token: token * 10_000,
        ],
    )
    def test_a_malformed_token_is_not_looked_up(self, verifier, engine, ids, spoil, monkeypatch):
        """So a scanner may send whatever it finds."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        monkeypatch.setattr(TokenLookup, "_query", lambda *_: pytest.fail("the database was asked"))
        assert verifier.check(spoil(token)) is None
        assert not verifier.revoke(spoil(token), "")


class TestWhiteSpace:
    """White space around a token is ignored: one read from a file has a line end."""

    @pytest.mark.parametrize(
        "round_it", ["{}\n", "{}\r\n", " {}", "\t{} ", "\u00a0{}", "\ufeff{}\n", "\v\f{}\u2028"]
    )
    def test_a_token_with_white_space_around_it_is_good_and_can_be_revoked(
        self, verifier, engine, ids, round_it
    ):
        """In a thread and in the event loop."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        written = round_it.format(token)
        assert verifier.check(written)
        assert check_in_loop(verifier, written)
        assert verifier.revoke(written, "")
        assert verifier.check(token) is None


@pytest.fixture
def file(tmp_path):
    """A SQLite file with one user who has a token: its engine, path and token."""
    path = tmp_path / "desk.db"
    engine = open_database(f"sqlite:///{path}")
    (token,) = give(engine, build(engine, 1)[0], Holding.ACCEPTED)
    yield engine, path, token
    engine.dispose()


_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"


@contextlib.contextmanager
def verifier_of_one(url: str) -> Iterator[tuple[Engine, TokenVerifier, str]]:
    """A database with one good token, and its verifier."""
    engine = open_database(url)
    (token,) = give(engine, build(engine, 1)[0], Holding.ACCEPTED)
    verifier = TokenVerifier(unit_of_work(engine), MINTING)
    yield engine, verifier, token
    verifier.close()
    engine.dispose()


@pytest.fixture
def served(postgresql_url):
    """The same on PostgreSQL."""
    with verifier_of_one(postgresql_url) as one:
        yield one


class TestLostDatabase:
    """A lost database gives an error, never a wrong answer."""

    def test_a_locked_sqlite_file_raises(self, file, monkeypatch):
        """Another connection has locked the file."""
        engine, path, token = file
        monkeypatch.setattr(
            "lib.operations.verification.token_verifier.TokenLookup",
            partial(TokenLookup, seconds=0),
        )
        verifier = TokenVerifier(unit_of_work(engine), MINTING)
        verifier.close()
        engine.dispose()
        holder = sqlite_module().connect(path, isolation_level=None)
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        for check in (TokenVerifier.check, check_in_loop):
            with pytest.raises(DatabaseBusyError):
                check(verifier, token)
        with pytest.raises(DatabaseBusyError):
            verifier.service_of("erecording-abcdefgh", "secret")
        holder.close()
        assert verifier.check(token)
        verifier.close()

    def test_a_writer_does_not_delay_checks(self, file):
        """A bulk action writes for a second."""
        engine, _, token = file
        verifier = TokenVerifier(unit_of_work(engine), MINTING)
        with writing(engine) as connection:
            connection.exec_driver_sql(
                "UPDATE token SET state = 'removed', ended_from = 'accepted', ended_at = 1"
            )
            assert check_in_loop(verifier, token)
        assert check_in_loop(verifier, token) is None
        verifier.close()

    def test_a_missing_sqlite_file_raises(self, file):
        """There is no answer."""
        engine, path, token = file
        verifier = TokenVerifier(unit_of_work(engine), MINTING)
        verifier.close()
        engine.dispose()
        for each in path.parent.glob("desk.db*"):
            each.unlink()
        path.mkdir()
        with pytest.raises(DatabaseUnavailableError):
            verifier.check(token)

    def test_a_check_reconnects_after_the_server_closed_idle_connections(self, served):
        """Without an error."""
        engine, verifier, token = served
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(verifier.check, [token] * 50))
            select(engine, f"{_END} AND pid <> pg_backend_pid()", name=engine.url.database)
            assert all(threads.map(verifier.check, [token] * 50))
        for _ in range(2):
            assert all(check_many_in_loop(verifier, [token] * 250))
            select(engine, f"{_END} AND pid <> pg_backend_pid()", name=engine.url.database)

    def test_a_check_works_after_a_table_has_changed(self, served):
        """PostgreSQL's cached plan is made again, without an error."""
        engine, verifier, token = served

        async def before_and_after():
            before = await verifier.check_in_loop(token)
            change(engine, "ALTER TABLE token ALTER COLUMN expires_at TYPE numeric")
            return before, await verifier.check_in_loop(token)

        before, after = asyncio.run(before_and_after())
        assert before == after == verifier.check(token)

    def test_the_database_url_can_set_the_connection_timeout(self, postgresql_url):
        """We set the same argument by default."""
        with verifier_of_one(f"{postgresql_url}&connect_timeout=7") as (_, verifier, token):
            assert check_in_loop(verifier, token)
            assert verifier.check(token)

    def test_a_stopped_server_raises_in_time_and_works_when_it_continues(self, served, monkeypatch):
        """All who wait get the error."""
        engine, verifier, token = served

        async def stopped(patch: pytest.MonkeyPatch):
            assert await verifier.check_in_loop(token)
            # From here on only: a busy machine may take longer for a good answer.
            patch.setattr("lib.store.async_token_lookup.TIMEOUT_SECONDS", 0.2)
            asking = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%unnest%'"
            ((pid,),) = select(
                engine, f"{asking} AND datname = current_database() AND pid <> pg_backend_pid()"
            )
            os.kill(pid, signal.SIGSTOP)
            try:
                async with asyncio.timeout(4):  # by its own way the driver waits for ten
                    lost = [verifier.check_in_loop(token) for _ in range(200)]
                    return await asyncio.gather(*lost, return_exceptions=True)
            finally:
                os.kill(pid, signal.SIGCONT)

        with monkeypatch.context() as patch:
            answers = asyncio.run(stopped(patch))
        assert {type(answer) for answer in answers} == {DatabaseUnavailableError}
        assert check_in_loop(verifier, token)

    def test_a_server_without_free_connections_raises_until_one_is_free(self, served):
        """Then checks work again."""
        engine, verifier, token = served
        assert verifier.check(token)
        name = engine.url.database
        admin = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for allowed in ("false", "true"):
                connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
                connection.execute(text(_END), {"name": name})
                for check in (TokenVerifier.check, check_in_loop):
                    if allowed == "false":
                        with pytest.raises(DatabaseUnavailableError):
                            check(verifier, token)
                    else:
                        assert check(verifier, token)
        admin.dispose()
