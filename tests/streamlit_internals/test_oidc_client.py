"""Streamlit's OpenID Connect client, at a provider of these tests."""

import asyncio
import json
import time
from base64 import urlsafe_b64encode
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from authlib.integrations import starlette_client
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OctKey, RSAKey
from streamlit.web.server.starlette import starlette_auth_routes

from lib.streamlit_internals import oidc_client

ISSUER = "https://id.example.com"
KEY = RSAKey.generate_key(2048)
NEEDED = ("email", "email_verified")


class Provider:
    """A provider. `metadata`, `claims` and `userinfo` are what a test changes."""

    def __init__(self) -> None:
        """Know one person."""
        self.metadata: dict[str, Any] = {"userinfo_endpoint": f"{ISSUER}/userinfo"}
        self.claims: dict[str, Any] = {}
        self.userinfo: Any = httpx2.Response(200, json={"sub": "4711"})
        self.algorithm, self.key = "RS256", KEY
        self.nonce = ""
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request."""
        self.asked.append(request)
        if request.url.path == "/userinfo":
            if isinstance(self.userinfo, Exception):
                raise self.userinfo
            return self.userinfo
        return httpx2.Response(200, json=getattr(self, f"_{request.url.path[1:]}")())

    def paths(self) -> list[str]:
        """Return what was asked."""
        return [request.url.path for request in self.asked]

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/jwks",
            **self.metadata,
        }

    def _jwks(self) -> dict[str, Any]:
        key = self.key if isinstance(self.key, OctKey) else KEY
        return {"keys": [key.as_dict(private=isinstance(key, OctKey))]}

    def _token(self) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": ISSUER, "sub": "4711", "aud": "desk", "iat": now, "exp": now + 60}
        return {
            "access_token": "access",
            "token_type": "Bearer",
            "expires_in": 30,
            "refresh_token": "refresh",
            "id_token": self._signed(claims | {"nonce": self.nonce} | self.claims),
        }

    def _signed(self, claims: dict[str, Any]) -> str:
        header = {"alg": self.algorithm}
        if self.algorithm == "none":
            parts = (json.dumps(part).encode() for part in (header, claims))
            return ".".join([*(urlsafe_b64encode(p).decode().rstrip("=") for p in parts), ""])
        return jwt.encode(header, claims, self.key, algorithms=[self.algorithm])


@pytest.fixture
def provider() -> Provider:
    """The provider."""
    return Provider()


@pytest.fixture
def _extended(monkeypatch) -> None:
    """Extend Streamlit's client, until the end of the test."""
    name = "_create_streamlit_oauth_class"
    monkeypatch.setattr(starlette_auth_routes, name, getattr(starlette_auth_routes, name))
    oidc_client.extend_client(NEEDED)


def sign_in(provider: Provider) -> dict[str, Any]:
    """Sign in. Return the claims that go into the cookie."""

    async def main() -> dict[str, Any]:
        oauth = starlette_auth_routes._create_streamlit_oauth_class(starlette_client)()
        oauth.register(
            "id",
            client_id="desk",
            client_secret="secret",  # noqa: S106 - no real one
            server_metadata_url=f"{ISSUER}/metadata",
            client_kwargs={"scope": "openid", "transport": httpx2.MockTransport(provider)},
        )
        session: dict[str, Any] = {}
        answer = await oauth.id.authorize_redirect(
            SimpleNamespace(session=session), "https://desk.example.com/oauth2callback"
        )
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        provider.nonce = query["nonce"][0]
        request = SimpleNamespace(
            session=session, scope={}, query_params={"code": "c", "state": query["state"][0]}
        )
        token = await oauth.id.authorize_access_token(request)
        return dict(token["userinfo"])

    return asyncio.run(main())


@pytest.mark.usefixtures("_extended")
class TestUserinfo:
    """Userinfo is asked for what the ID token does not have."""

    def test_userinfo_is_not_asked_when_the_id_token_has_everything(self, provider):
        """As a request less."""
        provider.claims = {"email": "a@example.com", "email_verified": True}
        assert sign_in(provider)["email"] == "a@example.com"
        assert provider.paths() == ["/metadata", "/token", "/jwks"]

    @pytest.mark.parametrize("claims", [{}, {"email": "b@example.com"}, {"email_verified": True}])
    def test_userinfo_is_asked_once_for_all_that_is_needed(self, provider, claims):
        """Both from the same place. Nothing else is taken, since it would go into a cookie."""
        provider.claims = claims
        provider.userinfo = httpx2.Response(
            200,
            json={"sub": "4711", "email": "a@example.com", "email_verified": True, "groups": ["x"]},
        )
        found = sign_in(provider)
        assert (found["email"], found["email_verified"]) == ("a@example.com", True)
        assert "groups" not in found
        assert provider.paths() == ["/metadata", "/token", "/jwks", "/userinfo"]
        assert provider.asked[-1].headers["authorization"] == "Bearer access"

    @pytest.mark.parametrize(
        "answer",
        [
            httpx2.Response(200, json={"sub": "other", "email": "x@example.com"}),
            httpx2.Response(200, json={"email": "x@example.com"}),
            httpx2.Response(200, json=["email"]),
            httpx2.Response(200, content=b"eyJ.signed.token"),
            httpx2.Response(401, json={"sub": "4711", "email": "x@example.com"}),
            httpx2.ConnectTimeout("no answer"),
        ],
    )
    def test_unusable_userinfo_adds_nothing_and_is_logged(self, provider, answer, caplog):
        """The person then gets a page that says which claim is missing."""
        provider.userinfo = answer
        assert set(sign_in(provider)).isdisjoint(NEEDED)
        assert "userinfo was asked for email, email_verified" in caplog.text
        assert "access" not in caplog.text

    def test_a_provider_without_userinfo_is_not_asked(self, provider):
        """Its metadata says so."""
        provider.metadata = {}
        assert "email" not in sign_in(provider)
        assert "/userinfo" not in provider.paths()


@pytest.mark.usefixtures("_extended")
class TestAlgorithms:
    """Which signatures of an ID token are taken, whatever the provider lists."""

    def listed(self, provider: Provider, *algorithms: str) -> None:
        """List algorithms in the metadata."""
        provider.metadata = {"id_token_signing_alg_values_supported": list(algorithms)}

    @pytest.mark.parametrize("listed", [[], ["RS256"], ["none", "RS256", "PS256"]])
    def test_a_signed_token_is_taken(self, provider, listed):
        """RS256 is the standard's."""
        self.listed(provider, *listed)
        assert sign_in(provider)["sub"] == "4711"

    @pytest.mark.parametrize("listed", [["none"], ["RS256", "none"]])
    def test_an_unsigned_token_is_refused(self, provider, listed):
        """Anybody could write it."""
        self.listed(provider, *listed)
        provider.algorithm = "none"
        with pytest.raises(JoseError):
            sign_in(provider)

    def test_a_token_signed_with_a_shared_key_is_refused(self, provider):
        """Only the provider may have the key."""
        self.listed(provider, "HS256", "RS256")
        provider.algorithm = "HS256"
        provider.key = OctKey.import_key("a key of thirty-two characters...")
        with pytest.raises(JoseError):
            sign_in(provider)


@pytest.mark.usefixtures("_extended")
class TestClientAuthentication:
    """How the client shows its secret."""

    @pytest.mark.parametrize(
        ("methods", "in_form"),
        [
            (None, False),
            (["client_secret_basic", "client_secret_post"], False),
            (["client_secret_post"], True),
            (["private_key_jwt", "client_secret_post"], True),
        ],
    )
    def test_the_secret_is_in_the_form_where_the_provider_wants_it(
        self, provider, methods, in_form
    ):
        """Otherwise in HTTP Basic, as the standard's default."""
        provider.metadata = {"token_endpoint_auth_methods_supported": methods}
        sign_in(provider)
        (asked,) = [request for request in provider.asked if request.url.path == "/token"]
        assert ("client_secret" in parse_qs(asked.content.decode())) is in_form
        assert ("authorization" in asked.headers) is not in_form


class TestStreamlit:
    """What Streamlit itself does; when it changes, this module may not be needed."""

    def test_streamlit_takes_an_unsigned_token_if_the_provider_lists_none(self, provider):
        """And asks no userinfo."""
        provider.metadata = {"id_token_signing_alg_values_supported": ["none"]}
        provider.algorithm = "none"
        with pytest.warns(SecurityWarning):
            assert sign_in(provider)["sub"] == "4711"
        assert "/userinfo" not in provider.paths()

    def test_streamlit_looks_the_function_up_by_this_name(self):
        """At each sign-in."""
        names = starlette_auth_routes._create_oauth_client.__code__.co_names
        assert "_create_streamlit_oauth_class" in names
