"""The start of the server: whether it opens a browser, and which options it refuses."""

import os
import subprocess
import sys

import pytest
from streamlit import config

from lib.settings import ROOT, UnsafeSettingsError, refuse_base_path
from lib.streamlit_internals import server

STARTED = """
import sys
from streamlit import config
flags = {"server.headless": sys.argv[1] == "true"} if sys.argv[1] else {}
config.get_config_options(force_reparse=True, options_from_flags=flags)
import app
print("headless:", config.get_option("server.headless"))
"""


class TestHeadless:
    """Whether the server opens a browser on its machine."""

    @pytest.mark.parametrize(
        ("sign_in", "flag", "headless"),
        [
            ("", "", False),
            ("", "true", True),
            ("oidc", "", True),
            ("proxy", "", True),
            ("proxy", "false", False),
            ("oidc", "true", True),
        ],
    )
    def test_no_browser_is_opened_where_people_sign_in(self, tmp_path, sign_in, flag, headless):
        """Unless a flag asks for one. In demo mode Streamlit's own setting decides."""
        settings = {
            "TOKEN_DESK_DATA": str(tmp_path),
            "TOKEN_DESK_SIGN_IN": sign_in,
            "TOKEN_DESK_PEPPERS": f"1:{'ab' * 32}",
        }
        provider = {
            "CLIENT_ID": "desk",
            "CLIENT_SECRET": "secret",
            "METADATA_URL": "https://id.example.com/.well-known/openid-configuration",
            "REDIRECT_URI": "https://desk.example.com/oauth2callback",
            "COOKIE_SECRET": "a cookie secret of 32 characters",
        }
        if sign_in == "oidc":
            settings |= {f"TOKEN_DESK_OIDC_{name}": value for name, value in provider.items()}
        run = subprocess.run(
            [sys.executable, "-c", STARTED, flag],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            timeout=60,
            check=True,
            text=True,
        )
        assert run.stdout.splitlines()[-1] == f"headless: {headless}"


class TestBasePath:
    """With a base path, every comparison of paths would fail."""

    @pytest.mark.parametrize("base", ["desk", "/desk/", "a/b"])
    def test_a_base_path_is_refused_at_the_start(self, monkeypatch, base):
        """The error names the setting and the fix."""
        monkeypatch.setattr(config, "get_option", {"server.baseUrlPath": base}.get)
        with pytest.raises(
            UnsafeSettingsError, match=f"cannot be served below /{base.strip('/')},"
        ):
            refuse_base_path(server.base_path())

    @pytest.mark.parametrize("base", ["", "/"])
    def test_an_empty_base_path_is_accepted(self, monkeypatch, base):
        """The root is no base path."""
        monkeypatch.setattr(config, "get_option", {"server.baseUrlPath": base}.get)
        refuse_base_path(server.base_path())


class TestStaticFiles:
    """Paths of Streamlit's own files."""

    def test_index_html_is_not_a_static_file(self):
        """It would be answered with 200 at an undeclared path."""
        files = server.static_files()
        assert "/favicon.png" in files
        assert any(file.startswith("/static/js/") for file in files)
        assert "/index.html" not in files
