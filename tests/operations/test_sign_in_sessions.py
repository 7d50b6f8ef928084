"""A sign-in from its first page to its end, on each engine."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from lib.domain.access import Actor
from lib.domain.audit import AuditKeyring
from lib.domain.claims import SIGNED_IN_AT, ClaimFault
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
from lib.domain.search import caseless
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
    SIGNED_IN_AT: NOW,
}


class Time:
    """A clock that the test moves."""

    def __init__(self) -> None:
        """Start at the tests' moment."""
        self.now = NOW

    def __call__(self) -> int:
        """Return the current moment."""
        return self.now


@pytest.fixture
def time() -> Time:
    """The clock."""
    return Time()


@pytest.fixture
def unit_of_work(engine, time) -> UnitOfWork:
    """A directory with Morgan Hale, an API administrator, and three users."""
    build(engine)
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM role_grant"))
        connection.execute(text("UPDATE user_account SET username_key = lower(username)"))
        grant_queries.add_grant(connection, "g1", "mhale", Grant(Role.ADMINISTRATOR), NOW, "")
    return UnitOfWork(engine, time, SEAL)


def login_claims(**claims: Any) -> LoginClaims:
    """Return the login claims of Morgan Hale, changed by `claims`."""
    return LoginClaims(CLAIMS | claims, FROM)


def resume(
    unit_of_work: UnitOfWork, login: LoginClaims | None = None, claim: str = "preferred_username"
):
    """Return the person who is signed in."""
    return sign_in_sessions.resume(unit_of_work, LIMITS, claim, login or login_claims())


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
                username=username,
                name=username.title(),
                email=email,
                staff_status=status,
                username_key=caseless(username),
            )
        )


class TestBegin:
    """A sign-in is recorded when it opens its first page, accepted or refused."""

    def test_a_known_person_is_signed_in_with_grants_and_address(self, unit_of_work):
        """There is one row and one event."""
        assert resume(unit_of_work) == Actor(
            "mhale", "Morgan Hale", frozenset({Grant(Role.ADMINISTRATOR)}), FROM
        )
        assert rows(unit_of_work.engine) == [("mhale", NOW, NOW, None)]
        assert events(unit_of_work.engine) == [("sign-in", "mhale", FROM, "")]

    def test_a_second_page_adds_no_row_and_no_event(self, unit_of_work, time):
        """Nor does a second tab."""
        resume(unit_of_work)
        time.now += 59 * SECOND
        resume(unit_of_work)
        assert rows(unit_of_work.engine) == [("mhale", NOW, NOW, None)]
        assert len(events(unit_of_work.engine)) == 1

    def test_the_status_is_not_active_before_the_first_page(self, unit_of_work):
        """A download alone does not begin a sign-in."""
        sign_in_id = login_claims().sign_in_id
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, sign_in_id)
            is not SessionStatus.ACTIVE
        )
        resume(unit_of_work)
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, sign_in_id)
            is SessionStatus.ACTIVE
        )

    @pytest.mark.parametrize(
        ("claims", "error", "claimed"),
        [
            ({"preferred_username": "nobody"}, NotInDirectoryError, "nobody"),
            ({"preferred_username": "m hale"}, NotInDirectoryError, "m hale"),
            ({"preferred_username": "   "}, ClaimUnusableError, ""),
            ({"preferred_username": ""}, ClaimUnusableError, ""),
            ({"preferred_username": None}, ClaimUnusableError, ""),
            ({"preferred_username": 7}, ClaimUnusableError, ""),
            ({"preferred_username": ["mhale"]}, ClaimUnusableError, ""),
            ({"preferred_username": "mhale\x00"}, ClaimUnusableError, ""),
            ({"preferred_username": "a" * 321}, ClaimUnusableError, ""),
        ],
    )
    def test_an_unknown_person_is_refused_and_recorded_once(
        self, unit_of_work, claims, error, claimed
    ):
        """The row has no username, so they must sign in again once the directory has them."""
        for _ in range(2):
            with pytest.raises((error, NotInDirectoryError)):
                resume(unit_of_work, login_claims(**claims))
        assert rows(unit_of_work.engine) == [("", NOW, NOW, None)]
        assert events(unit_of_work.engine) == [
            ("refusal", claimed, FROM, f"sign-in: {error.code}"),
        ]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, login_claims(**claims).sign_in_id)
            is not SessionStatus.ACTIVE
        )

    def test_an_inactive_account_is_refused_until_it_is_active_again(self, unit_of_work):
        """With the same sign-in."""
        add_account(unit_of_work.engine, "gone", "", "inactive")
        for _ in range(2):
            with pytest.raises(InactiveAccountError):
                resume(unit_of_work, login_claims(preferred_username="gone"))
        assert events(unit_of_work.engine) == [("refusal", "gone", FROM, "sign-in: Inactive")]
        with writing(unit_of_work.engine) as connection:
            connection.execute(text("UPDATE user_account SET staff_status = 'active'"))
        assert resume(unit_of_work, login_claims(preferred_username="gone")).username == "gone"

    def test_a_person_who_became_inactive_is_refused_at_the_next_page(self, unit_of_work):
        """The directory is read each time."""
        resume(unit_of_work)
        with writing(unit_of_work.engine) as connection:
            connection.execute(text("UPDATE user_account SET staff_status = 'inactive'"))
        with pytest.raises(InactiveAccountError):
            resume(unit_of_work)

    def test_a_revoked_role_is_missing_at_the_next_page(self, unit_of_work):
        """Grants are read each time."""
        resume(unit_of_work)
        with writing(unit_of_work.engine) as connection:
            connection.execute(text("DELETE FROM role_grant"))
        assert resume(unit_of_work).grants == frozenset()

    def test_a_sign_in_without_its_event_is_not_stored(self, unit_of_work):
        """Row and event are one transaction."""

        class Unwritten(UnitOfWork):
            def record(self, *_: object) -> None:
                raise AuditNotWrittenError

        with pytest.raises(AuditNotWrittenError):
            resume(Unwritten(unit_of_work.engine, unit_of_work.clock, SEAL))
        assert (rows(unit_of_work.engine), events(unit_of_work.engine)) == ([], [])


class TestClaims:
    """The claim that names the person."""

    def test_sub_is_compared_with_the_username(self, unit_of_work):
        """The setting chooses the claim."""
        assert resume(unit_of_work, login_claims(sub="mhale"), "sub").username == "mhale"

    @pytest.mark.parametrize("email", ["mhale@example.com", "MHale@Example.com"])
    @pytest.mark.parametrize("verified", [True, "true"])
    def test_a_verified_email_names_the_person_in_any_case(self, unit_of_work, email, verified):
        """The provider must say that it is verified."""
        login = login_claims(email=email, email_verified=verified)
        assert resume(unit_of_work, login, "email").username == "mhale"

    def test_an_email_without_email_verified_is_refused(self, unit_of_work):
        """With some providers people can type any e-mail."""
        with pytest.raises(ClaimUnusableError):
            resume(unit_of_work, login_claims(), "email")

    @pytest.mark.parametrize(
        "verified", [False, "false", None, 0, "no", 1, 1.0, "True", [True], ["true"], {"a": True}]
    )
    def test_an_unverified_email_is_refused(self, unit_of_work, verified):
        """Anybody could type somebody else's. A list, number or object is no `true`."""
        with pytest.raises(ClaimUnusableError) as caught:
            resume(unit_of_work, login_claims(email_verified=verified), "email")
        assert caught.value.fault is ClaimFault.NOT_VERIFIED
        assert events(unit_of_work.engine) == [
            ("refusal", "mhale@example.com", FROM, "sign-in: ClaimUnusable")
        ]

    @pytest.mark.parametrize("claim", ["upn", "https://example.com/claims/login"])
    def test_any_claim_can_name_the_person(self, unit_of_work, claim):
        """ADFS sends `upn`, others names of their own."""
        assert resume(unit_of_work, login_claims(**{claim: "mhale"}), claim).username == "mhale"

    @pytest.mark.parametrize(
        ("email", "named"),
        [
            ("kim@example.com", True),
            ("KIM@EXAMPLE.COM", True),
            ("\u212aim@example.com", False),  # the Kelvin sign
            ("\u212aIM@example.com", False),
            ("k\u0131m@example.com", False),  # the dotless i
        ],
    )
    def test_only_the_letters_a_to_z_of_an_email_are_folded(self, unit_of_work, email, named):
        """The same on both engines."""
        add_account(unit_of_work.engine, "kim", "kim@example.com")
        login = login_claims(email=email, email_verified=True)
        if named:
            assert resume(unit_of_work, login, "email").username == "kim"
        else:
            with pytest.raises(NotInDirectoryError):
                resume(unit_of_work, login, "email")

    @pytest.mark.parametrize("name", ["MHALE", "Mhale", " mhale\n", "\u00a0mHale "])
    def test_a_name_that_differs_by_case_or_white_space_signs_in(self, unit_of_work, name):
        """The event has the username."""
        assert resume(unit_of_work, login_claims(preferred_username=name)).username == "mhale"
        assert events(unit_of_work.engine) == [("sign-in", "mhale", FROM, "")]

    @pytest.mark.parametrize("name", ["jose\u0301", "jos\u00e9", "JOSE\u0301", "Jos\u00c9"])
    def test_a_name_with_decomposed_accents_signs_in(self, unit_of_work, name):
        """An import composes them."""
        add_account(unit_of_work.engine, "jos\u00e9", "")
        login = login_claims(preferred_username=name)
        assert resume(unit_of_work, login).username == "jos\u00e9"

    def test_of_two_usernames_that_differ_by_case_only_the_exact_one_counts(self, unit_of_work):
        """Imports of earlier versions took them. A third spelling names neither."""
        add_account(unit_of_work.engine, "MHale", "")
        for name in ("mhale", "MHale"):
            login = login_claims(preferred_username=name, nonce=name)
            assert resume(unit_of_work, login).username == name
        with pytest.raises(NotInDirectoryError):
            resume(unit_of_work, login_claims(preferred_username="MHALE", nonce="third"))

    @pytest.mark.parametrize("subject", ["MHALE", "mHale"])
    def test_sub_is_case_sensitive(self, unit_of_work, subject):
        """OpenID Connect Core 1.0, section 2."""
        with pytest.raises(NotInDirectoryError):
            resume(unit_of_work, login_claims(sub=subject), "sub")

    def test_an_email_of_two_accounts_is_refused(self, unit_of_work):
        """The refusal is recorded."""
        add_account(unit_of_work.engine, "second", "MHALE@example.com")
        with pytest.raises(AmbiguousEmailError):
            resume(unit_of_work, login_claims(email_verified=True), "email")
        assert events(unit_of_work.engine) == [
            ("refusal", "mhale@example.com", FROM, "sign-in: AmbiguousEmail")
        ]

    def test_an_empty_email_is_refused(self, unit_of_work):
        """Accounts without an e-mail have the same empty text."""
        add_account(unit_of_work.engine, "second", "")
        with pytest.raises(ClaimUnusableError):
            resume(unit_of_work, login_claims(email=""), "email")


class TestSignInId:
    """What makes two sign-ins different."""

    @pytest.mark.parametrize("claim", ["iss", "sub", "aud", "iat", "nonce", "sid"])
    def test_another_value_of_an_identifying_claim_is_another_sign_in(self, claim):
        """The cookie is signed, so nobody can change a claim."""
        assert login_claims().sign_in_id != login_claims(**{claim: "other"}).sign_in_id

    @pytest.mark.parametrize("field", ["preferred_username", "tokens", "origin", "more"])
    def test_any_other_field_is_no_part_of_the_id(self, field):
        """Pages and routes read the cookie in different ways, and Streamlit may add fields."""
        assert login_claims(**{field: "other"}).sign_in_id == login_claims().sign_in_id

    def test_the_order_of_the_claims_does_not_change_the_id(self):
        """Nor does a list as audience."""
        assert login_claims(aud=["a", "b"]).sign_in_id != login_claims(aud="a").sign_in_id
        assert (
            LoginClaims(dict(reversed(CLAIMS.items())), "").sign_in_id == login_claims().sign_in_id
        )


class TestTimeOuts:
    """Time-outs: without a click, and in total."""

    def test_clicks_keep_a_sign_in_active(self, unit_of_work, time):
        """They are written once a minute at most."""
        resume(unit_of_work)
        for _ in range(20):
            time.now += 29 * MINUTE
            resume(unit_of_work)
        assert rows(unit_of_work.engine) == [("mhale", NOW, time.now, None)]

    def test_a_sign_in_ends_after_thirty_minutes_without_a_click(self, unit_of_work, time):
        """With one event. It stays ended."""
        resume(unit_of_work)
        time.now += 30 * MINUTE
        for _ in range(2):
            with pytest.raises(SessionTimedOutError) as caught:
                resume(unit_of_work)
            assert caught.value.idle
            time.now += HOUR
        assert rows(unit_of_work.engine) == [("mhale", NOW, NOW, NOW + 30 * MINUTE)]
        assert events(unit_of_work.engine)[1:] == [("sign-out", "mhale", FROM, "timed out: idle")]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, login_claims().sign_in_id)
            is not SessionStatus.ACTIVE
        )

    def test_a_sign_in_is_active_a_millisecond_before_the_time_out(self, unit_of_work, time):
        """The limit is exact."""
        resume(unit_of_work)
        time.now += 30 * MINUTE - 1
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, login_claims().sign_in_id)
            is SessionStatus.ACTIVE
        )
        assert resume(unit_of_work).username == "mhale"

    def test_a_sign_in_ends_after_twelve_hours_in_spite_of_clicks(self, unit_of_work, time):
        """They count from the callback, not from the first page."""
        time.now += 10 * MINUTE
        resume(unit_of_work)
        while time.now + 20 * MINUTE < NOW + 12 * HOUR:
            time.now += 20 * MINUTE
            resume(unit_of_work)
        time.now = NOW + 12 * HOUR
        with pytest.raises(SessionTimedOutError) as caught:
            resume(unit_of_work)
        assert not caught.value.idle
        assert events(unit_of_work.engine)[-1] == ("sign-out", "mhale", FROM, "timed out: whole")

    @pytest.mark.parametrize(("later", "idle"), [(30 * MINUTE, True), (12 * HOUR, False)])
    def test_an_old_cookie_that_was_never_used_does_not_begin_a_sign_in(
        self, unit_of_work, time, later, idle
    ):
        """Its time limit has passed."""
        time.now += later
        for _ in range(2):
            with pytest.raises(SessionTimedOutError) as caught:
                resume(unit_of_work)
            assert caught.value.idle is idle
        assert events(unit_of_work.engine) == [("refusal", "mhale", FROM, "sign-in: TimedOut")]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, login_claims().sign_in_id)
            is not SessionStatus.ACTIVE
        )

    @pytest.mark.parametrize(
        "iat", [(NOW + HOUR) // SECOND, (NOW - 5 * MINUTE) // SECOND, 0, None, "yesterday"]
    )
    def test_the_limits_do_not_count_from_the_providers_iat(self, unit_of_work, iat):
        """Entra sends one that is five minutes old. Idle is a minute here."""
        short = SessionLimits(idle=MINUTE, whole=HOUR)
        sign_in_sessions.resume(unit_of_work, short, "preferred_username", login_claims(iat=iat))
        assert rows(unit_of_work.engine) == [("mhale", NOW, NOW, None)]

    @pytest.mark.parametrize("field", [None, "now", 1.5])
    def test_a_cookie_of_an_earlier_version_counts_as_signed_out(self, unit_of_work, field):
        """Its row has another id, so a signed-out one would come back. Nothing is written."""
        claims = {k: v for k, v in CLAIMS.items() if k != SIGNED_IN_AT}
        login = LoginClaims(claims if field is None else claims | {SIGNED_IN_AT: field}, FROM)
        with pytest.raises(SignedOutError):
            resume(unit_of_work, login)
        assert (rows(unit_of_work.engine), events(unit_of_work.engine)) == ([], [])

    def test_a_short_idle_limit_is_exact_to_seconds(self, unit_of_work, time):
        """With an idle time of one minute."""
        short = SessionLimits(idle=MINUTE, whole=HOUR)
        sign_in_sessions.resume(unit_of_work, short, "preferred_username", login_claims())
        for _ in range(10):
            time.now += 40 * SECOND
            sign_in_sessions.resume(unit_of_work, short, "preferred_username", login_claims())
        assert rows(unit_of_work.engine)[0][2] == time.now


class TestSignOut:
    """A sign-out is for every copy of the cookie."""

    def test_a_sign_out_ends_the_sign_in_with_one_event(self, unit_of_work, time):
        """However often it is clicked. The cookie does not work any more."""
        resume(unit_of_work)
        time.now += MINUTE
        sign_in_sessions.sign_out(unit_of_work, login_claims())
        sign_in_sessions.sign_out(unit_of_work, login_claims())
        with pytest.raises(SignedOutError):
            resume(unit_of_work)
        time.now += 24 * HOUR
        with pytest.raises(SignedOutError):
            resume(unit_of_work)
        assert events(unit_of_work.engine) == [
            ("sign-in", "mhale", FROM, ""),
            ("sign-out", "mhale", FROM, ""),
        ]
        assert (
            sign_in_sessions.session_status(unit_of_work, LIMITS, login_claims().sign_in_id)
            is not SessionStatus.ACTIVE
        )

    def test_a_new_sign_in_after_a_sign_out_is_active(self, unit_of_work):
        """The provider's nonce is new."""
        resume(unit_of_work)
        sign_in_sessions.sign_out(unit_of_work, login_claims())
        assert resume(unit_of_work, login_claims(nonce="twice")).username == "mhale"

    def test_a_signed_out_cookie_that_was_never_used_cannot_begin_later(self, unit_of_work):
        """Nobody was signed in, so there is no event."""
        sign_in_sessions.sign_out(unit_of_work, login_claims())
        with pytest.raises(SignedOutError):
            resume(unit_of_work, login_claims())
        assert events(unit_of_work.engine) == []

    def test_a_sign_out_of_an_unknown_person_writes_no_event(self, unit_of_work):
        """Their sign-in was a refusal."""
        with pytest.raises(NotInDirectoryError):
            resume(unit_of_work, login_claims(preferred_username="nobody"))
        sign_in_sessions.sign_out(unit_of_work, login_claims(preferred_username="nobody"))
        assert len(events(unit_of_work.engine)) == 1
        with pytest.raises(SignedOutError):
            resume(unit_of_work, login_claims(preferred_username="nobody"))


class TestRefusedPages:
    """Somebody opened a page without permission."""

    @pytest.mark.parametrize(
        ("organization_id", "detail"), [("", "page: read"), ("UTCJF1", "page: read in UTCJF1")]
    )
    def test_a_refused_page_is_recorded(self, unit_of_work, organization_id, detail):
        """Actor, address and page."""
        actor = Actor("adoyle", "Andre Doyle", address=FROM)
        sign_in_sessions.record_page_refusal(unit_of_work, actor, Permission.READ, organization_id)
        assert events(unit_of_work.engine) == [("refusal", "adoyle", FROM, detail)]
