"""What settings of the sign-in must agree on."""

from collections.abc import Mapping

_COOKIE_SECRET_LENGTH = 32  # characters
# Streamlit's fields beside the claims: the same for everybody.
_STREAMLITS_FIELDS = {"is_logged_in", "origin", "provider", "tokens"}


def check_sign_in(*, demo: bool | None, sign_in: str, has_peppers: bool) -> None:
    """Raise ValueError if nobody could sign in, or anybody as anyone, or with a stored key."""
    if demo is False and not sign_in:
        msg = (
            "without demo mode people must be able to sign in: set TOKEN_DESK_SIGN_IN to "
            "oidc or proxy, or unset TOKEN_DESK_DEMO"
        )
        raise ValueError(msg)
    if demo and sign_in:
        msg = (
            f"demo mode lets anyone act as anyone, which TOKEN_DESK_SIGN_IN={sign_in} "
            "must prevent: unset one of the two"
        )
        raise ValueError(msg)
    if sign_in and not has_peppers:
        msg = (
            f"TOKEN_DESK_SIGN_IN={sign_in} is for real tokens, whose key must not be "
            "stored beside the database: set TOKEN_DESK_PEPPERS=1:<64 hex digits>"
        )
        raise ValueError(msg)


def check_provider(provider: Mapping[str, str]) -> None:
    """Raise ValueError if some of the provider's values are set, and others not."""
    missing = [f"TOKEN_DESK_OIDC_{name.upper()}" for name, value in provider.items() if not value]
    if missing and len(missing) < len(provider):
        msg = f"{', '.join(missing)}: missing; set every TOKEN_DESK_OIDC_… or none"
        raise ValueError(msg)


def safe_claim(value: str) -> str:
    """Return `value`. Raises ValueError if it cannot be the name of a claim."""
    if value in _STREAMLITS_FIELDS or any(char.isspace() for char in value):
        msg = "must be the name of a claim that the provider sends, such as upn"
        raise ValueError(msg)
    return value


def safe_cookie_secret(value: str) -> str:
    """Return `value`. Raises ValueError if it has less than 32 characters."""
    if len(value) < _COOKIE_SECRET_LENGTH:
        msg = (
            f"must have at least {_COOKIE_SECRET_LENGTH} characters; "
            'python -c "import secrets; print(secrets.token_urlsafe(32))" makes some'
        )
        raise ValueError(msg)
    return value
