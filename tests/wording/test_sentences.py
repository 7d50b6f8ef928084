"""The sentences about a plan that keeps existing tokens."""

import pytest

from lib.domain.lifecycle import ActiveFlags
from lib.domain.operations import Scope
from lib.domain.plan import Plan, Preview
from lib.domain.states import Action, ExistingTokens
from lib.wording.sentences import plan_details
from tests.support.database_facts import NOW

SCOPE = Scope("UTCJF1", "Juniper", "erecording", "eRecording", ActiveFlags())


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (9, "9 get a second token; the one in use works until the new one is used"),
        (1, "1 gets a second token; the one in use works until the new one is used"),
    ],
)
def test_plan_details_say_how_many_get_a_second_token(second, sentence):
    """The accepted tokens are not said to stop."""
    counts = Preview(12, 12, 0, 0, 0, (), second)
    plan = Plan("id", Action.GENERATE, "mhale", NOW, SCOPE, {}, counts, ExistingTokens.KEEP)
    details = plan_details(plan)
    assert sentence in details
    assert not any("stop" in detail for detail in details)
