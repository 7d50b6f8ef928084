"""Help: the topics of the manual, for those who have the permission."""

from lib.domain.actions import ACTIONS
from tests.support.page import USER, links, values


class TestHelp:
    """The topics of Help."""

    def test_help_names_all_actions_as_the_menu_does(self, open_page):
        """The name for one user and the name for several."""
        words = " ".join(values(open_page("help").main.markdown))
        for action in ACTIONS.values():
            assert f"**{action.name_for_one}**" in words
            assert f"**{action.name_for_many}**" in words

    def test_help_explains_the_check_mark_and_pending(self, open_page):
        """Above the topics."""
        words = open_page("help", person=USER).main.markdown[0].value
        assert "**✓**" in words
        assert "**Pending**" in words

    def test_help_for_a_user_has_their_own_topics_only(self, open_page):
        """Accept and decline; no links to administrators' pages."""
        at = open_page("help", person=USER)
        assert values(at.subheader) == ["I want to …"]
        assert {page for _, page, _ in links(at)} == {"my-api-tokens"}

    def test_help_links_keep_the_last_place(self, open_page):
        """An administrator returns to the tokens of that organization."""
        at = open_page("help", org="UTCJF1", service="erecording")
        here = {"org": "UTCJF1", "service": "erecording"}
        assert (":blue[API 2.0 Tokens]", "api-tokens", here) in links(at)

    def test_help_without_a_place_links_to_organizations(self, open_page):
        """The API Tokens page needs an organization."""
        labels = [label for label, _, _ in links(open_page("help"))]
        assert ":blue[Choose an organization first]" in labels
