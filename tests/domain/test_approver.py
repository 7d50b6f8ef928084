"""The minimum age of an approver's role, which depends on who granted it."""

import pytest

from lib.domain.approver import ApproverRole, approver_role
from lib.domain.clock import DAY, HOUR
from tests.support.database_facts import NOW

REQUESTER, ALLY, OTHER, NOBODY = "mhale", "ally", "okafor", ""
SIDE = {REQUESTER, ALLY}


@pytest.mark.parametrize(
    ("granted_by", "age", "counts"),
    [
        (NOBODY, -1, False),
        (NOBODY, 0, True),
        (OTHER, -1, False),
        (OTHER, DAY - 1, False),
        (OTHER, DAY, True),
        (REQUESTER, DAY, False),
        (REQUESTER, 7 * DAY - 1, False),
        (REQUESTER, 7 * DAY, True),
        (ALLY, 7 * DAY - 1, False),
        (ALLY, 7 * DAY, True),
    ],
)
def test_a_role_counts_when_it_is_old_enough(granted_by, age, counts):
    """A day, a week if the requester's side granted it, and no time if a command did."""
    role = approver_role([(granted_by, NOW - age)], NOW, SIDE)
    assert role == ApproverRole(granted_by, NOW - age, counts)


def test_one_grant_that_counts_is_enough():
    """One old enough grant makes an approver, beside any other grants and in any order."""
    grants = [(REQUESTER, NOW - 6 * DAY), (OTHER, NOW - 2 * DAY), (OTHER, NOW - HOUR)]
    good = ApproverRole(OTHER, NOW - 2 * DAY, old_enough=True)
    assert approver_role(grants, NOW, SIDE) == good
    assert approver_role(grants[::-1], NOW, SIDE) == good


def test_of_several_grants_the_oldest_is_named():
    """The oldest grant that is old enough is returned, else the oldest one."""
    old, older = (OTHER, NOW - 2 * DAY), (OTHER, NOW - 3 * DAY)
    assert approver_role([old, older], NOW, SIDE) == ApproverRole(*older, old_enough=True)
    new, newer = (REQUESTER, NOW - 2 * DAY), (OTHER, NOW - HOUR)
    assert approver_role([newer, new], NOW, SIDE) == ApproverRole(*new, old_enough=False)


def test_without_a_grant_there_is_no_role():
    """A person without a grant gets None."""
    assert approver_role([], NOW, SIDE) is None
