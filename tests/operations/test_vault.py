"""Where tokens wait in clear: for one session, person and operation, and not for long."""

import threading
from itertools import product

import pytest

from lib.operations.vault import Vault, VaultKey

KEY = VaultKey("session", "mhale", "operation")


@pytest.fixture
def vault() -> Vault:
    """A vault that keeps long enough for a test."""
    return Vault(60)


class TestKeeping:
    """What is kept comes back to whom it belongs to."""

    def test_it_comes_back_as_often_as_wanted(self, vault):
        """Download again gives the same."""
        vault.keep(KEY, b"secret")
        assert [vault.get(KEY), vault.get(KEY)] == [b"secret"] * 2
        assert 50 < vault.seconds_left(KEY) <= 60
        vault.drop(KEY)

    def test_nobody_else_gets_it(self, vault):
        """Another session, person or operation gets nothing: all seven wrong keys."""
        vault.keep(KEY, b"secret")
        keys = [VaultKey(*parts) for parts in product(*((part, "x") for part in KEY))]
        assert [vault.get(key) for key in keys] == [b"secret"] + [None] * 7
        assert [vault.seconds_left(key) > 0 for key in keys] == [True] + [False] * 7
        vault.drop(KEY)

    def test_a_later_secret_takes_the_place(self):
        """And the earlier one's time does not end it."""
        short = Vault(0.05)
        short.keep(KEY, b"first")
        first = short._kept[KEY].timer
        short._seconds = 60
        short.keep(KEY, b"second")
        first.join(10)
        assert not first.is_alive()
        short._end(KEY, first)  # as a timer does that could no longer be stopped
        assert short.get(KEY) == b"second"
        short.drop(KEY)


class TestForgetting:
    """By time, by hand, and with the session."""

    def test_by_time_without_anybody_asking(self):
        """A timer drops it: nothing is left in memory."""
        vault = Vault(0.05)
        vault.keep(KEY, b"secret")
        vault._kept[KEY].timer.join(10)
        assert vault._kept == {}
        assert (vault.get(KEY), vault.seconds_left(KEY)) == (None, 0.0)

    def test_by_time_even_when_the_timer_is_late(self, vault):
        """The clock is asked again at each get."""
        vault.keep(KEY, b"secret")
        vault._kept[KEY] = vault._kept[KEY]._replace(until=0.0)
        assert vault.get(KEY) is None
        vault.drop(KEY)

    def test_by_hand(self, vault):
        """Dropping stops the timer; a second time is no error."""
        vault.keep(KEY, b"secret")
        timer = vault._kept[KEY].timer
        vault.drop(KEY)
        vault.drop(KEY)
        timer.join(10)
        assert (vault.get(KEY), timer.is_alive()) == (None, False)

    def test_with_the_session(self, vault):
        """Everything of one session goes, others keep theirs."""
        other = KEY._replace(session="other")
        for key in (KEY, KEY._replace(made_by="second"), other):
            vault.keep(key, b"secret")
        vault.drop_session("session")
        assert list(vault._kept) == [other]
        vault.drop(other)

    def test_timers_do_not_keep_the_process(self, vault):
        """The server can stop while something is kept."""
        vault.keep(KEY, b"secret")
        assert vault._kept[KEY].timer.daemon
        vault.drop(KEY)

    def test_from_many_threads(self, vault):
        """Keeping, getting and dropping at once harm nobody."""
        keys = [KEY._replace(made_by=str(n)) for n in range(8)]

        def use(key: VaultKey) -> None:
            for n in range(50):
                vault.keep(key, str(n).encode())
                assert vault.get(key) == str(n).encode()
                vault.drop(key)

        threads = [threading.Thread(target=use, args=(key,)) for key in keys]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert vault._kept == {}
