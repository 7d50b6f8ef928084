"""Help: the manual's tasks, for those who can do them."""

from lib.wording.labels import ACTIONS
from tests.support.page import USER, links, values


class TestHelp:
    """Each task has its place."""

    def test_names_every_action_as_the_menu_does(self, open_page):
        """One user's name and the bulk name of all four actions."""
        words = " ".join(values(open_page("help").main.markdown))
        for action in ACTIONS.values():
            assert f"**{action.one}**" in words
            assert f"**{action.many}**" in words

    def test_says_what_the_signs_mean(self, open_page):
        """The check mark and Pending."""
        words = open_page("help", person=USER).main.markdown[0].value
        assert "**✓**" in words
        assert "**Pending**" in words

    def test_users_see_what_they_can_do_only(self, open_page):
        """Accept and decline, and no way into the administrators' pages."""
        at = open_page("help", person=USER)
        assert values(at.subheader) == ["I want to …"]
        assert {page for _, page, _ in links(at)} == {"my-api-tokens"}

    def test_links_open_the_place_where_the_person_was(self, open_page):
        """An administrator who comes from an organization goes back to its tokens."""
        at = open_page("help", org="UTCJF1", service="erecording")
        here = {"org": "UTCJF1", "service": "erecording"}
        assert (":blue[API 2.0 Tokens]", "api-tokens", here) in links(at)

    def test_without_a_place_an_organization_is_chosen_first(self, open_page):
        """There is no tokens page without an organization."""
        labels = [label for label, _, _ in links(open_page("help"))]
        assert ":blue[Choose an organization first]" in labels
