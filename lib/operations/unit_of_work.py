"""The unit of work of use cases that write: one transaction with the change and its audit event."""

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
    """The database, the clock, the keys of the audit trail, and three settings.

    `four_eyes`: Generate & Export for more users than this needs a second API administrator;
    0 for never. `request_days`: after how many days a pending request expires. `undo_days`: for how
    many days an operation can be undone; 0 for never.
    """

    engine: Engine = field(repr=False)
    clock: Clock = field(repr=False)
    keyring: AuditKeyring = field(repr=False)
    four_eyes: int = 0
    request_days: int = 30
    undo_days: int = 7

    @contextlib.contextmanager
    def transaction(self, attempt: Event) -> Iterator[Connection]:
        """Yield a connection in a new transaction. A refusal is recorded in another transaction.

        `attempt` is the event to record for a refusal. Record the success with `record`, on the
        yielded connection: without the event, the change is rolled back.
        """
        with self.refusals_recorded(attempt), writing(self.engine) as connection:
            yield connection

    @contextlib.contextmanager
    def refusals_recorded(self, attempt: Event) -> Iterator[None]:
        """Record a refusal (DeskError) that is raised inside, and raise it again."""
        try:
            yield
        except (DatabaseUnavailableError, AuditNotWrittenError):
            raise
        except DeskError as refusal:
            self.record_refusal(attempt, f"{attempt.action.value}: {refusal.code}")
            raise

    def record(self, connection: Connection, *events: Event) -> None:
        """Append `events` in the caller's transaction. Raises AuditNotWrittenError."""
        audit_queries.append(connection, self.keyring, self.clock(), events)

    def record_refusal(self, attempt: Event, why: str) -> None:
        """Record a refused `attempt` in a new transaction. Without a database it is logged.

        An unknown organization id, such as one typed into the URL, gets no audit chain: the event
        goes to the global one.
        """
        event = attempt._replace(action=EventAction.REFUSAL, detail=why)
        try:
            with writing(self.engine) as connection:
                if not directory_queries.is_organization(connection, event.organization_id):
                    event = event._replace(organization_id=GLOBAL_CHAIN)
                self.record(connection, event)
        except DeskError as error:
            _log.error("a refusal was not recorded: %s", error.code)
