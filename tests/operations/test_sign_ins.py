"""A sign-in from its first sight to its end, on each engine."""

from typing import Any

import pytest
from sqlalchemy import Engine, text

from lib.domain.audit import Seal
from lib.domain.clock import MINUTE, SECOND
from lib.domain.errors import (
    AmbiguousEmail,
    AuditUnwritten,
    ClaimUnusable,
    Inactive,
    NotInDirectory,
    SignedOut,
    TimedOut,
)
from lib.domain.roles import Grant, Permission, Role
from lib.domain.rows import Actor
from lib.domain.states import Stay
from lib.operations import sign_ins
from lib.operations.ledger import Ledger
from lib.operations.sign_ins import Arrival, Limits
from lib.store import grant_queries, tables
from lib.store.engine import reading, writing
from tests.directory import build
from tests.facts import NOW

HOUR = 60 * MINUTE
LIMITS = Limits(idle=30 * MINUTE, whole=12 * HOUR)
SEAL = Seal.of({1: b"p" * 32})
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
def ledger(engine, time) -> Ledger:
    """A directory with Morgan Hale, who is API administrator, and three users."""
    build(engine)
    with writing(engine) as connection:
        connection.execute(text("DELETE FROM role_grant"))
        grant_queries.add_grant(connection, "g1", "mhale", Grant(Role.ADMINISTRATOR), NOW, "")
    return Ledger(engine, time, SEAL)


def arriving(**claims: Any) -> Arrival:
    """Return an arrival with Morgan Hale's claims, changed."""
    return Arrival(CLAIMS | claims, FROM)


def stay(ledger: Ledger, arrival: Arrival | None = None, claim: str = "preferred_username"):
    """Ask who it is."""
    return sign_ins.stay(ledger, LIMITS, claim, arrival or arriving())


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

    def test_a_known_person_is_in(self, ledger):
        """With what is granted to them, and from where they came; one row, one event."""
        assert stay(ledger) == Actor(
            "mhale", "Morgan Hale", frozenset({Grant(Role.ADMINISTRATOR)}), FROM
        )
        assert rows(ledger.engine) == [("mhale", NOW, NOW, None)]
        assert events(ledger.engine) == [("sign-in", "mhale", FROM, "")]

    def test_the_second_click_adds_nothing(self, ledger, time):
        """Nor does a second tab."""
        stay(ledger)
        time.now += 59 * SECOND
        stay(ledger)
        assert rows(ledger.engine) == [("mhale", NOW, NOW, None)]
        assert len(events(ledger.engine)) == 1

    def test_it_is_not_in_before_it_was_seen(self, ledger):
        """A download is no page: the page comes first."""
        sign_in_id = arriving().sign_in_id
        assert sign_ins.standing(ledger, LIMITS, sign_in_id) is not Stay.IN
        stay(ledger)
        assert sign_ins.standing(ledger, LIMITS, sign_in_id) is Stay.IN

    @pytest.mark.parametrize(
        ("claims", "error", "claimed"),
        [
            ({"preferred_username": "nobody"}, NotInDirectory, "nobody"),
            ({"preferred_username": "MHALE"}, NotInDirectory, "MHALE"),
            ({"preferred_username": "mhale "}, NotInDirectory, "mhale "),
            ({"preferred_username": ""}, ClaimUnusable, ""),
            ({"preferred_username": None}, ClaimUnusable, ""),
            ({"preferred_username": 7}, ClaimUnusable, ""),
            ({"preferred_username": ["mhale"]}, ClaimUnusable, ""),
            ({"preferred_username": "mhale\x00"}, ClaimUnusable, ""),
            ({"preferred_username": "a" * 321}, ClaimUnusable, ""),
        ],
    )
    def test_nobody_is_refused_and_recorded_once(self, ledger, claims, error, claimed):
        """The row has no username: when the directory learns of them, they sign in anew."""
        for _ in range(2):
            with pytest.raises((error, NotInDirectory)):
                stay(ledger, arriving(**claims))
        assert rows(ledger.engine) == [("", NOW, NOW, None)]
        assert events(ledger.engine) == [
            ("refusal", claimed, FROM, f"sign-in: {error.__name__}"),
        ]
        assert sign_ins.standing(ledger, LIMITS, arriving(**claims).sign_in_id) is not Stay.IN

    def test_an_inactive_account_is_refused(self, ledger):
        """And let in again, with the same sign-in, once it is active."""
        add_account(ledger.engine, "gone", "", "inactive")
        for _ in range(2):
            with pytest.raises(Inactive):
                stay(ledger, arriving(preferred_username="gone"))
        assert events(ledger.engine) == [("refusal", "gone", FROM, "sign-in: Inactive")]
        with writing(ledger.engine) as connection:
            connection.execute(text("UPDATE user_account SET staff_status = 'active'"))
        assert stay(ledger, arriving(preferred_username="gone")).username == "gone"

    def test_who_becomes_inactive_is_out_at_the_next_click(self, ledger):
        """The directory is asked each time."""
        stay(ledger)
        with writing(ledger.engine) as connection:
            connection.execute(text("UPDATE user_account SET staff_status = 'inactive'"))
        with pytest.raises(Inactive):
            stay(ledger)

    def test_a_role_taken_away_is_gone_at_the_next_click(self, ledger):
        """Grants are read each time."""
        stay(ledger)
        with writing(ledger.engine) as connection:
            connection.execute(text("DELETE FROM role_grant"))
        assert stay(ledger).grants == frozenset()

    def test_no_event_no_sign_in(self, ledger):
        """The row and its event are one transaction."""

        class Unwritten(Ledger):
            def record(self, *_: object) -> None:
                raise AuditUnwritten

        with pytest.raises(AuditUnwritten):
            stay(Unwritten(ledger.engine, ledger.clock, SEAL))
        assert (rows(ledger.engine), events(ledger.engine)) == ([], [])


class TestClaims:
    """Which claim names the person."""

    def test_sub(self, ledger):
        """It is compared with the username."""
        assert stay(ledger, arriving(sub="mhale"), "sub").username == "mhale"

    @pytest.mark.parametrize("email", ["mhale@example.com", "MHale@Example.com"])
    @pytest.mark.parametrize("verified", [True, "true"])
    def test_an_e_mail_whatever_its_case(self, ledger, email, verified):
        """The provider must say that it has verified it."""
        arrival = arriving(email=email, email_verified=verified)
        assert stay(ledger, arrival, "email").username == "mhale"

    def test_an_e_mail_of_which_nothing_is_said(self, ledger):
        """With some providers people type their own: it counts as not verified."""
        with pytest.raises(ClaimUnusable):
            stay(ledger, arriving(), "email")

    @pytest.mark.parametrize("verified", [False, "false", None, 0, "no"])
    def test_an_e_mail_that_nobody_has_verified(self, ledger, verified):
        """Anybody can type somebody else's."""
        with pytest.raises(ClaimUnusable):
            stay(ledger, arriving(email_verified=verified), "email")

    def test_an_e_mail_that_names_two(self, ledger):
        """It names nobody, and the refusal is recorded."""
        add_account(ledger.engine, "second", "MHALE@example.com")
        with pytest.raises(AmbiguousEmail):
            stay(ledger, arriving(email_verified=True), "email")
        assert events(ledger.engine) == [
            ("refusal", "mhale@example.com", FROM, "sign-in: AmbiguousEmail")
        ]

    def test_an_empty_e_mail_names_nobody(self, ledger):
        """Though accounts without one have the same."""
        add_account(ledger.engine, "second", "")
        with pytest.raises(ClaimUnusable):
            stay(ledger, arriving(email=""), "email")


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
        assert Arrival(dict(reversed(CLAIMS.items())), "").sign_in_id == arriving().sign_in_id


class TestTimeOuts:
    """Without a click, and altogether."""

    def test_clicks_keep_it(self, ledger, time):
        """Written down once a minute at most."""
        stay(ledger)
        for _ in range(20):
            time.now += 29 * MINUTE
            stay(ledger)
        assert rows(ledger.engine) == [("mhale", NOW, time.now, None)]

    def test_thirty_minutes_without_one(self, ledger, time):
        """The row is ended, once, with its event; and stays ended for whoever comes back."""
        stay(ledger)
        time.now += 30 * MINUTE
        for _ in range(2):
            with pytest.raises(TimedOut) as caught:
                stay(ledger)
            assert caught.value.idle
            time.now += HOUR
        assert rows(ledger.engine) == [("mhale", NOW, NOW, NOW + 30 * MINUTE)]
        assert events(ledger.engine)[1:] == [("sign-out", "mhale", FROM, "timed out: idle")]
        assert sign_ins.standing(ledger, LIMITS, arriving().sign_in_id) is not Stay.IN

    def test_a_millisecond_less(self, ledger, time):
        """Is still in."""
        stay(ledger)
        time.now += 30 * MINUTE - 1
        assert sign_ins.standing(ledger, LIMITS, arriving().sign_in_id) is Stay.IN
        assert stay(ledger).username == "mhale"

    def test_twelve_hours_whatever_the_clicks(self, ledger, time):
        """Counted from the provider's word, not from the first sight."""
        time.now += 10 * MINUTE
        stay(ledger)
        while time.now + 20 * MINUTE < NOW + 12 * HOUR:
            time.now += 20 * MINUTE
            stay(ledger)
        time.now = NOW + 12 * HOUR
        with pytest.raises(TimedOut) as caught:
            stay(ledger)
        assert not caught.value.idle
        assert events(ledger.engine)[-1] == ("sign-out", "mhale", FROM, "timed out: whole")

    @pytest.mark.parametrize(("later", "idle"), [(30 * MINUTE, True), (12 * HOUR, False)])
    def test_a_cookie_that_was_kept_back(self, ledger, time, later, idle):
        """First seen when its sign-in would be over: it never begins."""
        time.now += later
        for _ in range(2):
            with pytest.raises(TimedOut) as caught:
                stay(ledger)
            assert caught.value.idle is idle
        assert events(ledger.engine) == [("refusal", "mhale", FROM, "sign-in: TimedOut")]
        assert sign_ins.standing(ledger, LIMITS, arriving().sign_in_id) is not Stay.IN

    @pytest.mark.parametrize("iat", [(NOW + HOUR) // SECOND, None, "yesterday"])
    def test_a_moment_that_cannot_be(self, ledger, iat):
        """A provider whose clock is ahead gives nobody more time."""
        stay(ledger, arriving(iat=iat))
        assert rows(ledger.engine)[0][1] <= NOW

    def test_short_limits_are_kept_as_well(self, ledger, time):
        """A minute's idle time is noticed by seconds."""
        short = Limits(idle=MINUTE, whole=HOUR)
        sign_ins.stay(ledger, short, "preferred_username", arriving())
        for _ in range(10):
            time.now += 40 * SECOND
            sign_ins.stay(ledger, short, "preferred_username", arriving())
        assert rows(ledger.engine)[0][2] == time.now


class TestLeaving:
    """Signing out is for every copy of the cookie."""

    def test_it_is_over(self, ledger, time):
        """One event, however often it is clicked; the cookie is worth nothing."""
        stay(ledger)
        time.now += MINUTE
        sign_ins.leave(ledger, arriving())
        sign_ins.leave(ledger, arriving())
        with pytest.raises(SignedOut):
            stay(ledger)
        time.now += 24 * HOUR
        with pytest.raises(SignedOut):
            stay(ledger)
        assert events(ledger.engine) == [
            ("sign-in", "mhale", FROM, ""),
            ("sign-out", "mhale", FROM, ""),
        ]
        assert sign_ins.standing(ledger, LIMITS, arriving().sign_in_id) is not Stay.IN

    def test_a_new_sign_in_is_another(self, ledger):
        """The provider's nonce is new."""
        stay(ledger)
        sign_ins.leave(ledger, arriving())
        assert stay(ledger, arriving(nonce="twice")).username == "mhale"

    def test_what_was_never_seen_here_cannot_begin_later(self, ledger):
        """A copy of its cookie is over as well; nobody was in, so there is no event."""
        sign_ins.leave(ledger, arriving())
        with pytest.raises(SignedOut):
            stay(ledger, arriving())
        assert events(ledger.engine) == []

    def test_whom_the_directory_does_not_know_leaves_without_event(self, ledger):
        """Their coming was a refusal already."""
        with pytest.raises(NotInDirectory):
            stay(ledger, arriving(preferred_username="nobody"))
        sign_ins.leave(ledger, arriving(preferred_username="nobody"))
        assert len(events(ledger.engine)) == 1
        with pytest.raises(SignedOut):
            stay(ledger, arriving(preferred_username="nobody"))


class TestByProxy:
    """The proxy names the person; that they came is recorded."""

    def test_a_known_person(self, ledger):
        """One event; no row, for the proxy knows how long it lasts."""
        actor = sign_ins.arrive_by_proxy(ledger, "mhale", FROM)
        assert (actor.username, actor.address) == ("mhale", FROM)
        assert events(ledger.engine) == [("sign-in", "mhale", FROM, "")]
        assert rows(ledger.engine) == []

    @pytest.mark.parametrize("name", ["nobody", "mhale, mhale", "mhale\x00", ""])
    def test_nobody(self, ledger, name):
        """Refused, and recorded."""
        with pytest.raises(NotInDirectory):
            sign_ins.arrive_by_proxy(ledger, name, FROM)
        ((action, *_, detail),) = events(ledger.engine)
        assert (action, detail) == ("refusal", "sign-in: NotInDirectory")

    def test_an_inactive_account(self, ledger):
        """Refused, and recorded."""
        add_account(ledger.engine, "gone", "", "inactive")
        with pytest.raises(Inactive):
            sign_ins.arrive_by_proxy(ledger, "gone", FROM)
        assert events(ledger.engine) == [("refusal", "gone", FROM, "sign-in: Inactive")]


class TestRefusedPages:
    """Somebody opened a page that is not for them."""

    @pytest.mark.parametrize(
        ("organization_id", "detail"), [("", "page: read"), ("UTCJF1", "page: read in UTCJF1")]
    )
    def test_it_is_recorded(self, ledger, organization_id, detail):
        """Who, from where, and what."""
        actor = Actor("adoyle", "Andre Doyle", address=FROM)
        sign_ins.refuse_page(ledger, actor, Permission.READ, organization_id)
        assert events(ledger.engine) == [("refusal", "adoyle", FROM, detail)]
