"""The people of a saved view, and the way from them to the API Tokens page."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from lib.domain.worries import VIEWS, WORRIES, View, default_view
from lib.ui.tokens.tokens_state import TokensState
from tests.support.page import FOR_STAFF, USER, execute_sql, links, press, query, values

ERECORDING = {"org": "UTCJF1", "service": "erecording"}


def worry_links(at: AppTest) -> dict[str, dict[str, str]]:
    """Return the address of each worry on Token coverage, by its label."""
    return {label: place for label, page, place in links(at) if page == "coverage-users"}


def people(at: AppTest) -> int:
    """Return how many users the foot of the list counts; 0 without a foot."""
    (counted,) = re.findall(r"of ([\d,]+) users? in", " ".join(values(at.caption))) or ["0"]
    return int(counted.replace(",", ""))


def selected(at: AppTest) -> set[str]:
    """Return the ids of the selected members."""
    return at.session_state["session"].page_states[TokensState].selected


def arrive(at: AppTest) -> AppTest:
    """Press the button, and stay on the page that it opens: AppTest would run the list again."""
    return press(at, "Open in API tokens").switch_page("api_tokens.py").run()


class TestWorries:
    """Five numbers on top of Token coverage."""

    def test_each_number_is_that_of_its_list(self, open_page):
        """And each has an address of its own."""
        at = open_page("coverage")
        numbers = [int(s.value.replace(",", "")) for s in at.subheader[: len(WORRIES)]]
        addresses = list(worry_links(at).values())
        assert addresses == [default_view(view).parameters for view in WORRIES]
        assert all(numbers)
        for number, address in zip(numbers, addresses, strict=True):
            assert people(open_page("coverage_users", **address)) == number

    def test_support_in_one_organization_sees_its_people_only(self, open_page):
        """Numbers and lists."""
        everywhere = open_page("coverage")
        at = open_page("coverage", person="psorel")
        for own, all_of_them in zip(at.subheader[:5], everywhere.subheader[:5], strict=True):
            assert int(own.value) < int(all_of_them.value.replace(",", ""))
        for view in WORRIES:
            listed = open_page("coverage_users", person="psorel", view=view.value).dataframe
            assert not listed or set(listed[0].value["ID"]) == {"UTCJF1"}

    def test_support_in_one_organization_finds_nobody_of_another(self, open_page):
        """Whatever the address says."""
        for view in View:
            address = {"view": view.value, "org": "UTTAN1", "service": "erecording"}
            at = open_page("coverage_users", person="psorel", **address)
            assert "**Nobody is on this list**" in values(at.markdown)

    def test_another_number_of_days_has_another_address(self, open_page):
        """The choice of days."""
        at = open_page("coverage_users", view="expiring")
        before = people(at)
        at.selectbox(key="people_days").set_value(60).run()
        assert at.query_params["days"] in ("60", ["60"])
        assert at.header[0].value == "Expires within 60 days"
        assert people(at) > before

    @pytest.mark.parametrize(
        "address",
        [
            {},
            {"view": "nonsense"},
            {"view": "unused", "days": "31"},
            {"view": "unused", "days": "9" * 5_000},
            {"view": "unused", "days": "٣٠"},
            {"view": "inactive", "days": "7"},
            {"view": "users"},
            {"view": "neither", "org": "UTCJF1"},
            {"view": "x'; DROP TABLE token; --"},
        ],
    )
    def test_an_address_without_a_view_gets_a_sentence_and_a_way_back(self, open_page, address):
        """No list is drawn."""
        at = open_page("coverage_users", **address)
        assert values(at.warning) == ["There is no such list of people."]
        assert ("See token coverage", "coverage", {}) in links(at)
        assert not at.dataframe

    @pytest.mark.parametrize(
        "place", [{"org": "NOSUCH"}, {"org": "\x00"}, {"org": "z" * 10_000}, {"service": "nosuch"}]
    )
    def test_a_place_that_is_unknown_has_nobody(self, open_page, place):
        """As an organization of somebody else."""
        at = open_page("coverage_users", view="users", **ERECORDING | place)
        assert not at.exception
        assert "**Nobody is on this list**" in values(at.markdown)

    def test_a_user_without_a_role_is_told_who_may_open_it(self, open_page):
        """A user's own tokens are on My API tokens."""
        at = open_page("coverage_users", person=USER, view="unused")
        assert values(at.info) == [FOR_STAFF]
        assert not at.dataframe


class TestCells:
    """A cell of coverage opens its people."""

    def test_lists_of_a_cell_have_the_figures_of_coverage(self, open_page):
        """All users, with a token, pending, neither."""
        at = open_page("coverage")
        frame = at.dataframe[0].value
        cell = frame[(frame["ID"] == "UTCJF1") & (frame["Service"] == "eRecording")].iloc[0]
        at = open_page("coverage_users", view="users", **ERECORDING)
        figures = {"users": "Users", "have-a-token": "Accepted"}
        figures |= {"only-pending": "Pending", "neither": "None"}
        for view, figure in figures.items():
            at.selectbox(key="people_having").set_value(View(view)).run()
            assert at.header[0].value == VIEWS[View(view)].title
            assert people(at) == cell[figure]


class TestOpenInApiTokens:
    """From a list to its people on the API Tokens page."""

    def test_exactly_the_users_of_the_view_are_selected(self, demo, open_page):
        """Actions stays closed, and a caption names the action that helps."""
        at = open_page("coverage_users", view="neither", **ERECORDING)
        number = people(at)
        arrive(at)
        assert at.header[0].value == "Recipient API Tokens"
        assert len(selected(at)) == number
        assert f"**{number} selected**" in values(at.markdown)
        assert at.selectbox(key="tokens_actions").value is None
        assert any("*Add New Tokens* under Actions helps." in text for text in values(at.caption))
        live = query(
            demo,
            "SELECT member_id FROM token WHERE organization_id = 'UTCJF1'"
            " AND service_id = 'erecording' AND ended_at IS NULL",
        )
        assert not selected(at) & {row[0] for row in live}

    def test_several_organizations_come_one_after_the_other(self, open_page):
        """With the count of those that are left; every person of the list is selected once."""
        at = open_page("coverage_users", view="inactive")
        total = people(at)
        arrive(at)
        errand, met = at.session_state["session"].errand, 0
        for place in errand.places:
            assert len(selected(at)) == place.people
            met += place.people
            left = re.findall(r"Left: .* with (\d+) users?", " ".join(values(at.caption)))
            assert left == ([str(total - met)] if met < total else [])
            for button in [b for b in at.button if b.label.startswith("Next: ")]:
                button.click().run()
        assert met == total
        press(at, "End")
        assert not any("selected: " in text for text in values(at.caption))

    def test_a_selection_of_another_place_is_left_alone(self, open_page):
        """The errand waits while the person looks elsewhere."""
        at = arrive(open_page("coverage_users", view="neither", **ERECORDING))
        at.selectbox(key="tokens_service").set_value("plat-review").run()
        assert selected(at) == set()
        assert not any("selected: " in text for text in values(at.caption))

    def test_who_has_changed_since_is_not_selected(self, demo, open_page):
        """The list is read again on arrival."""
        at = open_page("coverage_users", view="have-a-token", **ERECORDING)
        number = people(at)
        execute_sql(
            demo,
            "UPDATE token SET state = 'removed', ended_from = 'accepted', ended_at = created_at"
            " WHERE token_id = (SELECT max(token_id) FROM token WHERE state = 'accepted' AND"
            " organization_id = 'UTCJF1' AND service_id = 'erecording' AND member_id IN"
            " (SELECT member_id FROM member WHERE status = 'active'))",
        )
        arrive(at)
        assert len(selected(at)) == number - 1
