"""The HTTP side of tokens: is one good, for services (RFC 7662) and for gateways (RFC 6750).

Every answer is JSON or empty, whatever is asked, and nobody keeps it.
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
from lib.web.http_messages import ProblemError, answer
from lib.web.paths import API, HEALTHZ, READYZ

if TYPE_CHECKING:  # the dashboard opens the database, and loads what that takes, after it has begun
    from lib.operations.verification.token_verifier import TokenVerifier

_log = logging.getLogger(__name__)

_SECONDS = 5.0  # for which a request waits for what it needs of the database
_REALM = 'realm="token-desk"'
_READS = ("GET", "HEAD")
_PLAIN = re.compile("[A-Za-z0-9_.~@+-]*")  # what `quote` would leave as it is

_T = TypeVar("_T")
Handler: TypeAlias = Callable[["LazyApi", Request], Awaitable[Response]]


@dataclass(frozen=True)
class Api:
    """What the routes work with.

    `token_header`: a plain header that may carry the token at verify. `open_revoke`: whoever holds
    a token may end it without a service's credentials.
    """

    checker: "TokenVerifier"
    failures: FailureLog
    token_header: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    open_revoke: bool = False

    def note_failure(self, failure: Failure, request: Request) -> None:
        """Write a wrong token or credential into the log."""
        self.failures.note(failure, self.address_of(request))

    def close(self) -> None:
        """Write what is noted."""
        self.checker.close()
        self.failures.close()

    def address_of(self, request: Request) -> str:
        """Return the address that the log and the events name."""
        return http_messages.client_address(request, self.trusted_proxies)


class LazyApi:
    """The Api of this process: opened by the first request that needs it, closed at the end."""

    def __init__(self, open_api: Callable[[], Api]) -> None:
        """Open by `open_api`; when it raises StoreUnavailable, the next request tries again."""
        self._open_api = open_api
        self._lock = threading.Lock()
        self._api: Api | None = None
        self._opening: asyncio.Future[Api] | None = None

    async def api(self) -> Api:
        """Return the Api; who asks while it is being opened shares that try. Raises as `open`."""
        if self._api is not None:
            return self._api
        opening, loop = self._opening, asyncio.get_running_loop()
        if opening is None or opening.done() or opening.get_loop() is not loop:
            self._opening = opening = _run_in_thread(self.open)
        return await _wait_for(opening)

    def open(self) -> Api:
        """Open the Api, once. Raises StoreUnavailable."""
        with self._lock:
            api = self._api
            if api is None:
                self._api = api = self._open_api()
                api.checker.uses.start()
            return api

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: object) -> AsyncIterator[None]:
        """Be closed when the application ends: it takes this as its lifespan."""
        yield
        await run_in_threadpool(self.close)

    def close(self) -> None:
        """Write what is noted."""
        with self._lock:
            if self._api:
                self._api.close()


async def introspect(opened: LazyApi, request: Request) -> Response:
    """Tell a service whether a token is one of its own and good; nothing else of any other."""
    api = await opened.api()
    service_id = await _calling_service(api, request)
    token = await http_messages.read_token(request)
    found = await api.checker.check_in_loop(token, service_id)
    return answer(_introspected(found) if found else {"active": False})


async def verify(opened: LazyApi, request: Request) -> Response:
    """Tell a gateway whether the request that it holds may pass: 200, or 401 with the reason.

    Envoy takes 200 only, without a body. Two tokens are 401 as well, where RFC 6750 has 400: nginx
    knows 2xx, 401 and 403 only.
    """
    api = await opened.api()
    token = http_messages.bearer_token(request, api.token_header)
    if token is None:
        headers = {"www-authenticate": f"Bearer {_REALM}"}
        raise ProblemError(401, "unauthorized", "Send one Authorization: Bearer header.", headers)
    found = await api.checker.check_in_loop(token, _asked_service(request))
    if found is None:
        api.note_failure(Failure.TOKEN, request)
        headers = {"www-authenticate": f'Bearer {_REALM}, error="invalid_token"'}
        raise ProblemError(401, "invalid_token", "The token is not good.", headers)
    return Response(headers=_identity_headers(found))


def _asked_service(request: Request) -> str | None:
    """Return the one service whose tokens are good here; None for all.

    A service in the path wins. Behind a path of its client's, as Envoy asks, the query string is
    its client's too. Looked at only where there is one: taking it apart costs as much as the
    answer.
    """
    if service_id := request.path_params.get("service_id"):
        return str(service_id)
    if request.path_params.get("rest") or not request.scope["query_string"]:
        return None
    return request.query_params.get("service")


async def revoke(opened: LazyApi, request: Request) -> Response:
    """End a token, for a service one of its own; 200 also when there is none (RFC 7009)."""
    api = await opened.api()
    address = api.address_of(request)
    if api.open_revoke and "authorization" not in request.headers:
        token = await http_messages.read_token(request)
        if not await _in_thread(api.checker.revoke, token, address):
            api.note_failure(Failure.TOKEN, request)
    else:
        service_id = await _calling_service(api, request)
        token = await http_messages.read_token(request)
        await _in_thread(api.checker.revoke, token, address, service_id)
    return answer({})


async def describe(_opened: LazyApi, _request: Request) -> Response:
    """Return the description of all this, as OpenAPI 3.1."""
    return answer(openapi.DOCUMENT)


async def healthz(_opened: LazyApi, _request: Request) -> Response:
    """Tell that the process answers."""
    return answer({"status": "ok"})


async def readyz(opened: LazyApi, _request: Request) -> Response:
    """Tell whether the database answers and has the newest tables."""
    api = await opened.api()
    ready = await _in_thread(api.checker.is_ready)
    return answer({"status": "ready" if ready else "migrating"}, 200 if ready else 503)


async def not_found(_opened: LazyApi, _request: Request) -> Response:
    """Answer for every other path below the API's."""
    raise ProblemError(404, "not_found", "There is nothing at this path.")


def _run_in_thread(do: Callable[..., _T], *arguments: object) -> "asyncio.Future[_T]":
    """Do it in a thread."""
    doing = asyncio.ensure_future(run_in_threadpool(do, *arguments))
    doing.add_done_callback(_swallow_result)
    return doing


async def _wait_for(doing: "asyncio.Future[_T]") -> _T:
    """Return what came of it. Raises StoreUnavailable when it takes longer than we wait.

    The wait for a thread counts: those that a lost database holds are not had by others.
    """
    done, _ = await asyncio.wait({doing}, timeout=_SECONDS)
    if not done:
        raise DatabaseUnavailableError
    return doing.result()


async def _in_thread(do: Callable[..., _T], *arguments: object) -> _T:
    """Return what `do` does in a thread. Raises as `_outcome`."""
    return await _wait_for(_run_in_thread(do, *arguments))


def _swallow_result(doing: "asyncio.Future[Any]") -> None:
    """Look at the outcome, which maybe nobody waits for any more: asyncio would complain."""
    if not doing.cancelled():
        doing.exception()


class Endpoint:
    """One handler as an ASGI application: whatever happens in it is answered in JSON."""

    def __init__(self, handler: Handler, opened: LazyApi, methods: tuple[str, ...] = ()) -> None:
        """Answer by `handler`; `methods` are those that it knows, all of them when empty."""
        self._handler = handler
        self._opened = opened
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            response = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if self._methods and request.method not in self._methods:
            return _wrong_method(self._methods).response()
        try:
            return await self._handler(self._opened, request)
        except ProblemError as problem:
            return problem.response()
        except (DatabaseUnavailableError, AuditNotWrittenError):
            return _NO_DATABASE.response()
        except ClientDisconnect:
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of ours is answered in JSON too
            # Without the error's message, which may tell what was sent.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s: %s\n%s", self._handler.__name__, type(error).__name__, where)
            return _FAULT.response()


class _AnyPath(PathConvertor):
    """The rest of a path, whatever it is: Starlette's own `path` stops at a line end (`%0A`)."""

    regex = r"[\s\S]*"


register_url_convertor("any", _AnyPath())


class _ExactRoute(Route):
    """A route for just its path: Starlette's own also takes the path with a line end (`%0A`)."""

    def __init__(self, path: str, endpoint: Endpoint) -> None:
        """Answer at `path` by `endpoint`."""
        super().__init__(path, endpoint)
        # `$` stands before a last line end, too.
        self.path_regex = re.compile(self.path_regex.pattern.removesuffix("$") + r"\Z")


def routes(opened: LazyApi) -> list[Route]:
    """Return the routes."""
    verifies = Endpoint(verify, opened)
    of_service = f"{API}services/{{service_id}}/verify"
    posts = {"introspect": introspect, "revoke": revoke}
    reads = {f"{API}openapi.json": describe, HEALTHZ: healthz, READYZ: readyz}
    return [
        # Envoy keeps the method of the request that it asks about, and puts its path behind ours.
        _ExactRoute(f"{API}verify", verifies),
        _ExactRoute(f"{API}verify/{{rest:any}}", verifies),
        _ExactRoute(of_service, verifies),
        _ExactRoute(f"{of_service}/{{rest:any}}", verifies),
        *(_ExactRoute(f"{API}{at}", Endpoint(do, opened, ("POST",))) for at, do in posts.items()),
        *(_ExactRoute(at, Endpoint(do, opened, _READS)) for at, do in reads.items()),
        _ExactRoute(f"{API}{{rest:any}}", Endpoint(not_found, opened)),
    ]


_FAULT = ProblemError(500, "server_error", "Token Desk has made a mistake; its log says where.")
_NO_DATABASE = ProblemError(
    503,
    "temporarily_unavailable",
    "The database does not answer; ask again.",
    {"retry-after": "5"},
)


def _wrong_method(methods: tuple[str, ...]) -> ProblemError:
    allowed = ", ".join(methods)
    return ProblemError(405, "invalid_request", f"Ask by {allowed}.", {"allow": allowed})


async def _calling_service(api: Api, request: Request) -> str:
    """Return the service that calls. Raises Problem: 401 invalid_client."""
    given = http_messages.basic_credentials(request)
    service_id = await api.checker.service_of_in_loop(*given) if given else None
    if service_id is None:
        if given:
            api.note_failure(Failure.CREDENTIAL, request)
        headers = {"www-authenticate": f'Basic {_REALM}, charset="UTF-8"'}
        raise ProblemError(401, "invalid_client", "Send the service's own credentials.", headers)
    return service_id


def _identity_headers(found: FoundToken) -> dict[str, str]:
    """Return the headers that tell a gateway whose token it is.

    A header holds ASCII only: other letters of a username are percent-encoded, as in a URL.
    """
    who = {
        "x-token-username": found.username,
        "x-organization-id": found.organization_id,
        "x-token-service": found.service_id,
    }
    told = {
        name: value if _PLAIN.fullmatch(value) else quote(value, safe="@+")
        for name, value in who.items()
    }
    return {"cache-control": "no-store"} | told


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
