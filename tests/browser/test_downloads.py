"""A download belongs to a person: made and fetched while signed in, and by nobody else."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Download, Locator, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.sign_in import expect_sign_in_page, sign_in, sign_out, step
from tests.support.websocket_client import open_websocket_as, send_backend_operation

pytestmark = pytest.mark.browser


class People:
    """An API administrator and somebody else, each signed in in a browser of their own."""

    def __init__(self, administrator: Tab, other: Tab) -> None:
        self.administrator = administrator
        self.other = other


@pytest.fixture(params=["oidc", "proxy"])
def people(request, new_tab) -> People:
    """Both, at a provider or behind a proxy."""
    if request.param == "proxy":
        open_proxy = request.getfixturevalue("open_proxy")
        administrator, other = (
            new_tab(open_proxy(f"X-Forwarded-User: {name}\r\n".encode()))
            for name in ("mhale", "adoyle")
        )
        administrator.open(TOKENS)
        other.open("my-api-tokens")
    else:
        open_as = request.getfixturevalue("open_as")
        administrator = open_as("mhale", TOKENS)
        other = open_as("adoyle", "my-api-tokens")
    administrator.expect_heading("Recipient API Tokens")
    other.expect_heading("My API tokens")
    return People(administrator, other)


def download(tab: Tab, button: str | Locator) -> Download:
    """Click a download button, and return what comes."""
    with tab.page.expect_download() as started:
        (tab.button(button) if isinstance(button, str) else button).click()
    return started.value


def read(download: Download) -> bytes:
    """Return a download's bytes."""
    return Path(download.path()).read_bytes()


def test_downloads_come_down_to_the_person_who_made_them_and_to_nobody_else(people):
    """A CSV, its address and the id of the button that mints it; results, coverage, activity."""
    tab, other = people.administrator, people.other
    fetched: list[str] = []
    tab.listen("request", lambda r: fetched.append(r.url) if "/media/" in r.url else None)
    ids = deferred_ids(tab)
    tab.tick([0, 1])
    tab.pick("Actions", "Generate & Export Tokens")
    tab.type_to_confirm(2)
    mint = ids[-1]
    step("another person asks for the button's file by its id, before it is clicked")
    with open_websocket_as(other) as socket:
        answer = send_backend_operation(socket, deferred_file(mint))
    assert (answer.deferred_file.url, answer.error_msg) == ("", "There is no such download.")
    expect(tab.download_button()).to_be_enabled()
    step("the administrator clicks, and clicks on Download again")
    first = download(tab, tab.download_button())
    content = read(first)
    assert len(rows_of(first)) == 2
    expect(tab.button("Download again")).to_be_visible()
    assert read(download(tab, "Download again")) == content
    path = urlsplit(next(url for url in fetched if url.endswith(".csv"))).path
    step("another person, and the administrator, ask for the address")
    assert other.page.request.get(f"{other.address}{path}").status == 403
    mine = tab.page.request.get(f"{tab.address}{path}")
    assert (mine.status, mine.body() == content) == (200, True)
    assert mine.headers["cache-control"].endswith("no-store")
    step("the results of a request")
    tab.click("Done")
    tab.tick([2])
    tab.pick("Actions", "Request New API Token")
    tab.click(tab.confirming_button())
    assert len(rows_of(download(tab, "Download results"))) == 1
    for page in ("coverage", "activity"):
        step(f"the list of {page}")
        tab.visit(page)
        button = tab.page.get_by_role("button", name=re.compile("CSV"))
        with tab.page.expect_download() as started:
            button.click()
        assert rows_of(started.value)


def test_after_a_sign_in_in_another_tab_downloads_come_down_in_this_one(oidc_server, new_tab):
    """Both tabs showed the sign-in page; the cookie is that of the second sign-in, then."""
    tab = new_tab(oidc_server.address)
    tab.open(TOKENS)
    second = tab.another_tab()
    second.open("organizations")
    sign_in(tab, "mhale")
    sign_in(second, "mhale")
    step("the first click of this tab loads its page anew, in the new sign-in")
    with tab.page_load():
        tab.button("Select page").click()
    tab.expect_heading("Recipient API Tokens")
    assert tab.page.url == f"{oidc_server.address}/{TOKENS}"
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
    expect_sign_in_page(tab)


def test_a_click_on_a_download_after_the_sign_in_ended_keeps_the_place(oidc_server, admin_tab):
    """The browser loads the page anew; the address still says where."""
    admin_tab.tick([0])
    admin_tab.pick("Actions", "Generate & Export Token")
    admin_tab.type_to_confirm(1)
    oidc_server.execute("UPDATE sign_in SET ended_at = last_seen_at")
    admin_tab.download_button().click()
    admin_tab.expect_heading("Sign in to Token Desk")
    assert admin_tab.page.url == f"{oidc_server.address}/{TOKENS}"


def deferred_ids(tab: Tab) -> list[str]:
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
