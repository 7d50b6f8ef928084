"""The HTTP API: introspection for services (RFC 7662), verify for gateways (RFC 6750), revocation.

Every response is JSON or empty, and has `Cache-Control: no-store`.
"""

import asyncio
import contextlib
import logging
import re
import threading
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from lib.domain.clock import SECOND
from lib.domain.errors import AuditNotWrittenError, DatabaseUnavailableError
from lib.domain.tokens import FoundToken
from lib.web import http_messages, openapi
from lib.web.failure_log import Failure, FailureLog
from lib.web.http_messages import ProblemError, json_response, read_form
from lib.web.paths import API, HEALTHZ, READYZ
from lib.wording.unavailable import explain_unavailable

if TYPE_CHECKING:  # the dashboard imports the database code only after its server has started
    from lib.operations.verification.token_verifier import TokenVerifier

_log = logging.getLogger(__name__)

_SECONDS = 5.0  # a request waits no longer for the database
_REALM = 'realm="token-desk"'
_READS = ("GET", "HEAD")
_PLAIN = re.compile("[A-Za-z0-9_.~@+-]*")  # text that `quote` would not change

_T = TypeVar("_T")
Handler: TypeAlias = Callable[["LazyApi", Request], Awaitable[Response]]


@dataclass(frozen=True)
class Api:
    """The dependencies and settings of the routes.

    `token_header`: another header in which verify accepts a token; empty for none. `open_revoke`:
    whoever has a token may end it without a service's credentials.
    """

    verifier: "TokenVerifier"
    failures: FailureLog
    token_header: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    open_revoke: bool = False

    def note_failure(self, failure: Failure, request: Request) -> None:
        """Log a wrong token or credential with the client's address."""
        self.failures.note(failure, self.address_of(request))

    def close(self) -> None:
        """Write noted uses and failures, and close the connections."""
        self.verifier.close()
        self.failures.close()

    def address_of(self, request: Request) -> str:
        """Return the client's address, as the log and the audit events name it."""
        return http_messages.client_address(request, self.trusted_proxies)


class LazyApi:
    """The Api of this process: opened by the first request that needs it, closed at the end."""

    def __init__(self, open_api: Callable[[], Api]) -> None:
        """Open the Api by `open_api`. If that raises, the next request tries again."""
        self._open_api = open_api
        self._lock = threading.Lock()
        self._api: Api | None = None
        self._opening: asyncio.Future[Api] | None = None
        self._logged = ""

    async def api(self) -> Api:
        """Return the Api, opened if needed. Requests at the same time share one try.

        Raises DatabaseUnavailableError, also when opening takes longer than five seconds.
        """
        if self._api is not None:
            return self._api
        opening, loop = self._opening, asyncio.get_running_loop()
        if opening is None or opening.done() or opening.get_loop() is not loop:
            self._opening = opening = _run_in_thread(self.open)
        return await _wait_for(opening)

    def open(self) -> Api:
        """Return the Api, opened if needed, and start its recorder of uses.

        Raises DatabaseUnavailableError.
        """
        with self._lock:
            api = self._api
            if api is None:
                self._api = api = self._open_api()
                api.verifier.uses.start()
            return api

    def log_once(self, sentence: str) -> None:
        """Log why requests get 503, unless the last such line said the same."""
        if sentence != self._logged:
            self._logged = sentence
            _log.error("%s", sentence)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Close the Api when the application ends. Starlette calls this as its lifespan."""
        yield
        await run_in_threadpool(self.close)

    def close(self) -> None:
        """Close the Api, if it was opened."""
        with self._lock:
            if self._api:
                self._api.close()


async def introspect(lazy_api: LazyApi, request: Request) -> Response:
    """Tell a service about its own good token; `{"active": false}` for any other token."""
    api = await lazy_api.api()
    service_id, token = await _service_and_token(api, request)
    found = await api.verifier.check_in_loop(token, service_id)
    return json_response(_introspected(found) if found else {"active": False})


async def verify(lazy_api: LazyApi, request: Request) -> Response:
    """Tell a gateway whether to pass a request on: 200, or 401 with the reason.

    Envoy accepts only 200, without a body. Two tokens are answered with 401, where RFC 6750 says
    400: nginx accepts only 2xx, 401 and 403.
    """
    api = await lazy_api.api()
    token = http_messages.bearer_token(request, api.token_header)
    if token is None:
        headers = {"www-authenticate": f"Bearer {_REALM}"}
        raise ProblemError(401, "unauthorized", "Send one Authorization: Bearer header.", headers)
    found = await api.verifier.check_in_loop(token, _requested_service(request))
    if found is None:
        api.note_failure(Failure.TOKEN, request)
        headers = {"www-authenticate": f'Bearer {_REALM}, error="invalid_token"'}
        raise ProblemError(401, "invalid_token", "The token is not good.", headers)
    return Response(headers=_identity_headers(found))


def _requested_service(request: Request) -> str | None:
    """Return the id of the one service whose tokens are good for this request; None for all.

    A service in the path wins. If the path has the client's path at its end, as with Envoy, the
    query string comes from the client too and is ignored. A query string is parsed only if there
    is one: parsing takes as long as the rest of the response.
    """
    if service_id := request.path_params.get("service_id"):
        return str(service_id)
    if request.path_params.get("rest") or not request.scope["query_string"]:
        return None
    return request.query_params.get("service")


async def revoke(lazy_api: LazyApi, request: Request) -> Response:
    """End a token; a service can end only its own. 200 also when there is none (RFC 7009)."""
    api = await lazy_api.api()
    address = api.address_of(request)
    service_id, token = await _service_and_token(api, request, anybody=api.open_revoke)
    found = await _in_thread(api.verifier.revoke, token, address, service_id)
    if service_id is None and not found:
        api.note_failure(Failure.TOKEN, request)
    return json_response({})


async def describe(_lazy_api: LazyApi, _request: Request) -> Response:
    """Return the description of the API as OpenAPI 3.1."""
    return json_response(openapi.DOCUMENT)


async def healthz(_lazy_api: LazyApi, _request: Request) -> Response:
    """Return 200: the process answers."""
    return json_response({"status": "ok"})


async def readyz(lazy_api: LazyApi, _request: Request) -> Response:
    """Return 200 if the database has the newest tables, else 503."""
    api = await lazy_api.api()
    ready = await _in_thread(api.verifier.is_ready)
    return json_response({"status": "ready" if ready else "migrating"}, 200 if ready else 503)


async def not_found(_lazy_api: LazyApi, _request: Request) -> Response:
    """Raise 404, for every other path below `/api/v1/`."""
    raise ProblemError(404, "not_found", "There is nothing at this path.")


def _run_in_thread(call: Callable[..., _T], *arguments: object) -> "asyncio.Future[_T]":
    """Return the future of `call(*arguments)`, which runs in a thread."""
    future = asyncio.ensure_future(run_in_threadpool(call, *arguments))
    future.add_done_callback(_swallow_result)
    return future


async def _wait_for(future: "asyncio.Future[_T]") -> _T:
    """Return the result of `future`. Raises DatabaseUnavailableError after `_SECONDS`.

    The time until a thread is free counts too: a lost database can block all threads.
    """
    done, _ = await asyncio.wait({future}, timeout=_SECONDS)
    if not done:
        raise DatabaseUnavailableError
    return future.result()


async def _in_thread(call: Callable[..., _T], *arguments: object) -> _T:
    """Return `call(*arguments)`, run in a thread. Raises DatabaseUnavailableError if it is slow."""
    return await _wait_for(_run_in_thread(call, *arguments))


def _swallow_result(future: "asyncio.Future[Any]") -> None:
    """Retrieve the exception. Otherwise asyncio logs it if nobody waits for the future any more."""
    if not future.cancelled():
        future.exception()


class Endpoint:
    """One handler as an ASGI application. Errors of the handler become JSON responses."""

    def __init__(self, handler: Handler, lazy_api: LazyApi, methods: tuple[str, ...] = ()) -> None:
        """Respond by `handler`. Other methods than `methods` get 405; empty allows all methods."""
        self._handler = handler
        self._lazy_api = lazy_api
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request; to nobody if the client has disconnected."""
        try:
            response = await self._respond(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if self._methods and request.method not in self._methods:
            return _wrong_method(self._methods).response()
        try:
            return await self._handler(self._lazy_api, request)
        except ProblemError as problem:
            return problem.response()
        except (DatabaseUnavailableError, AuditNotWrittenError) as error:
            sentence = explain_unavailable(error)
            self._lazy_api.log_once(sentence)
            headers = {"retry-after": "5"}
            return ProblemError(503, "temporarily_unavailable", sentence, headers).response()
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - a bug gets a JSON response too
            # The error's message is left out: it may hold what the client sent.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s: %s\n%s", self._handler.__name__, type(error).__name__, where)
            return _FAULT.response()


class _AnyPath(PathConvertor):
    """Converter for the rest of a path. Starlette's own `path` stops at a line end (`%0A`)."""

    regex = r"[\s\S]*"


register_url_convertor("any", _AnyPath())


class _ExactRoute(Route):
    """A route for exactly its path. Starlette's own also accepts a line end (`%0A`) after it."""

    def __init__(self, path: str, endpoint: Endpoint) -> None:
        """Route `path` to `endpoint`."""
        super().__init__(path, endpoint)
        # `$` also matches before a line end at the end of the text; `\Z` does not.
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")


def routes(lazy_api: LazyApi) -> list[Route]:
    """Return the routes of the API and of the health checks."""
    verify_endpoint = Endpoint(verify, lazy_api)
    of_service = f"{API}services/{{service_id}}/verify"
    posts = {"introspect": introspect, "revoke": revoke}
    reads = {f"{API}openapi.json": describe, HEALTHZ: healthz, READYZ: readyz}
    return [
        # Envoy keeps the method of the client's request, and appends its path to ours.
        _ExactRoute(f"{API}verify", verify_endpoint),
        _ExactRoute(f"{API}verify/{{rest:any}}", verify_endpoint),
        _ExactRoute(of_service, verify_endpoint),
        _ExactRoute(f"{of_service}/{{rest:any}}", verify_endpoint),
        *(_ExactRoute(f"{API}{at}", Endpoint(do, lazy_api, ("POST",))) for at, do in posts.items()),
        *(_ExactRoute(at, Endpoint(do, lazy_api, _READS)) for at, do in reads.items()),
        _ExactRoute(f"{API}{{rest:any}}", Endpoint(not_found, lazy_api)),
    ]


_FAULT = ProblemError(500, "server_error", "Internal error. Token Desk's log says where.")
_TWO_CREDENTIALS = ProblemError(
    400, "invalid_request", "Send the credentials once: in HTTP Basic or in the form."
)


def _wrong_method(methods: tuple[str, ...]) -> ProblemError:
    allowed = ", ".join(methods)
    return ProblemError(405, "invalid_request", f"Use {allowed}.", {"allow": allowed})


async def _service_and_token(
    api: Api, request: Request, *, anybody: bool = False
) -> tuple[str | None, str]:
    """Return the id of the calling service, and the token in the form.

    The credentials are in HTTP Basic or in the form. With `anybody` they may be missing, and the id
    is None then. Raises ProblemError: 401 invalid_client, and those of the form.
    """
    in_header = "authorization" in request.headers
    form = None if in_header or not http_messages.has_form(request) else await read_form(request)
    credentials = form.credentials if form else http_messages.basic_credentials(request)
    service_id = None
    if credentials or in_header or not anybody:
        service_id = await _calling_service(api, request, credentials)
    form = form or await read_form(request)
    if in_header and form.credentials:
        raise _TWO_CREDENTIALS
    return service_id, form.token


async def _calling_service(api: Api, request: Request, credentials: tuple[str, str] | None) -> str:
    """Return the id of the service with these credentials. Raises ProblemError: 401."""
    service_id = await api.verifier.service_of_in_loop(*credentials) if credentials else None
    if service_id is None:
        if credentials:
            api.note_failure(Failure.CREDENTIAL, request)
        headers = {"www-authenticate": f'Basic {_REALM}, charset="UTF-8"'}
        raise ProblemError(401, "invalid_client", "Send the service's own credentials.", headers)
    return service_id


def _identity_headers(found: FoundToken) -> dict[str, str]:
    """Return the headers that tell a gateway the token's user, organization and service.

    A header may hold ASCII only, so other characters are percent-encoded, as in a URL.
    """
    identity = {
        "x-token-username": found.username,
        "x-organization-id": found.organization_id,
        "x-token-service": found.service_id,
    }
    headers = {
        name: value if _PLAIN.fullmatch(value) else quote(value, safe="@+")
        for name, value in identity.items()
    }
    return {"cache-control": "no-store"} | headers


def _introspected(found: FoundToken) -> dict[str, Any]:
    """Return the body of RFC 7662. Times are in seconds; `exp` only if the token expires."""
    body = {
        "active": True,
        "sub": found.username,
        "username": found.username,
        "client_id": found.service_id,
        "organization_id": found.organization_id,
        "service": found.service_id,
        "token_type": "Bearer",
        "iat": found.issued_at // SECOND,
        "jti": found.jti,
    }
    return body if found.expires_at is None else body | {"exp": found.expires_at // SECOND}
