"""What the command `import` prints: lines for people, JSON for machines."""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from lib.cli.console import printable
from lib.domain.plural import counted
from lib.operations.imports.import_directory import words_for_tokens_that_work_again
from lib.operations.imports.refusals import Refusal
from lib.operations.imports.report import FileReport, Missing, Report
from lib.operations.imports.schema import USERS
from lib.store.membership_queries import MemberTokens, RoleLeft

_MOST_COLUMNS = 20  # columns that are ignored, and named


def report_lines(report: Report) -> Iterator[str]:
    """Yield what to print of `report`: a line a file, a line a refused row, and what follows."""
    for name, file in report.files.items():
        yield _counts(name, file)
        if file.ignored:
            yield f"  columns not known and ignored: {_columns(file.ignored)}"
        if not (file.added or file.updated or file.unchanged or file.refused):
            yield "  the file has a header and no rows"
        yield from (_refused(refusal, file) for refusal in file.refusals)
        if more := file.refused - len(file.refusals):
            yield f"  and {counted(more, 'more row')}, of which nothing is told: mend these first"
    if USERS in report.files:
        yield from _missing(report.missing)
        yield from _deactivation(report)
    yield from map(_elsewhere, report.elsewhere)
    yield from _roles_left(report.roles_left)
    if report.work_again:
        yield f"{words_for_tokens_that_work_again(report.work_again)}."
    yield from _outcome(report)


def _outcome(report: Report) -> Iterator[str]:
    if not report.accepted:
        rows = any(file.refused for file in report.files.values())
        fix = ": mend these rows, or take the others with --skip-bad-rows" if rows else ""
        yield f"Nothing was written{fix}."
    elif report.dry_run:
        yield "Dry run: nothing was written."


def _counts(name: str, file: FileReport) -> str:
    return (
        f"{name}: {file.added:,} added, {file.updated:,} updated,"
        f" {file.unchanged:,} unchanged, {file.refused:,} refused"
    )


def _columns(ignored: tuple[str, ...]) -> str:
    more = len(ignored) - _MOST_COLUMNS
    named = ", ".join(map(printable, ignored[:_MOST_COLUMNS]))
    return f"{named} and {more:,} more" if more > 0 else named


def _refused(refusal: Refusal, file: FileReport) -> str:
    source = file.sources.get(refusal.field)
    column = f" (column {source})" if source else ""
    field = f"{refusal.field}{column} {printable(refusal.value)}"
    return f"  line {refusal.line}: {field}: {refusal.reason}"


def _missing(missing: Missing) -> Iterator[str]:
    if not missing.members:
        yield "missing: nobody"
    else:
        yield (
            f"missing: {counted(missing.members, 'active user')} of"
            f" {counted(missing.organizations, 'organization')}"
            f" {'is' if missing.members == 1 else 'are'} on no line, with"
            f" {counted(missing.working_tokens, 'working token')}{_what_to_do(missing)}"
        )
    for member in missing.listed:
        yield f"  {_member(member)}, {counted(member.working_tokens, 'working token')}"


def _what_to_do(missing: Missing) -> str:
    if missing.to_deactivate is not None:
        return ""
    listing = "" if missing.listed else "--missing lists them, "
    return f"; {listing}--deactivate-missing {missing.members} makes them inactive"


def _deactivation(report: Report) -> Iterator[str]:
    missing = report.missing
    if missing.to_deactivate is None:
        return
    if missing.to_deactivate != missing.members:
        are = "is" if missing.members == 1 else "are"
        yield (
            f"  --deactivate-missing {missing.to_deactivate}: {missing.members:,} {are} missing;"
            " look at them with --missing, then give that number"
        )
    elif missing.emptied:
        yield (
            f"  --deactivate-missing {missing.to_deactivate}:"
            f" {', '.join(missing.emptied)} would have no active user left; add those who stay to"
            " the file"
        )
    elif missing.members and report.accepted:
        done = "would be" if report.dry_run else "are now"
        yield f"  {counted(missing.members, 'user')} {done} inactive, and their tokens stop working"


def _elsewhere(member: MemberTokens) -> str:
    return (
        f"still active elsewhere: {_member(member)}, which the users file does not name, with"
        f" {counted(member.working_tokens, 'working token')}"
    )


def _member(member: MemberTokens) -> str:
    return f"{printable(member.username)} ({printable(member.name)}) in {member.organization_id}"


def _roles_left(roles: Iterable[RoleLeft]) -> Iterator[str]:
    for username, held in groupby(roles, key=lambda role: role.username):
        grants = ", ".join(
            f"{role.grant.role.value} in {role.grant.organization_id or 'all organizations'}"
            for role in held
        )
        yield (
            f"roles left: {printable(username)} is no active user anywhere and still is {grants};"
            " take roles away with the command revoke"
        )


def report_json(report: Report) -> str:
    """Return the same as one line of JSON."""
    missing = report.missing
    body: dict[str, Any] = {
        "accepted": report.accepted,
        "dry_run": report.dry_run,
        "written": report.written,
        "files": {name: _file(file) for name, file in report.files.items()},
        "missing": {
            "members": missing.members,
            "organizations": missing.organizations,
            "working_tokens": missing.working_tokens,
            "listed": [member._asdict() for member in missing.listed],
            "to_deactivate": missing.to_deactivate,
            "deactivated": missing.deactivated if report.accepted else 0,
            "would_be_empty": list(missing.emptied),
        },
        "elsewhere": [member._asdict() for member in report.elsewhere],
        "roles_left": [
            {
                "username": role.username,
                "name": role.name,
                "role": role.grant.role.value,
                "organization_id": role.grant.organization_id,
            }
            for role in report.roles_left
        ],
        "tokens_that_work_again": report.work_again,
    }
    return json.dumps(body)


def _file(file: FileReport) -> dict[str, Any]:
    return {
        "added": file.added,
        "updated": file.updated,
        "unchanged": file.unchanged,
        "refused": file.refused,
        "ignored_columns": list(file.ignored),
        "refusals": [
            {**refusal._asdict(), "column": file.sources.get(refusal.field, refusal.field)}
            for refusal in file.refusals
        ],
    }
