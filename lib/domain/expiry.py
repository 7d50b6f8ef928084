"""Expiry policies: the lifetime of new tokens, in days."""

from typing import NamedTuple

from lib.domain.clock import DAY, Moment


class ExpiryPolicy(NamedTuple):
    """The lifetime of a new token by service and by organization, in days; None: no limit.

    The shorter one applies.
    """

    service_days: int | None = None
    organization_days: int | None = None

    @property
    def days(self) -> int | None:
        """Return the lifetime that applies, in days; None: no limit."""
        return min((days for days in self if days is not None), default=None)

    def ends(self, now: Moment) -> Moment | None:
        """Return the expiry of a token that is created at `now`; None: never."""
        return None if self.days is None else now + self.days * DAY


NO_POLICY = ExpiryPolicy()
