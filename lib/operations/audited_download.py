"""Downloads with an audit event. The event is written first; without it there is no file."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lib.domain.access import Actor
from lib.domain.audit import GLOBAL_CHAIN, Event, EventAction
from lib.domain.errors import DeskError
from lib.domain.roles import Permission
from lib.operations.access import reach, require
from lib.operations.unit_of_work import UnitOfWork

_log = logging.getLogger(__name__)


class DownloadNotRecordedError(Exception):
    """There is no file to download.

    It carries no text, because the server logs what a download raises.
    """


def audited_download(
    unit_of_work: UnitOfWork,
    actor: Actor,
    permission: Permission,
    file_name: str,
    make: Callable[[], bytes],
    **place: Any,  # noqa: ANN401 - what record_download takes
) -> Callable[[], bytes]:
    """Return the callable of a download button: it records the download, then returns `make()`.

    The callable raises DownloadNotRecordedError when the actor no longer has the permission, or
    when the event cannot be written.
    """

    def download() -> bytes:
        with refused_without_text():
            record_download(unit_of_work, actor, permission, file_name, **place)
            return make()

    return download


@contextmanager
def refused_without_text() -> Iterator[None]:
    """Log an error of ours by its name, and raise DownloadNotRecordedError instead."""
    try:
        yield
    except DeskError as error:
        _log.warning("no download: %s", type(error).__name__)
        raise DownloadNotRecordedError from None


def record_download(
    unit_of_work: UnitOfWork,
    actor: Actor,
    permission: Permission,
    file_name: str,
    *,
    organization_id: str = GLOBAL_CHAIN,
    service_id: str = "",
    operation_id: str = "",
    users: int = 0,
) -> None:
    """Record that `actor` downloads `file_name`. Raises NotAllowedError and AuditNotWrittenError.

    Without an organization the file has data of all organizations that the actor may see.
    """
    event = Event(
        EventAction.DOWNLOAD,
        actor.username,
        actor.address,
        organization_id,
        service_id,
        operation_id,
        users=users,
        detail=file_name,
    )
    with unit_of_work.transaction(event) as connection:
        if organization_id == GLOBAL_CHAIN:
            reach(connection, actor.username, permission)
        else:
            require(connection, actor.username, permission, organization_id)
        unit_of_work.record(connection, event)
