"""Connections, and the errors of a locked, read-only, full, lost or invalid database."""

import contextlib
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from lib.domain.errors import (
    DatabaseBusyError,
    DatabaseFullError,
    DatabaseReadOnlyError,
    DatabaseUnavailableError,
)
from lib.domain.storage_errors import DatabaseFileError, FileFault
from lib.store import tables
from lib.store.bulk import ids_parameter, insert_many, with_ids
from lib.store.engine import open_engine, reading, writing
from lib.store.migrate import migrate

SERVICE = ("service_id", "name")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a migrated, empty SQLite database."""
    path = tmp_path / "desk.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    engine.dispose()
    return path


@pytest.fixture
def postgresql_engine(postgresql_url: str) -> Engine:
    """Return the engine of an empty, migrated PostgreSQL database. A lock times out after 0.5 s."""
    engine = open_engine(postgresql_url, busy_seconds=0.5)
    migrate(engine)
    yield engine
    engine.dispose()


def add(connection: Connection, service_id: str, then: Callable[[], object] = bool) -> None:
    """Insert one service, then do something else."""
    connection.execute(tables.service.insert().values(service_id=service_id, name="X"))
    then()


def add_services(engine: Engine, count: int = 1) -> None:
    """Insert a row with a plain statement, then rows in bulk."""
    with writing(engine) as connection:
        add(connection, "first")
        insert_many(
            connection, tables.service, SERVICE, ((f"s{n}", "x" * 200) for n in range(count))
        )


def services(engine: Engine) -> int:
    """Return the number of services."""
    with reading(engine) as connection:
        return connection.execute(text("SELECT count(*) FROM service")).scalar_one()


class TestTransactions:
    """Transactions of `reading` and `writing`."""

    def test_a_write_is_whole_or_not_at_all(self, engine):
        """An error in the middle of a transaction rolls everything back."""
        with pytest.raises(ZeroDivisionError), writing(engine) as connection:
            add(connection, "x", then=lambda: 1 / 0)
        assert services(engine) == 0

    def test_rows_that_raise_while_they_are_inserted(self, engine):
        """An error of the row generator is raised unchanged, and nothing is written."""

        def rows():
            yield ("a", "A")
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), writing(engine) as connection:
            insert_many(connection, tables.service, SERVICE, rows())
        assert services(engine) == 0

    def test_reads_agree_with_each_other(self, engine):
        """A read does not see what another connection commits meanwhile."""
        with reading(engine) as connection:
            before = connection.execute(text("SELECT count(*) FROM service")).scalar_one()
            add_services(engine)
            after = connection.execute(text("SELECT count(*) FROM service")).scalar_one()
        assert (before, after, services(engine)) == (0, 0, 2)

    def test_a_mistake_in_sql_stays_what_it_is(self, engine):
        """A mistake in our SQL is not turned into an error of the database."""
        with pytest.raises(DBAPIError, match="nowhere"), reading(engine) as connection:
            connection.execute(text("SELECT * FROM nowhere"))

    def test_a_constraint_stays_what_it_is(self, engine):
        """A bulk insert raises the same IntegrityError as a plain insert, on both engines."""
        add_services(engine)
        with pytest.raises(IntegrityError, match=r"pk_service|service\.service_id"):
            add_services(engine)
        with pytest.raises(IntegrityError), writing(engine) as connection:
            insert_many(connection, tables.service, SERVICE, [("s0", "again")])
        assert services(engine) == 2

    def test_values_are_not_part_of_errors(self, engine):
        """Errors hide parameters, since logs show errors."""
        with pytest.raises(DBAPIError) as caught, reading(engine) as connection:
            connection.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": "a-secret"})
        assert "a-secret" not in str(caught.value)

    def test_no_free_connection_is_busy(self, engine):
        """A pool without a free connection raises DatabaseBusyError."""
        engine.pool._timeout = 0.05
        taken = [engine.connect() for _ in range(30)]
        with pytest.raises(DatabaseBusyError), reading(engine):
            pass
        for connection in taken:
            connection.close()
        assert services(engine) == 0


class TestBulk:
    """Bulk inserts and sets of ids."""

    @pytest.mark.parametrize("count", [0, 1, 1_000])
    def test_rows(self, engine, count):
        """No row, one row and many rows are inserted, with their text unchanged."""
        names = ["\t\\N", "a\r\nb", '"', "'; --", "é\u202e", ""]
        with writing(engine) as connection:
            insert_many(
                connection,
                tables.service,
                SERVICE,
                ((f"{n:06}", names[n % len(names)]) for n in range(count)),
            )
        with reading(engine) as connection:
            found = connection.execute(text("SELECT name FROM service ORDER BY service_id"))
            assert list(found.scalars()) == [names[n % len(names)] for n in range(count)]

    @pytest.mark.parametrize("ids", [[], ["a"], ['"', "'", "\\", "é", "{}", "a,b"], ["x"] * 3])
    def test_ids(self, engine, ids):
        """A set of any ids is passed in one parameter."""
        with reading(engine) as connection:
            statement = with_ids(connection, "SELECT value FROM {ids} i")
            found = connection.execute(statement, {"ids": ids_parameter(connection, iter(ids))})
            assert sorted(found.scalars()) == sorted(ids)


class TestSettingsOfSqlite:
    """The settings of every SQLite connection."""

    def test_pragmas(self, path):
        """Foreign keys, a safe journal, full sync and overwriting of deleted bytes are on."""
        engine = open_engine(f"sqlite:///{path}", busy_seconds=1.5)
        wanted = {
            "foreign_keys": 1,
            "synchronous": 2,
            "secure_delete": 1,
            "cache_size": -65536,
            "busy_timeout": 1500,
        }
        with reading(engine) as connection:
            found = {p: connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in wanted}
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            version = connection.exec_driver_sql("SELECT sqlite_version()").scalar()
        engine.dispose()
        assert found == wanted
        safe = tuple(map(int, version.split("."))) >= (3, 51, 3)
        assert journal == ("wal" if safe else "delete")


def modes(folder: Path) -> dict[str, str]:
    """Return the modes of the files in a folder, as octal digits."""
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in folder.iterdir()}


def written(url: str, folder: Path) -> dict[str, str]:
    """Migrate a database; return the modes of the files in `folder` while a row is written."""
    engine = open_engine(url)
    migrate(engine)
    with writing(engine) as connection:
        add(connection, "erecording")
        found = modes(folder)
    engine.dispose()
    return found


class TestFilesOfSqlite:
    """Only the owner can read the files of SQLite."""

    @pytest.fixture(autouse=True, params=[0o000, 0o022, 0o777], ids=oct)
    def _umask(self, request):
        """Set the umask of the process."""
        before = os.umask(request.param)
        yield
        os.umask(before)

    @pytest.fixture
    def folder(self, tmp_path, monkeypatch) -> Path:
        """Return the working directory, which is created before the umask is set."""
        folder = tmp_path / "here"
        folder.mkdir()
        folder.chmod(0o700)
        monkeypatch.chdir(folder)
        return folder

    @pytest.mark.parametrize(
        ("address", "name"),
        [
            ("sqlite:///{folder}/desk.db", "desk.db"),
            ("sqlite:///desk.db", "desk.db"),
            ("sqlite:///file:{folder}/desk.db?uri=true", "desk.db"),
            ("sqlite:///file://localhost{folder}/desk.db?uri=true", "desk.db"),
            ("sqlite:///file:the%20desk.db?cache=private&mode=rwc&uri=true", "the desk.db"),
        ],
    )
    def test_a_new_database_and_the_files_beside_it(self, folder, address, name):
        """All files have mode 600, from the first write on, for every kind of URL."""
        found = written(address.format(folder=folder), folder)
        assert found.pop(name) == "600"
        assert len(found) >= 1
        assert set(found) <= {f"{name}{end}" for end in ("-wal", "-shm", "-journal")}
        assert set(found.values()) == {"600"}

    def test_it_is_so_before_the_first_connection(self, folder):
        """The file has mode 600 before SQLite opens it."""
        engine = open_engine("sqlite:///desk.db")
        seen = []
        event.listen(engine, "do_connect", lambda *_: seen.append(modes(folder)))
        with reading(engine):
            pass
        engine.dispose()
        assert seen == [{"desk.db": "600"}]

    def test_a_link_to_nothing(self, folder, tmp_path):
        """A dangling link: the file that it points to is created."""
        there = tmp_path / "there"
        there.mkdir()
        there.chmod(0o700)
        (folder / "desk.db").symlink_to(there / "real.db")
        found = written("sqlite:///desk.db", there)
        assert found["real.db"] == "600"
        assert set(found.values()) == {"600"}

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
    def test_a_file_that_is_there_keeps_its_mode(self, folder, mode):
        """An existing file keeps its mode, for example for a group that makes backups."""
        (folder / "desk.db").touch()
        (folder / "desk.db").chmod(mode)
        found = written("sqlite:///desk.db", folder)
        assert len(found) >= 2
        assert set(found.values()) == {f"{mode:o}"}

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite:///file:desk.db?mode=ro&uri=true",
            "sqlite:///file:desk.db?mode=rw&uri=true",
            "sqlite:///file::memory:?cache=shared&uri=true",
        ],
    )
    def test_nothing_is_made_where_sqlite_makes_nothing(self, folder, url):
        """URLs that are read-only, in memory or for an existing file create no file."""
        engine = open_engine(url)
        with contextlib.suppress(DatabaseUnavailableError), reading(engine):
            pass
        engine.dispose()
        assert modes(folder) == {}


class TestSqliteErrors:
    """Each problem of SQLite has its error, and nothing is written."""

    def test_locked(self, path):
        """Another writer holds the lock for longer than the limit; reads still work."""
        engine = open_engine(f"sqlite:///{path}", busy_seconds=0.1)
        with writing(open_engine(f"sqlite:///{path}")):
            with pytest.raises(DatabaseBusyError):
                add_services(engine)
            assert services(engine) == 0
        add_services(engine)
        assert services(engine) == 2
        engine.dispose()

    def test_locked_before_the_tables_are_there(self, tmp_path):
        """A migration waits for the lock as long as a writer, and then raises the same error."""
        engine = open_engine(f"sqlite:///{tmp_path / 'desk.db'}", busy_seconds=0.1)
        with (
            writing(open_engine(f"sqlite:///{tmp_path / 'desk.db'}")),
            pytest.raises(DatabaseBusyError),
        ):
            migrate(engine)
        engine.dispose()

    def test_read_only(self, path):
        """Writes are refused; reads and a migration with nothing to do work."""
        engine = open_engine(f"sqlite:///file:{path}?mode=ro&uri=true", busy_seconds=0.1)
        migrate(engine)
        with pytest.raises(DatabaseReadOnlyError):
            add_services(engine)
        assert services(engine) == 0
        engine.dispose()

    def test_full(self, path):
        """A full disk stops the bulk insert, and the whole transaction is rolled back."""
        engine = open_engine(f"sqlite:///{path}", busy_seconds=0.1)

        @event.listens_for(engine, "connect")
        def _limit(connection, _record):
            connection.execute("PRAGMA max_page_count=1")  # as many as there are

        with pytest.raises(DatabaseFullError):
            add_services(engine, 5_000)
        assert services(engine) == 0
        engine.dispose()

    def test_no_such_folder(self, tmp_path):
        """A database in a missing folder cannot be opened."""
        engine = open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'desk.db'}")
        with pytest.raises(DatabaseUnavailableError) as caught, reading(engine):
            pass
        assert caught.value == DatabaseFileError(FileFault.NO_FOLDER)
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_in_its_place(self, tmp_path):
        """A folder in place of the file cannot be opened."""
        engine = open_engine(f"sqlite:///{tmp_path}")
        with pytest.raises(DatabaseFileError) as caught:
            migrate(engine)
        assert caught.value.fault is FileFault.IS_FOLDER

    def test_no_database(self, tmp_path):
        """A file that is no database is not changed."""
        path = tmp_path / "desk.db"
        path.write_bytes(b"organization_id,name\n" * 500)
        engine = open_engine(f"sqlite:///{path}")
        with pytest.raises(DatabaseUnavailableError) as caught:
            migrate(engine)
        engine.dispose()
        assert caught.value == DatabaseFileError(FileFault.NOT_A_DATABASE)
        assert path.read_bytes() == b"organization_id,name\n" * 500

    def test_damaged(self, path):
        """Damaged pages raise an error."""
        content = path.read_bytes()
        path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
        engine = open_engine(f"sqlite:///{path}")
        with pytest.raises(DatabaseFileError) as caught:
            services(engine)
        assert caught.value.fault is FileFault.DAMAGED
        engine.dispose()


class TestPostgresqlErrors:
    """Each problem of PostgreSQL has its error, and nothing is written."""

    @pytest.mark.parametrize("write", [add_services, services], ids=["write", "read"])
    def test_connection_ended_while_idle(self, postgresql_engine, write):
        """The pool replaces a lost idle connection without an error."""
        services(postgresql_engine)
        end_connections(postgresql_engine)
        write(postgresql_engine)
        assert services(postgresql_engine) in {0, 2}

    def test_connection_ended_in_the_middle(self, postgresql_engine):
        """The transaction is lost as a whole, and the next one works."""
        with pytest.raises(DatabaseUnavailableError), writing(postgresql_engine) as connection:  # noqa: PT012 - the error comes between two statements
            add(connection, "x", then=lambda: end_connections(postgresql_engine))
            add(connection, "y")
        assert services(postgresql_engine) == 0

    def test_connection_ended_before_a_bulk_insert(self, postgresql_engine):
        """COPY on a lost connection raises the same error as any statement."""
        with pytest.raises(DatabaseUnavailableError), writing(postgresql_engine) as connection:  # noqa: PT012 - the error comes between two statements
            add(connection, "x", then=lambda: end_connections(postgresql_engine))
            insert_many(connection, tables.service, SERVICE, [("y", "Y")])
        assert services(postgresql_engine) == 0

    def test_connection_ended_during_a_bulk_insert(self, postgresql_engine):
        """The connection is lost after half of the rows were sent."""

        def rows():
            for n in range(20_000):
                if n == 10_000:
                    end_connections(postgresql_engine)
                yield f"s{n}", "x" * 200

        with pytest.raises(DatabaseUnavailableError), writing(postgresql_engine) as connection:
            insert_many(connection, tables.service, SERVICE, rows())
        assert services(postgresql_engine) == 0

    def test_connection_ended_before_the_commit(self, postgresql_engine):
        """A connection lost before the commit leaves nothing behind."""
        with pytest.raises(DatabaseUnavailableError), writing(postgresql_engine) as connection:
            add(connection, "x", then=lambda: end_connections(postgresql_engine))
        assert services(postgresql_engine) == 0

    def test_locked(self, postgresql_engine):
        """Another transaction holds the row for longer than the limit, also for COPY."""
        add_services(postgresql_engine)
        update = text("UPDATE service SET name = 'x'")
        with writing(postgresql_engine) as first:
            first.execute(update)
            with pytest.raises(DatabaseBusyError), writing(postgresql_engine) as second:
                second.execute(update)
            first.execute(tables.service.insert().values(service_id="new", name="x"))
            with pytest.raises(DatabaseBusyError), writing(postgresql_engine) as second:
                insert_many(second, tables.service, SERVICE, [("new", "Y")])
        assert services(postgresql_engine) == 3

    def test_read_only(self, postgresql_engine):
        """A standby, or a database that is set to read-only, refuses writes."""

        @event.listens_for(postgresql_engine, "begin")
        def _read_only(connection):
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")

        with pytest.raises(DatabaseReadOnlyError):
            add_services(postgresql_engine)
        with pytest.raises(DatabaseReadOnlyError), writing(postgresql_engine) as connection:
            insert_many(connection, tables.service, SERVICE, [("y", "Y")])
        event.remove(postgresql_engine, "begin", _read_only)
        assert services(postgresql_engine) == 0

    def test_read_only_at_the_start_and_then_writable(self, postgresql_engine):
        """The first write after the change may fail; the next one is on a new connection."""
        name = postgresql_engine.url.database
        other = open_engine(postgresql_engine.url.render_as_string(hide_password=False))
        for value in ("on", "off"):
            with writing(other) as connection:
                connection.execute(text("SET TRANSACTION READ WRITE"))
                connection.execute(
                    text(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
                )
            other.dispose()
            if value == "on":
                postgresql_engine.dispose()
                for _ in range(2):
                    with pytest.raises(DatabaseReadOnlyError):
                        add_services(postgresql_engine)
                    assert services(postgresql_engine) == 0
        with contextlib.suppress(DatabaseReadOnlyError):
            add_services(postgresql_engine)
        if not services(postgresql_engine):
            add_services(postgresql_engine)
        assert services(postgresql_engine) == 2

    def test_no_server(self):
        """A port without a server raises an error."""
        engine = open_engine("postgresql+psycopg://127.0.0.1:1/desk?connect_timeout=2")
        with pytest.raises(DatabaseUnavailableError), reading(engine):
            pass

    @pytest.mark.parametrize(("asked", "seconds"), [("", 10), ("?connect_timeout=3", "3")])
    def test_how_long_a_silent_server_is_waited_for(self, asked, seconds):
        """A connection attempt ends after ten seconds, unless the URL sets another number."""
        engine = open_engine(f"postgresql+psycopg://192.0.2.1/desk{asked}")
        waited = []

        @event.listens_for(engine, "do_connect")
        def _connect(_dialect, _record, _arguments, named):
            waited.append(named["connect_timeout"])
            raise engine.dialect.loaded_dbapi.OperationalError

        with pytest.raises(DatabaseUnavailableError), reading(engine):
            pass
        assert waited == [seconds]

    def test_no_such_database(self, postgresql_url):
        """The server has no database of this name."""
        engine = open_engine(postgresql_url.replace("/desk_", "/nothing_"))
        with pytest.raises(DatabaseUnavailableError):
            migrate(engine)


def end_connections(engine: Engine) -> None:
    """End all other connections to the database, as an administrator can."""
    other = open_engine(engine.url.render_as_string(hide_password=False))
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    with other.connect() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    other.dispose()
