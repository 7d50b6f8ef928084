"""The table of actions: nothing is left out, and no action speaks with another one's words."""

from collections import Counter
from dataclasses import fields

import pytest

from lib.domain.actions import ACTIONS, ActionEntry, action_name
from lib.domain.activity import KINDS, Group
from lib.domain.audit import EventAction, recorded
from lib.domain.lifecycle import LIFECYCLE, ending
from lib.domain.states import Action, Holding, OwnStep
from lib.wording import activity, labels

OPTIONAL = {"ends", "afterwards"}
#: The button of the last of two confirmations has words of its own.
WITH_ONE_CONFIRMATION = {"deed"}


@pytest.mark.parametrize("action", Action)
class TestEachAction:
    """What the table, the lifecycle and Activity say about one action."""

    def test_table_has_an_entry_with_every_text(self, action: Action) -> None:
        """A text that is missing would leave a hole in a dialog, or in Help."""
        entry = ACTIONS[action]
        texts = {each.name: getattr(entry, each.name) for each in fields(ActionEntry)}
        optional = OPTIONAL | (WITH_ONE_CONFIRMATION if entry.confirmations > 1 else set())
        assert [name for name, text in texts.items() if not text and name not in optional] == []

    def test_lifecycle_decides_for_every_holding(self, action: Action) -> None:
        """A pair that is missing would be a KeyError in the middle of a plan."""
        assert [each for each in Holding if (each, action) not in LIFECYCLE] == []

    def test_confirmation_says_what_ends_when_accepted_tokens_end(self, action: Action) -> None:
        """An action that ends accepted tokens has its own sentence for it, and no other has one."""
        assert bool(ACTIONS[action].ends) is bool(ending(action).accepted_becomes)

    def test_tokens_that_are_exported_are_confirmed_twice(self, action: Action) -> None:
        """Ruling 6."""
        assert (ACTIONS[action].confirmations == 2) is (ending(action).creates == "export")

    def test_activity_lists_the_operations_of_the_action(self, action: Action) -> None:
        """The filter has a line with the action's name, and both groups hold it."""
        assert KINDS[action] == (action,)
        assert activity.KINDS[action] == ACTIONS[action].name_for_many
        assert action in KINDS[Group.OPERATIONS]
        assert action in KINDS[Group.EVERYTHING]


class TestTable:
    """What holds for all entries together."""

    @pytest.mark.parametrize("name", ["name_for_one", "name_for_many", "permission", "does", "did"])
    def test_no_two_actions_share_a_text(self, name: str) -> None:
        """An entry that was copied keeps the other action's words until somebody changes them."""
        assert Counter(getattr(entry, name) for entry in ACTIONS.values()).most_common(1)[0][1] == 1

    def test_action_name_when_one_user_is_selected_is_the_singular(self) -> None:
        """Ruling 1: one user, and several or none."""
        assert action_name(Action.REMOVE, 1) == "Remove API Token"
        assert {action_name(Action.REMOVE, n) for n in (0, 2, 10_000)} == {"Remove Tokens"}

    def test_permission_labels_name_each_permission_once(self) -> None:
        """The table of roles has no two rows of the same words."""
        assert max(Counter(labels.PERMISSION_WORDS.values()).values()) == 1


class TestRecorded:
    """The names that events record."""

    def test_recorded_names_are_distinct_and_read_back(self) -> None:
        """Two kinds of event with one stored name could not be told apart."""
        every = [*Action, *OwnStep, *EventAction]
        assert len({each.value for each in every}) == len(every)
        assert all(recorded(each.value) is each for each in every)

    def test_every_group_of_activity_has_events_and_a_name(self) -> None:
        """A group without events would list nothing."""
        assert [group for group in Group if not KINDS.get(group)] == []
        assert list(activity.KINDS) == list(KINDS)
