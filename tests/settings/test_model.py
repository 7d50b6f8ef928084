"""The settings, their validation, and the demo's pepper."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lib.settings import (
    ROOT,
    PepperFileError,
    Settings,
    UnsafeSettingsError,
    peppers,
    read_settings,
)

PEPPER = "ab" * 32
READ_PEPPER = (
    "from lib.settings import read_settings\nprint(read_settings().pepper_keys[1].hex(), end='')"
)


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    """Remove all settings from the environment; data goes to the test's own folder."""
    for name in list(os.environ):
        if name.startswith("TOKEN_DESK_") or name == "DATABASE_URL":
            monkeypatch.delenv(name)
    monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path / "data"))


class TestDefaults:
    """The defaults."""

    def test_nothing_set(self, monkeypatch):
        """The defaults are a SQLite file in the data folder, demo mode and the prefix `demo`."""
        monkeypatch.delenv("TOKEN_DESK_DATA")
        settings = read_settings()
        assert settings.url == f"sqlite:///{ROOT / 'data' / 'token-desk.db'}"
        assert settings.default_database
        assert (settings.demo, settings.token_prefix) == (None, "demo")
        assert settings.import_max == 100_000_000

    @pytest.mark.parametrize("value", ["1", "true"])
    def test_demo_for_everyone(self, monkeypatch, value):
        """Demo mode for everyone must be set explicitly."""
        monkeypatch.setenv("TOKEN_DESK_DEMO", value)
        assert read_settings().demo is True

    @pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
    def test_postgresql(self, monkeypatch, scheme):
        """Every spelling of a PostgreSQL URL selects the installed driver."""
        monkeypatch.setenv("DATABASE_URL", f"{scheme}://desk@db/desk")
        settings = read_settings()
        assert settings.url == "postgresql+psycopg://desk@db/desk"
        assert not settings.default_database

    @pytest.mark.parametrize(
        "rest",
        [
            "u:a%40b@db:5432/desk?sslmode=require&application_name=desk",
            "u:p/w?x#y@[::1]:1/desk",
            "/desk?host=/run/postgresql",
            "desk?options=-csearch_path%3Dx&connect_timeout=5",
        ],
    )
    def test_a_url_that_the_driver_takes_is_taken(self, monkeypatch, rest):
        """Nothing of it is changed but the name of the driver."""
        monkeypatch.setenv("DATABASE_URL", f"postgresql://{rest}")
        assert read_settings().url == f"postgresql+psycopg://{rest}"

    def test_the_http_side(self, monkeypatch):
        """No token header, no trusted proxy, no open revoke; requests last 30 days."""
        settings = read_settings()
        assert (settings.token_header, settings.trusted_proxies) == ("", ())
        assert (settings.open_revoke, settings.request_days) == (False, 30)
        monkeypatch.setenv("TOKEN_DESK_TOKEN_HEADER", "API_Token")
        monkeypatch.setenv("TOKEN_DESK_TRUSTED_PROXIES", "10.0.0.0/8, 127.0.0.1,::1")
        assert read_settings().token_header == "api_token"  # noqa: S105 - a header's name
        assert [str(each) for each in read_settings().trusted_proxies] == [
            "10.0.0.0/8",
            "127.0.0.1/32",
            "::1/128",
        ]

    def test_settings_cannot_be_changed(self):
        """A Settings object is immutable."""
        with pytest.raises(ValueError, match="frozen"):
            read_settings().import_max = 1


class TestRefusals:
    """An unsafe value stops the start; the sentence names the setting and the fix."""

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("DATABASE_URL", "mysql://x/y", "must start with postgresql:// or sqlite:///"),
            ("DATABASE_URL", "desk.db", "must start with postgresql:// or sqlite:///"),
            ("DATABASE_URL", '"sqlite:///desk.db"', "must not have quotation marks around it"),
            ("DATABASE_URL", "postgresql://db/x?schema=public", "the option schema"),
            (
                "DATABASE_URL",
                "postgres://db/x?pgbouncer=true",
                "the option pgbouncer",
            ),
            ("DATABASE_URL", "postgresql://db/x?pgbouncer", "the option pgbouncer"),
            ("DATABASE_URL", "postgresql://db/x?ssl=true", "write sslmode=require"),
            ("DATABASE_URL", "postgresql://db/x?sslmode=no-verify", "one of these as sslmode"),
            ("DATABASE_URL", "postgresql://db/x?connect_timeout=5s", "a whole number of seconds"),
            *(
                ("DATABASE_URL", f"postgresql://{bad}/desk", "with a port from 1 to 65535")
                for bad in ("db:", "db:0", "db:54a32", "db:65536", "u:p:5432", "u:p@ss@db", "[::1")
            ),
            ("DATABASE_URL", "sqlite:///desk.db?schema=x", "the option schema"),
            ("DATABASE_URL", "sqlite:///desk.db?mode=ro", "must not have the option mode"),
            (
                "DATABASE_URL",
                "sqlite:///file:x?uri=true&nolock=1",
                "the option nolock",
            ),
            ("DATABASE_URL", "sqlite:///file:x?uri=true&mode=w", "ro, rw or rwc as mode"),
            ("DATABASE_URL", "sqlite:///file:x?uri=true&cache=no", "private or shared as cache"),
            ("TOKEN_DESK_DATA", "~/data", "must not begin with ~"),
            (
                "TOKEN_DESK_DEMO",
                "0",
                (
                    "without demo mode people must be able to sign in: set TOKEN_DESK_SIGN_IN to "
                    "oidc or proxy, or unset TOKEN_DESK_DEMO"
                ),
            ),
            ("TOKEN_DESK_SIGN_IN", "ldap", "'oidc' or 'proxy'"),
            *(
                ("TOKEN_DESK_USER_CLAIM", name, "must be the name of a claim")
                for name in ("user name", "tokens", "provider", "origin", "is_logged_in")
            ),
            ("TOKEN_DESK_PROXY_HEADER", "X Forwarded", "must be the name of a header"),
            ("TOKEN_DESK_PROXY_HEADER", "X-User:", "must be the name of a header"),
            ("TOKEN_DESK_IDLE_MINUTES", "0", "greater than 0"),
            ("TOKEN_DESK_SESSION_HOURS", "-1", "greater than 0"),
            ("TOKEN_DESK_FOUR_EYES", "-1", "greater than or equal to 0"),
            ("TOKEN_DESK_OIDC_REDIRECT_URI", "https://desk/", "must end in /oauth2callback"),
            ("TOKEN_DESK_OIDC_REDIRECT_URI", "http://desk/oauth2callback", "https://"),
            ("TOKEN_DESK_OIDC_REDIRECT_URI", "/oauth2callback", "https://"),
            ("TOKEN_DESK_OIDC_METADATA_URL", "http://id.example.com/x", "https://"),
            ("TOKEN_DESK_OIDC_METADATA_URL", "https://id.example.com/", "openid-configuration"),
            ("TOKEN_DESK_OIDC_METADATA_URL", "https://id.example.com:0x/", "a port from 1 to"),
            ("TOKEN_DESK_OIDC_METADATA_URL", "https://[::1/x", "must be an address such as"),
            ("TOKEN_DESK_OIDC_COOKIE_SECRET", "short", "at least 32 characters"),
            ("TOKEN_DESK_DEMO", "perhaps", "valid boolean"),
            ("TOKEN_DESK_PEPPERS", PEPPER, "must read 1:<64 hex digits>"),
            ("TOKEN_DESK_PEPPERS", "one:" + PEPPER, "must read 1:<64 hex digits>"),
            ("TOKEN_DESK_PEPPERS", f"-1:{PEPPER}", "must read 1:<64 hex digits>"),
            ("TOKEN_DESK_PEPPERS", "1:xyz", "must read 1:<64 hex digits>"),
            ("TOKEN_DESK_PEPPERS", "1:abcd", "must have 64 hex digits (32 bytes)"),
            ("TOKEN_DESK_PEPPERS", f"1:{PEPPER},2:", "must have 64 hex digits (32 bytes)"),
            ("TOKEN_DESK_TOKEN_PREFIX", "X", "must be 2 to 12 lower-case letters or digits"),
            ("TOKEN_DESK_TOKEN_PREFIX", "=cmd", "must be 2 to 12 lower-case letters or digits"),
            ("TOKEN_DESK_TOKEN_PREFIX", "a_b", "must be 2 to 12 lower-case letters or digits"),
            (
                "TOKEN_DESK_TOKEN_PREFIX",
                "thirteenchars",
                "must be 2 to 12 lower-case letters or digits",
            ),
            ("TOKEN_DESK_REQUEST_DAYS", "0", "greater than or equal to 1"),
            ("TOKEN_DESK_REQUEST_DAYS", "366", "less than or equal to 365"),
            ("TOKEN_DESK_TOKEN_HEADER", "api token", "must be the name of a header"),
            ("TOKEN_DESK_TOKEN_HEADER", "api_token:", "must be the name of a header"),
            ("TOKEN_DESK_TOKEN_HEADER", "Authorization", "must not be Authorization, which has"),
            ("TOKEN_DESK_TOKEN_HEADER", "x_token_username", "must not be x_token_username"),
            ("TOKEN_DESK_PROXY_HEADER", "Cookie", "must not be Cookie, which has another meaning"),
            ("TOKEN_DESK_PROXY_HEADER", "X_User", "must not have an underscore"),
            ("TOKEN_DESK_UNDO_DAYS", "-1", "greater than or equal to 0"),
            ("TOKEN_DESK_UNDO_DAYS", "91", "less than or equal to 90"),
            ("TOKEN_DESK_TRUSTED_PROXIES", "everybody", "addresses or networks such as"),
            ("TOKEN_DESK_TRUSTED_PROXIES", "10.0.0.1/8", "addresses or networks such as"),
            ("TOKEN_DESK_OPEN_REVOKE", "perhaps", "valid boolean"),
            ("TOKEN_DESK_IMPORT_MAX", "0", "greater than 0"),
            ("TOKEN_DESK_IMPORT_MAX", "100 MB", "valid integer"),
        ],
    )
    def test_an_unsafe_value_stops_the_start(self, monkeypatch, name, value, sentence):
        """The error has a heading, and one line for each setting."""
        monkeypatch.setenv(name, value)
        with pytest.raises(UnsafeSettingsError) as caught:
            read_settings()
        heading, line = str(caught.value).split("\n")
        assert heading == "Token Desk does not start:"
        assert name in line
        assert sentence in line
        assert isinstance(caught.value, SystemExit)

    def test_a_pepper_is_never_shown(self, monkeypatch):
        """No pepper is in an error, or in `repr`."""
        monkeypatch.setenv("TOKEN_DESK_PEPPERS", f"1:{PEPPER},2:{PEPPER[:-2]}")
        with pytest.raises(UnsafeSettingsError) as caught:
            read_settings()
        assert PEPPER[:8] not in str(caught.value)
        assert PEPPER[:8] not in repr(Settings(peppers=f"1:{PEPPER}"))

    def test_several_faults_at_once(self, monkeypatch):
        """One error names all bad settings."""
        monkeypatch.setenv("DATABASE_URL", "x")
        monkeypatch.setenv("TOKEN_DESK_IMPORT_MAX", "x")
        with pytest.raises(UnsafeSettingsError) as caught:
            read_settings()
        assert [line.partition(":")[0] for line in str(caught.value).split("\n")[1:]] == [
            "- DATABASE_URL",
            "- TOKEN_DESK_IMPORT_MAX",
        ]


#: A good value of every setting.
VALUES = {
    "DATABASE_URL": "sqlite:////srv/token desk/desk.db",
    "TOKEN_DESK_DEMO": "true",
    "TOKEN_DESK_SIGN_IN": "proxy",
    "TOKEN_DESK_OIDC_CLIENT_ID": "token desk",
    "TOKEN_DESK_OIDC_CLIENT_SECRET": "a secret",
    "TOKEN_DESK_OIDC_METADATA_URL": "https://id.example.com/.well-known/openid-configuration",
    "TOKEN_DESK_OIDC_REDIRECT_URI": "https://desk.example.com/oauth2callback",
    "TOKEN_DESK_OIDC_COOKIE_SECRET": "a cookie secret of 32 characters",
    "TOKEN_DESK_USER_CLAIM": "email",
    "TOKEN_DESK_PROXY_HEADER": "X-User",
    "TOKEN_DESK_ADMINS": "mhale, ada okafor",
    "TOKEN_DESK_IDLE_MINUTES": "45",
    "TOKEN_DESK_SESSION_HOURS": "10",
    "TOKEN_DESK_FOUR_EYES": "100",
    "TOKEN_DESK_REQUEST_DAYS": "14",
    "TOKEN_DESK_UNDO_DAYS": "10",
    "TOKEN_DESK_TOKEN_HEADER": "api_token",
    "TOKEN_DESK_TRUSTED_PROXIES": "10.0.0.0/8, ::1",
    "TOKEN_DESK_OPEN_REVOKE": "true",
    "TOKEN_DESK_DATA": "/srv/token desk",
    "TOKEN_DESK_PEPPERS": f"1:{PEPPER}, 2:{'cd' * 32}",
    "TOKEN_DESK_TOKEN_PREFIX": "desk",
    "TOKEN_DESK_IMPORT_MAX": "1000",
}
AROUND = ("\r\n", *" \n\r\t\x1b\x7f\u00a0\u200b\u200c\u200d\u2028\u202e\ufeff")
INSIDE = "\n\r\t\0\x1b\x7f\x85\u200b\u2028\u202e\ufeff\udcff"


def read_with(monkeypatch, name: str, value: str) -> Settings:
    """Return the settings with one more variable, also one that an environment could not hold."""
    beside = {"TOKEN_DESK_PEPPERS": f"1:{PEPPER}"} if name == "TOKEN_DESK_SIGN_IN" else {}
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", {**os.environ, **beside, name: value})
        return read_settings()


class TestCharacters:
    """Invisible characters, which copied text can have, are cut at the ends and refused inside."""

    def test_every_setting_is_here(self):
        """The table of values above has every setting."""
        fields = Settings.model_fields.items()
        assert set(VALUES) == {
            str(field.validation_alias or f"TOKEN_DESK_{name.upper()}") for name, field in fields
        }

    @pytest.mark.parametrize("name", VALUES)
    def test_around_a_value_they_are_cut(self, monkeypatch, name):
        """They are cut from values of every type; a plain space inside stays if it is allowed."""
        wanted = read_with(monkeypatch, name, VALUES[name])
        for char in AROUND:
            assert read_with(monkeypatch, name, f"{char}{VALUES[name]}{char}") == wanted
        assert wanted != read_with(monkeypatch, name, "")

    @pytest.mark.parametrize("name", VALUES)
    def test_inside_a_value_they_are_refused(self, monkeypatch, name):
        """The error names the setting, the position and the character, but not the value."""
        value = VALUES[name]
        middle = len(value) // 2
        for char in INSIDE:
            with pytest.raises(UnsafeSettingsError) as caught:
                read_with(monkeypatch, name, f"{value[:middle]}{char}{value[middle:]}")
            sentence = (
                f"- {name}: must not have a control or invisible character inside: "
                f"character {middle + 1} is U+{ord(char):04X}"
            )
            assert str(caught.value).split("\n")[1:] == [sentence]

    @pytest.mark.parametrize("blank", ["", " ", "\r\n", "\ufeff"])
    @pytest.mark.parametrize("name", VALUES)
    def test_a_value_of_which_nothing_is_left_is_unset(self, monkeypatch, name, blank):
        """Empty text counts as not set: as a data folder it would mean the working directory."""
        monkeypatch.delenv("TOKEN_DESK_DATA")
        unset = read_settings()
        monkeypatch.setenv(name, blank)
        assert read_settings() == unset

    def test_words_that_need_joiners_keep_them(self, monkeypatch):
        """Joiners are invisible too, but Persian and other scripts need them."""
        path = "/srv/\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
        assert read_with(monkeypatch, "TOKEN_DESK_DATA", path).data == Path(path)

    @pytest.mark.parametrize("url", ["sqlite:/// desk.db", "sqlite:///desk.db ?timeout=5"])
    def test_a_space_before_or_after_the_path_is_refused(self, monkeypatch, url):
        """A space at the ends of the path would name another file."""
        with pytest.raises(UnsafeSettingsError, match="DATABASE_URL: must not have a space before"):
            read_with(monkeypatch, "DATABASE_URL", url)

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite:///file::memory:?cache=shared&uri=true",
            "sqlite:///file:desk?mode=memory&uri=true",
        ],
    )
    def test_a_database_in_memory_is_refused(self, monkeypatch, url):
        """A database in memory would lose everything with the process."""
        with pytest.raises(UnsafeSettingsError, match="DATABASE_URL: must name a file"):
            read_with(monkeypatch, "DATABASE_URL", url)

    @pytest.mark.parametrize("name", ["OIDC_METADATA_URL", "OIDC_REDIRECT_URI"])
    def test_an_address_has_no_space(self, monkeypatch, name):
        """A space inside of a URL is refused, since browsers change it."""
        value = VALUES[f"TOKEN_DESK_{name}"].replace("example", "exa mple")
        with pytest.raises(UnsafeSettingsError, match=f"{name}: must not have a space inside"):
            read_with(monkeypatch, f"TOKEN_DESK_{name}", value)


class TestPeppers:
    """Peppers, the keys of digests."""

    def test_from_the_environment(self, monkeypatch, tmp_path):
        """Peppers from the environment are parsed by number, and no file is written."""
        monkeypatch.setenv("TOKEN_DESK_PEPPERS", f"1:{PEPPER}, 2:{'cd' * 32}")
        assert read_settings().pepper_keys == {1: b"\xab" * 32, 2: b"\xcd" * 32}
        assert not (tmp_path / "data").exists()

    def test_the_demos_own(self, tmp_path):
        """The demo's pepper is written once with mode 600, and read again at the next start."""
        first = read_settings().pepper_keys
        path = tmp_path / "data" / "pepper"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [len(key) for key in first.values()] == [32]
        assert read_settings().pepper_keys == first
        assert [file.name for file in path.parent.iterdir()] == ["pepper"]

    def test_a_damaged_file_is_not_replaced(self, monkeypatch, tmp_path):
        """A damaged file is not replaced, since all tokens would stop working."""
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
        (tmp_path / "pepper").write_text("1:abcd\n")
        with pytest.raises(PepperFileError, match="must have 64 hex digits"):
            _ = read_settings().pepper_keys

    @pytest.mark.parametrize("content", [b"", b"1:ab", b"\xff\xfe"])
    def test_a_file_that_stays_cut_off_is_refused(self, monkeypatch, tmp_path, content):
        """Whoever finds the file waits for its whole line, for a limited time."""
        monkeypatch.setattr(peppers, "_SECONDS", 0.1)
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
        (tmp_path / "pepper").write_bytes(content)
        with pytest.raises(PepperFileError, match="or be deleted with the demo"):
            _ = read_settings().pepper_keys
        assert (tmp_path / "pepper").read_bytes() == content

    def test_a_file_that_is_being_written_is_waited_for(self, monkeypatch, tmp_path):
        """The line comes in two pieces, the second one while the reader waits."""
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
        path = tmp_path / "pepper"
        path.write_text(f"1:{PEPPER[:10]}")
        monkeypatch.setattr(
            peppers.time, "sleep", lambda _seconds: path.write_text(f"1:{PEPPER}\n")
        )
        assert read_settings().pepper_keys == {1: b"\xab" * 32}

    def test_a_full_disk_leaves_no_file(self, monkeypatch, tmp_path):
        """A half-written pepper would stop every later start."""
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path))
        real = os.open

        def onto_full_disk(path, flags, mode=0o777):
            os.close(real(path, flags, mode))
            return real("/dev/full", os.O_WRONLY)

        monkeypatch.setattr(peppers.os, "open", onto_full_disk)
        with pytest.raises(OSError, match="No space left"):
            _ = read_settings().pepper_keys
        assert list(tmp_path.iterdir()) == []

    def test_a_number_that_stands_twice_is_refused(self, monkeypatch):
        """Two peppers with the same number are refused."""
        monkeypatch.setenv("TOKEN_DESK_PEPPERS", f"1:{PEPPER},1:{PEPPER}")
        with pytest.raises(UnsafeSettingsError, match=r"TOKEN_DESK_PEPPERS: .* each number once"):
            read_settings()

    def test_another_folder_has_another(self, monkeypatch, tmp_path):
        """Each data folder gets its own random pepper."""
        first = read_settings().pepper_keys
        monkeypatch.setenv("TOKEN_DESK_DATA", str(tmp_path / "other"))
        assert read_settings().pepper_keys != first

    def test_processes_that_start_at_once_get_the_same(self, tmp_path):
        """Processes that start at once all use the pepper of the first one."""
        runs = [
            subprocess.Popen([sys.executable, "-c", READ_PEPPER], cwd=ROOT, stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        keys = {run.communicate(timeout=60)[0].decode() for run in runs}
        assert len(keys) == 1
        assert (tmp_path / "data" / "pepper").read_text() == f"1:{keys.pop()}\n"
        assert [f.name for f in Path(tmp_path / "data").iterdir()] == ["pepper"]


OIDC = {
    "TOKEN_DESK_OIDC_CLIENT_ID": "desk",
    "TOKEN_DESK_OIDC_CLIENT_SECRET": "client-secret",
    "TOKEN_DESK_OIDC_METADATA_URL": "https://id.example.com/.well-known/openid-configuration",
    "TOKEN_DESK_OIDC_REDIRECT_URI": "https://desk.example.com/oauth2callback",
    "TOKEN_DESK_OIDC_COOKIE_SECRET": "a cookie secret of 32 characters",
}


@pytest.fixture
def signing_in(monkeypatch):
    """Set sign-in with OIDC, and peppers."""
    monkeypatch.setenv("TOKEN_DESK_SIGN_IN", "oidc")
    monkeypatch.setenv("TOKEN_DESK_PEPPERS", f"1:{PEPPER}")


@pytest.mark.usefixtures("signing_in")
class TestSigningIn:
    """Settings of sign-in, without which demo mode is on."""

    def test_demo_mode(self, monkeypatch):
        """Demo mode is on only without sign-in; with sign-in no demo data is written."""
        assert not read_settings().demo_mode
        assert not read_settings().default_database
        monkeypatch.setenv("TOKEN_DESK_DEMO", "0")
        assert not read_settings().demo_mode
        monkeypatch.delenv("TOKEN_DESK_SIGN_IN")
        monkeypatch.delenv("TOKEN_DESK_DEMO")
        assert read_settings().demo_mode

    @pytest.mark.parametrize("way", ["oidc", "proxy"])
    def test_demo_for_everyone_is_refused(self, monkeypatch, way):
        """Demo mode and sign-in together are refused."""
        monkeypatch.setenv("TOKEN_DESK_SIGN_IN", way)
        monkeypatch.setenv("TOKEN_DESK_DEMO", "1")
        with pytest.raises(UnsafeSettingsError, match="unset one of the two"):
            read_settings()

    @pytest.mark.parametrize("way", ["oidc", "proxy"])
    def test_peppers_are_asked_for(self, monkeypatch, way):
        """Sign-in needs peppers: the demo's pepper is stored beside the database."""
        monkeypatch.setenv("TOKEN_DESK_SIGN_IN", way)
        monkeypatch.delenv("TOKEN_DESK_PEPPERS")
        with pytest.raises(UnsafeSettingsError, match="set TOKEN_DESK_PEPPERS=1:<64 hex digits>"):
            read_settings()

    def test_the_provider_becomes_streamlits_section(self, monkeypatch):
        """The provider becomes a section with the names that Streamlit expects."""
        for name, value in OIDC.items():
            monkeypatch.setenv(name, value)
        assert read_settings().auth == {
            "client_id": "desk",
            "client_secret": "client-secret",
            "server_metadata_url": OIDC["TOKEN_DESK_OIDC_METADATA_URL"],
            "redirect_uri": OIDC["TOKEN_DESK_OIDC_REDIRECT_URI"],
            "cookie_secret": OIDC["TOKEN_DESK_OIDC_COOKIE_SECRET"],
        }
        monkeypatch.setenv("TOKEN_DESK_SIGN_IN", "proxy")
        assert read_settings().auth == {}

    @pytest.mark.parametrize("missing", OIDC)
    def test_each_value_is_missed(self, monkeypatch, missing):
        """A missing value is named; if all are missing the secrets file is used."""
        assert read_settings().auth == {}
        for name in OIDC.keys() - {missing}:
            monkeypatch.setenv(name, OIDC[name])
        with pytest.raises(UnsafeSettingsError, match=f"{missing}: missing"):
            read_settings()

    def test_secrets_are_never_shown(self, monkeypatch):
        """No secret is in `repr`, or in an error."""
        for name, value in OIDC.items():
            monkeypatch.setenv(name, value)
        representation = repr(read_settings())
        monkeypatch.setenv("TOKEN_DESK_OIDC_COOKIE_SECRET", "short-cookie-secret")
        with pytest.raises(UnsafeSettingsError) as caught:
            read_settings()
        for secret in ("client-secret", "cookie secret", "short-cookie-secret"):
            assert secret not in representation + str(caught.value)

    @pytest.mark.parametrize(
        "address", ["http://localhost:8501/oauth2callback", "http://[::1]:8501/oauth2callback"]
    )
    def test_http_on_this_machine(self, monkeypatch, address):
        """Plain HTTP is allowed for loopback addresses."""
        monkeypatch.setenv("TOKEN_DESK_OIDC_REDIRECT_URI", address)
        monkeypatch.setenv("TOKEN_DESK_SIGN_IN", "proxy")
        assert read_settings().oidc_redirect_uri == address

    def test_the_rest_has_defaults(self):
        """The other settings of sign-in have defaults."""
        settings = read_settings()
        assert (settings.user_claim, settings.proxy_header) == (
            "preferred_username",
            "X-Forwarded-User",
        )
        assert (settings.idle_minutes, settings.session_hours) == (30, 12)
        assert (settings.four_eyes, settings.admins) == (0, ())

    def test_first_administrators(self, monkeypatch):
        """Usernames are separated by commas."""
        monkeypatch.setenv("TOKEN_DESK_ADMINS", " mhale , okafor,,")
        assert read_settings().admins == ("mhale", "okafor")
