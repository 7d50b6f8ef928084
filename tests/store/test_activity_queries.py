"""Pages of the audit trail: their content equals that of a plain filter, and they use indexes."""

from collections.abc import Iterable, Mapping
from itertools import product
from types import MappingProxyType

import pytest
from sqlalchemy import event as hooks
from sqlalchemy import text

from lib.domain.activity import KINDS, ActivityFilter, Group
from lib.domain.audit import GLOBAL_CHAIN, Event, EventAction, SealedEvent
from lib.domain.states import Action
from lib.store import activity_queries
from lib.store.engine import reading
from tests.support.actions import act
from tests.support.activity import add_events, shuffled
from tests.support.database_facts import NOW
from tests.support.directory import build

PLACES = ("UTCJF1", "NVTBL2", GLOBAL_CHAIN)
PEOPLE = ("mhale", "rfenwick", "adoyle", "")
REACHES = (None, frozenset({"UTCJF1"}), frozenset({"UTCJF1", "NVTBL2"}), frozenset({"COCEP3"}))
EVENTS = 400
PAGE = 23


@pytest.fixture
def stored(engine) -> list[SealedEvent]:
    """Store random events of all actions, people and organizations, and return them."""
    build(engine, 1, organization_id="UTCJF1")
    build(engine, 1, organization_id="NVTBL2")
    kinds = [
        Event(action, actor, "192.0.2.7", place, subject=subject)
        for action, actor, place, subject in product(
            KINDS[Group.EVERYTHING], PEOPLE, PLACES, PEOPLE
        )
    ]
    return add_events(engine, shuffled(EVENTS, 3, kinds))


def expected(
    stored,
    wanted: ActivityFilter,
    within,
    about: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> list[str]:
    """Return the ids of the matching events, newest first, by filtering all events.

    `about` has the usernames in the result rows of each operation.
    """
    return [
        e.event_id
        for e in reversed(stored)
        if (within is None or e.organization_id in within)
        and e.action in wanted.actions
        and wanted.person in {"", e.actor, e.subject}
        and wanted.actor in {"", e.actor}
        and wanted.about in {"", e.subject, *about.get(e.operation_id, ())}
        and wanted.organization_id in {"", e.organization_id}
        and (wanted.since is None or e.happened_at >= wanted.since)
        and (wanted.until is None or e.happened_at < wanted.until)
        and wanted.kind is not Group.CSV_NOT_SENT  # these events have no operations
    ]


def paged(connection, wanted: ActivityFilter, within) -> list[str]:
    """Return the ids of all pages in order."""
    ids, before = [], ""
    while True:
        rows = activity_queries.newest_events(connection, wanted, within, before, PAGE)
        ids += [row.event_id for row in rows]
        if len(rows) < PAGE:
            return ids
        before = rows[-1].event_id


class TestPages:
    """Every filter, with every set of visible organizations."""

    def test_every_filter_in_every_reach_is_the_filter_over_everything(self, engine, stored):
        """Every combination of filters gives the events of the plain filter, in the same order."""
        dates = ((None, None), (NOW + 50_000, None), (NOW + 50_000, NOW + 250_000))
        checked = 0
        with reading(engine) as connection:
            for kind, person, place, when, within in product(
                KINDS, ("", "mhale", "nobody"), ("", "UTCJF1"), dates, REACHES
            ):
                wanted = ActivityFilter(kind, person, place, *when)
                assert paged(connection, wanted, within) == expected(stored, wanted, within)
                checked += 1
        assert checked == len(KINDS) * 3 * 2 * 3 * 4

    def test_who_did_it_and_about_whom_are_filters_over_everything(self, engine):
        """An operation is about everybody in its result rows, in the organizations of the reach."""
        places = {place: build(engine, 2, organization_id=place) for place in PLACES[:2]}
        asked, about = [], {}
        for place, members in places.items():
            for action, some in ((Action.REQUEST, members), (Action.CANCEL, members[:1])):
                planned, _ = act(engine, action, some, organization_id=place)
                about[planned.operation_id] = {f"{place.lower()}-u{n}" for n in range(len(some))}
                asked.append(planned.operation_id)
        events = [
            Event(EventAction.DOWNLOAD, actor, "", place, operation_id=one, subject=subject)
            for actor, place, one, subject in product(
                ("mhale", "utcjf1-u0"), PLACES[:2], asked, ("", "utcjf1-u1")
            )
        ]
        add_events(engine, [(NOW + 1_000 + n, event) for n, event in enumerate(events)])
        with reading(engine) as connection:
            rows = connection.execute(text("SELECT * FROM audit_event ORDER BY event_id")).all()
            for kind, actor, person, place, within in product(
                (Group.EVERYTHING, Group.DOWNLOAD, Action.CANCEL),
                ("", "mhale", "utcjf1-u0"),
                ("", "utcjf1-u0", "utcjf1-u1", "nvtbl2-u1", "nobody"),
                ("", "UTCJF1"),
                REACHES[:3],
            ):
                wanted = ActivityFilter(kind, "", place, actor=actor, about=person)
                found = paged(connection, wanted, within)
                here = [
                    row
                    for row in rows
                    if row.operation_id == ""
                    or person not in about.get(row.operation_id, ())
                    or row.organization_id == person[:6].upper()
                    or person == row.subject
                    or not person
                ]
                assert found == expected(here, wanted, within, about), wanted

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_operations_about_a_person_are_read_by_index(self, engine):
        """From the memberships to the results to the events; nothing is scanned."""
        asked = []
        hooks.listen(engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        with reading(engine) as connection:
            wanted = ActivityFilter(about="mhale")
            activity_queries.newest_events(connection, wanted, REACHES[1], "", PAGE)
            ((statement, values),) = [a for a in asked if "operation_result" in a[0]]
            plan = [
                row[3]
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
        assert not [line for line in plan if line.startswith("SCAN") and "json_each" not in line]
        for index in ("ix_operation_result_member", "ix_audit_event_operation"):
            assert any(index in line for line in plan), index

    def test_more_organizations_than_one_statement_reads(self, engine, stored):
        """With many ranges the results of several statements are merged."""
        within = frozenset({"UTCJF1", "NVTBL2", *(f"ZZ{n:04}" for n in range(200))})
        wanted = ActivityFilter()
        with reading(engine) as connection:
            assert paged(connection, wanted, within) == expected(stored, wanted, within)

    @pytest.mark.usefixtures("stored")
    def test_what_belongs_to_no_organization_is_for_all_organizations_alone(self, engine):
        """Events without an organization are visible only with access to all organizations."""
        wanted = ActivityFilter(Group.EVERYTHING)
        with reading(engine) as connection:
            rows = activity_queries.newest_events(connection, wanted, REACHES[2], "", EVENTS)
        assert rows
        assert {row.organization_id for row in rows} == {"UTCJF1", "NVTBL2"}

    @pytest.mark.usefixtures("stored")
    def test_has_events(self, engine):
        """Actors and subjects have events; other people and empty text have none."""
        with reading(engine) as connection:
            known = {
                (person, place): activity_queries.has_events(connection, person, {place})
                for person, place in product(("mhale", "nobody"), ("UTCJF1", "COCEP3"))
            }
        assert known == {
            ("mhale", "UTCJF1"): True,
            ("mhale", "COCEP3"): False,
            ("nobody", "UTCJF1"): False,
            ("nobody", "COCEP3"): False,
        }


class TestPlans:
    """The query plans: they read the ends of indexes, and never scan or sort the table."""

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    @pytest.mark.parametrize("within", REACHES[:3], ids=["all", "one", "two"])
    @pytest.mark.parametrize("person", ["", "mhale"])
    @pytest.mark.parametrize("kind", [Group.OPERATIONS, Group.EVERYTHING, Group.REFUSAL])
    def test_every_range_is_a_range_of_an_index(self, engine, stored, kind, person, within):
        """Each part of the UNION searches an index that has the order of the page."""
        asked = []
        hooks.listen(engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        with reading(engine) as connection:
            wanted = ActivityFilter(kind, person)
            activity_queries.newest_events(connection, wanted, within, stored[200].event_id, PAGE)
            statements = [a for a in asked if "LIMIT" in a[0] and "operation_result" not in a[0]]
            plans = [
                row[3]
                for statement, values in statements
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
        reads = [line for line in plans if "audit_event" in line]
        assert reads
        assert all("SEARCH audit_event USING" in line and "event_id<?" in line for line in reads)
        assert not [line for line in plans if "TEMP B-TREE" in line]
        if person:
            assert all("actor=?" in line or "subject=?" in line for line in reads)
        if within:
            assert all("organization_id=?" in line for line in reads)
        if kind is not Group.EVERYTHING and not (person and within):
            assert all("action=?" in line for line in reads)

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)
    def test_an_operation_a_batch_and_a_persons_presence_are_searched(self, engine):
        """Events of an operation and operations of a batch use their partial indexes."""
        asked = []
        hooks.listen(engine, "before_cursor_execute", lambda *a: asked.append(a[2:4]))
        with reading(engine) as connection:
            activity_queries.events_of_operation(connection, "UTCJF1", "0", 9)
            activity_queries.operations_of_batch(connection, "0")
            activity_queries.has_events(connection, "mhale", {"UTCJF1"})
            statements = [a for a in asked if a[0].startswith("SELECT")]
            plans = [
                row[3]
                for statement, values in statements
                for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            ]
        for index in (
            "ix_audit_event_operation",
            "ix_operation_batch",
            "ix_audit_event_organization_actor",
            "ix_audit_event_organization_subject",
        ):
            assert any(f"INDEX {index} (" in line for line in plans), index

    @pytest.mark.parametrize("url", ["postgresql"], indirect=True)
    def test_postgresql_reads_indexes_too(self, engine, stored):
        """With table scans disabled, each range uses an index in its order."""
        with reading(engine) as connection:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_sort = off"))
            for kind, person in product((Group.OPERATIONS, Group.EVERYTHING), ("", "mhale")):
                wanted = ActivityFilter(kind, person)
                rows = activity_queries.newest_events(connection, wanted, None, "", PAGE)
                assert [r.event_id for r in rows] == expected(stored, wanted, None)[:PAGE]
