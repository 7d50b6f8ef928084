"""A data folder on exFAT, by FUSE: no hard links, no modes, and inodes that change (soak)."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib.domain.errors import DatabaseUnavailableError
from lib.domain.storage_errors import DatabaseFileError, FileFault
from lib.operations.database import open_with
from lib.settings import ROOT, Settings
from lib.store.engine import open_engine, reading
from lib.store.sqlite_file import file_system
from tests.store.test_engine import add_services, services

PROGRAMS = ("losetup", "mkfs.exfat", "mount.exfat-fuse", "umount")
pytestmark = pytest.mark.soak


def run(*words: str) -> str:
    """Run a program, and return its output."""
    path = {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    return subprocess.run(
        words, env=os.environ | path, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def exfat(tmp_path: Path) -> Iterator[Path]:
    """A folder on a new exFAT file system."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path="/usr/sbin:/sbin:/bin")]
    if missing or os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.fail(f"this test needs root, /dev/fuse and {', '.join(PROGRAMS)}")
    image, folder = tmp_path / "image", tmp_path / "exfat"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    device = run("losetup", "--show", "-f", str(image))
    with contextlib.ExitStack() as after:
        after.callback(run, "losetup", "-d", device)
        run("mkfs.exfat", device)
        run("mount.exfat-fuse", device, str(folder))
        after.callback(run, "umount", str(folder))
        yield folder


class TestExfat:
    """Everything works as on a disk of Linux, but for modes."""

    def test_commands_start_together_and_agree_on_the_pepper(self, exfat):
        """Nothing needs a hard link."""
        environment = {**os.environ, "TOKEN_DESK_DATA": str(exfat)}
        runs = [
            subprocess.Popen(
                [sys.executable, "-m", "lib.cli", "grants"],
                cwd=ROOT,
                env=environment,
                stderr=subprocess.PIPE,
            )
            for _ in range(3)
        ]
        errors = [each.communicate(timeout=120)[1] for each in runs]
        assert errors == [b""] * 3
        assert [each.returncode for each in runs] == [0] * 3
        assert len((exfat / "pepper").read_text().splitlines()) == 1

    def test_a_file_that_was_closed_has_a_new_number_and_is_still_the_same(self, exfat):
        """The kernel forgets the number; a deleted file is noticed all the same."""
        opened = open_with(Settings(data=exfat))
        engine = opened.unit_of_work.engine
        assert file_system(exfat / "token-desk.db") == "fuseblk"
        before = (exfat / "token-desk.db").stat().st_ino
        engine.dispose()
        Path("/proc/sys/vm/drop_caches").write_text("3")
        add_services(engine)
        print("the number changed:", (exfat / "token-desk.db").stat().st_ino != before)
        assert services(engine) == 2
        for file in exfat.glob("token-desk.db*"):
            file.unlink()
        with pytest.raises(DatabaseFileError) as caught:
            add_services(engine)
        assert caught.value.fault is FileFault.DELETED
        engine.dispose()

    def test_a_database_on_a_full_disk_is_whole_afterwards(self, exfat):
        """Nothing of the transaction that found no room is there."""
        engine = open_with(Settings(data=exfat)).unit_of_work.engine
        with pytest.raises(DatabaseUnavailableError) as caught:
            add_services(engine, 400_000)
        print(repr(caught.value))
        assert services(engine) == 0
        engine.dispose()
        again = open_engine(f"sqlite:///{exfat}/token-desk.db")
        with reading(again) as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        again.dispose()
