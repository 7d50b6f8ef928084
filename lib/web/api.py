"""The API without the dashboard, for `uvicorn lib.web.api:app`.

Its routes are in lib.web.api_endpoints.

It is meant for many checks: it can run with several workers, and imports neither Streamlit nor
pandas.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from lib.domain import clock
from lib.domain.audit import AuditKeyring
from lib.domain.token_format import Minting
from lib.operations.database import open_database
from lib.operations.unit_of_work import UnitOfWork
from lib.settings import read_settings
from lib.web import security_middleware
from lib.web.api_endpoints import Api, LazyApi, routes
from lib.web.factory import make_api

_settings = read_settings()


def _open_api() -> Api:
    _settings.data.mkdir(parents=True, exist_ok=True)
    keys = _settings.pepper_keys
    unit_of_work = UnitOfWork(open_database(_settings.url), clock.now, AuditKeyring.of(keys))
    return make_api(unit_of_work, Minting(_settings.token_prefix, keys), _settings)


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
