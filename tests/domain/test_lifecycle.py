"""The lifecycle equals the table of the design, which is repeated here by hand."""

from itertools import product

import pytest

from lib.domain import lifecycle
from lib.domain.lifecycle import (
    LIFECYCLE,
    ActionVariant,
    ActiveFlags,
    Change,
    act_of,
    decide,
    ending,
    holding_of,
)
from lib.domain.states import Action, ExistingTokens, Holding, Origin, OwnStep, Skip, TokenState

ACTS = (*Action, *OwnStep, *ActionVariant)
ACTIVE = ActiveFlags()
STANDINGS = [ActiveFlags(*flags) for flags in product((True, False), repeat=3)]

# What becomes of the pending row, of the accepted row, and the origin of the row that is made; a
# word is the reason of a skip. Columns as in the design's section 4.
TABLE = """
holding  | request         | accept            | decline    | cancel          | remove            | generate | generate-keeping
nothing  | new             | -                 | -          | nothing pending | no accepted token | export | export
pending  | already pending | p=accepted        | p=declined | p=cancelled     | no accepted token | p=replaced export | p=replaced export
accepted | new             | -                 | -          | nothing pending | a=removed         | a=replaced export | export
both     | already pending | p=accepted a=replaced | p=declined | p=cancelled | a=removed         | p=replaced a=replaced export | p=replaced export
"""  # noqa: E501 - a table


def expected() -> dict[tuple[str, str], Change | Skip | None]:
    """Return the table above in the form of LIFECYCLE; None for a pair that is not allowed."""
    header, *lines = (
        [cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()
    )
    return {
        (line[0], act): read(cell)
        for line in lines
        for act, cell in zip(header[1:], line[1:], strict=True)
    }


def read(cell: str) -> Change | Skip | None:
    """Return the meaning of one cell of the table."""
    if cell == "-":
        return None
    if cell in {skip.value for skip in Skip}:
        return Skip(cell)
    words = cell.split()
    becomes = dict(word.split("=") for word in words if "=" in word)
    made = {"new": Origin.REQUEST, "export": Origin.EXPORT}
    return Change(
        TokenState(becomes["p"]) if "p" in becomes else None,
        TokenState(becomes["a"]) if "a" in becomes else None,
        next((made[word] for word in words if word in made), None),
    )


EXPECTED = expected()
PAIRS = list(product(Holding, ACTS))


class TestTheTable:
    """Every pair of holding and act."""

    def test_the_table_here_is_whole(self):
        """The table has 4 holdings and 7 acts: 28 cells, of which 4 are not allowed."""
        assert {(h.value, a.value) for h, a in PAIRS} == set(EXPECTED)
        assert list(EXPECTED.values()).count(None) == 4

    @pytest.mark.parametrize(("holding", "act"), PAIRS)
    def test_each_pair(self, holding, act):
        """Each pair has the result of the design, and no other pairs exist."""
        assert LIFECYCLE.get((holding, act)) == EXPECTED[holding.value, act.value]

    def test_it_cannot_be_changed(self):
        """LIFECYCLE is read-only."""
        with pytest.raises(TypeError):
            LIFECYCLE[Holding.NOTHING, OwnStep.ACCEPT] = Change()  # type: ignore[index]


class TestDeciding:
    """Every pair with every combination of active flags."""

    @pytest.mark.parametrize(("holding", "act"), PAIRS)
    @pytest.mark.parametrize("active_flags", STANDINGS)
    def test_each_triple(self, holding, act, active_flags):
        """An inactive flag skips acts that give out a token, and no others."""
        wanted = EXPECTED[holding.value, act.value]
        if (
            act.value in {"request", "generate", "generate-keeping", "accept"}
            and active_flags != ACTIVE
        ):
            assert decide(holding, act, active_flags) == reason(active_flags)
        elif wanted is None:
            with pytest.raises(KeyError):
                decide(holding, act, active_flags)
        else:
            assert decide(holding, act, active_flags) == wanted

    @pytest.mark.parametrize(
        ("pending", "accepted", "holding"),
        [
            (None, None, Holding.NOTHING),
            ("p", None, Holding.PENDING),
            (None, "a", Holding.ACCEPTED),
            ("p", "a", Holding.BOTH),
        ],
    )
    def test_a_holding_is_named_by_its_live_rows(self, pending, accepted, holding):
        """The two live rows give one of four holdings."""
        assert holding_of(pending, accepted) is holding


def reason(active_flags: ActiveFlags) -> Skip:
    """Return the expected reason of a skip: organization, then subscription, then user."""
    if not active_flags.organization:
        return Skip.INACTIVE_ORGANIZATION
    if not active_flags.subscription:
        return Skip.INACTIVE_SUBSCRIPTION
    return Skip.INACTIVE_USER


class TestEnding:
    """The change of an act for all members, which set-based SQL needs."""

    @pytest.mark.parametrize("action", [*Action, *ActionVariant])
    def test_one_answer_for_everyone(self, action):
        """Each member's change is the common change, limited to the rows that the member has."""
        common = ending(action)
        for holding in Holding:
            change = LIFECYCLE[holding, action]
            if isinstance(change, Change):
                pending = holding in {Holding.PENDING, Holding.BOTH}
                accepted = holding in {Holding.ACCEPTED, Holding.BOTH}
                assert change == Change(
                    common.pending_becomes if pending else None,
                    common.accepted_becomes if accepted else None,
                    common.creates,
                )

    def test_what_each_action_ends_and_makes(self):
        """The common change of each of the four actions, and of the one that keeps tokens."""
        replaced = TokenState.REPLACED
        assert {act: ending(act) for act in (*Action, *ActionVariant)} == {
            Action.REQUEST: Change(creates=Origin.REQUEST),
            Action.CANCEL: Change(pending_becomes=TokenState.CANCELLED),
            Action.REMOVE: Change(accepted_becomes=TokenState.REMOVED),
            Action.GENERATE: Change(replaced, replaced, Origin.EXPORT),
            ActionVariant.GENERATE_KEEPING: Change(replaced, None, Origin.EXPORT),
        }

    @pytest.mark.parametrize("action", Action)
    def test_only_generate_and_export_differs_by_existing_tokens(self, action):
        """The other actions are the same act with both choices."""
        keeping = act_of(action, ExistingTokens.KEEP)
        assert act_of(action, ExistingTokens.STOP) is action
        expected = ActionVariant.GENERATE_KEEPING if action is Action.GENERATE else action
        assert keeping is expected

    def test_two_answers_are_an_error(self, monkeypatch):
        """A lifecycle that ends rows of one state in two ways raises ValueError."""
        two = LIFECYCLE | {
            (Holding.BOTH, Action.REMOVE): Change(accepted_becomes=TokenState.REPLACED)
        }
        monkeypatch.setattr(lifecycle, "LIFECYCLE", two)
        with pytest.raises(ValueError, match="several ways"):
            ending(Action.REMOVE)
