"""The HTTP side of tokens: is one good, for services (RFC 7662) and for gateways (RFC 6750)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from ipaddress import IPv4Network, IPv6Network
from typing import Any, TypeAlias
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lib.domain.clock import SECOND
from lib.domain.errors import StoreUnavailable
from lib.domain.rows import FoundToken
from lib.operations.checking import Checker
from lib.operations.throttle import Guess, Throttle
from lib.web import exchange
from lib.web.exchange import Problem, answer

PREFIX = "/api/v1"
_REALM = 'realm="token-desk"'
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

Handler: TypeAlias = Callable[["Api", Request], Awaitable[Response]]


@dataclass(frozen=True)
class Api:
    """What the routes work with. `token_header`: a plain header that may carry the token."""

    checker: Checker
    throttle: Throttle
    token_header: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()

    def address_of(self, request: Request) -> str:
        """Return the address whose guesses are counted."""
        return exchange.client_address(request, self.trusted_proxies)


async def introspect(api: Api, request: Request) -> Response:
    """Tell a service whether a token is one of its own and good; nothing else of any other."""
    service_id = await _calling_service(api, request)
    token = (await exchange.read_form(request)).get("token")
    if token is None:
        raise Problem(400, "invalid_request", "The field token is missing.")
    found = await run_in_threadpool(api.checker.check, token, service_id)
    return answer(_introspected(found) if found else {"active": False})


async def verify(api: Api, request: Request) -> Response:
    """Tell a gateway whether the request that it holds may pass: 204, or 401 with the reason."""
    address = api.address_of(request)
    if seconds := api.throttle.seconds_to_wait(Guess.TOKEN, address):
        raise exchange.too_many(seconds)
    token = exchange.bearer_token(request, api.token_header)
    if token is None:
        headers = {"www-authenticate": f"Bearer {_REALM}"}
        raise Problem(401, "unauthorized", "Send one Authorization: Bearer header.", headers)
    service_id = request.query_params.get("service")
    found = await run_in_threadpool(api.checker.check, token, service_id)
    if found is None:
        await run_in_threadpool(api.throttle.failed, Guess.TOKEN, address)
        headers = {"www-authenticate": f'Bearer {_REALM}, error="invalid_token"'}
        raise Problem(401, "invalid_token", "The token is not good.", headers)
    who = {
        "x-token-username": found.username,
        "x-organization-id": found.organization_id,
        "x-token-service": found.service_id,
    }
    # A header holds ASCII only: other letters of a username are percent-encoded, as in a URL.
    told = {name: quote(value, safe="@+") for name, value in who.items()}
    return Response(status_code=204, headers={"cache-control": "no-store"} | told)


async def healthz(_api: Api, _request: Request) -> Response:
    """Tell that the process answers."""
    return answer({"status": "ok"})


async def readyz(api: Api, _request: Request) -> Response:
    """Tell whether the database answers and has the newest tables."""
    ready = await run_in_threadpool(api.checker.is_ready)
    return answer({"status": "ready" if ready else "migrating"}, 200 if ready else 503)


_NO_DATABASE = Problem(
    503,
    "temporarily_unavailable",
    "The database does not answer; ask again.",
    {"retry-after": "5"},
)


def routes(open_api: Callable[[], Api]) -> list[Route]:
    """Return the routes. `open_api` is called with the first request, and then each time."""
    return [
        _route(f"{PREFIX}/introspect", introspect, open_api, ["POST"]),
        _route(f"{PREFIX}/verify", verify, open_api, _METHODS),
        _route("/healthz", healthz, open_api, ["GET"]),
        _route("/readyz", readyz, open_api, ["GET"]),
    ]


def _route(
    path: str,
    handler: Handler,
    open_api: Callable[[], Api],
    methods: Any,  # noqa: ANN401
) -> Route:
    @wraps(handler)
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(await run_in_threadpool(open_api), request)
        except Problem as problem:
            return problem.response()
        except StoreUnavailable:
            return _NO_DATABASE.response()

    return Route(path, endpoint, methods=list(methods))


async def _calling_service(api: Api, request: Request) -> str:
    """Return the service that calls. Raises Problem: 401 invalid_client, 429 after many of them."""
    address = api.address_of(request)
    if seconds := api.throttle.seconds_to_wait(Guess.CREDENTIALS, address):
        raise exchange.too_many(seconds)
    given = exchange.basic_credentials(request)
    service_id = await run_in_threadpool(api.checker.service_of, *given) if given else None
    if service_id is None:
        if given:
            await run_in_threadpool(api.throttle.failed, Guess.CREDENTIALS, address)
        headers = {"www-authenticate": f"Basic {_REALM}"}
        raise Problem(401, "invalid_client", "Send the service's own credentials.", headers)
    return service_id


def _introspected(found: FoundToken) -> dict[str, Any]:
    """Return RFC 7662's members. Times are whole seconds; `exp` only where the token ends."""
    told = {
        "active": True,
        "sub": found.username,
        "username": found.username,
        "client_id": found.service_id,
        "organization_id": found.organization_id,
        "service": found.service_id,
        "token_type": "Bearer",
        "iat": found.issued_at // SECOND,
        "jti": found.token_id,
    }
    return told if found.expires_at is None else told | {"exp": found.expires_at // SECOND}
