"""The audit trail on trial: every chain is walked, and the first bad event of each is named."""

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
from lib.store import audit_queries
from lib.store.engine import reading

Anchors: TypeAlias = Mapping[str, Sequence[ChainHead]]
_NO_ANCHORS: Anchors = MappingProxyType({})


class ChainReport(NamedTuple):
    """What a walk of all chains found: the events that fit, and each broken chain's first bad."""

    events: int
    chains: int
    bad: tuple[BadEvent, ...]


def anchor(engine: Engine) -> dict[str, ChainHead]:
    """Return the end of every chain, to be kept where nobody can change it with the database."""
    with reading(engine) as connection:
        return audit_queries.heads(connection)


def verify(engine: Engine, keyring: AuditKeyring, anchors: Anchors = _NO_ANCHORS) -> ChainReport:
    """Walk every chain. `anchors` are ends that were seen before, of each chain by its name."""
    with reading(engine) as connection:
        return verify_within(connection, keyring, anchors)


def verify_within(
    connection: Connection, keyring: AuditKeyring, anchors: Anchors = _NO_ANCHORS
) -> ChainReport:
    """Do what `verify` does inside the caller's transaction."""
    heads = audit_queries.heads(connection)
    known, foreign = audit_queries.chains(connection)
    names = sorted({*known, *anchors})
    events, bad = 0, [BadEvent(repr(name), 1, TamperingKind.EXTRA) for name in foreign]
    for name in names:
        verifier = ChainVerifier(keyring, name)
        found = _walk(connection, verifier, heads.get(name), anchors.get(name, ()))
        events += verifier.events
        bad += [found] if found else []
    return ChainReport(events, len(names), tuple(bad))


def _walk(
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
    return classify_end(verifier, head, anchors) or _unlike(connection, verifier.chain, anchors)


def _unlike(connection: Connection, chain: str, anchors: Sequence[ChainHead]) -> BadEvent | None:
    """Return the first event that is not the one that an anchor saw."""
    for seen in sorted(anchors):
        if seen.number and audit_queries.mac_of(connection, chain, seen.number) != seen.mac:
            return BadEvent(chain, seen.number, TamperingKind.ANCHOR)
    return None
