"""The callable behind the download button of Generate & Export. Its first call mints the tokens.

Streamlit calls it in a worker thread without a session, and again at each further click. So the
object holds everything that it needs. It executes the plan at the first call, and returns the same
bytes at every later call.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from lib.domain.access import Actor
from lib.domain.errors import DeskError
from lib.domain.operations import Receipt
from lib.domain.plan import Plan
from lib.domain.token_format import Minting
from lib.operations.actions import execute
from lib.operations.audited_download import DownloadNotRecordedError
from lib.operations.kept_exports import KeptExport
from lib.operations.secret_retention import OneTimeSecrets, SecretKey
from lib.operations.unit_of_work import UnitOfWork

_log = logging.getLogger(__name__)


@dataclass
class MintingDownload:
    """One confirmed export. `export` or `error` is set when the operation has ended.

    `is_open` tells whether the confirmation of this export is still on the screen. A click that
    arrives after it was closed or replaced does nothing. `begun` is set by the first click.
    """

    unit_of_work: UnitOfWork = field(repr=False)
    minting: Minting = field(repr=False)
    one_time_secrets: OneTimeSecrets = field(repr=False)
    key: SecretKey = field(repr=False)
    actor: Actor = field(repr=False)
    plan: Plan = field(repr=False)
    is_open: Callable[[], bool] = field(repr=False)
    reason: str = field(default="", repr=False)
    begun: bool = False
    export: KeptExport | None = None
    error: DeskError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def receipt(self) -> Receipt | None:
        """Return the receipt of the operation; None before its end, and after an error."""
        return self.export.receipt if self.export else None

    @property
    def over(self) -> bool:
        """Tell whether the operation has ended, with a receipt or with an error."""
        return self.export is not None or self.error is not None

    def __call__(self) -> bytes:
        """Return the CSV.

        Raises DownloadNotRecordedError when the operation failed, the CSV is no longer kept, or
        the actor may no longer have it.
        """
        self.begun = True
        with self._lock:
            first = not self.over
            if first:
                self._require_open()
                with self.one_time_secrets.being_made(self.key):
                    self._execute()
        if self.export is None:
            raise DownloadNotRecordedError
        return self.export.kept_csv() if first else self.export()

    def sent(self) -> None:
        """Record that the server has sent all of the file."""
        if self.export:
            self.export.sent()

    def _require_open(self) -> None:
        if not self.is_open():
            self.begun = False
            raise DownloadNotRecordedError

    def _execute(self) -> None:
        try:
            outcome = execute(
                self.unit_of_work, self.actor, self.plan, self.minting, reason=self.reason
            )
        except DeskError as error:
            self.error = error
            return
        except Exception as error:  # noqa: BLE001 - the error's text may hold data, and the server would log it
            _log.error("export failed: %s", type(error).__name__)
            self.error = DeskError()
            raise DownloadNotRecordedError from None
        if outcome.csv is not None:
            self.one_time_secrets.keep(self.key, outcome.csv)
        self.export = KeptExport(
            self.unit_of_work, self.one_time_secrets, self.key, self.actor, outcome.receipt
        )
