"""What can go wrong between the clicks of the API Tokens page, in a real browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect

from tests.support.browser import TOKENS, Tab, rows_of
from tests.support.dashboards import Dashboard

pytestmark = pytest.mark.browser
# Once in each run; all twenty with `-m soak`.
OFTEN = [0, *(pytest.param(n, marks=pytest.mark.soak) for n in range(1, 20))]


def select(tab: Tab, search: str, rows: int) -> None:
    """Search, and tick the first `rows` users."""
    tab.open(TOKENS)
    if search:
        tab.search(search)
    tab.tick(range(rows))


class TestSelection:
    """Which users are selected, whatever the table shows."""

    def test_it_survives_search_paging_and_sorting_and_never_moves(self, tab: Tab) -> None:
        """The ticked people are those in the plan, after search, page turn and header sort."""
        tab.open(TOKENS)
        people = {tab.cell(row, "Username") for row in (0, 2)}
        tab.tick([0, 2])
        tab.expect_selected("2 selected")
        tab.search("zzzz-nobody")
        tab.expect_selected("2 selected, 2 not shown")
        expect(tab.page.get_by_text("No users match")).to_be_visible()
        tab.screenshot("tokens-no-match")
        tab.click("Clear search and filter")
        tab.click(tab.page.get_by_test_id("stPagination").get_by_text("2", exact=True))
        tab.tick([1])
        people.add(tab.cell(1, "Username"))
        tab.expect_selected("3 selected")
        tab.pick("Actions", "Generate & Export Tokens")
        assert {row["Username"] for row in rows_of(tab.generate(3))} == people

    def test_it_starts_empty_after_a_reload_and_in_another_place(self, tab: Tab) -> None:
        """A reload, another organization and another page each begin with none selected."""
        tab.open(TOKENS)
        tab.click("Select page")
        tab.expect_selected("50 selected")
        tab.reload()
        tab.expect_selected("None selected")
        tab.click("Select all 300 matching")
        tab.expect_selected("300 selected")
        tab.pick("Service", "eCertified Copies")
        tab.expect_selected("None selected")
        assert "service=ecertified-copies" in tab.page.url
        with tab.rerun():
            tab.page.go_back()
        tab.expect_selected("None selected")


class TestConfirming:
    """Each confirming button, clicked too often, too late, or not at all."""

    def test_esc_closes_each_dialog_and_nothing_happens(self, tab: Tab, server: Dashboard) -> None:
        """Esc at the first and at the second confirmation leaves everything as it was."""
        select(tab, "", 2)
        before = server.count("operation")
        for steps in (1, 2):
            tab.pick("Actions", "Generate & Export Tokens")
            if steps == 2:
                tab.click("Continue")
            expect(tab.dialog()).to_be_visible()
            tab.page.keyboard.press("Escape")
            expect(tab.dialog()).to_have_count(0)
            tab.click("Select page")
            expect(tab.dialog()).to_have_count(0)
        assert server.count("operation") == before

    @pytest.mark.parametrize("attempt", OFTEN)
    def test_a_double_click_on_the_download_makes_one_operation(
        self, tab: Tab, server: Dashboard, attempt: int
    ) -> None:
        """Two clicks, one operation, one receipt."""
        select(tab, f"{'abcdefgh'[attempt % 8]}", 2)
        before = server.count("operation")
        tab.pick("Actions", "Generate & Export Tokens")
        tab.type_to_confirm(2)
        with tab.page.expect_download() as started:
            tab.download_button().dblclick()
        expect(tab.page.get_by_text("2 tokens generated and exported")).to_be_visible()
        assert len(rows_of(started.value)) == 2
        assert server.count("operation") == before + 1

    def test_a_double_click_on_confirm_makes_one_operation(
        self, tab: Tab, server: Dashboard
    ) -> None:
        """The second click finds nothing to confirm."""
        tab.open(TOKENS)
        tab.pick("API Token", "None")
        tab.tick([0])
        before = server.count("operation")
        tab.pick("Actions", "Request New API Token")
        tab.confirming_button().dblclick()
        expect(tab.page.get_by_text("1 new token requested")).to_be_visible()
        assert server.count("operation") == before + 1

    def test_two_tabs_confirm_the_same_selection_and_the_later_is_told(
        self, new_tab: Callable[..., Tab], server: Dashboard
    ) -> None:
        """The second administrator gets a sentence with the names, and no file."""
        first, second = new_tab(server.address), new_tab(server.address)
        first.open(TOKENS)
        before = server.count("operation")
        for tab in (first, second):
            select(tab, "acastillo", 1)
            tab.pick("Actions", "Generate & Export Token")
            tab.type_to_confirm(1)
        with first.page.expect_download():
            first.download_button().click()
        second.download_button().click()
        expect(second.page.get_by_text("Nothing was done")).to_be_visible()
        second.screenshot("tokens-outdated")
        second.click("Look again")
        expect(second.dialog().get_by_text("1 selected: 1 gets a new token.")).to_be_visible()
        assert server.count("operation") == before + 1


class TestDownload:
    """The CSV arrives, however slow the way and busy the neighbours."""

    def test_download_again_gives_the_same_bytes_until_done(self, tab: Tab) -> None:
        """Download again, twice, equals the first file; after Done nothing offers it."""
        select(tab, "a", 2)
        tab.pick("Actions", "Generate & Export Tokens")
        first = rows_of(tab.generate(2))
        expect(tab.button("Download again")).to_be_visible()
        with tab.page.expect_download() as again:
            tab.button("Download again").click()
        assert rows_of(again.value) == first
        tab.click("Done")
        expect(tab.button("Download again")).to_have_count(0)

    @pytest.mark.parametrize(
        ("times", "sessions"), [(1, 1), pytest.param(20, 10, marks=pytest.mark.soak)]
    )
    def test_it_survives_a_slow_way_while_other_sessions_rerun(
        self, new_tab: Callable[..., Tab], server: Dashboard, times: int, sessions: int
    ) -> None:
        """The CSV is asked for only after several runs of the other sessions have ended.

        Streamlit itself drops a file at the second end of any session's run.
        """
        others = [new_tab(server.address) for _ in range(sessions)]
        for other in others:
            other.open(TOKENS)
        tab = new_tab(server.address)

        def slowly(route: Route) -> None:
            for words in ("Select page", "Clear") * 2:
                for other in others:
                    other.click(words)
            route.continue_()

        tab.page.route("**/media/*.csv", slowly)
        arrived = 0
        for attempt in range(times):
            select(tab, "abcdefghij"[attempt % 10], 2)
            tab.pick("Actions", "Generate & Export Tokens")
            arrived += len(rows_of(tab.generate(2))) == 2
        assert arrived == times
