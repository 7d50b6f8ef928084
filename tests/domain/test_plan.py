"""Plans: previews, digests and differences."""

import json
from dataclasses import replace

import pytest

from lib.domain.clock import DAY
from lib.domain.lifecycle import ActiveFlags, act_of, ending
from lib.domain.operations import ChangedUser, Scope, SkippedUser
from lib.domain.plan import (
    Plan,
    Preview,
    active_flags_of,
    differences,
    plan_from_json,
    plan_to_json,
    preview,
    snapshot_of,
)
from lib.domain.states import Action, ExistingTokens, Holding, Skip
from lib.domain.tokens import UserInScope, UserSnapshot
from tests.support.database_facts import NOW

ACTIVE = ActiveFlags()
SCOPE = Scope("UTCJF1", "Juniper County Recorder", "erecording", "eRecording", ACTIVE)


def user(number: int, pending: bool = False, accepted: bool = False, **facts) -> UserInScope:  # noqa: FBT001, FBT002 - what the user has
    """Return an active user with these live tokens."""
    row = UserInScope(
        f"m{number}",
        f"User {number}",
        f"u{number}",
        "",
        "active",
        f"p{number}" if pending else None,
        f"a{number}" if accepted else None,
        None,
    )
    return row._replace(**facts)


def planned(
    users: list[UserInScope],
    action: Action,
    active_flags: ActiveFlags = ACTIVE,
    existing_tokens: ExistingTokens = ExistingTokens.STOP,
) -> Plan:
    """Return the plan of `action` for `users`."""
    act = act_of(action, existing_tokens)
    seen = {u.member_id: snapshot_of(u, act, active_flags) for u in users}
    counts = preview(users, seen, ending(act), NOW)
    scope = replace(SCOPE, active_flags=active_flags)
    return Plan("operation", action, "mhale", NOW, scope, seen, counts, existing_tokens)


MIXED = [
    user(0),
    user(1, pending=True),
    user(2, accepted=True, last_used_at=NOW - 2 * DAY),
    user(3, pending=True, accepted=True, last_used_at=NOW - 8 * DAY),
    user(4, accepted=True, status="inactive"),
    user(5, accepted=True),
]


class TestPreview:
    """The numbers of the first confirmation."""

    @pytest.mark.parametrize(
        ("action", "changed", "tokens", "recent", "pending", "reasons"),
        [
            (
                Action.REQUEST,
                3,
                0,
                0,
                0,
                {1: "already pending", 3: "already pending", 4: "inactive user"},
            ),
            (Action.CANCEL, 2, 0, 0, 2, dict.fromkeys((0, 2, 4, 5), "nothing pending")),
            (Action.REMOVE, 4, 4, 1, 0, dict.fromkeys((0, 1), "no accepted token")),
            (Action.GENERATE, 5, 3, 1, 2, {4: "inactive user"}),
        ],
    )
    def test_each_action(self, action, changed, tokens, recent, pending, reasons):
        """Users who change, tokens and requests that end, tokens used in the last seven days."""
        counts = planned(MIXED, action).preview
        skipped = tuple(
            SkippedUser(f"User {n}", f"u{n}", Skip(reason)) for n, reason in sorted(reasons.items())
        )
        assert counts == Preview(6, changed, tokens, recent, pending, skipped)

    def test_kept_tokens_do_not_end_and_are_counted(self):
        """Three users with an accepted token get a second one; two pending ones end."""
        counts = planned(MIXED, Action.GENERATE, existing_tokens=ExistingTokens.KEEP).preview
        skipped = (SkippedUser("User 4", "u4", Skip.INACTIVE_USER),)
        assert counts == Preview(6, 5, 0, 0, 2, skipped, second_tokens=3)

    def test_nobody_selected(self):
        """Without users all numbers are 0."""
        assert planned([], Action.GENERATE).preview == Preview(0, 0, 0, 0, 0, ())

    def test_used_a_week_ago_is_not_recent(self):
        """A use counts as recent until a millisecond before seven days have passed."""
        for ago, recent in ((7 * DAY - 1, 1), (7 * DAY, 0)):
            users = [user(0, accepted=True, last_used_at=NOW - ago)]
            assert planned(users, Action.REMOVE).preview.recently_used == recent

    @pytest.mark.parametrize("action", [Action.REQUEST, Action.GENERATE])
    @pytest.mark.parametrize(
        ("active_flags", "reason"),
        [
            (ActiveFlags(organization=False), Skip.INACTIVE_ORGANIZATION),
            (ActiveFlags(subscription=False), Skip.INACTIVE_SUBSCRIPTION),
        ],
    )
    def test_an_inactive_place_skips_everyone(self, action, active_flags, reason):
        """An inactive organization or subscription skips every user."""
        counts = planned(MIXED, action, active_flags).preview
        assert (counts.changed, {row.reason for row in counts.skipped}) == (0, {reason})

    def test_standing_of_a_user(self):
        """A pending membership counts as inactive."""
        assert active_flags_of(user(0), ACTIVE) == ACTIVE
        for status in ("inactive", "pending"):
            assert active_flags_of(user(0, status=status), ACTIVE) == ActiveFlags(user=False)


class TestDigest:
    """The digest of a plan."""

    def test_it_is_the_same_for_the_same(self):
        """Two plans with the same users and tokens have the same digest."""
        one = planned(MIXED, Action.GENERATE)
        assert replace(one, operation_id="other", planned_at=NOW + 1).digest == one.digest

    @pytest.mark.parametrize(
        "other",
        [
            MIXED[:-1],
            [*MIXED[:-1], user(5)],
            [*MIXED[:-1], user(5, accepted=True, accepted_token="other")],  # noqa: S106 - an id
            [*MIXED[:-1], user(5, pending=True)],
            [*MIXED[:-1], user(5, accepted=True, status="inactive")],
        ],
    )
    def test_it_differs_where_anything_does(self, other):
        """The digest changes with the users, their tokens and their status."""
        assert planned(other, Action.GENERATE).digest != planned(MIXED, Action.GENERATE).digest

    def test_it_differs_by_what_becomes_of_existing_tokens(self):
        """An approval of one choice does not fit the other."""
        keep = planned(MIXED, Action.GENERATE, existing_tokens=ExistingTokens.KEEP)
        stop = planned(MIXED, Action.GENERATE)
        assert keep.seen == stop.seen
        assert keep.digest != stop.digest


class TestJson:
    """A plan that waits for an approval is stored as JSON."""

    @pytest.mark.parametrize("existing_tokens", ExistingTokens)
    def test_a_stored_plan_is_read_back_as_it_was(self, existing_tokens):
        """With its preview, its digest and its choice."""
        plan = planned(MIXED, Action.GENERATE, existing_tokens=existing_tokens)
        assert plan_from_json(plan_to_json(plan)) == plan

    def test_a_plan_stored_before_the_choice_existed_ends_existing_tokens(self):
        """It has the same digest as before, so its approval still fits."""
        plan = planned(MIXED, Action.GENERATE)
        stored = json.loads(plan_to_json(plan))
        del stored["existing_tokens"]
        stored["counts"].pop()
        assert plan_from_json(json.dumps(stored)) == plan


class TestDifferences:
    """Changes since the first confirmation."""

    def test_nothing(self):
        """Unchanged users give no differences."""
        plan = planned(MIXED, Action.GENERATE)
        assert differences(plan, MIXED, dict(plan.seen)) == ()

    def test_who_changed_and_how(self):
        """Users whose tokens or status changed are returned with both holdings."""
        plan = planned(MIXED, Action.GENERATE)
        now = [
            user(0, pending=True),
            user(1),
            *MIXED[2:5],
            user(5, accepted=True, status="inactive"),
        ]
        seen = {u.member_id: snapshot_of(u, Action.GENERATE, ACTIVE) for u in now}
        assert differences(plan, now, seen) == (
            ChangedUser("User 0", "u0", Holding.NOTHING, Holding.PENDING),
            ChangedUser("User 1", "u1", Holding.PENDING, Holding.NOTHING),
            ChangedUser("User 5", "u5", Holding.ACCEPTED, Holding.ACCEPTED),
        )

    def test_another_token_of_the_same_kind(self):
        """Another token in the same state is a difference."""
        plan = planned(MIXED[2:3], Action.REMOVE)
        now = [MIXED[2]._replace(accepted_token="other")]  # noqa: S106 - an id
        seen = {"m2": UserSnapshot(None, "other", None)}
        assert differences(plan, now, seen) == (
            ChangedUser("User 2", "u2", Holding.ACCEPTED, Holding.ACCEPTED),
        )

    def test_the_file_is_named_before_it_exists(self):
        """The file name has the organization, the service and the moment of the plan."""
        assert planned([], Action.GENERATE).csv_name == "UTCJF1-erecording-20261130T005320Z.csv"
