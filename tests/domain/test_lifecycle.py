"""The lifecycle against the design's table, written out once more by hand."""

from itertools import product

import pytest

from lib.domain import lifecycle
from lib.domain.lifecycle import LIFECYCLE, ActiveFlags, Change, decide, ending, holding_of
from lib.domain.states import Action, Holding, Origin, OwnStep, Skip, TokenState

ACTS = (*Action, *OwnStep)
ACTIVE = ActiveFlags()
STANDINGS = [ActiveFlags(*flags) for flags in product((True, False), repeat=3)]

# What becomes of the pending row, of the accepted row, and the origin of the row that is made; a
# word is the reason of a skip. Columns as in the design's section 4.
TABLE = """
holding  | request         | accept            | decline    | cancel          | remove            | generate
nothing  | new             | -                 | -          | nothing pending | no accepted token | export
pending  | already pending | p=accepted        | p=declined | p=cancelled     | no accepted token | p=replaced export
accepted | new             | -                 | -          | nothing pending | a=removed         | a=replaced export
both     | already pending | p=accepted a=replaced | p=declined | p=cancelled | a=removed         | p=replaced a=replaced export
"""  # noqa: E501 - a table


def expected() -> dict[tuple[str, str], Change | Skip | None]:
    """Return the table above as the lifecycle would say it; None where the pair is unknown."""
    header, *lines = (
        [cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()
    )
    return {
        (line[0], act): read(cell)
        for line in lines
        for act, cell in zip(header[1:], line[1:], strict=True)
    }


def read(cell: str) -> Change | Skip | None:
    """Return what one cell of the table means."""
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
    """Every holding with every act."""

    def test_the_table_here_is_whole(self):
        """Four holdings and six acts: 24 cells, of which four are unknown."""
        assert {(h.value, a.value) for h, a in PAIRS} == set(EXPECTED)
        assert list(EXPECTED.values()).count(None) == 4

    @pytest.mark.parametrize(("holding", "act"), PAIRS)
    def test_each_pair(self, holding, act):
        """The lifecycle says what the design says, and knows no more pairs."""
        assert LIFECYCLE.get((holding, act)) == EXPECTED[holding.value, act.value]

    def test_it_cannot_be_changed(self):
        """The only home of these rules is read only."""
        with pytest.raises(TypeError):
            LIFECYCLE[Holding.NOTHING, OwnStep.ACCEPT] = Change()  # type: ignore[index]


class TestDeciding:
    """The whole table with every standing."""

    @pytest.mark.parametrize(("holding", "act"), PAIRS)
    @pytest.mark.parametrize("active_flags", STANDINGS)
    def test_each_triple(self, holding, act, active_flags):
        """Handing out is refused where something is inactive; ending is not."""
        wanted = EXPECTED[holding.value, act.value]
        if act.value in {"request", "generate", "accept"} and active_flags != ACTIVE:
            assert decide(holding, act, active_flags) == fault(active_flags)
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
        """Two live rows or none, four names."""
        assert holding_of(pending, accepted) is holding


def fault(active_flags: ActiveFlags) -> Skip:
    """Return the reason for a active_flags that is not active: the largest thing first."""
    if not active_flags.organization:
        return Skip.INACTIVE_ORGANIZATION
    if not active_flags.subscription:
        return Skip.INACTIVE_SUBSCRIPTION
    return Skip.INACTIVE_USER


class TestEnding:
    """What set-based SQL makes of live rows, whoever has them."""

    @pytest.mark.parametrize("action", Action)
    def test_one_answer_for_everyone(self, action):
        """Each member's change is the common one, restricted to what the member has."""
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
        """The four actions, spelled out."""
        replaced = TokenState.REPLACED
        assert {action: ending(action) for action in Action} == {
            Action.REQUEST: Change(creates=Origin.REQUEST),
            Action.CANCEL: Change(pending_becomes=TokenState.CANCELLED),
            Action.REMOVE: Change(accepted_becomes=TokenState.REMOVED),
            Action.GENERATE: Change(replaced, replaced, Origin.EXPORT),
        }

    def test_two_answers_are_an_error(self, monkeypatch):
        """A table that ends one kind of row in two ways cannot be carried out as a set."""
        two = LIFECYCLE | {
            (Holding.BOTH, Action.REMOVE): Change(accepted_becomes=TokenState.REPLACED)
        }
        monkeypatch.setattr(lifecycle, "LIFECYCLE", two)
        with pytest.raises(ValueError, match="several ways"):
            ending(Action.REMOVE)
