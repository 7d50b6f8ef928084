"""Names of HTTP headers in the settings: headers of their own, not those of HTTP itself."""

import re

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
#: Headers that HTTP, browsers, proxies or our own responses give another meaning.
_TAKEN = frozenset(
    [
        "accept",
        "authorization",
        "cache-control",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-authorization",
        "range",
        "referer",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
        "www-authenticate",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-organization-id",
        "x-real-ip",
        "x-token-service",
        "x-token-username",
    ]
)


def safe_header(value: str) -> str:
    """Return `value`, the name of a header. Raises ValueError if it is none, or has a meaning.

    Underscores and hyphens count as the same: gateways turn one into the other.
    """
    if not _NAME.fullmatch(value):
        msg = (
            "must be the name of a header: a letter, then letters, digits, hyphens and "
            "underscores, 64 characters at most"
        )
        raise ValueError(msg)
    if value.lower().replace("_", "-") in _TAKEN:
        msg = (
            f"must not be {value}, which has another meaning in HTTP or here: take a name of its "
            "own, such as api_token or X-Forwarded-User"
        )
        raise ValueError(msg)
    return value


def safe_proxy_header(value: str) -> str:
    """As `safe_header`, without underscores, which most proxies drop."""
    if "_" in value:
        msg = "must not have an underscore, which most proxies drop: write a hyphen"
        raise ValueError(msg)
    return safe_header(value)
