"""The CSV of Generate & Export: its columns, and a row for each user who gets a token."""

from collections.abc import Iterable

from lib.domain.clock import Moment, iso
from lib.domain.csv_writer import csv_bytes
from lib.domain.operations import Scope
from lib.domain.tokens import UserInScope

# Programs read it: new columns come at the end only.
CSV_HEADER = (
    "Organization ID",
    "Organization",
    "Service",
    "Name",
    "Username",
    "Email",
    "API Token",
    "Generated At",
    "Expires",
)


def export_csv(
    scope: Scope, users: Iterable[UserInScope], tokens: Iterable[str], now: Moment
) -> bytes:
    """Return the file: `users` with their `tokens` in clear, in the same order, made at `now`."""
    place = (scope.organization_id, scope.organization_name, scope.service_name)
    ends = scope.policy.ends(now)
    at, expires = iso(now), "" if ends is None else iso(ends)
    return csv_bytes(
        CSV_HEADER,
        (
            (*place, user.name, user.username, user.email, token, at, expires)
            for user, token in zip(users, tokens, strict=True)
        ),
    )
