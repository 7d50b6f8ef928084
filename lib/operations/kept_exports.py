"""Exports whose CSV is still kept, or was never sent: what a page shows again after a reload."""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from lib.domain.access import Actor
from lib.domain.errors import DeskError
from lib.domain.operations import Receipt
from lib.domain.roles import Permission
from lib.domain.states import Delivery
from lib.operations.audited_download import DownloadNotRecordedError, audited_download
from lib.operations.secret_retention import KEPT_SECONDS, OneTimeSecrets, SecretKey
from lib.operations.unit_of_work import UnitOfWork
from lib.store import operation_queries
from lib.store.engine import reading, writing

_log = logging.getLogger(__name__)
_KEPT = round(KEPT_SECONDS * 1_000)


@dataclass
class KeptExport:
    """A finished export, and the callable of the button that downloads its CSV again.

    `receipt` has the delivery as it was recorded last.
    """

    unit_of_work: UnitOfWork = field(repr=False)
    one_time_secrets: OneTimeSecrets = field(repr=False)
    key: SecretKey = field(repr=False)
    actor: Actor = field(repr=False)
    receipt: Receipt

    @property
    def seconds_left(self) -> float:
        """Return for how many seconds the CSV is kept; 0 when it is not kept."""
        return self.one_time_secrets.seconds_left(self.key)

    def kept_csv(self) -> bytes:
        """Return the CSV, unrecorded. Raises DownloadNotRecordedError when it is not kept."""
        csv = self.one_time_secrets.get(self.key)
        if csv is None:
            raise DownloadNotRecordedError
        return csv

    def __call__(self) -> bytes:
        """Record a download and return the CSV.

        Raises DownloadNotRecordedError when the CSV is no longer kept, or when the actor may no
        longer have it.
        """
        csv, receipt = self.kept_csv(), self.receipt
        return audited_download(
            self.unit_of_work,
            self.actor,
            Permission.GENERATE,
            receipt.csv_name,
            lambda: csv,
            organization_id=receipt.organization_id,
            service_id=receipt.service_id,
            operation_id=receipt.operation_id,
            users=receipt.changed,
        )()

    def sent(self) -> None:
        """Record that the server has sent all of the file. Without a database it is logged.

        It is no audit event: nobody did it, and a cut that nobody can see would make it untrue.
        """
        try:
            with writing(self.unit_of_work.engine) as connection:
                delivery = operation_queries.record_sent(
                    connection, self.receipt.organization_id, self.receipt.operation_id
                )
        except DeskError as error:
            _log.warning("a sent CSV was not recorded: %s", error.code)
            return
        self.receipt = replace(self.receipt, delivery=delivery)


def find_export(
    unit_of_work: UnitOfWork,
    one_time_secrets: OneTimeSecrets,
    holder: str,
    actor: Actor,
    organization_id: str,
    service_id: str,
    closed: Collection[str] = (),
) -> KeptExport | None:
    """Return the actor's export of the last ten minutes in a scope, if it still needs its receipt.

    It does while its CSV is kept for `holder`, and when its CSV was never sent. None for an export
    that was undone, and for the operation ids in `closed`.
    """
    since = unit_of_work.clock() - _KEPT
    with reading(unit_of_work.engine) as connection:
        operation_id = operation_queries.latest_export(
            connection, actor.username, organization_id, service_id, since
        )
        if operation_id is None or operation_id in closed:
            return None
        receipt = operation_queries.find_receipt(connection, organization_id, operation_id)
    if receipt is None:
        return None
    key = SecretKey(holder, actor.username, operation_id)
    export = KeptExport(unit_of_work, one_time_secrets, key, actor, receipt)
    return export if export.seconds_left or receipt.delivery is Delivery.NOT_SENT else None
