"""Labels and reasons of refusals and sign-outs on Activity."""

import pytest

from lib.domain import errors
from lib.domain.activity import ActivityRow
from lib.domain.audit import COMMAND_LINE, EventAction
from lib.wording.activity import event_label, event_reason

#: Bases, and faults of the database, which are no refusals.
OTHERS = (errors.DatabaseUnavailableError, errors.AuditNotWrittenError)
KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.DeskError)
    if not kind.__subclasses__() and not issubclass(kind, OTHERS)
]


def refusal(kind: type) -> ActivityRow:
    """Return the row of a refusal for this reason."""
    empty = dict.fromkeys(ActivityRow._fields, "")
    return ActivityRow(**empty | {"action": EventAction.REFUSAL, "detail": f"grant: {kind.code}"})


@pytest.mark.parametrize("kind", KINDS)
def test_event_reason_of_each_error_is_a_phrase(kind):
    """No class name or code is on the page."""
    assert len(KINDS) > 15
    assert kind.code not in event_reason(refusal(kind))
    assert event_reason(refusal(kind))


@pytest.mark.parametrize(
    ("address", "detail", "words"),
    [
        ("203.0.113.7", "", "Signed out"),
        ("203.0.113.7", "timed out: idle", "Timed out"),
        (COMMAND_LINE, "another person got the username", "Signed out: another person got the"),
    ],
)
def test_event_label_of_a_sign_out_says_why(address, detail, words):
    """By the person, by a time-out, or by an import."""
    facts = dict.fromkeys(ActivityRow._fields, "")
    row = ActivityRow(
        **facts | {"action": EventAction.SIGN_OUT, "address": address, "detail": detail}
    )
    assert event_label(row).startswith(words)
