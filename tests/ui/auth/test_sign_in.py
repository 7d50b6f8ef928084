"""The address of a browser, as it is recorded in events."""

from types import SimpleNamespace

import pytest

from lib.ui.auth import sign_in


@pytest.mark.parametrize(
    ("given", "expected"),
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
def test_client_address_with_other_text_drops_it(monkeypatch, given, expected):
    """The zone of an IPv6 address is free text, and comes from a header."""
    context = SimpleNamespace(context=SimpleNamespace(ip_address=given))
    monkeypatch.setattr(sign_in, "st", context)
    assert sign_in.client_address() == expected
