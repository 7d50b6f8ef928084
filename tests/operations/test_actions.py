"""The four actions: the SQL does to each member what the table in lib.domain.lifecycle says."""

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
from lib.domain.lifecycle import ActiveFlags, Change, act_of, decide
from lib.domain.operations import ChangedUser, ResultRow, SkippedUser
from lib.domain.states import Action, ExistingTokens, Holding, Skip
from lib.operations import own_tokens
from lib.operations.actions import execute, plan_action
from lib.operations.export_csv import CSV_HEADER
from lib.operations.results import read_results
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
STOP, KEEP = ExistingTokens
ACTS = [*((action, STOP) for action in Action), (Action.GENERATE, KEEP)]
EACH_ACT = pytest.mark.parametrize(("action", "existing_tokens"), ACTS)


def build_cases(engine: Engine) -> list[str]:
    """Add a user for each holding and status, with the same tokens for another service too."""
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
    """Return the only rows that a member with `holding` must have after the action."""
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

    @EACH_ACT
    def test_rows_after_an_action_are_those_of_the_lifecycle(self, engine, action, existing_tokens):
        """The rows of each member have the state, times and operations of the lifecycle's table."""
        ids = build_cases(engine)
        planned, _ = act(engine, action, ids, existing_tokens=existing_tokens)
        wanted = set()
        for member_id, (holding, status) in zip(ids, CASES, strict=True):
            decision = decide(
                holding, act_of(action, existing_tokens), ActiveFlags(user=status == "active")
            )
            done = decision if isinstance(decision, Change) else Change()
            wanted |= expected_facts(member_id, holding, done, planned.operation_id)
        assert token_facts(engine) == wanted

    @EACH_ACT
    def test_results_name_the_skipped_users_and_the_reasons(self, engine, action, existing_tokens):
        """Every user has a result row. Skips and their reasons are those of the table."""
        ids = build_cases(engine)
        planned, outcome = act(engine, action, ids, existing_tokens=existing_tokens)
        decisions = [
            decide(h, act_of(action, existing_tokens), ActiveFlags(user=s == "active"))
            for h, s in CASES
        ]
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

    @EACH_ACT
    def test_other_users_services_and_organizations_are_unchanged(
        self, engine, action, existing_tokens
    ):
        """The rows of everybody else are the same before and after."""
        ids = build_cases(engine)
        (foreign,) = build(engine, 1, organization_id="NVTBL2")
        give(engine, foreign, Holding.BOTH, organization_id="NVTBL2")
        others = token_facts(engine, "plats")
        before = {facts for facts in token_facts(engine) if facts[0] not in ids[::2]}
        act(engine, action, ids[::2], existing_tokens=existing_tokens)
        assert token_facts(engine, "plats") == others
        assert {facts for facts in token_facts(engine) if facts[0] not in ids[::2]} == before

    @EACH_ACT
    def test_expired_rows_are_closed_and_count_as_nothing(self, engine, action, existing_tokens):
        """They end as expired, at the time of their expiry."""
        (user, other) = build(engine, 2)
        give(engine, user, Holding.BOTH, expires_at=NOW - DAY)
        give(engine, other, Holding.BOTH)
        planned, _ = act(engine, action, [user, other], existing_tokens=existing_tokens)
        closed = {
            (user, "expired", "export", NOW - 60_000, state, NOW - DAY, None, None)
            for state in ("pending", "accepted")
        }
        decision = decide(Holding.NOTHING, act_of(action, existing_tokens), ActiveFlags())
        made = decision if isinstance(decision, Change) else Change()
        found = {facts for facts in token_facts(engine) if facts[0] == user}
        assert found == closed | expected_facts(user, Holding.NOTHING, made, planned.operation_id)

    def test_a_member_selected_twice_counts_once(self, engine):
        """A selection is a set."""
        ids = build(engine, 2)
        planned, outcome = act(engine, Action.REQUEST, [*ids, *ids])
        assert (planned.preview.selected, outcome.receipt.changed) == (2, 2)

    def test_an_action_writes_one_operation_row(self, engine):
        """The row has actor, time, action, count and digest of the plan."""
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
                "stop",
                "bulk",
                "",
                "",
            )
        ]
        assert outcome.csv is None
        assert select(engine, "SELECT revision FROM subscription") == [(1,)]


class TestGenerateAndExport:
    """The CSV, its tokens, and the tokens that they replace."""

    def test_the_csv_has_header_scope_table_order_and_time(self, engine):
        """Every column of every row is compared."""
        ids = build(engine, 12)
        give(engine, ids[3], Holding.BOTH)
        change(engine, "UPDATE member SET status = 'inactive' WHERE member_id = :m", m=ids[5])
        planned, outcome = act(engine, Action.GENERATE, list(reversed(ids)))
        rows = csv_rows(outcome.csv)
        assert outcome.csv.startswith(b"\xef\xbb\xbfOrganization ID,Organization,Service,Name,")
        assert outcome.csv.endswith(b"Z,\r\n")
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
            "Expires": "",
        }
        assert outcome.receipt.csv_name == "UTCJF1-erecording-20261130T005320Z.csv"
        assert outcome.receipt.csv_name == planned.csv_name
        assert outcome.receipt.csv_sha256 == hashlib.sha256(outcome.csv).hexdigest()

    def test_only_the_tokens_of_the_csv_work_afterwards(self, engine):
        """Each token of the file has one live digest. The tokens they replaced have none."""
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

    def test_each_token_belongs_to_the_user_beside_it_in_the_csv(self, engine):
        """The row with the digest has that username, and the hint of that token."""
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

    def test_a_name_that_is_a_formula_is_text_in_the_csv(self, engine):
        """A spreadsheet must not run it."""
        (user,) = build(engine, 1)
        change(engine, "UPDATE member SET name = :name", name="=cmd|' /C calc'!A0")
        _, outcome = act(engine, Action.GENERATE, [user])
        assert csv_rows(outcome.csv)[0]["Name"] == "'=cmd|' /C calc'!A0"


class TestOnce:
    """An operation id has an effect only once."""

    @pytest.mark.parametrize("action", Action)
    def test_a_second_call_returns_the_receipt_and_changes_nothing(self, engine, action):
        """There is no second file. Only the revision may change."""
        ids = build(engine, 4)
        for member_id, holding in zip(ids, Holding, strict=True):
            give(engine, member_id, holding)
        planned, first = act(engine, action, ids)
        before = everything(engine) | {"subscription": []}
        second = execute(unit_of_work(engine, lambda: LATER + DAY), by(planned), planned, MINTING)
        assert (second.receipt, second.csv) == (first.receipt, None)
        assert everything(engine) | {"subscription": []} == before
        assert (first.csv is not None) == (action is Action.GENERATE)

    def test_a_second_call_returns_the_receipt_when_the_plan_is_outdated_by_now(self, engine):
        """Later changes do not matter: the operation has happened."""
        ids = build(engine, 2)
        planned, first = act(engine, Action.GENERATE, ids)
        act(engine, Action.CANCEL, ids)
        assert (
            execute(unit_of_work(engine, later), by(planned), planned, MINTING).receipt
            == first.receipt
        )


class TestOutdated:
    """A plan is refused when its users changed meanwhile; the error names them."""

    @pytest.mark.parametrize("action", Action)
    def test_a_plan_is_outdated_when_another_administrator_acted(self, engine, action):
        """The error names the user, what they had and what they have now."""
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

    def test_a_plan_is_outdated_when_a_token_was_replaced_by_one_of_the_same_kind(self, engine):
        """The holding is the same, the token is another."""
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
    def test_a_plan_is_outdated_when_a_user_became_inactive(self, engine, action):
        """The confirmation did not say that the user would be skipped."""
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
    def test_a_plan_is_outdated_when_organization_or_service_became_inactive(
        self, engine, action, table
    ):
        """All users would be skipped."""
        ids = build(engine, 3)
        planned = plan(engine, action, ids)
        change(engine, f"UPDATE {table} SET status = 'inactive'")
        with pytest.raises(PlanOutdatedError) as caught:
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)
        assert len(caught.value.changed) == 3

    @pytest.mark.parametrize("action", [Action.REMOVE, Action.CANCEL, Action.GENERATE])
    def test_a_plan_is_outdated_when_a_token_expired(self, engine, action):
        """The refused call does not even close the expired row."""
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

    def test_a_plan_is_outdated_when_a_user_accepted(self, engine):
        """Steps of the users count too."""
        (user,) = build(engine, 1)
        give(engine, user, Holding.PENDING)
        planned = plan(engine, Action.CANCEL, [user])
        me = Actor("utcjf1-u0", "User")
        own_tokens.accept(
            unit_of_work(engine, later), me, own_tokens.list_own(engine, later, me)[0], MINTING
        )
        with pytest.raises(PlanOutdatedError):
            execute(unit_of_work(engine, later), by(planned), planned, MINTING)

    def test_a_plan_is_executed_when_only_other_users_changed(self, engine):
        """The revision rose, but the selected users are the same."""
        ids = build(engine, 3)
        planned = plan(engine, Action.GENERATE, ids[:2])
        act(engine, Action.GENERATE, ids[2:])
        assert (
            execute(unit_of_work(engine, later), by(planned), planned, MINTING).receipt.changed == 2
        )


class TestRefused:
    """Missing permissions, unknown places, and plans that would change nobody."""

    @pytest.mark.parametrize("action", Action)
    def test_people_without_the_permission_can_neither_plan_nor_execute(
        self, engine, subtests, action
    ):
        """Users, inactive staff and unknown people."""
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
    def test_execute_is_refused_when_the_role_was_revoked_after_the_plan(self, engine, action):
        """The database is read again at the last click."""
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
    def test_a_foreign_or_unknown_member_id_refuses_the_whole_selection(self, engine, action):
        """One such id is enough."""
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
    def test_a_forged_plan_with_foreign_users_is_refused(self, engine, action):
        """Only the plan's own organization is searched for the ids."""
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
    def test_an_unknown_organization_or_service_is_refused(self, engine, action, place):
        """A service without a subscription is refused too."""
        ids = build(engine, 1)
        build(engine, 1, organization_id="NVTBL2", services=(SERVICE, "plats"))
        with pytest.raises(UnknownPlaceError) as caught:
            plan(engine, action, ids, organization_id=place[0], service_id=place[1])
        assert (caught.value.organization_id, caught.value.service_id) == place

    @pytest.mark.parametrize("action", Action)
    def test_execute_is_refused_when_the_subscription_was_deleted_after_the_plan(
        self, engine, action
    ):
        """The place is unknown then."""
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
    def test_a_plan_that_changes_nobody_is_refused(self, engine, action, holding):
        """Such a plan skips everyone, or has no users."""
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
    """If something is inactive, no token is handed out, but tokens can be ended."""

    @pytest.mark.parametrize("table", ["organization", "subscription", "member"])
    @pytest.mark.parametrize("status", ["inactive", "pending"])
    def test_request_and_generate_skip_everyone_when_something_is_inactive(
        self, engine, table, status
    ):
        """The result has the reason."""
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
    def test_cancel_and_remove_work_when_something_is_inactive(self, engine, table):
        """As if it were active."""
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
    """An error in the middle of an operation leaves nothing behind."""

    @pytest.mark.parametrize("action", Action)
    def test_nothing_changes_when_the_database_raises_in_the_middle(self, engine, subtests, action):
        """A trigger raises at each step: operation, results, ended rows, new rows."""
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

    def test_a_plan_that_failed_in_the_database_can_be_executed_again(self, engine):
        """The failure uses up neither the plan nor its operation id."""
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
    """What the log says about an operation."""

    def test_the_log_has_action_and_count_but_no_names(self, engine, caplog):
        """Only the action and how many users."""
        ids = build(engine, 3)
        with caplog.at_level(logging.INFO, logger="lib.operations.actions"):
            act(engine, Action.GENERATE, ids)
        assert [record.getMessage() for record in caplog.records] == ["generate: 3 users changed"]


class TestPlanning:
    """The first confirmation writes nothing."""

    @pytest.mark.parametrize("action", Action)
    def test_planning_writes_nothing(self, engine, action):
        """Even expired rows are not closed."""
        ids = build(engine, 2)
        give(engine, ids[0], Holding.BOTH, expires_at=NOW - 1)
        before = everything(engine)
        planned = plan_action(unit_of_work(engine, clock), ADMIN, action, ORG, SERVICE, ids)
        assert everything(engine) == before
        assert (planned.actor, planned.action) == ("mhale", action)
        assert list(planned.seen) == ids

    def test_two_plans_of_the_same_selection_have_two_operation_ids(self, engine):
        """They are two operations."""
        ids = build(engine, 1)
        one, two = (plan(engine, Action.REQUEST, ids) for _ in range(2))
        assert one.operation_id != two.operation_id
        assert one.digest == two.digest

    def test_five_thousand_users_are_planned_and_executed_at_once(self, engine):
        """The SQL is set-based."""
        build(engine, 0)
        with writing(engine) as connection:
            ids = add_users(connection, ORG, 5_000)
        planned, outcome = act(engine, Action.GENERATE, ids)
        assert planned.preview.selected == 5_000
        assert len(set(exported(outcome))) == 5_000
        assert select(engine, "SELECT count(*) FROM operation_result") == [(5_000,)]
