"""What an action is going to do, worked out before the first confirmation and frozen there."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lib.domain.clock import DAY, Moment, compact
from lib.domain.lifecycle import ActiveFlags, Change, decide
from lib.domain.operations import ChangedUser, Scope, SkippedUser
from lib.domain.states import Action, Skip, Status
from lib.domain.tokens import UserInScope, UserSnapshot

RECENT = 7 * DAY  # "used in the last 7 days"


@dataclass(frozen=True, slots=True)
class Preview:
    """What the first confirmation says. All counts are users or tokens, whichever is named."""

    selected: int
    changed: int
    tokens_ending: int
    recently_used: int
    pending_ending: int
    skipped: tuple[SkippedUser, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """An action frozen at its first confirmation; the last one acts on this alone.

    `seen` maps each member's id to what the plan saw of them, in the table's order.
    """

    operation_id: str
    action: Action
    actor: str
    planned_at: Moment
    scope: Scope
    seen: Mapping[str, UserSnapshot]
    preview: Preview

    @property
    def csv_name(self) -> str:
        """Return the exported file's name, `UTCJF1-erecording-20261123T222100Z.csv`.

        It is known before the click that exports, since that click is the download.
        """
        scope = self.scope
        return f"{scope.organization_id}-{scope.service_id}-{compact(self.planned_at)}.csv"

    @property
    def digest(self) -> str:
        """Return a digest of every member, their state and their live token ids."""
        lines = "\n".join(f"{m} {p} {a} {s}" for m, (p, a, s) in self.seen.items())
        return hashlib.blake2b(lines.encode(), digest_size=16).hexdigest()


def active_flags_of(user: UserInScope, active_flags: ActiveFlags) -> ActiveFlags:
    """Return `standing` of an organization and service, with the user's own added."""
    return active_flags if user.status == Status.ACTIVE else replace(active_flags, user=False)


def snapshot_of(user: UserInScope, action: Action, active_flags: ActiveFlags) -> UserSnapshot:
    """Return what a plan remembers of `user`: live token ids, and the reason of a skip."""
    decision = decide(user.holding, action, active_flags_of(user, active_flags))
    reason = decision if isinstance(decision, Skip) else None
    return UserSnapshot(user.pending_token, user.accepted_token, reason)


def preview(
    users: Iterable[UserInScope], seen: Mapping[str, UserSnapshot], ends: Change, now: Moment
) -> Preview:
    """Count what will happen to `users`, given what the action `ends`."""
    skipped, changed, tokens, recent, pending = [], 0, 0, 0, 0
    for user in users:
        reason = seen[user.member_id].skip
        if reason:
            skipped.append(SkippedUser(user.name, user.username, reason))
            continue
        changed += 1
        pending += bool(ends.pending_becomes and user.pending_token)
        if ends.accepted_becomes and user.accepted_token:
            tokens += 1
            recent += user.last_used_at is not None and now - user.last_used_at < RECENT
    return Preview(changed + len(skipped), changed, tokens, recent, pending, tuple(skipped))


def differences(
    plan: Plan, users: Iterable[UserInScope], seen: Mapping[str, UserSnapshot]
) -> tuple[ChangedUser, ...]:
    """Return the users whose tokens or standing are no longer what the plan saw."""
    if seen == plan.seen:
        return ()
    return tuple(
        ChangedUser(u.name, u.username, plan.seen[u.member_id].holding, seen[u.member_id].holding)
        for u in users
        if seen[u.member_id] != plan.seen[u.member_id]
    )


def plan_to_json(plan: Plan) -> str:
    """Return `plan` as JSON, to be kept until a second administrator has approved it."""
    scope, counts = plan.scope, plan.preview
    return json.dumps(
        {
            "operation_id": plan.operation_id,
            "action": plan.action,
            "actor": plan.actor,
            "planned_at": plan.planned_at,
            "scope": [getattr(scope, part) for part in _SCOPE],
            "standing": [getattr(scope.active_flags, part) for part in _STANDING],
            "seen": {member_id: list(seen) for member_id, seen in plan.seen.items()},
            "counts": [getattr(counts, count) for count in _COUNTS],
            "skipped": [list(user) for user in counts.skipped],
        }
    )


def plan_from_json(text: str) -> Plan:
    """Return the plan that `plan_to_json` made `text` of."""
    kept = json.loads(text)
    return Plan(
        kept["operation_id"],
        Action(kept["action"]),
        kept["actor"],
        kept["planned_at"],
        Scope(
            **dict(zip(_SCOPE, kept["scope"], strict=True)),
            active_flags=ActiveFlags(**dict(zip(_STANDING, kept["standing"], strict=True))),
        ),
        {m: UserSnapshot(p, a, _skip(s)) for m, (p, a, s) in kept["seen"].items()},
        Preview(
            **dict(zip(_COUNTS, kept["counts"], strict=True)),
            skipped=tuple(SkippedUser(n, u, Skip(reason)) for n, u, reason in kept["skipped"]),
        ),
    )


_SCOPE = ("organization_id", "organization_name", "service_id", "service_name")
_STANDING = ("user", "organization", "subscription")
_COUNTS = ("selected", "changed", "tokens_ending", "recently_used", "pending_ending")


def _skip(value: str | None) -> Skip | None:
    return Skip(value) if value else None
