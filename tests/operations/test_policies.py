"""Expiry policies: who may set them, within which limits, and which of the two applies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.domain.access import Actor
from lib.domain.clock import DAY
from lib.domain.errors import InvalidExpiryError, NotAllowedError, UnknownPlaceError
from lib.domain.expiry import ExpiryPolicy
from lib.domain.roles import Grant, Role
from lib.operations import policies
from lib.store.engine import writing
from tests.support.actions import select
from tests.support.database_facts import NOW
from tests.support.directory import ADMIN, ORG, SERVICE, add_staff, build, unit_of_work

NONE_OR_DAYS = st.none() | st.integers(1, 730)


@pytest.fixture(autouse=True)
def directory(engine) -> None:
    """Two organizations."""
    build(engine, 1)
    build(engine, 1, organization_id="NVCLK2")


def read(engine, organization_id: str = ORG) -> ExpiryPolicy:
    """Return both policies."""
    return policies.read_policy(engine, ADMIN, organization_id, SERVICE)


class TestShorterWins:
    """The shorter of the service's and the organization's policy applies."""

    @given(NONE_OR_DAYS, NONE_OR_DAYS)
    def test_the_shorter_policy_applies(self, service, organization):
        """Where only one is set, that one. Where none is set, there is no expiry."""
        policy = ExpiryPolicy(service, organization)
        both = [days for days in (service, organization) if days is not None]
        assert policy.days == (min(both) if both else None)
        assert policy.ends(NOW) == (NOW + policy.days * DAY if both else None)


class TestSet:
    """Policies are set by an API administrator, with an event."""

    @pytest.mark.parametrize("days", [1, 90, 730, None])
    def test_an_organization_policy_is_set_for_that_one_only(self, engine, days):
        """With its event."""
        policies.set_organization_policy(unit_of_work(engine), ADMIN, ORG, 5)
        policies.set_organization_policy(unit_of_work(engine), ADMIN, ORG, days)
        assert read(engine) == ExpiryPolicy(None, days)
        assert read(engine, "NVCLK2") == ExpiryPolicy(None, None)
        detail = "no limit" if days is None else f"{days} days"
        event = select(
            engine,
            "SELECT action, actor, organization_id, service_id, detail FROM audit_event"
            " ORDER BY number DESC LIMIT 1",
        )
        assert event == [("policy", "mhale", ORG, "", detail)]

    @pytest.mark.parametrize("days", [1, 90, 730, None])
    def test_a_service_policy_is_set_for_every_organization(self, engine, days):
        """With its event."""
        policies.set_service_policy(unit_of_work(engine), ADMIN, SERVICE, days)
        assert read(engine) == read(engine, "NVCLK2") == ExpiryPolicy(days, None)

    @pytest.mark.parametrize("days", [0, -1, 731, 10**9])
    def test_days_outside_the_limits_are_refused(self, engine, days):
        """For both policies. Nothing changes."""
        for set_policy, place in (
            (policies.set_organization_policy, ORG),
            (policies.set_service_policy, SERVICE),
        ):
            with pytest.raises(InvalidExpiryError):
                set_policy(unit_of_work(engine), ADMIN, place, days)
        assert read(engine) == ExpiryPolicy(None, None)

    def test_an_unknown_organization_or_service_is_named_in_the_error(self, engine):
        """For both policies."""
        with pytest.raises(UnknownPlaceError):
            policies.set_organization_policy(unit_of_work(engine), ADMIN, "NOSUCH", 1)
        with pytest.raises(UnknownPlaceError):
            policies.set_service_policy(unit_of_work(engine), ADMIN, "nosuch", 1)


class TestPermission:
    """An organization's administrator sets its policy, but not the service's."""

    @pytest.mark.parametrize(
        ("grant", "organization", "service"),
        [
            (Grant(Role.ADMINISTRATOR), True, True),
            (Grant(Role.ADMINISTRATOR, ORG), True, False),
            (Grant(Role.ADMINISTRATOR, "NVCLK2"), False, False),
            (Grant(Role.SUPPORT), False, False),
            (Grant(Role.ANALYST), False, False),
        ],
    )
    def test_each_policy_needs_the_permission_for_its_reach(
        self, engine, grant, organization, service
    ):
        """The database decides, not the grants that the actor object has."""
        with writing(engine) as connection:
            add_staff(connection, "other", "Other", grant)
        other = Actor("other", "Other", ADMIN.grants)
        for allowed, set_policy, place in (
            (organization, policies.set_organization_policy, ORG),
            (service, policies.set_service_policy, SERVICE),
        ):
            if allowed:
                set_policy(unit_of_work(engine), other, place, 7)
            else:
                with pytest.raises(NotAllowedError):
                    set_policy(unit_of_work(engine), other, place, 7)
        assert read(engine) == ExpiryPolicy(7 if service else None, 7 if organization else None)
