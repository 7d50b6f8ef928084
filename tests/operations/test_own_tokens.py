"""Accept and decline by users."""

import pytest

from lib.domain.access import Actor
from lib.domain.clock import DAY
from lib.domain.errors import StepRefusedError, TokenNotPendingError, UnknownPlaceError
from lib.domain.states import Action, Holding, Origin, Skip, TokenState
from lib.operations.own_tokens import accept, decline, list_own
from tests.support.actions import (
    LATER,
    act,
    change,
    everything,
    exported,
    give,
    later,
    live_matches,
    plan,
    select,
)
from tests.support.database_facts import NOW
from tests.support.directory import (
    ADMINISTRATOR,
    MINTING,
    ORG,
    SERVICE,
    build,
    tokens,
    unit_of_work,
)

ME = Actor("utcjf1-u0", "User 000000")
OTHER = Actor("utcjf1-u1", "User 000001")


def pending_of(engine, actor=ME):
    """Return the one pending token or request of a user."""
    (found,) = [own for own in list_own(engine, later, actor) if own.state is TokenState.PENDING]
    return found


class TestListing:
    """A user's live tokens and requests in all organizations."""

    def test_the_list_is_pending_first_then_newest(self, engine):
        """With names of organizations and services, without tokens of others."""
        me, other = build(engine, 2, services=(SERVICE, "plats"))
        give(engine, me, Holding.BOTH)
        give(engine, me, Holding.ACCEPTED, service_id="plats", created_at=NOW)
        give(engine, other, Holding.BOTH)
        assert [
            (own.organization_name, own.service_name, own.state.value, own.created_at)
            for own in list_own(engine, later, ME)
        ] == [
            (f"Organization {ORG}", "Erecording", "pending", NOW - 60_000),
            (f"Organization {ORG}", "Plats", "accepted", NOW),
            (f"Organization {ORG}", "Erecording", "accepted", NOW - 60_000),
        ]

    def test_the_list_has_both_organizations_of_a_user(self, engine):
        """Each with its tokens."""
        build(engine, 1)
        (there,) = build(engine, 1, organization_id="NVTBL2")
        change(
            engine,
            "UPDATE member SET username = 'utcjf1-u0' WHERE organization_id = 'NVTBL2'",
        )
        give(engine, there, Holding.PENDING, organization_id="NVTBL2")
        assert [own.organization_id for own in list_own(engine, later, ME)] == ["NVTBL2"]

    def test_an_expired_token_is_not_listed(self, engine):
        """From the moment of expiry on."""
        (me,) = build(engine, 1)
        give(engine, me, Holding.PENDING, expires_at=LATER)
        give(engine, me, Holding.ACCEPTED, expires_at=LATER + 1)
        assert [own.state.value for own in list_own(engine, later, ME)] == ["accepted"]

    def test_a_listed_token_has_a_hint_but_no_digest(self, engine):
        """And no token."""
        (me,) = build(engine, 1)
        (token,) = give(engine, me, Holding.PENDING)
        own = pending_of(engine)
        assert own.hint == token[:9]
        assert token not in repr(own)


class TestAccept:
    """Pending becomes accepted."""

    def test_accepting_a_request_returns_the_token_once(self, engine):
        """The token works. Only its digest and hint are kept."""
        (me,) = build(engine, 1)
        act(engine, Action.REQUEST, [me])
        token = accept(unit_of_work(engine, later), ME, pending_of(engine), MINTING)
        assert live_matches(engine, [token]) == [1]
        assert tokens(engine) == [(me, "accepted", "request", None)]
        assert select(engine, "SELECT accepted_at, hint, pepper FROM token") == [
            (LATER, token[:9], 1)
        ]

    def test_an_accepted_request_loses_its_time_limit(self, engine):
        """The token has no expiry. An exported token keeps its own."""
        asked, handed_out = build(engine, 2)
        act(engine, Action.REQUEST, [asked])
        act(engine, Action.GENERATE, [handed_out])
        change(engine, "UPDATE token SET expires_at = :until", until=LATER + DAY)
        for actor in (ME, OTHER):
            accept(unit_of_work(engine, later), actor, pending_of(engine, actor), MINTING)
        assert select(engine, "SELECT member_id, expires_at FROM token ORDER BY member_id") == [
            (asked, None),
            (handed_out, LATER + DAY),
        ]

    def test_accepting_an_exported_token_returns_nothing(self, engine):
        """The user has it from the CSV, and it still works."""
        (me,) = build(engine, 1)
        _, outcome = act(engine, Action.GENERATE, [me])
        assert accept(unit_of_work(engine, later), ME, pending_of(engine), MINTING) is None
        assert live_matches(engine, exported(outcome)) == [1]
        assert tokens(engine) == [(me, "accepted", "export", None)]

    def test_accepting_replaces_the_accepted_token(self, engine):
        """In the same transaction. Until then the old one works."""
        (me,) = build(engine, 1)
        (old,) = give(engine, me, Holding.ACCEPTED)
        act(engine, Action.REQUEST, [me])
        assert live_matches(engine, [old]) == [1]
        new = accept(unit_of_work(engine, later), ME, pending_of(engine), MINTING)
        assert live_matches(engine, [old, new]) == [0, 1]
        assert tokens(engine) == [
            (me, "accepted", "request", None),
            (me, "replaced", "export", "accepted"),
        ]

    def test_a_second_accept_is_refused(self, engine):
        """There is no second token."""
        (me,) = build(engine, 1)
        act(engine, Action.REQUEST, [me])
        own = pending_of(engine)
        token = accept(unit_of_work(engine, later), ME, own, MINTING)
        with pytest.raises(TokenNotPendingError):
            accept(unit_of_work(engine, later), ME, own, MINTING)
        assert live_matches(engine, [token]) == [1]

    def test_an_accept_raises_the_revision(self, engine):
        """A table that shows the user is read again."""
        (me,) = build(engine, 1)
        act(engine, Action.REQUEST, [me])
        accept(unit_of_work(engine, later), ME, pending_of(engine), MINTING)
        assert select(engine, "SELECT revision FROM subscription") == [(2,)]

    @pytest.mark.parametrize(
        ("table", "reason"),
        [
            ("member", Skip.INACTIVE_USER),
            ("organization", Skip.INACTIVE_ORGANIZATION),
            ("subscription", Skip.INACTIVE_SUBSCRIPTION),
        ],
    )
    def test_accept_is_refused_when_something_is_inactive(self, engine, table, reason):
        """With the reason. Decline is allowed."""
        (me,) = build(engine, 1)
        act(engine, Action.REQUEST, [me])
        own = pending_of(engine)
        change(engine, f"UPDATE {table} SET status = 'inactive'")
        before = everything(engine)
        with pytest.raises(StepRefusedError) as caught:
            accept(unit_of_work(engine, later), ME, own, MINTING)
        assert caught.value.reason == reason.value
        assert everything(engine) == before
        decline(unit_of_work(engine, later), ME, own)
        assert tokens(engine) == [(me, "declined", "request", "pending")]


class TestDecline:
    """Pending becomes declined."""

    @pytest.mark.parametrize("action", [Action.REQUEST, Action.GENERATE])
    def test_declining_ends_the_pending_one_only(self, engine, action):
        """An exported token stops working. The accepted token stays."""
        (me,) = build(engine, 1)
        _, outcome = act(engine, action, [me])
        (old,) = give(engine, me, Holding.ACCEPTED)
        decline(unit_of_work(engine, later), ME, pending_of(engine))
        assert live_matches(engine, [*(exported(outcome) if outcome.csv else []), old])[-2:] in (
            [1],
            [0, 1],
        )
        made = Origin.EXPORT if action is Action.GENERATE else Origin.REQUEST
        assert tokens(engine) == [
            (me, "accepted", "export", None),
            (me, "declined", made.value, "pending"),
        ]
        assert select(
            engine, "SELECT ended_at, ended_by_operation FROM token WHERE state = 'declined'"
        ) == [(LATER, None)]

    def test_a_second_decline_is_refused(self, engine):
        """It is not pending any more."""
        (me,) = build(engine, 1)
        act(engine, Action.REQUEST, [me])
        own = pending_of(engine)
        decline(unit_of_work(engine, later), ME, own)
        for step in (
            lambda: decline(unit_of_work(engine, later), ME, own),
            lambda: accept(unit_of_work(engine, later), ME, own, MINTING),
        ):
            with pytest.raises(TokenNotPendingError):
                step()


class TestNotPending:
    """Tokens that are not, or no longer, the user's to accept or decline."""

    def steps(self, engine, actor, own, clock=later):
        """Return both steps as calls."""
        return (
            lambda: accept(unit_of_work(engine, clock), actor, own, MINTING),
            lambda: decline(unit_of_work(engine, clock), actor, own),
        )

    def test_somebody_elses_token_is_refused(self, engine):
        """Nothing changes."""
        me, _ = build(engine, 2)
        act(engine, Action.REQUEST, [me])
        before = everything(engine)
        own = pending_of(engine)
        for actor in (OTHER, Actor("mhale", "", ADMINISTRATOR), Actor("", "")):
            for step in self.steps(engine, actor, own):
                with pytest.raises(TokenNotPendingError):
                    step()
        assert everything(engine) == before

    def test_a_token_that_ended_meanwhile_is_refused(self, engine, subtests):
        """It was cancelled or replaced, or has expired."""
        ids = build(engine, 3)
        actors = [Actor(f"utcjf1-u{n}", "") for n in range(3)]
        for member_id in ids[:2]:
            give(engine, member_id, Holding.PENDING)
        give(engine, ids[2], Holding.PENDING, expires_at=LATER + DAY)
        own = [pending_of(engine, actor) for actor in actors]
        act(engine, Action.CANCEL, ids[:1])
        act(engine, Action.GENERATE, ids[1:2])
        for name, actor, pending in zip(
            ("cancelled", "replaced", "lapsed"), actors, own, strict=True
        ):
            for step in self.steps(engine, actor, pending, clock=lambda: LATER + DAY):
                with subtests.test(name), pytest.raises(TokenNotPendingError):
                    step()

    def test_an_accepted_token_can_be_neither_accepted_nor_declined(self, engine):
        """It is not pending."""
        (me,) = build(engine, 1)
        give(engine, me, Holding.ACCEPTED)
        (own,) = list_own(engine, later, ME)
        for step in self.steps(engine, ME, own):
            with pytest.raises(TokenNotPendingError):
                step()

    def test_a_forged_organization_or_service_is_refused(self, engine):
        """They must be those of the token."""
        (me,) = build(engine, 1, services=(SERVICE, "plats"))
        build(engine, 1, organization_id="NVTBL2")
        give(engine, me, Holding.PENDING)
        own = pending_of(engine)
        for forged in (
            own._replace(service_id="plats"),
            own._replace(organization_id="NVTBL2"),
            own._replace(token_id="other"),  # noqa: S106 - an id
        ):
            for step in self.steps(engine, ME, forged):
                with pytest.raises(TokenNotPendingError):
                    step()
        for step in self.steps(engine, ME, own._replace(organization_id="NOWHER")):
            with pytest.raises(UnknownPlaceError):
                step()


class TestTogether:
    """A user's step and an administrator's action on the same user."""

    def test_cancel_skips_a_user_who_declined(self, engine):
        """Each of the two endings leaves one ended row."""
        me, other = build(engine, 2)
        act(engine, Action.REQUEST, [me, other])
        decline(unit_of_work(engine, later), ME, pending_of(engine))
        planned = plan(engine, Action.CANCEL, [me, other])
        assert [(row.username, row.reason) for row in planned.preview.skipped] == [
            ("utcjf1-u0", Skip.NOTHING_PENDING)
        ]
