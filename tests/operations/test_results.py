"""Who may download the results of an operation: ruling 11, on the page and in the database."""

from dataclasses import replace

import pytest

from lib.domain.access import Actor
from lib.domain.roles import Grant, Role
from lib.domain.states import Action
from lib.operations.audited_download import DownloadNotRecordedError
from lib.operations.results import may_download_results, results_download
from lib.store.engine import writing
from tests.support.actions import act, change, select
from tests.support.directory import ORG, add_staff, build, unit_of_work

SUPPORT, ANALYST, USER = Role.SUPPORT, Role.ANALYST, None
OWN, OTHERS = "sara", "otto"
ELSEWHERE = "NVXYZ1"
DOWNLOADS = "SELECT actor FROM audit_event WHERE action = 'download'"


def doer(did_it: bool) -> str:  # noqa: FBT001 - a fact of the case
    """Return who did the operation."""
    return OWN if did_it else OTHERS


@pytest.mark.parametrize(
    ("role", "organization_id", "did_it", "allowed"),
    [
        (SUPPORT, ORG, True, True),
        (SUPPORT, ORG, False, False),
        (SUPPORT, ELSEWHERE, True, False),
        (ANALYST, ORG, False, True),
        (ANALYST, ELSEWHERE, False, False),
        (USER, ORG, True, False),
    ],
)
class TestRuling:
    """EXPORT there, or ACTIVITY there now and did it."""

    def test_page_and_download_agree_on_who_may(
        self, engine, role, organization_id, did_it, allowed
    ):
        """One function decides both; a refused download leaves no event of a download."""
        (member_id,) = build(engine, 1)
        build(engine, 1, organization_id=ELSEWHERE)
        grants = [Grant(role, organization_id)] if role else []
        who = Actor(OWN, "Sara", frozenset(grants))
        with writing(engine) as connection:
            add_staff(connection, OWN, "Sara", *grants)
            add_staff(connection, OTHERS, "Otto", Grant(Role.SUPPORT))
        receipt = replace(act(engine, Action.REQUEST, [member_id])[1].receipt, actor=doer(did_it))
        change(engine, "UPDATE operation SET actor = :actor", actor=receipt.actor)
        assert may_download_results(who, receipt) is allowed
        download = results_download(unit_of_work(engine), who, receipt, 1)
        if allowed:
            assert b"utcjf1-u0" in download()
        else:
            with pytest.raises(DownloadNotRecordedError):
                download()
        assert select(engine, DOWNLOADS) == [(OWN,)] * allowed
