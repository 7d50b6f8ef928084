"""Real gateways with README's samples, in front of a small API."""

import time
from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
from sqlalchemy import Engine

from lib.domain import clock
from lib.domain.states import Action, Holding
from lib.operations.actions import execute, plan_action
from lib.operations.database import open_database
from tests.support.actions import exported, give, select
from tests.support.directory import ADMIN, MINTING, ORG, SERVICE, build, by, unit_of_work
from tests.support.gateways import (
    DATA,
    ENVOY,
    GATEWAYS,
    NGINX,
    NGINX_API_TOKEN,
    NO_ADDRESS,
    WRONG,
    SmallApi,
    ask_each,
    print_table,
)
from tests.support.http import bearer
from tests.support.processes import wait_for
from tests.support.servers import ROOT, Serving, serving
from tests.web.conftest import OTHER_SERVICE

OURS = ("X-Token-Username", "X-Organization-ID", "X-Token-Service")


@pytest.fixture(scope="module")
def api() -> Iterator[SmallApi]:
    """The API behind the gateways."""
    with SmallApi().serving() as api:
        yield api


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[Engine]:
    """A database with five users and two services."""
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('gateways') / 'desk.db'}")
    build(engine, 5, services=(SERVICE, OTHER_SERVICE))
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def token(engine) -> str:
    """A good token of the first user."""
    return give(engine, members(engine)[0], Holding.ACCEPTED)[0]


@pytest.fixture(scope="module")
def foreign(engine) -> str:
    """A good token of the first user for another service."""
    return give(engine, members(engine)[0], Holding.ACCEPTED, service_id=OTHER_SERVICE)[0]


@pytest.fixture(scope="module")
def desk(engine, tmp_path_factory) -> Iterator[Serving]:
    """The process of the API alone, started as the samples say."""
    settings = {
        "TOKEN_DESK_TRUSTED_PROXIES": "127.0.0.1",
        "TOKEN_DESK_TOKEN_HEADER": "api_token",
    }
    folder = tmp_path_factory.mktemp("desk")
    with serving(str(engine.url), folder, "--no-proxy-headers", **settings) as running:
        yield running


@pytest.fixture(scope="module")
def dashboard(engine, tmp_path_factory) -> Iterator[Serving]:
    """The dashboard on the same database."""
    with serving(str(engine.url), tmp_path_factory.mktemp("dashboard"), app="app:app") as running:
        yield running


@pytest.fixture(scope="module", params=GATEWAYS)
def gateway(request) -> str:
    """The name of each gateway in turn."""
    return request.param


@pytest.fixture(scope="module")
def urls(gateway, desk, api, tmp_path_factory) -> Iterator[dict[str, str]]:
    """The running gateway: its URL for each address at which it asks Token Desk."""
    folder = tmp_path_factory.mktemp("gateway") / "run"
    with GATEWAYS[gateway].running(folder, desk.address, api.port, *WRONG, *NO_ADDRESS) as urls:
        yield urls


@pytest.fixture
def client(gateway, urls) -> Iterator[httpx2.Client]:
    """A client of the gateway with the sample's own address."""
    with httpx2.Client(base_url=urls[GATEWAYS[gateway].own]) as client:
        yield client


@pytest.fixture(scope="module")
def api_token_url(desk, api, tmp_path_factory) -> Iterator[str]:
    """The URL of nginx with the sample that accepts a token in `api_token`."""
    folder = tmp_path_factory.mktemp("gateway") / "run"
    with NGINX_API_TOKEN.running(folder, desk.address, api.port) as urls:
        yield urls[NGINX_API_TOKEN.own]


def members(engine: Engine) -> list[str]:
    """Return every member's id, by username."""
    return [row[0] for row in select(engine, "SELECT member_id FROM member ORDER BY username")]


def act(engine: Engine, action: Action):
    """Execute an action for everybody but the first user."""
    others = members(engine)[1:]
    plan = plan_action(unit_of_work(engine, clock.now), ADMIN, action, ORG, SERVICE, others)
    return execute(unit_of_work(engine, clock.now), by(plan), plan, MINTING)


def spellings(name: str) -> list[str]:
    """Return a header's name with underscores in place of any of its hyphens."""
    first, *rest = name.split("-")
    found = [first]
    for part in rest:
        found = [f"{each}{sign}{part}" for each in found for sign in "-_"]
    return found


def received_headers(answer: httpx2.Response) -> dict[str, str]:
    """Return the headers that the API received, with hyphens for underscores.

    Each must be there once.
    """
    assert answer.status_code == 200
    pairs = [(name.lower().replace("_", "-"), value) for name, value in answer.json()]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def identity_of(headers: dict[str, str]) -> list[str | None]:
    """Return the values of Token Desk's headers: username, organization, service."""
    return [headers.get(name.lower()) for name in OURS]


class TestGateway:
    """Each gateway, with its sample."""

    def test_a_token_passes_after_export_and_is_401_after_remove(self, client, engine):
        """200 with a token from the CSV, which is accepted then. 401 within a second of Remove."""
        tokens = exported(act(engine, Action.GENERATE))
        for token in tokens:
            headers = received_headers(client.get("/packages", headers=bearer(token)))
            assert headers["x-organization-id"] == ORG
            assert headers["x-token-service"] == SERVICE
            assert headers["x-token-username"].startswith("utcjf1-u")
            assert token not in headers.values()
            assert "authorization" not in headers
        pending = "SELECT count(*) FROM token WHERE state = 'pending'"
        wait_for(lambda: select(engine, pending) == [(0,)], 5)
        act(engine, Action.REMOVE)
        removed = time.monotonic()
        for token in tokens:
            answer = client.get("/packages", headers=bearer(token))
            assert answer.status_code == 401
            challenge = 'Bearer realm="token-desk", error="invalid_token"'
            assert answer.headers["www-authenticate"] == challenge
        assert time.monotonic() - removed < 1

    def test_a_request_without_a_token_is_401_with_the_challenge(self, client):
        """As the last lines of each sample say."""
        answer = client.get("/packages")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="token-desk"'

    def test_a_token_of_another_service_is_refused(self, client, foreign):
        """Whatever the client writes into its query string or path."""
        for target in ("/", f"/?service={OTHER_SERVICE}", f"/../../{OTHER_SERVICE}/verify"):
            assert client.get(target, headers=bearer(foreign)).status_code == 401

    def test_identity_headers_of_a_client_do_not_reach_the_api(self, client, token):
        """In any spelling that an API accepts for the header."""
        names = [spelling for name in OURS for spelling in spellings(name)]
        headers = received_headers(
            client.get("/packages", headers=bearer(token) | dict.fromkeys(names, "root"))
        )
        assert identity_of(headers) == ["utcjf1-u0", ORG, SERVICE]
        assert "root" not in headers.values()

    def test_a_client_cannot_remove_the_identity_headers(self, client, token):
        """By naming them in Connection (RFC 9110, section 7.6.1)."""
        hop = {"connection": ", ".join(["keep-alive", *OURS])}
        headers = received_headers(client.get("/packages", headers=bearer(token) | hop))
        assert identity_of(headers) == ["utcjf1-u0", ORG, SERVICE]

    def test_a_body_reaches_the_api_and_its_errors_reach_the_client(self, client, token):
        """Unchanged."""
        answer = client.post("/packages", headers=bearer(token), content=b"x" * 100_000)
        assert (answer.status_code, answer.content) == (500, b"x" * 100_000)

    def test_the_log_names_the_client_behind_the_gateway(self, gateway, client, desk):
        """Not the gateway, and not an address that the client claims."""
        address = f"127.0.0.{10 + list(GATEWAYS).index(gateway)}"
        transport = httpx2.HTTPTransport(local_address=address)
        forwarded = {"x-forwarded-for": "192.0.2.9"}
        with httpx2.Client(base_url=client.base_url, transport=transport) as other:
            assert other.get("/", headers=bearer("x") | forwarded).status_code == 401
        wait_for(lambda: f"Refused from {address} since" in desk.log.read_text(), 10)
        assert "192.0.2.9" not in desk.log.read_text()

    def test_no_request_passes_while_token_desk_does_not_answer(self, gateway, api, tmp_path):
        """The client gets 5xx."""
        own = GATEWAYS[gateway]
        with own.running(tmp_path / "run", "http://127.0.0.1:9", api.port) as urls:
            api.reached.clear()
            assert httpx2.get(urls[own.own], headers=bearer("x")).status_code in {502, 503}
            assert api.reached == []


class TestAddresses:
    """A typo in a gateway's address must let nobody pass."""

    def test_only_the_right_address_lets_a_good_token_pass(self, gateway, urls, api, token):
        """And no address lets a request without a good token pass."""
        rows = ask_each(gateway, urls, api, token)
        print_table(rows)
        assert len(rows) == 1 + len(WRONG) + len(NO_ADDRESS)
        assert not any(row.leaked for row in rows)
        assert not any(429 in row.refused for row in rows)  # each was answered by Token Desk
        assert [row.passed for row in rows] == [True] + [False] * (len(rows) - 1)


class TestTheDashboardsPort:
    """The dashboard serves the API too. A typo in an address at its port lets nobody pass."""

    def test_a_wrong_address_at_the_dashboards_port_lets_nobody_pass(
        self, gateway, dashboard, api, token, tmp_path
    ):
        """Streamlit itself would answer with its page and 200. The table is printed."""
        asking = GATEWAYS[gateway]
        if asking is NGINX:  # by the name of its upstream it would be a stranger: 403
            off = "proxy_pass_request_body off;"
            asking = replace(NGINX, changes=((off, f"{off} proxy_set_header Host $host;"),))
        with asking.running(tmp_path / "run", dashboard.address, api.port, *WRONG) as urls:
            rows = ask_each(gateway, urls, api, token)
        print_table(rows)
        assert not any(row.leaked for row in rows)
        assert [row.passed for row in rows] == [True] + [False] * len(WRONG)


class TestSamples:
    """The samples that people copy."""

    @pytest.mark.parametrize("gateway", [*GATEWAYS.values(), NGINX_API_TOKEN])
    def test_each_sample_is_in_readme_and_ends_with_its_check(self, gateway):
        """The check is a `curl` without a token, which must get 401."""
        assert f"(data/{gateway.sample})" in (ROOT / "README.md").read_text()
        *_, words, command = (DATA / gateway.sample).read_text().splitlines()
        assert "must say 401" in words
        assert command == "#   curl -s -o /dev/null -w '%{http_code}\\n' localhost:8080/"


class TestRateLimits:
    """The gateway's own rate limit, if it has one."""

    @pytest.mark.parametrize(
        ("gateway", "changes"),
        [
            (NGINX, (("rate=100r/s", "rate=1r/m"), ("burst=200", "burst=2"))),
            (ENVOY, (("max_tokens: 2000", "max_tokens: 3"), ("interval: 1s", "interval: 3600s"))),
        ],
        ids=["nginx", "Envoy"],
    )
    def test_requests_above_the_rate_limit_are_429(
        self, desk, api, token, tmp_path, gateway, changes
    ):
        """Three requests pass, with the limit of this test. A good token does not help."""
        limited = replace(gateway, changes=changes)
        with limited.running(tmp_path / "run", desk.address, api.port) as urls:
            ask = [httpx2.get(urls[gateway.own], headers=bearer(token)) for _ in range(5)]
        assert [answer.status_code for answer in ask] == [200, 200, 200, 429, 429]


class TestPreflights:
    """CORS: a browser's OPTIONS has no token."""

    @pytest.mark.parametrize("gateway", [NGINX, NGINX_API_TOKEN])
    def test_only_options_pass_without_a_token_where_the_sample_says_so(
        self, desk, api, tmp_path, gateway
    ):
        """The line is a comment in the sample. Nobody's identity is passed on."""
        line = "if ($request_method = OPTIONS) { return 204; }"
        opened = replace(gateway, changes=((f"#{line}", line),))
        with (
            gateway.running(tmp_path / "as-it-is", desk.address, api.port) as closed_urls,
            opened.running(tmp_path / "opened", desk.address, api.port) as urls,
        ):
            assert httpx2.options(closed_urls[gateway.own]).status_code == 401
            url = urls[gateway.own]
            headers = received_headers(httpx2.options(url, headers=dict.fromkeys(OURS, "root")))
            assert identity_of(headers) == [None, None, None]
            for method in ("GET", "HEAD", "POST", "PUT", "OPTIONSX"):
                answer = httpx2.request(method, url, headers={"x-http-method-override": "OPTIONS"})
                assert answer.status_code != 200, method


class TestPlainHeader:
    """nginx for clients that send the token in `api_token`."""

    def test_a_plain_header_is_accepted_and_does_not_reach_the_api(self, api_token_url, token):
        """Nor do identity headers of the client, in any spelling."""
        forged = dict.fromkeys((each for name in OURS for each in spellings(name)), "root")
        headers = received_headers(httpx2.get(api_token_url, headers=forged | {"api_token": token}))
        assert identity_of(headers) == ["utcjf1-u0", ORG, SERVICE]
        assert {"root", token}.isdisjoint(headers.values())
        assert {"api-token", "authorization"}.isdisjoint(headers)

    @pytest.mark.parametrize("name", ["api_token", "api-token", "API_TOKEN"])
    def test_a_plain_header_beside_a_bearer_token_does_not_reach_the_api(
        self, api_token_url, token, name
    ):
        """The same token in both counts once. Another one in `api_token` is refused."""
        answer = httpx2.get(api_token_url, headers=bearer(token) | {name: token})
        assert token not in received_headers(answer).values()
        other = httpx2.get(api_token_url, headers=bearer(token) | {name: "x"})
        assert other.status_code == (200 if name == "api-token" else 401)

    def test_a_missing_or_bad_plain_header_is_401(self, api_token_url):
        """Both get the challenge."""
        for headers in ({}, {"api_token": "x"}, {"api-token": "x"}):
            assert httpx2.get(api_token_url, headers=headers).status_code == 401
