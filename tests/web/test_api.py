"""The HTTP side: who is told what, by which status, and nothing else."""

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
from lib.web.endpoints import LazyApi
from tests.support.actions import act, change, give, select
from tests.support.database_facts import NOW
from tests.support.directory import ORG, SERVICE, build
from tests.support.http import ADDRESS, FORM, Asked, ask, basic, bearer, client_of, credential
from tests.web.conftest import OTHER_SERVICE

INACTIVE = {"active": False}


@pytest.fixture
def ids(engine) -> list[str]:
    """Three users of one organization with two services."""
    return build(engine, 3, services=(SERVICE, OTHER_SERVICE))


@pytest.fixture
def asked(engine, ids):
    """The routes, asked from one address."""
    assert ids
    asked = ask(engine)
    yield asked
    asked.api.close()


@pytest.fixture
def one(one_engine):
    """The routes on a database that many tests share, for what is not the database's business."""
    asked = ask(one_engine)
    yield asked
    asked.api.close()


@pytest.fixture(scope="module")
def secret(one_engine) -> tuple[str, str]:
    """A credential in that database."""
    return credential(one_engine)


def problem(response) -> tuple[int, str]:
    """Return status and error of an answer that is a problem, in whole."""
    body = response.json()
    assert set(body) == {"error", "error_description"}
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, body["error"]


class TestIntrospect:
    """RFC 7662: a service asks about its own tokens."""

    def test_a_good_token(self, asked, engine, ids):
        """Everything that the RFC and the service want; times in seconds."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED, expires_at=NOW + DAY)
        (token_id,) = select(engine, "SELECT token_id FROM token")[0]
        response = asked.introspect(token, credential(engine))
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

    def test_one_without_an_end(self, asked, engine, ids):
        """It has no `exp`."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert "exp" not in asked.introspect(token, credential(engine)).json()

    @pytest.mark.parametrize(
        "kind", ["unknown", "malformed", "removed", "replaced", "expired", "foreign", "inactive"]
    )
    def test_any_other(self, asked, engine, ids, kind):
        """Not one word more."""
        service_id = OTHER_SERVICE if kind == "foreign" else SERVICE
        facts = {"expires_at": NOW} if kind == "expired" else {}
        (token,) = give(engine, ids[0], Holding.ACCEPTED, service_id=service_id, **facts)
        if kind in {"removed", "replaced"}:
            act(engine, Action.REMOVE if kind == "removed" else Action.GENERATE, [ids[0]])
        elif kind == "inactive":
            change(engine, "UPDATE organization SET status = 'inactive'")
        elif kind in {"unknown", "malformed"}:
            token = {"unknown": mint(1, "demo")[0], "malformed": token[:-1]}[kind]
        response = asked.introspect(token, credential(engine))
        assert (response.status_code, response.json()) == (200, INACTIVE)

    def test_what_no_database_takes(self, asked, engine):
        """A NUL, and what is no UTF-8, in the token and in the credentials."""
        secret = credential(engine)
        for token in ("\0", "é" * 40, "demo_" + "\0" * 46):
            assert asked.introspect(token, secret).json() == INACTIVE
            assert asked.introspect(token, (quote(token), secret[1])).status_code == 401
            assert asked.introspect(token, (secret[0], quote(token))).status_code == 401

    def test_a_hint_is_allowed(self, asked, engine, ids):
        """And whatever else the form has."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        form = {"token": token, "token_type_hint": "refresh_token", "other": ""}
        headers = basic(*credential(engine))
        response = asked.client.post("/api/v1/introspect", data=form, headers=headers)
        assert response.json()["active"] is True

    def test_it_accepts(self, asked, engine, ids):
        """Introspection is a use."""
        (token,) = give(engine, ids[0], Holding.PENDING)
        assert asked.introspect(token, credential(engine)).json()["active"]
        asked.api.verifier.uses.flush()
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
    def test_without_credentials(self, one, headers):
        """401 invalid_client with the challenge (RFC 6749, section 5.2)."""
        response = one.client.post("/api/v1/introspect", data={"token": "x"}, headers=headers)
        assert problem(response) == (401, "invalid_client")
        challenge = 'Basic realm="token-desk", charset="UTF-8"'
        assert response.headers["www-authenticate"] == challenge

    def test_credentials_twice(self, one, secret):
        """Which of the two would count nobody could tell."""
        good = basic(*secret)["authorization"]
        headers = [("authorization", good), ("authorization", good)]
        response = one.client.post("/api/v1/introspect", data={"token": "x"}, headers=headers)
        assert problem(response) == (401, "invalid_client")


class TestForm:
    """What is no form with a token."""

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
    def test_each(self, one, secret, path, body, kind, expected):
        """With the RFC's status, in JSON."""
        headers = basic(*secret) | {"content-type": kind}
        response = one.client.post(f"/api/v1/{path}", content=body, headers=headers)
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
    def test_forms_as_clients_build_them(self, asked, engine, ids, form):
        """What stands beside the one token is ignored, whatever it is."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        secret = credential(engine)
        assert asked.send("introspect", form.format(token), secret).json()["active"]
        assert asked.send("revoke", form.format(token), secret).status_code == 200
        assert asked.verify(token).status_code == 401

    def test_in_pieces(self, one, secret):
        """Without a length: read as far as a form can be, and no further."""
        headers = basic(*secret) | {"content-type": FORM}

        def post(*pieces: bytes):
            content = iter(pieces)
            return one.client.post("/api/v1/introspect", content=content, headers=headers)

        assert post(b"tok", b"en=", b"x").json() == INACTIVE
        assert problem(post(*[b"x" * 10_000] * 7)) == (413, "invalid_request")

    @pytest.mark.parametrize("length", ["10485760", "9" * 5_000, "-1", "x", "²", ""])
    def test_a_large_one_is_not_read(self, one, secret, length):
        """Ten megabytes are refused by what they say of themselves."""
        app, sent = one.client.app, []
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
    """For gateways: 200 and whose it is, or 401 and why (RFC 6750)."""

    def test_a_good_token(self, asked, engine, ids):
        """No body; who it is in headers."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        response = asked.verify(token)
        assert (response.status_code, response.content) == (200, b"")
        assert dict(response.headers) == {
            "cache-control": "no-store",
            "content-length": "0",
            "x-token-username": "utcjf1-u0",
            "x-organization-id": ORG,
            "x-token-service": SERVICE,
        }

    def test_letters_beyond_ascii(self, asked, engine, ids):
        """Percent-encoded, as in a URL; nobody can write a header by their name."""
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
        told = asked.verify(token).headers
        assert told["x-token-username"] == "jos%C3%A9@x.org%0D%0AX-Admin%3A%201"
        assert "x-admin" not in told

    @pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   "])
    def test_the_scheme_in_any_case(self, asked, engine, ids, scheme):
        """RFC 9110, section 11.1."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        headers = {"authorization": f"{scheme}{token}"}
        assert asked.client.get("/api/v1/verify", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        "token",
        ["", "x", "demo_x", "é", "\xff", pytest.param(mint(1, "demo")[0], id="unknown")],
    )
    def test_a_bad_token(self, one, token):
        """401 with the error in the challenge."""
        headers = {"authorization": b"Bearer " + token.encode("latin-1")}
        response = one.client.get("/api/v1/verify", headers=headers)
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
    def test_no_token_or_two(self, one, headers, caplog):
        """401 without an error code (RFC 6750, section 3.1), and not a line in the log."""
        response = one.client.get("/api/v1/verify", headers=headers)
        assert "Refused" not in caplog.text
        assert problem(response) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == 'Bearer realm="token-desk"'

    def test_a_plain_header(self, engine, ids):
        """As recording APIs have it; beside it a client's Authorization may be another's."""
        asked = ask(engine, token_header="api_token")  # noqa: S106 - a header's name
        (token,) = give(engine, ids[0], Holding.ACCEPTED)

        def status(*headers: tuple[str, str]) -> int:
            return asked.client.get("/api/v1/verify", headers=list(headers)).status_code

        assert status(("API_TOKEN", f" {token} ")) == 200
        assert status(("authorization", f"Bearer {token}")) == 200
        assert status(("api_token", token), ("authorization", "Basic eDp5")) == 200
        assert status(("api_token", token), ("authorization", f"Bearer {token}")) == 401
        assert status(("api_token", token), ("api_token", token)) == 401
        asked.api.close()

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
    def test_any_method_and_path(self, asked, engine, ids, base, rest):
        """Envoy keeps both of the request that it asks about, and puts ours before it.

        The query string is then its client's, who has no say in which service's tokens are good.
        """
        good, other = (
            give(engine, ids[0], Holding.ACCEPTED, service_id=each)[0]
            for each in (SERVICE, OTHER_SERVICE)
        )
        targets = [(f"/api/v1/{base}{rest}", bearer(token)) for token in ("", "x", good, other)]
        expected = [401, 401, 200, 200 if base == "verify" else 401]
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "COPY"):
            assert asked.statuses(method, targets) == expected

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
    def test_for_one_service(self, asked, engine, ids, path, services):
        """A gateway takes the tokens of the service behind it: what it wrote decides."""
        both = (SERVICE, OTHER_SERVICE)
        tokens = [give(engine, ids[0], Holding.ACCEPTED, service_id=each)[0] for each in both]
        statuses = asked.statuses("GET", [(f"/api/v1/{path}", bearer(token)) for token in tokens])
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
    def test_an_address_that_is_not_declared_is_404(self, asked, engine, ids, path):
        """With a good token as well: a typo in a gateway's address opens nothing."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert asked.statuses("GET", [(path, {}), (path, bearer(token))]) == [404, 404]


REVOKED = f"revoke, asked by service {SERVICE}"


class TestRevoke:
    """RFC 7009: whoever holds a token can end it."""

    @pytest.mark.parametrize(
        ("holding", "becomes", "action"),
        [(Holding.ACCEPTED, "removed", "remove"), (Holding.PENDING, "cancelled", "cancel")],
    )
    def test_a_service_ends_its_own(self, asked, engine, ids, holding, becomes, action):
        """At once, with one event and no operation; a second time is 200 as well."""
        (token,) = give(engine, ids[0], holding)
        secret = credential(engine)
        assert asked.verify(token).status_code == 200
        for _ in range(2):
            response = asked.revoke(token, secret)
            assert (response.status_code, response.json()) == (200, {})
        assert asked.verify(token).status_code == 401
        assert select(engine, "SELECT state, ended_from FROM token") == [(becomes, holding.value)]
        assert select(
            engine,
            "SELECT action, actor, address, organization_id, service_id, operation_id, subject,"
            " users, detail FROM audit_event WHERE detail LIKE 'revoke%'",
        ) == [(action, "", ADDRESS, ORG, SERVICE, "", "utcjf1-u0", 1, REVOKED)]
        assert select(engine, "SELECT count(*) FROM operation") == [(0,)]

    def test_one_of_two(self, asked, engine, ids):
        """That token alone."""
        pending, accepted = give(engine, ids[0], Holding.BOTH)
        asked.revoke(accepted, credential(engine))
        assert [asked.verify(t).status_code for t in (pending, accepted)] == [200, 401]

    def test_the_revision_rises(self, asked, engine, ids):
        """So that an administrator's plan is compared again."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        before = select(engine, "SELECT revision FROM subscription ORDER BY service_id")
        asked.revoke(token, credential(engine))
        after = select(engine, "SELECT revision FROM subscription ORDER BY service_id")
        assert sorted(a[0] - b[0] for a, b in zip(after, before, strict=True)) == [0, 1]

    def test_an_inactive_members_token(self, asked, engine, ids):
        """It would work again on reactivation, so it can be ended."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        change(engine, "UPDATE member SET status = 'inactive'")
        asked.revoke(token, credential(engine))
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
    def test_a_token_with_white_space_round_it_is_ended(self, asked, engine, ids, form):
        """As one that was read from a file: afterwards verify says 401."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        secret = credential(engine)
        assert asked.send("introspect", form.format(token), secret).json()["active"]
        assert asked.send("revoke", form.format(token), secret).status_code == 200
        assert asked.verify(token).status_code == 401
        assert select(engine, "SELECT state FROM token") == [("removed",)]

    def test_what_is_not_there(self, asked, engine, ids):
        """Unknown, malformed, another service's, expired: 200, and nothing ends."""
        (foreign,) = give(engine, ids[0], Holding.ACCEPTED, service_id=OTHER_SERVICE)
        (expired,) = give(engine, ids[1], Holding.ACCEPTED, expires_at=NOW)
        secret = credential(engine)
        for token in (foreign, expired, "x", "\0", *mint(1, "demo")):
            response = asked.revoke(token, secret)
            assert (response.status_code, response.json()) == (200, {})
        states = select(engine, "SELECT state FROM token ORDER BY state")
        assert states == [("accepted",), ("expired",)]
        assert select(engine, "SELECT count(*) FROM audit_event WHERE detail LIKE 'revoke%'") == [
            (0,)
        ]

    def test_without_credentials_it_is_closed(self, asked, engine, ids):
        """Unless it is set."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert problem(asked.revoke(token)) == (401, "invalid_client")
        assert asked.verify(token).status_code == 200

    def test_open_to_whoever_holds_one(self, engine, ids):
        """Of any service; wrong credentials are refused all the same."""
        asked = ask(engine, open_revoke=True)
        (token,) = give(engine, ids[0], Holding.ACCEPTED, service_id=OTHER_SERVICE)
        assert problem(asked.revoke(token, ("x", "y"))) == (401, "invalid_client")
        assert asked.revoke(token).status_code == 200
        assert select(engine, "SELECT state FROM token") == [("removed",)]
        asked.api.close()


def refusals(caplog) -> list[str]:
    """Return the lines about failures, and forget them."""
    lines = [record.getMessage() for record in caplog.records if "Refused" in record.getMessage()]
    caplog.clear()
    return lines


SINCE = f"since {iso(NOW)}"


class TestFailures:
    """Nothing is throttled (ruling 14): failures are logged."""

    def test_ten_thousand_bad_tokens_from_an_address_shut_nobody_out(self, asked, engine, ids):
        """A good one from there is good at once."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        bad = [wrong for one in mint(5_000, "demo") for wrong in (one, one[:-1])]
        targets = [("/api/v1/verify", bearer(one)) for one in bad]
        assert set(asked.statuses("GET", targets)) == {401}
        assert asked.verify(token).status_code == 200

    def test_a_thousand_wrong_credentials_shut_no_service_out(self, asked, engine, ids):
        """Neither one that was known before, nor a new one."""
        secret, new = credential(engine), credential(engine)
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert asked.introspect(token, secret).json()["active"]
        wrong = [("/api/v1/introspect", basic(secret[0], f"x{n}")) for n in range(1_000)]
        assert set(asked.statuses("POST", wrong)) == {401}
        for good in (secret, new):
            assert asked.introspect(token, good).json()["active"]

    def test_a_wrong_token_is_logged_with_its_address(self, asked, caplog):
        """And never with the token."""
        (token,) = mint(1, "demo")
        asked.verify(token)
        assert refusals(caplog) == [f"Refused from {ADDRESS} {SINCE}: 1 wrong token"]

    def test_a_wrong_credential_is_logged_with_its_address(self, asked, engine, caplog):
        """A service that is refused can be found."""
        client_id, _ = credential(engine)
        asked.introspect("x", (client_id, "wrong"))
        asked.revoke("x", (client_id, "wrong"))
        asked.api.failures.close()
        first = f"Refused from {ADDRESS} {SINCE}: 1 wrong service credential"
        assert refusals(caplog) == [first] * 2

    def test_an_open_revocation_of_no_token_is_logged(self, engine, ids, caplog):
        """Whoever tries tokens there is seen as well."""
        asked = ask(engine, open_revoke=True)
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        asked.revoke(token)
        assert refusals(caplog) == []
        asked.revoke(token)
        assert refusals(caplog) == [f"Refused from {ADDRESS} {SINCE}: 1 wrong token"]
        asked.api.close()

    def test_what_a_known_service_asks_about_is_no_failure(self, one, secret, caplog):
        """It passes on what its own clients send."""
        assert one.introspect("x", secret).json() == INACTIVE
        assert one.revoke("x", secret).status_code == 200
        assert refusals(caplog) == []

    def test_a_trusted_proxy_says_whose_failure_it_is(self, engine, ids, caplog):
        """One that nobody trusts says nothing: its client could write any address."""
        assert ids
        forwarded = {"x-forwarded-for": "192.0.2.1"}
        for proxies, address in (((ip_network(f"{ADDRESS}/32"),), "192.0.2.1"), ((), ADDRESS)):
            asked = ask(engine, trusted_proxies=proxies)
            asked.verify("x", headers=forwarded)
            assert refusals(caplog) == [f"Refused from {address} {SINCE}: 1 wrong token"]
            asked.api.close()


class TestThreads:
    """What a lost database holds."""

    def test_a_thread_that_hangs_is_not_waited_for(self, asked, monkeypatch):
        """503 in time."""
        held = threading.Event()
        monkeypatch.setattr("lib.web.endpoints._SECONDS", 0.05)
        monkeypatch.setattr(asked.api.verifier, "is_ready", lambda: held.wait(20))
        assert problem(asked.client.get("/readyz")) == (503, "temporarily_unavailable")
        held.set()


class TestPathsAndMethods:
    """What else can be asked."""

    @pytest.mark.parametrize("path", ["introspect", "revoke"])
    @pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "X"])
    def test_a_wrong_method(self, one, path, method):
        """405 that names the right one."""
        response = one.client.request(method, f"/api/v1/{path}")
        assert (response.status_code, response.headers["allow"]) == (405, "POST")
        if method != "HEAD":
            assert problem(response) == (405, "invalid_request")

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/openapi.json"])
    def test_reads(self, one, path):
        """GET and HEAD."""
        assert one.client.get(path).status_code == 200
        assert one.client.head(path).status_code == 200
        response = one.client.post(path)
        assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")

    @pytest.mark.parametrize("path", ["", "x", "introspect/", "verifyx", "openapi.json/x", "%00"])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_nothing_there(self, one, path, method):
        """404 in JSON, and no redirect."""
        response = one.client.request(method, f"/api/v1/{path}", follow_redirects=False)
        assert problem(response) == (404, "not_found")

    def test_health(self, asked, engine):
        """The process, and the database with its tables."""
        assert asked.client.get("/healthz").json() == {"status": "ok"}
        assert asked.client.get("/readyz").json() == {"status": "ready"}
        change(engine, "UPDATE alembic_version SET version_num = '0001'")
        response = asked.client.get("/readyz")
        assert (response.status_code, response.json()) == (503, {"status": "migrating"})


class TestLostDatabase:
    """503 with Retry-After, never a wrong yes or no."""

    @pytest.mark.parametrize("fault", [DatabaseBusyError, DatabaseUnavailableError])
    def test_each_route(self, asked, engine, ids, fault, monkeypatch):
        """Health alone answers."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        secret = credential(engine)

        def lost(*_args, **_options):
            raise fault

        monkeypatch.setattr(TokenLookup, "_one", lost)
        monkeypatch.setattr(AsyncTokenLookup, "tokens", lost)
        monkeypatch.setattr(AsyncTokenLookup, "credential", lost)
        monkeypatch.setattr(TokenVerifier, "is_ready", lost)
        for response in (
            asked.verify(token),
            asked.introspect(token, secret),
            asked.revoke(token, secret),
            asked.client.get("/readyz"),
        ):
            assert problem(response) == (503, "temporarily_unavailable")
            assert response.headers["retry-after"] == "5"
        assert asked.client.get("/healthz").status_code == 200

    def test_a_mistake_of_ours(self, caplog):
        """500 in JSON that nobody keeps; the log says where, and nothing of what was sent."""
        told = "demo_secret"

        def open_api():
            raise OSError(13, "Permission denied", told)

        response = client_of(open_api).get("/api/v1/verify", headers={"authorization": "Bearer x"})
        assert problem(response) == (500, "server_error")
        assert response.headers["cache-control"] == "no-store"
        assert "verify: PermissionError" in caplog.text
        assert "in open_api" in caplog.text
        assert told not in caplog.text

    def test_who_asks_meanwhile_shares_the_try(self):
        """A database that does not answer is waited for once, not once for each."""
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

    def test_not_there_yet(self, engine):
        """Opened by the first request that needs it; the next one tries again."""
        api, faults = ask(engine).api, [DatabaseUnavailableError()]

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
    """No token and no secret in the log or the database."""

    def test_after_everything(self, engine, ids, caplog):
        """Verify, introspect, revoke; good and bad."""
        caplog.set_level(0)
        asked: Asked = ask(engine, open_revoke=True)
        secret = credential(engine)
        tokens = [give(engine, member_id, Holding.PENDING)[0] for member_id in ids]
        tokens += mint(3, "demo")
        for token in tokens:
            for bad in (token, token[:-1], f"{token}x"):
                asked.verify(bad)
                asked.introspect(bad, secret)
                asked.revoke(bad)
        asked.api.close()
        left = json.dumps([str(record.__dict__) for record in caplog.records])
        for table in ("token", "audit_event", "service_credential"):
            left += str(select(engine, f"SELECT * FROM {table}"))
        for canary in (*tokens, secret[1]):
            assert canary[9:30] not in left
            assert canary[9:30].encode().hex() not in left
