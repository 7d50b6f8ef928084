"""A leaked CSV is dropped on Recall: found, ended, and forgotten."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lib.domain.token_format import mint
from tests.browser.browsing import Browsing, rows_of
from tests.support.dashboards import Dashboard
from tests.support.leak_forms import encrypted_zip, zipped

pytestmark = pytest.mark.browser


def test_the_whole_file(tab: Browsing, tmp_path: Path) -> None:
    """Dropped, looked up, ended; the table then shows nobody of them Pending."""
    tab.open("api-tokens?org=UTCJF1&service=erecording")
    tab.tick([0, 2, 5])
    tab.pick("Actions", "Generate & Export Tokens")
    leaked = tmp_path / "leaked.csv"
    download = tab.generate(3)
    download.save_as(leaked)
    names = [row["Name"] for row in rows_of(download)]
    tab.open("recall")
    with tab.rerun():
        tab.page.locator('input[type="file"]').set_input_files(leaked)
    tab.click("Look up")
    expect(tab.page.get_by_text("3 tokens found")).to_be_visible()
    tab.picture("recall-found")
    for row in rows_of(download):
        assert row["API Token"] not in tab.page.content()
    tab.click("End 3 tokens …")
    expect(tab.dialog().get_by_text("stops working at once")).to_be_visible()
    tab.page.get_by_label("Reason (optional)").fill("INC-12")
    tab.click("End them")
    expect(tab.page.get_by_text("3 tokens ended")).to_be_visible()
    tab.picture("recall-receipt")
    tab.open("api-tokens?org=UTCJF1&service=erecording")
    assert [tab.cell(row, "Name") for row in (0, 2, 5)] == names
    assert [tab.cell(row, "API Token") for row in (0, 2, 5)] == ["", "", ""]


def test_an_archive_is_opened_and_an_encrypted_one_is_named(
    new_tab: Callable[..., Browsing], server: Dashboard, tmp_path: Path
) -> None:
    """A zip with a token that nobody has, beside an encrypted zip."""
    (token,) = mint(1, "demo")
    path = tmp_path / "keys.zip"
    path.write_bytes(zipped(f"token={token}".encode()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("private.zip", encrypted_zip())
    tab = new_tab(server.address)
    tab.open("recall")
    with tab.rerun():
        tab.page.locator('input[type="file"]').set_input_files(path)
    tab.click("Look up")
    expect(tab.page.get_by_text("1 more looks like a token of ours")).to_be_visible()
    warning = tab.page.get_by_test_id("stAlert")
    expect(warning).to_contain_text("keys.zip › private.zip › secret.txt is encrypted")
    tab.picture("recall-not-looked-into")
    assert token not in tab.page.content()


def test_by_hand_and_by_whom(new_tab: Callable[..., Browsing], server: Dashboard) -> None:
    """What is none of ours is said; an analyst gets no page."""
    tab = new_tab(server.address)
    tab.open("recall")
    tab.page.get_by_label("What was found").fill("demo_nothing of ours")
    tab.click("Look up")
    expect(tab.page.get_by_text("No token of ours.")).to_be_visible()
    tab.click("Another text")
    expect(tab.page.get_by_label("What was found")).to_have_value("")
    tab.pick("Signed in as", "Ilka Varga")
    expect(tab.page.get_by_text("This page is for API administrators and Support.")).to_be_visible()
