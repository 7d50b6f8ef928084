"""PgBouncer: session mode works; in transaction mode the first error says what to set."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from lib.domain.errors import DatabaseUnavailableError
from lib.domain.storage_errors import PoolerModeError
from lib.store.async_token_lookup import AsyncTokenLookup
from lib.store.engine import open_engine
from lib.wording.unavailable import explain_unavailable
from tests.store.test_engine import services
from tests.support.processes import free_port, wait_for

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
DIGESTS = [bytes(32)]


@pytest.fixture
def pooled(postgresql_url: str) -> Iterator[Callable[[str], str]]:
    """Return a function that starts PgBouncer in a pool mode, and returns the URL through it."""
    if PGBOUNCER is None:
        pytest.fail("this test needs PgBouncer: install Debian's package pgbouncer")
    running: list[subprocess.Popen[bytes]] = []
    folder = Path(tempfile.mkdtemp(prefix="desk-pgbouncer-"))

    def start(pool_mode: str) -> str:
        port, config, log = free_port(), folder / "pgbouncer.ini", folder / "log"
        address = make_url(postgresql_url)
        config.write_text(
            f"[databases]\n* = host={address.query['host']} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = any\npool_mode = {pool_mode}\ndefault_pool_size = 2\n"
        )
        # It refuses to run as root, and the socket's folder is its owner's.
        owner = Path(address.query["host"]).stat().st_uid
        as_owner = {"user": owner} if os.geteuid() == 0 else {}
        os.chown(folder, owner, -1)
        with log.open("wb") as out:
            running.append(
                subprocess.Popen([PGBOUNCER, str(config)], stdout=out, stderr=out, **as_owner)
            )
        wait_for(lambda: "process up" in log.read_text(), 20)
        return f"postgresql+psycopg://postgres@127.0.0.1:{port}/{address.database}"

    yield start
    for process in running:
        process.terminate()
        process.wait(timeout=20)
    shutil.rmtree(folder)


async def look_up(url: str, times: int) -> None:
    """Look a token up on several connections at once, each of which prepares its statement."""
    engine = open_engine(url)
    lookups = [AsyncTokenLookup(engine) for _ in range(3)]
    try:
        for _ in range(times):
            await asyncio.gather(*(lookup.tokens(DIGESTS) for lookup in lookups))
    finally:
        for lookup in lookups:
            lookup.close()
        engine.dispose()


class TestPoolMode:
    """The two modes."""

    def test_in_transaction_mode_the_first_error_says_what_to_set(self, pooled):
        """An error of ours, so that the API answers 503, and no traceback comes."""
        with pytest.raises(PoolerModeError) as caught:
            asyncio.run(look_up(pooled("transaction"), 20))
        assert isinstance(caught.value, DatabaseUnavailableError)
        assert "set pool_mode=session in PgBouncer" in explain_unavailable(caught.value)

    def test_in_session_mode_it_works(self, pooled):
        """Transactions, repeated until the driver prepares their statements."""
        engine = open_engine(pooled("session"))
        assert [services(engine) for _ in range(10)] == [0] * 10
        engine.dispose()
