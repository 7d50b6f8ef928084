"""A token from the page's own CSV is used, and the page says so."""

from collections.abc import Callable

import httpx2
import pytest

from tests.browser.browsing import Browsing, rows_of
from tests.browser.conftest import Server

pytestmark = pytest.mark.browser

TOKENS = "api-tokens?org=UTCJF1&service=erecording"


def verify(server: Server, token: str) -> httpx2.Response:
    """Ask the dashboard's own process, by an address that it does not know itself by."""
    headers = {"authorization": f"Bearer {token}", "host": "gateway.internal"}
    return httpx2.get(f"{server.address}/api/v1/verify", headers=headers)


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
    assert (answer.status_code, answer.headers["x-token-username"]) == (204, row["Username"])
    tab.page.wait_for_timeout(1_000)  # the promise: accepted within a second
    tab.open(TOKENS)
    assert tab.cell(0, "API Token") == "✓"
    tab.picture("verified")
    tab.tick([0])
    tab.pick("Actions", "Remove API Token")
    tab.click("Confirm")
    answer = verify(server, row["API Token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert row["API Token"] not in server.log.read_text()
