"""Who sends a request to the server's own routes, which no page guards.

The first call imports the modules of the pages. That takes half a second, so the start of the
server does not wait for it.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from lib.domain.errors import DeskError
from lib.domain.states import SessionStatus
from lib.streamlit_internals.downloads import DownloadStorage, file_id_of
from lib.streamlit_internals.server import claims_of, headers_of_session


def may_fetch(storage: DownloadStorage, connection: HTTPConnection) -> bool:
    """Tell whether the file at this address is a download of the person who asks for it."""
    person = download_owner(connection)
    return bool(person) and storage.may_fetch(file_id_of(connection.scope["path"]), person)


def download_owner(connection: HTTPConnection) -> str:
    """Return the owner of the downloads of this connection; empty for nobody.

    The owner is the person who is signed in, or whom the proxy names, while the directory has
    them. In demo mode everybody is the same owner. An unavailable database gives nobody.
    """
    from lib.ui.auth import sign_in  # noqa: PLC0415

    try:
        return sign_in.download_owner(
            claims_of(connection), connection.headers.getlist(sign_in.proxy_header())
        )
    except DeskError:
        return ""


def owner_of_session(session_id: str) -> str:
    """Return the owner of the downloads of a browser session; empty when the session is closed."""
    sent = headers_of_session(session_id)
    if sent is None:
        return ""
    headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in sent]
    return download_owner(HTTPConnection({"type": "http", "headers": headers}))


def end_sign_in(connection: HTTPConnection) -> None:
    """End the sign-in of this browser, if there is one. Raises DatabaseUnavailableError."""
    from lib.ui.auth import sign_in  # noqa: PLC0415

    claims = claims_of(connection)
    if claims:
        sign_in.end_sign_in(claims, connection.client.host if connection.client else "")


def may_upload(connection: HTTPConnection) -> bool:
    """Tell whether the person may drop a file on Recall; no when the database is unavailable."""
    from lib.ui.auth import sign_in  # noqa: PLC0415

    try:
        return sign_in.may_upload(
            claims_of(connection), connection.headers.getlist(sign_in.proxy_header())
        )
    except DeskError:
        return False


def session_status(connection: HTTPConnection) -> SessionStatus:
    """Return the status of the browser's sign-in; UNKNOWN when the database is unavailable."""
    from lib.ui.auth import sign_in  # noqa: PLC0415

    try:
        return sign_in.session_status(
            claims_of(connection), connection.headers.getlist(sign_in.proxy_header())
        )
    except DeskError:
        return SessionStatus.UNKNOWN


def has_person(state: Mapping[str, Any]) -> bool:
    """Tell whether a browser session has a signed-in person. `state` is its whole session state."""
    from lib.ui.session import has_person as is_known  # noqa: PLC0415

    return is_known(state)
