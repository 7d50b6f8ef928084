"""Organizations, services and subscriptions, as reads return them."""

from typing import NamedTuple

from lib.domain.states import OrganizationType, Status


class Organization(NamedTuple):
    """An organization with its contact facts; empty text where a fact is not known."""

    organization_id: str
    name: str
    type: OrganizationType
    status: Status
    state: str
    contact_person: str
    primary_recorder: str
    address: str
    telephone: str
    fax: str
    web_page: str
    hours: str
    document_types: str


class OrganizationListed(NamedTuple):
    """An organization as the Organizations page lists it; counts are of users in it."""

    organization_id: str
    name: str
    type: OrganizationType
    status: Status
    state: str
    services: int
    users: int
    with_token: int


class Service(NamedTuple):
    """What an organization can subscribe to."""

    service_id: str
    name: str


class Subscription(NamedTuple):
    """One organization's subscription to one service. Dates are ISO text or empty."""

    organization_id: str
    service_id: str
    service_name: str
    status: Status
    since: str
    license_number: str
    plan: str
    starts_on: str
    renews_on: str
    seats: int | None
    notify_recorded: str
    notify_rejected: str
    notify_fees: str
    notify_to: str
    revision: int
    live_tokens: bool
