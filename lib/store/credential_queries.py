"""Client credentials, with which services authenticate to check their own tokens."""

from sqlalchemy import Connection, text

from lib.domain.clock import Moment
from lib.domain.credentials import ServiceCredential
from lib.store import tables
from lib.store.columns import select_list


def lock_service(connection: Connection, service_id: str) -> bool:
    """Lock a service against other changes of its credentials; False if it does not exist."""
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    found = connection.execute(
        text(f"SELECT 1 FROM service WHERE service_id = :service{lock}"), {"service": service_id}
    )
    return found.one_or_none() is not None


def live(connection: Connection, service_id: str | None = None) -> list[ServiceCredential]:
    """Return the live credentials of one service, or of all services (None), oldest first."""
    of_service = "AND service_id = :service" if service_id is not None else ""
    rows = connection.execute(
        text(
            f"SELECT {select_list(ServiceCredential, 'c')} FROM service_credential c"
            f" WHERE ended_at IS NULL {of_service} ORDER BY service_id, created_at, client_id"
        ),
        {"service": service_id} if of_service else {},
    )
    return [ServiceCredential._make(row) for row in rows]


def add(connection: Connection, credential: ServiceCredential, digest: bytes, pepper: int) -> None:
    """Insert a credential with the digest of its secret. The secret itself is not stored."""
    connection.execute(
        tables.service_credential.insert().values(
            **credential._asdict(), digest=digest, pepper=pepper
        )
    )


def end(connection: Connection, client_id: str, now: Moment) -> str | None:
    """End a live credential and return its service id; None if there is no live one."""
    service_id = connection.execute(
        text(
            "SELECT service_id FROM service_credential"
            " WHERE client_id = :client AND ended_at IS NULL"
        ),
        {"client": client_id},
    ).scalar_one_or_none()
    if service_id is None:
        return None
    ended = connection.execute(
        text(
            "UPDATE service_credential SET ended_at = :now"
            " WHERE client_id = :client AND ended_at IS NULL"
        ),
        {"now": now, "client": client_id},
    )
    return str(service_id) if ended.rowcount else None  # a concurrent call may have ended it
