"""Verification of the audit trail: every chain is read, and its first bad event is reported."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection, Engine

from lib.domain.audit import AuditKeyring, ChainHead
from lib.domain.audit_verification import (
    BadEvent,
    ChainVerifier,
    TamperingKind,
    classify,
    classify_end,
)
from lib.store import audit_queries, key_check_queries
from lib.store.engine import reading

Anchors: TypeAlias = Mapping[str, Sequence[ChainHead]]
_NO_ANCHORS: Anchors = MappingProxyType({})


class ChainReport(NamedTuple):
    """Result of a verification.

    `events` counts the good events, `chains` all chains. `bad` has the first bad event of each
    broken chain.
    """

    events: int
    chains: int
    bad: tuple[BadEvent, ...]


def anchor(engine: Engine) -> dict[str, ChainHead]:
    """Return the head of every chain by chain name.

    Keep it outside of the database: who can change the database cannot change the anchor.
    """
    with reading(engine) as connection:
        return audit_queries.heads(connection)


def verify(engine: Engine, keyring: AuditKeyring, anchors: Anchors = _NO_ANCHORS) -> ChainReport:
    """Verify every chain. `anchors` are heads from earlier calls of `anchor`, by chain name."""
    with reading(engine) as connection:
        return verify_within(connection, keyring, anchors)


def verify_within(
    connection: Connection, keyring: AuditKeyring, anchors: Anchors = _NO_ANCHORS
) -> ChainReport:
    """As `verify`, in the caller's transaction."""
    heads = audit_queries.heads(connection)
    other_keys = keyring.differing(key_check_queries.known(connection))
    known, foreign = audit_queries.chains(connection)
    names = sorted({*known, *anchors})
    events, bad = 0, [BadEvent(repr(name), 1, TamperingKind.EXTRA) for name in foreign]
    for name in names:
        verifier = ChainVerifier(keyring, name, other_keys)
        found = _first_bad(connection, verifier, heads.get(name), anchors.get(name, ()))
        events += verifier.events
        bad += [found] if found else []
    return ChainReport(events, len(names), tuple(bad))


def _first_bad(
    connection: Connection,
    verifier: ChainVerifier,
    head: ChainHead | None,
    anchors: Sequence[ChainHead],
) -> BadEvent | None:
    broken = verifier.follow(audit_queries.events_of_chain(connection, verifier.chain))
    if broken is not None:
        rest = partial(
            audit_queries.events_of_chain, connection, verifier.chain, first=verifier.events + 1
        )
        return classify(verifier, broken, head, rest)
    return classify_end(verifier, head, anchors) or _first_unlike_anchor(
        connection, verifier.chain, anchors
    )


def _first_unlike_anchor(
    connection: Connection, chain: str, anchors: Sequence[ChainHead]
) -> BadEvent | None:
    """Return the first event whose hash differs from that of an anchor."""
    for seen in sorted(anchors):
        if seen.number and audit_queries.mac_of(connection, chain, seen.number) != seen.mac:
            return BadEvent(chain, seen.number, TamperingKind.ANCHOR)
    return None
