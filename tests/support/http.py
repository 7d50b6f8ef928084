"""A client of the API's routes on a database."""

import asyncio
import base64
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Engine
from starlette.applications import Starlette
from starlette.testclient import TestClient

from lib.domain.token_format import Minting
from lib.operations import credentials
from lib.operations.verification.token_verifier import TokenVerifier
from lib.web.api_endpoints import Api, LazyApi, routes
from lib.web.failure_log import FailureLog
from tests.support.actions import MovableClock
from tests.support.directory import MINTING, SERVICE, unit_of_work

ADDRESS = "203.0.113.9"
FORM = "application/x-www-form-urlencoded"


@dataclass
class ApiClient:
    """A client of an Api on one database, with a clock that the test moves."""

    api: Api
    clock: MovableClock
    client: TestClient

    def verify(self, token: str, **options: Any) -> Any:
        """Send a request as a gateway does."""
        headers = bearer(token) | options.pop("headers", {})
        return self.client.get("/api/v1/verify", headers=headers, **options)

    def statuses(self, method: str, targets: Iterable[tuple[str, dict[str, str]]]) -> list[int]:
        """Request each target with its headers, as fast as the application answers.

        A target is a path and a query string as they are sent: a client would resolve dots.
        """

        async def ask_all() -> list[int]:
            return [await self._status(method, *target) for target in targets]

        return asyncio.run(ask_all())

    async def _status(self, method: str, target: str, headers: dict[str, str]) -> int:
        path, _, query = target.partition("?")
        found: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"token=x"}

        async def send(message: Any) -> None:
            found.extend([message["status"]] if "status" in message else [])

        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),  # as uvicorn does it
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (ADDRESS, 50_000),
        }
        await self.client.app(scope, receive, send)
        return found[0]

    def send(self, path: str, form: str, secret: tuple[str, str]) -> Any:
        """Send a form as it stands, as a service."""
        headers = basic(*secret) | {"content-type": FORM}
        return self.client.post(f"/api/v1/{path}", content=form.encode("latin-1"), headers=headers)

    def introspect(self, token: str, secret: tuple[str, str]) -> Any:
        """Introspect a token as a service does."""
        return self.client.post("/api/v1/introspect", data={"token": token}, headers=basic(*secret))

    def revoke(self, token: str, secret: tuple[str, str] | None = None) -> Any:
        """Revoke a token, as a service or as somebody who has it."""
        headers = basic(*secret) if secret else {}
        return self.client.post("/api/v1/revoke", data={"token": token}, headers=headers)


def bearer(token: str) -> dict[str, str]:
    """Return the header of a bearer token; none for no token."""
    return {"authorization": f"Bearer {token}"} if token else {}


def basic(client_id: str, client_secret: str) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    encoded = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
    return {"authorization": f"Basic {encoded}"}


def api_client(
    engine: Engine, *, minting: Minting = MINTING, address: str = ADDRESS, **settings: Any
) -> ApiClient:
    """Return a client of the routes on `engine`; `settings` are the Api's."""
    clock = MovableClock()
    verifier = TokenVerifier(unit_of_work(engine, clock), minting)
    api = Api(verifier, FailureLog(clock), **settings)
    return ApiClient(api, clock, client_of(lambda: api, address))


def client_of(open_api: Callable[[], Api], address: str = ADDRESS) -> TestClient:
    """Return a client with the address `address`."""
    app = Starlette(routes=routes(LazyApi(open_api)))
    return TestClient(app, client=(address, 50_000), raise_server_exceptions=True)


def credential(engine: Engine, service_id: str = SERVICE) -> tuple[str, str]:
    """Create a credential for a service."""
    return tuple(credentials.create_by_command(unit_of_work(engine), service_id, MINTING))
