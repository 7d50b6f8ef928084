"""Which tokens are good, and for whom."""

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

from lib.domain.clock import DAY, HOUR, MINUTE, SECOND
from lib.domain.errors import DatabaseBusyError, DatabaseUnavailableError
from lib.domain.states import Action, Holding
from lib.domain.token_format import Minting, mint
from lib.operations.database import open_database
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store.engine import sqlite_module, writing
from lib.store.token_lookup import TokenLookup
from tests.support.actions import Moving, act, change, exported, give, select
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, ORG, SERVICE, build, unit_of_work

OTHER_SERVICE = "epayments"


@pytest.fixture
def clock() -> Moving:
    """A clock that the test moves."""
    return Moving()


@pytest.fixture
def ids(engine) -> list[str]:
    """Three users of one organization with two services."""
    return build(engine, 3, services=(SERVICE, OTHER_SERVICE))


@pytest.fixture
def verifier(engine, clock):
    """A verifier that writes nothing by itself."""
    verifier = TokenVerifier(unit_of_work(engine, clock), MINTING)
    yield verifier
    verifier.close()


def in_loop(verifier: TokenVerifier, token: str, service_id: str | None = None):
    """Check in an event loop of its own."""
    return asyncio.run(verifier.check_in_loop(token, service_id))


def many_in_loop(verifier: TokenVerifier, tokens: list[str]):
    """Check all at once in one event loop."""

    async def all_of_them():
        return await asyncio.gather(*map(verifier.check_in_loop, tokens))

    return asyncio.run(all_of_them())


def usernames(verifier: TokenVerifier, tokens: list[str]) -> list[str | None]:
    """Whose each token is, when it is good."""
    found = [verifier.check(token) for token in tokens]
    return [each and each.username for each in found]


class TestGood:
    """A live token of somebody active."""

    def test_what_is_told(self, verifier, engine, ids):
        """Whose it is, where, for what, since when and until when."""
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
            "active": True,
        }

    def test_an_exported_token_is_good_at_once(self, verifier, engine, ids):
        """Before anybody accepts it (ruling 2)."""
        _, outcome = act(engine, Action.GENERATE, ids)
        assert usernames(verifier, exported(outcome)) == [f"utcjf1-u{n}" for n in range(3)]

    def test_a_requests_token_is_as_old_as_its_acceptance(self, verifier, engine, ids):
        """It was minted then."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED, origin="request", accepted_at=NOW + HOUR)
        assert verifier.check(token).issued_at == NOW + HOUR

    def test_beside_a_request(self, verifier, engine, ids):
        """The old token works until the new one is accepted (ruling 4)."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        act(engine, Action.REQUEST, [ids[0]])
        assert verifier.check(token)

    @pytest.mark.parametrize("service_id", [None, SERVICE])
    def test_for_its_own_service(self, verifier, engine, ids, service_id):
        """Or for whoever asks about all."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert verifier.check(token, service_id)

    def test_under_an_older_pepper(self, verifier, engine, ids, clock):
        """Peppers are numbered so that they can be changed: the old one's tokens still work."""
        (old,) = give(engine, ids[0], Holding.ACCEPTED)
        both = Minting("demo", {1: MINTING.peppers[1], 2: b"q" * 32})
        (new,) = mint(1, "demo")
        give(engine, ids[1], Holding.ACCEPTED, digest=both.digests([new])[0], pepper=2)
        two = TokenVerifier(unit_of_work(engine, clock), both)
        assert usernames(two, [old, new]) == ["utcjf1-u0", "utcjf1-u1"]
        assert usernames(verifier, [old, new]) == ["utcjf1-u0", None]
        two.close()

    def test_without_waiting(self, verifier, engine, ids):
        """What the event loop asks gets the same answer."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert in_loop(verifier, token) == verifier.check(token)
        assert in_loop(verifier, token, OTHER_SERVICE) is None
        assert in_loop(verifier, token[:-1]) is None

    def test_many_at_once_without_waiting(self, verifier, engine):
        """Each gets its own answer, more than one statement holds, in whatever order they come."""
        people = build(engine, 150, organization_id="UTMANY")
        tokens = [
            token
            for person in people
            for token in give(engine, person, Holding.BOTH, organization_id="UTMANY")
        ]
        act(engine, Action.REMOVE, people[:50], organization_id="UTMANY")
        tokens += mint(20, "demo")
        random.Random(1).shuffle(tokens)  # noqa: S311 - no secret
        found = many_in_loop(verifier, tokens)
        assert found == [verifier.check(token) for token in tokens]
        assert {token and token.state for token in found} == {None, "pending", "accepted"}

    def test_who_leaves_disturbs_nobody(self, verifier, engine, ids):
        """A request that ends early leaves the answers of those beside it alone."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)

        async def with_one_who_leaves():
            checks = [asyncio.create_task(verifier.check_in_loop(token)) for _ in range(9)]
            await asyncio.sleep(0)
            checks[4].cancel()
            return await asyncio.gather(*checks, return_exceptions=True)

        found = asyncio.run(with_one_who_leaves())
        assert found[:4] + found[5:] == [verifier.check(token)] * 8


class TestNotGood:
    """Everything else is one answer: None."""

    def test_unknown(self, verifier, engine, ids):
        """With and without a live token beside it."""
        (unknown,) = mint(1, "demo")
        assert verifier.check(unknown) is None
        give(engine, ids[0], Holding.ACCEPTED)
        assert verifier.check(unknown) is None

    @pytest.mark.parametrize("holding", [Holding.ACCEPTED, Holding.PENDING])
    def test_ended(self, verifier, engine, ids, holding):
        """At once, whatever ended it: removed, cancelled or replaced."""
        ending = {Holding.ACCEPTED: Action.REMOVE, Holding.PENDING: Action.CANCEL}[holding]
        for number, action in enumerate((ending, Action.GENERATE)):
            (token,) = give(engine, ids[number], holding)
            assert verifier.check(token)
            act(engine, action, [ids[number]])
            assert verifier.check(token) is None

    def test_expired(self, verifier, engine, ids, clock):
        """To the millisecond."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + SECOND)
        assert verifier.check(token)
        clock.at = NOW + SECOND - 1
        assert verifier.check(token)
        clock.at = NOW + SECOND
        assert verifier.check(token) is None

    def test_another_services(self, verifier, engine, ids):
        """A token of another service is no token."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert verifier.check(token, OTHER_SERVICE) is None
        assert verifier.check(token, "") is None

    @pytest.mark.parametrize("table", ["member", "organization", "subscription"])
    def test_inactive_and_back(self, verifier, engine, ids, table):
        """It keeps its state meanwhile."""
        tokens = give(engine, ids[0], Holding.BOTH)
        for status, good in (("inactive", False), ("pending", False), ("active", True)):
            change(engine, f"UPDATE {table} SET status = :status", status=status)
            assert [bool(verifier.check(token)) for token in tokens] == [good, good]
        states = select(engine, "SELECT state FROM token ORDER BY state")
        assert states == [("accepted",), ("pending",)]

    def test_a_neighbour_is_another_token(self, verifier, engine, ids):
        """What a miss reads instead is never told, nor is its use noted."""
        (neighbour,) = give(engine, ids[0], Holding.PENDING)
        assert [verifier.check(unknown) for unknown in mint(3, "demo")] == [None] * 3
        verifier.uses.flush()
        assert select(engine, "SELECT count(*) FROM token WHERE state = 'accepted'") == [(0,)]
        act(engine, Action.CANCEL, [ids[0]])
        assert verifier.check(neighbour) is None
        (other,) = give(engine, ids[1], Holding.ACCEPTED)
        assert [bool(verifier.check(t)) for t in (other, neighbour, *mint(1, "demo"))] == [1, 0, 0]


class TestMalformed:
    """What has not the form of a token is answered without the database."""

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
    def test_each(self, verifier, engine, ids, spoil, monkeypatch):
        """Nothing is asked, so that a scanner may ask about whatever it finds."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        monkeypatch.setattr(TokenLookup, "_ask", lambda *_: pytest.fail("the database was asked"))
        assert verifier.check(spoil(token)) is None
        assert not verifier.revoke(spoil(token), "")


class TestWhiteSpace:
    """A token read from a file has a line end; cut round the token, never inside."""

    @pytest.mark.parametrize(
        "round_it", ["{}\n", "{}\r\n", " {}", "\t{} ", "\u00a0{}", "\ufeff{}\n", "\v\f{}\u2028"]
    )
    def test_it_is_the_same_token(self, verifier, engine, ids, round_it):
        """It is good, in a thread and in the loop, and is ended by revoke."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        written = round_it.format(token)
        assert verifier.check(written)
        assert in_loop(verifier, written)
        assert verifier.revoke(written, "")
        assert verifier.check(token) is None


class TestSteps:
    """A miss takes the steps of a hit, so that time tells a service nothing of other tokens."""

    @pytest.mark.parametrize("kind", ["good", "unknown", "ended", "foreign", "inactive", "expired"])
    def test_one_statement_each(self, verifier, engine, ids, kind, monkeypatch):
        """The same one; and a row is read, whosever it is."""
        (good,) = give(engine, ids[0], Holding.ACCEPTED)
        (other,) = give(engine, ids[1], Holding.ACCEPTED)
        token = {"good": good, "unknown": mint(1, "demo")[0]}.get(kind, other)
        if kind == "ended":
            act(engine, Action.REMOVE, [ids[1]])
        elif kind == "expired":
            change(
                engine, "UPDATE token SET expires_at = :at WHERE member_id = :m", at=NOW, m=ids[1]
            )
        elif kind == "inactive":
            change(engine, "UPDATE member SET status = 'inactive' WHERE member_id = :m", m=ids[1])
        service_id = OTHER_SERVICE if kind == "foreign" else SERVICE
        asked = []
        ask = TokenLookup._ask
        monkeypatch.setattr(
            TokenLookup, "_ask", lambda self, *what: asked.append(what) or ask(self, *what)
        )
        assert bool(verifier.check(token, service_id)) == (kind == "good")
        ((statement, values),) = asked
        assert (statement.count("?"), len(values)) == (1, 1)


@pytest.fixture
def file(tmp_path):
    """A SQLite file with one user who has a token: its engine, its path, and the token."""
    path = tmp_path / "desk.db"
    engine = open_database(f"sqlite:///{path}")
    (token,) = give(engine, build(engine, 1)[0], Holding.ACCEPTED)
    yield engine, path, token
    engine.dispose()


_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"


@contextlib.contextmanager
def serving_one(url: str) -> Iterator[tuple[Engine, TokenVerifier, str]]:
    """A database with one good token, and who checks it."""
    engine = open_database(url)
    (token,) = give(engine, build(engine, 1)[0], Holding.ACCEPTED)
    verifier = TokenVerifier(unit_of_work(engine), MINTING)
    yield engine, verifier, token
    verifier.close()
    engine.dispose()


@pytest.fixture
def served(postgresql_url):
    """The same on PostgreSQL."""
    with serving_one(postgresql_url) as one:
        yield one


class TestLostDatabase:
    """Never a wrong yes or no."""

    def test_locked(self, file, monkeypatch):
        """Somebody holds the file for themselves alone."""
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
        for check in (TokenVerifier.check, in_loop):
            with pytest.raises(DatabaseBusyError):
                check(verifier, token)
        with pytest.raises(DatabaseBusyError):
            verifier.service_of("erecording-abcdefgh", "secret")
        holder.close()
        assert verifier.check(token)
        verifier.close()

    def test_a_writer_is_no_lock(self, file):
        """A bulk action that writes for a second holds up no check."""
        engine, _, token = file
        verifier = TokenVerifier(unit_of_work(engine), MINTING)
        with writing(engine) as connection:
            connection.exec_driver_sql(
                "UPDATE token SET state = 'removed', ended_from = 'accepted', ended_at = 1"
            )
            assert in_loop(verifier, token)
        assert in_loop(verifier, token) is None
        verifier.close()

    def test_gone(self, file):
        """No file, no answer."""
        engine, path, token = file
        verifier = TokenVerifier(unit_of_work(engine), MINTING)
        verifier.close()
        engine.dispose()
        for each in path.parent.glob("desk.db*"):
            each.unlink()
        path.mkdir()
        with pytest.raises(DatabaseUnavailableError):
            verifier.check(token)

    def test_the_server_ends_our_connections(self, served):
        """All of them, idle: the next check makes a new one, and nobody sees it."""
        engine, verifier, token = served
        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(verifier.check, [token] * 50))
            select(engine, f"{_END} AND pid <> pg_backend_pid()", name=engine.url.database)
            assert all(threads.map(verifier.check, [token] * 50))
        for _ in range(2):
            assert all(many_in_loop(verifier, [token] * 250))
            select(engine, f"{_END} AND pid <> pg_backend_pid()", name=engine.url.database)

    def test_a_table_has_changed(self, served):
        """A plan that was made for it before is made again, and nobody sees it."""
        engine, verifier, token = served

        async def before_and_after():
            before = await verifier.check_in_loop(token)
            change(engine, "ALTER TABLE token ALTER COLUMN expires_at TYPE numeric")
            return before, await verifier.check_in_loop(token)

        before, after = asyncio.run(before_and_after())
        assert before == after == verifier.check(token)

    def test_the_address_says_how_long_to_wait(self, postgresql_url):
        """For a connection: it is an argument of ours as well."""
        with serving_one(f"{postgresql_url}&connect_timeout=7") as (_, verifier, token):
            assert in_loop(verifier, token)
            assert verifier.check(token)

    def test_the_server_does_not_answer(self, served, monkeypatch):
        """Stopped in the middle: all who wait are told in time, and the next one has an answer."""
        monkeypatch.setattr("lib.store.async_token_lookup.SECONDS", 0.2)
        engine, verifier, token = served

        async def stopped():
            assert await verifier.check_in_loop(token)
            asking = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%LATERAL%'"
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

        assert {type(answer) for answer in asyncio.run(stopped())} == {DatabaseUnavailableError}
        assert in_loop(verifier, token)

    def test_the_server_takes_no_more(self, served):
        """Lost, and not to be had again: no answer, and one when it is back."""
        engine, verifier, token = served
        assert verifier.check(token)
        name = engine.url.database
        admin = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            for allowed in ("false", "true"):
                connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
                connection.execute(text(_END), {"name": name})
                for check in (TokenVerifier.check, in_loop):
                    if allowed == "false":
                        with pytest.raises(DatabaseUnavailableError):
                            check(verifier, token)
                    else:
                        assert check(verifier, token)
        admin.dispose()
