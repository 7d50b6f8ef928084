"""The Access page: grants, granting and revoking."""

import pytest
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from lib.domain.access import GrantRow
from lib.domain.ids import new_id
from lib.domain.roles import PERMISSIONS, Grant, Permission, Role
from lib.store import grant_queries
from lib.store.engine import writing
from lib.ui.access.access_form import RESULTS, granted_sentence
from lib.ui.access.access_list import loss_sentence
from lib.ui.components.definition_list import DASH
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
    """The table of grants."""

    def test_table_with_the_demo_grants_names_person_role_place_and_granter(self, open_page):
        """The demo has five grants, ordered by name."""
        at = open_page("access")
        assert at.header[0].value == "Access"
        assert f"1{DASH}5 of 5 grants" in values(at.caption)
        text = " ".join(values(at.main.markdown) + values(at.main.caption))
        for word in ("Dana Nakano", "dnakano", "Support", "All organizations", "Juniper County"):
            assert word in text
        assert "on the command line" in text

    def test_table_when_a_person_is_inactive_shows_a_badge(self, demo, open_page):
        """The badge has a word and an icon."""
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
    def test_search_by_name_role_or_place_finds_grants_with_all_words(
        self, open_page, words, found
    ):
        """Searches name, username, role and organization."""
        at = open_page("access")
        at.text_input(key="access_search").set_value(words).run()
        assert len(people(at)) == found

    def test_search_when_nothing_matches_offers_to_clear(self, open_page):
        """The button clears the search and all grants are back."""
        at = open_page("access")
        at.text_input(key="access_search").set_value("nobody %_\\ at all").run()
        assert "**No grant matches**" in values(at.markdown)
        (clear,) = [button for button in at.button if button.label == "Clear search"]
        clear.click().run()
        assert len(people(at)) == 5

    def test_table_with_35_grants_has_25_on_a_page(self, demo, open_page):
        """The second page has the other ten."""
        add_grants(demo, 30)
        at = open_page("access")
        assert len(people(at)) == 25
        at.pagination[0].set_value(2).run()
        assert len(people(at)) == 10
        assert f"26{DASH}35 of 35 grants" in values(at.caption)

    def test_administrator_of_one_organization_sees_and_grants_only_there(self, demo, open_page):
        """Other organizations are neither listed nor offered."""
        execute_sql(
            demo,
            "UPDATE role_grant SET role = 'administrator' WHERE username = 'psorel'",
        )
        at = open_page("access", person="psorel")
        assert len(people(at)) == 1
        assert list(at.multiselect(key="access_where").options) == [
            "Juniper County Recorder · UTCJF1"
        ]

    def test_role_table_equals_the_permissions_that_operations_check(self, open_page):
        """Each tick is a permission of that role."""
        frame = open_page("access").table[0].value
        assert list(frame.columns) == [ROLES[role] for role in Role]
        assert list(frame.index) == [*(PERMISSION_WORDS[each] for each in Permission), RESULTS]
        assert [sign.removeprefix(":green") for sign in frame.loc[RESULTS]] == [
            "[✓]",
            "Own operations",
            "[✓]",
        ]
        frame = frame.drop(index=RESULTS)
        for role in Role:
            ticked = {word for word, sign in frame[ROLES[role]].items() if "✓" in sign}
            assert ticked == {PERMISSION_WORDS[each] for each in PERMISSIONS[role]}

    def test_every_permission_has_a_sentence(self):
        """A new permission needs a sentence too."""
        assert set(PERMISSION_WORDS) == set(Permission)


class TestGranting:
    """The form that grants a role."""

    def test_grant_in_two_organizations_says_so_and_empties_the_form(self, demo, open_page):
        """One message names both organizations."""
        at = grant(open_page("access"), USER, Role.SUPPORT, ORG, "UTTAN1")
        assert granted(demo, USER) == {("support", ORG), ("support", "UTTAN1")}
        assert values(at.success) == [
            "adoyle is Support in UTCJF1 and UTTAN1 from the next click\\."
        ]
        assert at.text_input(key="access_username").value == ""

    def test_grant_when_all_is_chosen_ignores_single_organizations(self, demo, open_page):
        """The grant is for all organizations."""
        grant(open_page("access"), USER, Role.ANALYST, "", ORG)
        assert granted(demo, USER) == {("analyst", None)}

    def test_grant_when_it_exists_says_so_and_adds_nothing(self, demo, open_page):
        """The database keeps one grant."""
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
    def test_grant_when_a_field_is_empty_names_the_field(
        self, demo, open_page, username, role, places, missing
    ):
        """An empty place does not mean all organizations."""
        at = grant(open_page("access"), username, role, *places)
        assert values(at.error) == [f"Nothing was granted: fill in {missing}, then grant."]
        assert granted(demo, USER) == set()

    @pytest.mark.parametrize("username", ["nobody", MARKUP, "x" * 10_000, "a\0b", "\u202ex"])
    def test_grant_to_an_unknown_username_says_so_and_keeps_the_text(self, open_page, username):
        """The person can correct the spelling."""
        at = grant(open_page("access"), username, Role.SUPPORT, "")
        (text,) = values(at.error)
        assert text.startswith("The directory has nobody of that username")
        assert at.text_input(key="access_username").value == username
        assert not at.exception

    def test_grant_when_the_role_was_revoked_meanwhile_is_refused(self, demo, open_page):
        """The role of the granter ended between opening the page and the click."""
        at = open_page("access")
        execute_sql(demo, "DELETE FROM role_grant WHERE username = 'mhale'")
        grant(at, USER, Role.SUPPORT, "")
        assert granted(demo, USER) == set()
        assert values(at.info) == [FOR_ADMINISTRATORS]

    def test_granted_sentence_with_many_places_counts_them(self):
        """Up to three places are named."""
        many = [Grant(Role.SUPPORT, f"ORG{n:03}") for n in range(5)]
        assert granted_sentence("u", many, many) == (
            "u is Support in 5 organizations from the next click."
        )
        assert granted_sentence("u", many[:3], many[:2]) == (
            "u is Support in ORG000 and ORG001 from the next click. u was Support in ORG002"
            " already."
        )


class TestRevoking:
    """Revoking a grant takes one confirmation."""

    def test_revoke_when_clicked_asks_and_changes_nothing(self, demo, open_page):
        """The dialog names the person, the role and the place."""
        at = revoke(open_page("access"), demo, "dnakano")
        assert "**Dana Nakano loses Support in all organizations at the next click.**" in values(
            at.markdown
        )
        assert granted(demo, "dnakano") == {("support", None)}

    def test_revoke_when_confirmed_removes_the_grant(self, demo, open_page):
        """The table and the message show it."""
        at = revoke(open_page("access"), demo, "dnakano")
        at.button(key="access_revoke").click().run()
        assert granted(demo, "dnakano") == set()
        assert values(at.success) == ["Dana Nakano is no longer Support in all organizations\\."]
        assert len(people(at)) == 4

    def test_revoke_when_kept_closes_the_dialog(self, demo, open_page):
        """The grant stays."""
        at = revoke(open_page("access"), demo, "dnakano")
        at.button(key="access_keep").click().run()
        assert granted(demo, "dnakano") == {("support", None)}
        assert not [button for button in at.button if button.key == "access_revoke"]

    def test_revoke_when_already_revoked_says_so(self, demo, open_page):
        """Another administrator was faster."""
        at = revoke(open_page("access"), demo, "dnakano")
        execute_sql(demo, "DELETE FROM role_grant WHERE username = 'dnakano'")
        at.button(key="access_revoke").click().run()
        assert values(at.success) == ["Dana Nakano was no longer Support in all organizations\\."]

    def test_revoke_of_the_last_administrator_is_refused(self, demo, open_page):
        """The message says why."""
        execute_sql(demo, "DELETE FROM role_grant WHERE username = 'rfenwick'")
        at = revoke(open_page("access"), demo, "mhale")
        assert "This is your own role: you may lose this page with it." in values(at.markdown)
        at.button(key="access_revoke").click().run()
        assert granted(demo, "mhale") == {("administrator", None)}
        (text,) = values(at.error)
        assert "this is the last API administrator" in text

    def test_revoke_of_the_own_role_ends_access_to_the_page(self, demo, open_page):
        """The person reads who may open it."""
        at = revoke(open_page("access"), demo, "mhale")
        at.button(key="access_revoke").click().run()
        assert granted(demo, "mhale") == set()
        assert values(at.info) == [FOR_ADMINISTRATORS]

    def test_revoke_dialog_when_another_page_opens_is_closed(self, demo, open_page):
        """It is still closed when the person comes back."""
        at = revoke(open_page("access"), demo, "dnakano")
        at.switch_page("help.py").run()
        at.switch_page("access.py").run()
        assert not [button for button in at.button if button.key == "access_revoke"]

    def test_loss_sentence_with_markup_in_names_escapes_it(self):
        """The name of the person and of the organization."""
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
    """Only API administrators may open the page."""

    @pytest.mark.parametrize("person", ["dnakano", "ivarga", "psorel", USER])
    def test_page_for_other_roles_shows_who_may_open_it(self, open_page, person):
        """Also with a typed address."""
        at = open_page("access", person=person)
        assert values(at.info) == [FOR_ADMINISTRATORS]
        assert not at.text_input
