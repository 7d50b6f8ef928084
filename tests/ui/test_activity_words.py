"""What Activity says of refusals."""

import pytest

from lib.domain import errors
from lib.domain.activity import ActivityRow
from lib.domain.audit import EventAction
from lib.ui.activity_words import why

#: Bases, and faults of the database, which are no refusals.
OTHERS = (errors.StoreUnavailable, errors.AuditUnwritten)
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.DeskError)
    if not kind.__subclasses__() and not issubclass(kind, OTHERS)
]


def refusal(kind: type) -> ActivityRow:
    """Return the row of a refusal for this reason."""
    empty = dict.fromkeys(ActivityRow._fields, "")
    return ActivityRow(
        **empty | {"action": EventAction.REFUSAL, "detail": f"grant: {kind.__name__}"}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_reason_has_words(kind):
    """No programmer's word is on the page."""
    assert len(KINDS) > 15
    assert kind.__name__ not in why(refusal(kind))
    assert why(refusal(kind))
