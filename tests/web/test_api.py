"""The HTTP side: who is told what, by which status, and nothing else."""

import asyncio
import json
import threading
from ipaddress import ip_network
from urllib.parse import quote

import pytest
from sqlalchemy import text

from lib.domain.clock import DAY, HOUR, MINUTE, SECOND
from lib.domain.errors import StoreBusy, StoreUnavailable
from lib.domain.guessing import Guess
from lib.domain.secrets import mint
from lib.domain.states import Action, Holding
from lib.operations.checking import Checker
from lib.store.lookups import Lookups
from lib.store.loop_lookups import LoopLookups
from lib.web.endpoints import Opened
from tests.directory import ORG, SERVICE, build
from tests.facts import NOW
from tests.operations.acting import act, change, give, select
from tests.web.asking import ADDRESS, FORM, Asked, ask, basic, client_of, credential
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
    asked.api.checker.close()


@pytest.fixture
def one(one_engine):
    """The routes on a database that many tests share, for what is not the database's business."""
    asked = ask(one_engine)
    yield asked
    asked.api.checker.close()


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
        for token in ("", "\0", "é" * 40, "demo_" + "\0" * 46):
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
        asked.api.checker.uses.flush()
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
            (b"token=a&token=b", FORM, 400),
            (b"token=%ff", FORM, 400),
            (b"token=\xff", FORM, 400),
            (b"&&&", FORM, 400),
            (b"\0", FORM, 400),
            (b'{"token": "x"}', "application/json", 415),
            (b"token=x", "", 415),
            (b"token=x", "text/plain", 415),
            (b"token=x", "multipart/form-data; boundary=x", 415),
            (b"token=x", f"{FORM}x", 415),
            (b"token=x", f"{FORM.upper()}; charset=utf-8", 200),
            (b"token=", FORM, 200),
            (b"token=" + b"x" * 65_000, FORM, 200),
            (b"token=" + b"x" * 66_000, FORM, 413),
            (b"a=b&" * 16_000 + b"c=d", FORM, 400),
        ],
    )
    def test_each(self, one, secret, path, body, kind, expected):
        """With the RFC's status, in JSON."""
        headers = basic(*secret) | {"content-type": kind}
        response = one.client.post(f"/api/v1/{path}", content=body, headers=headers)
        assert response.status_code == expected
        if expected != 200:
            assert problem(response) == (expected, "invalid_request")

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
    """For gateways: 204 and whose it is, or 401 and why (RFC 6750)."""

    def test_a_good_token(self, asked, engine, ids):
        """No body; who it is in headers."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        response = asked.verify(token)
        assert (response.status_code, response.content) == (204, b"")
        assert dict(response.headers) == {
            "cache-control": "no-store",
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
        assert asked.client.get("/api/v1/verify", headers=headers).status_code == 204

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
    def test_no_token_or_two(self, one, headers):
        """401 without an error code (RFC 6750, section 3.1), and it is no guess."""
        response = one.client.get("/api/v1/verify", headers=headers)
        assert not one.api.throttle._failed
        assert problem(response) == (401, "unauthorized")
        assert response.headers["www-authenticate"] == 'Bearer realm="token-desk"'

    def test_a_plain_header(self, engine, ids):
        """As recording APIs have it; beside it a client's Authorization may be another's."""
        asked = ask(engine, token_header="api_token")  # noqa: S106 - a header's name
        (token,) = give(engine, ids[0], Holding.ACCEPTED)

        def status(*headers: tuple[str, str]) -> int:
            return asked.client.get("/api/v1/verify", headers=list(headers)).status_code

        assert status(("API_TOKEN", f" {token} ")) == 204
        assert status(("authorization", f"Bearer {token}")) == 204
        assert status(("api_token", token), ("authorization", "Basic eDp5")) == 204
        assert status(("api_token", token), ("authorization", f"Bearer {token}")) == 401
        assert status(("api_token", token), ("api_token", token)) == 401
        asked.api.checker.close()

    @pytest.mark.parametrize("path", ["", "/", "/api/v3/packages", "/%2e%2e//x?service=none"])
    def test_any_method_and_path(self, asked, engine, ids, path):
        """Envoy keeps both of the request that it asks about, and puts ours before it.

        The query string is then its client's, who has no say in which service's tokens are good.
        """
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        headers = {"authorization": f"Bearer {token}"}
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "COPY"):
            response = asked.client.request(method, f"/api/v1/verify{path}", headers=headers)
            assert response.status_code == 204

    @pytest.mark.parametrize(
        ("service", "status"), [(SERVICE, 204), (OTHER_SERVICE, 401), ("", 401), ("%00", 401)]
    )
    def test_for_one_service(self, asked, engine, ids, service, status):
        """A gateway takes the tokens of the service behind it."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        response = asked.client.get(
            f"/api/v1/verify?service={service}", headers={"authorization": f"Bearer {token}"}
        )
        assert response.status_code == status


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
        assert asked.verify(token).status_code == 204
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
        assert [asked.verify(t).status_code for t in (pending, accepted)] == [204, 401]

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
        assert asked.verify(token).status_code == 204

    def test_open_to_whoever_holds_one(self, engine, ids):
        """Of any service; wrong credentials are refused all the same."""
        asked = ask(engine, open_revoke=True)
        (token,) = give(engine, ids[0], Holding.ACCEPTED, service_id=OTHER_SERVICE)
        assert problem(asked.revoke(token, ("x", "y"))) == (401, "invalid_client")
        assert asked.revoke(token).status_code == 200
        assert select(engine, "SELECT state FROM token") == [("removed",)]
        asked.api.checker.close()


def fail(asked: Asked, times: int, address: str = ADDRESS) -> None:
    """Note so many bad tokens of an address."""
    for _ in range(times):
        asked.api.throttle.failed(Guess.TOKEN, address)


class TestGuessing:
    """Wrong attempts are counted by address and hour."""

    def test_bad_tokens(self, asked, engine, ids):
        """A thousand, whatever is wrong with them; then 429 until the hour is over."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        fail(asked, 990)
        for number in range(10):
            assert asked.verify(token).status_code == 204
            assert asked.verify(f"{token}{number}").status_code == 401
        response = asked.verify(token)
        assert problem(response) == (429, "too_many_requests")
        assert response.headers["retry-after"] == str((HOUR - NOW % HOUR) // SECOND)
        asked.clock.at += HOUR - NOW % HOUR
        assert asked.verify(token).status_code == 204

    def test_another_client(self, engine, ids):
        """Behind the same gateway, which is trusted with whose request it is."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        asked = ask(engine, trusted_proxies=(ip_network(f"{ADDRESS}/32"),))
        bad, other = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.2"}
        fail(asked, 999, "192.0.2.1")
        assert asked.verify("x", headers=bad).status_code == 401
        assert asked.verify(token, headers=bad).status_code == 429
        assert asked.verify(token, headers=other).status_code == 204
        assert asked.verify(token).status_code == 204
        asked.api.checker.close()

    def test_a_proxy_that_nobody_trusts(self, asked, engine, ids):
        """Its header counts for nothing: whoever guesses would write another each time."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        fail(asked, 990)
        for number in range(10):
            asked.verify("x", headers={"x-forwarded-for": f"192.0.2.{number}"})
        assert asked.verify(token, headers={"x-forwarded-for": "192.0.2.251"}).status_code == 429

    def test_wrong_credentials(self, asked, engine, ids):
        """A hundred; then 429, but for who was known before, and one attempt a second."""
        secret, new = credential(engine), credential(engine)
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        assert asked.introspect(token, secret).json()["active"]
        for _ in range(100):
            assert asked.introspect(token, (secret[0], "x")).status_code == 401
        assert problem(asked.introspect(token, (secret[0], "y"))) == (429, "too_many_requests")
        assert problem(asked.introspect(token, new)) == (429, "too_many_requests")
        assert asked.introspect(token, secret).json()["active"], "a known service is not shut out"
        assert asked.revoke("x", secret).status_code == 200
        asked.clock.at += SECOND
        assert asked.introspect(token, new).json()["active"]
        assert asked.introspect(token, new).json()["active"], "it is known now"

    def test_a_service_that_another_process_knows(self, asked, engine, ids):
        """A replica, or this one started anew, learns of the guesses, and shuts nobody out."""
        secret = credential(engine)
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        for _ in range(100):
            asked.introspect(token, (secret[0], "x"))
        anew = ask(engine)
        assert anew.introspect(token, (secret[0], "x")).status_code == 401
        anew.clock.at += SECOND
        assert anew.introspect(token, secret).json()["active"]
        anew.api.checker.close()

    def test_a_thread_that_a_lost_database_holds(self, asked, monkeypatch):
        """It is not waited for: 503 in time."""
        held = threading.Event()
        monkeypatch.setattr("lib.web.endpoints._SECONDS", 0.05)
        monkeypatch.setattr(asked.api.checker, "is_ready", lambda: held.wait(20))
        assert problem(asked.client.get("/readyz")) == (503, "temporarily_unavailable")
        held.set()

    def test_a_known_service_asks_as_often_as_it_likes(self, one, secret):
        """About tokens that are none."""
        for number in range(1_001):
            assert one.introspect(f"{number}", secret).json() == INACTIVE

    def test_open_revoke(self, engine, ids):
        """Counted with bad tokens at verify."""
        asked = ask(engine, open_revoke=True)
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        fail(asked, 998)
        assert asked.verify("x").status_code == 401
        assert asked.revoke("x").status_code == 200
        assert problem(asked.revoke(token)) == (429, "too_many_requests")
        assert select(engine, "SELECT state FROM token") == [("accepted",)]
        asked.api.checker.close()


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

    @pytest.mark.parametrize("fault", [StoreBusy, StoreUnavailable])
    def test_each_route(self, asked, engine, ids, fault, monkeypatch):
        """Health alone answers."""
        (token,) = give(engine, ids[0], Holding.ACCEPTED)
        secret = credential(engine)

        def lost(*_args, **_options):
            raise fault

        monkeypatch.setattr(Lookups, "_one", lost)
        monkeypatch.setattr(LoopLookups, "tokens", lost)
        monkeypatch.setattr(LoopLookups, "credential", lost)
        monkeypatch.setattr(Checker, "is_ready", lost)
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
            raise StoreUnavailable

        async def ask_all():
            opened = Opened(open_api)
            waiting = [asyncio.create_task(opened.api()) for _ in range(50)]
            assert await asyncio.to_thread(begun.wait, 10)
            answer.set()
            return await asyncio.gather(*waiting, return_exceptions=True)

        assert {type(error) for error in asyncio.run(ask_all())} == {StoreUnavailable}
        assert tries == [1]

    def test_not_there_yet(self, engine):
        """Opened by the first request that needs it; the next one tries again."""
        api, faults = ask(engine).api, [StoreUnavailable()]

        def open_api():
            if faults:
                raise faults.pop()
            return api

        client = client_of(open_api)
        assert client.get("/healthz").status_code == 200
        assert faults
        assert client.get("/readyz").status_code == 503
        assert client.get("/readyz").status_code == 200
        api.checker.close()


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
        asked.api.checker.close()
        left = json.dumps([str(record.__dict__) for record in caplog.records])
        for table in ("token", "audit_event", "service_credential", "failed_attempt"):
            left += str(select(engine, f"SELECT * FROM {table}"))
        for canary in (*tokens, secret[1]):
            assert canary[9:30] not in left
            assert canary[9:30].encode().hex() not in left
