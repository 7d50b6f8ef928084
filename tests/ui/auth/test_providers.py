"""Providers from the environment or the secrets file; a fault stops the start."""

import pytest
import streamlit as st

from lib.settings import Settings, UnsafeSettingsError
from lib.ui.auth import providers
from lib.ui.auth.providers import Provider

SHARED = {
    "redirect_uri": "https://desk.example.com/oauth2callback",
    "cookie_secret": "a cookie secret of 32 characters",
}
ONE = {
    "client_id": "desk",
    "client_secret": "secret",
    "server_metadata_url": "https://id.example.com/.well-known/openid-configuration",
}
PEPPERS = f"1:{'ab' * 32}"


@pytest.fixture
def secrets(monkeypatch):
    """Put an `[auth]` section into Streamlit's secrets, as if a file had it."""

    def put(auth: dict) -> None:
        monkeypatch.setattr(st.secrets, "_secrets", {"auth": auth} if auth else {})

    put({})
    return put


def settings(**values: object) -> Settings:
    """Return settings for a sign-in with OIDC."""
    return Settings(**{"sign_in": "oidc", "peppers": PEPPERS} | values)


class TestTheSection:
    """What Streamlit's sign-in is given."""

    def test_auth_section_without_oidc_is_empty(self, secrets):
        """In demo mode and behind a proxy, whatever the file has."""
        secrets(SHARED | ONE)
        assert providers.auth_section(settings(sign_in="")) == {}
        assert providers.auth_section(settings(sign_in="proxy")) == {}

    def test_auth_section_from_the_file_keeps_its_providers(self, secrets):
        """One, several with names, or both."""
        for auth in (
            SHARED | ONE,
            SHARED | {"okta": ONE},
            SHARED | {"okta": ONE, "entra-id": ONE},
            SHARED | ONE | {"okta": ONE},
        ):
            secrets(auth)
            assert providers.auth_section(settings()) == auth

    def test_auth_section_from_the_environment_goes_before_the_file(self, secrets):
        """One provider."""
        secrets({"cookie_secret": "short"})
        found = providers.auth_section(
            settings(
                oidc_client_id="desk",
                oidc_client_secret="secret",  # noqa: S106 - no real one
                oidc_metadata_url=ONE["server_metadata_url"],
                oidc_redirect_uri=SHARED["redirect_uri"],
                oidc_cookie_secret=SHARED["cookie_secret"],
            )
        )
        assert found == SHARED | ONE

    @pytest.mark.parametrize("char", ["\n", " ", "\r\n", "\ufeff", "\x1b"])
    def test_auth_section_with_invisible_characters_around_values_trims_them(self, secrets, char):
        """In all sections; values that are not text stay."""
        more = {"client_kwargs": {"scope": "openid profile", "leeway": 5}, "expose_tokens": ["id"]}
        wanted = SHARED | ONE | {"okta": ONE | more}

        def around(section: dict) -> dict:
            return {
                name: around(value)
                if isinstance(value, dict)
                else f"{char}{value}{char}"
                if isinstance(value, str)
                else value
                for name, value in section.items()
            }

        secrets(around(wanted))
        assert providers.auth_section(settings()) == wanted

    @pytest.mark.parametrize("char", ["\n", "\x00", "\u200b"])
    def test_auth_section_with_invisible_characters_inside_values_is_refused(self, secrets, char):
        """The sentence names section and value, and shows neither secret nor address."""
        bad = f"se{char}cret"
        secrets(
            SHARED
            | {"redirect_uri": f"https://desk.example.com/{char}oauth2callback"}
            | {"okta": ONE | {"client_secret": bad, "client_kwargs": {"scope": f"openid{char}x"}}}
        )
        with pytest.raises(UnsafeSettingsError) as caught:
            providers.auth_section(settings())
        fault = "must not have a control or invisible character inside: character {} is U+{:04X}"
        assert str(caught.value).split("\n")[1:] == [
            f"- [auth] redirect_uri: {fault.format(26, ord(char))}",
            f"- [auth.okta] client_secret: {fault.format(3, ord(char))}",
            f"- [auth.okta.client_kwargs] scope: {fault.format(7, ord(char))}",
        ]

    @pytest.mark.usefixtures("secrets")
    def test_auth_section_without_providers_names_both_ways(self):
        """The environment and the file."""
        with pytest.raises(UnsafeSettingsError) as caught:
            providers.auth_section(settings())
        assert "TOKEN_DESK_OIDC_CLIENT_ID" in str(caught.value)
        assert ".streamlit/secrets.toml" in str(caught.value)

    @pytest.mark.parametrize(
        ("auth", "fault"),
        [
            (ONE | {"cookie_secret": SHARED["cookie_secret"]}, "[auth] redirect_uri: missing"),
            (ONE | {"redirect_uri": SHARED["redirect_uri"]}, "[auth] cookie_secret: missing"),
            (SHARED, "[auth] client_id: missing"),
            (SHARED | {"client_id": "x"}, "[auth] server_metadata_url: missing"),
            (SHARED | {"okta": {"client_id": "x"}}, "[auth.okta] client_secret: missing"),
            (SHARED | ONE | {"cookie_secret": "short"}, "[auth] cookie_secret: must have at least"),
            (
                SHARED | ONE | {"redirect_uri": "http://desk.example.com/oauth2callback"},
                "[auth] redirect_uri: must start with https://",
            ),
            (
                SHARED | {"okta": ONE | {"server_metadata_url": "http://id.example.com/"}},
                "[auth.okta] server_metadata_url: must start with https://",
            ),
        ],
    )
    def test_auth_section_with_a_fault_names_section_value_and_fix(self, secrets, auth, fault):
        """Never a secret."""
        secrets(auth)
        with pytest.raises(UnsafeSettingsError) as caught:
            providers.auth_section(settings())
        assert fault in str(caught.value)
        assert SHARED["cookie_secret"] not in str(caught.value)


class TestThePage:
    """What the sign-in page lists."""

    def test_listed_with_one_provider_has_no_name(self, secrets):
        """Its button says `Sign in`."""
        secrets(SHARED | ONE)
        assert providers.listed() == [Provider("default", "Sign in")]

    def test_listed_with_several_providers_keeps_the_order_of_the_file(self, secrets):
        """By their names."""
        secrets(SHARED | {"okta": ONE, "entra-id": ONE})
        assert providers.listed() == [
            Provider("okta", "Sign in with Okta"),
            Provider("entra-id", "Sign in with Entra Id"),
        ]

    def test_own_host_is_the_host_of_the_redirect_uri(self):
        """Browsers use this host."""
        assert providers.own_host(SHARED) == "desk.example.com"
        assert providers.is_https(SHARED)
        assert not providers.is_https({"redirect_uri": "http://localhost:8501/oauth2callback"})
        assert not providers.is_https({})


class TestTheClaim:
    """The warning at the start."""

    @pytest.mark.parametrize("claim", ["preferred_username", "nickname", "name"])
    def test_a_claim_that_people_can_change_is_warned_of(self, caplog, claim):
        """With the fix."""
        providers.warn_of_claim(claim)
        (line,) = caplog.messages
        assert line.startswith(f"TOKEN_DESK_USER_CLAIM={claim}: ")
        assert "set it to sub" in line

    @pytest.mark.parametrize("claim", ["sub", "upn", "email", "oid"])
    def test_other_claims_are_not_warned_of(self, caplog, claim):
        """An e-mail must be verified."""
        providers.warn_of_claim(claim)
        assert not caplog.messages
