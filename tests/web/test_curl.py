"""The API with curl, for every kind of token. `pytest -s` prints requests and responses."""

import json
import subprocess
from collections.abc import Callable

import pytest

from lib.domain.states import Action, Holding
from lib.domain.token_format import mint
from lib.operations.database import open_database
from tests.operations.verification.test_token_verifier import OTHER_SERVICE
from tests.support.actions import act, change, exported, give
from tests.support.directory import MINTING, SERVICE, build
from tests.support.http import credential
from tests.support.servers import serving

VERIFY, INTROSPECT, REVOKE = (f"/api/v1/{at}" for at in ("verify", "introspect", "revoke"))
NO = {"active": False}
KINDS = {
    "good": (200, True),
    "pending": (200, True),
    "replaced": (401, False),
    "removed": (401, False),
    "expired": (401, False),
    "malformed": (401, False),
    "another service's": (200, False),  # good to a gateway that asks about all
    "unknown": (401, False),
}

Curl = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> tuple[str, dict[str, str], str]:
    """A database's URL, a token of each kind in it, and a service's credential."""
    url = f"sqlite:///{tmp_path_factory.mktemp('curl') / 'desk.db'}"
    engine = open_database(url)
    ids = build(engine, 7, services=(SERVICE, OTHER_SERVICE))
    tokens = {"pending": exported(act(engine, Action.GENERATE, [ids[0]])[1])[0]}
    tokens["replaced"] = exported(act(engine, Action.GENERATE, [ids[1]])[1])[0]
    act(engine, Action.GENERATE, [ids[1]])
    for kind, person in (
        ("good", ids[2]),
        ("removed", ids[3]),
        ("expired", ids[4]),
        ("leaked", ids[6]),
    ):
        (tokens[kind],) = give(engine, person, Holding.ACCEPTED)
    act(engine, Action.REMOVE, [ids[3]])
    change(engine, "UPDATE token SET expires_at = 1 WHERE member_id = :i", i=ids[4])
    (there,) = give(engine, ids[5], Holding.ACCEPTED, service_id=OTHER_SERVICE)
    tokens["another service's"] = there
    tokens["malformed"] = tokens["good"][:-1] + ("0" if tokens["good"][-1] != "0" else "1")
    (tokens["unknown"],) = mint(1, MINTING.prefix)
    secret = ":".join(credential(engine))
    engine.dispose()
    return url, tokens, secret


@pytest.fixture(scope="module")
def curl(kinds, tmp_path_factory) -> Curl:
    """Call a running process with curl. Requests and responses are printed without secrets."""
    url, tokens, secret = kinds
    with serving(url, tmp_path_factory.mktemp("api")) as running:

        def ask(path: str, *options: str) -> tuple[int, str]:
            command = ["curl", "-sS", "-i", *options, f"{running.address}{path}"]
            answered = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            head, _, body = answered.replace("\r", "").partition("\n\n")
            said = " ".join(["curl", *options, path]).replace(secret, "$CLIENT_ID:$CLIENT_SECRET")
            for kind, token in tokens.items():
                said = said.replace(token, f"<{kind}>")
            shown = [line for line in head.splitlines() if not line.startswith(("date", "server"))]
            print(f"\n$ {said}", *shown, body, sep="\n  ")
            return int(head.split()[1]), body

        yield ask


class TestCurl:
    """Verify, introspect and revoke."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_verify_and_introspect_answer_for_each_kind_of_token(self, curl, kinds, kind):
        """A gateway gets a status. A service gets the facts of its own tokens only."""
        _, tokens, secret = kinds
        status, active = KINDS[kind]
        bearer = f"Authorization: Bearer {tokens[kind]}"
        assert curl(VERIFY, "-H", bearer)[0] == status
        answered, body = curl(INTROSPECT, "-u", secret, "-d", f"token={tokens[kind]}")
        assert answered == 200
        facts = json.loads(body)
        if active:
            assert facts["active"]
            assert facts["client_id"] == SERVICE
        else:
            assert facts == NO

    def test_revoke_is_200_for_any_token_and_ends_its_own(self, curl, kinds):
        """The ended token does not work afterwards."""
        _, tokens, secret = kinds
        for kind in ("leaked", "another service's", "unknown"):
            assert curl(REVOKE, "-u", secret, "-d", f"token={tokens[kind]}") == (200, "{}")
        for kind, status in (("leaked", 401), ("another service's", 200)):
            assert curl(VERIFY, "-H", f"Authorization: Bearer {tokens[kind]}")[0] == status

    def test_each_wrong_request_gets_its_status(self, curl, kinds):
        """No token, no or wrong credentials, no field, JSON, wrong method."""
        _, tokens, secret = kinds
        field = ("-d", f"token={tokens['good']}")
        assert curl(VERIFY)[0] == 401
        assert curl(INTROSPECT, *field)[0] == 401
        assert curl(INTROSPECT, "-u", "x:y", *field)[0] == 401
        assert curl(INTROSPECT, "-u", secret, "-d", "hint=x")[0] == 400
        json_kind = ("-H", "Content-Type: application/json", "-d", "{}")
        assert curl(INTROSPECT, "-u", secret, *json_kind)[0] == 415
        assert curl(INTROSPECT, "-u", secret)[0] == 405
