"""Who is at the other end of a connection, for the server's own routes: no page guards them.

The pages' modules are imported by the first call. They take half a second, for which the start of
the server need not wait.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import HTTPConnection

from lib.domain.errors import DeskError
from lib.domain.states import SessionStatus
from lib.streamlit_internals.downloads import DownloadStorage, file_id_of
from lib.streamlit_internals.server import claims_of, headers_of_session


def may_fetch(storage: DownloadStorage, connection: HTTPConnection) -> bool:
    """Tell whether the download at this address is that of the person at the other end."""
    person = download_owner(connection)
    return bool(person) and storage.may_fetch(file_id_of(connection.scope["path"]), person)


def download_owner(connection: HTTPConnection) -> str:
    """Return whose the downloads are that are made at the other end; empty for nobody.

    It is the person who is signed in, or whom the proxy names, while the directory has them. In
    demo mode all are one. Nobody as well when the database cannot say.
    """
    from lib.ui.auth import sign_in  # noqa: PLC0415

    try:
        return sign_in.download_owner(
            claims_of(connection), connection.headers.getlist(sign_in.proxy_header())
        )
    except DeskError:
        return ""


def owner_of_session(session_id: str) -> str:
    """Return whose the downloads are that a browser session makes; empty when it is closed."""
    sent = headers_of_session(session_id)
    headers = [(n.lower().encode("latin-1"), v.encode("latin-1")) for n, v in sent]
    return download_owner(HTTPConnection({"type": "http", "headers": headers})) if headers else ""


def end_sign_in(connection: HTTPConnection) -> None:
    """End the sign-in of the browser at the other end, if there is one. Raises StoreUnavailable."""
    from lib.ui.auth import sign_in  # noqa: PLC0415

    claims = claims_of(connection)
    if claims:
        sign_in.end_sign_in(claims, connection.client.host if connection.client else "")


def may_upload(connection: HTTPConnection) -> bool:
    """Tell whether the person at the other end may drop a file on Recall."""
    from lib.ui.auth import sign_in  # noqa: PLC0415

    try:
        return sign_in.may_upload(
            claims_of(connection), connection.headers.getlist(sign_in.proxy_header())
        )
    except DeskError:
        return False


def session_status(connection: HTTPConnection) -> SessionStatus:
    """Return how the sign-in of the browser at the other end stands.

    Out as well when the database cannot say.
    """
    from lib.ui.auth import sign_in  # noqa: PLC0415

    claims = claims_of(connection)
    names = connection.headers.getlist(sign_in.proxy_header())
    try:
        return sign_in.session_status(claims, names)
    except DeskError:
        return SessionStatus.NONE


def has_person(state: Mapping[str, Any]) -> bool:
    """Tell whether somebody is signed in in a browser session, by its whole state."""
    from lib.ui.session import has_person as is_known  # noqa: PLC0415

    return is_known(state)
