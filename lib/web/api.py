"""The API without the dashboard, for `uvicorn lib.web.api:app`.

Its routes are in lib.web.api_endpoints.

It is meant for many checks: it can run with several workers, and imports neither Streamlit nor
pandas.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from lib.operations.database import open_with
from lib.settings import read_settings
from lib.web import security_middleware
from lib.web.api_endpoints import Api, LazyApi, routes
from lib.web.factory import make_api

_settings = read_settings()


def _open_api() -> Api:
    return make_api(*open_with(_settings), _settings)


_lazy_api = LazyApi(_open_api)
# In demo mode it answers on loopback only, as the dashboard does.
_loopback_only = [
    Middleware(security_middleware.LoopbackGate, refusal=security_middleware.DEMO_ONLY_HERE)
]
app = Starlette(
    routes=routes(_lazy_api),
    middleware=_loopback_only if _settings.demo_mode and not _settings.demo else [],
    lifespan=_lazy_api.lifespan,
)
app.router.redirect_slashes = False  # a path with an extra slash is not found
