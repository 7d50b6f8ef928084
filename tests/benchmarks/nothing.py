"""A Starlette route that does nothing: the limit of tests/benchmarks/check_http.py."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def nothing(_request: Request) -> Response:
    """Answer."""
    return Response(status_code=204)


app = Starlette(routes=[Route("/healthz", nothing), Route("/", nothing)])
