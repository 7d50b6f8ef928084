"""A folder of an ordinary user, and that user's rights: nothing is closed to root."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65_534


@contextlib.contextmanager
def ordinary_user() -> Iterator[Path]:
    """Yield a folder of an ordinary user, with whose rights this process runs meanwhile."""
    folder = Path(tempfile.mkdtemp(prefix="desk-owner-")).resolve()
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o700)
        shutil.rmtree(folder)
