"""The client's address, and the credentials of an Authorization header."""

import base64
from ipaddress import ip_network
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from lib.web.http_messages import basic_credentials, bearer_token, client_address

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]


def request(peer: str | None = "10.0.0.1", **headers: str) -> Request:
    """Return a request from `peer`."""
    raw = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in headers.items()]
    return Request({"type": "http", "headers": raw, "client": peer and (peer, 1)})


class TestClientAddress:
    """It is the last forwarded address that is not a trusted proxy."""

    @pytest.mark.parametrize(
        ("peer", "forwarded", "address"),
        [
            ("203.0.113.9", "", "203.0.113.9"),
            ("203.0.113.9", "192.0.2.1", "203.0.113.9"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("10.0.0.1", " 192.0.2.1 ", "192.0.2.1"),
            ("10.0.0.1", "192.0.2.1, 192.0.2.2", "192.0.2.2"),
            ("10.0.0.1", "192.0.2.1, 192.0.2.2, 10.9.9.9", "192.0.2.2"),
            ("10.0.0.1", "10.0.0.2, 10.0.0.3", "10.0.0.2"),
            ("10.0.0.1", "192.0.2.1, unknown", "10.0.0.1"),
            ("10.0.0.1", "192.0.2.1,", "10.0.0.1"),
            ("10.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
            ("10.0.0.1", "[2001:db8:2::1]:4711", "2001:db8:2::/64"),
            ("10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("2001:db8:1::5", "192.0.2.1", "192.0.2.1"),
            ("2001:db8:2::5", "192.0.2.1", "2001:db8:2::/64"),
            ("testclient", "192.0.2.1", "unknown"),
            (None, "192.0.2.1", "unknown"),
        ],
    )
    def test_the_last_untrusted_address_is_the_clients(self, peer, forwarded, address):
        """A client can only write addresses further left."""
        headers = {"x_forwarded_for": forwarded} if forwarded else {}
        assert client_address(request(peer, **headers), PROXIES) == address

    def test_forwarded_addresses_are_ignored_without_trusted_proxies(self):
        """A setting names the trusted proxies."""
        assert client_address(request(x_forwarded_for="192.0.2.1"), []) == "10.0.0.1"

    def test_an_ipv6_address_is_named_by_its_network(self):
        """A client chooses the lower half itself."""
        addresses = {client_address(request(f"2001:db8:9::{n:x}"), []) for n in range(99)}
        assert addresses == {"2001:db8:9::/64"}

    @given(st.text(st.characters(codec="latin-1"), max_size=60))
    def test_any_forwarded_text_gives_an_address(self, forwarded):
        """And no error."""
        assert client_address(request(x_forwarded_for=forwarded), PROXIES)


class TestBasic:
    """RFC 7617, with the percent-encoding of RFC 6749."""

    @given(st.text(min_size=1), st.text())
    def test_any_basic_credentials_are_read_as_they_were_sent(self, client_id, secret):
        """Hypothesis chooses them."""
        text = ":".join(quote_plus(part, errors="replace") for part in (client_id, secret))
        header = base64.b64encode(text.encode()).decode()
        expected = tuple(part.encode("utf-8", "replace").decode() for part in (client_id, secret))
        assert basic_credentials(request(authorization=f"Basic {header}")) == expected

    @given(st.text(st.characters(codec="latin-1"), max_size=60))
    def test_any_basic_header_gives_two_texts_or_none(self, value):
        """And no error."""
        for header in (value, f"Basic {value}"):
            found = basic_credentials(request(authorization=header))
            assert found is None or all(isinstance(part, str) for part in found)

    @given(st.binary(max_size=60))
    def test_any_encoded_bytes_give_two_texts_or_none(self, raw):
        """Without a colon it is None."""
        header = base64.b64encode(raw).decode()
        found = basic_credentials(request(authorization=f"Basic {header}"))
        assert (found is None) or b":" in raw


class TestBearer:
    """RFC 6750, and a plain header."""

    @given(st.text(st.characters(codec="latin-1"), max_size=60))
    def test_any_bearer_header_gives_a_text_or_none(self, value):
        """And no error."""
        for header in (value, f"Bearer {value}"):
            found = bearer_token(request(authorization=header, api_token=value), "api-token")
            assert found is None or found in header or found in value
