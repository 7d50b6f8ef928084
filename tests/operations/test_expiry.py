"""When tokens and requests end by themselves, and how the table says so."""

import pytest

from lib.domain.access import Actor
from lib.domain.clock import DAY, MINUTE, SECOND
from lib.domain.errors import NothingToDoError, TokenNotPendingError
from lib.domain.states import Action, Holding
from lib.domain.tokens import TokenRow
from lib.operations import own_tokens, policies
from lib.operations.actions import execute, plan_action
from lib.operations.unit_of_work import UnitOfWork
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store import token_queries
from lib.store.engine import reading
from tests.support.actions import LATER, Moving, act, change, exported, give, select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, clock, unit_of_work

HOLDER = Actor("utcjf1-u0", "User 000000")


@pytest.fixture
def ids(engine) -> list[str]:
    """Six users."""
    return build(engine, 6)


def set_days(engine, service: int | None, organization: int | None) -> None:
    """Set both policies."""
    policies.set_service_policy(unit_of_work(engine), ADMIN, SERVICE, service)
    policies.set_organization_policy(unit_of_work(engine), ADMIN, ORG, organization)


def ends(engine) -> list[int | None]:
    """When each row ends; those without an end last."""
    return [
        row[0] for row in select(engine, "SELECT expires_at FROM token ORDER BY expires_at IS NULL")
    ]


class TestNewTokens:
    """They carry the moment at which they end."""

    @pytest.mark.parametrize(
        ("service", "organization", "days"),
        [(None, None, None), (30, None, 30), (None, 7, 7), (30, 7, 7), (7, 30, 7), (730, 1, 1)],
    )
    def test_exported(self, engine, ids, service, organization, days):
        """From the moment of the export; the shorter policy counts."""
        set_days(engine, service, organization)
        _, outcome = act(engine, Action.GENERATE, ids)
        assert set(ends(engine)) == {days and LATER + days * DAY}
        at = Moving(LATER)
        checker = TokenVerifier(unit_of_work(engine, at), MINTING)
        token = exported(outcome)[0]
        assert checker.check(token)
        at.at += (days or 10_000) * DAY - 1
        assert checker.check(token)
        at.at += 1
        assert bool(checker.check(token)) == (days is None)
        checker.close()

    def test_asked_for(self, engine, ids):
        """A request lapses; the token that is minted when it is accepted lives from then on."""
        set_days(engine, 30, None)
        act(engine, Action.REQUEST, ids[:1])
        assert ends(engine) == [LATER + 30 * DAY], "thirty days to answer"
        at = Moving(LATER + 5 * DAY)
        (pending,) = own_tokens.list_own(engine, at, HOLDER)
        own_tokens.accept(unit_of_work(engine, at), HOLDER, pending, MINTING)
        assert ends(engine) == [LATER + 35 * DAY]
        set_days(engine, None, None)
        act(engine, Action.REQUEST, ids[1:2])
        other = Actor("utcjf1-u1", "User 000001")
        (pending,) = own_tokens.list_own(engine, at, other)
        own_tokens.accept(unit_of_work(engine, at), other, pending, MINTING)
        assert ends(engine) == [LATER + 35 * DAY, None]

    def test_a_policy_changes_no_token_that_is_there(self, engine, ids):
        """It counts for tokens that are made after it."""
        act(engine, Action.GENERATE, ids)
        set_days(engine, 1, 1)
        assert set(ends(engine)) == {None}


class TestRequests:
    """They lapse after so many days, whatever the policies say."""

    @pytest.mark.parametrize("days", [1, 30, 365])
    def test_the_setting(self, engine, ids, days):
        """To the millisecond; then it is as if nobody had asked."""
        books = UnitOfWork(engine, clock, unit_of_work(engine).keyring, request_days=days)
        planned = plan_action(books, ADMIN, Action.REQUEST, ORG, SERVICE, ids[:1])
        execute(books, by(planned), planned, MINTING)
        assert ends(engine) == [NOW + days * DAY]
        at = Moving(NOW + days * DAY - 1)
        (pending,) = own_tokens.list_own(engine, at, HOLDER)
        at.at += 1
        assert own_tokens.list_own(engine, at, HOLDER) == []
        with pytest.raises(TokenNotPendingError):
            own_tokens.accept(unit_of_work(engine, at), HOLDER, pending, MINTING)

    def test_another_can_be_made(self, engine, ids):
        """The lapsed one is closed as expired, at its own time."""
        act(engine, Action.REQUEST, ids[:1])
        at = Moving(LATER + 31 * DAY)
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
    """An expired token shows as Expired and counts as none."""

    def test_until_it_ends(self, engine, ids):
        """And from then on, though nobody has closed the row."""
        give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + SECOND)
        row = row_of(engine, ids[0])
        assert (row.accepted, row.expired, row.expires_at) == (True, False, NOW + SECOND)
        row = row_of(engine, ids[0], NOW + SECOND)
        assert (row.accepted, row.pending, row.expired) == (False, False, True)

    def test_a_closed_row_says_the_same(self, engine, ids):
        """Until something newer is there."""
        give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW)
        with pytest.raises(NothingToDoError):
            act(engine, Action.REMOVE, ids[:1])
        assert row_of(engine, ids[0]).expired
        act(engine, Action.GENERATE, ids[:1])
        assert select(engine, "SELECT state FROM token ORDER BY state")[0] == ("expired",)
        assert not row_of(engine, ids[0], LATER).expired

    @pytest.mark.parametrize("action", [Action.REMOVE, Action.GENERATE])
    def test_what_was_ended_is_not_expired(self, engine, ids, action):
        """Removed is none; replaced has a newer one."""
        give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + DAY)
        act(engine, action, ids[:1])
        assert not row_of(engine, ids[0], NOW + 2 * DAY).expired

    def test_nothing_is_not_expired(self, engine, ids):
        """Who never had one."""
        assert not row_of(engine, ids[0]).expired

    def test_one_of_two(self, engine, ids):
        """With something live beside it, that is what shows."""
        give(engine, ids[0], Holding.BOTH)
        change(engine, "UPDATE token SET expires_at = :at WHERE state = 'accepted'", at=NOW)
        row = row_of(engine, ids[0])
        assert (row.accepted, row.pending, row.expired) == (False, True, False)


class TestFilters:
    """Which users each filter finds."""

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
    def test_each(self, engine, many, name, found):
        """A request has no token yet, so neither use nor end is said of it."""
        with reading(engine) as connection:
            ids = token_queries.matching_ids(connection, ORG, SERVICE, NOW + MINUTE, holding=name)
        assert {many[member_id] for member_id in ids} == found
