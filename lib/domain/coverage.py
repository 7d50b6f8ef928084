"""How many users have a token, by organization and service.

Coverage counts active members of active organizations, once for each active subscription. This is
the denominator of every share; lib.store.coverage_queries has it as SQL.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lib.domain.states import OrganizationType

#: The orders of a list of coverage: by the share of all services together, or by name.
BY_SHARE, BY_NAME = "share", "name"
_BY_SERVICE = f"{BY_SHARE}:"
_NO_USERS = 2.0  # greater than every share, so that nobody to count comes last


class CoverageRow(NamedTuple):
    """Numbers of the counted users of one organization and service, by what they have.

    `none` counts the users who have neither an accepted token nor a pending one.
    """

    organization_id: str
    organization_name: str
    type: OrganizationType
    state: str
    service_id: str
    service_name: str
    accepted: int
    pending: int
    none: int

    @property
    def users(self) -> int:
        """Return the number of counted users."""
        return self.accepted + self.pending + self.none

    @property
    def share(self) -> float | None:
        """Return the share of users with an accepted token, from 0 to 1; None without users."""
        return self.accepted / self.users if self.users else None


class CoverageFilter(NamedTuple):
    """What Token coverage shows; empty text means any."""

    state: str = ""
    type: str = ""
    service: str = ""


def by_service(service_id: str) -> str:
    """Return the order by the share of one service."""
    return f"{_BY_SERVICE}{service_id}"


def matching_rows(rows: Iterable[CoverageRow], wanted: CoverageFilter) -> list[CoverageRow]:
    """Return the rows that match `wanted`, in their order."""
    return [
        row
        for row in rows
        if wanted.state in {"", row.state}
        and wanted.type in {"", row.type.value}
        and wanted.service in {"", row.service_id}
    ]


def by_organization(rows: Sequence[CoverageRow], order: str) -> list[CoverageRow]:
    """Return `rows` with the organizations in `order`: BY_SHARE, BY_NAME or that of `by_service`.

    `rows` are ordered by name, and stay so within an organization. An organization without users
    for the service comes last.
    """
    if order == BY_NAME:
        return list(rows)
    service_id = order.removeprefix(_BY_SERVICE) if order.startswith(_BY_SERVICE) else ""
    of: dict[str, list[CoverageRow]] = {}
    for row in rows:
        counted = of.setdefault(row.organization_id, [])
        if service_id in {"", row.service_id}:
            counted.append(row)
    places = {organization_id: place for place, organization_id in enumerate(of)}
    keys = {organization_id: _lowest_first(counted) for organization_id, counted in of.items()}
    return sorted(rows, key=lambda row: (keys[row.organization_id], places[row.organization_id]))


def by_row(rows: Sequence[CoverageRow], order: str) -> list[CoverageRow]:
    """Return `rows` in `order`. By share, each row has its own place: lowest share first."""
    if order == BY_SHARE:
        return sorted(rows, key=lambda row: _lowest_first([row]))
    return by_organization(rows, order)


def _lowest_first(rows: Iterable[CoverageRow]) -> tuple[float, int]:
    """Return the sort key of some rows together: share, then most users without a token."""
    accepted, users = 0, 0
    for row in rows:
        accepted, users = accepted + row.accepted, users + row.users
    return (accepted / users if users else _NO_USERS, accepted - users)
