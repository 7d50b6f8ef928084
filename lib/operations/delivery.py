"""The click that mints: what the download button calls to get the CSV's bytes.

Streamlit calls it in a worker thread without a session, and once more for each further click, so
it carries what it needs, does the operation on its first call, and gives the same bytes later.
"""

import logging
import threading
from dataclasses import dataclass, field

from sqlalchemy import Engine

from lib.domain.clock import Clock
from lib.domain.errors import DeskError
from lib.domain.plan import Plan
from lib.domain.rows import Receipt
from lib.domain.secrets import Minting
from lib.operations.actions import carry_out
from lib.operations.vault import Vault, VaultKey

_log = logging.getLogger(__name__)


class NoFile(Exception):
    """There is no file to download. Says nothing else: servers log what a download raises."""


@dataclass
class Delivery:
    """One confirmed export. `receipt` or `error` is set once the operation is over."""

    engine: Engine = field(repr=False)
    clock: Clock = field(repr=False)
    minting: Minting = field(repr=False)
    vault: Vault = field(repr=False)
    key: VaultKey = field(repr=False)
    plan: Plan = field(repr=False)
    begun: bool = False
    receipt: Receipt | None = None
    error: DeskError | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def over(self) -> bool:
        """Tell whether the operation has ended, well or not."""
        return self.receipt is not None or self.error is not None

    def __call__(self) -> bytes:
        """Return the CSV. Raises NoFile when there is none, or no longer one."""
        self.begun = True
        with self._lock:
            if not self.over:
                self._carry_out()
        csv = self.vault.get(self.key)
        if csv is None:
            raise NoFile
        return csv

    def _carry_out(self) -> None:
        try:
            outcome = carry_out(self.engine, self.clock, self.plan, self.minting)
        except DeskError as error:
            self.error = error
            return
        except Exception as error:  # noqa: BLE001 - its text may hold data, and would be logged
            _log.error("export failed: %s", type(error).__name__)
            self.error = DeskError()
            raise NoFile from None
        if outcome.csv is not None:
            self.vault.keep(self.key, outcome.csv)
        self.receipt = outcome.receipt
