"""A leaked CSV is dropped on Recall: found, ended, and forgotten."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lib.domain.token_format import mint
from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import Dashboard
from tests.support.leak_forms import encrypted_zip, zipped

pytestmark = pytest.mark.browser


def test_the_tokens_of_a_dropped_csv_are_found_and_ended(tab: Tab, tmp_path: Path) -> None:
    """Dropped, looked up, ended; the table then shows nobody of them Pending."""
    tab.open(TOKENS)
    tab.tick([0, 2, 5])
    tab.pick("Actions", "Generate & Export Tokens")
    leaked = tmp_path / "leaked.csv"
    download = tab.generate(3)
    download.save_as(leaked)
    names = [row["Name"] for row in rows_of(download)]
    tab.visit("recall")
    with tab.rerun():
        tab.page.locator('input[type="file"]').set_input_files(leaked)
    tab.click("Look up")
    expect(tab.page.get_by_text("3 tokens found")).to_be_visible()
    tab.screenshot("recall-found")
    for row in rows_of(download):
        assert row["API Token"] not in tab.page.content()
    tab.click("End 3 tokens …")
    expect(tab.dialog().get_by_text("stops working at once")).to_be_visible()
    tab.page.get_by_label("Reason (optional)").fill("INC-12")
    tab.click("End them")
    expect(tab.page.get_by_text("3 tokens ended")).to_be_visible()
    tab.screenshot("recall-receipt")
    tab.visit(TOKENS)
    assert [tab.cell(row, "Name") for row in (0, 2, 5)] == names
    assert [tab.cell(row, "API Token") for row in (0, 2, 5)] == ["", "", ""]


def test_an_archive_is_opened_and_an_encrypted_one_is_named(
    new_tab: Callable[..., Tab], server: Dashboard, tmp_path: Path
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
    tab.screenshot("recall-not-looked-into")
    assert token not in tab.page.content()


def test_a_text_without_tokens_has_a_sentence_and_an_analyst_gets_no_page(
    new_tab: Callable[..., Tab], server: Dashboard
) -> None:
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
