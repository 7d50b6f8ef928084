"""The Access page: who may do what, granting, and taking away."""

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from lib.domain.access import GrantRow
from lib.domain.ids import new_id
from lib.domain.roles import PERMISSIONS, Grant, Permission, Role
from lib.store import grant_queries
from lib.store.engine import writing
from lib.ui.access.access_form import granted_sentence
from lib.ui.access.access_list import loss_sentence
from lib.ui.components.definition_list import DASH
from lib.wording.formats import plain
from lib.wording.labels import PERMISSION_WORDS, ROLES
from tests.support.database_facts import NOW
from tests.support.page import MARKUP, USER, execute_sql, query, values

ORG = "UTCJF1"
FOR_ADMINISTRATORS = "This page is for API administrators."


def people(at: AppTest) -> list[str]:
    """Return the keys of the buttons that take something away, one a grant in the table."""
    return [button.key for button in at.button if str(button.key).startswith("revoke_")]


def granted(engine, username: str) -> set[tuple]:
    """Return what the database has for somebody."""
    return set(
        query(
            engine, "SELECT role, organization_id FROM role_grant WHERE username = :u", u=username
        )
    )


def grant(at: AppTest, username: str, role: Role | None, *places: str) -> AppTest:
    """Fill in the form and send it."""
    at.text_input(key="access_username").set_value(username)
    if role:
        at.selectbox(key="access_role").set_value(role)
    at.multiselect(key="access_where").set_value(list(places))
    (button,) = [button for button in at.button if button.label == "Grant"]
    return button.click().run()


def revoke(at: AppTest, engine, username: str) -> AppTest:
    """Ask to take away what somebody has."""
    ((grant_id,),) = query(
        engine, "SELECT grant_id FROM role_grant WHERE username = :u", u=username
    )
    return at.button(key=f"revoke_{grant_id}").click().run()


def add_grants(engine, number: int) -> None:
    """Give many people a role."""
    with writing(engine) as connection:
        names = connection.execute(
            text("SELECT username FROM user_account WHERE staff_status IS NULL LIMIT :n"),
            {"n": number},
        )
        for username in names.scalars().all():
            wanted = Grant(Role.ANALYST)
            grant_queries.add_grant(connection, new_id(NOW), username, wanted, NOW, "mhale")


class TestTheTable:
    """Every grant that one looks after."""

    def test_says_who_what_where_and_by_whom(self, open_page):
        """The demo's five, by name."""
        at = open_page("access")
        assert at.header[0].value == "Access"
        assert f"1{DASH}5 of 5 grants" in values(at.caption)
        told = " ".join(values(at.main.markdown) + values(at.main.caption))
        for word in ("Dana Nakano", "dnakano", "Support", "All organizations", "Juniper County"):
            assert word in told
        assert "on the command line" in told

    def test_an_inactive_person_is_marked(self, demo, open_page):
        """With a word and a sign."""
        execute_sql(
            demo, "UPDATE user_account SET staff_status = 'inactive' WHERE username = 'ivarga'"
        )
        at = open_page("access")
        (person,) = [v for v in values(at.main.markdown) if "Ilka Varga" in v]
        assert ":material/block: Inactive" in person

    @pytest.mark.parametrize(
        ("words", "found"),
        [("NAKANO", 1), ("support juniper", 1), ("administrator all", 2), ("psorel", 1)],
    )
    def test_search(self, open_page, words, found):
        """Name, username, role and organization; every word counts."""
        at = open_page("access")
        at.text_input(key="access_search").set_value(words).run()
        assert len(people(at)) == found

    def test_nothing_matches(self, open_page):
        """It says what to do, and does it."""
        at = open_page("access")
        at.text_input(key="access_search").set_value("nobody %_\\ at all").run()
        assert "**No grant matches**" in values(at.markdown)
        (clear,) = [button for button in at.button if button.label == "Clear search"]
        clear.click().run()
        assert len(people(at)) == 5

    def test_pages(self, demo, open_page):
        """25 a page."""
        add_grants(demo, 30)
        at = open_page("access")
        assert len(people(at)) == 25
        at.pagination[0].set_value(2).run()
        assert len(people(at)) == 10
        assert f"26{DASH}35 of 35 grants" in values(at.caption)

    def test_an_administrator_of_one_organization(self, demo, open_page):
        """Sees its grants alone, and can grant there alone."""
        execute_sql(
            demo,
            "UPDATE role_grant SET role = 'administrator' WHERE username = 'psorel'",
        )
        at = open_page("access", person="psorel")
        assert len(people(at)) == 1
        assert list(at.multiselect(key="access_where").options) == [
            "Juniper County Recorder · UTCJF1"
        ]

    def test_what_each_role_may_do(self, open_page):
        """From the table that the operations ask."""
        frame = open_page("access").table[0].value
        assert list(frame.columns) == [ROLES[role] for role in Role]
        assert list(frame.index) == [PERMISSION_WORDS[each] for each in Permission]
        for role in Role:
            ticked = {word for word, sign in frame[ROLES[role]].items() if "✓" in sign}
            assert ticked == {PERMISSION_WORDS[each] for each in PERMISSIONS[role]}

    def test_every_permission_has_its_words(self):
        """A new one is not left without."""
        assert set(PERMISSION_WORDS) == set(Permission)


class TestGranting:
    """The form."""

    def test_in_two_organizations(self, demo, open_page):
        """One sentence, and the form is empty again."""
        at = grant(open_page("access"), USER, Role.SUPPORT, ORG, "UTTAN1")
        assert granted(demo, USER) == {("support", ORG), ("support", "UTTAN1")}
        assert values(at.success) == [
            "adoyle is Support in UTCJF1 and UTTAN1 from the next click\\."
        ]
        assert at.text_input(key="access_username").value == ""

    def test_in_all_organizations(self, demo, open_page):
        """Whatever else was chosen with it."""
        grant(open_page("access"), USER, Role.ANALYST, "", ORG)
        assert granted(demo, USER) == {("analyst", None)}

    def test_what_they_have_already(self, demo, open_page):
        """It is said, and nothing is added."""
        at = grant(open_page("access"), "dnakano", Role.SUPPORT, "")
        assert values(at.success) == ["dnakano was Support in all organizations already\\."]
        assert granted(demo, "dnakano") == {("support", None)}

    @pytest.mark.parametrize(
        ("username", "role", "places", "missing"),
        [
            ("", None, (), "Username and Role and Where"),
            (" ", Role.SUPPORT, ("",), "Username"),
            (USER, None, ("",), "Role"),
            (USER, Role.SUPPORT, (), "Where"),
        ],
    )
    def test_something_is_missing(self, demo, open_page, username, role, places, missing):
        """The sentence names the field; all organizations are never meant by silence."""
        at = grant(open_page("access"), username, role, *places)
        assert values(at.error) == [plain(f"Nothing was granted: fill in {missing}, then grant.")]
        assert granted(demo, USER) == set()

    @pytest.mark.parametrize("username", ["nobody", MARKUP, "x" * 10_000, "a\0b", "\u202ex"])
    def test_an_unknown_person(self, open_page, username):
        """Whatever was typed, it stays to be mended."""
        at = grant(open_page("access"), username, Role.SUPPORT, "")
        (told,) = values(at.error)
        assert told.startswith("The directory has nobody of that username")
        assert at.text_input(key="access_username").value == username
        assert not at.exception

    def test_who_may_no_longer(self, demo, open_page):
        """Between opening the page and the click the role was taken away."""
        at = open_page("access")
        execute_sql(demo, "DELETE FROM role_grant WHERE username = 'mhale'")
        grant(at, USER, Role.SUPPORT, "")
        assert granted(demo, USER) == set()
        assert values(at.info) == [FOR_ADMINISTRATORS]

    def test_sentences(self):
        """Many places are counted, a few are named."""
        many = [Grant(Role.SUPPORT, f"ORG{n:03}") for n in range(5)]
        assert granted_sentence("u", many, many) == (
            "u is Support in 5 organizations from the next click."
        )
        assert granted_sentence("u", many[:3], many[:2]) == (
            "u is Support in ORG000 and ORG001 from the next click. u was Support in ORG002"
            " already."
        )


class TestRevoking:
    """One question, then it is done."""

    def test_the_question_says_what_is_lost(self, demo, open_page):
        """And nothing has happened yet."""
        at = revoke(open_page("access"), demo, "dnakano")
        assert "**Dana Nakano loses Support in all organizations at the next click.**" in values(
            at.markdown
        )
        assert granted(demo, "dnakano") == {("support", None)}

    def test_done(self, demo, open_page):
        """It is gone from the table, and a sentence says so."""
        at = revoke(open_page("access"), demo, "dnakano")
        at.button(key="access_revoke").click().run()
        assert granted(demo, "dnakano") == set()
        assert values(at.success) == ["Dana Nakano is no longer Support in all organizations\\."]
        assert len(people(at)) == 4

    def test_kept(self, demo, open_page):
        """The question is gone as well."""
        at = revoke(open_page("access"), demo, "dnakano")
        at.button(key="access_keep").click().run()
        assert granted(demo, "dnakano") == {("support", None)}
        assert not [button for button in at.button if button.key == "access_revoke"]

    def test_gone_meanwhile(self, demo, open_page):
        """Somebody else was faster: no question is left."""
        at = revoke(open_page("access"), demo, "dnakano")
        execute_sql(demo, "DELETE FROM role_grant WHERE username = 'dnakano'")
        at.button(key="access_revoke").click().run()
        assert values(at.success) == ["Dana Nakano was no longer Support in all organizations\\."]

    def test_the_last_administrator(self, demo, open_page):
        """They stay, and are told why."""
        execute_sql(demo, "DELETE FROM role_grant WHERE username = 'rfenwick'")
        at = revoke(open_page("access"), demo, "mhale")
        assert "This is your own role: you may lose this page with it." in values(at.markdown)
        at.button(key="access_revoke").click().run()
        assert granted(demo, "mhale") == {("administrator", None)}
        (told,) = values(at.error)
        assert "this is the last API administrator" in told

    def test_ones_own(self, demo, open_page):
        """The page is no longer theirs."""
        at = revoke(open_page("access"), demo, "mhale")
        at.button(key="access_revoke").click().run()
        assert granted(demo, "mhale") == set()
        assert values(at.info) == [FOR_ADMINISTRATORS]

    def test_leaving_the_page_ends_the_question(self, demo, open_page):
        """It does not wait there."""
        at = revoke(open_page("access"), demo, "dnakano")
        at.switch_page("help.py").run()
        at.switch_page("access.py").run()
        assert not [button for button in at.button if button.key == "access_revoke"]

    def test_markup_in_names_does_nothing(self):
        """Neither of the person nor of the organization."""
        row = GrantRow(
            grant_id="g",
            username="u",
            name=MARKUP,
            active=True,
            role=Role.SUPPORT,
            organization_id="A",
            organization_name=MARKUP,
            granted_at=NOW,
            granted_by="mhale",
        )
        assert "![i](" not in loss_sentence(row)
        assert "<b>" not in loss_sentence(row)


class TestWhoMayOpenIt:
    """API administrators alone."""

    @pytest.mark.parametrize("person", ["dnakano", "ivarga", "psorel", USER])
    def test_others_get_no_page(self, open_page, person):
        """By a link typed by hand."""
        at = open_page("access", person=person)
        assert values(at.info) == [FOR_ADMINISTRATORS]
        assert not at.text_input
