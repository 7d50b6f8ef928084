"""Streamlit's OpenID Connect client: userinfo, and the algorithms of an ID token.

Streamlit makes a client for each request of a sign-in, by Authlib. It asks nothing but the ID
token, and takes from the provider's metadata which algorithms may sign it.
"""

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from streamlit.web.server.starlette import starlette_auth_routes

#: Algorithms that sign an ID token with a key that only the provider has (RFC 7518, RFC 8037).
#: `none` signs nothing, and the key of an HMAC is the client's secret, which Authlib does not use.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
_USUAL = "RS256"  # every provider must support it (OpenID Connect Discovery 1.0, section 3)
_SIGNED_BY = "id_token_signing_alg_values_supported"
_AUTH_METHODS = "token_endpoint_auth_methods_supported"
_BASIC, _POST = "client_secret_basic", "client_secret_post"

_log = logging.getLogger(__name__)
_create_oauth_class = starlette_auth_routes._create_streamlit_oauth_class  # noqa: SLF001


def extend_client(needed: Sequence[str]) -> None:
    """Make the client ask userinfo for the `needed` claims that an ID token does not have.

    It then takes all of `needed` from userinfo, since one can belong to another: `email_verified`
    is about the `email` beside it.
    """

    # Streamlit calls it with Authlib's module, which is imported at the first sign-in.
    @lru_cache(maxsize=1)
    def create(authlib_client: Any) -> type[Any]:  # noqa: ANN401 - a module
        return _with_userinfo(_create_oauth_class(authlib_client), needed)

    starlette_auth_routes._create_streamlit_oauth_class = create  # noqa: SLF001


def _with_userinfo(oauth: type[Any], needed: Sequence[str]) -> type[Any]:
    client: Any = oauth.oauth2_client_cls

    class Client(client):  # type: ignore[misc]
        async def load_server_metadata(self) -> dict[str, Any]:
            metadata: dict[str, Any] = await super().load_server_metadata()
            metadata[_SIGNED_BY] = _signed_by(metadata.get(_SIGNED_BY))
            methods = metadata.get(_AUTH_METHODS) or [_BASIC]
            if _POST in methods and _BASIC not in methods:
                self.client_kwargs.setdefault("token_endpoint_auth_method", _POST)
            return metadata

        async def authorize_access_token(self, request: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
            token: dict[str, Any] = await super().authorize_access_token(request, **options)
            claims = token.get("userinfo")
            if claims and any(name not in claims for name in needed):
                claims.update(await _ask(self, token, claims, needed))
            return token

    return type("OAuth", (oauth,), {"oauth2_client_cls": Client})


def _signed_by(supported: Any) -> list[str]:  # noqa: ANN401 - whatever the provider sends
    named = supported if isinstance(supported, list) else []
    return [name for name in ALGORITHMS if name in named] or [_USUAL]


async def _ask(
    client: Any,  # noqa: ANN401 - Authlib's client
    token: dict[str, Any],
    claims: dict[str, Any],
    needed: Sequence[str],
) -> dict[str, Any]:
    """Return the `needed` claims of userinfo; none when it cannot be asked, with a line in the log.

    One request, with the access token of this sign-in, which is not refreshed.
    """
    metadata = await client.load_server_metadata()
    if "userinfo_endpoint" not in metadata or "access_token" not in token:
        return {}
    try:
        access = {"access_token": token["access_token"], "token_type": "Bearer"}
        answer = await client.userinfo(token=access)
    except Exception as error:  # noqa: BLE001 - the network, a status, or no JSON: all the same
        _log.warning("userinfo was asked for %s: %s", ", ".join(needed), type(error).__name__)
        return {}
    # OpenID Connect Core 1.0, section 5.3.2: another subject's claims must not be used.
    if answer.get("sub") != claims.get("sub"):
        _log.warning("userinfo was asked for %s: its `sub` is another one", ", ".join(needed))
        return {}
    return {name: answer[name] for name in needed if name in answer}
