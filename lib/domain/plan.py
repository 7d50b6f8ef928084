"""Plans: what an action will do, computed before the first confirmation and then unchanged."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lib.domain.clock import DAY, Moment, compact
from lib.domain.lifecycle import Act, ActiveFlags, Change, act_of, decide
from lib.domain.operations import ChangedUser, Scope, SkippedUser
from lib.domain.states import Action, ExistingTokens, Origin, Skip, Status
from lib.domain.tokens import UserInScope, UserSnapshot

RECENT = 7 * DAY  # "used in the last 7 days"


@dataclass(frozen=True, slots=True)
class Preview:
    """The numbers of the first confirmation.

    `selected` and `changed` count users. `tokens_ending` and `pending_ending` count accepted and
    pending rows that end; `recently_used` counts those of the accepted ones that were used in the
    last 7 days. `second_tokens` counts users whose accepted token is kept beside the new one.
    """

    selected: int
    changed: int
    tokens_ending: int
    recently_used: int
    pending_ending: int
    skipped: tuple[SkippedUser, ...]
    second_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """An action as it was first confirmed. The last confirmation executes exactly this plan.

    `seen` maps each member's id to their snapshot, in the order of the table. Only Generate &
    Export reads `existing_tokens`.
    """

    operation_id: str
    action: Action
    actor: str
    planned_at: Moment
    scope: Scope
    seen: Mapping[str, UserSnapshot]
    preview: Preview
    existing_tokens: ExistingTokens = ExistingTokens.STOP

    @property
    def act(self) -> Act:
        """Return the act of the lifecycle that this plan executes."""
        return act_of(self.action, self.existing_tokens)

    @property
    def csv_name(self) -> str:
        """Return the name of the exported file, such as `UTCJF1-erecording-20261123T222100Z.csv`.

        The name is needed before the export, since the click that exports is the download.
        """
        scope = self.scope
        return f"{scope.organization_id}-{scope.service_id}-{compact(self.planned_at)}.csv"

    @property
    def digest(self) -> str:
        """Return a digest of every member's id, live token ids and reason of a skip.

        A plan that keeps existing tokens has another digest than one that ends them.
        """
        lines = [f"{m} {p} {a} {s}" for m, (p, a, s) in self.seen.items()]
        if self.existing_tokens is ExistingTokens.KEEP:
            lines.append(f"existing tokens: {self.existing_tokens.value}")
        return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def active_flags_of(user: UserInScope, active_flags: ActiveFlags) -> ActiveFlags:
    """Return the flags of an organization and service, completed by the user's status."""
    return active_flags if user.status == Status.ACTIVE else replace(active_flags, user=False)


def snapshot_of(user: UserInScope, act: Act, active_flags: ActiveFlags) -> UserSnapshot:
    """Return the live token ids of `user`, and the reason if `act` skips the user."""
    decision = decide(user.holding, act, active_flags_of(user, active_flags))
    reason = decision if isinstance(decision, Skip) else None
    return UserSnapshot(user.pending_token, user.accepted_token, reason)


def preview(
    users: Iterable[UserInScope], seen: Mapping[str, UserSnapshot], ends: Change, now: Moment
) -> Preview:
    """Return the numbers for `users`; `ends` says which rows the act ends."""
    skipped, changed, tokens, recent, pending, second = [], 0, 0, 0, 0, 0
    keeps = ends.creates is Origin.EXPORT and ends.accepted_becomes is None
    for user in users:
        reason = seen[user.member_id].skip
        if reason:
            skipped.append(SkippedUser(user.name, user.username, reason))
            continue
        changed += 1
        pending += bool(ends.pending_becomes and user.pending_token)
        second += bool(keeps and user.accepted_token)
        if ends.accepted_becomes and user.accepted_token:
            tokens += 1
            recent += user.last_used_at is not None and now - user.last_used_at < RECENT
    selected = changed + len(skipped)
    return Preview(selected, changed, tokens, recent, pending, tuple(skipped), second)


def differences(
    plan: Plan, users: Iterable[UserInScope], seen: Mapping[str, UserSnapshot]
) -> tuple[ChangedUser, ...]:
    """Return the users whose snapshot `seen` differs from the plan's; empty when all are equal."""
    if seen == plan.seen:
        return ()
    return tuple(
        ChangedUser(u.name, u.username, plan.seen[u.member_id].holding, seen[u.member_id].holding)
        for u in users
        if seen[u.member_id] != plan.seen[u.member_id]
    )


def plan_to_json(plan: Plan) -> str:
    """Return `plan` as JSON, to store it until a second administrator has approved it."""
    scope, counts = plan.scope, plan.preview
    return json.dumps(
        {
            "operation_id": plan.operation_id,
            "action": plan.action,
            "existing_tokens": plan.existing_tokens,
            "actor": plan.actor,
            "planned_at": plan.planned_at,
            "scope": [getattr(scope, part) for part in _SCOPE],
            "standing": [getattr(scope.active_flags, part) for part in _FLAGS],
            "seen": {member_id: list(seen) for member_id, seen in plan.seen.items()},
            "counts": [getattr(counts, count) for count in _COUNTS],
            "skipped": [list(user) for user in counts.skipped],
        }
    )


def plan_from_json(text: str) -> Plan:
    """Return the plan from `text`, which `plan_to_json` made.

    Plans from before migration 0008 have no `existing_tokens` and no `second_tokens`.
    """
    kept = json.loads(text)
    return Plan(
        kept["operation_id"],
        Action(kept["action"]),
        kept["actor"],
        kept["planned_at"],
        Scope(
            **dict(zip(_SCOPE, kept["scope"], strict=True)),
            active_flags=ActiveFlags(**dict(zip(_FLAGS, kept["standing"], strict=True))),
        ),
        {m: UserSnapshot(p, a, _skip(s)) for m, (p, a, s) in kept["seen"].items()},
        Preview(
            **dict(zip(_COUNTS, kept["counts"], strict=False)),
            skipped=tuple(SkippedUser(n, u, Skip(reason)) for n, u, reason in kept["skipped"]),
        ),
        ExistingTokens(kept.get("existing_tokens", ExistingTokens.STOP)),
    )


_SCOPE = ("organization_id", "organization_name", "service_id", "service_name")
_FLAGS = ("user", "organization", "subscription")
_COUNTS = (
    "selected",
    "changed",
    "tokens_ending",
    "recently_used",
    "pending_ending",
    "second_tokens",
)


def _skip(value: str | None) -> Skip | None:
    return Skip(value) if value else None
