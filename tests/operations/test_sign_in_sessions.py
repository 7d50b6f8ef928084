"""A sign-in from its first sight to its end, on each engine."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from lib.domain.access import Actor
from lib.domain.audit import AuditKeyring
from lib.domain.clock import MINUTE, SECOND
from lib.domain.errors import (
    AmbiguousEmailError,
    AuditNotWrittenError,
    ClaimUnusableError,
    InactiveAccountError,
    NotInDirectoryError,
    SessionTimedOutError,
    SignedOutError,
)
from lib.domain.roles import Grant, Permission, Role
from lib.domain.states import SessionStatus
from lib.operations import sign_in_sessions
from lib.operations.sign_in_sessions import LoginClaims, SessionLimits
from lib.operations.unit_of_work import UnitOfWork
from lib.store import grant_queries, tables
from lib.store.engine import reading, writing
from tests.support.database_facts import NOW
from tests.support.directory import build

HOUR = 60 * MINUTE
LIMITS = SessionLimits(idle=30 * MINUTE, whole=12 * HOUR)
SEAL = AuditKeyring.of({1: b"p" * 32})
FROM = "203.0.113.7"
CLAIMS = {
    "iss": "https://id.example.com",
    "sub": "4711",
    "iat": NOW // SECOND,
    "nonce": "once",
    "preferred_username": "mhale",
    "email": "mhale@example.com",
}


class Time:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        """Start at the tests' moment."""
        self.now = NOW

    def __call__(self) -> int:
        """Return the moment."""
        return self.now


@pytest.fixture
def time() -> Time:
    """The clock."""
    return Time()


@pytest.fixture
def unit_of_work(engine, time) -> UnitOfWork:
    """A directory with Morgan Hale, who is API administrator, and three users."""
    build(engine)
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM role_grant"))
        grant_queries.add_grant(connection, "g1", "mhale", Grant(Role.ADMINISTRATOR), NOW, "")
    return UnitOfWork(engine, time, SEAL)


def arriving(**claims: Any) -> LoginClaims:
    """Return an arrival with Morgan Hale's claims, changed."""
    return LoginClaims(CLAIMS | claims, FROM)


def stay(
    unit_of_work: UnitOfWork, arrival: LoginClaims | None = None, claim: str = "preferred_username"
):
    """Ask who it is."""
    return sign_in_sessions.resume(unit_of_work, LIMITS, claim, arrival or arriving())


def events(engine: Engine) -> list[tuple[str, str, str, str]]:
    """Return action, actor, address and detail of every event, oldest first."""
    with reading(engine) as connection:
        rows = connection.execute(
            text("SELECT action, actor, address, detail FROM audit_event ORDER BY number")
        )
        return [tuple(row) for row in rows]


def rows(engine: Engine) -> list[tuple]:
    """Return every sign-in without its id."""
    with reading(engine) as connection:
        found = connection.execute(
            text("SELECT username, signed_in_at, last_seen_at, ended_at FROM sign_in")
        )
        return [tuple(row) for row in found]


def add_account(engine: Engine, username: str, email: str, status: str = "active") -> None:
    """Add a staff account."""
    with writing(engine) as connection:
        connection.execute(
            tables.user_account.insert().values(
                username=username, name=username.title(), email=email, staff_status=status
            )
        )


class TestFirstSight:
    """A sign-in is recorded when it is first seen, whether it is let in or not."""

    def test_a_known_person_is_in(self, unit_of_work):
        """With what is granted to them, and from where they came; one row, one event."""
        assert stay(unit_of_work) == Actor(
            "mhale", "Morgan Hale", frozenset({Grant(Role.ADMINISTRATOR)}), FROM
        )
        assert rows(unit_of_work.engine) == [("mhale", NOW, NOW, None)]
        assert events(unit_of_work.engine) == [("sign-in", "mhale", FROM, "")]

    def test_the_second_click_adds_nothing(self, unit_of_work, time):
        """Nor does a second tab."""
        stay(unit_of_work)
        time.now += 59 * SECOND
        stay(unit_of_work)
        assert rows(unit_of_work.engine) == [("mhale", NOW, NOW, None)]
        assert len(events(unit_of_work.engine)) == 1

    def test_it_is_not_in_before_it_was_seen(self, unit_of_work):
        """A download is no page: the page comes first."""
        sign_in_id = arriving().sign_in_id
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, sign_in_id)
            is not SessionStatus.ACTIVE
        )
        stay(unit_of_work)
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, sign_in_id)
            is SessionStatus.ACTIVE
        )

    @pytest.mark.parametrize(
        ("claims", "error", "claimed"),
        [
            ({"preferred_username": "nobody"}, NotInDirectoryError, "nobody"),
            ({"preferred_username": "MHALE"}, NotInDirectoryError, "MHALE"),
            ({"preferred_username": "mhale "}, NotInDirectoryError, "mhale "),
            ({"preferred_username": ""}, ClaimUnusableError, ""),
            ({"preferred_username": None}, ClaimUnusableError, ""),
            ({"preferred_username": 7}, ClaimUnusableError, ""),
            ({"preferred_username": ["mhale"]}, ClaimUnusableError, ""),
            ({"preferred_username": "mhale\x00"}, ClaimUnusableError, ""),
            ({"preferred_username": "a" * 321}, ClaimUnusableError, ""),
        ],
    )
    def test_nobody_is_refused_and_recorded_once(self, unit_of_work, claims, error, claimed):
        """The row has no username: when the directory learns of them, they sign in anew."""
        for _ in range(2):
            with pytest.raises((error, NotInDirectoryError)):
                stay(unit_of_work, arriving(**claims))
        assert rows(unit_of_work.engine) == [("", NOW, NOW, None)]
        assert events(unit_of_work.engine) == [
            ("refusal", claimed, FROM, f"sign-in: {error.code}"),
        ]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, arriving(**claims).sign_in_id)
            is not SessionStatus.ACTIVE
        )

    def test_an_inactive_account_is_refused(self, unit_of_work):
        """And let in again, with the same sign-in, once it is active."""
        add_account(unit_of_work.engine, "gone", "", "inactive")
        for _ in range(2):
            with pytest.raises(InactiveAccountError):
                stay(unit_of_work, arriving(preferred_username="gone"))
        assert events(unit_of_work.engine) == [("refusal", "gone", FROM, "sign-in: Inactive")]
        with writing(unit_of_work.engine) as connection:
            connection.execute(text("UPDATE user_account SET staff_status = 'active'"))
        assert stay(unit_of_work, arriving(preferred_username="gone")).username == "gone"

    def test_who_becomes_inactive_is_out_at_the_next_click(self, unit_of_work):
        """The directory is asked each time."""
        stay(unit_of_work)
        with writing(unit_of_work.engine) as connection:
            connection.execute(text("UPDATE user_account SET staff_status = 'inactive'"))
        with pytest.raises(InactiveAccountError):
            stay(unit_of_work)

    def test_a_role_taken_away_is_gone_at_the_next_click(self, unit_of_work):
        """Grants are read each time."""
        stay(unit_of_work)
        with writing(unit_of_work.engine) as connection:
            connection.execute(text("DELETE FROM role_grant"))
        assert stay(unit_of_work).grants == frozenset()

    def test_no_event_no_sign_in(self, unit_of_work):
        """The row and its event are one transaction."""

        class Unwritten(UnitOfWork):
            def record(self, *_: object) -> None:
                raise AuditNotWrittenError

        with pytest.raises(AuditNotWrittenError):
            stay(Unwritten(unit_of_work.engine, unit_of_work.clock, SEAL))
        assert (rows(unit_of_work.engine), events(unit_of_work.engine)) == ([], [])


class TestClaims:
    """Which claim names the person."""

    def test_sub(self, unit_of_work):
        """It is compared with the username."""
        assert stay(unit_of_work, arriving(sub="mhale"), "sub").username == "mhale"

    @pytest.mark.parametrize("email", ["mhale@example.com", "MHale@Example.com"])
    @pytest.mark.parametrize("verified", [True, "true"])
    def test_an_e_mail_whatever_its_case(self, unit_of_work, email, verified):
        """The provider must say that it has verified it."""
        arrival = arriving(email=email, email_verified=verified)
        assert stay(unit_of_work, arrival, "email").username == "mhale"

    def test_an_e_mail_of_which_nothing_is_said(self, unit_of_work):
        """With some providers people type their own: it counts as not verified."""
        with pytest.raises(ClaimUnusableError):
            stay(unit_of_work, arriving(), "email")

    @pytest.mark.parametrize("verified", [False, "false", None, 0, "no"])
    def test_an_e_mail_that_nobody_has_verified(self, unit_of_work, verified):
        """Anybody can type somebody else's."""
        with pytest.raises(ClaimUnusableError):
            stay(unit_of_work, arriving(email_verified=verified), "email")

    def test_an_e_mail_that_names_two(self, unit_of_work):
        """It names nobody, and the refusal is recorded."""
        add_account(unit_of_work.engine, "second", "MHALE@example.com")
        with pytest.raises(AmbiguousEmailError):
            stay(unit_of_work, arriving(email_verified=True), "email")
        assert events(unit_of_work.engine) == [
            ("refusal", "mhale@example.com", FROM, "sign-in: AmbiguousEmail")
        ]

    def test_an_empty_e_mail_names_nobody(self, unit_of_work):
        """Though accounts without one have the same."""
        add_account(unit_of_work.engine, "second", "")
        with pytest.raises(ClaimUnusableError):
            stay(unit_of_work, arriving(email=""), "email")


class TestTheId:
    """What makes two sign-ins two."""

    @pytest.mark.parametrize("claim", ["iss", "sub", "iat", "nonce", "preferred_username", "more"])
    def test_every_claim_counts(self, claim):
        """The cookie is signed, so whoever holds it cannot change one."""
        assert arriving().sign_in_id != arriving(**{claim: "other"}).sign_in_id

    def test_what_streamlit_adds_does_not(self):
        """The page and the server's routes see the same cookie in different ways."""
        seen = arriving(is_logged_in=True, tokens={}, origin="https://desk.example.com")
        assert seen.sign_in_id == arriving().sign_in_id
        assert LoginClaims(dict(reversed(CLAIMS.items())), "").sign_in_id == arriving().sign_in_id


class TestTimeOuts:
    """Without a click, and altogether."""

    def test_clicks_keep_it(self, unit_of_work, time):
        """Written down once a minute at most."""
        stay(unit_of_work)
        for _ in range(20):
            time.now += 29 * MINUTE
            stay(unit_of_work)
        assert rows(unit_of_work.engine) == [("mhale", NOW, time.now, None)]

    def test_thirty_minutes_without_one(self, unit_of_work, time):
        """The row is ended, once, with its event; and stays ended for whoever comes back."""
        stay(unit_of_work)
        time.now += 30 * MINUTE
        for _ in range(2):
            with pytest.raises(SessionTimedOutError) as caught:
                stay(unit_of_work)
            assert caught.value.idle
            time.now += HOUR
        assert rows(unit_of_work.engine) == [("mhale", NOW, NOW, NOW + 30 * MINUTE)]
        assert events(unit_of_work.engine)[1:] == [("sign-out", "mhale", FROM, "timed out: idle")]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, arriving().sign_in_id)
            is not SessionStatus.ACTIVE
        )

    def test_a_millisecond_less(self, unit_of_work, time):
        """Is still in."""
        stay(unit_of_work)
        time.now += 30 * MINUTE - 1
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, arriving().sign_in_id)
            is SessionStatus.ACTIVE
        )
        assert stay(unit_of_work).username == "mhale"

    def test_twelve_hours_whatever_the_clicks(self, unit_of_work, time):
        """Counted from the provider's word, not from the first sight."""
        time.now += 10 * MINUTE
        stay(unit_of_work)
        while time.now + 20 * MINUTE < NOW + 12 * HOUR:
            time.now += 20 * MINUTE
            stay(unit_of_work)
        time.now = NOW + 12 * HOUR
        with pytest.raises(SessionTimedOutError) as caught:
            stay(unit_of_work)
        assert not caught.value.idle
        assert events(unit_of_work.engine)[-1] == ("sign-out", "mhale", FROM, "timed out: whole")

    @pytest.mark.parametrize(("later", "idle"), [(30 * MINUTE, True), (12 * HOUR, False)])
    def test_a_cookie_that_was_kept_back(self, unit_of_work, time, later, idle):
        """First seen when its sign-in would be over: it never begins."""
        time.now += later
        for _ in range(2):
            with pytest.raises(SessionTimedOutError) as caught:
                stay(unit_of_work)
            assert caught.value.idle is idle
        assert events(unit_of_work.engine) == [("refusal", "mhale", FROM, "sign-in: TimedOut")]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, arriving().sign_in_id)
            is not SessionStatus.ACTIVE
        )

    @pytest.mark.parametrize("iat", [(NOW + HOUR) // SECOND, None, "yesterday"])
    def test_a_moment_that_cannot_be(self, unit_of_work, iat):
        """A provider whose clock is ahead gives nobody more time."""
        stay(unit_of_work, arriving(iat=iat))
        assert rows(unit_of_work.engine)[0][1] <= NOW

    def test_short_limits_are_kept_as_well(self, unit_of_work, time):
        """A minute's idle time is noticed by seconds."""
        short = SessionLimits(idle=MINUTE, whole=HOUR)
        sign_in_sessions.resume(unit_of_work, short, "preferred_username", arriving())
        for _ in range(10):
            time.now += 40 * SECOND
            sign_in_sessions.resume(unit_of_work, short, "preferred_username", arriving())
        assert rows(unit_of_work.engine)[0][2] == time.now


class TestLeaving:
    """Signing out is for every copy of the cookie."""

    def test_it_is_over(self, unit_of_work, time):
        """One event, however often it is clicked; the cookie is worth nothing."""
        stay(unit_of_work)
        time.now += MINUTE
        sign_in_sessions.sign_out(unit_of_work, arriving())
        sign_in_sessions.sign_out(unit_of_work, arriving())
        with pytest.raises(SignedOutError):
            stay(unit_of_work)
        time.now += 24 * HOUR
        with pytest.raises(SignedOutError):
            stay(unit_of_work)
        assert events(unit_of_work.engine) == [
            ("sign-in", "mhale", FROM, ""),
            ("sign-out", "mhale", FROM, ""),
        ]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, arriving().sign_in_id)
            is not SessionStatus.ACTIVE
        )

    def test_a_new_sign_in_is_another(self, unit_of_work):
        """The provider's nonce is new."""
        stay(unit_of_work)
        sign_in_sessions.sign_out(unit_of_work, arriving())
        assert stay(unit_of_work, arriving(nonce="twice")).username == "mhale"

    def test_what_was_never_seen_here_cannot_begin_later(self, unit_of_work):
        """A copy of its cookie is over as well; nobody was in, so there is no event."""
        sign_in_sessions.sign_out(unit_of_work, arriving())
        with pytest.raises(SignedOutError):
            stay(unit_of_work, arriving())
        assert events(unit_of_work.engine) == []

    def test_whom_the_directory_does_not_know_leaves_without_event(self, unit_of_work):
        """Their coming was a refusal already."""
        with pytest.raises(NotInDirectoryError):
            stay(unit_of_work, arriving(preferred_username="nobody"))
        sign_in_sessions.sign_out(unit_of_work, arriving(preferred_username="nobody"))
        assert len(events(unit_of_work.engine)) == 1
        with pytest.raises(SignedOutError):
            stay(unit_of_work, arriving(preferred_username="nobody"))


class TestByProxy:
    """The proxy names the person; that they came is recorded."""

    def test_a_known_person(self, unit_of_work):
        """One event; no row, for the proxy knows how long it lasts."""
        actor = sign_in_sessions.begin_by_proxy(unit_of_work, "mhale", FROM)
        assert (actor.username, actor.address) == ("mhale", FROM)
        assert events(unit_of_work.engine) == [("sign-in", "mhale", FROM, "")]
        assert rows(unit_of_work.engine) == []

    @pytest.mark.parametrize("name", ["nobody", "mhale, mhale", "mhale\x00", ""])
    def test_nobody(self, unit_of_work, name):
        """Refused, and recorded."""
        with pytest.raises(NotInDirectoryError):
            sign_in_sessions.begin_by_proxy(unit_of_work, name, FROM)
        ((action, *_, detail),) = events(unit_of_work.engine)
        assert (action, detail) == ("refusal", "sign-in: NotInDirectory")

    def test_an_inactive_account(self, unit_of_work):
        """Refused, and recorded."""
        add_account(unit_of_work.engine, "gone", "", "inactive")
        with pytest.raises(InactiveAccountError):
            sign_in_sessions.begin_by_proxy(unit_of_work, "gone", FROM)
        assert events(unit_of_work.engine) == [("refusal", "gone", FROM, "sign-in: Inactive")]


class TestRefusedPages:
    """Somebody opened a page that is not for them."""

    @pytest.mark.parametrize(
        ("organization_id", "detail"), [("", "page: read"), ("UTCJF1", "page: read in UTCJF1")]
    )
    def test_it_is_recorded(self, unit_of_work, organization_id, detail):
        """Who, from where, and what."""
        actor = Actor("adoyle", "Andre Doyle", address=FROM)
        sign_in_sessions.record_page_refusal(unit_of_work, actor, Permission.READ, organization_id)
        assert events(unit_of_work.engine) == [("refusal", "adoyle", FROM, detail)]
