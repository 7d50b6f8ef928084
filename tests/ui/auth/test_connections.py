"""The sign-in of a connection while the database is unavailable."""

import pytest
from starlette.requests import HTTPConnection

from lib.domain.errors import DatabaseBusyError, DatabaseUnavailableError
from lib.domain.states import SessionStatus
from lib.ui.auth import connections, sign_in

NOBODY = HTTPConnection({"type": "http", "headers": []})


@pytest.mark.parametrize("part", ["proxy_header", "session_status"])
@pytest.mark.parametrize("error", [DatabaseUnavailableError, DatabaseBusyError])
def test_session_status_without_a_database_is_unknown(monkeypatch, part, error):
    """Also when the database cannot be opened, which the first connection does."""

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(sign_in, part, fail)
    assert connections.session_status(NOBODY) is SessionStatus.UNKNOWN
