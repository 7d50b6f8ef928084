"""The identity providers: one from the environment, or several from `.streamlit/secrets.toml`.

Both become Streamlit's own `[auth]` section, which its sign-in reads. Nothing is written to disk.
"""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import streamlit as st

from lib.domain.claims import CHOSEN_BY_PEOPLE
from lib.settings import (
    Settings,
    UnsafeSettingsError,
    readable,
    safe_cookie_secret,
    safe_metadata_url,
    safe_redirect_uri,
    trimmed,
)

_log = logging.getLogger(__name__)
_PROVIDER_KEYS = ("client_id", "client_secret", "server_metadata_url")
_CHECKS = {
    "redirect_uri": safe_redirect_uri,
    "cookie_secret": safe_cookie_secret,
    "server_metadata_url": safe_metadata_url,
}


class Provider(NamedTuple):
    """A provider on the sign-in page. `key` is the argument of `st.login`."""

    key: str
    label: str


def auth_section(settings: Settings) -> dict[str, Any]:
    """Return Streamlit's `[auth]` section, complete and safe; empty unless the sign-in is OIDC.

    Raises UnsafeSettingsError with a sentence for each value that is missing or unsafe.
    """
    if settings.sign_in != "oidc":
        return {}
    auth = settings.auth or _from_secrets()
    faults = _unreadable("auth", auth) or _faults(auth)
    if faults:
        lines = "\n".join(f"- {fault}" for fault in faults)
        msg = f"Token Desk does not start:\n{lines}"
        raise UnsafeSettingsError(msg)
    return auth


def warn_of_claim(user_claim: str) -> None:
    """Write a line into the log if people may be able to change the claim that names them."""
    if user_claim in CHOSEN_BY_PEOPLE:
        _log.warning(
            "TOKEN_DESK_USER_CLAIM=%s: at many providers people can change this claim, and so sign "
            "in as somebody else. Make sure that they cannot at yours, or set it to sub.",
            user_claim,
        )


def listed() -> list[Provider]:
    """Return the providers of the sign-in page, in the order of the settings."""
    auth = st.secrets["auth"].to_dict()
    found = [Provider("default", "Sign in")] if "client_id" in auth else []
    return found + [
        Provider(name, f"Sign in with {name.replace('-', ' ').title()}") for name in _named(auth)
    ]


def own_host(auth: Mapping[str, Any]) -> str:
    """Return the host name of Token Desk in browsers, from the redirect URI; empty without one."""
    return urlsplit(str(auth["redirect_uri"])).hostname or ""


def is_https(auth: Mapping[str, Any]) -> bool:
    """Tell whether browsers reach Token Desk by https, from the redirect URI."""
    return str(auth.get("redirect_uri", "")).startswith("https://")


def _from_secrets() -> dict[str, Any]:
    """Return the `[auth]` section of the secrets file; empty when there is none."""
    if not st.secrets.load_if_toml_exists() or "auth" not in st.secrets:
        return {}
    return _trimmed(st.secrets["auth"].to_dict())


def _trimmed(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section whose texts have no white space or invisible characters around them."""
    cut: dict[str, Any] = {}
    for name, value in section.items():
        if isinstance(value, Mapping):
            cut[name] = _trimmed(value)
        else:
            cut[name] = trimmed(value) if isinstance(value, str) else value
    return cut


def _named(auth: Mapping[str, Any]) -> list[str]:
    return [
        name for name, value in auth.items() if isinstance(value, Mapping) and "client_id" in value
    ]


def _faults(auth: Mapping[str, Any]) -> list[str]:
    if not auth:
        return [
            (
                "TOKEN_DESK_SIGN_IN: oidc needs a provider: set TOKEN_DESK_OIDC_CLIENT_ID, "
                "TOKEN_DESK_OIDC_CLIENT_SECRET, TOKEN_DESK_OIDC_METADATA_URL, "
                "TOKEN_DESK_OIDC_REDIRECT_URI and TOKEN_DESK_OIDC_COOKIE_SECRET, or write "
                "[auth] into .streamlit/secrets.toml"
            )
        ]
    faults = [
        f"[auth] {name}: missing"
        for name in ("redirect_uri", "cookie_secret")
        if not auth.get(name)
    ]
    sections = {"auth": auth, **{f"auth.{name}": auth[name] for name in _named(auth)}}
    for title, section in sections.items():
        if title != "auth" or "client_id" in section or len(sections) == 1:
            faults += [
                f"[{title}] {name}: missing" for name in _PROVIDER_KEYS if not section.get(name)
            ]
        faults += _unsafe(title, section)
    return faults


def _unsafe(title: str, section: Mapping[str, Any]) -> list[str]:
    faults = []
    for name, check in _CHECKS.items():
        if section.get(name):
            try:
                check(str(section[name]))
            except ValueError as error:
                faults.append(f"[{title}] {name}: {error}")
    return faults


def _unreadable(title: str, section: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each text with a control or invisible character inside."""
    faults = []
    for name, value in section.items():
        if isinstance(value, Mapping):
            faults += _unreadable(f"{title}.{name}", value)
        elif isinstance(value, str):
            try:
                readable(value)
            except ValueError as error:
                faults.append(f"[{title}] {name}: {error}")
    return faults
