"""The settings themselves: every one typed, with its checks, from the environment."""

from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lib.settings.addresses import safe_metadata_url, safe_redirect_uri
from lib.settings.database_url import safe_database_url
from lib.settings.headers import safe_header, safe_proxy_header
from lib.settings.peppers import parse_peppers, safe_peppers, stored_pepper
from lib.settings.sign_in import check_provider, check_sign_in, safe_claim, safe_cookie_secret
from lib.settings.texts import readable, safe_folder, safe_prefix, split, trimmed

ROOT = Path(__file__).resolve().parents[2]


class Settings(BaseSettings):
    """The settings. A test compares README's table of settings with this class."""

    model_config = SettingsConfigDict(
        env_prefix="TOKEN_DESK_", frozen=True, populate_by_name=True, validate_default=False
    )

    database_url: Annotated[str, AfterValidator(safe_database_url)] = Field(
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
    oidc_metadata_url: Annotated[str, AfterValidator(safe_metadata_url)] = Field(
        default="",
        description="The provider's `https://…/.well-known/openid-configuration`.",
    )
    oidc_redirect_uri: Annotated[str, AfterValidator(safe_redirect_uri)] = Field(
        default="",
        description="Token Desk's own address as browsers have it, and `/oauth2callback`.",
    )
    oidc_cookie_secret: Annotated[str, AfterValidator(safe_cookie_secret)] = Field(
        default="",
        repr=False,
        description="Signs the cookie of who is signed in: at least 32 random characters.",
    )
    # The default is the username because it identifies one account of the directory. Two accounts
    # can share an e-mail address, and only the provider knows what a `sub` stands for.
    user_claim: Annotated[str, AfterValidator(safe_claim)] = Field(
        default="preferred_username",
        description="The claim that names the user, such as `upn`: `email` is compared with the "
        "e-mail address, any other with the username. Take `sub` where people can choose their own "
        "`preferred_username`.",
    )
    proxy_header: Annotated[str, AfterValidator(safe_proxy_header)] = Field(
        default="X-Forwarded-User",
        description="The header in which the proxy names the user (`proxy`).",
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
    token_header: Annotated[str, AfterValidator(safe_header), AfterValidator(str.lower)] = Field(
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
    data: Annotated[Path, AfterValidator(safe_folder)] = Field(
        default=ROOT / "data", description="Folder of the default database and the demo's pepper."
    )
    peppers: Annotated[str, AfterValidator(safe_peppers)] = Field(
        default="",
        repr=False,
        description="Keys of the tokens' digests, `1:<64 hex digits>`; several: commas between.",
    )
    token_prefix: Annotated[str, AfterValidator(safe_prefix)] = Field(
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

    @field_validator("admins", mode="before")
    @classmethod
    def _split_admins(cls, value: object) -> object:
        return split(value) if isinstance(value, str) else value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _parse_networks(cls, value: object) -> object:
        try:
            return tuple(map(ip_network, split(value))) if isinstance(value, str) else value
        except ValueError:
            msg = "must be addresses or networks such as 10.0.0.0/8, with commas between"
            raise ValueError(msg) from None

    # Last in the class, so that it runs first: pydantic runs such validators in reverse order.
    @field_validator("*", mode="before")
    @classmethod
    def _refuse_invisible(cls, value: object) -> object:
        return readable(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check_sign_in(self) -> "Settings":
        check_sign_in(demo=self.demo, sign_in=self.sign_in, has_peppers=bool(self.peppers))
        if self.sign_in == "oidc":
            check_provider(self._provider)
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

        Raises:
            PepperFileError: The stored demo pepper is cut off or damaged.
            OSError: The demo pepper cannot be stored or read.
        """
        return parse_peppers(self.peppers) if self.peppers else stored_pepper(self.data / "pepper")
