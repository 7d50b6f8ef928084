"""Service credentials: made, shown once, changed, ended."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.domain.access import Actor
from lib.domain.errors import NotAllowedError, TooManyCredentialsError, UnknownServiceError
from lib.domain.roles import Grant, Role
from lib.domain.token_format import Minting, is_well_formed
from lib.operations import credentials
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store.engine import writing
from tests.support.actions import select
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, add_staff, build, unit_of_work

OTHER_SERVICE = "epayments"


@pytest.fixture(autouse=True)
def directory(engine) -> None:
    """One organization with two services."""
    build(engine, 1, services=(SERVICE, OTHER_SERVICE))


@pytest.fixture
def verifier(engine):
    """What services sign in at."""
    verifier = TokenVerifier(unit_of_work(engine), MINTING)
    yield verifier
    verifier.close()


def create(engine, service_id: str = SERVICE):
    """Make a credential as an API administrator."""
    return credentials.create(unit_of_work(engine), ADMIN, service_id, MINTING)


class TestCreate:
    """In clear for its maker, once."""

    def test_it_signs_in(self, engine, verifier):
        """Its own service, and with both halves right."""
        new = create(engine)
        assert verifier.service_of(*new) == SERVICE
        assert verifier.service_of(new.client_id, f"{new.client_secret}x") is None
        assert verifier.service_of(new.client_id, "") is None
        assert verifier.service_of(f"{new.client_id}x", new.client_secret) is None
        assert verifier.service_of(*create(engine, OTHER_SERVICE)) == OTHER_SERVICE

    def test_its_parts_are_told_apart(self, engine):
        """The id names the service; a scanner takes the secret for no token, and still knows it."""
        new = create(engine)
        assert new.client_id.startswith(f"{SERVICE}-")
        assert is_well_formed(new.client_secret, "demosc")
        assert not is_well_formed(new.client_secret, "demo")
        assert new.client_secret not in repr(new)

    def test_only_a_digest_is_kept(self, engine):
        """And an event that names the id."""
        new = create(engine)
        rows = select(engine, "SELECT * FROM service_credential")
        assert new.client_secret not in str(rows)
        assert [bytes(row[2]) for row in rows] == MINTING.digests([new.client_secret])
        assert select(engine, "SELECT action, actor, service_id, subject FROM audit_event") == [
            ("credential", "mhale", SERVICE, new.client_id)
        ]

    def test_a_third_is_refused(self, engine):
        """Two live at once is what a change takes; another service has its own two."""
        create(engine)
        create(engine)
        with pytest.raises(TooManyCredentialsError):
            create(engine)
        create(engine, OTHER_SERVICE)
        assert len(credentials.list_all_credentials(engine)) == 3

    def test_two_at_once_are_two(self, engine):
        """Of five administrators who click at the same time, two get one."""

        def attempt(_: int) -> bool:
            try:
                create(engine)
            except TooManyCredentialsError:
                return False
            return True

        with ThreadPoolExecutor(5) as threads:
            assert sorted(threads.map(attempt, range(5))) == [False, False, False, True, True]

    @pytest.mark.parametrize("make", ["create", "create_by_command"])
    def test_no_such_service(self, engine, make):
        """Is named."""
        arguments = [ADMIN] if make == "create" else []
        with pytest.raises(UnknownServiceError):
            getattr(credentials, make)(unit_of_work(engine), *arguments, "none", MINTING)

    def test_by_command(self, engine, verifier):
        """Whoever can start a command is asked nothing; the event says so."""
        new = credentials.create_by_command(unit_of_work(engine), SERVICE, MINTING)
        assert verifier.service_of(*new) == SERVICE
        assert select(engine, "SELECT actor, address FROM audit_event") == [("", "command line")]


class TestChange:
    """A new one beside the old one, then the old one ends."""

    def test_both_work_until_one_ends(self, engine, verifier):
        """At once, and for good."""
        old, new = create(engine), create(engine)
        assert [verifier.service_of(*each) for each in (old, new)] == [SERVICE, SERVICE]
        assert credentials.end(unit_of_work(engine), ADMIN, old.client_id)
        assert [verifier.service_of(*each) for each in (old, new)] == [None, SERVICE]
        listed = credentials.list_credentials(engine, ADMIN, SERVICE)
        assert [each.client_id for each in listed] == [new.client_id]
        create(engine)

    @pytest.mark.parametrize("client_id", ["none", "", "\0", "x" * 1_000])
    def test_ending_what_is_not_there(self, engine, client_id):
        """Says so, and leaves no event."""
        assert not credentials.end_by_command(unit_of_work(engine), client_id)
        assert select(engine, "SELECT count(*) FROM audit_event") == [(0,)]

    def test_ending_twice(self, engine):
        """Once only."""
        new = create(engine)
        with ThreadPoolExecutor(4) as threads:
            ended = threads.map(
                lambda _: credentials.end_by_command(unit_of_work(engine), new.client_id), range(4)
            )
            assert sorted(ended) == [False, False, False, True]

    def test_the_pepper_changes(self, engine):
        """A credential keeps the number of its own; without that pepper it is worth nothing."""
        new = create(engine)
        later = Minting("demo", {1: MINTING.peppers[1], 2: b"q" * 32})
        for minting, service_id in ((later, SERVICE), (Minting("demo", {2: b"q" * 32}), None)):
            verifier = TokenVerifier(unit_of_work(engine), minting)
            assert verifier.service_of(*new) == service_id
            verifier.close()


class TestWho:
    """Only who looks after access everywhere."""

    @pytest.mark.parametrize(
        "grant",
        [Grant(Role.SUPPORT), Grant(Role.ANALYST), Grant(Role.ADMINISTRATOR, ORG), None],
    )
    def test_others_are_refused(self, engine, grant):
        """A service's credential reaches into every organization."""
        with writing(engine) as connection:
            add_staff(connection, "other", "Other", *([grant] if grant else []))
        other = Actor("other", "Other")
        new = create(engine)
        for act in (
            lambda: credentials.create(unit_of_work(engine), other, SERVICE, MINTING),
            lambda: credentials.end(unit_of_work(engine), other, new.client_id),
            lambda: credentials.list_credentials(engine, other, SERVICE),
        ):
            with pytest.raises(NotAllowedError):
                act()
        assert len(credentials.list_all_credentials(engine)) == 1
