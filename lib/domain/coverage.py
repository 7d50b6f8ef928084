"""Who has a token, counted by organization and service."""

from typing import NamedTuple

from lib.domain.states import OrganizationType


class CoverageRow(NamedTuple):
    """Active users of one organization and service, by what they have."""

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
        """Return how many active users there are."""
        return self.accepted + self.pending + self.none

    @property
    def share(self) -> float | None:
        """Return the share of users with an accepted token, 0 to 1; None without users."""
        return self.accepted / self.users if self.users else None
