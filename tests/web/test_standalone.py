"""The API without the dashboard: its own process, its stop, and its kill."""

import os
import signal
import subprocess
import sys
import time

import httpx2
import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc7662 import IntrospectTokenValidator

from lib.domain.states import Action, Holding
from lib.operations.database import open_database
from tests.support.actions import act, exported, give, select
from tests.support.directory import SERVICE, build
from tests.support.http import bearer, credential
from tests.support.processes import wait_for
from tests.support.servers import ROOT, serving

ACCEPTED = "SELECT count(*) FROM token WHERE state = 'accepted'"


@pytest.fixture
def store(url):
    """A database with twenty users, on each engine."""
    engine = open_database(url)
    build(engine, 20)
    yield engine, url
    engine.dispose()


class TestProcess:
    """`uvicorn lib.web.api:app`."""

    def test_the_process_imports_neither_streamlit_nor_pandas(self, tmp_path):
        """They take a second and 100 MB."""
        code = "import sys, lib.web.api; print(*sorted(set(sys.modules) & {'streamlit', 'pandas'}))"
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "TOKEN_DESK_DATA": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert run.stdout == b"\n"

    def test_unsafe_settings_stop_the_process(self, tmp_path):
        """With a text that says the fix."""
        run = subprocess.run(
            [sys.executable, "-m", "uvicorn", "lib.web.api:app", "--port=0"],
            cwd=ROOT,
            env={
                **os.environ,
                "TOKEN_DESK_DATA": str(tmp_path),
                "TOKEN_DESK_TRUSTED_PROXIES": "everybody",
            },
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert run.returncode != 0
        assert b"TOKEN_DESK_TRUSTED_PROXIES: must be addresses or networks" in run.stderr

    def test_a_similar_path_is_404(self, tmp_path):
        """It is neither answered nor redirected."""
        near = ("/healthz/", "/readyz/", "/healthz%0A", "/api/v1", "/api/v1/verify%0A", "//healthz")
        with serving(f"sqlite:///{tmp_path / 'desk.db'}", tmp_path) as running:
            found = {path: httpx2.get(f"{running.address}{path}").status_code for path in near}
            assert found == dict.fromkeys(near, 404)

    def test_several_workers_start_on_an_empty_database(self, store, tmp_path):
        """Each token is accepted once."""
        engine, url = store
        tokens = exported(act(engine, Action.GENERATE, ids(engine))[1])
        with serving(url, tmp_path, "--workers=2") as running:
            for token in tokens * 2:
                assert verify(running, token) == 200
            wait_for(lambda: select(engine, ACCEPTED) == [(20,)], 5)
        events = "SELECT sum(users) FROM audit_event WHERE action = 'first-use'"
        assert select(engine, events) == [(20,)]
        for token in tokens:
            assert token not in (tmp_path / "api.log").read_text()


def ids(engine) -> list[str]:
    """Every member."""
    return [row[0] for row in select(engine, "SELECT member_id FROM member")]


def verify(running, token: str) -> int:
    """Send one request. Return its status."""
    return httpx2.get(f"{running.address}/api/v1/verify", headers=bearer(token)).status_code


class TestEnd:
    """Noted uses that are not written yet."""

    def test_a_stopped_process_writes_noted_uses(self, store, tmp_path):
        """All of them."""
        engine, url = store
        (token,) = give(engine, ids(engine)[0], Holding.ACCEPTED)
        with serving(url, tmp_path) as running:
            assert verify(running, token) == 200
            assert select(engine, "SELECT last_used_at FROM token") == [(None,)]
            running.process.send_signal(signal.SIGTERM)
            running.process.wait(timeout=20)
        assert select(engine, "SELECT last_used_at IS NOT NULL FROM token") in ([(1,)], [(True,)])

    def test_a_killed_process_loses_last_uses_but_no_acceptance(self, store, tmp_path):
        """The next use accepts the token."""
        engine, url = store
        tokens = exported(act(engine, Action.GENERATE, ids(engine))[1])
        with serving(url, tmp_path) as running:
            for token in tokens[:10]:
                assert verify(running, token) == 200
            wait_for(lambda: select(engine, ACCEPTED) == [(10,)], 5)
            for token in tokens[10:]:
                assert verify(running, token) == 200
            os.kill(running.process.pid, signal.SIGKILL)
            running.process.wait(timeout=20)
        before = select(engine, ACCEPTED)[0][0]
        assert before >= 10
        with serving(url, tmp_path) as running:
            for token in tokens:
                assert verify(running, token) == 200
            wait_for(lambda: select(engine, ACCEPTED) == [(20,)], 5)
        users = "SELECT sum(users) FROM audit_event WHERE action = 'first-use'"
        assert select(engine, users) == [(20,)]

    def test_the_process_stops_in_seconds_without_a_database(self, tmp_path):
        """The noted uses are lost, and the log says so."""
        engine = open_database(f"sqlite:///{tmp_path / 'desk.db'}")
        build(engine, 1)
        (token,) = give(engine, ids(engine)[0], Holding.ACCEPTED)
        with serving(str(engine.url), tmp_path) as running:
            assert verify(running, token) == 200
            engine.dispose()
            for file in tmp_path.glob("desk.db*"):
                file.chmod(0o400)
                file.unlink()
            begun = time.monotonic()
            running.process.terminate()
            running.process.wait(timeout=20)
            assert time.monotonic() - begun < 15


class TestClientLibrary:
    """Introspection with Authlib, a library that others wrote."""

    @pytest.mark.parametrize("url", ["sqlite"], indirect=True)  # what it says is HTTP only
    def test_authlib_accepts_the_introspection_response(self, store, tmp_path):
        """Its client sends the request, and its resource server reads the response."""
        engine, url = store
        good, other = give(engine, ids(engine)[0], Holding.BOTH)
        secret = credential(engine)
        with serving(url, tmp_path) as running:

            class Validator(IntrospectTokenValidator):
                def introspect_token(self, token_string):
                    session = OAuth2Session(*secret)  # which signs in by HTTP Basic
                    with session:
                        return session.introspect_token(
                            f"{running.address}/api/v1/introspect", token=token_string
                        ).json()

            validator = Validator()
            for token in (good, other):
                claims = validator.authenticate_token(token)
                validator.validate_token(claims, None, None)
                assert (claims["username"], claims["service"]) == ("utcjf1-u0", SERVICE)
            act(engine, Action.REMOVE, ids(engine)[:1])
            with pytest.raises(InvalidTokenError):
                validator.validate_token(validator.authenticate_token(other), None, None)
