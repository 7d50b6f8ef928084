"""Sentences of a sign-in that was refused, or has ended. They are plain text, not Markdown."""

from lib.domain import errors
from lib.domain.claims import ClaimFault
from lib.domain.plural import counted

_FIX = (
    "Whoever runs Token Desk can make the provider send your username in it, or name another claim "
    "in TOKEN_DESK_USER_CLAIM."
)
SIGN_IN_FAILED = (
    "The sign-in did not succeed. Try again; if it fails again, tell whoever runs Token Desk: the "
    "server's log says why."
)
_FAULTS = {
    ClaimFault.MISSING: (
        "The sign-in page did not send the claim {claim}, neither in its ID token nor as userinfo. "
        f"{_FIX}"
    ),
    ClaimFault.NOT_TEXT: (
        f"The sign-in page sent a claim {{claim}} that is not text, so it names nobody. {_FIX}"
    ),
    ClaimFault.NOT_A_NAME: (
        "The sign-in page sent a claim {claim} that no username can be like: it is too long, or "
        f"has control characters. {_FIX}"
    ),
    ClaimFault.NOT_VERIFIED: (
        "The sign-in page did not say that your e-mail address is verified: its claim "
        "email_verified must be true. Verify your address there and sign in again, or tell whoever "
        "runs Token Desk."
    ),
}


def end_reason(refusal: errors.SignInRefusedError, idle_minutes: int, hours: int) -> str:
    """Return why a sign-in has ended, for the sign-in page."""
    if not isinstance(refusal, errors.SessionTimedOutError):
        return "You are signed out. Sign in to go on."
    if refusal.idle:
        return (
            f"You were signed out after {counted(idle_minutes, 'minute')} without a click. "
            "Sign in to go on where you were."
        )
    return (
        f"You were signed out because a sign-in lasts {counted(hours, 'hour')}. "
        "Sign in to go on where you were."
    )


def refusal_text(refusal: errors.SignInRefusedError, source: str) -> tuple[str, str]:
    """Return the heading and the text of a refusal: what is wrong, and whom to ask.

    `source` says where the name comes from, such as `the claim upn`.
    """
    if isinstance(refusal, errors.InactiveAccountError):
        return "Your account is inactive", (
            f"You are signed in as {refusal.name}, and this account is inactive in Token Desk. "
            "Ask an API administrator to make it active again."
        )
    if isinstance(refusal, errors.NotInDirectoryError):
        who = f"as {refusal.name}" if refusal.name else "under a name we cannot read"
        return "Token Desk does not know you yet", (
            f"You are signed in {who} ({source}), and Token Desk's directory has nobody of that "
            "name. Ask an API administrator to add you, then sign in again."
        )
    if isinstance(refusal, errors.AmbiguousEmailError):
        return "Your e-mail names two accounts", (
            f"{refusal.email} belongs to more than one account, so Token Desk cannot tell which is "
            "yours. Ask an API administrator to give each account its own e-mail."
        )
    if isinstance(refusal, errors.ClaimUnusableError):
        return "We cannot tell who you are", _FAULTS[refusal.fault].format(claim=refusal.claim)
    return "We cannot tell who you are", "Sign in again, or tell whoever runs Token Desk."


def no_name_text(header: str, names: int) -> tuple[str, str]:
    """Return the heading and the text for a request that does not have one name in its header."""
    has = "has no such header" if not names else "has it empty" if names == 1 else "has it twice"
    return "You are not signed in", (
        f"Token Desk takes your name from the header {header} of the sign-in proxy, and your "
        f"request {has}. Open Token Desk at its usual address; if this stays, whoever runs it must "
        "make the proxy set that header once, in place of any that a browser sends."
    )
