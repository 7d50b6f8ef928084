"""A token from the page's own CSV is used, and the page says so."""

from collections.abc import Callable

import httpx2
import pytest
from sqlalchemy import text

from lib.domain.token_format import digests
from lib.store.engine import open_engine, reading
from tests.browser.browsing import Browsing, rows_of
from tests.browser.conftest import PEPPER, Server
from tests.support.processes import wait_for

pytestmark = pytest.mark.browser

TOKENS = "api-tokens?org=UTCJF1&service=erecording"


def verify(server: Server, token: str) -> httpx2.Response:
    """Ask the dashboard's own process, by an address that it does not know itself by."""
    headers = {"authorization": f"Bearer {token}", "host": "gateway.internal"}
    return httpx2.get(f"{server.address}/api/v1/verify", headers=headers)


def is_accepted(server: Server, token: str) -> bool:
    """Tell whether the token's row says so."""
    engine = open_engine(server.database)
    with reading(engine) as connection:
        states = connection.execute(
            text("SELECT state FROM token WHERE digest = :digest"),
            {"digest": digests([token], PEPPER)[0]},
        )
        found = states.scalars().all() == ["accepted"]
    engine.dispose()
    return found


def test_from_the_csv_to_the_check_mark(new_tab: Callable[..., Browsing], server: Server) -> None:
    """Pending until it is used; then a check mark and when it was; after Remove it is refused."""
    tab = new_tab(server.address)
    tab.open(TOKENS)
    tab.tick([0])
    tab.pick("Actions", "Generate & Export Token")
    ((row,),) = (rows_of(tab.generate(1)),)
    tab.settle()
    tab.open(TOKENS)
    assert tab.cell(0, "API Token") == "Pending"
    answer = verify(server, row["API Token"])
    assert (answer.status_code, answer.headers["x-token-username"]) == (200, row["Username"])
    wait_for(lambda: is_accepted(server, row["API Token"]), 10)
    tab.open(TOKENS)
    assert tab.cell(0, "API Token") == "✓"
    tab.picture("verified")
    tab.tick([0])
    tab.pick("Actions", "Remove API Token")
    tab.click("Confirm")
    answer = verify(server, row["API Token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert row["API Token"] not in server.log.read_text()
