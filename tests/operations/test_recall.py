"""Leak recall: the tokens in a text are found and ended together."""

import pytest

from lib.domain.access import Actor
from lib.domain.errors import NotAllowedError, NothingToDoError, PlanOutdatedError
from lib.domain.roles import Grant, Role
from lib.domain.states import Action, Holding, TokenState
from lib.domain.token_format import mint
from lib.operations import recall
from lib.operations.leak_reader.reader import pasted
from lib.store.engine import writing
from tests.support.actions import act, change, everything, exported, give, later, select
from tests.support.directory import (
    ADMIN,
    MINTING,
    ORG,
    SERVICE,
    add_staff,
    build,
    tokens,
    unit_of_work,
)
from tests.support.leak_forms import FORMS

OTHER = "COCEP3"
NEARBY = Actor("psorel", "Petra Sorel", address="192.0.2.8")


def look_up(engine, text, actor=ADMIN):
    """Look up the tokens in a text."""
    return recall.look_up(unit_of_work(engine, later), actor, [pasted(text)], MINTING)


def end(engine, found, actor=ADMIN, reason=""):
    """End the found tokens."""
    return recall.end(unit_of_work(engine, later), actor, found, reason=reason)


def states(engine) -> list[str]:
    """Return the state of every token row."""
    return sorted(row[1] for row in tokens(engine))


class TestLookUp:
    """Tokens in a text."""

    def test_every_token_of_an_exported_csv_is_found(self, engine):
        """With its holder and its operation."""
        planned, outcome = act(engine, Action.GENERATE, build(engine, 5))
        found = look_up(engine, outcome.csv.decode("utf-8-sig"))
        assert [t.name for t in found.leaked] == [f"User {n:06}" for n in range(5)]
        assert {t.state for t in found.leaked} == {TokenState.PENDING}
        assert found.operations == {(ORG, planned.operation_id)}
        assert (found.ending, found.unknown) == (5, 0)

    def test_a_token_inside_other_text_is_found(self, engine):
        """Between brackets or quotation marks, in URLs and in JSON."""
        ids = build(engine, 4)
        plain = [give(engine, member, Holding.ACCEPTED)[0] for member in ids]
        text = (
            f'{{"token": "{plain[0]}"}} curl -H "Authorization: Bearer {plain[1]}"'
            f" https://x.example/?t={plain[2]}&a=1 ({plain[3]},{plain[3]})"
        )
        found = look_up(engine, text)
        assert (len(found.leaked), found.ending) == (4, 4)

    def test_each_leak_form_in_one_text_gives_its_own_token(self, engine):
        """Each form holds the token of another user."""
        ids = build(engine, len(FORMS))
        plain = [give(engine, member, Holding.ACCEPTED)[0] for member in ids]
        leaked = [form(token) for form, token in zip(FORMS.values(), plain, strict=True)]
        for member, text in zip(ids, leaked, strict=True):
            found = look_up(engine, text)
            assert ([t.member_id for t in found.leaked], found.unknown) == ([member], 0)
        for text in ("\n".join(leaked), "".join(leaked)):
            found = look_up(engine, text)
            assert (len(found.leaked), found.ending, found.unknown) == (len(ids), len(ids), 0)
        print(f"operation: {len(found.leaked)} of {len(FORMS)} leak forms found")

    def test_a_token_in_several_forms_counts_once(self, engine):
        """A real token, and one that nobody was given."""
        (member,) = build(engine, 1)
        (plain,) = give(engine, member, Holding.ACCEPTED)
        forms = [form(token) for token in (plain, *mint(1, "demo")) for form in FORMS.values()]
        found = look_up(engine, " ".join(forms))
        assert (len(found.leaked), found.ending, found.unknown) == (1, 1, 1)

    def test_a_wrong_checksum_is_no_token_and_a_right_one_unknown(self, engine):
        """The second has the form of a token, but nobody was given it."""
        (member,) = build(engine, 1)
        (plain,) = give(engine, member, Holding.ACCEPTED)
        first, second = [f"{plain[:-1]}{end}" for end in "0xy" if end != plain[-1]][:2]
        found = look_up(engine, " ".join([first, *mint(3, "demo"), second]))
        assert (found.leaked, found.unknown, found.plans) == ((), 3, ())

    def test_an_ended_token_is_found_with_nothing_to_end_and_barred_once(self, engine):
        """Its holder is named. No undo will revive it, and that needs no second time."""
        ids = build(engine, 1)
        (plain,) = give(engine, ids[0], Holding.ACCEPTED)
        act(engine, Action.REMOVE, ids)
        found = look_up(engine, plain)
        assert [t.state for t in found.leaked] == [TokenState.REMOVED]
        assert (found.plans, found.barring) == ((), 1)
        assert end(engine, found) == ()
        assert select(engine, "SELECT barred_at FROM token") == [(later(),)]
        found = look_up(engine, plain)
        assert found.barring == 0
        with pytest.raises(NothingToDoError):
            end(engine, found)

    def test_an_expired_token_is_found_with_nothing_to_end(self, engine):
        """It counts as ended."""
        (member,) = build(engine, 1)
        (plain,) = give(engine, member, Holding.ACCEPTED, expires_at=later())
        found = look_up(engine, plain)
        assert ([t.state for t in found.leaked], found.plans) == ([TokenState.EXPIRED], ())

    def test_a_recall_holds_no_token_of_the_text(self, engine):
        """Only ids."""
        (member,) = build(engine, 1)
        (plain,) = give(engine, member, Holding.ACCEPTED)
        assert plain not in repr(look_up(engine, f"secret words {plain}"))

    def test_tokens_of_other_organizations_are_unknown(self, engine):
        """The actor has no permission there."""
        ids, others = build(engine, 1), build(engine, 1, organization_id=OTHER)
        mine, theirs = (
            give(engine, ids[0], Holding.ACCEPTED)[0],
            give(engine, others[0], Holding.ACCEPTED, organization_id=OTHER)[0],
        )
        with writing(engine) as connection:
            add_staff(connection, NEARBY.username, NEARBY.name, Grant(Role.SUPPORT, ORG))
        found = look_up(engine, f"{mine} {theirs}", NEARBY)
        assert ([t.organization_id for t in found.leaked], found.unknown) == ([ORG], 1)


class TestEnd:
    """All found tokens end together, or none."""

    def test_accepted_and_pending_tokens_end_as_the_lifecycle_says(self, engine):
        """In two organizations: one batch, with an operation and an event for each plan."""
        ids, others = build(engine, 3), build(engine, 1, organization_id=OTHER)
        leaked = [
            *give(engine, ids[0], Holding.BOTH),
            *give(engine, ids[1], Holding.ACCEPTED),
            *give(engine, others[0], Holding.ACCEPTED, organization_id=OTHER),
        ]
        kept = give(engine, ids[2], Holding.ACCEPTED)
        found = look_up(engine, "\n".join(leaked))
        receipts = end(engine, found, reason="INC-1")
        assert sum(receipt.changed for receipt in receipts) == 4
        assert states(engine) == ["accepted", "cancelled", "removed", "removed", "removed"]
        assert look_up(engine, kept[0]).ending == 1
        batches = select(engine, "SELECT DISTINCT batch_id FROM operation")
        assert batches == [(found.batch_id,)]
        events = select(engine, "SELECT action, users, reason FROM audit_event ORDER BY 1, 2")
        assert events == [("cancel", 1, "INC-1"), ("remove", 1, "INC-1"), ("remove", 2, "INC-1")]

    def test_the_newer_token_of_a_replaced_leaked_one_stays(self, engine):
        """The leaked one has ended."""
        ids = build(engine, 1)
        (plain,) = give(engine, ids[0], Holding.ACCEPTED)
        act(engine, Action.GENERATE, ids)
        found = look_up(engine, plain)
        assert ([t.state for t in found.leaked], found.plans) == ([TokenState.REPLACED], ())

    def test_a_token_that_came_after_the_look_up_stays(self, engine):
        """Also when the recall is widened to all tokens of the operation."""
        ids = build(engine, 3)
        _, outcome = act(engine, Action.GENERATE, ids)
        leaked = exported(outcome)[0]
        change(engine, "UPDATE token SET state = 'accepted', accepted_at = created_at")
        found = look_up(engine, leaked)
        _, newer = act(engine, Action.GENERATE, ids[:1])
        change(engine, "UPDATE token SET state = 'accepted', accepted_at = created_at"
               " WHERE state = 'pending'")  # fmt: skip
        wide = recall.widen(unit_of_work(engine, later), ADMIN, found)
        assert [t.state for t in wide.leaked].count(TokenState.REPLACED) == 1
        end(engine, wide)
        live = select(engine, "SELECT digest FROM token WHERE ended_at IS NULL")
        assert [bytes(digest) for (digest,) in live] == MINTING.digests(exported(newer))

    def test_a_widened_recall_ends_all_tokens_of_the_operation(self, engine):
        """One line of the file leaked. A user with a newer token keeps it."""
        ids = build(engine, 6)
        _, outcome = act(engine, Action.GENERATE, ids)
        act(engine, Action.GENERATE, ids[4:])
        found = look_up(engine, exported(outcome)[0])
        wide = recall.widen(unit_of_work(engine, later), ADMIN, found)
        assert (found.ending, wide.ending) == (1, 4)
        end(engine, wide)
        assert states(engine).count("cancelled") == 4
        assert states(engine).count("pending") == 2

    def test_a_second_end_returns_the_same_receipts(self, engine):
        """Nothing happens twice."""
        (member,) = build(engine, 1)
        found = look_up(engine, give(engine, member, Holding.ACCEPTED)[0])
        first = end(engine, found)
        before = tokens(engine)
        assert end(engine, found) == first
        assert tokens(engine) == before
        assert select(engine, "SELECT count(*) FROM operation") == [(1,)]

    def test_end_is_refused_when_a_token_changed_after_the_look_up(self, engine):
        """It was accepted meanwhile."""
        ids = build(engine, 2)
        leaked = [give(engine, member, Holding.ACCEPTED)[0] for member in ids]
        found = look_up(engine, " ".join(leaked))
        act(engine, Action.REMOVE, ids[:1])
        before = everything(engine)
        with pytest.raises(PlanOutdatedError):
            end(engine, found)
        assert everything(engine) == before

    def test_end_is_refused_when_the_role_was_revoked_after_the_look_up(self, engine):
        """Nothing changes."""
        (member,) = build(engine, 1)
        found = look_up(engine, give(engine, member, Holding.ACCEPTED)[0])
        change(engine, "DELETE FROM role_grant")
        before = everything(engine)
        with pytest.raises(NotAllowedError):
            end(engine, found)
        with pytest.raises(NotAllowedError):
            look_up(engine, "x")
        assert everything(engine) == before

    def test_operations_of_the_command_line_belong_to_the_system_account(self, engine):
        """Nobody can sign in with it."""
        ids = build(engine, 2)
        _, outcome = act(engine, Action.GENERATE, ids)
        at = unit_of_work(engine, later)
        one = exported(outcome)[0]
        found = recall.look_up_by_command(at, pasted(one), MINTING, whole=True)
        (receipt,) = recall.end_by_command(at, found)
        assert (receipt.changed, receipt.actor) == (2, "command-line")
        account = "SELECT staff_status FROM user_account WHERE username = 'command-line'"
        assert select(engine, account) == [("inactive",)]
        assert select(engine, "SELECT actor, address FROM audit_event WHERE action = 'cancel'") == [
            ("", "command line")
        ]
        assert receipt.service_id == SERVICE
