"""Service credentials: created, shown once, rotated, ended."""

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
    """The verifier that checks credentials."""
    verifier = TokenVerifier(unit_of_work(engine), MINTING)
    yield verifier
    verifier.close()


def create(engine, service_id: str = SERVICE):
    """Make a credential as an API administrator."""
    return credentials.create(unit_of_work(engine), ADMIN, service_id, MINTING)


class TestCreate:
    """The secret is in clear once, for the person who creates it."""

    def test_a_credential_signs_in_its_own_service_only(self, engine, verifier):
        """Both client id and secret must be right."""
        new = create(engine)
        assert verifier.service_of(*new) == SERVICE
        assert verifier.service_of(new.client_id, f"{new.client_secret}x") is None
        assert verifier.service_of(new.client_id, "") is None
        assert verifier.service_of(f"{new.client_id}x", new.client_secret) is None
        assert verifier.service_of(*create(engine, OTHER_SERVICE)) == OTHER_SERVICE

    def test_id_and_secret_have_their_forms(self, engine):
        """The id starts with the service. A scanner knows the secret, but not as a token."""
        new = create(engine)
        assert new.client_id.startswith(f"{SERVICE}-")
        assert is_well_formed(new.client_secret, "demosc")
        assert not is_well_formed(new.client_secret, "demo")
        assert new.client_secret not in repr(new)

    def test_the_database_keeps_a_digest_and_an_event_with_the_id(self, engine):
        """Never the secret."""
        new = create(engine)
        rows = select(engine, "SELECT * FROM service_credential")
        assert new.client_secret not in str(rows)
        assert [bytes(row[2]) for row in rows] == MINTING.digests([new.client_secret])
        assert select(engine, "SELECT action, actor, service_id, subject FROM audit_event") == [
            ("credential", "mhale", SERVICE, new.client_id)
        ]

    def test_a_third_live_credential_is_refused(self, engine):
        """Two are enough for a rotation. Another service has its own two."""
        create(engine)
        create(engine)
        with pytest.raises(TooManyCredentialsError):
            create(engine)
        create(engine, OTHER_SERVICE)
        assert len(credentials.list_all_credentials(engine)) == 3

    def test_five_creations_at_once_make_two_credentials(self, engine):
        """Three of the five administrators are refused."""

        def attempt(_: int) -> bool:
            try:
                create(engine)
            except TooManyCredentialsError:
                return False
            return True

        with ThreadPoolExecutor(5) as threads:
            assert sorted(threads.map(attempt, range(5))) == [False, False, False, True, True]

    @pytest.mark.parametrize("make", ["create", "create_by_command"])
    def test_an_unknown_service_is_named_in_the_error(self, engine, make):
        """For both ways to create one."""
        arguments = [ADMIN] if make == "create" else []
        with pytest.raises(UnknownServiceError):
            getattr(credentials, make)(unit_of_work(engine), *arguments, "none", MINTING)

    def test_a_command_creates_without_a_permission(self, engine, verifier):
        """The event says that it was the command line."""
        new = credentials.create_by_command(unit_of_work(engine), SERVICE, MINTING)
        assert verifier.service_of(*new) == SERVICE
        assert select(engine, "SELECT actor, address FROM audit_event") == [("", "command line")]


class TestRotation:
    """A new credential beside the old one, then the old one ends."""

    def test_both_credentials_work_until_one_is_ended(self, engine, verifier):
        """The end takes effect at once."""
        old, new = create(engine), create(engine)
        assert [verifier.service_of(*each) for each in (old, new)] == [SERVICE, SERVICE]
        assert credentials.end(unit_of_work(engine), ADMIN, old.client_id)
        assert [verifier.service_of(*each) for each in (old, new)] == [None, SERVICE]
        listed = credentials.list_credentials(engine, ADMIN, SERVICE)
        assert [each.client_id for each in listed] == [new.client_id]
        create(engine)

    @pytest.mark.parametrize("client_id", ["none", "", "\0", "x" * 1_000])
    def test_ending_an_unknown_credential_returns_false(self, engine, client_id):
        """It writes no event."""
        assert not credentials.end_by_command(unit_of_work(engine), client_id)
        assert select(engine, "SELECT count(*) FROM audit_event") == [(0,)]

    def test_ending_a_credential_twice_ends_it_once(self, engine):
        """The second call returns False."""
        new = create(engine)
        with ThreadPoolExecutor(4) as threads:
            ended = threads.map(
                lambda _: credentials.end_by_command(unit_of_work(engine), new.client_id), range(4)
            )
            assert sorted(ended) == [False, False, False, True]

    def test_a_credential_needs_the_pepper_it_was_made_with(self, engine):
        """It keeps the pepper's number. Without that pepper it does not work."""
        new = create(engine)
        later = Minting("demo", {1: MINTING.peppers[1], 2: b"q" * 32})
        for minting, service_id in ((later, SERVICE), (Minting("demo", {2: b"q" * 32}), None)):
            verifier = TokenVerifier(unit_of_work(engine), minting)
            assert verifier.service_of(*new) == service_id
            verifier.close()


class TestPermission:
    """Only people who manage access for all organizations."""

    @pytest.mark.parametrize(
        "grant",
        [Grant(Role.SUPPORT), Grant(Role.ANALYST), Grant(Role.ADMINISTRATOR, ORG), None],
    )
    def test_credentials_need_the_access_permission_for_all_organizations(self, engine, grant):
        """A service's credential is valid for every organization."""
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
