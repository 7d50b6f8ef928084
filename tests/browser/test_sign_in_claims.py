"""Sign-ins as providers do them: thin ID tokens, other spellings, old times, several tabs."""

import pytest
from playwright.sync_api import expect

from tests.support.browser import TOKENS
from tests.support.dashboards import Dashboard
from tests.support.sign_in import events, expect_sign_in_page, sign_in, step

pytestmark = pytest.mark.browser


@pytest.fixture
def by_email(dashboards, demo, oidc_settings) -> Dashboard:
    """A dashboard where the e-mail address names people."""
    return dashboards.showing(demo, user_claim="email", **oidc_settings)


class TestClaims:
    """Whom the claims name."""

    @pytest.mark.parametrize("person", ["thin", "old-iat", "upper"])
    def test_a_person_is_signed_in_whatever_way_the_provider_names_them(
        self, oidc_server, new_tab, person
    ):
        """By userinfo, an hour after `iat`, in capitals."""
        tab = new_tab(oidc_server.address)
        tab.open(TOKENS)
        step(f"sign in as mhale with the claims of {person}")
        sign_in(tab, person)
        tab.expect_heading("Recipient API Tokens")
        expect(tab.page.get_by_text("Morgan Hale", exact=True)).to_be_visible()
        assert events(oidc_server, "mhale") == [("sign-in", "")]

    def test_decomposed_accents_name_the_person_who_lands_on_their_own_page(
        self, oidc_server, new_tab
    ):
        """An ordinary person opens no particular page, and nothing is refused."""
        oidc_server.execute(
            "INSERT INTO user_account (username, name, email, staff_status, username_key)"
            " VALUES (:username, 'José Ruiz', '', 'active', :key)",
            username="jos\u00e9",
            key="jose\u0301",
        )
        tab = new_tab(oidc_server.address)
        tab.open()
        sign_in(tab, "decomposed")
        tab.expect_heading("My API tokens")
        expect(tab.page.get_by_text("José Ruiz", exact=True)).to_be_visible()
        assert events(oidc_server, "jos\u00e9") == [("sign-in", "")]

    @pytest.mark.parametrize(
        ("person", "heading", "sentence"),
        [
            (
                "markup",
                "Token Desk does not know you yet",
                "**x** ![i](https://evil.example.com/i)",
            ),
            (
                "no-name",
                "We cannot tell who you are",
                "preferred_username that is not text",
            ),
        ],
    )
    def test_a_refusal_shows_claim_and_reason_without_markup(
        self, oidc_server, new_tab, person, heading, sentence
    ):
        """As they were sent."""
        tab = new_tab(oidc_server.address)
        tab.open("organizations")
        sign_in(tab, person)
        tab.expect_heading(heading)
        expect(tab.page.get_by_text(sentence)).to_be_visible()
        assert tab.page.locator("[data-testid=stText] :is(b, strong, img, a)").count() == 0
        tab.screenshot(f"sign-in-{person}-1280-light")

    def test_an_email_is_taken_from_userinfo_and_a_list_is_not_verified(self, by_email, new_tab):
        """Both claims come from the same place."""
        tab = new_tab(by_email.address)
        tab.open(TOKENS)
        sign_in(tab, "verified")
        tab.expect_heading("Recipient API Tokens")
        other = new_tab(by_email.address)
        other.open(TOKENS)
        sign_in(other, "verified-list")
        other.expect_heading("We cannot tell who you are")
        expect(other.page.get_by_text("email_verified must be true")).to_be_visible()
        other.screenshot("sign-in-verified-list-1280-light")
        assert events(by_email, "mhale@tokendesk.example.com") == [
            ("refusal", "sign-in: ClaimUnusable")
        ]


class TestFailures:
    """A sign-in that fails at the provider, or on its way back."""

    def test_the_sign_in_page_says_that_it_did_not_succeed(self, oidc_server, new_tab):
        """The person denied it here; an ID token that is refused ends so, too."""
        tab = new_tab(oidc_server.address)
        tab.open()
        with tab.page_load():
            tab.button("Sign in").click()
            tab.page.wait_for_url("**/oauth2/authorize**")
            tab.page.get_by_role("button", name="Deny").click()
            tab.page.wait_for_url(f"{tab.address}/**")
        expect_sign_in_page(tab)
        expect(tab.page.get_by_text("The sign-in did not succeed.")).to_be_visible()
        tab.screenshot("sign-in-failed-1280-light")
        sign_in(tab, "mhale")
        tab.expect_heading("Organizations")


class TestTabs:
    """Two tabs of one browser sign in at once."""

    @pytest.mark.parametrize("first", [0, 1])
    def test_both_end_inside_at_their_own_pages(self, oidc_server, new_tab, first):
        """Whichever comes back first."""
        one = new_tab(oidc_server.address)
        two = one.another_tab()
        tabs = [(one, TOKENS, "Recipient API Tokens"), (two, "activity", "Activity")]
        for tab, path, _ in tabs:
            tab.open(path)
            expect_sign_in_page(tab)
        step("both are at the provider")
        for tab, *_ in tabs:
            tab.page.bring_to_front()
            tab.button("Sign in").click()
            tab.page.wait_for_url("**/oauth2/authorize**")
        for tab, _, heading in (tabs[first], tabs[1 - first]):
            step(f"the tab of {heading} comes back")
            with tab.page_load():
                tab.page.get_by_role("button", name="mhale", exact=True).click()
                tab.page.wait_for_url(f"{oidc_server.address}/**")
            tab.expect_heading(heading)
        step("the next click of the tab that came first belongs to the sign-in of the other")
        tab, path, heading = tabs[first]
        tab.open(path)
        tab.expect_heading(heading)
