"""Signing in at a real identity provider, as a person meets it; and what a forger meets."""

import base64
import json
import re

import pytest
from playwright.sync_api import expect
from sqlalchemy import make_url
from websockets.exceptions import InvalidStatus

from lib.domain.claims import SIGNED_IN_AT
from lib.domain.clock import HOUR
from tests.browser.signing_in import (
    DAY,
    PEOPLE,
    TOKENS,
    asks_to_sign_in,
    claims_in,
    cookie_of,
    events,
    first_page,
    put_cookie,
    sign_in,
    sign_out,
    signed,
    step,
    stream,
)
from tests.support.dashboards import Dashboard
from tests.support.postgresql import execute

pytestmark = pytest.mark.browser

#: Ends a database's connections, and lets nobody in.
GONE = (
    "ALTER DATABASE {0} ALLOW_CONNECTIONS false;"
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{0}'"
)


class TestTheWalk:
    """In at the provider, through the pages, out again; on each engine."""

    def test_in_act_out_and_back(self, any_desk, new_tab):
        """What a working day looks like, step by step."""
        print(f"\n  Sign-in at a real provider, {any_desk.database.partition(':')[0]}")
        tab = new_tab(any_desk.address)
        step("a deep link, without a cookie: the sign-in page, and no menu")
        tab.open(TOKENS)
        asks_to_sign_in(tab)
        tab.picture("sign-in-1280-light")
        step("sign in as mhale at the provider; back at the page of the link")
        sign_in(tab, "mhale")
        tab.heading("Recipient API Tokens")
        assert tab.page.url == f"{any_desk.address}/{TOKENS}"
        expect(tab.page.get_by_text("API administrator", exact=True)).to_be_visible()
        step("walk: Notifications and back to the tokens")
        tab.menu("Notifications")
        tab.menu("API 2.0 Tokens")
        step("act: request a token for one user")
        tab.search("akhan")
        tab.tick([0])
        tab.pick("Actions", "Request New API Token")
        tab.click("Confirm")
        expect(tab.page.get_by_text("1 new token requested")).to_be_visible()
        step("reload: still signed in")
        tab.reload()
        tab.heading("Recipient API Tokens")
        step("sign out, here and at the provider")
        sign_out(tab)
        asks_to_sign_in(tab)
        step("come back: asked again")
        tab.open(TOKENS)
        asks_to_sign_in(tab)
        step("what the audit trail has")
        assert events(any_desk, "mhale") == [("sign-in", ""), ("request", ""), ("sign-out", "")]

    def test_a_user_without_a_role(self, any_desk, new_tab):
        """Sees their own tokens; a deep link to a page for others is refused and recorded."""
        tab = new_tab(any_desk.address)
        step("adoyle follows a link to Token coverage")
        tab.open("coverage")
        sign_in(tab, "adoyle")
        expect(tab.page.get_by_text("This page is for ")).to_be_visible()
        expect(tab.page.get_by_text("User", exact=True)).to_be_visible()
        step("a second click there records nothing more")
        tab.click(tab.page.get_by_role("link", name="Go to My API tokens"))
        tab.heading("My API tokens")
        assert events(any_desk, "adoyle") == [("sign-in", ""), ("refusal", "page: coverage")]
        sign_out(tab)

    def test_somebody_else_in_the_same_browser(self, desk, new_tab):
        """The first tab is the second person's, with nothing of the first's."""
        first = new_tab(desk.address)
        first.open(TOKENS)
        sign_in(first, "mhale")
        first.tick([0])
        first.selected("1 selected")
        expect(first.button("Select page")).to_be_enabled()
        step("in a second tab mhale signs out, and adoyle signs in")
        second = first.another_tab()
        second.open("my-api-tokens")
        sign_out(second)
        sign_in(second, "adoyle")
        step("the first tab's next click belongs to adoyle")
        with first.page_load():
            first.button("Select page").click()
        expect(first.page.get_by_text("This page is for ")).to_be_visible()
        expect(first.page.get_by_text("Andre Doyle", exact=True)).to_be_visible()
        expect(first.page.get_by_text("1 selected", exact=True)).to_have_count(0)


class TestTurnedAway:
    """Whom the provider knows, and we do not, or no longer."""

    @pytest.mark.parametrize(
        ("username", "heading", "error"),
        [
            ("nobody", "Token Desk does not know you yet", "NotInDirectory"),
            ("tokeefe", "Your account is inactive", "Inactive"),
        ],
    )
    def test_kindly(self, desk, new_tab, username, heading, error):
        """Told whom to ask; can be somebody else; recorded."""
        tab = new_tab(desk.address)
        tab.open("organizations")
        step(f"sign in as {username}, {PEOPLE[username]}")
        sign_in(tab, username)
        tab.heading(heading)
        expect(tab.page.get_by_text("Ask an API administrator")).to_be_visible()
        expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)
        tab.picture(f"sign-in-{username}-1280-light")
        assert events(desk, username) == [("refusal", f"sign-in: {error}")]
        step("be somebody else")
        sign_out(tab, "Sign in as someone else")
        asks_to_sign_in(tab)
        sign_in(tab, "mhale")
        expect(tab.page.get_by_text("Morgan Hale", exact=True)).to_be_visible()
        sign_out(tab)


class TestCookies:
    """The cookie is worth what its signature and our row say."""

    def test_changed_by_hand(self, desk, signed_in):
        """Another name, a cut, a letter, another key: nobody."""
        context = signed_in.page.context
        cookie = cookie_of(context)
        payload, rest = cookie["value"].split(".", 1)
        claims = claims_in(cookie["value"])
        other = json.dumps(claims | {"preferred_username": "rfenwick"})
        renamed = base64.urlsafe_b64encode(json.dumps(other).encode()).decode().rstrip("=")
        # Of the last letter some bits are padding, so the first is changed.
        signature = cookie["value"].rpartition(".")[2]
        other_signature = ("B" if signature[0] == "A" else "A") + signature[1:]
        forged = {
            "another name": f"{renamed}.{rest}",
            "a letter of the signature": f"{cookie['value'].rpartition('.')[0]}.{other_signature}",
            "cut short": cookie["value"][:-5],
            "no signature": payload,
            "another key": signed(claims, key="another-key-of-thirty-two-letters!"),
            "not a cookie": "chunks-3",
        }
        for what, value in forged.items():
            step(f"cookie changed by hand: {what}")
            put_cookie(context, cookie, value)
            signed_in.open(TOKENS)
            asks_to_sign_in(signed_in)
        step("the untouched one is still good")
        put_cookie(context, cookie, cookie["value"])
        signed_in.open(TOKENS)
        signed_in.heading("Recipient API Tokens")
        assert [name for (name, _) in events(desk, "rfenwick")] == []

    def test_expired(self, signed_in):
        """Signed 40 days ago; and signed now with the claims of 13 hours ago."""
        context = signed_in.page.context
        cookie = cookie_of(context)
        claims = claims_in(cookie["value"])
        step("a cookie signed 40 days ago")
        put_cookie(context, cookie, signed(claims, seconds_ago=40 * DAY))
        signed_in.open(TOKENS)
        asks_to_sign_in(signed_in)
        step("a cookie of an earlier version")
        earlier = {name: claim for name, claim in claims.items() if name != SIGNED_IN_AT}
        put_cookie(context, cookie, signed(earlier))
        signed_in.open(TOKENS)
        asks_to_sign_in(signed_in)
        expect(signed_in.page.get_by_text("You are signed out.")).to_be_visible()
        step("a cookie whose sign-in was 13 hours ago, and is seen for the first time")
        early = claims | {"nonce": "other", SIGNED_IN_AT: claims[SIGNED_IN_AT] - 13 * HOUR}
        put_cookie(context, cookie, signed(early))
        signed_in.open(TOKENS)
        asks_to_sign_in(signed_in)
        expect(signed_in.page.get_by_text("a sign-in lasts 12 hours")).to_be_visible()

    def test_replayed_after_signing_out(self, desk, signed_in, new_tab):
        """A copy taken before is refused, in this browser and in another."""
        cookie = cookie_of(signed_in.page.context)
        sign_out(signed_in)
        thief = new_tab(desk.address)
        for tab in (signed_in, thief):
            step("the cookie of before the sign-out")
            put_cookie(tab.page.context, cookie, cookie["value"])
            tab.open(TOKENS)
            asks_to_sign_in(tab)
            expect(tab.page.get_by_text("You are signed out.")).to_be_visible()
            put_cookie(tab.page.context, cookie, "")
        step("a new sign-in from there comes back to the page")
        sign_in(thief, "mhale")
        thief.heading("Recipient API Tokens")


def grow_old(desk: Dashboard, column: str, hours: float) -> None:
    """Move every live sign-in into the past."""
    desk.execute(
        f"UPDATE sign_in SET {column} = {column} - :by WHERE ended_at IS NULL",
        by=int(hours * 3600 * 1000),
    )


class TestTimeOuts:
    """A sign-in that has lasted too long ends at the next click, whatever is open."""

    def test_without_a_click(self, desk, signed_in):
        """The sentence, and back to the page after a new sign-in."""
        expect(signed_in.button("Select page")).to_be_enabled()
        step("31 minutes later: a click")
        grow_old(desk, "last_seen_at", 31 / 60)
        signed_in.button("Select page").click()
        asks_to_sign_in(signed_in)
        expect(signed_in.page.get_by_text("after 30 minutes without a click")).to_be_visible()
        signed_in.picture("sign-in-timed-out-1280-light")
        step("a reload changes nothing")
        signed_in.reload()
        asks_to_sign_in(signed_in)
        sign_in(signed_in, "mhale")
        signed_in.heading("Recipient API Tokens")
        sign_out(signed_in)

    def test_altogether(self, desk, signed_in):
        """Twelve hours, whatever the clicks."""
        expect(signed_in.button("Select page")).to_be_enabled()
        step("12 hours later: a click")
        grow_old(desk, "signed_in_at", 12)
        signed_in.button("Select page").click()
        asks_to_sign_in(signed_in)
        expect(signed_in.page.get_by_text("a sign-in lasts 12 hours")).to_be_visible()

    @pytest.mark.parametrize("action", ["Request New API Token", "Generate & Export Token"])
    def test_with_a_confirmation_open(self, desk, signed_in, action):
        """The confirming click does nothing: dialogs run before the page asks who is in."""
        before = desk.count("operation")
        signed_in.search("blowe")
        signed_in.tick([0])
        signed_in.pick("Actions", action)
        button = "Confirm"
        if action.startswith("Generate"):
            signed_in.type_to_confirm(1)
            button = re.compile("download CSV")
        confirm = signed_in.page.get_by_role("button", name=button)
        expect(confirm).to_be_enabled()  # whatever is drawn from now on is the sign-in page
        step(f"{action}: the dialog is open, 31 minutes pass, and somebody clicks")
        grow_old(desk, "last_seen_at", 31 / 60)
        confirm.click()
        asks_to_sign_in(signed_in)
        assert desk.count("operation") == before


class TestLostDatabase:
    """While the database cannot be read, the page stays."""

    def test_a_click_meanwhile_gets_the_usual_sentence_and_the_next_one_works(
        self, postgresql, postgresql_desk, new_tab
    ):
        """On a page and in a dialog. Nobody is signed out, and nothing is loaded again."""
        name = make_url(postgresql_desk.database).database
        tab = new_tab(postgresql_desk.address)
        tab.open(TOKENS)
        sign_in(tab, "mhale")
        tab.heading("Recipient API Tokens")
        tab.page.evaluate("window.stays = true")
        step("the database is gone: a click")
        execute(postgresql, *GONE.format(name).split(";"))
        tab.button("Select page").click()
        sentence = tab.page.get_by_text("The database cannot be reached. Nothing was changed")
        expect(sentence).to_be_visible()
        step("it is back: another click")
        execute(postgresql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        tab.page.keyboard.press("r")
        tab.heading("Recipient API Tokens")
        expect(sentence).to_have_count(0)
        step("gone again: the confirming click in a dialog")
        before = postgresql_desk.count("operation")
        tab.selected("50 selected")
        tab.pick("Actions", "Add New Tokens")
        execute(postgresql, *GONE.format(name).split(";"))
        tab.button("Confirm").click()
        expect(sentence).to_be_visible()
        execute(postgresql, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert tab.page.evaluate("window.stays") is True
        assert postgresql_desk.count("operation") == before
        tab.reload()
        tab.heading("Recipient API Tokens")


class TestForgers:
    """Who comes with a header, an origin or no browser at all."""

    def test_an_identity_header_does_nothing_here(self, desk):
        """Only in proxy mode is there such a header."""
        step("a forged X-Forwarded-User, where people sign in at a provider")
        told = first_page(desk.address, [("X-Forwarded-User", "mhale")])
        assert "Sign in to Token Desk" in told
        assert "Morgan Hale" not in told

    def test_nothing_of_the_directory_is_sent_before(self, desk):
        """Neither organizations nor services nor people."""
        told = first_page(desk.address, [], "license")
        assert "Sign in to Token Desk" in told
        for word in ("eRecording", "Juniper", "UTCJF1", "mhale"):
            assert word not in told

    @pytest.mark.parametrize(
        "origin",
        ["https://evil.example.com", "http://localhost:1", "null", None],
        ids=["another site", "another port", "null", "none"],
    )
    def test_a_foreign_origin_is_refused(self, desk, origin):
        """Before the WebSocket is open."""
        step(f"a WebSocket with the Origin {origin}")
        with pytest.raises(InvalidStatus) as caught, stream(desk.address, origin):
            pass
        assert caught.value.response.status_code == 403

    def test_our_own_origin_is_not(self, desk):
        """The same WebSocket, from our own page."""
        with stream(desk.address, desk.address) as socket_:
            assert socket_.subprotocol == "streamlit"


class TestProxy:
    """A proxy on this machine names the person."""

    def test_with_its_header(self, proxied, through, new_tab):
        """In, with a role; no sign-out of ours; recorded once."""
        tab = new_tab(through(b"X-Forwarded-User: mhale\r\nX-Forwarded-For: 203.0.113.7\r\n"))
        step("through the proxy, which names mhale")
        tab.open(TOKENS)
        tab.heading("Recipient API Tokens")
        expect(tab.page.get_by_text("API administrator", exact=True)).to_be_visible()
        expect(tab.button("Sign out")).to_have_count(0)
        tab.menu("Notifications")
        statement = "SELECT action, address FROM audit_event WHERE actor = 'mhale'"
        assert proxied.execute(statement) == [("sign-in", "203.0.113.7")]

    @pytest.mark.parametrize(
        "lines",
        [
            b"",
            b"X-Forwarded-User:\r\n",
            b"X-Forwarded-User: mhale\r\nX-Forwarded-User: mhale\r\n",
        ],
        ids=["none", "empty", "two"],
    )
    def test_without_exactly_one_name(self, through, new_tab, lines):
        """It says so, and shows nothing."""
        tab = new_tab(through(lines))
        step(f"through a proxy that adds {lines!r}")
        tab.open(TOKENS)
        tab.heading("You are not signed in")
        expect(tab.page.get_by_test_id("stSidebarNav")).to_have_count(0)

    @pytest.mark.parametrize(
        ("name", "heading"),
        [
            ("nobody", "Token Desk does not know you yet"),
            ("mhale, mhale", "Token Desk does not know you yet"),
            ("tokeefe", "Your account is inactive"),
        ],
    )
    def test_whom_the_directory_does_not_know(self, proxied, through, new_tab, name, heading):
        """Told kindly, and recorded once a browser session."""
        tab = new_tab(through(f"X-Forwarded-User: {name}\r\n".encode()))
        step(f"through a proxy that names {name}")
        tab.open("organizations")
        tab.heading(heading)
        tab.page.keyboard.press("r")  # runs the page again
        tab.heading(heading)
        assert [action for action, _ in events(proxied, name)] == ["refusal"]
