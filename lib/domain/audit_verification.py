"""Verification of one chain of the audit trail: find the first bad event, and what is wrong.

Somebody without the key can change, add, remove and reorder rows, but cannot compute a hash. So the
first event whose hash does not match shows the place. Only a chain whose last events were removed
still matches. The head reveals that, or an anchor does when the head was set back as well.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from lib.domain.audit import AuditKeyring, ChainHead, SealedEvent

#: The columns of SealedEvent as stored. After tampering they can hold values of any type.
Stored: TypeAlias = tuple[Any, ...]
MAC_ERRORS = (KeyError, TypeError, ValueError)  # see AuditKeyring.mac


class TamperingKind(StrEnum):
    """What is wrong with the first bad event of a chain."""

    CHANGED = "changed"  # or replaced by another event
    MISSING = "missing"
    EXTRA = "extra"
    MOVED = "moved"  # it changed places with a later event
    UNKNOWN_KEY = "unknown key"
    OTHER_KEY = "other key"  # its number stands for another key in the keyring than it did before
    HEAD = "head"  # all events match, and the head does not
    CUT = "cut"  # events that an anchor names are gone; the head was set back as well
    ANCHOR = "anchor"  # the chain is consistent, but is not the one that the anchor names


class BadEvent(NamedTuple):
    """The first bad event of a chain, with its stored values.

    `happened_at` is None when there is no such event.
    """

    chain: str
    number: object
    kind: TamperingKind
    happened_at: object = None


@dataclass(slots=True)
class ChainVerifier:
    """The state of the verification of one chain.

    `other_keys` are numbers of keys in the keyring that are not those of the database.
    `events` is the number of events that match so far, and `mac` the hash of the last of them.
    """

    keyring: AuditKeyring
    chain: str
    other_keys: Collection[int] = ()
    events: int = 0
    mac: bytes = ChainHead().mac

    def follow(self, batches: Iterable[Sequence[Stored]]) -> Stored | None:
        """Verify `batches` of events in order; return the first bad event, or None at the end."""
        for batch in batches:
            bad = self._follow(batch)
            if bad is not None:
                return bad
        return None

    def _follow(self, batch: Sequence[Stored]) -> Stored | None:
        number, mac, mac_of = self.events, self.mac, self.keyring.mac
        bad = None
        try:
            for event in batch:
                bad = event
                if event[_NUMBER] != number + 1 or mac_of(mac, event) != event[_MAC]:
                    break
                number, mac = number + 1, event[_MAC]
            else:
                bad = None
        except MAC_ERRORS:
            pass
        self.events, self.mac = number, mac
        return bad

    def fits(self, before: bytes, event: Stored) -> bool:
        """Tell whether the hash of `event` matches, given `before`, the hash of its predecessor."""
        return fits(self.keyring, before, event)


def fits(keyring: AuditKeyring, before: bytes, event: Stored) -> bool:
    """Tell whether the hash of `event` matches, given `before`, the hash of its predecessor."""
    try:
        found: bool = keyring.mac(before, event) == event[_MAC]
    except MAC_ERRORS:
        return False
    return found


def classify_end(
    verifier: ChainVerifier, head: ChainHead | None, anchors: Iterable[ChainHead]
) -> BadEvent | None:
    """Return what is wrong with a chain whose events all match, or None.

    Its head can be wrong, or its last events can be missing.
    """
    promised = head.number if head else 0
    if promised > verifier.events:
        return BadEvent(verifier.chain, verifier.events + 1, TamperingKind.MISSING)
    if any(anchor.number > verifier.events for anchor in anchors):
        return BadEvent(verifier.chain, verifier.events + 1, TamperingKind.CUT)
    if (head or ChainHead()) != ChainHead(verifier.events, verifier.mac):
        return BadEvent(verifier.chain, verifier.events, TamperingKind.HEAD)
    return None


def classify(
    verifier: ChainVerifier,
    bad: Stored,
    head: ChainHead | None,
    rest: Callable[[], Iterator[Sequence[Stored]]],
) -> BadEvent:
    """Return what is wrong with `bad`, the event at which `verifier` stopped.

    `rest` reads the chain again, from `bad` on.
    """
    number, at = verifier.events + 1, bad[_AT]
    promised = head is not None and number <= head.number
    if bad[_NUMBER] != number and promised and not _below(bad[_NUMBER], number):
        return BadEvent(verifier.chain, number, TamperingKind.MISSING)
    if bad[_NUMBER] != number or (head and not promised):
        return BadEvent(verifier.chain, bad[_NUMBER], TamperingKind.EXTRA, at)
    if bad[_KEY] not in verifier.keyring.keys:
        return BadEvent(verifier.chain, number, TamperingKind.UNKNOWN_KEY, at)
    if bad[_KEY] in verifier.other_keys:
        return BadEvent(verifier.chain, number, TamperingKind.OTHER_KEY, at)
    return BadEvent(
        verifier.chain, number, _displaced(verifier, bad, rest()) or TamperingKind.CHANGED, at
    )


def _below(found: object, number: int) -> bool:
    return isinstance(found, int | float) and found < number


def _displaced(
    verifier: ChainVerifier, bad: Stored, batches: Iterable[Sequence[Stored]]
) -> TamperingKind | None:
    """Look for the right event behind `bad`; tell how it got there, or None if it is gone."""
    number, before = verifier.events + 1, verifier.mac
    for batch in batches:
        for event in batch:
            here = _renumbered(event, number)
            if event[_NUMBER] != number and verifier.fits(verifier.mac, here):
                swapped = event[_MAC] if event[_NUMBER] == number + 1 else before
                fits = verifier.fits(swapped, _renumbered(bad, event[_NUMBER]))
                return TamperingKind.MOVED if fits else TamperingKind.EXTRA
            if event[_NUMBER] != number and verifier.fits(verifier.mac, (*here[:_MAC], bad[_MAC])):
                return TamperingKind.MOVED  # the fields changed places, the hashes did not
            before = event[_MAC]
    return None


def _renumbered(event: Stored, number: int) -> Stored:
    return (*event[:_NUMBER], number, *event[_NUMBER + 1 :])


_NUMBER, _AT, _KEY, _MAC = map(
    SealedEvent._fields.index, ("number", "happened_at", "key_number", "mac")
)
