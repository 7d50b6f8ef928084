"""The database URL, checked before a driver trips over it."""

import re
from urllib.parse import parse_qsl

_DRIVER = "postgresql+psycopg://"
_SPELLINGS = (_DRIVER, "postgresql://", "postgres://")
#: As SQLAlchemy reads a URL, so that both see the same parts.
_PARTS = re.compile(
    r"(?:[^:/]*(?::(?P<password>[^@]*))?@)?"
    r"(?:\[(?P<ipv6>[^/?]+)\]|(?P<host>[^/:?]+))?"
    r"(?::(?P<port>[^/?]*))?(?:/(?P<database>[^?]*))?(?:\?(?P<query>.*))?"
)
_HIGHEST_PORT = 65_535
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_OF_SQLITE_URI = {"mode", "cache", "psow"}  # without `nolock` and `immutable`, which are unsafe


def safe_database_url(value: str) -> str:
    """Return `value` with the driver's name. Raises ValueError if it cannot work or is unsafe."""
    for spelling in _SPELLINGS:
        if value.startswith(spelling):
            return _safe_postgresql(value.removeprefix(spelling))
    if not value.startswith("sqlite:///"):
        msg = "must start with postgresql:// or sqlite:///"
        raise ValueError(msg)
    return _safe_sqlite(value)


def _safe_postgresql(rest: str) -> str:
    parts = _PARTS.fullmatch(rest)
    if parts is None or "@" in (parts["host"] or "") or _has_bad_port(parts["port"]):
        msg = (
            "must read postgresql://user:password@host:port/database, with a port from 1 to "
            "65535; in a password write @ as %40, : as %3A, / as %2F and ? as %3F"
        )
        raise ValueError(msg)
    for name, option in parse_qsl(parts["query"] or "", keep_blank_values=True):
        _check_postgresql_option(name, option)
    return _DRIVER + rest


def _has_bad_port(port: str | None) -> bool:
    if port is None:
        return False
    return not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT)


def _check_postgresql_option(name: str, value: str) -> None:
    # Imported late: only a start with PostgreSQL needs the driver, and it takes 0.1 s.
    from psycopg.pq import Conninfo  # noqa: PLC0415

    if name not in {option.keyword.decode() for option in Conninfo.get_defaults()}:
        hints = {
            "schema": ": remove it; other tables than the default ones are chosen by "
            "options=-csearch_path%3Dname",
            "pgbouncer": ": remove it, and give PgBouncer pool_mode=session",
            "ssl": ": write sslmode=require",
        }
        msg = f"must not have the option {name}, which PostgreSQL's driver does not know"
        raise ValueError(msg + hints.get(name, ": remove it"))
    if name == "sslmode" and value not in _SSL_MODES:
        msg = f"must have one of these as sslmode: {', '.join(_SSL_MODES)}"
        raise ValueError(msg)
    if name == "connect_timeout" and not (value.isascii() and value.isdigit()):
        msg = "must have a whole number of seconds as connect_timeout"
        raise ValueError(msg)


def _safe_sqlite(url: str) -> str:
    """Return `url`. Raises ValueError if SQLite would open another database than was meant."""
    path, _, query = url.removeprefix("sqlite:///").partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if path in {"", "file:"} or ":memory:" in path or options.get("mode") == "memory":
        msg = "must name a file: a database in memory is gone with the process"
        raise ValueError(msg)
    if path != path.strip():
        msg = "must not have a space before or after the path"
        raise ValueError(msg)
    _check_sqlite_options(path, options)
    return url


def _check_sqlite_options(path: str, options: dict[str, str]) -> None:
    is_uri = path.startswith("file:") and options.pop("uri", "") == "true"
    unknown = sorted(options.keys() - (_OF_SQLITE_URI if is_uri else set()))
    if unknown:
        msg = f"must not have the option {unknown[0]}: remove it, and all after the ? with it"
        raise ValueError(msg)
    if options.get("mode", "rwc") not in {"ro", "rw", "rwc"}:
        msg = "must have ro, rw or rwc as mode"
        raise ValueError(msg)
    if options.get("cache", "private") not in {"private", "shared"}:
        msg = "must have private or shared as cache"
        raise ValueError(msg)
