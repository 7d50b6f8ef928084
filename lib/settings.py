"""Every setting, typed, from the environment. An unsafe value stops the start and says the fix."""

import os
import secrets
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent
_PEPPER_BYTES = 32


class UnsafeSettings(SystemExit):
    """A setting is missing or unsafe; the text says how to mend it."""


class Settings(BaseSettings):
    """What can be set. README's table of settings is compared with this class by a test."""

    model_config = SettingsConfigDict(env_prefix="TOKEN_DESK_", frozen=True, populate_by_name=True)

    database_url: str = Field(
        default="",
        validation_alias="DATABASE_URL",
        description="PostgreSQL (`postgresql://…`) or SQLite (`sqlite:///path`).",
    )
    demo: bool | None = Field(
        default=None,
        description="Unset: demo mode, for connections to a loopback address only. "
        "`1`: demo mode for everyone who can reach the server. `0`: refused by this version.",
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

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str) -> str:
        for short in ("postgresql://", "postgres://"):
            if value.startswith(short):
                return f"postgresql+psycopg://{value.removeprefix(short)}"
        if value and not value.startswith(("postgresql+psycopg://", "sqlite:///")):
            msg = "must start with postgresql:// or sqlite:///"
            raise ValueError(msg)
        return value

    @field_validator("peppers")
    @classmethod
    def _whole_peppers(cls, value: str) -> str:
        if value:
            _parse_peppers(value)
        return value

    @model_validator(mode="after")
    def _signed_in_somehow(self) -> "Settings":
        if self.demo is False:
            msg = (
                "this version has no sign-in, so it runs in demo mode only: "
                "unset TOKEN_DESK_DEMO, and keep real tokens out of it"
            )
            raise ValueError(msg)
        return self

    @property
    def url(self) -> str:
        """Return the database's address; the default is a SQLite file in the data folder."""
        return self.database_url or f"sqlite:///{self.data / 'token-desk.db'}"

    @property
    def default_database(self) -> bool:
        """Tell whether nobody chose a database, so that demo data may be put into it."""
        return not self.database_url

    @cached_property
    def pepper_keys(self) -> dict[int, bytes]:
        """Return the numbered keys; the demo's is written once, readable by its owner only."""
        if self.peppers:
            return _parse_peppers(self.peppers)
        path = self.data / "pepper"
        try:
            return _parse_peppers(_demo_pepper(path))
        except ValueError as error:
            msg = f"Token Desk does not start:\n- {path}: {error}, or be deleted with the demo"
            raise UnsafeSettings(msg) from None


def read_settings() -> Settings:
    """Return the settings of this process. Raises UnsafeSettings with a sentence a setting."""
    try:
        return Settings()
    except ValidationError as error:
        faults = "\n".join(f"- {_name(e['loc'])}: {_say(e['msg'])}" for e in error.errors())
        msg = f"Token Desk does not start:\n{faults}"
        raise UnsafeSettings(msg) from None


def _name(location: tuple[int | str, ...]) -> str:
    field = str(location[0]) if location else "demo"
    return field if field.isupper() else f"TOKEN_DESK_{field.upper()}"


def _say(message: str) -> str:
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
    """Return the demo's pepper. Whoever comes first writes it; the others read what they wrote."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh.touch(mode=0o600)
        fresh.write_text(f"1:{secrets.token_hex(_PEPPER_BYTES)}\n")
        try:
            os.link(fresh, path)  # fails when another process was first, and never half written
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()
