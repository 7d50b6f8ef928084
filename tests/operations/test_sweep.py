"""A token is in clear only in the CSV, and once on its user's page."""

import logging
import pickle

from lib.domain.access import Actor
from lib.domain.states import Action
from lib.operations.own_tokens import accept, list_own
from tests.support.actions import act, everything, exported, later, live_matches
from tests.support.directory import MINTING, build, unit_of_work

ME = Actor("utcjf1-u5", "User 000005")


class TestSweep:
    """After an export and an accepted request, with the most verbose log of the database."""

    def test_no_token_is_kept_or_logged(self, engine, tmp_path, caplog):
        """Database files, rows, logs, and the representations of plan and receipt have none."""
        engine.echo = "debug"
        with caplog.at_level(logging.DEBUG):
            ids = build(engine, 6)
            first_plan, first = act(engine, Action.GENERATE, ids)
            second_plan, second = act(engine, Action.GENERATE, ids[:3])
            act(engine, Action.CANCEL, ids[5:])
            act(engine, Action.REQUEST, ids[5:])
            (asked,) = list_own(engine, later, ME)
            shown_once = accept(unit_of_work(engine, later), ME, asked, MINTING)
            own = list_own(engine, later, ME)
        engine.echo = False
        tokens = [*exported(first), *exported(second), shown_once]
        assert len(tokens) == 10
        assert live_matches(engine, tokens) == [0, 0, 0, 1, 1, 0, 1, 1, 1, 1]

        kept = [path.read_bytes() for path in tmp_path.iterdir() if path.is_file()]
        assert bool(kept) == (engine.dialect.name == "sqlite")
        rows = repr(everything(engine)).encode()
        plans = pickle.dumps((first_plan, second_plan, first.receipt, second.receipt, own))
        shown = repr((first, second, first_plan, second_plan, own, MINTING)).encode()
        log = caplog.text.encode()
        assert b"INSERT INTO operation" in log
        for place in (*kept, rows, plans, shown, log):
            assert [t for t in tokens if t[5:21].encode() in place or t.encode() in place] == []
        hints = [token[:9].encode() for token in tokens]
        assert [hint for hint in hints if hint not in rows] == []
        if kept:
            assert [hint for hint in hints if hint not in b"".join(kept)] == []
