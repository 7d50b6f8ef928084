"""The HTTP API: who gets which status and body, and nothing else."""

import asyncio
import json
import threading
from ipaddress import ip_network
from urllib.parse import quote

import pytest
from sqlalchemy import text

from lib.domain.clock import DAY, MINUTE, SECOND, iso
from lib.domain.errors import DatabaseBusyError, DatabaseUnavailableError
from lib.domain.states import Action, Holding
from lib.domain.token_format import mint
from lib.operations.verification.token_verifier import TokenVerifier
from lib.store.async_token_lookup import AsyncTokenLookup
from lib.store.token_lookup import TokenLookup
from lib.web.api_endpoints import LazyApi
from tests.support.actions import act, change, give, select
from tests.support.database_facts import NOW
from tests.support.directory import ORG, SERVICE, build
from tests.support.http import (
    ADDRESS,
    FORM,
    ApiClient,
    api_client,
    basic,
    bearer,
    client_of,
    credential,
)
from tests.web.conftest import OTHER_SERVICE

INACTIVE = {"active": False}


@pytest.fixture
def ids(engine) -> list[str]:
    """Three users of one organization with two services."""
    return build(engine, 3, services=(SERVICE, OTHER_SERVICE))


@pytest.fixture
def api(engine, ids):
    """A client of the routes, from one address."""
    assert ids
    api = api_client(engine)
    yield api
    api.api.close()


@pytest.fixture
def shared_api(one_engine):
    """A client on a database that many tests share, for tests that do not change it."""
    api = api_client(one_engine)
    yield api
    api.api.close()


@pytest.fixture(scope="module")
def secret(one_engine) -> tuple[str, str]:
    """A credential in that database."""
    return credential(one_engine)


def problem(response) -> tuple[int, str]:
    """Return status and error of a response that is a problem in the full form."""
    body = response.json()
    assert set(body) == {"error", "error_description"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, body["error"]


class TestIntrospect:
    """RFC 7662: a service introspects its own tokens."""

    def test_a_good_token_has_all_fields(self, api, engine, ids):
        """Those of the RFC and our own. Times are in seconds."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + DAY)
        (token_id,) = select(engine, "SELECT token_id FROM token")[0]
        response = api.introspect(token, credential(engine))
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        assert response.json() == {
            "active": True,
            "sub": "utcjf1-u0",
            "username": "utcjf1-u0",
            "client_id": SERVICE,
            "organization_id": ORG,
            "service": SERVICE,
            "token_type": "Bearer",
            "iat": (NOW - MINUTE) // SECOND,
            "exp": (NOW + DAY) // SECOND,
            "jti": token_id,
        }

    def test_a_token_without_expiry_has_no_exp(self, api, engine, ids):
        """All other fields are there."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert "exp" not in api.introspect(token, credential(engine)).json()

    @pytest.mark.parametrize(
        "kind", ["unknown", "malformed", "removed", "replaced", "expired", "foreign", "inactive"]
    )
    def test_any_other_token_is_only_inactive(self, api, engine, ids, kind):
        """There is no other field."""
        service_id = OTHER_SERVICE if kind == "foreign" else SERVICE
        facts = {"expires_at": NOW} if kind == "expired" else {}
        (token,) = give(engine, ids[0], Holding.ACCEPTED, service_id=service_id, **facts)
        if kind in {"removed", "replaced"}:
            act(engine, Action.REMOVE if kind == "removed" else Action.GENERATE, [ids[0]])
        elif kind == "inactive":
            change(engine, "UPDATE organization SET status = 'inactive'")
        elif kind in {"unknown", "malformed"}:
            token = {"unknown": mint(1, "demo")[0], "malformed": token[:-1]}[kind]
        response = api.introspect(token, credential(engine))
        assert (response.status_code, response.json()) == (200, INACTIVE)

    def test_nul_and_invalid_utf8_are_answered(self, api, engine):
        """In the token and in the credentials: no database stores them."""
        secret = credential(engine)
        for token in ("\0", "é" * 40, "demo_" + "\0" * 46):
            assert api.introspect(token, secret).json() == INACTIVE
            assert api.introspect(token, (quote(token), secret[1])).status_code == 401
            assert api.introspect(token, (secret[0], quote(token))).status_code == 401

    def test_other_form_fields_are_ignored(self, api, engine, ids):
        """Such as `token_type_hint`."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        form = {"token": token, "token_type_hint": "refresh_token", "other": ""}
        headers = basic(*credential(engine))
        response = api.client.post("/api/v1/introspect", data=form, headers=headers)
        assert response.json()["active"] is True

    def test_introspection_accepts_a_pending_token(self, api, engine, ids):
        """It counts as a use."""
        (token,) = give(engine, ids[0], Holding.PENDING)
        assert api.introspect(token, credential(engine)).json()["active"]
        api.api.verifier.uses.flush()
        assert select(engine, "SELECT state FROM token") == [("accepted",)]

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"authorization": ""},
            {"authorization": "Basic"},
            {"authorization": "Basic !"},
            {"authorization": "Basic /w=="},
            {"authorization": "Basic eA=="},
            {"authorization": "Bearer x"},
            basic("erecording-abcdefgh", "secret"),
            basic("", ""),
            basic("%00", "%00"),
            basic("\0", "\0"),
            basic("%ff", "%ff"),
            basic("x" * 10_000, "x"),
        ],
    )
    def test_missing_credentials_are_401_with_a_challenge(self, shared_api, headers):
        """invalid_client (RFC 6749, section 5.2)."""
        response = shared_api.client.post(
            "/api/v1/introspect", data={"token": "x"}, headers=headers
        )
        assert problem(response) == (401, "invalid_client")
        challenge = 'Basic realm="token-desk", charset="UTF-8"'
        assert response.headers["www-authenticate"] == challenge

    def test_two_authorization_headers_are_401(self, shared_api, secret):
        """It would not be clear which one counts."""
        good = basic(*secret)["authorization"]
        headers = [("authorization", good), ("authorization", good)]
        response = shared_api.client.post(
            "/api/v1/introspect", data={"token": "x"}, headers=headers
        )
        assert problem(response) == (401, "invalid_client")


class TestCredentialsInTheForm:
    """`client_secret_post` (RFC 6749, section 2.3.1)."""

    @pytest.mark.parametrize("path", ["introspect", "revoke"])
    def test_credentials_in_the_form_are_accepted(self, api, engine, ids, path):
        """As those in HTTP Basic."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        client_id, secret = credential(engine)
        form = {"token": token, "client_id": client_id, "client_secret": secret}
        answer = api.client.post(f"/api/v1/{path}", data=form)
        assert answer.status_code == 200
        live = select(engine, "SELECT count(*) FROM token WHERE ended_at IS NULL")
        assert (answer.json().get("active"), live) == (
            (True, [(1,)]) if path == "introspect" else (None, [(0,)])
        )

    @pytest.mark.parametrize("path", ["introspect", "revoke"])
    @pytest.mark.parametrize(
        ("more", "expected"),
        [
            ("", (401, "invalid_client")),
            ("&client_id={0}", (401, "invalid_client")),
            ("&client_id={0}&client_secret=", (401, "invalid_client")),
            ("&client_id={0}&client_secret=wrong", (401, "invalid_client")),
            ("&client_secret={1}", (401, "invalid_client")),
            ("&client_id={0}&client_id={0}&client_secret={1}", (400, "invalid_request")),
            ("&client_id={0}&client_secret={1}&client_secret={1}", (400, "invalid_request")),
            ("&client_id={0}&client_secret=%ff", (400, "invalid_request")),
        ],
    )
    def test_wrong_credentials_in_the_form_are_refused(
        self, shared_api, secret, path, more, expected
    ):
        """Also half of them."""
        answer = shared_api.client.post(
            f"/api/v1/{path}",
            content=f"token=x{more.format(*secret)}",
            headers={"content-type": FORM},
        )
        assert problem(answer) == expected

    def test_credentials_in_header_and_form_are_400(self, shared_api, secret):
        """RFC 6749, section 2.3: one method for each request."""
        form = {"token": "x", "client_id": secret[0], "client_secret": secret[1]}
        answer = shared_api.client.post("/api/v1/introspect", data=form, headers=basic(*secret))
        assert problem(answer) == (400, "invalid_request")

    def test_open_revoke_with_a_service_in_the_form_ends_only_its_tokens(self, engine, ids):
        """Credentials are not ignored where none are needed."""
        api = api_client(engine, open_revoke=True)
        (token,) = give(engine, ids[0], Holding.ACCEPTED, service_id=OTHER_SERVICE)
        client_id, secret = credential(engine)
        form = {"token": token, "client_id": client_id, "client_secret": secret}
        assert api.client.post("/api/v1/revoke", data=form).status_code == 200
        assert api.verify(token).status_code == 200
        wrong = form | {"client_secret": "wrong"}
        assert problem(api.client.post("/api/v1/revoke", data=wrong)) == (401, "invalid_client")
        assert api.client.post("/api/v1/revoke", data={"token": token}).status_code == 200
        assert api.verify(token).status_code == 401
        api.api.close()


class TestForm:
    """Bodies that are no form with one token."""

    @pytest.mark.parametrize("path", ["introspect", "revoke"])
    @pytest.mark.parametrize(
        ("body", "kind", "expected"),
        [
            (b"", FORM, 400),
            (b"other=x", FORM, 400),
            (b"token", FORM, 400),
            (b"token=", FORM, 400),
            (b"token=a&token=b", FORM, 400),
            (b"token=a&token=a", FORM, 400),
            (b"token=a&%74oken=b", FORM, 400),
            (b"token=a&token", FORM, 400),
            (b"token=%ff", FORM, 400),
            (b"token=\xff", FORM, 400),
            (b"&&&", FORM, 400),
            (b"\0", FORM, 400),
            (b'{"token": "x"}', FORM, 400),
            (b"<token>x</token>", FORM, 400),
            (b"--x\r\nContent-Disposition: form-data; name=token\r\n\r\nx", FORM, 400),
            (b"Token=x", FORM, 400),
            (b'{"token": "x"}', "application/json", 415),
            (b"token=x", "", 415),
            (b"token=x", "text/plain", 415),
            (b"token=x", "multipart/form-data; boundary=x", 415),
            (b"token=x", f"{FORM}x", 415),
            (b"token=x", f"{FORM.upper()}; charset=utf-8", 200),
            (b"token=%00", FORM, 200),
            (b"token=%C3%A9", FORM, 200),
            (b"token=" + b"x" * 65_000, FORM, 200),
            (b"token=" + b"x" * 66_000, FORM, 413),
            (b"a=b&" * 16_000 + b"c=d", FORM, 400),
            (b"a=b&" * 16_000 + b"token=x", FORM, 200),
        ],
    )
    def test_a_malformed_form_gets_the_status_of_the_rfc(
        self, shared_api, secret, path, body, kind, expected
    ):
        """As JSON."""
        headers = basic(*secret) | {"content-type": kind}
        response = shared_api.client.post(f"/api/v1/{path}", content=body, headers=headers)
        assert response.status_code == expected
        if expected != 200:
            assert problem(response) == (expected, "invalid_request")

    @pytest.mark.parametrize(
        "form",
        [
            "token={}&",
            "&token={}",
            "&&token={}&&",
            "token={}&token_type_hint",
            "token_type_hint&token={}",
            "token={}&token_type_hint=",
            "=&token={}&=x",
            "token={}&token_type_hint=a&token_type_hint=b",
            "client_id=a&token={}&client_id=a",
            "token={}&name=%E9&other=%zz&more=\xe9",
            "%74oken={}",
        ],
    )
    def test_forms_of_real_clients_are_accepted(self, api, engine, ids, form):
        """Other fields are ignored."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        secret = credential(engine)
        assert api.send("introspect", form.format(token), secret).json()["active"]
        assert api.send("revoke", form.format(token), secret).status_code == 200
        assert api.verify(token).status_code == 401

    def test_a_chunked_body_is_read_up_to_the_limit(self, shared_api, secret):
        """It has no Content-Length."""
        headers = basic(*secret) | {"content-type": FORM}

        def post(*pieces: bytes):
            content = iter(pieces)
            return shared_api.client.post("/api/v1/introspect", content=content, headers=headers)

        assert post(b"tok", b"en=", b"x").json() == INACTIVE
        assert problem(post(*[b"x" * 10_000] * 7)) == (413, "invalid_request")

    @pytest.mark.parametrize("length", ["10485760", "9" * 5_000, "-1", "x", "²", ""])
    def test_a_large_content_length_is_413_without_reading(self, shared_api, secret, length):
        """Ten megabytes are refused by their header."""
        app, sent = shared_api.client.app, []
        headers = basic(*secret) | {"content-type": FORM}
        raw = [(k.encode(), v.encode()) for k, v in headers.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/v1/introspect",
            "query_string": b"",
            "headers": [*raw, (b"content-length", length.encode("latin-1"))],
            "client": (ADDRESS, 1),
        }

        async def receive():
            pytest.fail("the body was read")

        async def send(message):
            sent.append(message)

        asyncio.run(app(scope, receive, send))
        assert (sent[0]["status"], dict(sent[0]["headers"])[b"connection"]) == (413, b"close")


class TestVerify:
    """For gateways: 200 with the identity, or 401 with the reason (RFC 6750)."""

    def test_a_good_token_is_200_with_identity_headers(self, api, engine, ids):
        """There is no body."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        response = api.verify(token)
        assert (response.status_code, response.content) == (200, b"")
        assert dict(response.headers) == {
            "cache-control": "no-store",
            "content-length": "0",
            "x-token-username": "utcjf1-u0",
            "x-organization-id": ORG,
            "x-token-service": SERVICE,
        }

    def test_identity_headers_are_percent_encoded_beyond_ascii(self, api, engine, ids):
        """As in a URL. A name cannot add a header."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        with engine.begin() as connection:
            connection.execute(
                text("INSERT INTO user_account (username, name, email) VALUES (:name, 'x', 'x')"),
                {"name": "josé@x.org\r\nX-Admin: 1"},
            )
            connection.execute(
                text("UPDATE member SET username = :name WHERE username = 'utcjf1-u0'"),
                {"name": "josé@x.org\r\nX-Admin: 1"},
            )
        headers = api.verify(token).headers
        assert headers["x-token-username"] == "jos%C3%A9@x.org%0D%0AX-Admin%3A%201"
        assert "x-admin" not in headers

    @pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
    def test_the_bearer_scheme_is_accepted_in_any_case(self, api, engine, ids, scheme):
        """RFC 9110, section 11.1."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        headers = {"authorization": f"{scheme}{token}"}
        assert api.client.get("/api/v1/verify", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "token",
        ["", "x", "demo_x", "é", "\xff", pytest.param(mint(1, "demo")[0], id="unknown")],
    )
    def test_a_bad_token_is_401_invalid_token(self, shared_api, token):
        """With the error in the challenge."""
        headers = {"authorization": b"Bearer " + token.encode("latin-1")}
        response = shared_api.client.get("/api/v1/verify", headers=headers)
        assert problem(response) == (401, "invalid_token")
        challenge = 'Bearer realm="token-desk", error="invalid_token"'
        assert response.headers["www-authenticate"] == challenge

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("authorization", "Basic eDp5")],
            [("authorization", "Bearer x"), ("authorization", "Bearer x")],
            [("api_token", "x")],
        ],
    )
    def test_no_token_or_two_are_401_without_an_error_code(self, shared_api, headers, caplog):
        """RFC 6750, section 3.1. Nothing is logged."""
        response = shared_api.client.get("/api/v1/verify", headers=headers)
        assert "Refused" not in caplog.text
        assert problem(response) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == 'Bearer realm="token-desk"'

    def test_a_plain_header_is_accepted_beside_another_authorization(self, engine, ids):
        """As recording APIs use it. The Authorization may be for the API behind the gateway."""
        api = api_client(engine, token_header="api_token")  # noqa: S106 - a header's name
        (token,) = give(engine, ids[0], Holding.ACCEPTED)

        def status(*headers: tuple[str, str]) -> int:
            return api.client.get("/api/v1/verify", headers=list(headers)).status_code

        assert status(("API_TOKEN", f" {token} ")) == 200
        assert status(("authorization", f"Bearer {token}")) == 200
        assert status(("api_token", token), ("authorization", "Basic eDp5")) == 200
        assert status(("api_token", token), ("api_token", token)) == 401
        api.api.close()

    def test_an_empty_plain_header_is_ignored_and_the_same_token_counts_once(self, engine, ids):
        """Proxies add empty headers, and clients send a token in both to be sure."""
        api = api_client(engine, token_header="api_token")  # noqa: S106 - a header's name
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        bearer_ = ("authorization", f"Bearer {token}")

        def status(*headers: tuple[str, str]) -> int:
            return api.client.get("/api/v1/verify", headers=list(headers)).status_code

        assert status(("api_token", ""), bearer_) == 200
        assert status(("api_token", " "), bearer_) == 200
        assert status(("api_token", ""), ("api_token", token)) == 200
        assert status(("api_token", token), ("authorization", "Bearer ")) == 200
        assert status(("api_token", f" {token}"), bearer_) == 200
        assert status(("api_token", token), bearer_, bearer_) == 401
        assert status(("api_token", f"{token[:-1]}!"), bearer_) == 401
        assert status(("api_token", "")) == 401
        api.api.close()

    @pytest.mark.parametrize("base", ["verify", f"services/{SERVICE}/verify"])
    @pytest.mark.parametrize(
        "rest",
        [
            "",
            "/",
            "//",
            "/api/v3/packages",
            "/%2e%2e//x?service=none",
            "/../../../openapi.json",
            "/a%2Fb%0A%00%ff",
            "/services/none/verify",
            f"/{'x' * 10_000}",
        ],
    )
    def test_verify_accepts_any_method_and_a_client_path(self, api, engine, ids, base, rest):
        """Envoy keeps the client's method, and appends the client's path to ours.

        The query string then comes from the client, which must not choose the service.
        """
        good, other = (
            give(engine, ids[0], Holding.ACCEPTED, service_id=each)[0]
            for each in (SERVICE, OTHER_SERVICE)
        )
        targets = [(f"/api/v1/{base}{rest}", bearer(token)) for token in ("", "x", good, other)]
        expected = [401, 401, 200, 200 if base == "verify" else 401]
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "COPY"):
            assert api.statuses(method, targets) == expected

    @pytest.mark.parametrize(
        ("path", "services"),
        [
            ("verify", [SERVICE, OTHER_SERVICE]),
            ("verify?other=x", [SERVICE, OTHER_SERVICE]),
            (f"verify?service={SERVICE}", [SERVICE]),
            (f"verify/?service={SERVICE}", [SERVICE]),
            (f"verify/x?service={SERVICE}", [SERVICE, OTHER_SERVICE]),
            (f"verify//?service={SERVICE}", [SERVICE, OTHER_SERVICE]),
            ("verify?service=", []),
            ("verify?service=none", []),
            ("verify?service=%00", []),
            (f"verify?service={SERVICE}%0A", []),
            (f"services/{SERVICE}/verify", [SERVICE]),
            (f"services/{SERVICE}/verify/", [SERVICE]),
            (f"services/{SERVICE}/verify/x", [SERVICE]),
            (f"services/{SERVICE}/verify?service={OTHER_SERVICE}", [SERVICE]),
            (f"services/{SERVICE}/verify/?service={OTHER_SERVICE}", [SERVICE]),
            (f"services/{SERVICE}/verify/x?service={OTHER_SERVICE}", [SERVICE]),
            (f"services/{SERVICE}/verify/../../{OTHER_SERVICE}/verify", [SERVICE]),
            (f"services/{SERVICE}/verify/%2e%2e/%2e%2e/{OTHER_SERVICE}/verify", [SERVICE]),
            ("services/none/verify", []),
            (f"services/{SERVICE.upper()}/verify", []),
            ("services/%00/verify", []),
            ("services/../verify", []),
        ],
    )
    def test_verify_for_one_service_refuses_tokens_of_others(
        self, api, engine, ids, path, services
    ):
        """The service is in the address that the gateway's operator wrote."""
        both = (SERVICE, OTHER_SERVICE)
        tokens = [give(engine, ids[0], Holding.ACCEPTED, service_id=each)[0] for each in both]
        statuses = api.statuses("GET", [(f"/api/v1/{path}", bearer(token)) for token in tokens])
        assert statuses == [200 if each in services else 401 for each in both]

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/verify",
            "/v1/verify",
            "/desk/api/v1/verify",
            "/API/V1/verify",
            "/api/v1/Verify",
            "/api/v1/verifyy",
            "/api/v1//verify",
            "//api/v1/verify",
            "/api//v1/verify",
            "/api/v1/./verify",
            "/api/v1/x/../verify",
            "/api/v1/%2e%2e/v1/verify",
            "/api/v1/services",
            "/api/v1/services/",
            f"/api/v1/services/{SERVICE}",
            f"/api/v1/services/{SERVICE}/",
            f"/api/v1/services/{SERVICE}/verifyy",
            f"/api/v1/services/{SERVICE}//verify",
            "/api/v1/services//verify",
            f"/api/v1/services/x/{SERVICE}/verify",
            f"/api/v1/Services/{SERVICE}/verify",
            f"/{'x' * 10_000}",
            "/healthz%0A",
            "/readyz%0A",
            "/api/v1/verify%0A",
            f"/api/v1/services/{SERVICE}/verify%0A",
            "/api/v1/openapi.json%0A",
            "/api/v1/introspect%0A",
            "/api/v1/revoke%0A",
            "/healthz%0D",
            "/healthz%00",
        ],
    )
    def test_an_undeclared_path_is_404_with_a_good_token(self, api, engine, ids, path):
        """A typo in a gateway's address lets nobody pass."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert api.statuses("GET", [(path, {}), (path, bearer(token))]) == [404, 404]


REVOKED = f"revoke, asked by service {SERVICE}"


class TestRevoke:
    """RFC 7009: whoever has a token can end it."""

    @pytest.mark.parametrize(
        ("holding", "becomes", "action"),
        [(Holding.ACCEPTED, "removed", "remove"), (Holding.PENDING, "cancelled", "cancel")],
    )
    def test_a_service_revokes_its_own_token(self, api, engine, ids, holding, becomes, action):
        """At once, with one event and no operation. A second call is 200 too."""
        (token,) = give(engine, ids[0], holding)
        secret = credential(engine)
        assert api.verify(token).status_code == 200
        for _ in range(2):
            response = api.revoke(token, secret)
            assert (response.status_code, response.json()) == (200, {})
        assert api.verify(token).status_code == 401
        assert select(engine, "SELECT state, ended_from FROM token") == [(becomes, holding.value)]
        assert select(
            engine,
            "SELECT action, actor, address, organization_id, service_id, operation_id, subject,"
            " users, detail FROM audit_event WHERE detail LIKE 'revoke%'",
        ) == [(action, "", ADDRESS, ORG, SERVICE, "", "utcjf1-u0", 1, REVOKED)]
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    def test_revoking_one_token_keeps_the_users_other_one(self, api, engine, ids):
        """Only that token ends."""
        pending, accepted = give(engine, ids[0], Holding.BOTH)
        api.revoke(accepted, credential(engine))
        assert [api.verify(t).status_code for t in (pending, accepted)] == [200, 401]

    def test_a_revocation_raises_the_revision(self, api, engine, ids):
        """So that an administrator's plan is outdated."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        before = select(engine, "SELECT revision FROM subscription ORDER BY service_id")
        api.revoke(token, credential(engine))
        after = select(engine, "SELECT revision FROM subscription ORDER BY service_id")
        assert sorted(a[0] - b[0] for a, b in zip(after, before, strict=True)) == [0, 1]

    def test_a_token_of_an_inactive_user_can_be_revoked(self, api, engine, ids):
        """Otherwise it would work again when the user is active."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        change(engine, "UPDATE member SET status = 'inactive'")
        api.revoke(token, credential(engine))
        assert select(engine, "SELECT state FROM token") == [("removed",)]

    @pytest.mark.parametrize(
        "form",
        [
            "token={}\n",
            "token={}\r\n",
            "token={}%0A",
            "token={}%0D%0A",
            "token={}%0D",
            "token={}+",
            "token=%20{}",
            "token=%09{}%C2%A0",
            "token=%EF%BB%BF{}",
        ],
    )
    def test_a_token_with_white_space_around_it_is_revoked(self, api, engine, ids, form):
        """As one read from a file. Verify says 401 afterwards."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        secret = credential(engine)
        assert api.send("introspect", form.format(token), secret).json()["active"]
        assert api.send("revoke", form.format(token), secret).status_code == 200
        assert api.verify(token).status_code == 401
        assert select(engine, "SELECT state FROM token") == [("removed",)]

    def test_a_token_that_is_not_live_is_200_and_ends_nothing(self, api, engine, ids):
        """Unknown, malformed, of another service, or expired, which no undo revives then."""
        (foreign,) = give(engine, ids[0], Holding.ACCEPTED, service_id=OTHER_SERVICE)
        (expired,) = give(engine, ids[1], Holding.ACCEPTED, expires_at=NOW)
        secret = credential(engine)
        for token in (foreign, expired, "x", "\0", *mint(1, "demo")):
            response = api.revoke(token, secret)
            assert (response.status_code, response.json()) == (200, {})
        states = select(engine, "SELECT state FROM token ORDER BY state")
        assert states == [("accepted",), ("expired",)]
        recorded = select(engine, "SELECT action FROM audit_event WHERE detail LIKE 'revoke%'")
        assert recorded == [("bar",)]

    def test_revoke_without_credentials_is_401_by_default(self, api, engine, ids):
        """A setting opens it."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert problem(api.revoke(token)) == (401, "invalid_client")
        assert api.verify(token).status_code == 200

    def test_open_revoke_needs_no_credentials(self, engine, ids):
        """For tokens of any service. Wrong credentials are still refused."""
        api = api_client(engine, open_revoke=True)
        (token,) = give(engine, ids[0], Holding.ACCEPTED, service_id=OTHER_SERVICE)
        assert problem(api.revoke(token, ("x", "y"))) == (401, "invalid_client")
        assert api.revoke(token).status_code == 200
        assert select(engine, "SELECT state FROM token") == [("removed",)]
        api.api.close()


def refusals(caplog) -> list[str]:
    """Return the log lines about failures, and clear the log."""
    lines = [record.getMessage() for record in caplog.records if "Refused" in record.getMessage()]
    caplog.clear()
    return lines


SINCE = f"since {iso(NOW)}"


class TestFailures:
    """Failures are logged, and nothing is throttled (ruling 14)."""

    def test_a_good_token_passes_after_ten_thousand_bad_ones(self, api, engine, ids):
        """From the same address."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        bad = [wrong for token in mint(5_000, "demo") for wrong in (token, token[:-1])]
        targets = [("/api/v1/verify", bearer(token)) for token in bad]
        assert set(api.statuses("GET", targets)) == {401}
        assert api.verify(token).status_code == 200

    def test_a_service_signs_in_after_a_thousand_wrong_credentials(self, api, engine, ids):
        """A known service and a new one."""
        secret, new = credential(engine), credential(engine)
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert api.introspect(token, secret).json()["active"]
        wrong = [("/api/v1/introspect", basic(secret[0], f"x{n}")) for n in range(1_000)]
        assert set(api.statuses("POST", wrong)) == {401}
        for good in (secret, new):
            assert api.introspect(token, good).json()["active"]

    def test_a_wrong_token_is_logged_with_its_address(self, api, caplog):
        """Never with the token."""
        (token,) = mint(1, "demo")
        api.verify(token)
        assert refusals(caplog) == [f"Refused from {ADDRESS} {SINCE}: 1 wrong token"]

    def test_a_wrong_credential_is_logged_with_its_address(self, api, engine, caplog):
        """So that a refused service can be found."""
        client_id, _ = credential(engine)
        api.introspect("x", (client_id, "wrong"))
        api.revoke("x", (client_id, "wrong"))
        api.api.failures.close()
        first = f"Refused from {ADDRESS} {SINCE}: 1 wrong service credential"
        assert refusals(caplog) == [first] * 2

    def test_an_open_revocation_of_an_unknown_token_is_logged(self, engine, ids, caplog):
        """It may be somebody who tries tokens."""
        api = api_client(engine, open_revoke=True)
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        api.revoke(token)
        assert refusals(caplog) == []
        api.revoke(token)
        assert refusals(caplog) == [f"Refused from {ADDRESS} {SINCE}: 1 wrong token"]
        api.api.close()

    def test_introspection_of_a_bad_token_is_not_logged(self, shared_api, secret, caplog):
        """The service passes on what its own clients send."""
        assert shared_api.introspect("x", secret).json() == INACTIVE
        assert shared_api.revoke("x", secret).status_code == 200
        assert refusals(caplog) == []

    def test_a_failure_behind_a_trusted_proxy_is_logged_with_the_forwarded_address(
        self, engine, ids, caplog
    ):
        """The header of any other client is ignored."""
        assert ids
        forwarded = {"x-forwarded-for": "192.0.2.1"}
        for proxies, address in (((ip_network(f"{ADDRESS}/32"),), "192.0.2.1"), ((), ADDRESS)):
            api = api_client(engine, trusted_proxies=proxies)
            api.verify("x", headers=forwarded)
            assert refusals(caplog) == [f"Refused from {address} {SINCE}: 1 wrong token"]
            api.api.close()


class TestThreads:
    """Threads that a lost database blocks."""

    def test_a_blocked_thread_gives_503_in_time(self, api, monkeypatch):
        """The request does not wait for it."""
        held = threading.Event()
        monkeypatch.setattr("lib.web.api_endpoints._SECONDS", 0.05)
        monkeypatch.setattr(api.api.verifier, "is_ready", lambda: held.wait(20))
        assert problem(api.client.get("/readyz")) == (503, "temporarily_unavailable")
        held.set()


class TestPathsAndMethods:
    """Other paths and methods."""

    @pytest.mark.parametrize("path", ["introspect", "revoke"])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
    def test_a_wrong_method_is_405_with_allow(self, shared_api, path, method):
        """The header names the right methods."""
        response = shared_api.client.request(method, f"/api/v1/{path}")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        if method != "HEAD":
            assert problem(response) == (405, "invalid_request")

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/openapi.json"])
    def test_get_and_head_are_accepted_for_reads(self, shared_api, path):
        """With the same headers."""
        assert shared_api.client.get(path).status_code == 200
        assert shared_api.client.head(path).status_code == 200
        response = shared_api.client.post(path)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")

    @pytest.mark.parametrize("path", ["", "x", "introspect/", "verifyx", "openapi.json/x", "%00"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_an_unknown_path_is_404_json(self, shared_api, path, method):
        """And no redirect."""
        response = shared_api.client.request(method, f"/api/v1/{path}", follow_redirects=False)
        assert problem(response) == (404, "not_found")

    def test_health_checks_answer_for_process_and_database(self, api, engine):
        """The database needs the newest tables."""
        assert api.client.get("/healthz").json() == {"status": "ok"}
        assert api.client.get("/readyz").json() == {"status": "ready"}
        change(engine, "UPDATE alembic_version SET version_num = '0001'")
        response = api.client.get("/readyz")
        assert (response.status_code, response.json()) == (503, {"status": "migrating"})


class TestLostDatabase:
    """503 with Retry-After, never a wrong answer."""

    @pytest.mark.parametrize("fault", [DatabaseBusyError, DatabaseUnavailableError])
    def test_every_route_is_503_without_a_database(self, api, engine, ids, fault, monkeypatch):
        """Only healthz answers with 200."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        secret = credential(engine)

        def lost(*_args, **_options):
            raise fault

        monkeypatch.setattr(TokenLookup, "_fetch_one", lost)
        monkeypatch.setattr(AsyncTokenLookup, "tokens", lost)
        monkeypatch.setattr(AsyncTokenLookup, "credential", lost)
        monkeypatch.setattr(TokenVerifier, "is_ready", lost)
        for response in (
            api.verify(token),
            api.introspect(token, secret),
            api.revoke(token, secret),
            api.client.get("/readyz"),
        ):
            assert problem(response) == (503, "temporarily_unavailable")
            assert response.headers["retry-after"] == "5"
        assert api.client.get("/healthz").status_code == 200

    def test_an_unexpected_error_is_500_json_without_sent_data(self, caplog):
        """The log says where it was raised."""
        sent_text = "demo_secret"

        def open_api():
            raise OSError(13, "Permission denied", sent_text)

        response = client_of(open_api).get("/api/v1/verify", headers={"authorization": "Bearer x"})
        assert problem(response) == (500, "server_error")
        assert response.headers["cache-control"] == "no-store"
        assert "verify: PermissionError" in caplog.text
        assert "in open_api" in caplog.text
        assert sent_text not in caplog.text

    def test_requests_at_the_same_time_share_one_try_to_open(self):
        """They wait for the database once, not once each."""
        tries, begun, answer = [], threading.Event(), threading.Event()

        def open_api():
            tries.append(1)
            begun.set()
            assert answer.wait(10)
            raise DatabaseUnavailableError

        async def ask_all():
            opened = LazyApi(open_api)
            waiting = [asyncio.create_task(opened.api()) for _ in range(50)]
            assert await asyncio.to_thread(begun.wait, 10)
            answer.set()
            return await asyncio.gather(*waiting, return_exceptions=True)

        assert {type(error) for error in asyncio.run(ask_all())} == {DatabaseUnavailableError}
        assert tries == [1]

    def test_the_first_request_opens_and_the_next_one_tries_again(self, engine):
        """After a failed try."""
        api, faults = api_client(engine).api, [DatabaseUnavailableError()]

        def open_api():
            if faults:
                raise faults.pop()
            return api

        client = client_of(open_api)
        assert client.get("/healthz").status_code == 200
        assert faults
        assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").status_code == 200
        api.close()


class TestSweep:
    """No token and no secret is in the log or the database."""

    def test_no_token_or_secret_is_logged_or_stored(self, engine, ids, caplog):
        """After verify, introspect and revoke of good and bad tokens."""
        caplog.set_level(0)
        api: ApiClient = api_client(engine, open_revoke=True)
        secret = credential(engine)
        tokens = [give(engine, member_id, Holding.PENDING)[0] for member_id in ids]
        tokens += mint(3, "demo")
        for token in tokens:
            for bad in (token, token[:-1], f"{token}x"):
                api.verify(bad)
                api.introspect(bad, secret)
                api.revoke(bad)
        api.api.close()
        left = json.dumps([str(record.__dict__) for record in caplog.records])
        for table in ("token", "audit_event", "service_credential"):
            left += str(select(engine, f"SELECT * FROM {table}"))
        for canary in (*tokens, secret[1]):
            assert canary[9:30] not in left
            assert canary[9:30].encode().hex() not in left
