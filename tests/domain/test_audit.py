"""The keyed hashes of events: no two events, and no two places in a chain, share one."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.audit import (
    LONGEST_REASON,
    NO_MAC,
    AuditKeyring,
    ChainHead,
    Event,
    SealedEvent,
    clean_reason,
)
from lib.domain.audit_verification import ChainVerifier
from lib.domain.states import Action

SEAL = AuditKeyring.of({1: b"p" * 32, 3: b"q" * 32})
START = ChainHead()
NOW = 1_796_000_000_000
EVENT = Event(Action.REMOVE, "mhale", "192.0.2.7", "UTCJF1", subject="x", users=2)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
columns = st.builds(
    SealedEvent,
    texts,
    st.integers(1, 99),
    texts,
    st.integers(0, 99),
    *[texts] * 6,
    st.integers(0, 99),
    *[texts] * 3,
    st.just(1),
    st.just(b""),
)


def seal(*events: Event, head: ChainHead = START) -> list[SealedEvent]:
    """Return the events with their hashes, chained onto `head`."""
    return list(SEAL.chain(head, events, [f"id{n}" for n in range(len(events))], NOW))


class TestHash:
    """The keyed hash of an event."""

    def test_it_stays_what_it_is(self):
        """The bytes that are hashed never change, so that later versions verify stored events."""
        (sealed,) = seal(EVENT)
        columns = "\0".join(
            (
                *("1", str(NOW), "2", "3"),
                *("UTCJF1", "id0", "remove", "mhale", "192.0.2.7", "", "", "x", "", "", ""),
            )
        )
        key = hashlib.blake2b(b"audit trail", key=b"q" * 32, digest_size=32).digest()
        expected = hashlib.blake2b(NO_MAC + columns.encode(), key=key, digest_size=32).digest()
        assert sealed.mac == expected

    def test_the_highest_key_seals(self):
        """New events use the key with the highest number."""
        assert [event.key_number for event in seal(EVENT, EVENT)] == [3, 3]

    def test_each_is_sealed_onto_the_one_before(self):
        """The same event twice has two hashes, and the numbers continue from the head."""
        first, second = seal(EVENT, EVENT, head=ChainHead(7, b"h" * 32))
        assert (first.number, second.number) == (8, 9)
        assert first.mac == SEAL.mac(b"h" * 32, first)
        assert second.mac == SEAL.mac(first.mac, second) != first.mac

    @given(columns, columns)
    def test_no_two_events_have_the_same_bytes(self, one, other):
        """Events with different values in any column have different bytes."""
        assert (SEAL.mac(NO_MAC, one) == SEAL.mac(NO_MAC, other)) == (one == other)

    @given(columns, st.integers(0, 13), st.integers(0, 13))
    def test_columns_do_not_run_together(self, event, one, other):
        """Moving text from one column to the next changes the bytes."""
        moved = list(event)
        if isinstance(moved[one], str) and isinstance(moved[other], str):
            moved[one], moved[other] = moved[one] + moved[other], ""
        same = tuple(moved) == tuple(event)
        assert (SEAL.mac(NO_MAC, event) == SEAL.mac(NO_MAC, tuple(moved))) == same

    def test_no_nul(self):
        """An event with a NUL is refused, since NUL separates the columns."""
        with pytest.raises(ValueError, match="NUL"):
            seal(EVENT._replace(reason="a\0b"))

    def test_an_unknown_key(self):
        """The hash of an event with an unknown key number raises KeyError."""
        (sealed,) = seal(EVENT)
        with pytest.raises(KeyError):
            AuditKeyring.of({1: b"p" * 32}).mac(NO_MAC, sealed)

    def test_keys_are_not_the_peppers(self):
        """The keys are derived from the peppers, and `repr` shows none of them."""
        assert set(SEAL.keys.values()).isdisjoint({b"p" * 32, b"q" * 32})
        assert repr(SEAL) == "AuditKeyring()"


class TestVerification:
    """Verification stops at the first bad event."""

    def test_in_batches(self):
        """Events in several batches are verified as one chain."""
        events = seal(*[EVENT] * 10)
        verifier = ChainVerifier(SEAL, "UTCJF1")
        assert verifier.follow([events[:3], events[3:4], events[4:]]) is None
        assert (verifier.events, verifier.mac) == (10, events[-1].mac)

    def test_stops_at_the_first_that_does_not_fit(self):
        """The first bad event is returned, with the number of events before it."""
        events = seal(*[EVENT] * 10)
        bad = events[6]._replace(reason="other")
        verifier = ChainVerifier(SEAL, "UTCJF1")
        assert verifier.follow([[*events[:6], bad, *events[7:]]]) == bad
        assert (verifier.events, verifier.mac) == (6, events[5].mac)


class TestReason:
    """Cleaning of a reason that an administrator typed."""

    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("", ""),
            ("  Ticket\t4711\r\n", "Ticket 4711"),
            ("a\0b\u202ec\u200bd", "a b c d"),
            ("x" * 9_999, "x" * LONGEST_REASON),
        ],
    )
    def test_one_clean_line(self, typed, kept):
        """Control and direction characters are removed, and the length is limited."""
        assert clean_reason(typed) == kept
