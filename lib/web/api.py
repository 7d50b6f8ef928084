"""What `uvicorn lib.web.api:app` finds: the routes of lib.web.endpoints without the dashboard.

For when the checks are many: it takes several workers, and imports neither Streamlit nor pandas.
"""

from starlette.applications import Starlette
from starlette.middleware import Middleware

from lib.domain import clock
from lib.domain.audit import Seal
from lib.domain.secrets import Minting
from lib.operations.ledger import Ledger
from lib.operations.opening import open_store
from lib.settings import read_settings
from lib.web import gate
from lib.web.assembly import assemble
from lib.web.endpoints import Api, Opened, routes

_settings = read_settings()


def _open() -> Api:
    _settings.data.mkdir(parents=True, exist_ok=True)
    keys = _settings.pepper_keys
    ledger = Ledger(open_store(_settings.url), clock.now, Seal.of(keys))
    return assemble(ledger, Minting(_settings.token_prefix, keys), _settings)


_opened = Opened(_open)
# In demo mode this machine only, as the dashboard.
_here = [Middleware(gate.LoopbackGate, refusal=gate.DEMO_ONLY_HERE)]
app = Starlette(
    routes=routes(_opened),
    middleware=_here if _settings.demo_mode and not _settings.demo else [],
    lifespan=_opened.lifespan,
)
app.router.redirect_slashes = False  # an address with a slash too many is none
