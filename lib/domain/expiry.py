"""For how many days new tokens live."""

from typing import NamedTuple

from lib.domain.clock import DAY, Moment


class ExpiryPolicy(NamedTuple):
    """For how many days a new token lives; None for no limit. The shorter of the two wins."""

    service_days: int | None = None
    organization_days: int | None = None

    @property
    def days(self) -> int | None:
        """Return the days that count."""
        return min((days for days in self if days is not None), default=None)

    def ends(self, now: Moment) -> Moment | None:
        """Return when a token that is made now ends."""
        return None if self.days is None else now + self.days * DAY


NO_POLICY = ExpiryPolicy()
