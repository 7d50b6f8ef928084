"""Small directories for tests: organizations with as many users as a test needs."""

from sqlalchemy import Connection, Engine, text

from lib.domain.access import Actor
from lib.domain.audit import AuditKeyring
from lib.domain.clock import Clock
from lib.domain.ids import new_id, new_ids
from lib.domain.plan import Plan
from lib.domain.roles import Grant, Role
from lib.domain.search import fold
from lib.domain.token_format import Minting
from lib.operations.unit_of_work import UnitOfWork
from lib.store import grant_queries, tables
from lib.store.bulk import insert_many
from lib.store.engine import reading, writing
from tests.support.database_facts import NOW

ADMINISTRATOR = frozenset({Grant(Role.ADMINISTRATOR)})
ADMIN = Actor("mhale", "Morgan Hale", ADMINISTRATOR, "192.0.2.7")
MINTING = Minting("demo", {1: b"p" * 32})
ORG, SERVICE = "UTCJF1", "erecording"


def clock() -> int:
    """Return the tests' moment."""
    return NOW


def unit_of_work(engine: Engine, at: Clock = clock, *, four_eyes: int = 0) -> UnitOfWork:
    """Return the unit of work of the tests."""
    return UnitOfWork(engine, at, AuditKeyring.of(MINTING.peppers), four_eyes)


def by(plan: Plan) -> Actor:
    """Return the actor who made a plan."""
    return Actor(plan.actor, "")


def build(
    engine: Engine,
    users: int = 3,
    *,
    organization_id: str = ORG,
    services: tuple[str, ...] = (SERVICE,),
) -> list[str]:
    """Add one active organization with `users` active users; return their member ids in order."""
    with writing(engine) as connection:
        _add_staff(connection)
        connection.execute(
            tables.organization.insert().values(
                organization_id=organization_id,
                name=f"Organization {organization_id}",
                search_key=fold(f"Organization {organization_id}"),
                type="recipient",
                status="active",
                state="UT",
            )
        )
        for service_id in services:
            _add_subscription(connection, organization_id, service_id)
        return add_users(connection, organization_id, users)


def add_users(connection: Connection, organization_id: str, users: int) -> list[str]:
    """Add active users `u0`, `u1`, … (with the organization's id in the username)."""
    names = [f"{organization_id.lower()}-u{n}" for n in range(users)]
    ids = new_ids(users, NOW)
    insert_many(
        connection,
        tables.user_account,
        ("username", "name", "email"),
        [(u, f"User {n:06}", f"{u}@example.com") for n, u in enumerate(names)],
    )
    insert_many(
        connection,
        tables.member,
        (
            "organization_id",
            "member_id",
            "username",
            "status",
            "name",
            "email",
            "sort_key",
            "search_key",
        ),
        [
            (
                organization_id,
                i,
                u,
                "active",
                f"User {n:06}",
                f"{u}@example.com",
                f"user {n:06}",
                f"user {n:06} {u} {u}@example.com",
            )
            for n, (i, u) in enumerate(zip(ids, names, strict=True))
        ],
    )
    return ids


def _add_staff(connection: Connection) -> None:
    known = connection.execute(text("SELECT count(*) FROM user_account WHERE username = 'mhale'"))
    if not known.scalar_one():
        add_staff(connection, "mhale", "Morgan Hale", Grant(Role.ADMINISTRATOR))


def add_staff(
    connection: Connection, username: str, name: str, *grants: Grant, status: str = "active"
) -> None:
    """Add a staff account with its roles."""
    connection.execute(
        tables.user_account.insert().values(
            username=username, name=name, email=f"{username}@example.com", staff_status=status
        )
    )
    for grant in grants:
        grant_queries.add_grant(connection, new_id(NOW), username, grant, NOW, "")


def _add_subscription(connection: Connection, organization_id: str, service_id: str) -> None:
    known = connection.execute(
        text("SELECT count(*) FROM service WHERE service_id = :id"), {"id": service_id}
    )
    if not known.scalar_one():
        connection.execute(
            tables.service.insert().values(service_id=service_id, name=service_id.title())
        )
    connection.execute(
        tables.subscription.insert().values(
            organization_id=organization_id, service_id=service_id, status="active"
        )
    )


def tokens(engine: Engine) -> list[tuple[str, ...]]:
    """Return (member id, state, origin, ended_from) of every token row, sorted."""
    with reading(engine) as connection:
        rows = connection.execute(text("SELECT member_id, state, origin, ended_from FROM token"))
        return sorted((tuple(r) for r in rows), key=str)
