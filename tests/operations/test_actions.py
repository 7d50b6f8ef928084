"""The four actions: the set-based SQL does to each member what the lifecycle's table says."""

import hashlib
import logging
from dataclasses import replace
from itertools import product

import pytest
from sqlalchemy import Engine, text

from lib.domain.access import Actor
from lib.domain.clock import DAY, iso
from lib.domain.errors import (
    NotAllowedError,
    NothingToDoError,
    PlanOutdatedError,
    SelectionChangedError,
    UnknownPlaceError,
)
from lib.domain.lifecycle import ActiveFlags, Change, decide
from lib.domain.operations import ChangedUser, ResultRow, SkippedUser
from lib.domain.states import Action, Holding, Skip
from lib.operations import own_tokens
from lib.operations.actions import CSV_HEADER, execute, plan_action, read_results
from lib.store.engine import writing
from tests.support.actions import (
    LATER,
    act,
    add_administrator,
    change,
    csv_rows,
    everything,
    exported,
    give,
    later,
    live_matches,
    plan,
    select,
)
from tests.support.database_facts import NOW
from tests.support.directory import (
    ADMIN,
    ADMINISTRATOR,
    MINTING,
    ORG,
    SERVICE,
    add_users,
    build,
    by,
    clock,
    unit_of_work,
)

STATUSES = ("active", "inactive", "pending")
CASES = list(product(Holding, STATUSES))  # one user each, in table order
HANDING_OUT = (Action.REQUEST, Action.GENERATE)
ENDING = (Action.CANCEL, Action.REMOVE)


def build_cases(engine: Engine) -> list[str]:
    """Add a user for each holding and status, each with the same tokens for another service."""
    ids = build(engine, len(CASES), services=(SERVICE, "plats"))
    for member_id, (holding, status) in zip(ids, CASES, strict=True):
        give(engine, member_id, holding)
        give(engine, member_id, holding, service_id="plats")
        change(
            engine,
            "UPDATE member SET status = :status WHERE member_id = :member",
            status=status,
            member=member_id,
        )
    return ids


def token_facts(engine: Engine, service_id: str = SERVICE) -> set[tuple]:
    """Return each token row without its id and its secret."""
    return set(
        select(
            engine,
            "SELECT member_id, state, origin, created_at, ended_from, ended_at, made_by_operation,"
            " ended_by_operation FROM token WHERE service_id = :service",
            service=service_id,
        )
    )


def expected_facts(member_id: str, holding: Holding, done: Change, operation: str) -> set[tuple]:
    """Return the rows that a member with `holding` must have after `done`, none but these."""
    facts = set()
    for state, becomes in (
        ("pending", done.pending_becomes),
        ("accepted", done.accepted_becomes),
    ):
        if holding in {Holding(state), Holding.BOTH}:
            ended = (becomes.value, state, LATER, operation) if becomes else (state, *[None] * 3)
            facts.add((member_id, ended[0], "export", NOW - 60_000, *ended[1:3], None, ended[3]))
    if done.creates:
        new = ("pending", done.creates.value, LATER, None, None, operation, None)
        facts.add((member_id, *new))
    return facts


class TestEachMember:
    """Every action on every holding and status, all in one operation."""

    @pytest.mark.parametrize("action", Action)
    def test_what_is_left(self, engine, action):
        """Each member's rows are those of the lifecycle's table, with times and operations."""
        ids = build_cases(engine)
        planned, _ = act(engine, action, ids)
        wanted = set()
        for member_id, (holding, status) in zip(ids, CASES, strict=True):
            decision = decide(holding, action, ActiveFlags(user=status == "active"))
            done = decision if isinstance(decision, Change) else Change()
            wanted |= expected_facts(member_id, holding, done, planned.operation_id)
        assert token_facts(engine) == wanted

    @pytest.mark.parametrize("action", Action)
    def test_who_is_skipped_and_why(self, engine, action):
        """Everyone has a result; skips and their reasons are those of the table."""
        ids = build_cases(engine)
        planned, outcome = act(engine, action, ids)
        decisions = [decide(h, action, ActiveFlags(user=s == "active")) for h, s in CASES]
        names = [(f"User {n:06}", f"utcjf1-u{n}") for n in range(len(CASES))]
        skipped = tuple(
            SkippedUser(*name, decision)
            for name, decision in zip(names, decisions, strict=True)
            if isinstance(decision, Skip)
        )
        assert planned.preview.skipped == skipped
        assert outcome.receipt.skipped == skipped
        assert outcome.receipt.changed == len(CASES) - len(skipped)
        assert read_results(engine, ADMIN, ORG, planned.operation_id) == tuple(
            ResultRow(name, username, f"{username}@example.com", result)
            for (name, username), result in zip(
                names, [d.value if isinstance(d, Skip) else "done" for d in decisions], strict=True
            )
        )

    @pytest.mark.parametrize("action", Action)
    def test_everyone_else_is_left_alone(self, engine, action):
        """Users not selected, other services and other organizations keep what they have."""
        ids = build_cases(engine)
        (foreign,) = build(engine, 1, organization_id="NVTBL2")
        give(engine, foreign, Holding.BOTH, organization_id="NVTBL2")
        others = token_facts(engine, "plats")
        before = {facts for facts in token_facts(engine) if facts[0] not in ids[::2]}
        act(engine, action, ids[::2])
        assert token_facts(engine, "plats") == others
        assert {facts for facts in token_facts(engine) if facts[0] not in ids[::2]} == before

    @pytest.mark.parametrize("action", Action)
    def test_what_is_past_its_time_is_nothing(self, engine, action):
        """Lapsed rows close as expired, as of their time, and count for nothing."""
        (user, other) = build(engine, 2)
        give(engine, user, Holding.BOTH, expires_at=NOW - DAY)
        give(engine, other, Holding.BOTH)
        planned, _ = act(engine, action, [user, other])
        closed = {
            (user, "expired", "export", NOW - 60_000, state, NOW - DAY, None, None)
            for state in ("pending", "accepted")
        }
        decision = decide(Holding.NOTHING, action, ActiveFlags())
        made = decision if isinstance(decision, Change) else Change()
        found = {facts for facts in token_facts(engine) if facts[0] == user}
        assert found == closed | expected_facts(user, Holding.NOTHING, made, planned.operation_id)

    def test_the_same_member_twice_counts_once(self, engine):
        """A selection is a set."""
        ids = build(engine, 2)
        planned, outcome = act(engine, Action.REQUEST, [*ids, *ids])
        assert (planned.preview.selected, outcome.receipt.changed) == (2, 2)

    def test_each_action_is_on_record(self, engine):
        """One operation row: who, when, what, how many, and the digest of the plan."""
        ids = build(engine, 3)
        give(engine, ids[0], Holding.PENDING)
        planned, outcome = act(engine, Action.REQUEST, ids)
        assert select(engine, "SELECT * FROM operation") == [
            (
                ORG,
                planned.operation_id,
                SERVICE,
                "request",
                "mhale",
                LATER,
                planned.digest,
                2,
                1,
                "",
                "",
                "",
            )
        ]
        assert outcome.csv is None
        assert select(engine, "SELECT revision FROM subscription") == [(1,)]


class TestGenerateAndExport:
    """The CSV, its tokens, and the tokens they replace."""

    def test_the_file(self, engine):
        """Header, places, order of the table, and the moment of the operation."""
        ids = build(engine, 12)
        give(engine, ids[3], Holding.BOTH)
        change(engine, "UPDATE member SET status = 'inactive' WHERE member_id = :m", m=ids[5])
        planned, outcome = act(engine, Action.GENERATE, list(reversed(ids)))
        rows = csv_rows(outcome.csv)
        assert outcome.csv.startswith(b"\xef\xbb\xbfOrganization ID,Organization,Service,Name,")
        assert outcome.csv.endswith(b"Z\r\n")
        assert tuple(rows[0]) == CSV_HEADER
        assert [row["Username"] for row in rows] == [f"utcjf1-u{n}" for n in range(12) if n != 5]
        assert {key: rows[0][key] for key in CSV_HEADER if key != "API Token"} == {
            "Organization ID": ORG,
            "Organization": f"Organization {ORG}",
            "Service": "Erecording",
            "Name": "User 000000",
            "Username": "utcjf1-u0",
            "Email": "utcjf1-u0@example.com",
            "Generated At": iso(LATER),
        }
        assert outcome.receipt.csv_name == "UTCJF1-erecording-20261130T005320Z.csv"
        assert outcome.receipt.csv_name == planned.csv_name
        assert outcome.receipt.csv_sha256 == hashlib.sha256(outcome.csv).hexdigest()

    def test_each_token_works_and_no_earlier_one_does(self, engine):
        """One live digest for each token of the file; none for those they replaced."""
        ids = build(engine, 8)
        earlier = [
            token
            for member_id, holding in zip(ids, [*Holding] * 2, strict=True)
            for token in give(engine, member_id, holding)
        ]
        assert live_matches(engine, earlier) == [1] * 8
        _, first = act(engine, Action.GENERATE, ids)
        _, second = act(engine, Action.GENERATE, ids)
        assert live_matches(engine, earlier + exported(first)) == [0] * 16
        assert live_matches(engine, exported(second)) == [1] * 8

    def test_each_token_belongs_to_its_user(self, engine):
        """The row with the digest is that of the username beside the token; the hint is its own."""
        ids = build(engine, 20)
        _, outcome = act(engine, Action.GENERATE, ids)
        found = select(
            engine,
            "SELECT m.username, t.digest, t.hint, t.pepper FROM token t JOIN member m"
            " ON m.member_id = t.member_id ORDER BY m.sort_key",
        )
        rows = csv_rows(outcome.csv)
        digests = MINTING.digests(row["API Token"] for row in rows)
        assert [(u, bytes(d), h, p) for u, d, h, p in found] == [
            (row["Username"], digest, row["API Token"][:9], 1)
            for row, digest in zip(rows, digests, strict=True)
        ]

    def test_names_that_a_spreadsheet_would_run(self, engine):
        """They are text in the file."""
        (user,) = build(engine, 1)
        change(engine, "UPDATE member SET name = :name", name="=cmd|' /C calc'!A0")
        _, outcome = act(engine, Action.GENERATE, [user])
        assert csv_rows(outcome.csv)[0]["Name"] == "'=cmd|' /C calc'!A0"


class TestOnce:
    """One effect for one operation id."""

    @pytest.mark.parametrize("action", Action)
    def test_a_second_call_gives_the_receipt(self, engine, action):
        """No second file, and nothing changes but the revision."""
        ids = build(engine, 4)
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        planned, first = act(engine, action, ids)
        before = everything(engine) | {"subscription": []}
        second = execute(unit_of_work(engine, lambda: LATER + DAY), by(planned), planned, MINTING)
        assert (second.receipt, second.csv) == (first.receipt, None)
        assert everything(engine) | {"subscription": []} == before
        assert (first.csv is not None) == (action is Action.GENERATE)

    def test_also_when_it_would_be_outdated_by_now(self, engine):
        """What happened, happened: the receipt is given whatever came later."""
        ids = build(engine, 2)
        planned, first = act(engine, Action.GENERATE, ids)
        act(engine, Action.CANCEL, ids)
        assert (
            execute(unit_of_work(engine, later), by(planned), planned, MINTING).receipt
            == first.receipt
        )


class TestOutdated:
    """What changed between the confirmations refuses the plan, and says what it was."""

    @pytest.mark.parametrize("action", Action)
    def test_another_administrator_acted(self, engine, action):
        """The user whose tokens changed is named, with what they had and have."""
        ids = build(engine, 3)
        other = add_administrator(engine)
        give(engine, ids[0], Holding.BOTH)
        give(engine, ids[1], Holding.PENDING)
        planned = plan(engine, action, ids)
        act(engine, Action.CANCEL, [ids[1]], actor=other)
        before = everything(engine)
        with pytest.raises(PlanOutdatedError) as caught:
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert caught.value.changed == (
            ChangedUser("User 000001", "utcjf1-u1", Holding.PENDING, Holding.NOTHING),
        )
        assert everything(engine) == before

    def test_a_token_was_replaced_by_one_of_the_same_kind(self, engine):
        """The same words, other tokens: still a difference."""
        ids = build(engine, 2)
        planned = plan(engine, Action.GENERATE, ids)
        act(engine, Action.GENERATE, ids[:1])
        again = plan(engine, Action.CANCEL, ids[:1])
        act(engine, Action.GENERATE, ids[:1])
        for outdated, was in ((planned, Holding.NOTHING), (again, Holding.PENDING)):
            with pytest.raises(PlanOutdatedError) as caught:
                execute(unit_of_work(engine, later), by(outdated), outdated, MINTING)
            assert caught.value.changed == (
                ChangedUser("User 000000", "utcjf1-u0", was, Holding.PENDING),
            )

    @pytest.mark.parametrize("action", HANDING_OUT)
    def test_a_user_became_inactive(self, engine, action):
        """They would be skipped now, and the confirmation did not say so."""
        ids = build(engine, 3)
        planned = plan(engine, action, ids)
        change(engine, "UPDATE member SET status = 'inactive' WHERE member_id = :m", m=ids[2])
        with pytest.raises(PlanOutdatedError) as caught:
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert caught.value.changed == (
            ChangedUser("User 000002", "utcjf1-u2", Holding.NOTHING, Holding.NOTHING),
        )

    @pytest.mark.parametrize("table", ["organization", "subscription"])
    @pytest.mark.parametrize("action", HANDING_OUT)
    def test_the_place_became_inactive(self, engine, action, table):
        """Everyone would be skipped now."""
        ids = build(engine, 3)
        planned = plan(engine, action, ids)
        change(engine, f"UPDATE {table} SET status = 'inactive'")
        with pytest.raises(PlanOutdatedError) as caught:
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert len(caught.value.changed) == 3

    @pytest.mark.parametrize("action", [Action.REMOVE, Action.CANCEL, Action.GENERATE])
    def test_a_token_lapsed(self, engine, action):
        """Between the confirmations its time was over; it is not even closed by the refusal."""
        ids = build(engine, 2)
        give(engine, ids[1], Holding.BOTH, expires_at=LATER)
        planned = plan(engine, action, ids)
        before = everything(engine)
        with pytest.raises(PlanOutdatedError) as caught:
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert caught.value.changed == (
            ChangedUser("User 000001", "utcjf1-u1", Holding.BOTH, Holding.NOTHING),
        )
        assert everything(engine) == before

    def test_a_user_accepted(self, engine):
        """What users do themselves counts too."""
        (user,) = build(engine, 1)
        give(engine, user, Holding.PENDING)
        planned = plan(engine, Action.CANCEL, [user])
        me = Actor("utcjf1-u0", "User")
        own_tokens.accept(
            unit_of_work(engine, later), me, own_tokens.list_own(engine, later, me)[0], MINTING
        )
        with pytest.raises(PlanOutdatedError):
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)

    def test_changes_of_other_users_do_not_matter(self, engine):
        """The revision rose, the selected users are as they were: it goes on."""
        ids = build(engine, 3)
        planned = plan(engine, Action.GENERATE, ids[:2])
        act(engine, Action.GENERATE, ids[2:])
        assert (
            execute(unit_of_work(engine, later), by(planned), planned, MINTING).receipt.changed == 2
        )


class TestRefused:
    """Who may not, what is not there, and what would change nobody."""

    @pytest.mark.parametrize("action", Action)
    def test_who_may_not(self, engine, subtests, action):
        """Users, inactive staff and strangers neither plan nor carry out."""
        ids = build(engine, 4)
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        add_administrator(engine, Actor("retired", "Retired", ADMINISTRATOR), "inactive")
        planned = plan(engine, action, ids)
        before = everything(engine)
        for username in ("utcjf1-u0", "retired", "nobody", ""):
            liar = Actor(username, "Liar", ADMINISTRATOR)
            with subtests.test("plan", username=username), pytest.raises(NotAllowedError):
                plan(engine, action, ids, actor=liar)
            with subtests.test("carry out", username=username), pytest.raises(NotAllowedError):
                execute(
                    unit_of_work(engine, later), liar, replace(planned, actor=username), MINTING
                )
            with subtests.test("results", username=username), pytest.raises(NotAllowedError):
                read_results(engine, liar, ORG, planned.operation_id)
        assert everything(engine) == before

    @pytest.mark.parametrize("action", Action)
    def test_a_role_taken_away_between_the_clicks(self, engine, action):
        """The last click asks the database again."""
        ids = build(engine, 4)
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        planned = plan(engine, action, ids)
        change(engine, "UPDATE user_account SET staff_status = 'inactive'")
        before = everything(engine)
        with pytest.raises(NotAllowedError):
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert everything(engine) == before

    @pytest.mark.parametrize("action", Action)
    def test_users_of_another_organization(self, engine, action):
        """A foreign id, or one that never was, stops the whole selection."""
        ids = build(engine, 2)
        foreign = build(engine, 2, organization_id="NVTBL2")
        for member_id in foreign:
            give(engine, member_id, Holding.BOTH, organization_id="NVTBL2")
        before = everything(engine)
        for selection, missing in (
            ([*ids, foreign[0]], 1),
            (foreign, 2),
            ([*ids, "nobody", "' OR 1=1 --"], 2),
        ):
            with pytest.raises(SelectionChangedError) as caught:
                plan(engine, action, selection)
            assert caught.value.missing == missing
        assert everything(engine) == before

    @pytest.mark.parametrize("action", Action)
    def test_a_forged_plan_with_foreign_users(self, engine, action):
        """Carrying out looks for the ids in the plan's organization alone."""
        ids = build(engine, 2)
        foreign = build(engine, 2, organization_id="NVTBL2")
        for member_id in foreign:
            give(engine, member_id, Holding.ACCEPTED, organization_id="NVTBL2")
        for member_id in ids:
            give(engine, member_id, Holding.BOTH if action is Action.CANCEL else Holding.ACCEPTED)
        honest = plan(engine, action, ids)
        forged = replace(honest, seen=dict(zip(foreign, honest.seen.values(), strict=True)))
        before = everything(engine)
        with pytest.raises(SelectionChangedError):
            execute(unit_of_work(engine, later), by(forged), forged, MINTING)
        assert everything(engine) == before

    @pytest.mark.parametrize("action", Action)
    @pytest.mark.parametrize(
        "place", [("NOWHER", SERVICE), (ORG, "nothing"), (ORG, "plats"), ("", "")]
    )
    def test_an_unknown_place(self, engine, action, place):
        """No such organization or service, or one that is not subscribed to."""
        ids = build(engine, 1)
        build(engine, 1, organization_id="NVTBL2", services=(SERVICE, "plats"))
        with pytest.raises(UnknownPlaceError) as caught:
            plan(engine, action, ids, organization_id=place[0], service_id=place[1])
        assert (caught.value.organization_id, caught.value.service_id) == place

    @pytest.mark.parametrize("action", Action)
    def test_a_subscription_that_went_away(self, engine, action):
        """Between the confirmations."""
        ids = build(engine, 1)
        planned = plan(engine, action, ids)
        change(engine, "DELETE FROM subscription")
        with pytest.raises(UnknownPlaceError):
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)

    @pytest.mark.parametrize(
        ("action", "holding"),
        [
            (Action.REQUEST, Holding.PENDING),
            (Action.CANCEL, Holding.ACCEPTED),
            (Action.REMOVE, Holding.PENDING),
            (Action.GENERATE, None),
        ],
    )
    def test_nothing_to_do(self, engine, action, holding):
        """A plan that skips everyone, or has nobody, is no operation."""
        ids = build(engine, 2) if holding else []
        if not ids:
            build(engine, 0)
        for member_id in ids:
            give(engine, member_id, holding)
        before = everything(engine)
        planned = plan(engine, action, ids)
        assert planned.preview.changed == 0
        with pytest.raises(NothingToDoError):
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert everything(engine) == before


class TestInactive:
    """Handing out is refused where something is inactive; ending is allowed."""

    @pytest.mark.parametrize("table", ["organization", "subscription", "member"])
    @pytest.mark.parametrize("status", ["inactive", "pending"])
    def test_handing_out(self, engine, table, status):
        """Request and Generate & Export skip everyone, with the reason."""
        ids = build(engine, 4)
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        change(engine, f"UPDATE {table} SET status = :status", status=status)
        reason = {
            "organization": Skip.INACTIVE_ORGANIZATION,
            "subscription": Skip.INACTIVE_SUBSCRIPTION,
            "member": Skip.INACTIVE_USER,
        }[table]
        for action in HANDING_OUT:
            planned = plan(engine, action, ids)
            assert [row.reason for row in planned.preview.skipped] == [reason] * 4
            with pytest.raises(NothingToDoError):
                execute(unit_of_work(engine, later), by(planned), planned, MINTING)

    @pytest.mark.parametrize("table", ["organization", "subscription", "member"])
    def test_ending(self, engine, table):
        """Cancel and Remove work as ever."""
        ids = build(engine, 4)
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        change(engine, f"UPDATE {table} SET status = 'inactive'")
        assert [act(engine, action, ids)[1].receipt.changed for action in ENDING] == [2, 2]
        assert select(engine, "SELECT count(*) FROM token WHERE ended_at IS NULL") == [(0,)]


def raise_on(engine: Engine, event: str, table: str) -> None:
    """Make the database raise an error for every `event` on `table`."""
    with writing(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(
                text(
                    f"CREATE TRIGGER boom BEFORE {event} ON {table}"
                    " BEGIN SELECT RAISE(ABORT, 'boom'); END"
                )
            )
            return
        connection.execute(
            text(
                "CREATE OR REPLACE FUNCTION boom() RETURNS trigger LANGUAGE plpgsql"
                " AS 'BEGIN RAISE EXCEPTION ''boom''; END'"
            )
        )
        connection.execute(
            text(
                f"CREATE TRIGGER boom BEFORE {event} ON {table}"
                " FOR EACH ROW EXECUTE FUNCTION boom()"
            )
        )


class TestAllOrNothing:
    """An error in the middle leaves nothing behind."""

    @pytest.mark.parametrize("action", Action)
    def test_a_trigger_that_raises(self, engine, subtests, action):
        """At the operation, at its results, where rows end and where they are made."""
        ids = build(engine, 4)
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        planned = plan(engine, action, ids)
        before = everything(engine)
        for event, table in (
            ("INSERT", "operation"),
            ("INSERT", "operation_result"),
            ("INSERT" if action in HANDING_OUT else "UPDATE", "token"),
        ):
            raise_on(engine, event, table)
            with subtests.test(event, table=table):
                with pytest.raises(Exception, match="boom") as caught:
                    execute(unit_of_work(engine, later), by(planned), planned, MINTING)
                assert "demo_" not in str(caught.value)
                assert everything(engine) == before
            change(
                engine,
                "DROP TRIGGER boom"
                + (f" ON {table}" if engine.dialect.name == "postgresql" else ""),
            )
        assert (
            execute(unit_of_work(engine, later), by(planned), planned, MINTING).receipt.changed > 0
        )

    def test_without_the_trigger_the_same_plan_goes_through(self, engine):
        """A refusal by the database uses up nothing: neither plan nor operation id."""
        ids = build(engine, 2)
        planned = plan(engine, Action.GENERATE, ids)
        raise_on(engine, "INSERT", "operation_result")
        with pytest.raises(Exception, match="boom"):
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        change(
            engine,
            "DROP TRIGGER boom"
            + (" ON operation_result" if engine.dialect.name == "postgresql" else ""),
        )
        assert (
            len(exported(execute(unit_of_work(engine, later), by(planned), planned, MINTING))) == 2
        )


class TestLog:
    """What a log gets to see of an operation."""

    def test_a_count(self, engine, caplog):
        """The action and how many users, nobody's name."""
        ids = build(engine, 3)
        with caplog.at_level(logging.INFO, logger="lib.operations.actions"):
            act(engine, Action.GENERATE, ids)
        assert [record.getMessage() for record in caplog.records] == ["generate: 3 users changed"]


class TestPlanning:
    """The first confirmation writes nothing."""

    @pytest.mark.parametrize("action", Action)
    def test_nothing_is_written(self, engine, action):
        """Not even lapsed rows are closed."""
        ids = build(engine, 2)
        give(engine, ids[0], Holding.BOTH, expires_at=NOW - 1)
        before = everything(engine)
        planned = plan_action(unit_of_work(engine, clock), ADMIN, action, ORG, SERVICE, ids)
        assert everything(engine) == before
        assert (planned.actor, planned.action) == ("mhale", action)
        assert list(planned.seen) == ids

    def test_each_plan_is_an_operation_of_its_own(self, engine):
        """Two confirmations of the same selection have two ids."""
        ids = build(engine, 1)
        one, two = (plan(engine, Action.REQUEST, ids) for _ in range(2))
        assert one.operation_id != two.operation_id
        assert one.digest == two.digest

    def test_a_large_selection(self, engine):
        """Five thousand users are planned and carried out as one set."""
        build(engine, 0)
        with writing(engine) as connection:
            ids = add_users(connection, ORG, 5_000)
        planned, outcome = act(engine, Action.GENERATE, ids)
        assert planned.preview.selected == 5_000
        assert len(set(exported(outcome))) == 5_000
        assert select(engine, "SELECT count(*) FROM operation_result") == [(5_000,)]
