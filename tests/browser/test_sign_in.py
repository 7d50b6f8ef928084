"""Signing in at a real identity provider, as a person meets it; and what a forger meets."""

import base64
import json

import pytest
from playwright.sync_api import expect
from sqlalchemy import make_url
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection

from lib.domain.claims import SIGNED_IN_AT
from lib.domain.clock import HOUR
from tests.support.browser import TOKENS
from tests.support.dashboards import Dashboard
from tests.support.postgresql import execute
from tests.support.sign_in import (
    DAY,
    PEOPLE,
    USER_COOKIE,
    claims_of,
    events,
    expect_sign_in_page,
    put_cookie,
    sign_in,
    sign_in_cookie_of,
    sign_out,
    signed_cookie,
    step,
)
from tests.support.websocket_client import open_websocket, open_websocket_with, text_of_page

pytestmark = pytest.mark.browser

#: Ends a database's connections, and lets nobody in.
GONE = (
    "ALTER DATABASE {0} ALLOW_CONNECTIONS false;"
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'"
)


class TestSession:
    """In at the provider, through the pages, out again."""

    def test_a_session_from_sign_in_to_sign_out_is_in_the_audit_trail(self, oidc_server, new_tab):
        """What a working day looks like, step by step."""
        tab = new_tab(oidc_server.address)
        step("a deep link, without a cookie: the sign-in page, and no menu")
        tab.open(TOKENS)
        expect_sign_in_page(tab)
        tab.screenshot("sign-in-1280-light")
        step("sign in as mhale at the provider; back at the page of the link")
        sign_in(tab, "mhale")
        tab.expect_heading("Recipient API Tokens")
        assert tab.page.url == f"{oidc_server.address}/{TOKENS}"
        expect(tab.page.get_by_text("API administrator", exact=True)).to_be_visible()
        step("walk: Notifications and back to the tokens")
        tab.menu("Notifications")
        tab.menu("API 2.0 Tokens")
        step("act: request a token for one user")
        tab.search("akhan")
        tab.tick([0])
        tab.pick("Actions", "Request New API Token")
        tab.click(tab.confirming_button())
        expect(tab.page.get_by_text("1 new token requested")).to_be_visible()
        step("reload: still signed in")
        tab.reload()
        tab.expect_heading("Recipient API Tokens")
        step("sign out, here and at the provider")
        sign_out(tab)
        expect_sign_in_page(tab)
        step("come back: asked again")
        tab.open(TOKENS)
        expect_sign_in_page(tab)
        step("what the audit trail has")
        expected = [("sign-in", ""), ("request", ""), ("sign-out", "")]
        assert events(oidc_server, "mhale") == expected

    def test_a_user_without_a_role_is_refused_a_staff_page_and_it_is_recorded(
        self, oidc_server, open_as
    ):
        """Sees their own tokens; a deep link to a page for others is refused."""
        step("adoyle follows a link to Token coverage")
        tab = open_as("adoyle", "coverage")
        expect(tab.page.get_by_text("This page is for ")).to_be_visible()
        expect(tab.page.get_by_text("User", exact=True)).to_be_visible()
        step("a second click there records nothing more")
        tab.click(tab.page.get_by_role("link", name="Go to My API tokens"))
        tab.expect_heading("My API tokens")
        assert events(oidc_server, "adoyle") == [("sign-in", ""), ("refusal", "page: coverage")]

    def test_the_next_person_in_a_browser_gets_nothing_of_the_one_before(self, admin_tab):
        """The first tab is the second person's, with nothing of the first's."""
        admin_tab.tick([0])
        admin_tab.expect_selected("1 selected")
        expect(admin_tab.button("Select page")).to_be_enabled()
        step("in a second tab mhale signs out, and adoyle signs in")
        second = admin_tab.another_tab()
        second.open("my-api-tokens")
        sign_out(second)
        sign_in(second, "adoyle")
        step("the first tab's next click belongs to adoyle")
        with admin_tab.page_load():
            admin_tab.button("Select page").click()
        expect(admin_tab.page.get_by_text("This page is for ")).to_be_visible()
        expect(admin_tab.page.get_by_text("Andre Doyle", exact=True)).to_be_visible()
        expect(admin_tab.page.get_by_text("1 selected", exact=True)).to_have_count(0)


class TestTurnedAway:
    """Whom the provider knows, and we do not, or no longer."""

    def test_an_unknown_or_inactive_person_is_told_whom_to_ask(self, oidc_server, new_tab):
        """It is recorded, and they can sign in as somebody else."""
        tab = new_tab(oidc_server.address)
        tab.open("organizations")
        people = {
            "nobody": ("Token Desk does not know you yet", "NotInDirectory"),
            "tokeefe": ("Your account is inactive", "Inactive"),
        }
        for username, (heading, error) in people.items():
            step(f"sign in as {username}, {PEOPLE[username]}")
            sign_in(tab, username)
            tab.expect_heading(heading)
            expect(tab.page.get_by_text("Ask an API administrator")).to_be_visible()
            expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)
            tab.screenshot(f"sign-in-{username}-1280-light")
            assert events(oidc_server, username) == [("refusal", f"sign-in: {error}")]
            step("be somebody else")
            sign_out(tab, "Sign in as someone else")
            expect_sign_in_page(tab)
        sign_in(tab, "mhale")
        expect(tab.page.get_by_text("Morgan Hale", exact=True)).to_be_visible()


def page_with(server: Dashboard, cookies: dict[str, str], value: str) -> str:
    """Return every word of the start page for a program with another cookie of who is in."""
    with open_websocket_with(server.address, cookies | {USER_COOKIE: value}) as connection:
        return text_of_page(connection, "organizations")


def assert_nobody(text: str) -> None:
    """Assert that a page is the sign-in page, with nothing of the directory."""
    assert "Sign in to Token Desk" in text
    for word in ("eRecording", "Juniper", "UTCJF1", "mhale", "Morgan Hale"):
        assert word not in text


class TestCookies:
    """The cookie is worth what its signature and our row say."""

    def test_a_forged_cookie_signs_nobody_in(self, oidc_server, admin_cookies):
        """Another name, a cut, a letter, another key."""
        good = admin_cookies[USER_COOKIE]
        payload, rest = good.split(".", 1)
        claims = claims_of(good)
        other = json.dumps(claims | {"preferred_username": "rfenwick"})
        renamed = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
        # Of the last letter some bits are padding, so the first is changed.
        signature = good.rpartition(".")[2]
        other_signature = ("B" if signature[0] == "A" else "A") + signature[1:]
        forged = {
            "another name": f"{renamed}.{rest}",
            "a letter of the signature": f"{good.rpartition('.')[0]}.{other_signature}",
            "cut short": good[:-5],
            "no signature": payload,
            "another key": signed_cookie(claims, key="another-key-of-thirty-two-letters!"),
            "not a cookie": "chunks-3",
        }
        for what, value in forged.items():
            step(f"cookie changed by hand: {what}")
            assert_nobody(page_with(oidc_server, admin_cookies, value))
        step("the untouched one is still good")
        assert "Juniper County Recorder" in page_with(oidc_server, admin_cookies, good)
        assert [name for (name, _) in events(oidc_server, "rfenwick")] == []

    def test_an_expired_cookie_signs_nobody_in(self, oidc_server, admin_cookies):
        """Signed 40 days ago; and signed now with the claims of 13 hours ago."""
        claims = claims_of(admin_cookies[USER_COOKIE])
        step("a cookie signed 40 days ago")
        old = signed_cookie(claims, seconds_ago=40 * DAY)
        assert_nobody(page_with(oidc_server, admin_cookies, old))
        step("a cookie of an earlier version")
        earlier = {name: claim for name, claim in claims.items() if name != SIGNED_IN_AT}
        text = page_with(oidc_server, admin_cookies, signed_cookie(earlier))
        assert_nobody(text)
        assert "You are signed out." in text
        step("a cookie whose sign-in was 13 hours ago, and is seen for the first time")
        early = signed_cookie(
            claims | {"nonce": "other", SIGNED_IN_AT: claims[SIGNED_IN_AT] - 13 * HOUR}
        )
        text = page_with(oidc_server, admin_cookies, early)
        assert_nobody(text)
        assert "a sign-in lasts 12 hours" in text

    def test_a_cookie_copied_before_the_sign_out_signs_nobody_in(
        self, oidc_server, admin_tab, new_tab
    ):
        """A copy taken before is refused, in this browser and in another."""
        cookie = sign_in_cookie_of(admin_tab.page.context)
        sign_out(admin_tab)
        thief = new_tab(oidc_server.address)
        for tab in (admin_tab, thief):
            step("the cookie of before the sign-out")
            put_cookie(tab.page.context, cookie, cookie["value"])
            tab.open(TOKENS)
            expect_sign_in_page(tab)
            expect(tab.page.get_by_text("You are signed out.")).to_be_visible()
            put_cookie(tab.page.context, cookie, "")
        step("a new sign-in from there comes back to the page")
        sign_in(thief, "mhale")
        thief.expect_heading("Recipient API Tokens")


def grow_old(oidc_server: Dashboard, column: str, hours: float) -> None:
    """Move every live sign-in into the past."""
    oidc_server.execute(
        f"UPDATE sign_in SET {column} = {column} - :by WHERE ended_at IS NULL",
        by=int(hours * 3600 * 1000),
    )


class TestTimeOuts:
    """A sign-in that has lasted too long ends at the next click, whatever is open."""

    def test_thirty_minutes_without_a_click_end_a_sign_in(self, oidc_server, admin_tab):
        """The sentence, and back to the page after a new sign-in."""
        expect(admin_tab.button("Select page")).to_be_enabled()
        step("31 minutes later: a click")
        grow_old(oidc_server, "last_seen_at", 31 / 60)
        admin_tab.button("Select page").click()
        expect_sign_in_page(admin_tab)
        expect(admin_tab.page.get_by_text("after 30 minutes without a click")).to_be_visible()
        admin_tab.screenshot("sign-in-timed-out-1280-light")
        step("a reload changes nothing")
        admin_tab.reload()
        expect_sign_in_page(admin_tab)
        sign_in(admin_tab, "mhale")
        admin_tab.expect_heading("Recipient API Tokens")

    def test_twelve_hours_end_a_sign_in(self, oidc_server, admin_tab):
        """Twelve hours, whatever the clicks."""
        expect(admin_tab.button("Select page")).to_be_enabled()
        step("12 hours later: a click")
        grow_old(oidc_server, "signed_in_at", 12)
        admin_tab.button("Select page").click()
        expect_sign_in_page(admin_tab)
        expect(admin_tab.page.get_by_text("a sign-in lasts 12 hours")).to_be_visible()

    @pytest.mark.parametrize("action", ["Request New API Token", "Generate & Export Token"])
    def test_a_confirming_click_after_the_time_out_does_nothing(
        self, oidc_server, admin_tab, action
    ):
        """The confirming click does nothing: dialogs run before the page asks who is in."""
        before = oidc_server.count("operation")
        admin_tab.search("blowe")
        admin_tab.tick([0])
        admin_tab.pick("Actions", action)
        confirm = admin_tab.confirming_button()
        if action.startswith("Generate"):
            admin_tab.type_to_confirm(1)
            confirm = admin_tab.download_button()
        expect(confirm).to_be_enabled()  # whatever is drawn from now on is the sign-in page
        step(f"{action}: the dialog is open, 31 minutes pass, and somebody clicks")
        grow_old(oidc_server, "last_seen_at", 31 / 60)
        confirm.click()
        expect_sign_in_page(admin_tab)
        assert oidc_server.count("operation") == before


class TestLostDatabase:
    """While the database cannot be read, the page stays."""

    def test_a_click_meanwhile_gets_the_usual_sentence_and_the_next_one_works(
        self, postgresql, postgresql_oidc_server, new_tab
    ):
        """On a page and in a dialog. Nobody is signed out, and nothing is loaded again."""
        name = make_url(postgresql_oidc_server.database).database
        tab = new_tab(postgresql_oidc_server.address)
        tab.open(TOKENS)
        sign_in(tab, "mhale")
        tab.expect_heading("Recipient API Tokens")
        tab.page.evaluate("window.stays = true")
        step("the database is gone: a click")
        execute(postgresql, *GONE.format(name).split(";"))
        tab.button("Select page").click()
        sentence = tab.page.get_by_text("The database cannot be reached. Nothing was changed")
        expect(sentence).to_be_visible()
        step("it is back: another click")
        execute(postgresql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        tab.page.keyboard.press("r")
        tab.expect_heading("Recipient API Tokens")
        expect(sentence).to_have_count(0)
        step("gone again: the confirming click in a dialog")
        before = postgresql_oidc_server.count("operation")
        tab.expect_selected("50 selected")
        tab.pick("Actions", "Add New Tokens")
        execute(postgresql, *GONE.format(name).split(";"))
        tab.confirming_button().click()
        expect(sentence).to_be_visible()
        execute(postgresql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert tab.page.evaluate("window.stays") is True
        assert postgresql_oidc_server.count("operation") == before
        tab.reload()
        tab.expect_heading("Recipient API Tokens")


class TestForgers:
    """Who comes with a header, an origin or no browser at all."""

    def test_an_identity_header_does_nothing_here(self, oidc_server):
        """Only in proxy mode is there such a header."""
        step("a forged X-Forwarded-User, where people sign in at a provider")
        forged = [("X-Forwarded-User", "mhale")]
        with open_websocket(oidc_server.address, oidc_server.address, forged) as connection:
            assert_nobody(text_of_page(connection, "organizations"))

    def test_nothing_of_the_directory_is_sent_before_a_sign_in(self, oidc_server):
        """Neither organizations nor services nor people."""
        with open_websocket(oidc_server.address, oidc_server.address) as connection:
            assert_nobody(text_of_page(connection, "license"))

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example.com", "http://localhost:1", "null", None],
        ids=["another site", "another port", "null", "none"],
    )
    def test_a_foreign_origin_is_refused(self, oidc_server, origin):
        """Before the WebSocket is open."""
        step(f"a WebSocket with the Origin {origin}")
        with pytest.raises(InvalidStatus) as caught, open_websocket(oidc_server.address, origin):
            pass
        assert caught.value.response.status_code == 403

    def test_our_own_origin_is_accepted(self, oidc_server):
        """The same WebSocket, from our own page."""
        with open_websocket(oidc_server.address, oidc_server.address) as socket_:
            assert socket_.subprotocol == "streamlit"


class TestProxy:
    """A proxy on this machine names the person."""

    def test_the_person_in_the_proxys_header_is_signed_in(self, proxy_server, open_proxy, new_tab):
        """In, with a role; no sign-out of ours; recorded once."""
        tab = new_tab(open_proxy(b"X-Forwarded-User: mhale\r\nX-Forwarded-For: 203.0.113.7\r\n"))
        step("through the proxy, which names mhale")
        tab.open(TOKENS)
        tab.expect_heading("Recipient API Tokens")
        expect(tab.page.get_by_text("API administrator", exact=True)).to_be_visible()
        expect(tab.button("Sign out")).to_have_count(0)
        tab.menu("Notifications")
        statement = "SELECT action, address FROM audit_event WHERE actor = 'mhale'"
        assert proxy_server.execute(statement) == [("sign-in", "203.0.113.7")]

    @pytest.mark.parametrize("names", [[], [""], ["mhale", "mhale"]], ids=["none", "empty", "two"])
    def test_a_header_without_exactly_one_name_signs_nobody_in(self, proxy_server, names):
        """It says so, and shows nothing."""
        step(f"from a proxy that names {names}")
        with open_websocket_for(proxy_server, names) as connection:
            text = text_of_page(connection, "organizations")
        assert "You are not signed in" in text
        assert "Juniper" not in text

    @pytest.mark.parametrize(
        ("name", "heading"),
        [
            ("nobody", "Token Desk does not know you yet"),
            ("mhale, mhale", "Token Desk does not know you yet"),
            ("tokeefe", "Your account is inactive"),
        ],
    )
    def test_a_name_that_is_unknown_or_inactive_is_turned_away(self, proxy_server, name, heading):
        """Recorded once a browser session, however often the page runs."""
        step(f"from a proxy that names {name}")
        with open_websocket_for(proxy_server, [name]) as connection:
            for _ in range(2):
                assert heading in text_of_page(connection, "organizations")
        assert [action for action, _ in events(proxy_server, name)] == ["refusal"]


def open_websocket_for(server: Dashboard, names: list[str]) -> ClientConnection:
    """Open the WebSocket as a proxy on this machine that names these people."""
    headers = [("X-Forwarded-User", name) for name in names]
    return open_websocket(server.address, server.address, headers)
