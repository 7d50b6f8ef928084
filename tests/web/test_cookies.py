"""Cookies end with the sign-in, and are Secure over https."""

import asyncio

import pytest

from lib.web.cookies import CookieLimits


def limited(cookie: str, *, https: bool = True) -> str:
    """Return a cookie as the browser gets it."""
    sent = []

    async def app(_scope, _receive, send):
        headers = [(b"content-type", b"text/plain"), (b"Set-Cookie", cookie.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def send(message):
        sent.append(message)

    asyncio.run(CookieLimits(app, seconds=3_600, https=https)({"type": "http"}, None, send))
    assert sent[0]["headers"][0] == (b"content-type", b"text/plain")
    return sent[0]["headers"][1][1].decode()


class TestCookieLimits:
    """Changes of a Set-Cookie header."""

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("a=1; Max-Age=2592000; Path=/", "a=1; Max-Age=3600; Path=/; Secure"),
            ("a=1; max-age=2592000", "a=1; max-age=3600; Secure"),
            ("a=1; Max-Age=600; Secure", "a=1; Max-Age=600; Secure"),
            ("a=1; Max-Age=0; Path=/", "a=1; Max-Age=0; Path=/; Secure"),
            ("a=1; path=/; secure; httponly", "a=1; path=/; secure; httponly"),
            ("a=1; path=/;secure", "a=1; path=/;secure"),
            ("a=1; Path=/", "a=1; Path=/; Secure"),
            ("secure=1; Path=/", "secure=1; Path=/; Secure"),
        ],
    )
    def test_over_https_a_cookie_is_secure_and_its_max_age_limited(self, before, after):
        """A shorter Max-Age stays. A session cookie stays one."""
        assert limited(before) == after

    def test_over_http_only_the_max_age_is_limited(self):
        """On localhost a browser would not send a Secure cookie."""
        assert limited("a=1; Max-Age=2592000", https=False) == "a=1; Max-Age=3600"
