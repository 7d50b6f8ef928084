"""A token from the page's own CSV is used, and the page says so."""

from collections.abc import Callable

import httpx2
import pytest

from lib.domain.token_format import digests
from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import PEPPER, Dashboard

pytestmark = pytest.mark.browser


def verify(server: Dashboard, token: str) -> httpx2.Response:
    """Ask the dashboard's own process, by an address that it does not know itself by."""
    headers = {"authorization": f"Bearer {token}", "host": "gateway.internal"}
    return httpx2.get(f"{server.address}/api/v1/verify", headers=headers)


def is_accepted(server: Dashboard, token: str) -> bool:
    """Tell whether the token's row says so."""
    statement = "SELECT state FROM token WHERE digest = :digest"
    return server.execute(statement, digest=digests([token], PEPPER)[0]) == [("accepted",)]


def test_a_token_of_the_csv_is_accepted_by_its_first_use_and_refused_after_remove(
    new_tab: Callable[..., Tab], server: Dashboard
) -> None:
    """Pending until it is used; then a check mark and when it was; after Remove it is refused."""
    tab = new_tab(server.address)
    tab.open(TOKENS)
    tab.tick([0])
    tab.pick("Actions", "Generate & Export Token")
    ((row,),) = (rows_of(tab.generate(1)),)
    tab.visit(TOKENS)
    assert tab.cell(0, "API Token") == "Pending"
    answer = verify(server, row["API Token"])
    assert (answer.status_code, answer.headers["x-token-username"]) == (200, row["Username"])
    tab.wait_for(lambda: is_accepted(server, row["API Token"]), "the use is not in the row")
    tab.visit(TOKENS)
    assert tab.cell(0, "API Token") == "✓"
    tab.screenshot("verified")
    tab.tick([0])
    tab.pick("Actions", "Remove API Token")
    tab.click(tab.confirming_button())
    answer = verify(server, row["API Token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert row["API Token"] not in server.log.read_text()
