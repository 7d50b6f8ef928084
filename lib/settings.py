"""All settings, typed and read from the environment.

An unsafe value stops the start with a sentence that says how to fix it.
"""

import os
import secrets
import unicodedata
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
_PEPPER_BYTES = 32
_COOKIE_SECRET_LENGTH = 32  # characters
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
CALLBACK = "/oauth2callback"  # fixed by Streamlit, for every provider
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, surrogate, line, paragraph
_JOINERS = {"\u200c", "\u200d"}  # invisible as well, and needed to spell words in some scripts


class UnsafeSettingsError(SystemExit):
    """A setting is missing or unsafe; the text names it and says how to fix it."""


class Settings(BaseSettings):
    """The settings. A test compares README's table of settings with this class."""

    model_config = SettingsConfigDict(env_prefix="TOKEN_DESK_", frozen=True, populate_by_name=True)

    database_url: str = Field(
        default="",
        validation_alias="DATABASE_URL",
        description="PostgreSQL (`postgresql://…`) or SQLite (`sqlite:///path`).",
    )
    demo: bool | None = Field(
        default=None,
        description="Unset: demo mode unless people sign in, for connections to a loopback address "
        "only. `1`: demo mode for everyone who can reach the server. `0`: never demo mode, so "
        "`TOKEN_DESK_SIGN_IN` must say how people sign in.",
    )
    sign_in: Literal["", "oidc", "proxy"] = Field(
        default="",
        description="How people sign in. Unset: demo mode. `oidc`: at an OpenID Connect provider. "
        "`proxy`: a proxy on this machine names them in a header.",
    )
    oidc_client_id: str = Field(
        default="", description="What the provider knows Token Desk by (`oidc`)."
    )
    oidc_client_secret: str = Field(
        default="", repr=False, description="The secret that the provider gave with it."
    )
    oidc_metadata_url: str = Field(
        default="",
        description="The provider's `https://…/.well-known/openid-configuration`.",
    )
    oidc_redirect_uri: str = Field(
        default="",
        description="Token Desk's own address as browsers have it, and `/oauth2callback`.",
    )
    oidc_cookie_secret: str = Field(
        default="",
        repr=False,
        description="Signs the cookie of who is signed in: at least 32 random characters.",
    )
    # The default is the username because it identifies one account of the directory. Two accounts
    # can share an e-mail address, and only the provider knows what a `sub` stands for.
    user_claim: Literal["email", "preferred_username", "sub"] = Field(
        default="preferred_username",
        description="The claim that names the user: `preferred_username` or `sub` is compared "
        "with the username, `email` with the e-mail address. Take `sub` where people can choose "
        "their own `preferred_username`.",
    )
    proxy_header: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = (
        Field(
            default="X-Forwarded-User",
            description="The header in which the proxy names the user (`proxy`).",
        )
    )
    admins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Usernames of the first API administrators, with commas between.",
    )
    idle_minutes: int = Field(
        default=30, gt=0, description="Signed out after so many minutes without a click (`oidc`)."
    )
    session_hours: int = Field(
        default=12, gt=0, description="Signed out so many hours after the sign-in (`oidc`)."
    )
    four_eyes: int = Field(
        default=0,
        ge=0,
        description="Generate & Export for more users than this within an hour needs a second API "
        "administrator. `0`: never.",
    )
    request_days: int = Field(
        default=30,
        ge=1,
        le=365,
        description="A request that nobody accepts lapses after so many days.",
    )
    undo_days: int = Field(
        default=7,
        ge=0,
        le=90,
        description="An operation can be undone for so many days. `0`: never.",
    )
    token_header: Annotated[
        str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,63})?$", to_lower=True)
    ] = Field(
        default="",
        description="A plain header that may carry the token at `verify`, such as `api_token`, "
        "beside `Authorization: Bearer`.",
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="Addresses or networks of the proxies whose `X-Forwarded-For` says which "
        "address a request to the API comes from, for the log and for events; with commas between.",
    )
    open_revoke: bool = Field(
        default=False,
        description="`1`: whoever holds a token may end it at `/api/v1/revoke` without a "
        "service's credentials.",
    )
    data: Path = Field(
        default=ROOT / "data", description="Folder of the default database and the demo's pepper."
    )
    peppers: str = Field(
        default="",
        repr=False,
        description="Keys of the tokens' digests, `1:<64 hex digits>`; several: commas between.",
    )
    token_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]{1,11}$")] = Field(
        default="demo",
        description="What every token begins with: 2 to 12 lower-case letters or digits.",
    )
    import_max: int = Field(
        default=100_000_000, gt=0, description="Largest CSV file the importer reads, in bytes."
    )

    @model_validator(mode="before")
    @classmethod
    def _trim_values(cls, values: dict[str, object]) -> dict[str, object]:
        """Trim every value. A value that is empty then counts as not set."""
        kept = {k: trimmed(v) if isinstance(v, str) else v for k, v in values.items()}
        return {name: value for name, value in kept.items() if value != ""}

    @field_validator("database_url")
    @classmethod
    def _check_database_url(cls, value: str) -> str:
        for short in ("postgresql://", "postgres://"):
            if value.startswith(short):
                return f"postgresql+psycopg://{value.removeprefix(short)}"
        if value and not value.startswith(("postgresql+psycopg://", "sqlite:///")):
            msg = "must start with postgresql:// or sqlite:///"
            raise ValueError(msg)
        return _safe_sqlite(value) if value.startswith("sqlite:///") else value

    @field_validator("peppers")
    @classmethod
    def _check_peppers(cls, value: str) -> str:
        if value:
            _parse_peppers(value)
        return value

    @field_validator("admins", mode="before")
    @classmethod
    def _split_admins(cls, value: object) -> object:
        return _split(value) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parse_networks(cls, value: object) -> object:
        try:
            return tuple(map(ip_network, _split(value))) if isinstance(value, str) else value
        except ValueError:
            msg = "must be addresses or networks such as 10.0.0.0/8, with commas between"
            raise ValueError(msg) from None

    @field_validator("oidc_redirect_uri")
    @classmethod
    def _check_redirect_uri(cls, value: str) -> str:
        return safe_redirect_uri(value) if value else value

    @field_validator("oidc_metadata_url")
    @classmethod
    def _check_metadata_url(cls, value: str) -> str:
        return safe_address(value) if value else value

    @field_validator("oidc_cookie_secret")
    @classmethod
    def _check_cookie_secret(cls, value: str) -> str:
        return safe_cookie_secret(value) if value else value

    # Last in the class, so that it runs first: pydantic runs such validators in reverse order.
    @field_validator("*", mode="before")
    @classmethod
    def _refuse_invisible(cls, value: object) -> object:
        return readable(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_sign_in(self) -> "Settings":
        if self.demo is False and not self.sign_in:
            msg = (
                "without demo mode people must be able to sign in: set TOKEN_DESK_SIGN_IN to "
                "oidc or proxy, or unset TOKEN_DESK_DEMO"
            )
            raise ValueError(msg)
        if self.demo and self.sign_in:
            msg = (
                f"demo mode lets anyone act as anyone, which TOKEN_DESK_SIGN_IN={self.sign_in} "
                "must prevent: unset one of the two"
            )
            raise ValueError(msg)
        if self.sign_in and not self.peppers:
            msg = (
                f"TOKEN_DESK_SIGN_IN={self.sign_in} is for real tokens, whose key must not be "
                "stored beside the database: set TOKEN_DESK_PEPPERS=1:<64 hex digits>"
            )
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_provider_complete(self) -> "Settings":
        given = {name: bool(value) for name, value in self._provider.items()}
        missing = [
            f"TOKEN_DESK_OIDC_{name.upper()}" for name, is_set in given.items() if not is_set
        ]
        if self.sign_in == "oidc" and any(given.values()) and missing:
            msg = f"{', '.join(missing)}: missing; set every TOKEN_DESK_OIDC_… or none"
            raise ValueError(msg)
        return self

    @property
    def _provider(self) -> dict[str, str]:
        return {
            "client_id": self.oidc_client_id,
            "client_secret": self.oidc_client_secret,
            "metadata_url": self.oidc_metadata_url,
            "redirect_uri": self.oidc_redirect_uri,
            "cookie_secret": self.oidc_cookie_secret,
        }

    @property
    def auth(self) -> dict[str, str]:
        """Return the OIDC provider as Streamlit's `[auth]` section.

        Empty unless people sign in with OIDC and the environment has every value.
        """
        if self.sign_in != "oidc" or not all(self._provider.values()):
            return {}
        section = dict(self._provider)
        section["server_metadata_url"] = section.pop("metadata_url")
        return section

    @property
    def demo_mode(self) -> bool:
        """Tell whether visitors choose who they are, because no way to sign in is set."""
        return not self.sign_in

    @property
    def url(self) -> str:
        """Return the URL of the database. The default is a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data / 'token-desk.db'}"

    @property
    def default_database(self) -> bool:
        """Tell whether the default database is used, which demo data may be written to.

        False where people sign in: a real person with the username of a demo person would get the
        roles of that person.
        """
        return not self.database_url and self.demo_mode

    @cached_property
    def pepper_keys(self) -> dict[int, bytes]:
        """Return the peppers by number, 32 bytes each.

        Without the setting, a demo pepper is created once in the data folder, with mode 600.
        Raises UnsafeSettingsError when the stored demo pepper is damaged, and OSError when it
        cannot be stored.
        """
        if self.peppers:
            return _parse_peppers(self.peppers)
        path = self.data / "pepper"
        try:
            return _parse_peppers(_demo_pepper(path))
        except ValueError as error:
            msg = f"Token Desk does not start:\n- {path}: {error}, or be deleted with the demo"
            raise UnsafeSettingsError(msg) from None


def trimmed(value: str) -> str:
    """Return `value` without white space and invisible characters at both ends.

    Files, web forms and copied text add these: a line end, a carriage return, a byte order mark.
    """
    edges = _JOINERS.union(char for char in value if char.isspace() or _is_invisible(char))
    return value.strip("".join(edges))


def readable(value: str) -> str:
    """Return `value`. Raises ValueError if it contains a control or invisible character."""
    for place, char in enumerate(value, 1):
        if _is_invisible(char):
            msg = (
                "must not have a control or invisible character inside: "
                f"character {place} is U+{ord(char):04X}"
            )
            raise ValueError(msg)
    return value


def safe_redirect_uri(value: str) -> str:
    """Return `value`. Raises ValueError if it is unsafe as the address that ends a sign-in."""
    if urlsplit(value).path.rpartition("/")[2] != CALLBACK.strip("/"):
        msg = f"must end in {CALLBACK}"
        raise ValueError(msg)
    return safe_address(value)


def safe_address(value: str) -> str:
    """Return `value`, a URL. Raises ValueError unless it is `https` or a loopback address."""
    if any(char.isspace() for char in value):
        msg = "must not have a space inside"
        raise ValueError(msg)
    url = urlsplit(value)
    if not url.hostname or not (
        url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)
    ):
        msg = "must start with https:// (http:// is for localhost only)"
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


def refuse_base_path(path: str) -> None:
    """Raise UnsafeSettingsError if `path`, Streamlit's `server.baseUrlPath`, is set."""
    if path:
        msg = (
            "Token Desk does not start:\n- server.baseUrlPath: Token Desk cannot be served below "
            f"/{path}, since its access checks do not know such addresses. Leave the setting "
            "empty, and give Token Desk a host name or a port of its own"
        )
        raise UnsafeSettingsError(msg)


def read_settings() -> Settings:
    """Return the settings of this process.

    Raises UnsafeSettingsError with one sentence for each bad setting.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = "\n".join(f"- {_name(e['loc'])}: {_sentence(e['msg'])}" for e in error.errors())
        msg = f"Token Desk does not start:\n{lines}"
        raise UnsafeSettingsError(msg) from None


def _name(location: tuple[int | str, ...]) -> str:
    field = str(location[0]) if location else "sign_in"
    return field if field.isupper() else f"TOKEN_DESK_{field.upper()}"


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in _INVISIBLE and char not in _JOINERS


def _safe_sqlite(url: str) -> str:
    """Return `url`. Raises ValueError if SQLite would open another database than was meant."""
    path, _, query = url.removeprefix("sqlite:///").partition("?")
    if path in {"", "file:"} or ":memory:" in path or "mode=memory" in query.split("&"):
        msg = "must name a file: a database in memory is gone with the process"
        raise ValueError(msg)
    if path != path.strip():
        msg = "must not have a space before or after the path"
        raise ValueError(msg)
    return url


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")


def _parse_peppers(text: str) -> dict[int, bytes]:
    keys = {}
    for part in text.split(","):
        number, _, digits = part.strip().partition(":")
        try:
            known, key = int(number), bytes.fromhex(digits)
        except ValueError:
            msg = "must read 1:<64 hex digits>"
            raise ValueError(msg) from None
        if len(key) != _PEPPER_BYTES or known in keys:
            msg = "must have 64 hex digits (32 bytes) for each number, and each number once"
            raise ValueError(msg)
        keys[known] = key
    return keys


def _demo_pepper(path: Path) -> str:
    """Return the demo's pepper. The first process creates the file; the others read it."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_text(f"1:{secrets.token_hex(_PEPPER_BYTES)}\n")
        try:
            os.link(fresh, path)  # atomic: fails if another process was first
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
