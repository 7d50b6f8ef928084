"""Expiry policies: the lifetime of new tokens in days, by service and by organization."""

from sqlalchemy import Connection, text

from lib.domain.expiry import ExpiryPolicy


def read(connection: Connection, organization_id: str, service_id: str) -> ExpiryPolicy:
    """Return the policy of an organization and a service; None where there is no limit."""
    row = connection.execute(
        text(
            "SELECT (SELECT token_days FROM service WHERE service_id = :service) AS service_days,"
            " (SELECT token_days FROM organization WHERE organization_id = :organization)"
            " AS organization_days"
        ),
        {"organization": organization_id, "service": service_id},
    ).one()
    return ExpiryPolicy(row.service_days, row.organization_days)


def set_for_service(connection: Connection, service_id: str, days: int | None) -> bool:
    """Set the policy of a service, None for no limit; False if there is no such service."""
    return _set(connection, "service", service_id, days)


def set_for_organization(connection: Connection, organization_id: str, days: int | None) -> bool:
    """Set the policy of an organization, None for no limit; False if it does not exist."""
    return _set(connection, "organization", organization_id, days)


def _set(connection: Connection, table: str, key: str, days: int | None) -> bool:
    changed = connection.execute(
        text(f"UPDATE {table} SET token_days = :days WHERE {table}_id = :key"),
        {"days": days, "key": key},
    )
    return changed.rowcount > 0
