"""The results of an operation, user by user, as a file. One function says who may have them."""

from collections.abc import Callable, Iterable
from typing import Protocol

from sqlalchemy import Connection, Engine

from lib.domain.access import Actor
from lib.domain.audit import Event, EventAction
from lib.domain.clock import Moment, compact
from lib.domain.csv_writer import csv_bytes
from lib.domain.errors import NotAllowedError
from lib.domain.operations import ResultRow
from lib.domain.roles import Grant, Permission, covers, reach
from lib.domain.states import Action
from lib.operations.audited_download import refused_without_text
from lib.operations.unit_of_work import UnitOfWork
from lib.store import activity_queries, grant_queries, operation_queries
from lib.store.engine import reading

CSV_HEADER = ("Name", "Username", "Email", "Result")


class DoneOperation(Protocol):
    """What a receipt and Activity both know about an operation."""

    @property
    def organization_id(self) -> str:
        """Return the organization."""

    @property
    def service_id(self) -> str:
        """Return the service."""

    @property
    def operation_id(self) -> str:
        """Return the id, which is unique in the organization."""

    @property
    def action(self) -> Action:
        """Return what was done."""

    @property
    def actor(self) -> str:
        """Return the username of who did it."""

    @property
    def confirmed_at(self) -> Moment:
        """Return when it was done."""


def may_download_results(actor: Actor, done: DoneOperation) -> bool:
    """Tell whether `actor` may download the results: EXPORT there, or ACTIVITY there and did it.

    This is ruling 11 of the design. The download checks it again, with the grants of that moment.
    """
    return _may(actor.grants, done.organization_id, own=done.actor == actor.username)


def results_download(
    unit_of_work: UnitOfWork, actor: Actor, done: DoneOperation, users: int
) -> Callable[[], bytes]:
    """Return the callable of a download button: it records the download and returns the CSV.

    `users` is how many users the file has. The callable raises DownloadNotRecordedError when the
    actor may not have the file, or when the event cannot be written.
    """
    event = Event(
        EventAction.DOWNLOAD,
        actor.username,
        actor.address,
        done.organization_id,
        done.service_id,
        done.operation_id,
        users=users,
        detail=results_file_name(done),
    )

    def download() -> bytes:
        with refused_without_text():
            with unit_of_work.transaction(event) as connection:
                rows = _rows(connection, actor, done.organization_id, done.operation_id)
                unit_of_work.record(connection, event)
            return csv_bytes(CSV_HEADER, rows)

    return download


def results_file_name(done: DoneOperation) -> str:
    """Return `UTCJF1-erecording-remove-20261123T222100Z.csv`."""
    parts = (done.organization_id, done.service_id, done.action, compact(done.confirmed_at))
    return f"{'-'.join(parts)}.csv"


def read_results(
    engine: Engine, actor: Actor, organization_id: str, operation_id: str
) -> tuple[ResultRow, ...]:
    """Return the result row of each user of an operation; nothing is recorded.

    Raises NotAllowedError.
    """
    with reading(engine) as connection:
        return _rows(connection, actor, organization_id, operation_id)


def _rows(
    connection: Connection, actor: Actor, organization_id: str, operation_id: str
) -> tuple[ResultRow, ...]:
    account = grant_queries.find_account(connection, actor.username)
    done = activity_queries.find_operation(connection, organization_id, operation_id)
    grants = account.grants if account else ()
    if not _may(grants, organization_id, own=bool(done and done.actor == actor.username)):
        raise NotAllowedError(actor.username, Permission.EXPORT)
    return tuple(operation_queries.result_rows(connection, organization_id, operation_id))


def _may(grants: Iterable[Grant], organization_id: str, *, own: bool) -> bool:
    enough = (Permission.EXPORT, Permission.ACTIVITY) if own else (Permission.EXPORT,)
    return any(covers(reach(grants, permission), organization_id) for permission in enough)
