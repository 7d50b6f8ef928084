"""A deep link survives the sign-in, and nothing but a page of our own comes out."""

import pytest

from lib.web.return_to import COOKIE, ReturnTo
from tests.web.test_security_middleware import ask, headers_of

DEEP = "/api-tokens?org=UTCJF1&service=erecording"
HOST = (b"host", b"desk.example.com")


def redirecting(location: str, status: int = 302):
    """Return an application that redirects."""

    async def app(_scope, _receive, send) -> None:
        headers = [(b"location", location.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return app


def leave(referer: str | None, *, https: bool = True) -> list[str]:
    """Leave for the sign-in; return the cookies that are set."""
    headers = [HOST, *([(b"referer", referer.encode())] if referer is not None else [])]
    app = ReturnTo(redirecting("https://id.example.com/"), https=https)
    answer = ask(app, type="http", path="/auth/login", headers=headers)
    return [value for name, value in headers_of(answer) if name == "set-cookie"]


def come_back(cookie: str | None, location: str = "/") -> str:
    """Come back from the sign-in; return where the browser is sent."""
    headers = [HOST, *([(b"cookie", f"{COOKIE}={cookie}".encode())] if cookie else [])]
    app = ReturnTo(redirecting(location), https=True)
    answer = ask(app, type="http", path="/oauth2callback", headers=headers)
    return dict(headers_of(answer))["location"]


class TestReturnTo:
    """Where a sign-in began, it ends."""

    def test_there_and_back(self):
        """The page and its place; the cookie is for the callback alone, and for ten minutes."""
        (cookie,) = leave(f"https://desk.example.com{DEEP}")
        assert cookie == (
            f'{COOKIE}="{DEEP}"; Max-Age=600; Path=/oauth2callback; HttpOnly; SameSite=Lax; Secure'
        )
        assert come_back(f'"{DEEP}"') == DEEP

    def test_without_https_the_cookie_is_still_sent(self):
        """On localhost."""
        (cookie,) = leave(f"http://desk.example.com{DEEP}", https=False)
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
    def test_nothing_else_is_kept(self, referer):
        """Another site, another form of path, or one that is no page."""
        assert leave(referer) == []

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
    def test_a_cookie_made_by_hand_leads_nowhere(self, cookie):
        """The root, as without one."""
        assert come_back(cookie) == "/"

    def test_another_destination_stays(self):
        """Only the root is changed: it means that Streamlit is done."""
        assert come_back(f'"{DEEP}"', "https://id.example.com/error") == (
            "https://id.example.com/error"
        )

    def test_the_cookie_ends_with_the_sign_in(self):
        """The next one starts from somewhere else."""
        app = ReturnTo(redirecting("/"), https=True)
        answer = ask(app, type="http", path="/oauth2callback", headers=[HOST])
        assert [v for n, v in headers_of(answer) if n == "set-cookie"] == [
            f'{COOKIE}=""; Max-Age=0; Path=/oauth2callback; HttpOnly; SameSite=Lax; Secure'
        ]

    def test_every_other_path_is_left_alone(self):
        """No cookie, no change."""
        app = ReturnTo(redirecting("/"), https=True)
        answer = ask(app, type="http", path="/api-tokens", headers=[HOST])
        assert headers_of(answer) == [("location", "/")]
