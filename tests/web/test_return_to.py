"""The page where a sign-in started is opened at its end, and nothing else."""

import pytest

from lib.web.return_to import COOKIE, ReturnTo
from tests.web.test_security_middleware import headers_of, send_through

DEEP = "/api-tokens?org=UTCJF1&service=erecording"
HOST = (b"host", b"desk.example.com")


def redirecting(location: str, status: int = 302):
    """Return an application that redirects."""

    async def app(_scope, _receive, send) -> None:
        headers = [(b"location", location.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app


def start_login(referer: str | None, *, https: bool = True) -> list[str]:
    """Start a login from the page `referer`. Return the cookies that are set."""
    headers = [HOST, *([(b"referer", referer.encode())] if referer is not None else [])]
    app = ReturnTo(redirecting("https://id.example.com/"), https=https)
    answer = send_through(app, type="http", path="/auth/login", headers=headers)
    return [value for name, value in headers_of(answer) if name == "set-cookie"]


def come_back(cookie: str | None, location: str = "/") -> str:
    """Return from the identity provider. Return where the browser is redirected."""
    headers = [HOST, *([(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else [])]
    app = ReturnTo(redirecting(location), https=True)
    answer = send_through(app, type="http", path="/oauth2callback", headers=headers)
    return dict(headers_of(answer))["location"]


class TestReturnTo:
    """A sign-in ends on the page where it started."""

    def test_a_sign_in_ends_on_its_page_with_its_parameters(self):
        """The cookie is for the callback only, for ten minutes."""
        (cookie,) = start_login(f"https://desk.example.com{DEEP}")
        assert cookie == (
            f'{COOKIE}="{DEEP}"; Max-Age=600; Path=/oauth2callback; HttpOnly; SameSite=Lax; Secure'
        )
        assert come_back(f'"{DEEP}"') == DEEP

    @pytest.mark.parametrize(
        "referer", ["https://desk.example.com:443/help", "https://DESK.example.com/help"]
    )
    def test_a_default_port_is_the_same_host(self, referer):
        """Proxies may write it."""
        assert len(start_login(referer)) == 1

    def test_the_cookie_is_not_secure_over_http(self):
        """For localhost."""
        (cookie,) = start_login(f"http://desk.example.com{DEEP}", https=False)
        assert "Secure" not in cookie

    @pytest.mark.parametrize(
        "referer",
        [
            None,
            "",
            "https://desk.example.com/",
            f"https://evil.example.com{DEEP}",
            "https://desk.example.com//evil.example.com",
            "https://desk.example.com/a/b",
            "https://desk.example.com/api-tokens?org=%0d%0aSet-Cookie:x",
            "https://desk.example.com/api-tokens?org=a;b",
            f"https://desk.example.com/{'a' * 65}",
            f"https://desk.example.com/a?{'a' * 401}",
        ],
    )
    def test_another_referrer_sets_no_cookie(self, referer):
        """Another site, another form of path, or no page."""
        assert start_login(referer) == []

    @pytest.mark.parametrize(
        "cookie",
        [
            None,
            '"//evil.example.com"',
            '"/\\\\evil.example.com"',
            '"https://evil.example.com/"',
            '"/a/b"',
            '"javascript:alert(1)"',
            '""',
        ],
    )
    def test_a_forged_cookie_redirects_to_the_root(self, cookie):
        """As no cookie."""
        assert come_back(cookie) == "/"

    def test_a_redirect_to_another_page_is_unchanged(self):
        """Streamlit redirects to the root when the sign-in is done."""
        assert come_back(f'"{DEEP}"', "https://id.example.com/error") == (
            "https://id.example.com/error"
        )

    def test_the_callback_deletes_the_cookie(self):
        """The next sign-in starts from another page."""
        app = ReturnTo(redirecting("/"), https=True)
        answer = send_through(app, type="http", path="/oauth2callback", headers=[HOST])
        assert [v for n, v in headers_of(answer) if n == "set-cookie"] == [
            f'{COOKIE}=""; Max-Age=0; Path=/oauth2callback; HttpOnly; SameSite=Lax; Secure'
        ]

    def test_other_paths_are_unchanged(self):
        """There is no cookie."""
        app = ReturnTo(redirecting("/"), https=True)
        answer = send_through(app, type="http", path="/api-tokens", headers=[HOST])
        assert headers_of(answer) == [("location", "/")]
