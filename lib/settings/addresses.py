"""Web addresses in the settings: https, well-formed, and of the kind that is asked for."""

from urllib.parse import SplitResult, urlsplit

CALLBACK = "/oauth2callback"  # fixed by Streamlit, for every provider
_METADATA = "/.well-known/openid-configuration"  # OpenID Connect Discovery 1.0, section 4
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def safe_redirect_uri(value: str) -> str:
    """Return `value`. Raises ValueError if it is unsafe as the address that ends a sign-in."""
    if not _parts(value).path.endswith(CALLBACK):
        msg = f"must end in {CALLBACK}"
        raise ValueError(msg)
    return safe_address(value)


def safe_metadata_url(value: str) -> str:
    """Return `value`. Raises ValueError if no provider describes itself at such an address."""
    safe_address(value)
    if not _parts(value).path.endswith(_METADATA):
        msg = f"must be the address of the provider's metadata, which ends in {_METADATA}"
        raise ValueError(msg)
    return value


def safe_address(value: str) -> str:
    """Return `value`, a URL. Raises ValueError unless it is `https` or a loopback address."""
    if any(char.isspace() for char in value):
        msg = "must not have a space inside"
        raise ValueError(msg)
    url = _parts(value)
    if not url.hostname or not (
        url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)
    ):
        msg = "must start with https:// (http:// is for localhost only)"
        raise ValueError(msg)
    return value


def _parts(value: str) -> SplitResult:
    """Return the parts of a URL. Raises ValueError for a bad port or bracket."""
    try:
        url = urlsplit(value)
        _ = url.port  # raises ValueError, which splitting does not
    except ValueError:
        msg = "must be an address such as https://desk.example.com, with a port from 1 to 65535"
        raise ValueError(msg) from None
    return url
