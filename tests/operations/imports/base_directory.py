"""A directory of two organizations, and imports of users into it."""

import time

from sqlalchemy import Engine

from lib.domain.access import Actor
from lib.domain.states import Holding
from lib.operations.imports.import_directory import ImportOptions, import_directory
from lib.operations.imports.parse import parse
from lib.operations.imports.report import Report
from lib.operations.verification.token_verifier import TokenVerifier
from tests.support.actions import give, select
from tests.support.directory import MINTING, unit_of_work

ORG, OTHER, SERVICE = "UTCJF1", "UTTAN1", "erecording"
BASE = {
    "organizations": "organization_id,name,type,status,state\n"
    "UTCJF1,Juniper County,recipient,active,UT\n"
    "UTTAN1,Tan County,recipient,active,UT\n",
    "services": "service,name\nerecording,eRecording\n",
    "subscriptions": "organization_id,service,status\n"
    "UTCJF1,erecording,active\n"
    "UTTAN1,erecording,active\n",
    "users": "username,name,email,organization_id,status\n"
    "jdoe,Jane Doe,jane@example.org,UTCJF1,active\n"
    "boss,The Boss,boss@example.org,,active\n",
}
HEADER = "username,name,email,organization_id,status"
BOSS = Actor("boss", "The Boss")


def take_files(engine: Engine, files: dict[str, str], **import_options: object) -> Report:
    """Import files given as text."""
    parsed = {name: parse(name, content.encode()) for name, content in files.items()}
    return import_directory(unit_of_work(engine), parsed, ImportOptions(**import_options))


def take(engine: Engine, *lines: str, **import_options: object) -> Report:
    """Import a users file with these lines."""
    users = "".join(f"{line}\n" for line in (HEADER, *lines))
    return take_files(engine, {"users": users}, **import_options)


def counts(report: Report) -> tuple[int, int, int, int]:
    """Return how many users were added, updated, left as they are, and refused."""
    file = report.files["users"]
    return file.added, file.updated, file.unchanged, len(file.refusals)


def line(username: str, place: str = ORG, status: str = "active") -> str:
    """Return the line of somebody whose name and e-mail follow from the username."""
    return f"{username},{username.title()} Lee,{username}@example.com,{place},{status}"


def token_of(engine: Engine, username: str, place: str = ORG) -> str:
    """Give a user an accepted token; return it in clear."""
    ((member_id,),) = select(
        engine,
        "SELECT member_id FROM member WHERE username = :u AND organization_id = :o",
        u=username,
        o=place,
    )
    (token,) = give(engine, member_id, Holding.ACCEPTED, organization_id=place)
    return token


def work(engine: Engine, *tokens: str) -> list[bool]:
    """Tell of each token whether verify says yes."""
    checker = TokenVerifier(unit_of_work(engine), MINTING)
    found = [bool(checker.check(token)) for token in tokens]
    checker.close()
    return found


def status_of(engine: Engine, username: str, place: str = ORG) -> str:
    """Return the status of a membership."""
    ((status,),) = select(
        engine,
        "SELECT status FROM member WHERE username = :u AND organization_id = :o",
        u=username,
        o=place,
    )
    return status


def last_import(engine: Engine) -> tuple[int, str]:
    """Return how many users the event of the last import counts, and its detail."""
    found = select(
        engine, "SELECT users, detail FROM audit_event WHERE action = 'import' ORDER BY number"
    )
    return found[-1]


def wait_for_waiting_connections(engine: Engine, number: int = 1) -> None:
    """Return when so many connections to the database wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 20
    while select(engine, waiting) != [(number,)]:
        assert time.monotonic() < deadline
