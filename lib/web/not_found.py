"""The response for an unknown address: a page for people, one line for programs."""

from starlette.datastructures import Headers
from starlette.responses import HTMLResponse
from starlette.types import Receive, Scope, Send

from lib.web.security_middleware import refuse

NOTHING_HERE = "Not found\n"
#: It needs no script and no other file, and is readable in light and dark mode.
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Page not found · Token Desk</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 20vh auto; padding: 1rem }
h1 { font: 600 1.75rem/1.2 serif }
a { color: light-dark(#0b6b62, #6fd3c4) }
</style>
<h1>Page not found</h1>
<p>Token Desk has no page at this address. Check it for a typing error, or begin at the start.</p>
<p><a href="/">Go to the start</a></p>
</html>
"""


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with 404: HTML if the client accepts it, else text. A WebSocket is closed."""
    wants_page = "text/html" in Headers(scope=scope).get("accept", "")
    if scope["type"] == "http" and wants_page:
        await HTMLResponse(_PAGE, status_code=404)(scope, receive, send)
    else:
        await refuse(scope, receive, send, NOTHING_HERE, status_code=404)
