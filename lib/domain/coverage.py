"""How many users have a token, by organization and service."""

from typing import NamedTuple

from lib.domain.states import OrganizationType


class CoverageRow(NamedTuple):
    """Numbers of active users of one organization and service, by what they have.

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
        """Return the number of active users."""
        return self.accepted + self.pending + self.none

    @property
    def share(self) -> float | None:
        """Return the share of users with an accepted token, from 0 to 1; None without users."""
        return self.accepted / self.users if self.users else None
