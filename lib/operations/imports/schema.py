"""What each file of the directory may hold: its columns, their checks, and its key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lib.domain.states import OrganizationType, Status
from lib.operations.imports import cell_checks as check
from lib.operations.imports.cell_checks import LONGEST_TEXT, Check
from lib.operations.imports.status_words import STATUS_WORDS

USERS = "users"


@dataclass(frozen=True, slots=True)
class ImportSchema:
    """What a file holds: the checks of its columns, keys first, and which must be there."""

    key: tuple[str, ...]
    checks: Mapping[str, Check]
    required: tuple[str, ...]


_name = check.name()
_line = check.text(LONGEST_TEXT)
_lines = check.lines(LONGEST_TEXT)
_status = check.one_of(Status)


def _schema(key: Sequence[str], required: Mapping[str, Check], **optional: Check) -> ImportSchema:
    return ImportSchema(tuple(key), {**required, **optional}, tuple(required))


#: What each file may hold, in the order in which files are taken.
SCHEMAS: Mapping[str, ImportSchema] = MappingProxyType({
    "organizations": _schema(
        ("organization_id",),
        {
            "organization_id": check.organization_id,
            "name": _name,
            "type": check.one_of(OrganizationType),
            "status": _status,
            "state": check.state,
        },
        contact_person=_line,
        primary_recorder=_line,
        address=_lines,
        telephone=_line,
        fax=_line,
        web_page=_line,
        hours=_lines,
        document_types=_lines,
    ),
    "services": _schema(("service",), {"service": check.service_id, "name": _name}),
    "subscriptions": _schema(
        ("organization_id", "service"),
        {
            "organization_id": check.organization_id,
            "service": check.service_id,
            "status": _status,
        },
        since=check.day,
        license_number=_line,
        plan=_line,
        starts_on=check.day,
        renews_on=check.day,
        seats=check.seats,
        notify_recorded=_line,
        notify_rejected=_line,
        notify_fees=_line,
        notify_to=_lines,
    ),
    USERS: _schema(
        ("username", "organization_id"),
        {
            "username": check.username,
            "organization_id": check.or_empty(check.organization_id),
            "name": _name,
            "email": check.email,
            "status": check.translated(STATUS_WORDS),
        },
    ),
})  # fmt: skip
