"""A download belongs to a person: made and fetched while signed in, and by nobody else."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Download, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.browsing import Browsing, rows_of
from tests.browser.signing_in import (
    TOKENS,
    ask,
    asks_to_sign_in,
    sign_in,
    sign_out,
    step,
    stream_of,
)

pytestmark = pytest.mark.browser

GENERATE = "Replace tokens and download CSV"


class People:
    """An API administrator and somebody else, each signed in in a browser of their own."""

    def __init__(self, administrator: Browsing, other: Browsing) -> None:
        self.administrator = administrator
        self.other = other


@pytest.fixture(params=["oidc", "proxy"])
def people(request, new_tab) -> People:
    """Both, at a provider or behind a proxy."""
    if request.param == "proxy":
        through = request.getfixturevalue("through")
        administrator, other = (
            new_tab(through(f"X-Forwarded-User: {name}\r\n".encode()))
            for name in ("mhale", "adoyle")
        )
        administrator.open(TOKENS)
        other.open("my-api-tokens")
    else:
        signed_in_as = request.getfixturevalue("signed_in_as")
        administrator = signed_in_as("mhale", TOKENS)
        other = signed_in_as("adoyle", "my-api-tokens")
    administrator.heading("Recipient API Tokens")
    other.heading("My API tokens")
    return People(administrator, other)


def download(tab: Browsing, button: str) -> Download:
    """Click a download button, and return what comes."""
    with tab.page.expect_download() as started:
        tab.button(button).click()
    return started.value


def read(download: Download) -> bytes:
    """Return a download's bytes."""
    return Path(download.path()).read_bytes()


def test_exports_and_lists_come_down_while_signed_in(people):
    """Generate & Export, Download again, the results of an action, coverage and activity."""
    tab = people.administrator
    step("Generate & Export for two, and Download again")
    tab.tick([0, 1])
    tab.pick("Actions", "Generate & Export Tokens")
    first = tab.generate(2)
    content = read(first)
    assert len(rows_of(first)) == 2
    expect(tab.button("Download again")).to_be_visible()
    assert read(download(tab, "Download again")) == content
    step("the results of a request")
    tab.click("Done")
    tab.tick([2])
    tab.pick("Actions", "Request New API Token")
    tab.click("Confirm")
    assert len(rows_of(download(tab, "Download results"))) == 1
    for page in ("coverage", "activity"):
        step(f"the list of {page}")
        tab.open(page)
        button = tab.page.get_by_role("button", name=re.compile("CSV"))
        with tab.page.expect_download() as started:
            button.click()
        assert rows_of(started.value)


def test_another_person_gets_neither_the_address_nor_the_button(people):
    """Whoever has the address of the CSV, or the id of the button that mints: nothing."""
    tab, other = people.administrator, people.other
    fetched: list[str] = []
    tab.listen("request", lambda r: fetched.append(r.url) if "/media/" in r.url else None)
    ids = deferred_ids(tab)
    tab.tick([0])
    tab.pick("Actions", "Generate & Export Token")
    tab.type_to_confirm(1)
    mint = ids[-1]
    step("another person asks for the button's file by its id, before it is clicked")
    with stream_of(other) as socket:
        answer = ask(socket, deferred_file(mint))
    assert (answer.deferred_file.url, answer.error_msg) == ("", "There is no such download.")
    expect(tab.button(GENERATE)).to_be_enabled()
    step("the administrator clicks")
    content = read(download(tab, GENERATE))
    path = urlsplit(next(url for url in fetched if url.endswith(".csv"))).path
    step("another person, and nobody, asks for the address; then the administrator")
    assert other.page.request.get(f"{other.address}{path}").status == 403
    mine = tab.page.request.get(f"{tab.address}{path}")
    assert (mine.status, mine.body() == content) == (200, True)
    assert mine.headers["cache-control"].endswith("no-store")


def test_after_a_sign_in_in_another_tab_downloads_come_down_in_this_one(desk, new_tab):
    """Both tabs showed the sign-in page; the cookie is that of the second sign-in, then."""
    tab = new_tab(desk.address)
    tab.open(TOKENS)
    second = tab.another_tab()
    second.open("organizations")
    sign_in(tab, "mhale")
    sign_in(second, "mhale")
    step("the first click of this tab loads its page anew, in the new sign-in")
    with tab.page_load():
        tab.button("Select page").click()
    tab.heading("Recipient API Tokens")
    assert tab.page.url == f"{desk.address}/{TOKENS}"
    tab.tick([0])
    tab.pick("Actions", "Generate & Export Token")
    first = tab.generate(1)
    assert len(rows_of(first)) == 1
    expect(tab.button("Download again")).to_be_visible()
    assert read(download(tab, "Download again")) == read(first)
    step("signing out in the other tab ends this one, too")
    sign_out(second)
    with tab.page_load():
        tab.button("Download again").click()
    asks_to_sign_in(tab)


def test_a_click_on_a_download_after_the_sign_in_ended_keeps_the_place(desk, signed_in):
    """The browser loads the page anew; the address still says where."""
    signed_in.tick([0])
    signed_in.pick("Actions", "Generate & Export Token")
    signed_in.type_to_confirm(1)
    desk.execute("UPDATE sign_in SET ended_at = last_seen_at")
    signed_in.button(GENERATE).click()
    signed_in.heading("Sign in to Token Desk")
    assert signed_in.page.url == f"{desk.address}/{TOKENS}"


def deferred_ids(tab: Browsing) -> list[str]:
    """Return the ids of the tab's download buttons as they are drawn, from its next page load."""
    ids: list[str] = []

    def read_frame(payload: bytes | str) -> None:
        element = ForwardMsg.FromString(payload).delta.new_element
        if element.HasField("download_button") and element.download_button.deferred_file_id:
            ids.append(element.download_button.deferred_file_id)

    tab.listen("websocket", lambda socket: socket.on("framereceived", read_frame))
    tab.reload()
    return ids


def deferred_file(file_id: str) -> BackMsg:
    """Return the message of a click on a download button."""
    message = BackMsg()
    message.backend_operation_request.request_id = "1"
    message.backend_operation_request.deferred_file.file_id = file_id
    return message
