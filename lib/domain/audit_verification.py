"""Walking a chain of the audit trail: does each event fit its seal, and if not, what is wrong.

Whoever has no key can change, add, take away and reorder rows, but seal none: the first event that
does not fit is where it was done. Only a cut tail leaves a whole chain behind, and is found by the
head, or by an anchor when the head was set back as well.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from lib.domain.audit import AuditKeyring, ChainHead, SealedEvent

#: The columns of SealedEvent, as the database has them: whatever somebody put there.
Stored: TypeAlias = tuple[Any, ...]
UNSEALABLE = (KeyError, TypeError, ValueError)  # what Seal.mac raises for what no event can hold


class TamperingKind(StrEnum):
    """What is wrong with the first bad event of a chain."""

    CHANGED = "changed"  # or another event stands in its place
    MISSING = "missing"
    EXTRA = "extra"
    MOVED = "moved"  # it has changed places with a later one
    UNKNOWN_KEY = "unknown key"
    HEAD = "head"  # all events fit; the head says something else
    CUT = "cut"  # events that an anchor saw are gone, and the head does not say so
    ANCHOR = "anchor"  # a whole chain, and not the one that the anchor saw


class BadEvent(NamedTuple):
    """The first bad event of a chain, with its values as stored; no event, no `happened_at`."""

    chain: str
    number: object
    wrong: TamperingKind
    happened_at: object = None


@dataclass(slots=True)
class ChainVerifier:
    """A walk along one chain, as far as its events fit their seals: `events`, up to `mac`."""

    seal: AuditKeyring
    chain: str
    events: int = 0
    mac: bytes = ChainHead().mac

    def follow(self, batches: Iterable[Sequence[Stored]]) -> Stored | None:
        """Walk on; return the first event that does not fit, or None at the end."""
        for batch in batches:
            bad = self._follow(batch)
            if bad is not None:
                return bad
        return None

    def _follow(self, batch: Sequence[Stored]) -> Stored | None:
        number, mac, seal = self.events, self.mac, self.seal.mac
        bad = None
        try:
            for event in batch:
                bad = event
                if event[_NUMBER] != number + 1 or seal(mac, event) != event[_MAC]:
                    break
                number, mac = number + 1, event[_MAC]
            else:
                bad = None
        except UNSEALABLE:
            pass
        self.events, self.mac = number, mac
        return bad

    def fits(self, before: bytes, event: Stored) -> bool:
        """Tell whether `event` is what was sealed onto `before`."""
        try:
            found: bool = self.seal.mac(before, event) == event[_MAC]
        except UNSEALABLE:
            return False
        return found


def classify_end(
    walk: ChainVerifier, head: ChainHead | None, anchors: Iterable[ChainHead]
) -> BadEvent | None:
    """Return what is wrong with a chain whose every event fits: its head, or its length."""
    promised = head.number if head else 0
    if promised > walk.events:
        return BadEvent(walk.chain, walk.events + 1, TamperingKind.MISSING)
    if any(anchor.number > walk.events for anchor in anchors):
        return BadEvent(walk.chain, walk.events + 1, TamperingKind.CUT)
    if (head or ChainHead()) != ChainHead(walk.events, walk.mac):
        return BadEvent(walk.chain, walk.events, TamperingKind.HEAD)
    return None


def classify(
    walk: ChainVerifier,
    bad: Stored,
    head: ChainHead | None,
    rest: Callable[[], Iterator[Sequence[Stored]]],
) -> BadEvent:
    """Return what is wrong where `walk` had to stop at `bad`.

    `rest` reads the chain once more, from `bad` on.
    """
    number, at = walk.events + 1, bad[_AT]
    promised = head is not None and number <= head.number
    if bad[_NUMBER] != number and promised and not _below(bad[_NUMBER], number):
        return BadEvent(walk.chain, number, TamperingKind.MISSING)
    if bad[_NUMBER] != number or (head and not promised):
        return BadEvent(walk.chain, bad[_NUMBER], TamperingKind.EXTRA, at)
    if bad[_KEY] not in walk.seal.keys:
        return BadEvent(walk.chain, number, TamperingKind.UNKNOWN_KEY, at)
    return BadEvent(walk.chain, number, _displaced(walk, bad, rest()) or TamperingKind.CHANGED, at)


def _below(found: object, number: int) -> bool:
    return isinstance(found, int | float) and found < number


def _displaced(
    walk: ChainVerifier, bad: Stored, batches: Iterable[Sequence[Stored]]
) -> TamperingKind | None:
    """Return how the event that belongs where `bad` is came to stand further on, if it does."""
    number, before = walk.events + 1, walk.mac
    for batch in batches:
        for event in batch:
            here = _renumbered(event, number)
            if event[_NUMBER] != number and walk.fits(walk.mac, here):
                swapped = event[_MAC] if event[_NUMBER] == number + 1 else before
                fits = walk.fits(swapped, _renumbered(bad, event[_NUMBER]))
                return TamperingKind.MOVED if fits else TamperingKind.EXTRA
            if event[_NUMBER] != number and walk.fits(walk.mac, (*here[:_MAC], bad[_MAC])):
                return TamperingKind.MOVED  # and the hashes stayed where they were
            before = event[_MAC]
    return None


def _renumbered(event: Stored, number: int) -> Stored:
    return (*event[:_NUMBER], number, *event[_NUMBER + 1 :])


_NUMBER, _AT, _KEY, _MAC = map(
    SealedEvent._fields.index, ("number", "happened_at", "key_number", "mac")
)
