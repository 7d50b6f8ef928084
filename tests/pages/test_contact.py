"""Organization Contact Information."""

from lib.ui.components.definition_list import DASH
from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, facts, links, values


class TestContact:
    """What is known of an organization, as it is written."""

    def test_shows_who_and_how(self, open_page):
        """The facts stand beside their names, on several lines where they are written so."""
        at = open_page("contact", org="UTCJF1")
        shown = facts(at)
        assert at.header[0].value == "Organization Contact Information"
        assert list(shown) == [
            "Name", "Organization ID", "Status", "Type", "State", "Contact person",
            "Primary recorder", "Address", "Telephone", "Fax", "Web page", "Hours",
            "Document types accepted",
        ]  # fmt: skip
        assert shown["Address"] == "670 Center Street\nJunction Springs, UT"
        assert shown["Web page"] == "https://juniper.example.com"
        assert shown["Status"] == "Active"

    def test_unknown_facts_are_a_dash(self, demo, open_page):
        """An empty fact is not an empty place."""
        execute_sql(
            demo, "UPDATE organization SET fax = ' ', hours = '' WHERE organization_id = 'UTCJF1'"
        )
        shown = facts(open_page("contact", org="UTCJF1"))
        assert (shown["Fax"], shown["Hours"]) == (DASH, DASH)

    def test_markup_stays_as_written(self, demo, open_page):
        """Facts are plain text."""
        execute_sql(
            demo,
            "UPDATE organization SET name = :n, web_page = :n WHERE organization_id = 'UTCJF1'",
            n=MARKUP,
        )
        shown = facts(open_page("contact", org="UTCJF1"))
        assert shown["Name"] == shown["Web page"] == MARKUP

    def test_leads_on_to_services(self, open_page):
        """The link keeps the organization."""
        at = open_page("contact", org="UTCJF1")
        assert (":blue[Services]", "services", {"org": "UTCJF1"}) in links(at)

    def test_an_inactive_organization_says_what_that_means(self, open_page):
        """The facts stay readable, and the effect on tokens is said."""
        at = open_page("contact", org="COCEP3")
        assert facts(at)["Status"] == "Inactive"
        assert "its tokens are refused" in at.warning[0].value

    def test_an_unknown_organization_has_a_way_out(self, open_page):
        """A sentence and a link instead of a page."""
        at = open_page("contact", org="<b>%_")
        assert values(at.warning) == [r"There is no organization \<b\>%\_."]
        assert ("Choose an organization", "organizations") in [link[:2] for link in links(at)]
        assert not at.text

    def test_only_staff(self, open_page):
        """Typing the address by hand gets a user nothing."""
        at = open_page("contact", org="UTCJF1", person=USER)
        assert values(at.info) == [FOR_STAFF]
        assert not at.text
