"""After an export through the browser: where its tokens are, and where they are not."""

import json
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Response, expect

from tests.support.browser import PATIENCE, TOKENS, Tab, rows_of
from tests.support.dashboards import Dashboard

pytestmark = pytest.mark.browser
KEPT_BY_THE_BROWSER = """async () => JSON.stringify([
    document.documentElement.outerHTML, location.href, document.title, document.cookie,
    {...localStorage}, {...sessionStorage}, history.state,
    await Promise.all((await caches.keys()).map(async name =>
        (await (await caches.open(name)).keys()).map(request => request.url))),
    (await indexedDB.databases()).map(database => database.name),
    performance.getEntriesByType('resource').map(entry => entry.name),
])"""
GONE = 404


def found_in(content: bytes | str, tokens: list[str]) -> list[str]:
    """Return the tokens of which more than the hint is in `content`."""
    text = content.encode() if isinstance(content, str) else content
    return [token for token in tokens if token[12:40].encode() in text]


def head_status(address: str) -> int:
    """Return the status of a HEAD, which fetches nothing."""
    try:
        asked = urllib.request.Request(address, method="HEAD")  # noqa: S310
        with urllib.request.urlopen(asked, timeout=PATIENCE) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_no_token_is_anywhere_but_in_the_csv(tab: Tab, server: Dashboard) -> None:
    """Database, log, data folder, page, address and the browser's stores hold none."""
    media: list[Response] = []
    tab.listen("response", lambda r: media.append(r) if r.url.endswith(".csv") else None)
    tab.open(TOKENS)
    tab.tick(range(3))
    tab.pick("Actions", "Generate & Export Tokens")
    download = tab.generate(3)
    tokens = [row["API Token"] for row in rows_of(download)]
    assert len(set(tokens)) == 3
    expect(tab.page.get_by_text("3 tokens generated and exported")).to_be_visible()

    assert {(r.status, r.headers["cache-control"]) for r in media} == {(200, "no-store")}
    kept = tab.page.evaluate(KEPT_BY_THE_BROWSER)
    cookies = json.dumps(tab.page.context.storage_state())
    assert "3 tokens generated and exported" in kept
    assert found_in(kept + cookies, tokens) == []

    folder = server.log.parent
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"server.log", "token-desk.db"} <= {path.name for path in files}
    assert [
        (path.name, found) for path in files if (found := found_in(path.read_bytes(), tokens))
    ] == []
    hints = b"".join(path.read_bytes() for path in files)
    assert all(token[:9].encode() in hints for token in tokens)  # the sweep sees what is kept
    assert "/media/" not in server.log.read_text()  # whoever has an address can fetch the file

    address = media[0].url
    assert address.startswith(f"{server.address}/media/")
    tab.wait_for(lambda: head_status(address) == GONE, "the media address still answers")
    tab.click("Done")
    assert found_in(tab.page.evaluate(KEPT_BY_THE_BROWSER), tokens) == []


def test_an_accepted_token_is_nowhere_after_it_was_copied(tab: Tab, server: Dashboard) -> None:
    """Shown once on My API tokens; after `I have copied it` it is nowhere."""
    tab.open("my-api-tokens")
    tab.pick("Signed in as", "adoyle")
    tab.menu("My API tokens")
    tab.click(tab.button("Accept").first)
    token = tab.page.get_by_test_id("stCode").locator("code").inner_text()
    assert token.startswith("demo_")
    tab.click("I have copied it")
    expect(tab.page.get_by_test_id("stCode")).to_have_count(0)
    assert found_in(tab.page.evaluate(KEPT_BY_THE_BROWSER), [token]) == []
    kept = [path for path in server.log.parent.rglob("*") if path.is_file()]
    assert [path.name for path in kept if found_in(path.read_bytes(), [token])] == []
