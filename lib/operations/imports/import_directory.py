"""Take a directory from CSV files, in one transaction.

Every row is read and checked before anything is written. A row adds what is new and updates what
differs, by its key; a column that a file does not have leaves what is stored as it is. Who is on
no line stays, unless that is asked for.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from lib.domain.audit import Event, EventAction
from lib.domain.clock import Moment
from lib.domain.errors import LastAdministratorError, UnknownPersonError
from lib.domain.plural import counted
from lib.domain.search import possible_name
from lib.operations.grants import COMMAND_LINE
from lib.operations.imports import missing, write
from lib.operations.imports.comparison import (
    Comparison,
    UserComparison,
    compare_others,
    compare_users,
)
from lib.operations.imports.missing import MissingMembers
from lib.operations.imports.parse import NOBODY, Parsed, as_username
from lib.operations.imports.report import FileReport, Report
from lib.operations.imports.schema import SCHEMAS, USERS
from lib.operations.unit_of_work import UnitOfWork
from lib.store import grant_queries, import_queries, membership_queries
from lib.store.engine import writing


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How an import is to be done.

    `skip_bad_rows`: the good rows are taken although others are refused. `same_person`: usernames
    whose name and e-mail may both change although the account has a role, a token or a request.
    `list_missing`: the report names the missing. `deactivate_missing`: that many missing members
    are made inactive, and nothing is taken when there are more or fewer. `dry_run`: the report says
    what would be done, and nothing is written.
    """

    skip_bad_rows: bool = False
    same_person: Collection[str] = ()
    list_missing: bool = False
    deactivate_missing: int | None = None
    dry_run: bool = False


_NO_OPTIONS = ImportOptions()


def import_directory(
    unit_of_work: UnitOfWork,
    files: Mapping[str, Parsed],
    import_options: ImportOptions = _NO_OPTIONS,
) -> Report:
    """Add and update what `files` (by name, of SCHEMAS) say, in one transaction of its own.

    Nothing is written when any row is refused, unless `skip_bad_rows`; the report's counts then
    are what would have been done.

    Raises:
        UnknownPersonError: `same_person` names somebody whom the directory does not have.
        LastAdministratorError: Nobody would be left to grant roles; nothing was changed.
        AuditNotWrittenError: The audit trail did not take the event; nothing was changed.
        DatabaseUnavailableError: The database did not take part; nothing was changed.
    """
    event = Event(EventAction.IMPORT, COMMAND_LINE.username, COMMAND_LINE.address)
    transaction = (
        writing(unit_of_work.engine) if import_options.dry_run else unit_of_work.transaction(event)
    )
    with transaction as connection:
        had = grant_queries.has_administrator(connection)
        report = import_into(connection, files, unit_of_work.clock(), import_options)
        if report.written:
            unit_of_work.record(connection, event._replace(**_figures(report)), *_sign_outs(report))
        if had and not grant_queries.has_administrator(connection):
            raise LastAdministratorError
        if import_options.dry_run:
            connection.rollback()
    return report


def _figures(report: Report) -> dict[str, Any]:
    """Return what the event of an import says: users that changed, rows of each file, and more.

    It also names those who kept what they have because somebody said that they are the same person.
    """
    changed = {name: file.added + file.updated for name, file in report.files.items()}
    parts = [", ".join(f"{name} {rows}" for name, rows in changed.items())]
    if report.same_person:
        parts.append(f"same person: {', '.join(report.same_person)}")
    if report.missing.deactivated:
        tokens = counted(report.missing.working_tokens, "working token")
        parts.append(f"missing made inactive: {report.missing.deactivated}, with {tokens}")
    if report.work_again:
        parts.append(words_for_tokens_that_work_again(report.work_again))
    users = changed.get(USERS, 0) + report.missing.deactivated
    return {"users": users, "detail": "; ".join(parts)}


def _sign_outs(report: Report) -> Iterator[Event]:
    """Yield an event for each sign-in that ended."""
    for username in report.signed_out:
        yield Event(
            EventAction.SIGN_OUT,
            username,
            COMMAND_LINE.address,
            detail="another person got the username",
        )


def words_for_tokens_that_work_again(tokens: int) -> str:
    """Return the sentence that report and event have in common."""
    return f"{counted(tokens, 'token')} {'works' if tokens == 1 else 'work'} again"


def import_into(
    connection: Connection,
    files: Mapping[str, Parsed],
    now: Moment,
    import_options: ImportOptions = _NO_OPTIONS,
) -> Report:
    """Do what `import_directory` does inside the caller's transaction, which a dry run undoes."""
    import_queries.wait_for_other_imports(connection)
    same_person = _same_person(connection, import_options)
    others = compare_others(connection, {n: files[n] for n in SCHEMAS if n in files and n != USERS})
    named = files.get(USERS, NOBODY)
    users = compare_users(connection, named, others, same_person, now)
    gone = missing.find_missing(connection, named, users)
    missing_report = missing.report_missing(
        connection,
        gone,
        users,
        now,
        listed=import_options.list_missing,
        to_deactivate=import_options.deactivate_missing,
    )
    found = others | ({USERS: users} if USERS in files else {})
    reports = {name: _file_report(files[name], compared) for name, compared in found.items()}
    elsewhere = membership_queries.tokens_of_members(connection, users.elsewhere, now)
    rows_are_good = not any(file.refused for file in reports.values())
    accepted = not missing_report.refused and (import_options.skip_bad_rows or rows_are_good)
    report = Report(reports, accepted, import_options.dry_run, missing_report, tuple(elsewhere))
    if accepted:
        gone = gone if missing_report.deactivated else MissingMembers()
        report = replace(
            report,
            same_person=tuple(sorted(users.same_person)),
            signed_out=tuple(write.end_sign_ins(connection, users, now)),
            work_again=_write(connection, others, users, gone, now),
        )
    left = membership_queries.roles_left(connection) if USERS in files else ()
    return replace(report, roles_left=tuple(left))


def _same_person(connection: Connection, import_options: ImportOptions) -> frozenset[str]:
    """Return the usernames of `same_person`. Raises UnknownPersonError where one is not stored."""
    same = frozenset(map(as_username, import_options.same_person))
    stored = import_queries.stored_accounts(connection, set(map(possible_name, same)))
    if unknown := same - stored.keys():
        raise UnknownPersonError(min(unknown))
    return same


def _file_report(parsed: Parsed, compared: Comparison) -> FileReport:
    return FileReport(
        compared.added,
        compared.updated,
        compared.unchanged,
        len(compared.refusals),
        tuple(compared.refusals),
        parsed.ignored,
        parsed.sources,
    )


def _write(
    connection: Connection,
    others: Mapping[str, Comparison],
    users: UserComparison,
    gone: MissingMembers,
    now: Moment,
) -> int:
    """Write everything; return how many tokens work again."""
    touched = users.touched.union(gone.counts, *(o.touched for o in others.values()))
    import_queries.raise_revisions(connection, touched - {""})
    missing.deactivate(connection, gone)
    write.write_others(connection, others)
    of_members = write.write_users(connection, others, users, now)
    return of_members + write.tokens_that_work_again(connection, others, now)
