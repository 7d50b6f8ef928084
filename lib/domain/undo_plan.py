"""Plans of Undo: computed before the confirmation and then unchanged."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from lib.domain.activity import OperationFacts
from lib.domain.clock import Moment
from lib.domain.operations import ChangedUser, SkippedUser
from lib.domain.states import Action
from lib.domain.undo import UndoMember, UndoSnapshot


@dataclass(frozen=True, slots=True)
class UndoPreview:
    """The numbers of the confirmation of an undo.

    `selected` and `restored` count users. Of the earlier rows, `tokens_back` work again and
    `requests_back` are pending again. Of the new rows, `tokens_ending` stop working and
    `requests_ending` end.
    """

    NUMBERS: ClassVar = (
        "selected",
        "restored",
        "tokens_back",
        "requests_back",
        "tokens_ending",
        "requests_ending",
    )

    selected: int
    restored: int
    tokens_back: int
    requests_back: int
    tokens_ending: int
    requests_ending: int
    skipped: tuple[SkippedUser, ...]


@dataclass(frozen=True, slots=True)
class UndoPart:
    """The undo of one operation, `undone`. `operation_id` is the undo's own id.

    `seen` maps each member's id to their snapshot, in the order of the table; `digest` is that of
    `seen`. As long as the subscription has this `revision` and it is not yet `fresh_until`, `seen`
    is still true; None: no token is about to expire. `subject` is the username of the person whose
    off-boarding is undone; else it is empty.
    """

    operation_id: str
    undone: OperationFacts
    seen: Mapping[str, UndoSnapshot]
    preview: UndoPreview
    digest: str
    revision: int
    fresh_until: Moment | None
    subject: str = ""

    def is_fresh(self, revision: int | None, now: Moment) -> bool:
        """Tell whether `seen` is true at `now`, when the subscription has this revision."""
        return revision == self.revision and (self.fresh_until is None or now < self.fresh_until)


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """An undo as it was confirmed: one part, or one for each operation of a batch."""

    batch_id: str
    actor: str
    planned_at: Moment
    parts: tuple[UndoPart, ...]

    @property
    def preview(self) -> UndoPreview:
        """Return the numbers of all parts together."""
        previews = [part.preview for part in self.parts]
        sums = {name: sum(getattr(p, name) for p in previews) for name in UndoPreview.NUMBERS}
        return UndoPreview(**sums, skipped=tuple(user for p in previews for user in p.skipped))

    @property
    def digest(self) -> str:
        """Return a digest of all parts."""
        lines = "\n".join(f"{part.undone.operation_id} {part.digest}" for part in self.parts)
        return hashlib.blake2b(lines.encode(), digest_size=16).hexdigest()


def undo_digest(seen: Mapping[str, UndoSnapshot]) -> str:
    """Return a digest of what an undo does to each member."""
    lines = (
        f"{m} {p} {a} {ends} {' '.join(r)} {skip}" for m, (p, a, ends, r, skip) in seen.items()
    )
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def undo_preview(
    operation: OperationFacts,
    members: Iterable[UndoMember],
    seen: Mapping[str, UndoSnapshot],
) -> UndoPreview:
    """Return the numbers of undoing `operation`, whose members and snapshots these are."""
    skipped, restored, tokens, requests, ending = [], 0, 0, 0, 0
    for member in members:
        snapshot = seen[member.member_id]
        if snapshot.skip:
            skipped.append(SkippedUser(member.name, member.username, snapshot.skip))
            continue
        restored += 1
        ending += snapshot.ends is not None
        secrets = {
            row.token_id for row in (member.had_pending, member.had_accepted) if row and row.secret
        }
        tokens += len(secrets.intersection(snapshot.revives))
        requests += len(set(snapshot.revives) - secrets)
    exports = operation.action is Action.GENERATE
    return UndoPreview(
        restored + len(skipped),
        restored,
        tokens,
        requests,
        ending if exports else 0,
        0 if exports else ending,
        tuple(skipped),
    )


def undo_differences(
    part: UndoPart, members: Iterable[UndoMember], seen: Mapping[str, UndoSnapshot]
) -> tuple[ChangedUser, ...]:
    """Return the users whose snapshot `seen` differs from the plan's; empty when all are equal."""
    if seen == part.seen:
        return ()
    return tuple(
        ChangedUser(m.name, m.username, part.seen[m.member_id].holding, seen[m.member_id].holding)
        for m in members
        if seen[m.member_id] != part.seen[m.member_id]
    )
