"""Expiry of tokens and requests, and how the table shows it."""

import pytest

from lib.domain.access import Actor
from lib.domain.clock import DAY, MINUTE, SECOND, iso
from lib.domain.errors import NothingToDoError, TokenNotPendingError
from lib.domain.states import Action, Holding
from lib.domain.tokens import TokenRow
from lib.operations import own_tokens, policies
from lib.operations.actions import execute, plan_action
from lib.operations.unit_of_work import UnitOfWork
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store import token_queries
from lib.store.engine import reading
from tests.support.actions import LATER, MovableClock, act, change, csv_rows, exported, give, select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, clock, unit_of_work

HOLDER = Actor("utcjf1-u0", "User 000000")


@pytest.fixture
def ids(engine) -> list[str]:
    """Six users."""
    return build(engine, 6)


def set_days(engine, service: int | None, organization: int | None) -> None:
    """Set the policies of the service and of the organization."""
    policies.set_service_policy(unit_of_work(engine), ADMIN, SERVICE, service)
    policies.set_organization_policy(unit_of_work(engine), ADMIN, ORG, organization)


def ends(engine) -> list[int | None]:
    """Return the expiry of each row; those without one last."""
    return [
        row[0] for row in select(engine, "SELECT expires_at FROM token ORDER BY expires_at IS NULL")
    ]


class TestNewTokens:
    """New tokens have an expiry by policy."""

    @pytest.mark.parametrize(
        ("service", "organization", "days"),
        [(None, None, None), (30, None, 30), (None, 7, 7), (30, 7, 7), (7, 30, 7), (730, 1, 1)],
    )
    def test_an_exported_token_expires_by_the_shorter_policy(
        self, engine, ids, service, organization, days
    ):
        """Counted from the moment of the export."""
        set_days(engine, service, organization)
        _, outcome = act(engine, Action.GENERATE, ids)
        assert set(ends(engine)) == {days and LATER + days * DAY}
        expires = {row["Expires"] for row in csv_rows(outcome.csv)}
        assert expires == {iso(LATER + days * DAY) if days else ""}
        at = MovableClock(LATER)
        checker = TokenVerifier(unit_of_work(engine, at), MINTING)
        token = exported(outcome)[0]
        assert checker.check(token)
        at.at += (days or 10_000) * DAY - 1
        assert checker.check(token)
        at.at += 1
        assert bool(checker.check(token)) == (days is None)
        checker.close()

    def test_a_requested_token_expires_by_policy_from_its_acceptance(self, engine, ids):
        """The request itself expires earlier."""
        set_days(engine, 30, None)
        act(engine, Action.REQUEST, ids[:1])
        assert ends(engine) == [LATER + 30 * DAY], "thirty days to answer"
        at = MovableClock(LATER + 5 * DAY)
        (pending,) = own_tokens.list_own(engine, at, HOLDER)
        own_tokens.accept(unit_of_work(engine, at), HOLDER, pending, MINTING)
        assert ends(engine) == [LATER + 35 * DAY]
        set_days(engine, None, None)
        act(engine, Action.REQUEST, ids[1:2])
        other = Actor("utcjf1-u1", "User 000001")
        (pending,) = own_tokens.list_own(engine, at, other)
        own_tokens.accept(unit_of_work(engine, at), other, pending, MINTING)
        assert ends(engine) == [LATER + 35 * DAY, None]

    def test_a_new_policy_changes_no_existing_token(self, engine, ids):
        """It applies to tokens that are made later."""
        act(engine, Action.GENERATE, ids)
        set_days(engine, 1, 1)
        assert set(ends(engine)) == {None}


class TestRequests:
    """Requests expire after the days of the setting, whatever the policies say."""

    @pytest.mark.parametrize("days", [1, 30, 365])
    def test_a_request_expires_after_the_days_of_the_setting(self, engine, ids, days):
        """To the millisecond. Then it counts as nothing."""
        books = UnitOfWork(engine, clock, unit_of_work(engine).keyring, request_days=days)
        planned = plan_action(books, ADMIN, Action.REQUEST, ORG, SERVICE, ids[:1])
        execute(books, by(planned), planned, MINTING)
        assert ends(engine) == [NOW + days * DAY]
        at = MovableClock(NOW + days * DAY - 1)
        (pending,) = own_tokens.list_own(engine, at, HOLDER)
        at.at += 1
        assert own_tokens.list_own(engine, at, HOLDER) == []
        with pytest.raises(TokenNotPendingError):
            own_tokens.accept(unit_of_work(engine, at), HOLDER, pending, MINTING)

    def test_a_new_request_closes_the_expired_one(self, engine, ids):
        """It ends as expired, at its own time."""
        act(engine, Action.REQUEST, ids[:1])
        at = MovableClock(LATER + 31 * DAY)
        planned = plan_action(
            unit_of_work(engine, at), ADMIN, Action.REQUEST, ORG, SERVICE, ids[:1]
        )
        assert planned.preview.changed == 1
        execute(unit_of_work(engine, at), by(planned), planned, MINTING)
        rows = select(engine, "SELECT state, ended_from, ended_at FROM token ORDER BY state")
        assert rows == [("expired", "pending", LATER + 30 * DAY), ("pending", None, None)]


def row_of(engine, member_id: str, now: int = NOW) -> TokenRow:
    """Return a user's line of the table."""
    with reading(engine) as connection:
        (row,) = token_queries.table_rows(connection, ORG, SERVICE, now, [member_id])
    return row


class TestTable:
    """An expired token shows as Expired and counts as nothing."""

    def test_a_row_shows_expired_from_the_moment_of_expiry(self, engine, ids):
        """Even though nothing has closed it."""
        give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + SECOND)
        row = row_of(engine, ids[0])
        assert (row.accepted, row.expired, row.expires_at) == (True, False, NOW + SECOND)
        row = row_of(engine, ids[0], NOW + SECOND)
        assert (row.accepted, row.pending, row.expired) == (False, False, True)

    def test_a_closed_expired_row_shows_expired_until_something_newer(self, engine, ids):
        """As an open one."""
        give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW)
        with pytest.raises(NothingToDoError):
            act(engine, Action.REMOVE, ids[:1])
        assert row_of(engine, ids[0]).expired
        act(engine, Action.GENERATE, ids[:1])
        assert select(engine, "SELECT state FROM token ORDER BY state")[0] == ("expired",)
        assert not row_of(engine, ids[0], LATER).expired

    @pytest.mark.parametrize("action", [Action.REMOVE, Action.GENERATE])
    def test_a_removed_or_replaced_token_does_not_show_expired(self, engine, ids, action):
        """Removed shows nothing, replaced shows the newer token."""
        give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + DAY)
        act(engine, action, ids[:1])
        assert not row_of(engine, ids[0], NOW + 2 * DAY).expired

    def test_a_user_who_never_had_a_token_does_not_show_expired(self, engine, ids):
        """The user has no row."""
        assert not row_of(engine, ids[0]).expired

    def test_a_live_token_shows_instead_of_the_expired_one_beside_it(self, engine, ids):
        """The live one counts."""
        give(engine, ids[0], Holding.BOTH)
        change(engine, "UPDATE token SET expires_at = :at WHERE state = 'accepted'", at=NOW)
        row = row_of(engine, ids[0])
        assert (row.accepted, row.pending, row.expired) == (False, True, False)


class TestFilters:
    """Which users each filter of the table finds."""

    @pytest.fixture
    def many(self, engine, ids) -> dict[str, str]:
        """Users by what they have."""
        facts = {
            "used, no end": {"last_used_at": NOW},
            "never used": {},
            "ends in 7 days": {"last_used_at": NOW, "expires_at": NOW + 7 * DAY},
            "ends in 30 days": {"last_used_at": NOW, "expires_at": NOW + 30 * DAY},
            "expired": {"last_used_at": NOW, "expires_at": NOW},
        }
        for member_id, values in zip(ids, facts.values(), strict=False):
            give(engine, member_id, Holding.ACCEPTED, **values)
        act(engine, Action.REQUEST, ids[5:])
        return dict(zip(ids, [*facts, "asked"], strict=True))

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("unused", {"never used"}),
            ("expires7", {"ends in 7 days"}),
            ("expires30", {"ends in 7 days", "ends in 30 days"}),
            ("expires60", {"ends in 7 days", "ends in 30 days"}),
            ("expired", {"expired"}),
            ("none", {"expired"}),
            ("pending", {"asked"}),
            (
                "accepted",
                {"used, no end", "never used", "ends in 7 days", "ends in 30 days"},
            ),
        ],
    )
    def test_a_filter_finds_exactly_its_users(self, engine, many, name, found):
        """A request has no token yet, so it has neither a use nor an expiry."""
        with reading(engine) as connection:
            ids = token_queries.matching_ids(connection, ORG, SERVICE, NOW + MINUTE, holding=name)
        assert {many[member_id] for member_id in ids} == found
