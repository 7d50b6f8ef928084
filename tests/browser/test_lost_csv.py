"""A page that is reloaded, closed or away right after the click that makes tokens."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import Dashboard
from tests.support.sign_in import sign_in, sign_out, step

pytestmark = pytest.mark.browser

GENERATE = "Replace tokens and download CSV"
#: Milliseconds; two of them in each run of the suite.
DELAYS = (50, 400, *(pytest.param(delay, marks=pytest.mark.soak) for delay in (200, 900)))
#: A lid that is closed for longer than Streamlit keeps a session by default, which is 120 s.
LID = 165_000
#: Streamlit's page fetches a download by a click on a link of its own.
FOLLOW_NO_LINKS = """() => {
    window.followed = HTMLAnchorElement.prototype.click
    HTMLAnchorElement.prototype.click = () => {} }"""
FOLLOW_LINKS = "() => { HTMLAnchorElement.prototype.click = window.followed }"
WORDS = {"not sent": "CSV not sent", "sent": "CSV sent", "sent again": "CSV sent again"}


class Export(NamedTuple):
    """An operation as the database has it."""

    operation_id: str
    delivery: str
    users: int


def exports(server: Dashboard) -> list[Export]:
    """Return the operations that generated tokens, newest first."""
    rows = server.execute(
        "SELECT operation_id, csv_delivery, changed FROM operation WHERE action = 'generate'"
        " AND csv_delivery <> '' ORDER BY confirmed_at DESC, operation_id DESC"
    )
    return [Export(*row) for row in rows]


def reload_after(tab: Tab, server: Dashboard, delay: int) -> Export:
    """Generate tokens and reload `delay` milliseconds after the last click; return the export."""
    before = len(exports(server))
    tab.tick([0, 1, 2])
    tab.pick("Actions", "Generate & Export Tokens")
    tab.type_to_confirm(3)
    tab.button(GENERATE).click()
    tab.page.wait_for_timeout(delay)
    tab.reload()
    tab.wait_for(lambda: len(exports(server)) > before, "the click has not reached the server")
    tab.expect_heading("Recipient API Tokens")
    return exports(server)[0]


def badge(tab: Tab, words: str) -> Locator:
    """Return the receipt's badge with these words, which stand behind its icon."""
    return tab.page.get_by_text(re.compile(rf"{words}$"))


def receipt_of(tab: Tab) -> Locator:
    """Return the receipt's sentence on the page."""
    return tab.page.get_by_text("3 tokens generated and exported")


@pytest.mark.parametrize("delay", DELAYS)
def test_reload_with_a_provider_shows_the_receipt_with_the_file(oidc_server, admin_tab, delay):
    """Whether the browser had got it or not: the sign-in is the same."""
    export = reload_after(admin_tab, oidc_server, delay)
    expect(receipt_of(admin_tab)).to_be_visible()
    expect(badge(admin_tab, WORDS[export.delivery])).to_be_visible()
    step(f"{delay} ms: {export.delivery}, receipt and Download again are there")
    with admin_tab.page.expect_download() as started:
        admin_tab.button("Download again").click()
    assert len(rows_of(started.value)) == export.users == 3
    again = "sent" if export.delivery == "not sent" else "sent again"
    admin_tab.wait_for(lambda: exports(oidc_server)[0].delivery == again, "it is not recorded")
    expect(badge(admin_tab, WORDS[again])).to_be_visible()
    admin_tab.click("Done")
    admin_tab.reload()
    expect(receipt_of(admin_tab)).to_have_count(0)


@pytest.mark.parametrize("delay", DELAYS)
def test_reload_in_demo_mode_shows_the_receipt_of_a_file_that_was_not_sent(server, tab, delay):
    """Of a file that was sent there is nothing to say: the person has it."""
    tab.open(TOKENS)
    export = reload_after(tab, server, delay)
    step(f"{delay} ms: {export.delivery}")
    if export.delivery == "not sent":
        expect(badge(tab, "CSV not sent")).to_be_visible()
        expect(tab.page.get_by_text("The CSV was not sent, and it is no longer")).to_be_visible()
    else:
        expect(receipt_of(tab)).to_have_count(0)
    expect(tab.button("Download again")).to_have_count(0)


def test_download_that_never_reaches_the_server_is_not_sent_on_receipt_and_activity(tab):
    """The browser gives up before its request; then it asks again."""
    tab.open(TOKENS)
    tab.page.evaluate(FOLLOW_NO_LINKS)
    tab.tick([0, 1, 2])
    tab.pick("Actions", "Generate & Export Tokens")
    tab.type_to_confirm(3)
    tab.button(GENERATE).click()
    expect(badge(tab, "CSV not sent")).to_be_visible()
    tab.screenshot("lost-csv-receipt")
    tab.page.evaluate(FOLLOW_LINKS)
    with tab.page.expect_download() as started:
        tab.button("Download again").click()
    assert len(rows_of(started.value)) == 3
    expect(badge(tab, "CSV sent")).to_be_visible()
    tab.visit("activity")
    tab.expect_heading("Activity")
    tab.pick("Show", "CSV not sent")
    expect(tab.page.get_by_text("Nothing matches")).to_be_visible()
    tab.visit(TOKENS)
    expect(tab.button("Download again")).to_be_visible()


def test_closing_the_tab_before_the_last_click_leaves_everything_as_it_was(server, tab):
    """Both confirmations were open, and the number was typed."""
    tab.open(TOKENS)
    before = server.execute("SELECT count(*), max(created_at) FROM token")
    second = tab.another_tab()
    second.open(TOKENS)
    second.tick([0, 1])
    second.pick("Actions", "Generate & Export Tokens")
    second.type_to_confirm(2)
    second.page.close()
    tab.reload()
    assert server.execute("SELECT count(*), max(created_at) FROM token") == before
    assert exports(server) == []


def test_signing_out_drops_the_file(oidc_server, new_tab):
    """The next sign-in has neither receipt nor file: what was sent is with the person."""
    tab = new_tab(oidc_server.address)
    tab.open(TOKENS)
    sign_in(tab, "mhale")
    tab.tick([0, 1, 2])
    tab.pick("Actions", "Generate & Export Tokens")
    file = tab.generate(3)
    assert Path(file.path()).stat().st_size
    expect(badge(tab, "CSV sent")).to_be_visible()
    sign_out(tab)
    sign_in(tab, "mhale")
    tab.open(TOKENS)
    expect(receipt_of(tab)).to_have_count(0)
    expect(tab.button("Download again")).to_have_count(0)


@pytest.mark.soak
def test_closed_lid_keeps_selection_and_receipt(admin_tab):
    """For 165 seconds: the network of the browser is gone, and comes back."""
    admin_tab.tick([0, 1, 2])
    admin_tab.pick("Actions", "Generate & Export Tokens")
    admin_tab.generate(3)
    admin_tab.tick([4])
    context = admin_tab.page.context
    context.set_offline(True)
    admin_tab.page.wait_for_timeout(LID)
    context.set_offline(False)
    expect(admin_tab.button("Download again")).to_be_visible()
    expect(admin_tab.page.get_by_text("1 selected")).to_be_visible()
    with admin_tab.page.expect_download() as started:
        admin_tab.button("Download again").click()
    assert len(rows_of(started.value)) == 3
