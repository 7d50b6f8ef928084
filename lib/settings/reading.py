"""Reading the settings of this process, and the sentences of those that are bad."""

from pydantic import ValidationError

from lib.settings.model import Settings


class UnsafeSettingsError(SystemExit):
    """A setting is missing or unsafe; the text names it and says how to fix it."""


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


def refuse_base_path(path: str) -> None:
    """Raise UnsafeSettingsError if `path`, Streamlit's `server.baseUrlPath`, is set."""
    if path:
        msg = (
            "Token Desk does not start:\n- server.baseUrlPath: Token Desk cannot be served below "
            f"/{path}, since its access checks do not know such addresses. Leave the setting "
            "empty, and give Token Desk a host name or a port of its own"
        )
        raise UnsafeSettingsError(msg)


def _name(location: tuple[int | str, ...]) -> str:
    field = str(location[0]) if location else "sign_in"
    return field if field.isupper() else f"TOKEN_DESK_{field.upper()}"


def _sentence(message: str) -> str:
    return message.removeprefix("Value error, ")
