"""What a use case that writes is given, and the transaction in which it is done and recorded."""

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine

from lib.domain.audit import GLOBAL_CHAIN, AuditKeyring, Event, EventAction
from lib.domain.clock import Clock
from lib.domain.errors import AuditNotWrittenError, DatabaseUnavailableError, DeskError
from lib.store import audit_queries, directory_queries
from lib.store.engine import writing

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """The database, the clock, the keys of the audit trail, and the house's rules.

    `four_eyes`: Generate & Export for more users than this needs a second API administrator;
    0 for never. `request_days`: for how long a request waits to be accepted.
    """

    engine: Engine = field(repr=False)
    clock: Clock = field(repr=False)
    keyring: AuditKeyring = field(repr=False)
    four_eyes: int = 0
    request_days: int = 30

    @contextlib.contextmanager
    def transaction(self, attempt: Event) -> Iterator[Connection]:
        """Yield a connection in a transaction of its own; a refusal is recorded in another.

        `attempt` is what is being tried; record what was done with `record`, in the same
        transaction: no event, no effect.
        """
        with self.refusals_recorded(attempt), writing(self.engine) as connection:
            yield connection

    @contextlib.contextmanager
    def refusals_recorded(self, attempt: Event) -> Iterator[None]:
        """Record what is refused within, and let the refusal pass on."""
        try:
            yield
        except (DatabaseUnavailableError, AuditNotWrittenError):
            raise
        except DeskError as refusal:
            self.record_refusal(attempt, f"{attempt.action.value}: {refusal.code}")
            raise

    def record(self, connection: Connection, *events: Event) -> None:
        """Append `events` as part of the caller's transaction. Raises AuditUnwritten."""
        audit_queries.append(connection, self.keyring, self.clock(), events)

    def record_refusal(self, refused: Event, why: str) -> None:
        """Record in a transaction of its own what was refused, which had no effect.

        Without a database it is logged. A typed organization makes no chain of its own.
        """
        event = refused._replace(action=EventAction.REFUSAL, detail=why)
        try:
            with writing(self.engine) as connection:
                if not directory_queries.is_organization(connection, event.organization_id):
                    event = event._replace(organization_id=GLOBAL_CHAIN)
                self.record(connection, event)
        except DeskError as error:
            _log.error("a refusal was not recorded: %s", error.code)
