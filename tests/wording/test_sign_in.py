"""Sentences of refused sign-ins."""

import pytest

from lib.domain import errors
from lib.domain.claims import ClaimFault
from lib.wording.sign_in import end_reason, no_name_text, refusal_text


@pytest.mark.parametrize("fault", ClaimFault)
def test_refusal_text_of_each_fault_names_claim_and_fix(fault):
    """Nothing is left to be filled in."""
    heading, text = refusal_text(errors.ClaimUnusableError("upn", fault), "the claim upn")
    assert heading == "We cannot tell who you are"
    assert ("upn" if fault is not ClaimFault.NOT_VERIFIED else "email_verified") in text
    assert "whoever runs Token Desk" in text.replace("Whoever", "whoever")
    assert "{" not in text


@pytest.mark.parametrize(
    ("refusal", "parts"),
    [
        (errors.NotInDirectoryError("x{y}"), ("x{y}", "the header X-User")),
        (errors.NotInDirectoryError(""), ("a name we cannot read", "the header X-User")),
        (errors.InactiveAccountError("gone"), ("gone", "make it active again")),
        (errors.AmbiguousEmailError("a@example.com"), ("a@example.com", "its own e-mail")),
    ],
)
def test_refusal_text_names_who_and_whom_to_ask(refusal, parts):
    """In plain text."""
    _, text = refusal_text(refusal, "the header X-User")
    assert all(part in text for part in parts)


@pytest.mark.parametrize(
    ("names", "words"), [(0, "no such header"), (1, "has it empty"), (2, "has it twice")]
)
def test_no_name_text_names_the_header_and_what_is_wrong(names, words):
    """Whoever runs the proxy can mend it."""
    _, text = no_name_text("X-User", names)
    assert words in text
    assert "X-User" in text


def test_end_reason_says_why_a_sign_in_has_ended():
    """By a sign-out or a time-out."""
    assert end_reason(errors.SignedOutError(), 30, 12).startswith("You are signed out.")
    assert "after 1 minute without a click" in end_reason(
        errors.SessionTimedOutError(idle=True), 1, 12
    )
    assert "lasts 12 hours" in end_reason(errors.SessionTimedOutError(idle=False), 30, 12)
