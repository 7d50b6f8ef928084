"""Claims of an identity provider: which one names the person, and whether it is usable."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from lib.domain.search import composed, possible_name

EMAIL = "email"
SUBJECT = "sub"  # case-sensitive (OpenID Connect Core 1.0, section 2)
_EMAIL_VERIFIED = "email_verified"
_KELVIN = "\u212a"  # composed it is the letter K, and a provider may have both e-mail addresses

#: Our own field beside the claims: when the callback set the cookie, in milliseconds since 1970.
SIGNED_IN_AT = "token_desk_signed_in_at"


#: Claims of the person's profile (OpenID Connect Core 1.0, section 5.1): at many providers people
#: change them, so one could take the username of another. An e-mail must be verified instead.
CHOSEN_BY_PEOPLE = frozenset(
    {
        *("name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"),
        *("profile", "picture", "website", "phone_number"),
    }
)


class ClaimFault(StrEnum):
    """Why a claim does not name a person."""

    MISSING = "missing"
    NOT_TEXT = "not text"
    NOT_A_NAME = "too long, or with control characters"
    NOT_VERIFIED = "not verified"


def claims_needed(user_claim: str) -> tuple[str, ...]:
    """Return the claims that a sign-in by `user_claim` needs."""
    return (EMAIL, _EMAIL_VERIFIED) if user_claim == EMAIL else (user_claim,)


def name_in(claims: Mapping[str, Any], user_claim: str) -> str:
    """Return the name in a claim, trimmed and composed as an import does it; empty for none."""
    name = claims.get(user_claim)
    if not isinstance(name, str):
        return ""
    if user_claim == EMAIL and _KELVIN in name:
        return possible_name(name.strip())
    return possible_name(composed(name))


def fault_of(claims: Mapping[str, Any], user_claim: str) -> ClaimFault | None:
    """Return what is wrong with the claim that names the person; None when nothing is.

    An e-mail must be verified: `true`, or the text that AWS Cognito sends instead.
    """
    name = claims.get(user_claim)
    if name is None or name == "":
        return ClaimFault.MISSING
    if not isinstance(name, str):
        return ClaimFault.NOT_TEXT
    if not name_in(claims, user_claim):
        return ClaimFault.NOT_A_NAME
    verified = claims.get(_EMAIL_VERIFIED)
    if user_claim == EMAIL and verified is not True and verified != "true":
        return ClaimFault.NOT_VERIFIED
    return None
