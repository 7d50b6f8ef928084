"""The Activity page at a million events: the store's query, and a rerun of the page.

Run: `python -m tests.benchmarks.activity [events]`; `DATABASE_URL=postgresql+psycopg://…` for the
query on another, empty database. Goal: 40 ms a rerun (the tokens page's limit, which is the
issue's), AppTest's own share included; the reference is an empty Streamlit script in the same run.
"""

import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, text
from streamlit.testing.v1 import AppTest

from lib.domain.activity import ActivityFilter, Group
from lib.domain.audit import GLOBAL_CHAIN, NO_MAC, EventAction, SealedEvent
from lib.domain.ids import new_ids
from lib.domain.states import Action, OwnStep
from lib.operations.database import open_database
from lib.store import activity_queries, tables
from lib.store.bulk import insert_many
from lib.store.engine import reading, writing
from lib.ui.app_context import _open
from tests.benchmarks.tokens_page import FRAME, empty
from tests.support.database_facts import NOW
from tests.support.directory import build

ROUNDS = 21
EVENTS = 1_000_000
ORGANIZATIONS = [f"UT{n:04}" for n in range(50)]
STAFF = ["mhale", *(f"staff{n}" for n in range(20))]
#: How often each happens. A busy desk: most events are of users, one in four is an operation.
SHARES = {
    OwnStep.ACCEPT: 20,
    EventAction.FIRST_USE: 25,
    EventAction.SIGN_IN: 20,
    EventAction.DOWNLOAD: 5,
    EventAction.REFUSAL: 2,
    Action.REQUEST: 10,
    Action.REMOVE: 6,
    Action.CANCEL: 2,
    Action.GENERATE: 10,
}
RARE = 997  # one event in so many is a grant
PAGE = 51


def fill(engine: Engine, events: int) -> None:
    """Insert so many events in fifty organizations, a second apart; nobody checks their seals."""
    for organization_id in ORGANIZATIONS:
        build(engine, 20, organization_id=organization_id)
    draw = random.Random(1)  # noqa: S311 - test data
    actions = draw.choices(list(SHARES), list(SHARES.values()), k=events)
    numbers = dict.fromkeys([GLOBAL_CHAIN, *ORGANIZATIONS], 0)
    begin = NOW - events * 1_000

    def event(n: int, action: EventAction) -> SealedEvent:
        action = EventAction.GRANT if n % RARE == 0 else action
        at, place = begin + n * 1_000, draw.choice(ORGANIZATIONS)
        user = f"{place.lower()}-u{n % 20}"
        own = action in {OwnStep.ACCEPT, EventAction.FIRST_USE, EventAction.SIGN_IN}
        chain = GLOBAL_CHAIN if action is EventAction.SIGN_IN else place
        numbers[chain] += 1
        (event_id,) = new_ids(1, at)
        return SealedEvent(
            chain, numbers[chain], event_id, at, action.value,
            user if own else draw.choice(STAFF), "192.0.2.7",
            "" if chain == GLOBAL_CHAIN else "erecording",
            "" if own else event_id, user if own and chain else "", n % 400, "", "", "", 1, NO_MAC,
        )  # fmt: skip

    with writing(engine) as connection:
        for first in range(0, events, 100_000):
            some = actions[first : first + 100_000]
            rows = [event(first + n, action) for n, action in enumerate(some)]
            insert_many(connection, tables.audit_event, SealedEvent._fields, rows)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def median_ms(act: Callable[[int], object]) -> float:
    """Return the median milliseconds of `act`."""
    spent = []
    for number in range(ROUNDS):
        begun = time.perf_counter()
        act(number)
        spent.append((time.perf_counter() - begun) * 1e3)
    return statistics.median(spent)


def queries(engine: Engine) -> dict[str, float]:
    """Return the store's milliseconds for a page of each kind."""
    here = frozenset(ORGANIZATIONS[:1])
    middle = f"{NOW - EVENTS * 500:012x}"
    looks = {
        "operations": (ActivityFilter(), None, ""),
        "everything": (ActivityFilter(Group.EVERYTHING), None, ""),
        "rare (access)": (ActivityFilter(Group.ACCESS), None, ""),
        "a person": (ActivityFilter(actor="staff7"), None, ""),
        "a person, everything": (ActivityFilter(Group.EVERYTHING, "staff7"), None, ""),
        "an organization": (ActivityFilter(organization_id=ORGANIZATIONS[7]), None, ""),
        "older, in the middle": (ActivityFilter(), None, middle),
        "a day": (ActivityFilter(since=NOW - 3 * 86_400_000, until=NOW - 2 * 86_400_000), None, ""),
        "support of one organization": (ActivityFilter(), here, ""),
        "the same, a person": (ActivityFilter(Group.EVERYTHING, "staff7"), here, ""),
    }
    with reading(engine) as connection:
        return {
            name: median_ms(
                lambda _, look=look: activity_queries.newest_events(connection, *look, PAGE)
            )
            for name, look in looks.items()
        }


def reruns(folder: Path, url: str) -> dict[str, float]:
    """Return the milliseconds of a rerun of the page, by what is looked for."""
    _open.cache_clear()
    os.environ |= {"DATABASE_URL": url, "TOKEN_DESK_DATA": str(folder)}
    at = AppTest.from_file(FRAME, default_timeout=60).run()
    at.switch_page("activity.py").run()
    assert at.header[0].value == "Activity"

    def rerun(_: int) -> None:
        at.run(timeout=60)

    def older(_: int) -> None:
        at.button(key="activity_on").click().run(timeout=60)

    found = {"operations": median_ms(rerun), "older pages": median_ms(older)}
    at.text_input(key="activity_actor").set_value("staff7").run()
    found["a person"] = median_ms(rerun)
    at.text_input(key="activity_actor").set_value("").run()
    at.selectbox(key="activity_organization").set_value(ORGANIZATIONS[7]).run()
    found["an organization"] = median_ms(rerun)
    assert not at.exception
    at.switch_page("help.py").run()
    found["Help, for the frame's share"] = median_ms(rerun)
    return found


def report(title: str, found: dict[str, float]) -> None:
    """Print a table."""
    sys.stdout.write(f"{title} (medians of {ROUNDS})\n")
    for name, spent in found.items():
        sys.stdout.write(f"  {name:<30} {spent:7.1f} ms\n")


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp())
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{folder / 'desk.db'}"
    engine = open_database(url)
    events = int(sys.argv[1]) if sys.argv[1:] else EVENTS
    fill(engine, events)
    report(
        f"{events:,} events, {engine.dialect.name}: the store's query for {PAGE}", queries(engine)
    )
    engine.dispose()
    if url.startswith("sqlite"):
        report("a rerun of the page", reruns(folder, url))
        sys.stdout.write(empty() + "\n")
