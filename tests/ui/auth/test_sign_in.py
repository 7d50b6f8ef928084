"""From where a browser is connected, as events say it."""

from types import SimpleNamespace

import pytest

from lib.ui.auth import sign_in


@pytest.mark.parametrize(
    ("known", "told"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("fe80::7%approved by the boss", "fe80::7"),
        ("approved by the boss", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_an_address_is_told_without_any_other_text(monkeypatch, known, told):
    """The zone after an IPv6 address is free text, and comes from a header."""
    context = SimpleNamespace(context=SimpleNamespace(ip_address=known))
    monkeypatch.setattr(sign_in, "st", context)
    assert sign_in.client_address() == told
