"""What users do with what is pending for them."""

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
    """Return the one thing that is pending for a user."""
    (found,) = [own for own in list_own(engine, later, actor) if own.state is TokenState.PENDING]
    return found


class TestListing:
    """A user's live tokens and requests, everywhere."""

    def test_pending_first_then_newest(self, engine):
        """Over organizations and services, with their names; others' are not there."""
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

    def test_a_user_of_two_organizations(self, engine):
        """Both are listed."""
        build(engine, 1)
        (there,) = build(engine, 1, organization_id="NVTBL2")
        change(
            engine,
            "UPDATE member SET username = 'utcjf1-u0' WHERE organization_id = 'NVTBL2'",
        )
        give(engine, there, Holding.PENDING, organization_id="NVTBL2")
        assert [own.organization_id for own in list_own(engine, later, ME)] == ["NVTBL2"]

    def test_what_is_past_its_time_is_not_listed(self, engine):
        """At the moment itself it is over."""
        (me,) = build(engine, 1)
        give(engine, me, Holding.PENDING, expires_at=LATER)
        give(engine, me, Holding.ACCEPTED, expires_at=LATER + 1)
        assert [own.state.value for own in list_own(engine, later, ME)] == ["accepted"]

    def test_nothing_of_a_secret_but_the_hint(self, engine):
        """The row has no digest and no token."""
        (me,) = build(engine, 1)
        (token,) = give(engine, me, Holding.PENDING)
        own = pending_of(engine)
        assert own.hint == token[:9]
        assert token not in repr(own)


class TestAccept:
    """Pending becomes accepted."""

    def test_a_request(self, engine):
        """The token is returned once, works, and only its digest and hint are kept."""
        (me,) = build(engine, 1)
        act(engine, Action.REQUEST, [me])
        token = accept(unit_of_work(engine, later), ME, pending_of(engine), MINTING)
        assert live_matches(engine, [token]) == [1]
        assert tokens(engine) == [(me, "accepted", "request", None)]
        assert select(engine, "SELECT accepted_at, hint, pepper FROM token") == [
            (LATER, token[:9], 1)
        ]

    def test_the_time_to_answer_says_nothing_about_the_token(self, engine):
        """An accepted request has no end, though it had one before; an exported token keeps its."""
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

    def test_an_exported_token(self, engine):
        """No secret is returned: the holder has it from the CSV, and it goes on working."""
        (me,) = build(engine, 1)
        _, outcome = act(engine, Action.GENERATE, [me])
        assert accept(unit_of_work(engine, later), ME, pending_of(engine), MINTING) is None
        assert live_matches(engine, exported(outcome)) == [1]
        assert tokens(engine) == [(me, "accepted", "export", None)]

    def test_beside_an_accepted_token(self, engine):
        """The old one is replaced in the same transaction, and works until then."""
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

    def test_a_second_time(self, engine):
        """It is no longer there, and no second token is made."""
        (me,) = build(engine, 1)
        act(engine, Action.REQUEST, [me])
        own = pending_of(engine)
        token = accept(unit_of_work(engine, later), ME, own, MINTING)
        with pytest.raises(TokenNotPendingError):
            accept(unit_of_work(engine, later), ME, own, MINTING)
        assert live_matches(engine, [token]) == [1]

    def test_it_raises_the_revision(self, engine):
        """A table that shows these users reads again."""
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
    def test_where_something_is_inactive(self, engine, table, reason):
        """Accepting is refused with the reason; declining is allowed."""
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
    def test_what_is_pending_ends(self, engine, action):
        """A request, or an exported token, which stops working; the accepted one stays."""
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

    def test_a_second_time(self, engine):
        """It is no longer there."""
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


class TestGone:
    """What is not, or no longer, the user's to accept or decline."""

    def steps(self, engine, actor, own, clock=later):
        """Return both steps as calls."""
        return (
            lambda: accept(unit_of_work(engine, clock), actor, own, MINTING),
            lambda: decline(unit_of_work(engine, clock), actor, own),
        )

    def test_somebody_elses(self, engine):
        """Whoever is signed in has their own only, and nothing changes."""
        me, _ = build(engine, 2)
        act(engine, Action.REQUEST, [me])
        before = everything(engine)
        own = pending_of(engine)
        for actor in (OTHER, Actor("mhale", "", ADMINISTRATOR), Actor("", "")):
            for step in self.steps(engine, actor, own):
                with pytest.raises(TokenNotPendingError):
                    step()
        assert everything(engine) == before

    def test_cancelled_replaced_or_lapsed_meanwhile(self, engine, subtests):
        """The administrator was faster, or time was."""
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

    def test_an_accepted_token_is_not_pending(self, engine):
        """It can be neither accepted again nor declined."""
        (me,) = build(engine, 1)
        give(engine, me, Holding.ACCEPTED)
        (own,) = list_own(engine, later, ME)
        for step in self.steps(engine, ME, own):
            with pytest.raises(TokenNotPendingError):
                step()

    def test_a_forged_row(self, engine):
        """Another service or organization than the token's."""
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

    def test_cancel_planned_before_and_declined_meanwhile(self, engine):
        """Both kinds of ending leave one ended row each."""
        me, other = build(engine, 2)
        act(engine, Action.REQUEST, [me, other])
        decline(unit_of_work(engine, later), ME, pending_of(engine))
        planned = plan(engine, Action.CANCEL, [me, other])
        assert [(row.username, row.reason) for row in planned.preview.skipped] == [
            ("utcjf1-u0", Skip.NOTHING_PENDING)
        ]
