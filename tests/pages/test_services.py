"""Organization Services."""

from lib.ui.components.definition_list import DASH
from tests.support.page import FOR_STAFF, MARKUP, USER, execute_sql, links, press, query, values

REDSTONE = "UTCRS4"


class TestServices:
    """The subscriptions of an organization, with links."""

    def test_services_page_lists_subscriptions_with_links(self, open_page):
        """The first is eRecording; each has links to its license and its tokens."""
        shown = links(open_page("services", org=REDSTONE))
        erecording = {"org": REDSTONE, "service": "erecording"}
        assert shown[0] == (":blue[eRecording]", "license", erecording)
        assert shown[1] == (":blue[API 2.0 Tokens]", "api-tokens", erecording)
        assert len(shown) == 8

    def test_services_page_shows_status_since_and_coverage(self, open_page):
        """An ended subscription has no coverage."""
        cells = values(open_page("services", org=REDSTONE).main.markdown)
        assert ":small[Oct 1, 2021]" in cells
        assert ":small[:material/block: Inactive]" in cells
        assert f":small[{DASH}]" in cells

    def test_services_page_counts_active_users_with_an_accepted_token(self, demo, open_page):
        """The figure equals that of the database."""
        ((users,),) = query(
            demo,
            "SELECT count(*) FROM member WHERE organization_id = :o AND status = 'active'",
            o=REDSTONE,
        )
        ((accepted,),) = query(
            demo,
            "SELECT count(*) FROM token t JOIN member m ON m.organization_id = t.organization_id"
            " AND m.member_id = t.member_id WHERE t.organization_id = :o AND m.status = 'active'"
            " AND t.service_id = 'erecording' AND t.state = 'accepted'",
            o=REDSTONE,
        )
        cells = values(open_page("services", org=REDSTONE).main.markdown)
        assert f":small[{accepted} of {users} ({accepted / users:.0%})]" in cells

    def test_services_page_of_an_inactive_organization_warns(self, open_page):
        """The services are still listed."""
        at = open_page("services", org="COCEP3")
        assert "its tokens are refused" in at.warning[0].value
        assert len(links(at)) == 2

    def test_services_page_without_subscriptions_shows_the_import_command(self, demo, open_page):
        """The empty state."""
        execute_sql(demo, "DELETE FROM token WHERE organization_id = 'UTCJF1'")
        execute_sql(demo, "DELETE FROM subscription WHERE organization_id = 'UTCJF1'")
        at = open_page("services", org="UTCJF1")
        assert "**Juniper County Recorder subscribes to no service**" in values(at.markdown)
        assert at.code[0].value == "python -m lib.cli import --subscriptions subscriptions.csv"

    def test_services_page_with_markup_in_a_name_shows_it_as_written(self, demo, open_page):
        """Names of services are data too."""
        execute_sql(demo, "UPDATE service SET name = :n WHERE service_id = 'erecording'", n=MARKUP)
        label = links(open_page("services", org=REDSTONE))[0][0]
        assert r"\!\[i\]\(https\:" in label

    def test_services_page_of_an_unknown_organization_has_a_message(self, open_page):
        """No page is drawn."""
        at = open_page("services", org="NOSUCH")
        assert values(at.warning) == ["There is no organization NOSUCH."]

    def test_services_page_for_a_user_says_who_may_open_it(self, open_page):
        """Also with a typed address."""
        at = open_page("services", org=REDSTONE, person=USER)
        assert values(at.info) == [FOR_STAFF]
        assert "license" not in [page for _, page, _ in links(at)]


def live_credentials(engine):
    """Return the client ids of the live credentials, oldest first."""
    statement = "SELECT client_id FROM service_credential WHERE ended_at IS NULL ORDER BY client_id"
    return [client_id for (client_id,) in query(engine, statement)]


class TestCredentials:
    """Service credentials: client ids and secrets."""

    def test_new_secret_is_shown_until_it_is_copied(self, demo, open_page):
        """A service has at most two credentials."""
        at = open_page("services", org=REDSTONE)
        at.button(key="credentials_create").click().run()
        (client_id,) = live_credentials(demo)
        secret = at.code[0].value
        assert secret.startswith("demosc_")
        assert client_id in values(at.text)
        assert secret not in str(query(demo, "SELECT * FROM service_credential"))
        assert at.button(key="credentials_create").disabled
        press(at, "I have copied it")
        assert not at.code
        at.button(key="credentials_create").click().run()
        press(at, "I have copied it")
        assert len(live_credentials(demo)) == 2
        assert at.button(key="credentials_create").disabled
        assert at.button(key="credentials_create").help == "End one of the two first."

    def test_credential_when_its_end_is_confirmed_is_ended(self, demo, open_page):
        """`Keep it` changes nothing."""
        at = open_page("services", org=REDSTONE)
        at.button(key="credentials_create").click().run()
        (client_id,) = live_credentials(demo)
        at.button(key=f"credentials_end_{client_id}").click().run()
        press(at, "Keep it")
        assert live_credentials(demo) == [client_id]
        at.button(key=f"credentials_end_{client_id}").click().run()
        at.button(key="credentials_end").click().run()
        assert live_credentials(demo) == []
        assert values(at.info) == [f"Ended: {client_id}."]

    def test_credential_when_already_ended_says_so(self, demo, open_page):
        """Another administrator was faster."""
        at = open_page("services", org=REDSTONE)
        at.button(key="credentials_create").click().run()
        (client_id,) = live_credentials(demo)
        at.button(key=f"credentials_end_{client_id}").click().run()
        execute_sql(demo, "UPDATE service_credential SET ended_at = created_at")
        at.button(key="credentials_end").click().run()
        assert values(at.info) == [f"Already ended: {client_id}."]

    def test_credentials_for_support_are_not_shown(self, open_page):
        """Support sees the services."""
        at = open_page("services", org=REDSTONE, person="dnakano")
        assert links(at)
        assert "Service credentials" not in values(at.subheader)
        assert "credentials_create" not in [button.key for button in at.button]
