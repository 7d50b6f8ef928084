"""Organizations, services and subscriptions, as queries return them."""

from typing import NamedTuple

from lib.domain.states import OrganizationType, Status


class Organization(NamedTuple):
    """An organization with its contact details; an unknown detail is empty text."""

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
    """One line of the Organizations page.

    `services` counts subscriptions. `users` and `with_token` count as coverage does (see
    lib.domain.coverage): users, and those with an accepted token.
    """

    organization_id: str
    name: str
    type: OrganizationType
    status: Status
    state: str
    services: int
    users: int
    with_token: int


class Service(NamedTuple):
    """A service that organizations can subscribe to."""

    service_id: str
    name: str


class Subscription(NamedTuple):
    """The subscription of one organization to one service. Dates are ISO 8601 text, or empty.

    `revision` rises with every change of its tokens or users. `live_tokens` tells whether there is
    a pending or accepted token.
    """

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
