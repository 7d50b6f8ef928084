"""Organization Contact Information."""

from lib.ui.components.definition_list import DASH
from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, facts, links, values


class TestContact:
    """The facts of an organization, as plain text."""

    def test_contact_page_shows_the_facts_beside_their_labels(self, open_page):
        """A fact with several lines keeps its lines."""
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

    def test_contact_page_when_a_fact_is_empty_shows_a_dash(self, demo, open_page):
        """No value stays blank."""
        execute_sql(
            demo, "UPDATE organization SET fax = ' ', hours = '' WHERE organization_id = 'UTCJF1'"
        )
        shown = facts(open_page("contact", org="UTCJF1"))
        assert (shown["Fax"], shown["Hours"]) == (DASH, DASH)

    def test_contact_page_with_markup_shows_it_as_written(self, demo, open_page):
        """Facts are plain text."""
        execute_sql(
            demo,
            "UPDATE organization SET name = :n, web_page = :n WHERE organization_id = 'UTCJF1'",
            n=MARKUP,
        )
        shown = facts(open_page("contact", org="UTCJF1"))
        assert shown["Name"] == shown["Web page"] == MARKUP

    def test_contact_page_links_to_services(self, open_page):
        """The link keeps the organization."""
        at = open_page("contact", org="UTCJF1")
        assert (":blue[Services]", "services", {"org": "UTCJF1"}) in links(at)

    def test_contact_page_of_an_inactive_organization_warns(self, open_page):
        """The facts are still shown."""
        at = open_page("contact", org="COCEP3")
        assert facts(at)["Status"] == "Inactive"
        assert "its tokens are refused" in at.warning[0].value

    def test_contact_page_of_an_unknown_organization_has_a_message_and_a_link(self, open_page):
        """No page is drawn."""
        at = open_page("contact", org="<b>%_")
        assert values(at.warning) == [r"There is no organization \<b\>%\_."]
        assert ("Choose an organization", "organizations") in [link[:2] for link in links(at)]
        assert not at.text

    def test_contact_page_for_a_user_says_who_may_open_it(self, open_page):
        """Also with a typed address."""
        at = open_page("contact", org="UTCJF1", person=USER)
        assert values(at.info) == [FOR_STAFF]
        assert not at.text
