"""Expiry policies: for how many days new tokens live, by service and by organization."""

from sqlalchemy import Connection, text

from lib.domain.expiry import ExpiryPolicy


def read(connection: Connection, organization_id: str, service_id: str) -> ExpiryPolicy:
    """Return both policies; no limit where there is none."""
    row = connection.execute(
        text(
            "SELECT (SELECT token_days FROM service WHERE service_id = :service),"
            " (SELECT token_days FROM organization WHERE organization_id = :organization)"
        ),
        {"organization": organization_id, "service": service_id},
    ).one()
    return ExpiryPolicy(*row)


def set_for_service(connection: Connection, service_id: str, days: int | None) -> bool:
    """Set a service's policy; False when there is no such service."""
    return _set(connection, "service", service_id, days)


def set_for_organization(connection: Connection, organization_id: str, days: int | None) -> bool:
    """Set an organization's policy; False when there is no such organization."""
    return _set(connection, "organization", organization_id, days)


def _set(connection: Connection, table: str, key: str, days: int | None) -> bool:
    changed = connection.execute(
        text(f"UPDATE {table} SET token_days = :days WHERE {table}_id = :key"),
        {"days": days, "key": key},
    )
    return changed.rowcount > 0
